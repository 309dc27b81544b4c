//! What a path asks for. Pure: paths come from anyone.
//!
//! Paths are read as they were sent: base64 may hold `/` and `+`, which clients encode or do not (RFC 6960 appendix A.1).

use chancery_pki::KeyId;

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/crl/<authority>/<shard>.crl`, or `<shard>-delta.crl`.
    List {
        /// Whose.
        authority: KeyId,
        /// Which part.
        shard: u16,
        /// Whether the delta is asked for.
        delta: bool,
    },
    /// `/ca/<authority>.crt`.
    Certificate {
        /// Whose.
        authority: KeyId,
    },
    /// `/ocsp`, with what follows it as it was sent.
    Ocsp {
        /// The request in a GET; none where nothing follows.
        request: Option<&'a str>,
    },
}

impl<'a> Route<'a> {
    /// The route of a path.
    pub fn of(path: &'a str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let (first, rest) = path.split_once('/').unwrap_or((path, ""));
        match first {
            "crl" => {
                let (authority, file) = rest.split_once('/')?;
                let name = file.strip_suffix(".crl")?;
                let (shard, delta) = name.strip_suffix("-delta").map_or((name, false), |shard| (shard, true));
                Some(Self::List { authority: key_id(authority)?, shard: number(shard)?, delta })
            }
            "ca" => Some(Self::Certificate { authority: key_id(rest.strip_suffix(".crt")?)? }),
            "ocsp" => Some(Self::Ocsp { request: Some(rest).filter(|rest| !rest.is_empty()) }),
            _ => None,
        }
    }

    /// The route of a path that may begin with one of these prefixes, of which the first that fits counts: certificates name URLs
    /// below them, whatever they look like.
    pub fn below(prefixes: &[String], path: &'a str) -> Option<Self> {
        prefixes.iter().find_map(|prefix| path.strip_prefix(prefix.as_str()).and_then(Self::of)).or_else(|| Self::of(path))
    }

    /// A word for metrics.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::List { delta: false, .. } => "crl",
            Self::List { delta: true, .. } => "delta",
            Self::Certificate { .. } => "ca",
            Self::Ocsp { .. } => "ocsp",
        }
    }
}

/// Each thing has one name: no capitals, no leading zeros.
fn key_id(text: &str) -> Option<KeyId> {
    text.parse::<KeyId>().ok().filter(|key| key.to_string() == text)
}

fn number(text: &str) -> Option<u16> {
    text.parse::<u16>().ok().filter(|number| number.to_string() == text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_has_one_meaning_or_none() {
        let authority = KeyId::of_spki(b"a");
        let list = |shard, delta| Some(Route::List { authority, shard, delta });
        for (path, expected) in [
            (format!("/crl/{authority}/0.crl"), list(0, false)),
            (format!("/crl/{authority}/65535-delta.crl"), list(65535, true)),
            (format!("/ca/{authority}.crt"), Some(Route::Certificate { authority })),
            ("/ocsp".to_owned(), Some(Route::Ocsp { request: None })),
            ("/ocsp/".to_owned(), Some(Route::Ocsp { request: None })),
            ("/ocsp/MFo//+a%2Fb==".to_owned(), Some(Route::Ocsp { request: Some("MFo//+a%2Fb==") })),
            (format!("/crl/{authority}/00.crl"), None),
            (format!("/crl/{authority}/+1.crl"), None),
            (format!("/crl/{authority}/65536.crl"), None),
            (format!("/crl/{authority}/0.crl/"), None),
            (format!("/crl/{authority}/0.pem"), None),
            (format!("/crl/{}/0.crl", authority.to_string().to_uppercase()), None),
            ("/crl/abc/0.crl".to_owned(), None),
            (format!("/ca/{authority}"), None),
            (format!("/ca/{authority}/x.crt"), None),
            ("/".to_owned(), None),
            (String::new(), None),
            ("*".to_owned(), None),
            ("/ocsps".to_owned(), None),
        ] {
            assert_eq!(Route::of(&path), expected, "{path}");
        }
    }

    #[test]
    fn a_prefix_may_look_like_a_route() {
        let authority = KeyId::of_spki(b"a");
        let prefixes = ["/ocsp/ca/crl", "/ocsp/ca", "/ocsp"].map(str::to_owned);
        let list = Some(Route::List { authority, shard: 0, delta: false });
        let ocsp = |request| Some(Route::Ocsp { request });
        for (path, expected) in [
            (format!("/ocsp/crl/{authority}/0.crl"), list.clone()),
            (format!("/ocsp/ca/crl/{authority}/0.crl"), list.clone()),
            (format!("/ocsp/ca/crl/crl/{authority}/0.crl"), list.clone()),
            (format!("/ocsp/ca/{authority}.crt"), Some(Route::Certificate { authority })),
            (format!("/crl/{authority}/0.crl"), list),
            ("/ocsp/ocsp".to_owned(), ocsp(None)),
            ("/ocsp/ocsp/AAAA".to_owned(), ocsp(Some("AAAA"))),
            ("/ocsp/AAAA".to_owned(), ocsp(Some("AAAA"))),
            ("/ocsp/cab".to_owned(), ocsp(Some("cab"))),
            ("/other".to_owned(), None),
        ] {
            assert_eq!(Route::below(&prefixes, &path), expected, "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_path_is_too_strange(path in ".{0,60}", tail in "[/%0-9A-Za-z+=.-]{0,60}") {
            let _ = Route::of(&path);
            let _ = Route::of(&format!("/crl/{tail}"));
            let _ = Route::below(&["/ocsp".to_owned(), path.clone()], &format!("{path}/crl/{tail}"));
        }
    }
}
