//! What is shown of the samples once they are ready: a chain, a handshake, a renewal, a loss that is mended, a deletion, the registers.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use anyhow::{Context as _, Result, ensure};
use chancery::{
    api::{Certificate, ClusterIssuer, Issuer, IssuerStatus, names},
    register::{self, Line},
};
use chancery_pki::Certificate as X509;
use futures::FutureExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams},
};
use kube_runtime::wait::{await_condition, conditions};
use tokio::time::{Instant, timeout};

use crate::{place::Place, say, tls};

pub(crate) const SOON: Duration = Duration::from_secs(30);

/// openssl checks a chain from the leaf to the root, of which it knows nothing but the certificates.
pub(crate) async fn chain(place: &Place, folder: &Path) -> Result<()> {
    let chain = certificates(&secret(place, place.samples, "web-tls").await?)?;
    let (leaf, above) = chain.split_first().context("web-tls holds no certificate")?;
    let path = |name: &str| folder.join(name);
    fs::write(path("leaf.pem"), leaf.to_pem())?;
    fs::write(path("chain.pem"), chancery_pki::pem_bundle(above))?;
    fs::write(path("root.pem"), root(place).await?)?;
    let output = Command::new("openssl")
        .args(["verify", "-show_chain", "-purpose", "sslserver", "-verify_hostname", "www.example.com", "-CAfile"])
        .arg(path("root.pem"))
        .arg("-untrusted")
        .args([path("chain.pem"), path("leaf.pem")])
        .output()
        .context("openssl cannot be run: apt-get install openssl")?;
    let said = String::from_utf8_lossy(&output.stdout).replace(&path("").to_string_lossy().into_owned(), "");
    ensure!(output.status.success(), "openssl does not accept the chain: {said}{}", String::from_utf8_lossy(&output.stderr));
    say::quote(&said);
    Ok(())
}

/// A server with one of the Secrets, a client of another make that trusts the root, and a client that identifies itself.
pub(crate) async fn handshake(place: &Place, folder: &Path) -> Result<()> {
    let web = secret(place, place.samples, "web-tls").await?;
    let client = secret(place, place.samples, "client-tls").await?;
    let server = tls::Server::start(tls::Identity::of(&web)?, &root(place).await?).await?;
    say::line("serving as web.example.com", server.address);
    say::quote(&timeout(SOON, server.greets_openssl(folder)).await.context("no handshake with openssl")??);
    let seen = timeout(SOON, server.greets(tls::Identity::of(&client)?, &root(place).await?)).await.context("no handshake")??;
    say::line("a client that identifies itself is known as", seen);
    Ok(())
}

/// A new value of the annotation asks for a new certificate.
pub(crate) async fn renew(place: &Place) -> Result<()> {
    let api = Api::<Certificate>::namespaced(place.client.clone(), place.samples);
    let before = api.get("web").await?;
    let patch = serde_json::json!({ "metadata": { "annotations": { names::RENEW: "for the demo" } } });
    let asked = Instant::now();
    api.patch("web", &PatchParams::default(), &Patch::Merge(&patch)).await?;
    say::line("annotated Certificate web", format!("{}=\"for the demo\"", names::RENEW));
    let old = serial(&before);
    let after = changed(&api, "web", move |certificate| serial(certificate) != old).await?;
    told(&before, &after, asked.elapsed());
    Ok(())
}

/// A Secret that somebody deletes is there again at once, with a certificate of its own.
pub(crate) async fn heal(place: &Place) -> Result<()> {
    let api = Api::<Certificate>::namespaced(place.client.clone(), place.samples);
    let secrets = Api::<Secret>::namespaced(place.client.clone(), place.samples);
    let before = api.get("labelled").await?;
    let uid = secrets.get_metadata("labelled-tls").await?.uid().unwrap_or_default();
    let asked = Instant::now();
    secrets.delete("labelled-tls", &DeleteParams::default()).await?;
    say::line("deleted Secret labelled-tls", "");
    let after = changed(&api, "labelled", move |certificate| {
        let secret = certificate.status.as_ref().and_then(|status| status.secret.as_ref());
        secret.is_some_and(|secret| secret.uid != uid)
    })
    .await?;
    secrets.get_metadata("labelled-tls").await.context("Secret labelled-tls did not come back")?;
    told(&before, &after, asked.elapsed());
    Ok(())
}

/// With `deletionPolicy: Delete` the Secret and the key in it go with their Certificate.
pub(crate) async fn delete(place: &Place) -> Result<()> {
    let api = Api::<Certificate>::namespaced(place.client.clone(), place.samples);
    let secrets = Api::<Secret>::namespaced(place.client.clone(), place.samples);
    let certificate = api.get_metadata("short-lived").await?.uid().unwrap_or_default();
    let secret = secrets.get_metadata("short-lived-tls").await?.uid().unwrap_or_default();
    let asked = Instant::now();
    api.delete("short-lived", &DeleteParams::default()).await?;
    let gone = async {
        await_condition(api, "short-lived", conditions::is_deleted(&certificate)).await?;
        await_condition(secrets, "short-lived-tls", conditions::is_deleted(&secret)).await
    };
    timeout(SOON, gone.boxed()).await.context("Certificate short-lived or its Secret is still there")??;
    say::line("deleted Certificate short-lived", format!("{}  its Secret and key are gone", say::took(asked.elapsed())));
    Ok(())
}

/// Every register, checked line by line.
pub(crate) async fn registers(place: &Place) -> Result<()> {
    let maps = Api::<ConfigMap>::namespaced(place.client.clone(), place.system);
    let found = maps.list(&ListParams::default().labels(register::LABEL)).await?;
    let mut registers: BTreeMap<String, Vec<ConfigMap>> = BTreeMap::new();
    for map in found.items {
        registers.entry(map.labels().get(register::LABEL).cloned().unwrap_or_default()).or_default().push(map);
    }
    ensure!(!registers.is_empty(), "there is no register in namespace {}", place.system);
    let authorities = authorities(place).await?;
    for (label, mut maps) in registers {
        // Sealed segments are immutable and come before the head; their names sort by their first line.
        maps.sort_by_key(|map| (map.immutable != Some(true), map.name_any()));
        let lines: String = maps.iter().filter_map(|map| map.data.as_ref()?.get("lines").map(String::as_str)).collect();
        register::verify(&lines).with_context(|| format!("register {label} does not hold together"))?;
        let owner = authorities.iter().find(|(key, _)| key.starts_with(&label)).map(|(_, subject)| subject.as_str());
        let owner = owner.unwrap_or("certificates signed with their own key");
        say::line(owner, format!("register {label}: {} lines, the chain of hashes holds", lines.lines().count()));
        for line in lines.lines() {
            println!("  {}", serde_json::from_str::<Line>(line)?.show());
        }
    }
    Ok(())
}

/// The keys of the issuers' authorities, and their names.
async fn authorities(place: &Place) -> Result<Vec<(String, String)>> {
    let statuses: Vec<Option<IssuerStatus>> = if place.shared {
        let issuers = Api::<Issuer>::namespaced(place.client.clone(), place.samples).list(&ListParams::default()).await?;
        issuers.items.into_iter().map(|issuer| issuer.status).collect()
    } else {
        let issuers = Api::<ClusterIssuer>::all(place.client.clone()).list(&ListParams::default()).await?;
        issuers.items.into_iter().map(|issuer| issuer.status).collect()
    };
    Ok(statuses.into_iter().flatten().filter_map(|status| status.authority.zip(status.subject)).collect())
}

fn told(before: &Certificate, after: &Certificate, time: Duration) {
    let reason = after.status.as_ref().and_then(|status| status.issued.first()).map_or("", |issued| issued.reason.as_str());
    let revision = after.status.as_ref().and_then(|status| status.revision).unwrap_or_default();
    say::line(format!("revision {revision}, because of {reason}"), say::took(time));
    let differ = |what: &str, of: fn(&Certificate) -> Option<&str>| {
        say::line(format!("  {what}"), format!("{} -> {}", of(before).unwrap_or("-"), of(after).unwrap_or("-")));
    };
    differ("serial", serial_of);
    say::line("  key", format!("{} -> {}", say::short(key_of(before)), say::short(key_of(after))));
}

fn serial(certificate: &Certificate) -> Option<String> {
    serial_of(certificate).map(ToOwned::to_owned)
}

fn serial_of(certificate: &Certificate) -> Option<&str> {
    certificate.status.as_ref()?.serial_number.as_deref()
}

pub(crate) fn key_of(certificate: &Certificate) -> Option<&str> {
    certificate.status.as_ref()?.key_id.as_deref()
}

/// Waits until a Certificate's status says so and it is ready.
async fn changed(api: &Api<Certificate>, name: &str, is: impl Fn(&Certificate) -> bool) -> Result<Certificate> {
    let done = |certificate: Option<&Certificate>| certificate.is_some_and(|certificate| is(certificate) && ready(certificate));
    let found = timeout(SOON, await_condition(api.clone(), name, done)).await;
    let found = found.with_context(|| format!("Certificate {name} was not made anew within {} s", SOON.as_secs()))??;
    found.with_context(|| format!("Certificate {name} is gone"))
}

fn ready(certificate: &Certificate) -> bool {
    let conditions = certificate.status.as_ref().map_or(&[][..], |status| &status.conditions);
    chancery::api::condition::is_true(conditions, chancery::api::condition::READY)
}

pub(crate) async fn secret(place: &Place, namespace: &str, name: &str) -> Result<Secret> {
    Api::namespaced(place.client.clone(), namespace).get(name).await.with_context(|| format!("Secret {namespace}/{name}"))
}

/// The root's certificate, from its own Secret.
pub(crate) async fn root(place: &Place) -> Result<String> {
    let namespace = if place.shared { place.samples } else { place.system };
    let root = certificates(&secret(place, namespace, "sample-root").await?)?;
    Ok(root.first().context("sample-root holds no certificate")?.to_pem())
}

pub(crate) fn certificates(secret: &Secret) -> Result<Vec<X509>> {
    let pem = secret.data.as_ref().and_then(|data| data.get(names::TLS_CERTIFICATE)).context("a Secret without tls.crt")?;
    Ok(X509::bundle_from_pem(&pem.0)?)
}
