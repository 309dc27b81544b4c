//! In whose register a refusal stands: in that of the authority which was asked where its issuer admits the namespace, else in the common
//! one. Nobody leaves lines in the register of an authority that is not theirs to ask.

use chancery::register::{Act, RegisterId};
use serde_json::json;

use crate::evidence::Ledger;
use crate::stage::{ForeignCa, Stage, leaf, merged};

/// How often the namespace asks that is not admitted.
const ASKED: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_ask_an_authority_leaves_no_line_in_its_register() {
    let admitted = Stage::set_with_labels("refused", &[("team", "a")]).await;
    let stranger = Stage::set_with_labels("refused", &[("team", "b")]).await;
    let system = admitted.elsewhere(&admitted.system);
    let issuer = format!("{}-issuer", admitted.namespace);
    let root = ForeignCa::by_openssl(&issuer, "CA:TRUE", "keyCertSign,cRLSign").await;
    system.put_secret(&issuer, "kubernetes.io/tls", json!({}), root.data()).await;
    let allow = json!({"isCA": false, "namespaceSelector": {"matchLabels": {"team": "a"}}});
    admitted.cluster_issuer(&issuer, json!({"ca": {"secretName": issuer}, "allow": allow})).await;
    let authority = admitted.cluster_issuer_says(&issuer, "True", "Ready").await.authority.expect("it signs with a CA");
    let of_cluster = |secret: &str| merged(leaf("x", secret), &json!({"issuerRef": {"name": issuer, "kind": "ClusterIssuer"}}));

    admitted.certificate("sub", merged(of_cluster("sub"), &json!({"isCA": true, "commonName": "sub"}))).await;
    let message = admitted.unready("sub", "NotAllowed").await;
    assert!(message.contains("spec.isCA"), "{message}");
    for number in 0..ASKED {
        let name = format!("web-{number}");
        stranger.certificate(&name, of_cluster(&name)).await;
        stranger.unready(&name, "NotAllowed").await;
    }

    let ledger = Ledger::read(&system.api()).await;
    let refusals = |register: RegisterId, stage: &Stage| {
        let of = |line: &&chancery::register::Line| line.entry.owner.as_ref().is_some_and(|owner| owner.namespace == stage.namespace);
        let lines = ledger.of_register(&register.name()).iter().filter(of);
        lines.filter(|line| line.entry.act == Act::Refused).count()
    };
    let its_own = RegisterId::Authority(authority.parse().expect("an authority is a key id"));
    assert_eq!((refusals(its_own, &admitted), refusals(RegisterId::Common, &admitted)), (1, 0));
    assert_eq!((refusals(its_own, &stranger), refusals(RegisterId::Common, &stranger)), (0, ASKED));
}
