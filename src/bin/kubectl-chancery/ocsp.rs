//! `kubectl chancery ocsp`: asks a responder about a certificate.

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Context as _;
use chancery::{
    cluster::{Clock as _, SystemClock},
    plugin::{
        ocsp::{self, Asked, Method, explain, issuer_among},
        output::print,
    },
};
use chancery_pki::Certificate;
use clap::Args;

use crate::access::{OneNamespace, Operator, Printed, duration, runtime};
use crate::source::{Source, open};
use crate::{
    ended,
    given::{filled, url},
    input::read,
};

#[derive(Args, Debug)]
pub(crate) struct Ocsp {
    #[command(subcommand)]
    source: Source,
    /// The issuer's certificate (PEM), where it is not with the certificate.
    #[arg(long, value_name = "FILE", global = true)]
    issuer: Option<PathBuf>,
    /// The responder. Unset: the one that the certificate names, else the Service of the responder, through the API server.
    #[arg(long, global = true, value_parser = url("write a URL as in http://ocsp.example.com, or leave the flag out"))]
    url: Option<String>,
    /// Asks by GET instead of POST.
    #[arg(long, global = true)]
    get: bool,
    /// Sends no nonce: the answer may be one that was signed before.
    #[arg(long, global = true)]
    no_nonce: bool,
    /// Where the answer is kept, DER.
    #[arg(short = 'f', long = "filename", value_name = "FILE", global = true)]
    keep: Option<PathBuf>,
    /// How long the responder may take.
    #[arg(long = "limit", value_name = "DURATION", default_value = "10s", value_parser = duration, global = true)]
    limit: Duration,
    #[command(flatten)]
    operator: Operator,
    /// The responder's Service, in the operator's namespace. Unset: that of the responder's Deployment, else chancery-responder.
    #[arg(long, value_name = "NAME", global = true, value_parser = filled("write the name of a Service, or leave the flag out"))]
    service: Option<String>,
    #[command(flatten)]
    printed: Printed,
    #[command(flatten)]
    place: OneNamespace,
}

impl Ocsp {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        runtime()?.block_on(self.ask())
    }

    async fn ask(&self) -> anyhow::Result<ExitCode> {
        let material = self.source.material(&self.place).await?;
        let leaf = material.proven()?.first().context("there is no certificate in it")?;
        let given = match &self.issuer {
            Some(path) => Certificate::bundle_from_pem(&read(path)?).with_context(|| path.display().to_string())?,
            None => material.pieces.iter().flat_map(|piece| piece.certificates.iter().cloned()).collect(),
        };
        let issuer = issuer_among(leaf, &given).context("the issuer's certificate is not there: give it with --issuer FILE")?;
        let nonce = if self.no_nonce { None } else { ocsp::nonce() };
        let asked = Asked::about(leaf, issuer, nonce)?;
        let method = if self.get { Method::Get } else { Method::Post };
        let url = self.url.as_ref().or_else(|| leaf.ocsp_servers().first());
        let (from, (octets, answer)) = if let Some(url) = url {
            (url.clone(), asked.of_url(url, method, self.limit).await?)
        } else {
            let (client, _) = open(&self.place).await?;
            let (namespace, service) = ocsp::service(&client, &self.operator.operator_namespace, self.service.as_deref()).await?;
            let answer = asked.of_service(&client, &namespace, &service, self.limit).await?;
            (format!("Service {namespace}/{service}"), answer)
        };
        if let Some(path) = &self.keep {
            fs::write(path, &octets).with_context(|| path.display().to_string())?;
        }
        let explained = explain(&asked, leaf, issuer, &answer, &from, SystemClock.now());
        print(&explained, self.printed.output)?;
        Ok(ended(explained.is_well()))
    }
}
