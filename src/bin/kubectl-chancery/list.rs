//! `kubectl chancery list`: what there is, one object a line.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use chancery::{
    api::{Certificate, ClusterIssuer, Issuer, RevocationList},
    cluster::{CallErrorKind, Clock as _, SystemClock},
    plugin::{
        list::{CertificateRow, IssuerRow, ListRow, Listing, Row, SortBy, State, Wanted},
        output::{self, Format},
        read, span,
    },
};
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use kube::{Api, Client, api::ListParams};

use crate::access::{Extent, Printed, runtime};
use crate::given::{FIELDS, filled};

#[derive(Args, Debug)]
pub(crate) struct List {
    /// What is listed.
    #[arg(value_name = "KIND", default_value = "certificates")]
    kind: Listed,
    #[command(flatten)]
    extent: Extent,
    /// Selects by fields that the API server knows: metadata.name, and of Certificates spec.issuerRef.name, .kind and .group.
    #[arg(long, value_name = "FIELDS", value_parser = filled(FIELDS))]
    field_selector: Option<String>,
    /// Only what this issuer signs.
    #[arg(long, value_name = "[KIND/]NAME", value_parser = filled("write an issuer as in ca or ClusterIssuer/ca, or leave the flag out"))]
    issuer: Option<String>,
    /// Only what is so; of several, any suffices.
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<State>,
    /// Only what ends within this time, or has ended: 30d, 1d12h, 90m.
    #[arg(long, value_name = "SPAN", value_parser = span::read)]
    expiring_within: Option<SignedDuration>,
    /// By what it is sorted.
    #[arg(long, value_name = "WHAT", default_value = "expiry")]
    sort_by: SortBy,
    #[command(flatten)]
    printed: Printed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Listed {
    /// Certificates.
    #[value(aliases = ["certificate", "ccert", "cert", "certs"])]
    Certificates,
    /// Issuers of the namespace, and ClusterIssuers.
    #[value(aliases = ["issuer", "cissuer", "clusterissuers", "clusterissuer", "cclusterissuer"])]
    Issuers,
    /// RevocationLists.
    #[value(aliases = ["list", "crl", "crls", "revocationlists", "revocationlist"])]
    Lists,
}

impl List {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        runtime()?.block_on(async {
            let client = self.extent.access.client().await?;
            match self.kind {
                Listed::Certificates => {
                    let found = read::all::<Certificate>(&self.extent.api(&client), &self.params()).await?;
                    let now = SystemClock.now();
                    self.show(&client, "certificates", found.iter().map(|object| CertificateRow::new(object, now)).collect())
                }
                Listed::Issuers => {
                    let rows = self.issuers(&client).await?;
                    self.show(&client, "issuers", rows)
                }
                Listed::Lists => {
                    let found = read::all::<RevocationList>(&self.extent.api(&client), &self.params()).await?;
                    let now = SystemClock.now();
                    self.show(&client, "revocation lists", found.iter().map(|object| ListRow::new(object, now)).collect())
                }
            }
        })
    }

    fn params(&self) -> ListParams {
        self.field_selector.iter().fold(self.extent.params(), |params, fields| params.fields(fields))
    }

    /// The Issuers there, and the ClusterIssuers, which serve any namespace.
    async fn issuers(&self, client: &Client) -> anyhow::Result<Vec<IssuerRow>> {
        let issuers = read::all::<Issuer>(&self.extent.api(client), &self.params()).await?;
        let everywhere = read::all::<ClusterIssuer>(&Api::all(client.clone()), &self.params()).await;
        let everywhere = match everywhere {
            Ok(found) => found,
            // Whoever may read the objects of a namespace only is still shown these.
            Err(error) if error.kind == CallErrorKind::Forbidden => {
                let _ = writeln!(io::stderr(), "ClusterIssuers are left out: {}", output::plain(&error.to_string()));
                Vec::new()
            }
            Err(error) => return Err(error.into()),
        };
        let now = SystemClock.now();
        let rows = issuers.iter().map(|issuer| IssuerRow::new(issuer, now));
        Ok(rows.chain(everywhere.iter().map(|issuer| IssuerRow::cluster(issuer, now))).collect())
    }

    fn show<R: Row>(&self, client: &Client, what: &str, rows: Vec<R>) -> anyhow::Result<ExitCode> {
        let wanted = Wanted { issuer: self.issuer.clone(), states: self.state.clone(), expiring_within: self.expiring_within };
        let listing = Listing::new(rows, &wanted, self.sort_by, self.extent.all_namespaces, SystemClock.now());
        if listing.is_empty() && matches!(self.printed.output, Format::Table | Format::Wide) {
            let _ = writeln!(io::stderr(), "No {what} found {}.", self.extent.shown(client));
        }
        output::print(&listing, self.printed.output)?;
        Ok(ExitCode::SUCCESS)
    }
}
