//! Lists and answers about the certificates of a path, from wherever they are to be had.

use std::time::Duration;

use chancery_pki::{Certificate, Crl};
use jiff::Timestamp;
use tokio::time::Instant;

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
    /// How long all URLs together may take.
    pub limit: Duration,
}

/// How many URLs of a certificate are asked. Whoever made it wrote them, as many as it pleased them.
const URLS_MAX: usize = 4;

/// What is known of the revocation of each certificate of the path but the trusted one. The first source that says something counts.
///
/// No URL is asked of a path that leads to nobody who is trusted: anyone may have written them.
pub async fn evidence(path: &Path, sources: &Sources, at: Timestamp) -> Vec<Step> {
    let asking = if sources.fetch && path.trusted { Asking::Until(Instant::now() + sources.limit) } else { Asking::Not };
    let mut steps = Vec::new();
    for (certificate, issuer) in path.issued() {
        let mut step = sources.standing(certificate, issuer, asking, at).await;
        if sources.fetch && !path.trusted && step.outcome == Outcome::NotChecked {
            step.detail.push_str("; its URLs are not asked, as the chain leads to nobody who is trusted");
        }
        steps.push(step);
    }
    steps
}

/// Whether URLs are asked, and until when.
#[derive(Clone, Copy, Debug)]
enum Asking {
    Not,
    Until(Instant),
}

impl Sources {
    async fn standing(&self, certificate: &Certificate, issuer: &Certificate, asking: Asking, at: Timestamp) -> Step {
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
        if let Asking::Until(end) = asking {
            let lists = certificate.crl_distribution_points().iter().map(|url| (url, Kept::List));
            let urls = lists.chain(certificate.ocsp_servers().iter().map(|url| (url, Kept::Responder)));
            for (place, (url, kept)) in urls.enumerate() {
                let left = end.saturating_duration_since(Instant::now());
                if place == URLS_MAX || left.is_zero() {
                    let limit = self.limit.as_secs();
                    let why = if left.is_zero() { format!("the {limit} s are over") } else { format!("{URLS_MAX} URLs were asked") };
                    settled(doubt(certificate, &format!("{why}: what more it names is not asked")));
                    break;
                }
                let step = match kept {
                    Kept::List => listed(certificate, issuer, url, left, at).await,
                    Kept::Responder => answered(certificate, issuer, url, left, at).await,
                };
                if let Some(step) = settled(step) {
                    return step;
                }
            }
        }
        if doubts.is_empty() {
            doubts.push(format!("{}: no list covers it", shown(certificate)));
            if matches!(asking, Asking::Until(_)) {
                doubts.push("it names neither a list nor a responder".to_owned());
            }
        }
        Step::new("revocation", Outcome::NotChecked, doubts.join("; "))
    }
}

/// What is behind a URL.
#[derive(Clone, Copy, Debug)]
enum Kept {
    List,
    Responder,
}

async fn listed(certificate: &Certificate, issuer: &Certificate, url: &str, limit: Duration, at: Timestamp) -> Step {
    match fetch(url, None, limit).await {
        Err(error) => doubt(certificate, &error.to_string()),
        Ok(octets) => match Crl::from_pem_or_der(&octets) {
            Err(error) => doubt(certificate, &format!("{url}: {error}")),
            Ok(list) => by_list(certificate, issuer, &list, url, at),
        },
    }
}

async fn answered(certificate: &Certificate, issuer: &Certificate, url: &str, limit: Duration, at: Timestamp) -> Step {
    let asked = match Asked::about(certificate, issuer, ocsp::nonce()) {
        Ok(asked) => asked,
        Err(error) => return doubt(certificate, &error.to_string()),
    };
    match asked.of_url(url, Method::Post, limit).await {
        Err(error) => doubt(certificate, &error.to_string()),
        Ok((_, answer)) => by_ocsp(certificate, issuer, &answer, asked.nonce(), url, at),
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
