//! `kubectl chancery status`: one object in depth.

use std::process::ExitCode;

use chancery::{
    cluster::{Clock as _, SystemClock},
    plugin::{
        output::{self, Report},
        status::{certificate::CertificateReport, facts, issuer::issuer, list::list},
    },
};
use clap::{Args, ValueEnum};

use crate::access::{Misuse, OneNamespace, Operator, Printed, runtime};
use crate::ended;
use crate::given::{NAME, filled};

#[derive(Args, Debug)]
pub(crate) struct Status {
    /// The object: NAME for a Certificate, KIND NAME or KIND/NAME for others. KIND is certificate, issuer, clusterissuer or list.
    #[arg(value_name = "[KIND] NAME", required = true, num_args = 1..=2, value_parser = filled(NAME))]
    object: Vec<String>,
    #[command(flatten)]
    place: OneNamespace,
    #[command(flatten)]
    operator: Operator,
    #[command(flatten)]
    printed: Printed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    #[value(aliases = ["certificates", "ccert", "cert", "certificate.chancery.dev", "certificates.chancery.dev"])]
    Certificate,
    #[value(aliases = ["issuers", "cissuer", "issuer.chancery.dev", "issuers.chancery.dev"])]
    Issuer,
    #[value(aliases = ["clusterissuers", "cclusterissuer", "clusterissuer.chancery.dev", "clusterissuers.chancery.dev"])]
    Clusterissuer,
    #[value(aliases = ["lists", "crl", "revocationlist", "revocationlists", "revocationlist.chancery.dev", "revocationlists.chancery.dev"])]
    List,
}

/// Which object the words mean.
fn object(words: &[String]) -> anyhow::Result<(Kind, String)> {
    let (kind, name) = match words {
        [kind, name] => (kind.as_str(), name.as_str()),
        [one] => one.split_once('/').unwrap_or(("certificate", one)),
        _ => return Err(Misuse::error("name one object")),
    };
    let unknown = |_| Misuse::error(format!("{kind:?} is no kind that has a status here: use certificate, issuer, clusterissuer or list"));
    let kind = Kind::from_str(kind, true).map_err(unknown)?;
    if name.is_empty() {
        return Err(Misuse::error("the object's name is missing"));
    }
    Ok((kind, name.to_owned()))
}

impl Status {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        let (kind, name) = object(&self.object)?;
        runtime()?.block_on(async {
            let client = self.place.access.client().await?;
            let namespace = self.place.name(&client);
            let operator = self.operator.operator_namespace.as_str();
            let now = SystemClock.now();
            match kind {
                Kind::Certificate => {
                    let facts = facts::certificate(&client, operator, &namespace, &name, now).await?;
                    let report = CertificateReport::new(facts, now);
                    self.show(&report, report.is_well())
                }
                Kind::Issuer => {
                    let report = issuer(&client, operator, Some(&namespace), &name, now).await?;
                    self.show(&report, report.ready)
                }
                Kind::Clusterissuer => {
                    let report = issuer(&client, operator, None, &name, now).await?;
                    self.show(&report, report.ready)
                }
                Kind::List => {
                    let report = list(&client, &namespace, &name, now).await?;
                    self.show(&report, report.ready)
                }
            }
        })
    }

    fn show(&self, report: &impl Report, well: bool) -> anyhow::Result<ExitCode> {
        output::print(report, self.printed.output)?;
        Ok(ended(well))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_as_kubectl_names_objects() {
        let words = |text: &str| object(&text.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let rows = [
            ("web", Kind::Certificate, "web"),
            ("certificate web", Kind::Certificate, "web"),
            ("ccert/web", Kind::Certificate, "web"),
            ("clusterissuer.chancery.dev/sample", Kind::Clusterissuer, "sample"),
            ("Issuer ca", Kind::Issuer, "ca"),
            ("crl ca", Kind::List, "ca"),
        ];
        for (text, kind, name) in rows {
            assert_eq!(words(text).unwrap(), (kind, name.to_owned()), "{text}");
        }
        assert!(words("pod web").unwrap_err().to_string().contains("use certificate, issuer"));
        assert!(words("issuer/").is_err());
    }
}
