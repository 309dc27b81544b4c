//! Lists and answers about the certificates of a path, from wherever they are to be had.

use std::time::Duration;

use chancery_pki::{Certificate, Crl};
use jiff::Timestamp;

use super::{
    Outcome, Path, Step,
    standing::{by_list, by_ocsp},
};
use crate::{
    lists::{Kind, shard_of},
    plugin::{
        fetch::fetch,
        inspect::shown,
        ocsp::{self, Asked, Method},
        published::Published,
    },
};

/// Where lists and answers are looked for, in this order.
#[derive(Debug)]
pub struct Sources {
    /// Lists that a person gave, with their files' names.
    pub files: Vec<(String, Crl)>,
    /// The lists of the cluster.
    pub cluster: Option<Published>,
    /// Whether the URLs in the certificates are asked: first for lists, then by OCSP.
    pub fetch: bool,
    /// How long each may take.
    pub limit: Duration,
}

/// What is known of the revocation of each certificate of the path but the trusted one. The first source that says something counts.
pub async fn evidence(path: &Path, sources: &Sources, at: Timestamp) -> Vec<Step> {
    let mut steps = Vec::new();
    for (certificate, issuer) in path.issued() {
        steps.push(sources.standing(certificate, issuer, at).await);
    }
    steps
}

impl Sources {
    async fn standing(&self, certificate: &Certificate, issuer: &Certificate, at: Timestamp) -> Step {
        let mut doubts = Vec::new();
        let mut settled = |step: Step| {
            if step.outcome == Outcome::NotChecked {
                doubts.push(step.detail.clone());
                None
            } else {
                Some(step)
            }
        };
        for (file, list) in self.files.iter().filter(|(_, list)| list.issuer() == issuer.subject()) {
            if let Some(step) = settled(by_list(certificate, issuer, list, file, at)) {
                return step;
            }
        }
        if let Some(cluster) = &self.cluster
            && let Some(step) = settled(published(cluster, certificate, issuer, at).await)
        {
            return step;
        }
        if self.fetch {
            for url in certificate.crl_distribution_points() {
                let step = match fetch(url, None, self.limit).await {
                    Err(error) => doubt(certificate, &error.to_string()),
                    Ok(octets) => match Crl::from_pem_or_der(&octets) {
                        Err(error) => doubt(certificate, &format!("{url}: {error}")),
                        Ok(list) => by_list(certificate, issuer, &list, url, at),
                    },
                };
                if let Some(step) = settled(step) {
                    return step;
                }
            }
            for url in certificate.ocsp_servers() {
                if let Some(step) = settled(self.answered(certificate, issuer, url, at).await) {
                    return step;
                }
            }
        }
        if doubts.is_empty() {
            doubts.push(format!("{}: no list covers it", shown(certificate)));
            if self.fetch {
                doubts.push("it names neither a list nor a responder".to_owned());
            }
        }
        Step::new("revocation", Outcome::NotChecked, doubts.join("; "))
    }

    async fn answered(&self, certificate: &Certificate, issuer: &Certificate, url: &str, at: Timestamp) -> Step {
        let asked = match Asked::about(certificate, issuer, ocsp::nonce()) {
            Ok(asked) => asked,
            Err(error) => return doubt(certificate, &error.to_string()),
        };
        match asked.of_url(url, Method::Post, self.limit).await {
            Err(error) => doubt(certificate, &error.to_string()),
            Ok((_, answer)) => by_ocsp(certificate, issuer, &answer, asked.nonce(), url, at),
        }
    }
}

fn doubt(certificate: &Certificate, why: &str) -> Step {
    Step::new("revocation", Outcome::NotChecked, format!("{}: {why}", shown(certificate)))
}

/// What the cluster's own list says; nothing is said about lists that are not there.
async fn published(cluster: &Published, certificate: &Certificate, issuer: &Certificate, at: Timestamp) -> Step {
    let head = match cluster.head(&issuer.key_id()).await {
        Ok(Some(head)) => head,
        Ok(None) => return doubt(certificate, &format!("{} publishes no list in namespace {}", shown(issuer), cluster.namespace())),
        Err(error) => return doubt(certificate, &error.to_string()),
    };
    let shard = shard_of(certificate.serial(), head.settings.shards);
    match cluster.list(&head, shard, Kind::Full).await {
        Ok(list) => by_list(certificate, issuer, &list, &format!("namespace {}", cluster.namespace()), at),
        Err(error) => doubt(certificate, &error.to_string()),
    }
}
