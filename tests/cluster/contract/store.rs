//! Stores in a Secret as programs read them that are not ours: Java's keytool and openssl.

use std::fs;
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;

use crate::harness::{Finished, Program};

/// Java needs its time on a busy machine.
const LIMIT: Duration = Duration::from_mins(2);

/// A store of a Secret, as a file, with a password to open it.
pub(crate) struct Store {
    folder: tempfile::TempDir,
    file: String,
    password: String,
}

/// One entry of a store, as keytool lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) alias: String,
    /// Whether it holds a key; else it is a certificate that is trusted.
    pub(crate) key: bool,
    /// The serial numbers of its certificates, of the key's own first, without leading zeros.
    pub(crate) serials: Vec<String>,
}

impl Store {
    /// The store under this key of a Secret.
    pub(crate) fn of(secret: &Secret, key: &str, password: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = path(&folder, key);
        fs::write(&file, data(secret, key)).expect("it is writable");
        Self { folder, file, password: password.to_owned() }
    }

    /// What keytool lists.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        let listed = self.list().await;
        assert!(listed.status.success(), "{}: {}", self.file, listed.stdout);
        let mut entries: Vec<Entry> = Vec::new();
        for line in listed.stdout.lines() {
            let (label, value) = line.split_once(": ").unwrap_or_default();
            match (label, entries.last_mut()) {
                ("Alias name", _) => entries.push(Entry { alias: value.to_owned(), key: false, serials: Vec::new() }),
                ("Entry type", Some(entry)) => entry.key = value == "PrivateKeyEntry",
                ("Serial number", Some(entry)) => entry.serials.push(value.trim_start_matches('0').to_owned()),
                _ => {}
            }
        }
        entries
    }

    /// Whether keytool opens it; panics where something else than the password is wrong.
    pub(super) async fn opens(&self) -> bool {
        let listed = self.list().await;
        let refused = listed.stdout.contains("password was incorrect") || listed.stdout.contains("password incorrect");
        assert!(listed.status.success() || refused, "{}: {}", self.file, listed.stdout);
        listed.status.success()
    }

    /// The public key of the private key under an alias, which keytool hands over to openssl in a store of its own making.
    pub(super) async fn public_key_by_keytool(&self, alias: &str) -> String {
        let handed = path(&self.folder, &format!("{alias}.handed.p12"));
        let from = ["-srckeystore", &self.file, "-srcstorepass", &self.password, "-srcalias", alias];
        let to = ["-destkeystore", &handed, "-deststoretype", "PKCS12", "-deststorepass", "handed over", "-destalias", alias];
        keytool().args(["-importkeystore", "-noprompt"]).args(from).args(to).run().await;
        public_key(&openssl_pkcs12(&handed, "handed over", &["-nocerts"]).await.stdout).await
    }

    /// What openssl reads in a PKCS#12 store: key and certificates, PEM; or its complaint. Our openssl is older than the
    /// integrity code of the newest profile: `more` can leave that out.
    pub(super) async fn by_openssl(&self, more: &[&str]) -> Result<String, String> {
        let finished = openssl_pkcs12(&self.file, &self.password, more).await;
        if finished.status.success() { Ok(finished.stdout) } else { Err(finished.stderr) }
    }

    async fn list(&self) -> Finished {
        keytool().args(["-list", "-v", "-keystore", &self.file, "-storepass", &self.password]).finish().await
    }
}

fn path(folder: &tempfile::TempDir, name: &str) -> String {
    folder.path().join(name).to_string_lossy().into_owned()
}

fn keytool() -> Program {
    Program::new("keytool").args(["-J-Duser.language=en"]).limit(LIMIT)
}

async fn openssl_pkcs12(file: &str, password: &str, more: &[&str]) -> Finished {
    let password = format!("pass:{password}");
    Program::openssl().args(["pkcs12", "-in", file, "-nodes", "-passin", &password]).args(more).finish().await
}

/// The octets under a key of a Secret.
pub(super) fn data(secret: &Secret, key: &str) -> Vec<u8> {
    let data = secret.data.as_ref().and_then(|data| data.get(key));
    data.unwrap_or_else(|| panic!("the Secret has no {key}")).0.clone()
}

/// The public key of a private key, by openssl.
pub(super) async fn public_key(private: &str) -> String {
    Program::openssl().args(["pkey", "-pubout"]).stdin(private).run().await
}

/// The serial numbers of the certificates in a text, by openssl, without leading zeros.
pub(super) async fn serials(text: &str) -> Vec<String> {
    let mut serials = Vec::new();
    for part in text.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let certificate = format!("-----BEGIN CERTIFICATE-----{part}");
        let printed = Program::openssl().args(["x509", "-noout", "-serial"]).stdin(certificate).run().await;
        let serial = printed.trim().trim_start_matches("serial=").to_lowercase();
        serials.push(serial.trim_start_matches('0').to_owned());
    }
    serials
}
