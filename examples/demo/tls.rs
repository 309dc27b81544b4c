//! TLS with what is in a Secret: a server, and clients that trust nothing but the root. Keys stay in memory.

use std::{
    fmt::Write as _,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Stdio,
    sync::Arc,
};

use anyhow::{Context as _, Result, ensure};
use chancery::api::names;
use chancery_pki::Certificate as X509;
use k8s_openapi::api::core::v1::Secret;
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::WebPkiClientVerifier,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    process::Command,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const NAME: &str = "web.example.com";

/// A certificate with its chain and key. Has no Debug: the key is in it.
pub(crate) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// What a Secret of type kubernetes.io/tls holds.
    pub(crate) fn of(secret: &Secret) -> Result<Self> {
        let data = secret.data.as_ref().context("a Secret without data")?;
        let get = |key: &str| data.get(key).map(|value| value.0.as_slice()).with_context(|| format!("a Secret without {key}"));
        let chain = CertificateDer::pem_slice_iter(get(names::TLS_CERTIFICATE)?).collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(get(names::TLS_KEY)?)?;
        Ok(Self { chain, key })
    }
}

/// A server on the loopback that asks its clients for a certificate, and does not insist.
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl Server {
    /// Listens. Clients that identify themselves must do so under the root.
    pub(crate) async fn start(identity: Identity, root: &str) -> Result<Self> {
        let verifier = WebPkiClientVerifier::builder(Arc::new(trust(root)?)).allow_unauthenticated().build()?;
        let config = ServerConfig::builder()
            .with_client_cert_verifier(verifier)
            .with_single_cert(identity.chain, identity.key)
            .context("the Secret's key is not that of its certificate")?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Ok(Self { address: listener.local_addr()?, listener, acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    /// A handshake with `openssl s_client`, which trusts the root in `root.pem`; returns what it says of it.
    pub(crate) async fn greets_openssl(&self, folder: &Path) -> Result<String> {
        let client = Command::new("openssl")
            .args(["s_client", "-brief", "-connect", &self.address.to_string(), "-servername", NAME])
            .args(["-verify_hostname", NAME, "-verify_return_error", "-CAfile"])
            .arg(folder.join("root.pem"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("openssl cannot be run: apt-get install openssl")?;
        let (served, output) = tokio::join!(self.serve_one(), client.wait_with_output());
        let output = output?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "openssl s_client refused the handshake:\n{said}");
        served.context("the handshake with openssl s_client failed")?;
        let told = ["Protocol version", "Ciphersuite", "Peer certificate", "Signature type", "Verification", "Verified peername"];
        let mut shown = "openssl s_client, which trusts the root only:\n".to_owned();
        for line in said.lines().filter(|line| told.iter().any(|begin| line.starts_with(begin))) {
            writeln!(shown, "{line}")?;
        }
        Ok(shown)
    }

    /// A handshake with a client that shows a certificate; returns the name by which the server knows it.
    pub(crate) async fn greets(&self, identity: Identity, root: &str) -> Result<String> {
        let config = ClientConfig::builder().with_root_certificates(trust(root)?).with_client_auth_cert(identity.chain, identity.key)?;
        let client = async {
            let stream = TcpStream::connect(self.address).await?;
            let mut stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from(NAME)?, stream).await?;
            // In TLS 1.3 a refused client learns of it only when it reads.
            stream.read_to_end(&mut Vec::new()).await?;
            anyhow::Ok(())
        };
        let (served, met) = tokio::join!(self.serve_one(), client);
        met.context("the client did not come through")?;
        served?.context("the client did not identify itself")
    }

    /// Serves one connection; the client's subject, if it showed a certificate.
    async fn serve_one(&self) -> Result<Option<String>> {
        let (stream, _) = self.listener.accept().await?;
        let mut stream = self.acceptor.accept(stream).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first).map(|leaf| X509::from_der(leaf.to_vec()));
        let subject = shown.transpose()?.map(|leaf| leaf.subject().to_string());
        stream.shutdown().await?;
        Ok(subject)
    }
}

fn trust(root: &str) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root.as_bytes())?)?;
    Ok(roots)
}
