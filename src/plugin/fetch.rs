//! Lists and answers over HTTP, as relying parties fetch them.
//!
//! Whoever answers is not trusted: the answer is bounded in size and time, a redirect stays with http, and what came is verified by
//! those who asked. Only http is spoken, as CRL distribution points and OCSP responders do: what they give is signed.

use std::time::Duration;

use http::{HeaderMap, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::net::TcpStream;

/// The longest answer that is read, in octets: a list of some 500,000 entries.
pub const ANSWER_MAX: usize = 20 * 1024 * 1024;

/// How often a redirect is followed.
const REDIRECTS_MAX: usize = 3;

/// What is sent; none for a GET.
#[derive(Clone, Debug)]
pub struct Posted {
    /// Its media type.
    pub kind: &'static str,
    /// The octets.
    pub body: Vec<u8>,
}

/// Whether a URL may be asked.
pub fn is_http(url: &str) -> bool {
    url.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty()))
}

/// Asks a URL, and returns the body of the answer.
///
/// # Errors
/// When the URL is none of http, nobody answers in time, the answer is no success, or it is too long.
pub async fn fetch(url: &str, posted: Option<&Posted>, limit: Duration) -> Result<Vec<u8>, FetchError> {
    let failed = |why: Why| FetchError { url: url.to_owned(), why };
    match tokio::time::timeout(limit, follow(url, posted)).await {
        Ok(answer) => answer.map_err(failed),
        Err(_) => Err(failed(Why::Late { seconds: limit.as_secs() })),
    }
}

async fn follow(url: &str, posted: Option<&Posted>) -> Result<Vec<u8>, Why> {
    let mut at = url.to_owned();
    for _ in 0..=REDIRECTS_MAX {
        match ask(&at, posted).await? {
            Step::Done(body) => return Ok(body),
            Step::Elsewhere(location) => at = location,
        }
    }
    Err(Why::Redirects)
}

enum Step {
    Done(Vec<u8>),
    Elsewhere(String),
}

async fn ask(url: &str, posted: Option<&Posted>) -> Result<Step, Why> {
    let uri: Uri = url.parse().map_err(|_| Why::NoUrl)?;
    if uri.scheme_str() != Some("http") {
        return Err(Why::Scheme { scheme: uri.scheme_str().unwrap_or("none").to_owned() });
    }
    let host = uri.host().filter(|host| !host.is_empty()).ok_or(Why::NoUrl)?;
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), uri.port_u16().unwrap_or(80))).await.map_err(Why::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Why::Http)?;
    // It ends with the answer or with the runtime; what goes wrong on it is told to the request.
    tokio::spawn(connection);
    let path = uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    let request = Request::builder().uri(path).header(header::HOST, uri.authority().map_or(host, http::uri::Authority::as_str));
    let request = match posted {
        None => request.method("GET").body(Full::new(Bytes::new())),
        Some(Posted { kind, body }) => {
            request.method("POST").header(header::CONTENT_TYPE, *kind).body(Full::new(Bytes::copy_from_slice(body)))
        }
    };
    let answer = sender.send_request(request.map_err(|_| Why::NoUrl)?).await.map_err(Why::Http)?;
    if answer.status().is_redirection() {
        return Ok(Step::Elsewhere(location(&uri, answer.headers())?));
    }
    if !answer.status().is_success() {
        return Err(Why::Status { status: answer.status() });
    }
    let body = Limited::new(answer.into_body(), ANSWER_MAX).collect().await;
    body.map(|body| Step::Done(body.to_bytes().to_vec())).map_err(|error| match error.downcast::<LengthLimitError>() {
        Ok(_) => Why::TooLong,
        Err(error) => Why::Body { why: error.to_string() },
    })
}

/// Where a redirect leads: another http URL, or a path on the same host.
fn location(from: &Uri, headers: &HeaderMap) -> Result<String, Why> {
    let to = headers.get(header::LOCATION).and_then(|to| to.to_str().ok()).ok_or(Why::Redirects)?;
    match from.authority() {
        Some(authority) if to.starts_with('/') => Ok(format!("http://{authority}{to}")),
        _ => Ok(to.to_owned()),
    }
}

/// Why there is no answer.
#[derive(Debug, Error)]
#[error("{url}: {why}")]
pub struct FetchError {
    url: String,
    why: Why,
}

#[derive(Debug, Error)]
enum Why {
    #[error("this is no URL of a host")]
    NoUrl,
    #[error("only http is fetched, not {scheme}")]
    Scheme { scheme: String },
    #[error("no connection: {0}")]
    Connect(std::io::Error),
    #[error("{0}")]
    Http(hyper::Error),
    #[error("the answer is {status}")]
    Status { status: StatusCode },
    #[error("the answer is longer than {ANSWER_MAX} octets")]
    TooLong,
    #[error("the answer ends early: {why}")]
    Body { why: String },
    #[error("it leads to somewhere else too often, or to nowhere")]
    Redirects,
    #[error("no answer within {seconds} s")]
    Late { seconds: u64 },
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    const SOON: Duration = Duration::from_secs(10);

    /// Says the same to each who asks.
    async fn saying(text: String) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let text = text.clone();
                tokio::spawn(async move {
                    let mut asked = vec![0; 4096];
                    let _ = stream.read(&mut asked).await;
                    let _ = stream.write_all(text.as_bytes()).await;
                });
            }
        });
        format!("http://{address}/list.crl")
    }

    async fn complaint(url: &str) -> String {
        fetch(url, None, SOON).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn an_answer_is_its_body_also_where_another_path_has_it() {
        let here = saying("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc".to_owned()).await;
        assert_eq!(fetch(&here, None, SOON).await.unwrap(), b"abc");
        let there = saying(format!("HTTP/1.1 302 Found\r\nlocation: {here}\r\ncontent-length: 0\r\n\r\n")).await;
        assert_eq!(fetch(&there, None, SOON).await.unwrap(), b"abc");
    }

    #[tokio::test]
    async fn whatever_is_no_answer_is_told() {
        let missing = saying("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
        assert!(complaint(&missing).await.ends_with("the answer is 404 Not Found"));
        let leading = saying("HTTP/1.1 301 Moved\r\nlocation: https://example.com/\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
        assert!(complaint(&leading).await.ends_with("only http is fetched, not https"));
        let circle = saying("HTTP/1.1 301 Moved\r\nlocation: /again\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
        assert!(complaint(&circle).await.ends_with("too often, or to nowhere"));
        let endless = saying(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{}", ANSWER_MAX + 1, "a".repeat(ANSWER_MAX + 1))).await;
        assert!(complaint(&endless).await.contains("longer than"));
        let short = saying("HTTP/1.1 200 OK\r\ncontent-length: 30\r\n\r\nabc".to_owned()).await;
        assert!(complaint(&short).await.contains("the answer ends early"));
        for url in ["", "nonsense", "file:///etc/passwd", "ldap://example.com/cn=a"] {
            assert!(fetch(url, None, SOON).await.is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn who_never_answers_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let error = fetch(&url, None, Duration::from_millis(50)).await.unwrap_err();
        assert!(error.to_string().contains("no answer within"), "{error}");
    }
}
