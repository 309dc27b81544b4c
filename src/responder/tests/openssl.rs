//! What openssl makes of the answers and the lists.

use std::{net::SocketAddr, path::Path, process::Command};

use chancery_pki::{Certificate, KeyAlgorithm, Reason};

use super::ground::Ground;
use crate::register::Act;

/// The output of a run, and whether it succeeded.
fn openssl(folder: &Path, arguments: &str) -> (bool, String) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().expect("openssl is installed");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

async fn get(url: String) -> Vec<u8> {
    let response = reqwest::get(url).await.unwrap();
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap().to_vec()
}

/// Asks by POST with and without a nonce, and by GET; each answer must verify and say this.
async fn ask(folder: &Path, address: SocketAddr, leaf: &str, expected: &str) {
    let about = format!("-issuer ca.pem -cert {leaf} -CAfile ca.pem");
    for nonce in ["-nonce", "-no_nonce"] {
        let (done, said) = openssl(folder, &format!("ocsp {about} -url http://{address}/ocsp {nonce}"));
        assert!(done && said.contains("Response verify OK") && said.contains(&format!("{leaf}: {expected}")), "{said}");
        assert!(!said.contains("WARNING"), "the nonce came back: {said}");
    }
    for hash in ["", "-sha256 "] {
        openssl(folder, &format!("ocsp {hash}-issuer ca.pem -cert {leaf} -no_nonce -reqout request.der"));
        let (_, base64) = openssl(folder, "base64 -A -in request.der");
        let escaped = base64.trim().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        for path in [base64.trim(), &escaped] {
            std::fs::write(folder.join("answer.der"), get(format!("http://{address}/ocsp/{path}")).await).unwrap();
            let (done, said) = openssl(folder, &format!("ocsp {hash}{about} -no_nonce -respin answer.der"));
            assert!(done && said.contains("Response verify OK") && said.contains(&format!("{leaf}: {expected}")), "{said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn openssl_believes_answers_and_lists_of_authorities_of_every_kind() {
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::Rsa { bits: 2048 }, KeyAlgorithm::Ed25519] {
        let mut ground = Ground::new(algorithm, 1000).await;
        let (good, bad) = (ground.issue().await, ground.issue().await);
        ground.act(Act::Revoked, &bad, Reason::KeyCompromise).await;
        ground.publish().await;
        ground.tell_changes().await;
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let write = |name: &str, certificate: &Certificate| std::fs::write(folder.join(name), certificate.to_pem()).unwrap();
        write("ca.pem", &ground.certificate);
        write("good.pem", &good);
        write("bad.pem", &bad);
        let (address, stop) = ground.serve().await;
        ask(folder, address, "good.pem", "good").await;
        ask(folder, address, "bad.pem", "revoked").await;
        let authority = ground.certificate.key_id();
        let list = get(format!("http://{address}/crl/{authority}/0.crl")).await;
        std::fs::write(folder.join("list.der"), list).unwrap();
        let (done, said) = openssl(folder, "crl -in list.der -inform DER -out list.pem");
        assert!(done, "{said}");
        let verify = |leaf: &str| openssl(folder, &format!("verify -crl_check_all -CAfile ca.pem -CRLfile list.pem {leaf}"));
        assert_eq!(verify("good.pem"), (true, "good.pem: OK\n".to_owned()));
        let (done, said) = verify("bad.pem");
        assert!(!done && said.contains("certificate revoked"), "{said}");
        std::fs::write(folder.join("served.crt"), get(format!("http://{address}/ca/{authority}.crt")).await).unwrap();
        let (_, said) = openssl(folder, "x509 -in served.crt -inform DER -noout -subject");
        assert!(said.contains("Root"), "{said}");
        stop.cancel();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn openssl_asks_about_several_certificates_at_once() {
    let mut ground = Ground::new(KeyAlgorithm::EcdsaP256, 1000).await;
    let (good, bad) = (ground.issue().await, ground.issue().await);
    ground.act(Act::Revoked, &bad, Reason::Superseded).await;
    ground.tell_changes().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), ground.certificate.to_pem()).unwrap();
    for (name, certificate) in [("good.pem", &good), ("bad.pem", &bad)] {
        std::fs::write(folder.path().join(name), certificate.to_pem()).unwrap();
    }
    let (address, _stop) = ground.serve().await;
    let arguments =
        format!("ocsp -issuer ca.pem -cert good.pem -cert bad.pem -serial 0x0100005555 -CAfile ca.pem -url http://{address}/ocsp");
    let (done, said) = openssl(folder.path(), &arguments);
    assert!(done && said.contains("Response verify OK"), "{said}");
    for line in ["good.pem: good", "bad.pem: revoked", "0x0100005555: unknown", "Reason: superseded"] {
        assert!(said.contains(line), "{line}: {said}");
    }
}
