//! To whom traces go: to nobody who was not named by `--otlp-endpoint`, and to a collector behind TLS only where its certificate is from
//! an authority that is trusted.

use super::collector::{Collector, Sent};
use crate::harness::{Ground, Nginx, OwnOperator};
use crate::stage::{ForeignCa, Stage, leaf};

/// Has an operator issue a certificate, and ends it in order: what it has to send is sent then at the latest.
async fn issue_and_end(ground: &Ground, mut operator: OwnOperator) -> String {
    let stage = Stage::of_own(ground, &operator.ground);
    stage.authority().await;
    stage.issued("web", leaf("ca", "web")).await;
    let termination = operator.terminate().await;
    assert!(termination.status.success(), "{:?}\n{}", termination.status, operator.log());
    operator.log()
}

fn complains(log: &str) -> bool {
    log.contains("the collector of traces does not take them")
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_endpoint_nothing_is_sent_wherever_the_environment_points() {
    let ground = Ground::prepared().await;
    let collector = Collector::start().await;
    // OpenTelemetry's own programs take these for an order to send; ours want to be told by the flag, or by the one variable that is its
    // default.
    let elsewhere = OwnOperator::start_with(&ground, |settings| {
        settings
            .env("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", format!("{}/v1/traces", collector.url()))
            .env("OTEL_TRACES_EXPORTER", "otlp")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    })
    .await;
    let log = issue_and_end(&ground, elsewhere).await;
    assert!(collector.is_untouched() && !complains(&log), "{log}");
    // With nothing set there is no collector at the port that OpenTelemetry has as its default either: nobody listens there, and
    // nobody is missed.
    let log = issue_and_end(&ground, OwnOperator::start(&ground).await).await;
    assert!(!complains(&log), "{log}");
}

/// A collector's front behind TLS, for the name localhost.
async fn behind_tls(collector: &Collector, authority: &ForeignCa) -> (Nginx, String) {
    let (certificate, key) = authority.sign("localhost");
    let url = collector.url();
    let server = format!("ssl_certificate tls.crt; ssl_certificate_key tls.key; location /v1/traces {{ proxy_pass {url}; }}");
    let nginx = Nginx::start(&[("tls.crt", &certificate), ("tls.key", &key)], &server).await;
    let endpoint = format!("https://localhost:{}", nginx.address.port());
    (nginx, endpoint)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_behind_tls_is_believed_by_the_authorities_in_ssl_cert_file_alone() {
    let ground = Ground::prepared().await;
    let collector = Collector::start().await;
    let authority = ForeignCa::of_years("collectors", 2020, 2045);
    let (_nginx, endpoint) = behind_tls(&collector, &authority).await;
    let folder = tempfile::tempdir().expect("a folder can be made");
    let trusted = folder.path().join("ca.crt");
    std::fs::write(&trusted, ForeignCa::of_years("somebody else", 2020, 2045).certificate).expect("it is writable");
    let with = |file: &std::path::Path| {
        let (endpoint, file) = (endpoint.clone(), file.to_string_lossy().into_owned());
        move |settings: crate::harness::Settings| settings.flag("--otlp-endpoint", endpoint).env("SSL_CERT_FILE", file)
    };
    let strange = OwnOperator::start_with(&ground, with(&trusted)).await;
    let log = issue_and_end(&ground, strange).await;
    assert!(collector.is_untouched(), "spans were sent to somebody whom nobody trusts");
    assert!(complains(&log), "{log}");

    std::fs::write(&trusted, &authority.certificate).expect("it is writable");
    let operator = OwnOperator::start_with(&ground, with(&trusted)).await;
    let log = issue_and_end(&ground, operator).await;
    let issued = |sent: &Sent| sent.spans.iter().any(|span| span.is("apply", &[("act", "issue")]));
    collector.until("an issuance, through TLS", issued).await;
    assert!(!complains(&log), "{log}");
}
