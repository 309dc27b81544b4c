//! What is not counted but looked at when somebody scrapes: queues, the limit on requests, issuers and registers.
//!
//! Keeps nothing between two scrapes, so that nothing is told that is no longer so.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use prometheus_client::{collector::Collector, encoding::DescriptorEncoder, metrics::MetricType};

use crate::cluster::Limiter;

/// How many issuers, and how many registers, get series of their own.
const LIMIT: usize = 1000;

/// A queue that is looked at when somebody scrapes.
pub trait QueueGauge: Send + Sync {
    /// The numbers of keys that are ready, delayed and being worked on.
    fn depth(&self) -> (usize, usize, usize);
    /// For how long the oldest ready key has waited.
    fn oldest_waiting(&self) -> Duration;
}

/// What a leader has in hand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    /// Issuers and ClusterIssuers.
    pub issuers: Vec<IssuerState>,
    /// The registers.
    pub registers: Vec<RegisterState>,
    /// For how long the registers' checkpoint should have been written; none where none is wanted.
    pub checkpoint_overdue: Option<Duration>,
}

/// What is told of one issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerState {
    /// `Issuer` or `ClusterIssuer`.
    pub kind: &'static str,
    /// Its namespace; empty for a ClusterIssuer.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Why it cannot sign, as its Ready condition says it; none when it can.
    pub obstacle: Option<&'static str>,
    /// How many Certificates name it.
    pub certificates: usize,
    /// Whether its chain ends sooner than the longest certificate that is asked of it.
    pub ending: bool,
    /// The authority that signs, and when the first certificate of its chain ends; none for selfSigned and for one that cannot sign.
    pub authority: Option<(String, Timestamp)>,
}

/// What is told of one register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterState {
    /// The authority whose register it is, or `common`.
    pub authority: String,
    /// Whether it holds together.
    pub sound: bool,
    /// How many certificates it has, those that ended in the last 8 days included.
    pub certificates: usize,
    /// The number of its last line.
    pub sequence: u64,
}

type Look = Box<dyn Fn() -> Holdings + Send + Sync>;

/// All that is looked at; clones share it.
#[derive(Clone, Default)]
pub(super) struct Sampled(Arc<Mutex<Sources>>);

#[derive(Default)]
struct Sources {
    queues: Vec<(&'static str, Arc<dyn QueueGauge>)>,
    limiter: Option<Limiter>,
    holdings: Option<Look>,
}

impl Sampled {
    pub(super) fn watch_queue(&self, name: &'static str, queue: Arc<dyn QueueGauge>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).queues.push((name, queue));
    }

    pub(super) fn watch_limiter(&self, limiter: Limiter) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).limiter = Some(limiter);
    }

    pub(super) fn watch_holdings(&self, look: Look) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).holdings = Some(look);
    }
}

impl fmt::Debug for Sampled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampled").finish_non_exhaustive()
    }
}

impl Collector for Sampled {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let sources = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut depths =
            encoder.encode_descriptor("queue_depth", "Objects in the queue by what they wait for.", None, MetricType::Gauge)?;
        for (queue, gauge) in &sources.queues {
            let (ready, delayed, running) = gauge.depth();
            for (state, number) in [("ready", ready), ("delayed", delayed), ("running", running)] {
                depths.encode_family(&[("queue", *queue), ("state", state)])?.encode_gauge(&(number as u64))?;
            }
        }
        let help = "For how long the oldest object that could be worked on has waited.";
        let mut ages = encoder.encode_descriptor("queue_oldest_waiting_seconds", help, None, MetricType::Gauge)?;
        for (queue, gauge) in &sources.queues {
            ages.encode_family(&[("queue", *queue)])?.encode_gauge(&gauge.oldest_waiting().as_secs_f64())?;
        }
        if let Some(limiter) = &sources.limiter {
            let help = "Calls to the API server under way.";
            encoder.encode_descriptor("api_calls_in_flight", help, None, MetricType::Gauge)?.encode_gauge(&limiter.in_flight())?;
            let help = "Calls to the API server that may be under way at once.";
            encoder.encode_descriptor("api_calls_limit", help, None, MetricType::Gauge)?.encode_gauge(&limiter.limit())?;
        }
        let Holdings { mut issuers, mut registers, checkpoint_overdue } = sources.holdings.as_ref().map(|look| look()).unwrap_or_default();
        drop(sources);
        issuers.sort_unstable_by(|one, other| (one.kind, &one.namespace, &one.name).cmp(&(other.kind, &other.namespace, &other.name)));
        issuers.truncate(LIMIT);
        registers.sort_unstable_by(|one, other| one.authority.cmp(&other.authority));
        registers.truncate(LIMIT);
        of_issuers(&mut encoder, &issuers)?;
        of_registers(&mut encoder, &registers)?;
        if let Some(overdue) = checkpoint_overdue {
            let help = "For how long the registers' checkpoint should have been written; 0 where it is not due.";
            let mut gauge = encoder.encode_descriptor("checkpoint_overdue_seconds", help, None, MetricType::Gauge)?;
            gauge.encode_gauge(&overdue.as_secs_f64())?;
        }
        Ok(())
    }
}

fn of_issuers(encoder: &mut DescriptorEncoder<'_>, issuers: &[IssuerState]) -> Result<(), fmt::Error> {
    let mut ready = encoder.encode_descriptor("issuer_ready", "1 where the issuer can sign.", None, MetricType::Gauge)?;
    for issuer in issuers {
        let [kind, namespace, name] = names(issuer);
        let labels = [kind, namespace, name, ("reason", issuer.obstacle.unwrap_or("Ready"))];
        ready.encode_family(&labels)?.encode_gauge(&i64::from(issuer.obstacle.is_none()))?;
    }
    let help = "1 where the issuer's chain ends sooner than the longest certificate that is asked of it.";
    let mut ending = encoder.encode_descriptor("issuer_authority_ending", help, None, MetricType::Gauge)?;
    for issuer in issuers {
        ending.encode_family(&names(issuer))?.encode_gauge(&i64::from(issuer.ending))?;
    }
    let mut certificates =
        encoder.encode_descriptor("issuer_certificates", "Certificates that name the issuer.", None, MetricType::Gauge)?;
    for issuer in issuers {
        certificates.encode_family(&names(issuer))?.encode_gauge(&(issuer.certificates as u64))?;
    }
    let help = "When the first certificate of the issuer's chain expires, in seconds since 1970.";
    let mut ends = encoder.encode_descriptor("issuer_not_after_timestamp_seconds", help, None, MetricType::Gauge)?;
    for issuer in issuers {
        if let Some((authority, end)) = &issuer.authority {
            let [kind, namespace, name] = names(issuer);
            ends.encode_family(&[kind, namespace, name, ("authority", authority)])?.encode_gauge(&end.as_second())?;
        }
    }
    Ok(())
}

fn names(issuer: &IssuerState) -> [(&'static str, &str); 3] {
    [("issuer_kind", issuer.kind), ("issuer_namespace", &issuer.namespace), ("issuer", &issuer.name)]
}

fn of_registers(encoder: &mut DescriptorEncoder<'_>, registers: &[RegisterState]) -> Result<(), fmt::Error> {
    let mut broken =
        encoder.encode_descriptor("register_broken", "1 where the register does not hold together.", None, MetricType::Gauge)?;
    for register in registers {
        broken.encode_family(&[("authority", &*register.authority)])?.encode_gauge(&i64::from(!register.sound))?;
    }
    let help = "Certificates on record, those that ended in the last 8 days included.";
    let mut certificates = encoder.encode_descriptor("register_certificates", help, None, MetricType::Gauge)?;
    for register in registers {
        certificates.encode_family(&[("authority", &*register.authority)])?.encode_gauge(&(register.certificates as u64))?;
    }
    let mut last = encoder.encode_descriptor("register_last_line", "The number of the register's last line.", None, MetricType::Gauge)?;
    for register in registers {
        last.encode_family(&[("authority", &*register.authority)])?.encode_gauge(&register.sequence)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    fn issuer(name: &str, obstacle: Option<&'static str>) -> IssuerState {
        let authority = obstacle.is_none().then(|| ("ab".to_owned(), Timestamp::from_second(4_000_000_000).unwrap()));
        IssuerState {
            kind: "ClusterIssuer",
            namespace: String::new(),
            name: name.to_owned(),
            obstacle,
            certificates: 3,
            ending: false,
            authority,
        }
    }

    fn text(look: impl Fn() -> Holdings + Send + Sync + 'static) -> String {
        let sampled = Sampled::default();
        sampled.watch_holdings(Box::new(look));
        let mut registry = Registry::with_prefix("chancery");
        registry.register_collector(Box::new(sampled));
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        text
    }

    #[test]
    fn each_issuer_says_whether_it_signs_and_when_it_ends() {
        let text = text(|| Holdings { issuers: vec![issuer("new", Some("KeyMismatch")), issuer("ca", None)], ..Holdings::default() });
        for line in [
            "chancery_issuer_ready{issuer_kind=\"ClusterIssuer\",issuer_namespace=\"\",issuer=\"ca\",reason=\"Ready\"} 1",
            "chancery_issuer_ready{issuer_kind=\"ClusterIssuer\",issuer_namespace=\"\",issuer=\"new\",reason=\"KeyMismatch\"} 0",
            "chancery_issuer_certificates{issuer_kind=\"ClusterIssuer\",issuer_namespace=\"\",issuer=\"ca\"} 3",
            "chancery_issuer_not_after_timestamp_seconds{issuer_kind=\"ClusterIssuer\",issuer_namespace=\"\",issuer=\"ca\",authority=\"ab\"} 4000000000",
        ] {
            assert!(text.lines().any(|other| other == line), "no {line} in\n{text}");
        }
        assert!(!text.contains("issuer=\"new\",authority"));
    }

    #[test]
    fn each_register_says_whether_it_holds_together_within_a_limit() {
        let registers = |number: usize| {
            (0..number).map(|number| RegisterState { authority: format!("{number:04}"), sound: number != 7, certificates: 5, sequence: 9 })
        };
        let text = text(move || Holdings {
            registers: registers(1100).collect(),
            checkpoint_overdue: Some(Duration::from_secs(7)),
            ..Holdings::default()
        });
        assert!(text.contains("chancery_register_broken{authority=\"0007\"} 1\n"), "{text}");
        assert!(text.contains("chancery_register_broken{authority=\"0008\"} 0\n"));
        assert!(text.contains("chancery_register_last_line{authority=\"0999\"} 9\n"));
        assert!(!text.contains("authority=\"1000\""));
        assert!(text.contains("chancery_checkpoint_overdue_seconds 7.0\n"));
    }
}
