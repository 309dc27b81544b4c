//! The chart refuses what the program would refuse, by the value's name, and takes what the program takes: a pod that ends at once says so
//! to nobody who waits for `helm install`.

use serde_json::{Value, json};

use crate::harness::{Program, chart, run};

/// What of the program's is set, by which flag.
struct Bound {
    component: &'static str,
    flag: &'static str,
    /// The value as the chart names it, and as it is set.
    field: &'static str,
    set: fn(Value) -> Value,
    taken: Vec<Value>,
    refused: Vec<Value>,
}

fn bounds() -> Vec<Bound> {
    vec![
        Bound {
            component: "controller",
            flag: "--lease-duration",
            field: "global.leaderElection.leaseDuration",
            set: |value| json!({ "global": { "leaderElection": { "leaseDuration": value } } }),
            taken: vec!["1s".into(), "1000ms".into(), "0.5s0.5s".into(), "1.5m".into(), "3600s".into(), "1h".into()],
            refused: vec!["0s".into(), "500ms".into(), "1.5s".into(), "1s1ms".into(), "3601s".into(), "1h1s".into(), "2562048h".into()],
        },
        Bound {
            component: "controller",
            flag: "--checkpoint-interval",
            field: "checkpointInterval",
            set: |value| json!({ "checkpointInterval": value }),
            taken: vec!["0s".into(), "1s".into(), "1.5s".into(), "2562047h".into()],
            refused: vec!["1ms".into(), "999ms".into(), "0.9s".into(), "2562048h".into()],
        },
        Bound {
            component: "controller",
            flag: "--metrics-certificates",
            field: "/metricsCertificates",
            set: |value| json!({ "metricsCertificates": value }),
            taken: vec![0.into(), u32::MAX.into()],
            refused: vec![(-1).into(), json!(1e20)],
        },
        Bound {
            component: "controller",
            flag: "--log-level",
            field: "logLevel",
            set: |value| json!({ "global": { "logLevel": value } }),
            taken: vec![
                "off".into(),
                "info,chancery::lease=debug".into(),
                "x[a{b=c}]=trace,warn".into(),
                "[span]=error".into(),
                "info,kube,".into(),
                "warn,hyper=DEBUG,tower=0".into(),
            ],
            refused: vec!["info,chancery::lease=foo".into(), "info,chancery::lease=foo=debug".into()],
        },
        Bound {
            component: "controller",
            flag: "--otlp-sampling",
            field: "/tracing/sampling",
            set: |value| json!({ "tracing": { "enabled": true, "endpoint": "http://collector:4318", "sampling": value } }),
            taken: vec![0.into(), json!(0.000_001), 1.into()],
            refused: vec![json!(-0.1), json!(1.1)],
        },
        Bound {
            component: "responder",
            flag: "--signatures-per-second",
            field: "/responder/signaturesPerSecond",
            set: |value| json!({ "responder": { "signaturesPerSecond": value } }),
            taken: vec![1.into(), u32::MAX.into()],
            refused: vec![0.into(), (u64::from(u32::MAX) + 1).into()],
        },
        Bound {
            component: "responder",
            flag: "--kept-answers",
            field: "/responder/keptAnswers",
            set: |value| json!({ "responder": { "keptAnswers": value } }),
            taken: vec![1.into(), u16::MAX.into()],
            refused: vec![0.into(), (u32::from(u16::MAX) + 1).into()],
        },
    ]
}

/// What the program says of these arguments where there is no cluster.
async fn said(component: &str, arguments: Vec<String>) -> String {
    let program = Program::new(env!("CARGO_BIN_EXE_chancery")).env("KUBECONFIG", run::folder().join("no-such-kubeconfig"));
    let finished = program.args([component]).args(arguments).finish().await;
    assert!(!finished.status.success(), "there is no cluster");
    finished.stderr
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chart_takes_and_refuses_of_a_flag_what_the_program_takes_and_refuses() {
    let mut wrong = Vec::new();
    for bound in bounds() {
        for value in &bound.taken {
            let values = (bound.set)(value.clone());
            match chart::template(&chart::chart(), chart::RELEASE, "default", &values).await {
                Err(error) => wrong.push(format!("{values}: the chart refuses it: {error:#}")),
                Ok(documents) => {
                    let arguments = chart::arguments(&documents, &format!("chancery-{}", bound.component));
                    let said = said(bound.component, arguments).await;
                    if !said.contains("no way to an API server") {
                        wrong.push(format!("{values}: the program refuses it: {said}"));
                    }
                }
            }
        }
        for value in &bound.refused {
            let values = (bound.set)(value.clone());
            match chart::template(&chart::chart(), chart::RELEASE, "default", &values).await {
                Ok(_) => wrong.push(format!("{values}: the chart takes it")),
                Err(error) if !format!("{error:#}").contains(bound.field) => wrong.push(format!("{values}: not by its name: {error:#}")),
                Err(_) => {}
            }
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let mut arguments = vec![format!("{}={text}", bound.flag)];
            if bound.flag.starts_with("--otlp") {
                arguments.push("--otlp-endpoint=http://collector:4318".to_owned());
            }
            let said = said(bound.component, arguments).await;
            if !said.contains(bound.flag) {
                wrong.push(format!("{} {text}: the program takes it: {said}", bound.flag));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
