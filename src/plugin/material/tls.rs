//! What a TLS server presents. Nothing is trusted and nothing is sent: the connection ends with the handshake.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chancery_pki::Certificate;
use rustls::{
    ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Material, MaterialError, Piece, Session};

/// Where a server listens: `host:port`, port 443 where none is given, IPv6 addresses in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || "write it as host:port, as in example.com:443 or [::1]:8443".to_owned();
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or_else(refused)?;
                (host, if port.is_empty() { "443" } else { port.strip_prefix(':').ok_or_else(refused)? })
            }
            None if text.matches(':').count() > 1 => return Err(refused()),
            None => text.split_once(':').unwrap_or((text, "443")),
        };
        let port = port.parse().map_err(|_| refused())?;
        if host.is_empty() || host.contains('/') { Err(refused()) } else { Ok(Self { host: host.to_owned(), port }) }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// Connects to a server, shakes hands and tells what it presented; `server_name` is asked for instead of the host's name.
///
/// # Errors
/// When nobody answers in time, or no certificate came.
pub async fn connect(endpoint: &Endpoint, server_name: Option<&str>, limit: Duration) -> Result<Material, MaterialError> {
    let failed = |why: String| MaterialError::Server { what: endpoint.to_string(), why };
    let server_name = server_name.unwrap_or(&endpoint.host);
    let name = ServerName::try_from(server_name.to_owned()).map_err(|_| failed(format!("{server_name:?} is no name of a server")))?;
    let seen = Arc::new(Onlooker::new());
    let config = ClientConfig::builder_with_provider(seen.provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(seen.clone())
        .with_no_client_auth();
    let shaken = async {
        let stream =
            TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await.map_err(|error| format!("no connection: {error}"))?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| format!("the handshake failed: {error}"))
    };
    let shaken = match tokio::time::timeout(limit, shaken).await {
        Ok(shaken) => shaken,
        Err(_) => Err(format!("no answer within {} s", limit.as_secs())),
    };
    let Seen { certificates, unproven } = seen.seen();
    if certificates.is_empty() {
        return Err(failed(shaken.err().unwrap_or_else(|| "it presented no certificate".to_owned())));
    }
    let (mut version, mut cipher_suite, mut trouble) = (None, None, unproven);
    match &shaken {
        Ok(stream) => {
            let connection = stream.get_ref().1;
            version = connection
                .protocol_version()
                .and_then(|version| version.as_str())
                .map(|version| version.replace("TLSv", "TLS ").replace('_', "."));
            cipher_suite = connection.negotiated_cipher_suite().and_then(|suite| suite.suite().as_str()).map(str::to_owned);
        }
        Err(error) => trouble = Some(error.clone()),
    }
    let mut piece = Piece { place: "presented".to_owned(), ..Piece::default() };
    for der in certificates {
        match Certificate::from_der(der) {
            Ok(certificate) => piece.certificates.push(certificate),
            Err(error) => {
                piece.is_torn = true;
                piece.trouble = Some(format!("certificate {}: {error}", piece.certificates.len() + 1));
            }
        }
    }
    let session = Session { version, cipher_suite, server_name: server_name.to_owned(), trouble };
    Ok(Material { name: format!("tls/{endpoint}"), namespace: None, pieces: vec![piece], notes: Vec::new(), session: Some(session) })
}

/// Accepts whatever is presented, and remembers it.
#[derive(Debug)]
struct Onlooker {
    provider: Arc<CryptoProvider>,
    seen: Mutex<Seen>,
}

#[derive(Clone, Debug, Default)]
struct Seen {
    certificates: Vec<Vec<u8>>,
    /// Set where the server did not prove that it has the key.
    unproven: Option<String>,
}

impl Onlooker {
    fn new() -> Self {
        Self { provider: Arc::new(aws_lc_rs::default_provider()), seen: Mutex::default() }
    }

    fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn proven(&self, outcome: Result<HandshakeSignatureValid, rustls::Error>) -> HandshakeSignatureValid {
        outcome.unwrap_or_else(|error| {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.unproven = Some(format!("the server does not prove that it has the key of its certificate: {error}"));
            HandshakeSignatureValid::assertion()
        })
    }
}

impl ServerCertVerifier for Onlooker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.certificates = std::iter::once(end_entity).chain(intermediates).map(|der| der.to_vec()).collect();
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.proven(verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(self.proven(verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use chancery_pki::{KeyAlgorithm, KeyEncoding, Name, PrivateKey, SerialNumber, SubjectParts, Template, self_sign};
    use rustls::{
        ServerConfig,
        pki_types::PrivateKeyDer,
        sign::{CertifiedKey, SingleCertAndKey},
    };
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    use super::*;

    /// A server that presents the certificate of one key, and signs with another.
    async fn replaying(presented: &PrivateKey, signing: &PrivateKey) -> String {
        let parts = SubjectParts { common_name: Some("web".to_owned()), ..SubjectParts::default() };
        let template = Template::new(
            SerialNumber::from_octets(&[1]).unwrap(),
            Name::from_parts(&parts).unwrap(),
            "2026-01-01T00:00:00Z".parse().unwrap(),
            "2026-12-31T00:00:00Z".parse().unwrap(),
        );
        let chain = vec![CertificateDer::from(self_sign(&template, presented).unwrap().as_der().to_vec())];
        let der = PrivateKeyDer::try_from(signing.to_der(KeyEncoding::Pkcs8).unwrap().to_vec()).unwrap();
        let certified = CertifiedKey::new(chain, aws_lc_rs::sign::any_supported_type(&der).unwrap());
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let config = config.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            // A client that only looks goes away at once.
            let _ = acceptor.accept(stream).await;
        });
        address
    }

    #[tokio::test]
    async fn a_server_without_the_key_of_what_it_presents_is_told() {
        let (own, other) = (PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap(), PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap());
        for (signing, troubled) in [(&own, false), (&other, true)] {
            let endpoint = replaying(&own, signing).await.parse().unwrap();
            let found = connect(&endpoint, Some("web.example.com"), Duration::from_secs(10)).await.unwrap();
            assert_eq!(found.proven().unwrap().len(), 1);
            let trouble = found.session.unwrap().trouble;
            assert_eq!(trouble.is_some_and(|trouble| trouble.contains("does not prove that it has the key")), troubled);
        }
    }

    #[test]
    fn a_server_is_named_by_host_and_port() {
        let endpoint = |host: &str, port| Ok(Endpoint { host: host.to_owned(), port });
        for (text, expected) in [
            ("example.com:8443", endpoint("example.com", 8443)),
            ("example.com", endpoint("example.com", 443)),
            ("[::1]:1", endpoint("::1", 1)),
        ] {
            assert_eq!(text.parse(), expected, "{text}");
        }
        assert_eq!("[::1]:1".parse::<Endpoint>().unwrap().to_string(), "[::1]:1");
        for bad in ["", ":443", "::1", "https://example.com", "a:b", "a:70000", "[::1", "[::1]x"] {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }
}
