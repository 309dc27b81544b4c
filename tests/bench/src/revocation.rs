//! Revocation: from the request to the list that is served, with many on the list; and many revoked at once.
//!
//! What fills the list is imported, as from another CA software: lists that openssl signs with the same CA.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use k8s_openapi::{
    ByteString,
    api::core::v1::{ConfigMap, Secret},
};
use kube::{
    Api,
    api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams},
};
use kube_runtime::{WatchStreamExt as _, watcher::watch_object};
use serde_json::{Value, json};
use tokio::{process::Command, time::Instant};

use crate::{
    ground::{ASIDE, Ground, ISSUER, SYSTEM, certificate_resource, certificates, namespace},
    measure::{by_workers, percentile},
    operator::{Calls, Memory, Operator},
    responder::Responder,
    say,
    watch::Readiness,
};

/// How many are on the list before what is measured.
const FILLS: [usize; 3] = [0, 10_000, 100_000];
/// How often each is measured.
const TIMES: usize = 3;
/// So many entries of 35 octets fit into one ConfigMap.
const AT_ONCE: usize = 25_000;
/// The authority's certificate, its key and what openssl signs are in files of these names.
pub(crate) const CA: [&str; 2] = ["ca.pem", "ca.key"];

/// What was measured.
#[derive(Debug)]
pub(crate) struct Revocation {
    /// From the patch of a Certificate until the served list has its serial number, with so many on the list: median and worst.
    pub(crate) served: Vec<(usize, Duration, Duration)>,
    /// How long the operator built and signed the largest of these lists, by its own account.
    pub(crate) built: Duration,
    /// How long `openssl ca -gencrl` takes for a list of as many.
    pub(crate) openssl: Duration,
    /// Many revoked at once.
    pub(crate) many: Many,
    /// The operator's memory after all that.
    pub(crate) memory: Memory,
}

/// Many Certificates whose owners revoke them at once.
#[derive(Debug)]
pub(crate) struct Many {
    /// How many.
    pub(crate) count: usize,
    /// Until all say that they are on a published list.
    pub(crate) acknowledged: Duration,
    /// Until the served list has the last of them.
    pub(crate) served: Duration,
    /// The operator's calls in that time.
    pub(crate) calls: Calls,
    /// The octets that etcd was sent in that time, in MiB.
    pub(crate) written: f64,
    /// The operator's processor time in seconds.
    pub(crate) cpu: f64,
}

/// Measures it on a control plane of its own.
pub(crate) async fn measure(ground: &Ground, count: usize) -> Result<Revocation> {
    let operator = ground.operator("first").await?;
    let responder = ground.responder(&[]).await?;
    let authority = prepare(ground, &responder).await?;
    let path = format!("/crl/{authority}/0.crl");
    let mut served = Vec::new();
    let mut there = 0;
    let mut openssl = Duration::ZERO;
    for fill in FILLS {
        while there < fill {
            let more = (fill - there).min(AT_ONCE);
            import(ground, there, more).await?;
            there += more;
        }
        let entries = i64::try_from(there + served.len() * TIMES)?;
        listed(ground, &format!("{entries} entries"), |status| status["entries"].as_i64() == Some(entries)).await?;
        operator.quiet(Duration::from_secs(2), Duration::from_mins(5)).await?;
        let mut times = Vec::new();
        for number in 0..TIMES {
            // Neither the debounce nor what was written in the last minute is to be measured.
            tokio::time::sleep(Duration::from_secs(if fill < 100_000 { 3 } else { 12 })).await;
            times.push(one(ground, &responder, &path, &format!("one-{fill}-{number}")).await?);
        }
        let (median, most) = (percentile(&mut times, 50), percentile(&mut times, 100));
        say(&format!("revocation, {fill} on the list: served after {median:.2?}, at most {most:.2?}"));
        served.push((fill, median, most));
        if fill > 0 {
            let begun = Instant::now();
            sign(ground.folder(), 0, fill).await?;
            openssl = begun.elapsed();
        }
    }
    let status = listed(ground, "published", |status| status["buildMilliseconds"].is_u64()).await?;
    let built = Duration::from_millis(status["buildMilliseconds"].as_u64().unwrap_or_default());
    let many = many(ground, &operator, &responder, &path, count).await?;
    let memory = operator.memory()?;
    Ok(Revocation { served, built, openssl, many, memory })
}

/// A CA of openssl's, a ClusterIssuer that signs with it, and its list, which the responder serves; the authority's keyID.
pub(crate) async fn prepare(ground: &Ground, responder: &Responder) -> Result<String> {
    let folder = ground.folder();
    let [certificate, key] = CA;
    openssl(folder, &["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key]).await?;
    let usage = "keyUsage=critical,keyCertSign,cRLSign";
    let request = ["req", "-x509", "-new", "-key", key, "-days", "3650", "-subj", "/CN=Bench CA", "-addext", usage, "-out", certificate];
    openssl(folder, &request).await?;
    let text = |name| fs::read_to_string(folder.join(name));
    let secret = json!({
        "metadata": {"name": "bench-ca"}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": text(certificate)?, "tls.key": text(key)?},
    });
    let secrets = Api::<Secret>::namespaced(ground.client.clone(), SYSTEM);
    secrets.create(&PostParams::default(), &serde_json::from_value(secret)?).await?;
    let issuer = json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "ClusterIssuer", "metadata": {"name": ISSUER},
        "spec": {"ca": {"secretName": "bench-ca"}},
    });
    let resource = resource("ClusterIssuer");
    let issuers: Api<DynamicObject> = Api::all_with(ground.client.clone(), &resource);
    issuers.create(&PostParams::default(), &serde_json::from_value(issuer)?).await?;
    let list = json!({
        "apiVersion": "chancery.dev/v1alpha1", "kind": "RevocationList", "metadata": {"name": ISSUER},
        "spec": {
            "issuerRef": {"name": ISSUER, "kind": "ClusterIssuer"}, "ocsp": {},
            "distribution": {"baseURL": format!("http://{}", responder.http)},
        },
    });
    lists(ground).create(&PostParams::default(), &serde_json::from_value(list)?).await?;
    let status = listed(ground, "published", |status| status["number"].is_string()).await?;
    Ok(status["authority"].as_str().context("a published list has an authority")?.to_owned())
}

/// Makes a Certificate, revokes it, and says how long it takes until the served list has it.
async fn one(ground: &Ground, responder: &Responder, path: &str, name: &str) -> Result<Duration> {
    ground.create(ASIDE, name.to_owned()).await?;
    let serial = serial_of(ground, ASIDE, name).await?;
    let asked = Instant::now();
    revoke(ground, ASIDE, name).await?;
    Ok(responder.serves(path, &serial, Duration::from_mins(2)).await?.duration_since(asked))
}

/// Has all certificates revoked that are made here.
async fn many(ground: &Ground, operator: &Operator, responder: &Responder, path: &str, count: usize) -> Result<Many> {
    let readiness = Readiness::follow(&ground.client);
    readiness.all(FILLS.len() * TIMES, Duration::from_mins(1)).await?;
    let there = readiness.count();
    by_workers(count, |number| async move { ground.create(&namespace(number), format!("web-{number:05}")).await.map(drop) }).await?;
    readiness.all(there + count, Duration::from_mins(10)).await?;
    drop(readiness);
    operator.quiet(Duration::from_secs(2), Duration::from_mins(5)).await?;
    let last = serial_of(ground, &namespace(count - 1), &format!("web-{:05}", count - 1)).await?;
    let revoked = Readiness::follow_condition(&ground.client, "Revoked");
    revoked.all(FILLS.len() * TIMES, Duration::from_mins(1)).await?;
    let there = revoked.count();
    let (before, cpu, written) = (operator.metrics().await?, operator.cpu()?, ground.written().await?);
    let begun = Instant::now();
    let asking = by_workers(count, |number| async move { revoke(ground, &namespace(number), &format!("web-{number:05}")).await });
    let limit = Duration::from_mins(15);
    let (asked, acknowledged) = tokio::join!(asking, revoked.all(there + count, limit));
    asked?;
    acknowledged?;
    let acknowledged = begun.elapsed();
    let served = responder.serves(path, &last, Duration::from_mins(1)).await?.duration_since(begun);
    operator.quiet(Duration::from_secs(2), Duration::from_mins(5)).await?;
    let after = operator.metrics().await?;
    ground.keep("metrics-revoked", after.text())?;
    let many = Many {
        count,
        acknowledged,
        served,
        calls: after.calls().since(&before.calls()),
        written: (ground.written().await? - written) / 1_048_576.0,
        cpu: operator.cpu()? - cpu,
    };
    say(&format!(
        "revocation: {count} at once: acknowledged after {:.1} s; {} writes, etcd was sent {:.1} MiB; {}",
        many.acknowledged.as_secs_f64(),
        many.calls.writes(),
        many.written,
        many.calls
    ));
    Ok(many)
}

async fn revoke(ground: &Ground, namespace: &str, name: &str) -> Result<()> {
    // A time to come counts as now.
    let wish = json!({"spec": {"revocation": {"issuedBefore": "2999-01-01T00:00:00Z", "reason": "keyCompromise"}}});
    let patched = certificates(&ground.client, namespace).patch(name, &PatchParams::default(), &Patch::Merge(&wish)).await;
    patched.map(drop).with_context(|| format!("Certificate {name}"))
}

/// Waits for a Certificate's serial number, and returns its octets.
pub(crate) async fn serial_of(ground: &Ground, namespace: &str, name: &str) -> Result<Vec<u8>> {
    let api = certificates(&ground.client, namespace);
    let found = until(api, name, Duration::from_mins(1), |status| status["serialNumber"].is_string()).await;
    let status = found.with_context(|| format!("Certificate {name} has no serial number"))?;
    let digits = status["serialNumber"].as_str().unwrap_or_default();
    (0..digits.len() / 2)
        .map(|octet| u8::from_str_radix(&digits[2 * octet..2 * octet + 2], 16).context("a serial number is hexadecimal"))
        .collect()
}

/// Waits until the list's status is so.
async fn listed(ground: &Ground, what: &str, is: impl Fn(&Value) -> bool) -> Result<Value> {
    until(lists(ground), ISSUER, Duration::from_mins(10), is).await.with_context(|| format!("the list: not {what}"))
}

async fn until(api: Api<DynamicObject>, name: &str, limit: Duration, is: impl Fn(&Value) -> bool) -> Result<Value> {
    let mut last = Value::Null;
    let search = async {
        let mut states = std::pin::pin!(watch_object(api, name).default_backoff());
        while let Some(state) = states.next().await {
            if let Ok(Some(object)) = state {
                last = object.data["status"].clone();
                if is(&last) {
                    return;
                }
            }
        }
    };
    let found = tokio::time::timeout(limit, search).await;
    ensure!(found.is_ok(), "after {} s it is {last}", limit.as_secs());
    Ok(last)
}

/// Has openssl sign a list of so many certificates that nobody here has issued, and waits until the operator has taken it over.
async fn import(ground: &Ground, from: usize, count: usize) -> Result<()> {
    let list = sign(ground.folder(), from, count).await?;
    let name = format!("import-{from}");
    let map = ConfigMap {
        metadata: kube::api::ObjectMeta {
            name: Some(name.clone()),
            labels: Some(BTreeMap::from([("chancery.dev/crl-import".to_owned(), "true".to_owned())])),
            ..kube::api::ObjectMeta::default()
        },
        binary_data: Some(BTreeMap::from([("crl".to_owned(), ByteString(list))])),
        ..ConfigMap::default()
    };
    let begun = Instant::now();
    let maps = Api::<ConfigMap>::namespaced(ground.client.clone(), SYSTEM);
    maps.create(&PostParams::default(), &map).await?;
    let gone = async {
        let mut states = std::pin::pin!(watch_object(maps, &name).default_backoff());
        while let Some(state) = states.next().await {
            match state {
                Ok(None) => return anyhow::Ok(()),
                Ok(Some(map)) => {
                    let refused = map.metadata.annotations.as_ref().and_then(|notes| notes.get("chancery.dev/refused"));
                    ensure!(refused.is_none(), "the import was refused: {refused:?}");
                }
                Err(_) => {}
            }
        }
        Ok(())
    };
    tokio::time::timeout(Duration::from_mins(5), gone).await.context("the import is not done after 5 minutes")??;
    say(&format!("revocation: {count} imported in {:.1} s", begun.elapsed().as_secs_f64()));
    Ok(())
}

/// A list of certificates `from` to `from + count` of the CA's, as openssl signs it. Serial numbers are as the operator's: of shard 0.
async fn sign(folder: &Path, from: usize, count: usize) -> Result<Vec<u8>> {
    let mut random = vec![0; 11 * count];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let mut database = String::new();
    for (number, octets) in random.chunks(11).enumerate() {
        let digits = octets.iter().fold(String::new(), |mut digits, octet| {
            let _ = write!(digits, "{octet:02X}");
            digits
        });
        // The number keeps them apart whatever the random bits are.
        writeln!(database, "R\t301122000000Z\t260101000000Z\t010000{:04X}{digits}\tunknown\t/CN=x", (from + number) % 0x1_0000)?;
    }
    fs::write(folder.join("index.txt"), database)?;
    fs::write(folder.join("index.txt.attr"), "unique_subject = no\n")?;
    fs::write(folder.join("crlnumber"), "01\n")?;
    let configuration = "[ca]\ndefault_ca=bench\n[bench]\ndatabase=index.txt\ncrlnumber=crlnumber\ndefault_md=sha256\ndefault_crl_days=30\n\
         crl_extensions=extensions\n[extensions]\nauthorityKeyIdentifier=keyid\n";
    fs::write(folder.join("ca.conf"), configuration)?;
    let [certificate, key] = CA;
    openssl(folder, &["ca", "-config", "ca.conf", "-gencrl", "-cert", certificate, "-keyfile", key, "-out", "list.pem"]).await?;
    openssl(folder, &["crl", "-in", "list.pem", "-outform", "DER", "-out", "list.crl"]).await?;
    Ok(fs::read(folder.join("list.crl"))?)
}

pub(crate) async fn openssl(folder: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("openssl");
    let output = command.args(arguments).current_dir(folder).stdin(Stdio::null()).output().await.context("openssl cannot be run")?;
    ensure!(output.status.success(), "openssl {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

fn lists(ground: &Ground) -> Api<DynamicObject> {
    Api::namespaced_with(ground.client.clone(), SYSTEM, &resource("RevocationList"))
}

fn resource(kind: &str) -> ApiResource {
    ApiResource { kind: kind.to_owned(), plural: format!("{}s", kind.to_lowercase()), ..certificate_resource() }
}

/// The making of a list of a million, by the program beside this one.
#[derive(Debug)]
pub(crate) struct Edition(Value);

impl Edition {
    /// Measures it.
    pub(crate) async fn measure(program: &PathBuf) -> Result<Self> {
        say("a list of 1,000,000 entries in 64 shards");
        let output = Command::new(program).args(["1000000", "64"]).output().await.context("the edition's program cannot be run")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
        Ok(Self(serde_json::from_slice(&output.stdout)?))
    }

    /// One of its figures.
    pub(crate) fn figure(&self, name: &str) -> f64 {
        self.0[name].as_f64().unwrap_or_default()
    }
}
