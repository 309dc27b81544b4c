//! What caches and clients may keep, and for how long; which form of a thing they want. Pure: the time is an argument.

use http::{HeaderMap, header};
use jiff::Timestamp;

/// The longest time for which anyone may keep a list or an answer without asking again: what is revoked meanwhile reaches
/// nobody who does.
pub const MOST_SECONDS: i64 = 3600;

/// `Cache-Control` of what is true until `next_update` and looked at again within `refresh` seconds (RFC 5019 section 6.2).
pub fn cache_control(now: Timestamp, next_update: Timestamp, refresh: i64) -> String {
    let left = next_update.as_second().saturating_sub(now.as_second());
    match left.min(refresh).min(MOST_SECONDS) {
        seconds if seconds > 0 => format!("max-age={seconds}, public, no-transform, must-revalidate"),
        _ => "no-cache".to_owned(),
    }
}

/// A time as HTTP writes it (RFC 9110 section 5.6.7).
pub fn http_date(at: Timestamp) -> String {
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Whether the client holds what it would be sent: by its tag, else, where it gives none, by the time of the last change; never by that where it is none.
pub fn is_held(headers: &HeaderMap, etag: &str, last_modified: Option<&str>) -> bool {
    let mut tags = headers.get_all(header::IF_NONE_MATCH).iter().peekable();
    if tags.peek().is_none() {
        // Any other time is that of another version, whichever is later.
        let since = headers.get(header::IF_MODIFIED_SINCE);
        return since.zip(last_modified).is_some_and(|(since, last_modified)| since.as_bytes() == last_modified.as_bytes());
    }
    // Our tags hold no comma.
    tags.filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// Whether a client that accepts this would rather have PEM than DER: it names PEM or plain text, and not DER as well.
pub fn wants_pem(headers: &HeaderMap) -> bool {
    const PEM: [&str; 4] = ["application/x-pem-file", "application/pem-certificate-chain", "text/plain", "text/*"];
    const DER: [&str; 3] = ["application/pkix-crl", "application/pkix-cert", "application/*"];
    let (mut pem, mut der) = (0, 0);
    let ranges = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q="))).map_or(1000, thousandths);
        if PEM.contains(&kind.as_str()) {
            pem = pem.max(weight);
        } else if DER.contains(&kind.as_str()) {
            der = der.max(weight);
        }
    }
    pem > der
}

/// A weight from 0 to 1 in thousandths (RFC 9110 section 12.4.2); 0 for anything else.
fn thousandths(text: &str) -> u32 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    match (whole, digits) {
        ("1", true) => 1000,
        ("0", true) => format!("{fraction:0<3}").parse().unwrap_or(0),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn nothing_is_kept_beyond_its_end_nor_for_more_than_an_hour() {
        for (next_update, refresh, expected) in [
            (1_000_000, 86_400, "max-age=3600, public, no-transform, must-revalidate"),
            (1_000_000, 60, "max-age=60, public, no-transform, must-revalidate"),
            (1_100, 86_400, "max-age=100, public, no-transform, must-revalidate"),
            (1_000, 86_400, "no-cache"),
            (900, 86_400, "no-cache"),
        ] {
            assert_eq!(cache_control(at(1_000), at(next_update), refresh), expected, "{next_update} {refresh}");
        }
    }

    #[test]
    fn times_are_written_as_http_has_them() {
        assert_eq!(http_date(at(784_111_777)), "Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn what_a_client_holds_is_known_by_its_tag_or_its_time() {
        let (tag, time) = ("\"ab\"", "Sun, 06 Nov 1994 08:49:37 GMT");
        let held = |pairs: &[(HeaderName, &str)]| is_held(&headers(pairs), tag, Some(time));
        assert!(held(&[(header::IF_NONE_MATCH, "\"ab\"")]));
        assert!(held(&[(header::IF_NONE_MATCH, "\"x\", W/\"ab\"")]));
        assert!(held(&[(header::IF_NONE_MATCH, "*")]));
        assert!(held(&[(header::IF_MODIFIED_SINCE, time)]));
        assert!(!is_held(&headers(&[(header::IF_MODIFIED_SINCE, time)]), tag, None));
        assert!(!held(&[]));
        assert!(!held(&[(header::IF_NONE_MATCH, "\"x\"")]));
        assert!(!held(&[(header::IF_NONE_MATCH, "ab")]));
        assert!(!held(&[(header::IF_MODIFIED_SINCE, "Sun, 06 Nov 1994 08:49:38 GMT")]));
        // The tag counts where there is one (RFC 9110 section 13.1.3).
        assert!(!held(&[(header::IF_NONE_MATCH, "\"x\""), (header::IF_MODIFIED_SINCE, time)]));
    }

    #[test]
    fn pem_is_for_those_who_ask_for_it() {
        for (accept, pem) in [
            ("application/x-pem-file", true),
            ("text/plain", true),
            ("Text/*;q=0.5", true),
            ("application/pkix-crl, text/plain;q=0.5", false),
            ("application/pkix-crl;q=0.2, text/plain;q=0.5", true),
            ("text/plain;q=0", false),
            ("text/plain;q=nonsense", false),
            ("*/*", false),
            ("text/html,application/xhtml+xml,*/*;q=0.8", false),
            ("", false),
        ] {
            assert_eq!(wants_pem(&headers(&[(header::ACCEPT, accept)])), pem, "{accept}");
        }
        assert!(!wants_pem(&HeaderMap::new()));
    }
}
