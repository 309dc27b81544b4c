//! `kubectl chancery verify`: what a relying party would say of a certificate.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use anyhow::{Context as _, bail};
use chancery::{
    cluster::{Clock as _, SystemClock},
    plugin::{
        material::{self, Material, Trusted},
        output::print,
        published::Published,
        verify::{Path, Question, Sources, evidence, verify},
    },
};
use chancery_pki::{Certificate, Crl, Usage};
use clap::{Args, ValueEnum};
use jiff::Timestamp;

use crate::access::{OneNamespace, Operator, Printed, duration, runtime};
use crate::source::{Source, open};
use crate::{
    NOT_WELL,
    given::{self, filled},
    input::read,
};

#[derive(Args, Debug)]
pub(crate) struct Verify {
    #[command(subcommand)]
    source: Source,
    /// A DNS name or IP address that the certificate must be for (repeatable). Unset: of a TLS server the name that it is asked for.
    #[arg(long = "name", value_name = "DNS|IP", global = true, value_parser = filled("write a DNS name or an IP address, or leave the flag out"))]
    names: Vec<String>,
    /// Certificates (PEM) that are trusted. Unset: those of ca.crt in the Secret.
    #[arg(long, value_name = "FILE", global = true)]
    ca: Vec<PathBuf>,
    /// Trusts the CA of an issuer of this cluster: Issuer/name, in the namespace, or ClusterIssuer/name.
    #[arg(long, value_name = "KIND/NAME", conflicts_with = "ca", global = true, value_parser = given::issuer)]
    issuer: Option<String>,
    /// What the certificate must be for.
    #[arg(long, value_name = "PURPOSE", global = true)]
    purpose: Option<Purpose>,
    /// For when it is to be valid, as 2026-06-01T00:00:00Z. Unset: now.
    #[arg(long, value_name = "TIME", global = true)]
    at: Option<Timestamp>,
    /// Whether revocation is looked at: not at all; where a list or an answer is to be had; or else it is a failure.
    #[arg(long, value_name = "HOW", default_value = "try", global = true)]
    revocation: Revocation,
    /// A revocation list, DER or PEM (repeatable). It is looked at instead of those that are fetched.
    #[arg(long, value_name = "FILE", global = true)]
    crl: Vec<PathBuf>,
    /// Looks at the lists in the operator's namespace instead of the URLs in the certificates.
    #[arg(long, global = true)]
    cluster_lists: bool,
    #[command(flatten)]
    operator: Operator,
    /// How long all lists and answers that are fetched may take.
    #[arg(long = "limit", value_name = "DURATION", default_value = "10s", value_parser = duration, global = true)]
    limit: Duration,
    #[command(flatten)]
    printed: Printed,
    #[command(flatten)]
    place: OneNamespace,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Purpose {
    Server,
    Client,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Revocation {
    Skip,
    Try,
    Require,
}

impl Verify {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        runtime()?.block_on(self.verify())
    }

    async fn verify(&self) -> anyhow::Result<ExitCode> {
        let material = self.source.material(&self.place).await?;
        let Some((leaf, others)) = material.proven()?.split_first() else { bail!("{}: there is no certificate in it", material.shown()) };
        let trusted = self.trusted(&material).await?;
        let at = self.at.unwrap_or_else(|| SystemClock.now());
        let path = Path::find(leaf, others, &trusted.certificates, at);
        let revocation = match self.revocation {
            Revocation::Skip => Vec::new(),
            Revocation::Try | Revocation::Require => evidence(&path, &self.sources().await?, at).await,
        };
        let question = Question {
            of: material.name.clone(),
            trusted_by: trusted.by,
            names: self.names(&material),
            purpose: self.purpose.map(|purpose| match purpose {
                Purpose::Server => Usage::ServerAuth,
                Purpose::Client => Usage::ClientAuth,
            }),
            session: material.session.clone(),
            at,
        };
        let found = verify(&question, &path, revocation);
        print(&found, self.printed.output)?;
        Ok(match (found.valid, found.is_partial() && self.revocation == Revocation::Require) {
            (false, _) => ExitCode::from(NOT_WELL),
            (true, true) => ExitCode::FAILURE,
            (true, false) => ExitCode::SUCCESS,
        })
    }

    /// The names that it must prove. Whoever dials a server wants that server, and no other that somebody trusted has certified.
    fn names(&self, material: &Material) -> Vec<String> {
        match &material.session {
            Some(session) if self.names.is_empty() => vec![session.server_name.clone()],
            _ => self.names.clone(),
        }
    }

    async fn trusted(&self, material: &Material) -> anyhow::Result<Trusted> {
        if let Some(issuer) = &self.issuer {
            let (client, namespace) = open(&self.place).await?;
            return Ok(material::issuer(&client, &namespace, &self.operator.operator_namespace, issuer).await?);
        }
        if self.ca.is_empty() {
            let certificates = material.trust();
            if certificates.is_empty() {
                bail!(
                    "{}: nothing says who is trusted: give --ca FILE, or --issuer KIND/NAME for an issuer of this cluster",
                    material.shown()
                );
            }
            return Ok(Trusted { by: format!("ca.crt of {}", material.name), certificates });
        }
        let mut certificates = Vec::new();
        for path in &self.ca {
            certificates.extend(Certificate::bundle_from_pem(&read(path)?).with_context(|| path.display().to_string())?);
        }
        let by = self.ca.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        Ok(Trusted { by, certificates })
    }

    async fn sources(&self) -> anyhow::Result<Sources> {
        let mut files = Vec::new();
        for path in &self.crl {
            let shown = path.display().to_string();
            let list = Crl::from_pem_or_der(&read(path)?).with_context(|| shown.clone())?;
            files.push((shown, list));
        }
        let cluster = if self.cluster_lists {
            let client = self.place.access.client().await?;
            Some(Published::new(client, &self.operator.operator_namespace))
        } else {
            None
        };
        // What a person gives is what is looked at: nothing else is asked then.
        let fetch = files.is_empty() && cluster.is_none();
        Ok(Sources { files, cluster, fetch, limit: self.limit })
    }
}
