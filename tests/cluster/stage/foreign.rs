//! Certificates that somebody else made: CAs and leaves by openssl, and by rcgen what openssl 3.0 cannot (the past).

use std::time::Duration;

use chancery_pki::Certificate as X509;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevocationReason, RevokedCertParams, SerialNumber,
};
use serde_json::{Value, json};

use super::{Content, Stage};
use crate::harness::Program;

/// A certificate with its key, and what signed it above it.
#[derive(Clone)]
pub(crate) struct ForeignCa {
    /// PEM.
    pub(crate) certificate: String,
    /// PEM.
    pub(crate) key: String,
}

impl ForeignCa {
    /// A self-signed CA by openssl; `constraints` is what openssl calls basicConstraints.
    pub(crate) async fn by_openssl(common_name: &str, constraints: &str, key_usage: &str) -> Self {
        Self::with_extensions(
            common_name,
            &[&format!("basicConstraints=critical,{constraints}"), &format!("keyUsage=critical,{key_usage}")],
        )
        .await
    }

    /// A self-signed certificate by openssl with these extensions, as openssl's configuration writes them.
    pub(crate) async fn with_extensions(common_name: &str, extensions: &[&str]) -> Self {
        let key = Program::openssl().args(["ecparam", "-name", "prime256v1", "-genkey", "-noout"]).run().await;
        Self::of_key(common_name, extensions, key).await
    }

    /// The same for a key that is there.
    pub(crate) async fn of_key(common_name: &str, extensions: &[&str], key: String) -> Self {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("key.pem");
        std::fs::write(&path, &key).expect("it is writable");
        let (path, subject) = (path.to_string_lossy().into_owned(), format!("/CN={common_name}"));
        let mut arguments = vec!["req", "-x509", "-new", "-days", "365", "-key", &path, "-subj", &subject];
        arguments.extend(extensions.iter().flat_map(|extension| ["-addext", extension]));
        let certificate = Program::openssl().args(arguments).run().await;
        Self { certificate, key }
    }

    /// A self-signed CA whose time is from `from` to `until`, in years.
    pub(crate) fn of_years(common_name: &str, from: i32, until: i32) -> Self {
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = ca_params(common_name);
        params.not_before = rcgen::date_time_ymd(from, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let certificate = params.self_signed(&key).expect("it can be signed");
        Self { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// The Secret's `stringData`.
    pub(crate) fn data(&self) -> Value {
        json!({"tls.crt": self.certificate, "tls.key": self.key})
    }

    /// Signs a certificate for a key that is there by openssl, for 60 days, with these extensions.
    pub(crate) async fn certify(&self, key: &str, subject: &str, extensions: &[&str]) -> String {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let [ca, ca_key, key] = [("ca.crt", &*self.certificate), ("ca.key", &*self.key), ("tls.key", key)].map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("it is writable");
            path.to_string_lossy().into_owned()
        });
        let mut arguments = vec!["req", "-new", "-key", &key, "-subj", subject];
        arguments.extend(extensions.iter().flat_map(|extension| ["-addext", extension]));
        let request = Program::openssl().args(arguments).run().await;
        let arguments = ["x509", "-req", "-CA", &ca, "-CAkey", &ca_key, "-days", "60", "-copy_extensions", "copyall"];
        Program::openssl().args(arguments).stdin(request).run().await
    }

    /// Puts it into a Secret and makes an Issuer `name` of it, with more in the Issuer's spec.
    pub(crate) async fn import(&self, stage: &Stage, name: &str, spec: Value) {
        stage.put_secret(name, "kubernetes.io/tls", json!({}), self.data()).await;
        stage.issuer(name, super::merged(json!({"ca": {"secretName": name}}), &spec)).await;
    }

    /// A list in DER with these serial numbers, of keys that were compromised.
    pub(crate) fn list(&self, serials: &[u64]) -> Vec<u8> {
        let signer = KeyPair::from_pem(&self.key).expect("it is a key");
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, signer).expect("it is a CA");
        let entry = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: rcgen::date_time_ymd(2026, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let certificates = X509::bundle_from_pem(self.certificate.as_bytes()).expect("it is a certificate");
        let own = certificates.first().and_then(X509::subject_key_identifier).expect("openssl gives one to a CA");
        let params = CertificateRevocationListParams {
            this_update: epoch + since_epoch(-1),
            next_update: epoch + since_epoch(7),
            crl_number: SerialNumber::from(7_u64),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::PreSpecified(own.to_vec()),
        };
        params.signed_by(&issuer).expect("it can be signed").der().to_vec()
    }

    /// Signs a certificate for a DNS name with it: a leaf that nobody's register knows. Returns `tls.crt` and `tls.key`.
    pub(crate) fn sign(&self, dns_name: &str) -> (String, String) {
        self.sign_for_days(dns_name, -1, 90)
    }

    /// The same for a time that begins and ends so many days from now.
    pub(crate) fn sign_for_days(&self, dns_name: &str, from: i64, until: i64) -> (String, String) {
        let signer = KeyPair::from_pem(&self.key).expect("it is a key");
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, signer).expect("it is a CA");
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = leaf_params(dns_name);
        valid(&mut params, from, until);
        let certificate = params.signed_by(&key, &issuer).expect("it can be signed");
        (certificate.pem(), key.serialize_pem())
    }
}

impl Stage {
    /// Puts into the Secret `nobody` a certificate that is signed with the very key of the authority `ca`, by somebody who keeps no
    /// register.
    pub(crate) async fn plant_unrecorded(&self) -> Content {
        let content = self.content("ca").await;
        let authority = ForeignCa { certificate: content.leaf().to_pem(), key: content.key_text.clone() };
        let (certificate, key) = authority.sign("nobody.example.com");
        let data = json!({"tls.crt": certificate, "tls.key": key, "ca.crt": content.leaf().to_pem()});
        let planted = Content::of(&self.put_secret("nobody", "kubernetes.io/tls", json!({}), data).await);
        assert_eq!(planted.chain.len(), 1, "its issuer is not beside it");
        planted
    }
}

/// A self-signed certificate for a DNS name, which anybody can make. Returns `tls.crt` and `tls.key`.
pub(crate) fn self_made(dns_name: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key can be made");
    let certificate = leaf_params(dns_name).self_signed(&key).expect("it can be signed");
    (certificate.pem(), key.serialize_pem())
}

fn leaf_params(dns_name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![dns_name.to_owned()]).expect("it is a DNS name");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(SerialNumber::from(0x5eed_u64));
    valid(&mut params, -1, 90);
    params
}

fn ca_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // As long as serial numbers are; the hash that rcgen takes by itself is shorter at times.
    params.serial_number = Some(SerialNumber::from(vec![0x5e; 20]));
    params
}

/// Sets the time from and until which it is valid, in days from now.
fn valid(params: &mut CertificateParams, from: i64, until: i64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    (params.not_before, params.not_after) = (epoch + since_epoch(from), epoch + since_epoch(until));
}

/// The time so many days from now, since 1970.
#[expect(clippy::disallowed_methods, reason = "what holds now needs to know when that is")]
fn since_epoch(days: i64) -> Duration {
    let seconds = jiff::Timestamp::now().as_second() + days * 86_400;
    Duration::from_secs(seconds.try_into().expect("it is after 1970"))
}
