//! What went wrong with a call to the API server, classified by what can be done about it.
//!
//! Never holds a body: an answer that cannot be parsed is described by its position only, and a refusal that
//! concerns a Secret by its reason and the names of the fields, since the server quotes values.

use std::fmt::{self, Write as _};
use std::time::Duration;

use kube::core::Status;
use thiserror::Error;

use crate::lease::NotLeading;

const MAX_MESSAGE: usize = 1024;

/// A call that did not succeed.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
#[error("could not {what}: {message}")]
pub struct CallError {
    /// Verb and object: `create Secret team/web-tls`.
    pub what: String,
    /// What kind of failure it is.
    pub kind: CallErrorKind,
    /// The server's words, or ours; fit to be shown.
    pub message: String,
}

impl CallError {
    /// Describes the call, for `map_err`: `api.get(name).await.map_err(CallError::of("get", "Secret", Some(ns), name))`.
    pub fn of(verb: &str, object_kind: &str, namespace: Option<&str>, name: &str) -> impl FnOnce(kube::Error) -> Self {
        let what = describe(verb, object_kind, namespace, name);
        let confidential = object_kind == "Secret";
        move |error| {
            let (kind, message) = classify(&error, confidential);
            Self { what, kind, message }
        }
    }

    /// The call was not made, since another process leads.
    pub fn not_leading(verb: &str, object_kind: &str, namespace: Option<&str>, name: &str, reason: &NotLeading) -> Self {
        Self { what: describe(verb, object_kind, namespace, name), kind: CallErrorKind::NotLeading, message: reason.to_string() }
    }

    /// The object is not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == CallErrorKind::NotFound
    }

    /// Somebody else wrote: what was read is out of date, and must be observed again.
    pub fn is_conflict(&self) -> bool {
        matches!(self.kind, CallErrorKind::Conflict | CallErrorKind::AlreadyExists)
    }

    /// Whether the write may have happened although it was not confirmed.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self.kind, CallErrorKind::Timeout | CallErrorKind::Unavailable | CallErrorKind::Other)
    }
}

/// The kinds of failed calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CallErrorKind {
    /// A POST found an object of that name.
    AlreadyExists,
    /// The resourceVersion or another precondition did not hold.
    Conflict,
    /// Not authenticated or not authorised, or the namespace is being deleted.
    Forbidden,
    /// The server will never take this request as it is.
    Invalid,
    /// This process does not lead, and made no call.
    NotLeading,
    /// There is no such object.
    NotFound,
    /// Anything else; the message says what.
    Other,
    /// No answer in time. The write may have happened.
    Timeout,
    /// The server asks us to slow down, and perhaps for how long.
    TooMany {
        /// The server's wish, where it had one.
        retry_after: Option<Duration>,
    },
    /// The server cannot be reached or cannot serve now. The write may have happened.
    Unavailable,
}

impl CallErrorKind {
    /// A label for metrics and conditions.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyExists => "AlreadyExists",
            Self::Conflict => "Conflict",
            Self::Forbidden => "Forbidden",
            Self::Invalid => "Invalid",
            Self::NotLeading => "NotLeading",
            Self::NotFound => "NotFound",
            Self::Other => "Other",
            Self::Timeout => "Timeout",
            Self::TooMany { .. } => "TooManyRequests",
            Self::Unavailable => "Unavailable",
        }
    }
}

impl fmt::Display for CallErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The API server did not answer in time.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("no answer within {} s", .0.as_secs_f32())]
pub struct TimedOut(pub Duration);

fn describe(verb: &str, object_kind: &str, namespace: Option<&str>, name: &str) -> String {
    match namespace {
        Some(namespace) => format!("{verb} {object_kind} {namespace}/{name}"),
        None => format!("{verb} {object_kind} {name}"),
    }
}

fn classify(error: &kube::Error, confidential: bool) -> (CallErrorKind, String) {
    match error {
        kube::Error::Api(status) => (of_status(status), status_message(status, confidential)),
        kube::Error::Service(error) => {
            if let Some(timed_out) = error.downcast_ref::<TimedOut>() {
                return (CallErrorKind::Timeout, timed_out.to_string());
            }
            if let Some(not_leading) = error.downcast_ref::<NotLeading>() {
                return (CallErrorKind::NotLeading, not_leading.to_string());
            }
            (CallErrorKind::Unavailable, chain(error.as_ref()))
        }
        kube::Error::HyperError(error) => (CallErrorKind::Unavailable, chain(error)),
        // serde_json quotes the value it stumbled over: only where, not what.
        kube::Error::SerdeError(error) => {
            (CallErrorKind::Other, format!("the answer could not be parsed (line {}, column {})", error.line(), error.column()))
        }
        // A credential plugin's error repeats what the plugin printed, which may be a token.
        kube::Error::Auth(_) => (CallErrorKind::Forbidden, "no credentials for the API server could be had".to_owned()),
        kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => (CallErrorKind::Invalid, "the request could not be built".to_owned()),
        kube::Error::FromUtf8(_) => (CallErrorKind::Other, "the answer is not UTF-8".to_owned()),
        _ => (CallErrorKind::Other, "the client failed".to_owned()),
    }
}

fn of_status(status: &Status) -> CallErrorKind {
    // The reason is the server's own classification; the code decides only where it gives none.
    if status.is_already_exists() {
        return CallErrorKind::AlreadyExists;
    }
    if status.is_conflict() {
        return CallErrorKind::Conflict;
    }
    if status.is_not_found() {
        return CallErrorKind::NotFound;
    }
    if status.is_forbidden() {
        return CallErrorKind::Forbidden;
    }
    if status.is_invalid() {
        return CallErrorKind::Invalid;
    }
    match status.code {
        400 | 405 | 406 | 413 | 415 => CallErrorKind::Invalid,
        401 => CallErrorKind::Forbidden,
        410 => CallErrorKind::Conflict,
        429 => CallErrorKind::TooMany { retry_after: retry_after(status) },
        504 => CallErrorKind::Timeout,
        500.. => CallErrorKind::Unavailable,
        _ => CallErrorKind::Other,
    }
}

fn retry_after(status: &Status) -> Option<Duration> {
    let seconds = status.details.as_ref()?.retry_after_seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds.into()))
}

fn status_message(status: &Status, confidential: bool) -> String {
    let mut text = String::new();
    if confidential || status.message.is_empty() {
        text.push_str(if status.reason.is_empty() { "refused" } else { &status.reason });
        let _ = write!(text, " ({})", status.code);
        let causes = status.details.iter().flat_map(|details| &details.causes);
        for cause in causes.filter(|cause| !cause.field.is_empty()) {
            let _ = write!(text, ", {}: {}", cause.field, cause.reason);
        }
    } else {
        text.push_str(&status.message);
    }
    truncate(&mut text, MAX_MESSAGE);
    text
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    truncate(&mut text, MAX_MESSAGE);
    text
}

/// Cuts `text` to at most `max` bytes, at a character boundary.
pub(crate) fn truncate(text: &mut String, max: usize) {
    text.truncate(text.floor_char_boundary(max));
}

#[cfg(test)]
mod tests {
    use kube::core::response::{StatusCause, StatusDetails};

    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> kube::Error {
        kube::Error::Api(Status::failure(message, reason).with_code(code).boxed())
    }

    fn kind(error: kube::Error) -> CallErrorKind {
        CallError::of("update", "ConfigMap", Some("team"), "web")(error).kind
    }

    #[test]
    fn answers_are_classified_by_reason_and_else_by_code() {
        let rows = [
            (409, "AlreadyExists", CallErrorKind::AlreadyExists),
            (409, "Conflict", CallErrorKind::Conflict),
            (410, "Expired", CallErrorKind::Conflict),
            (404, "NotFound", CallErrorKind::NotFound),
            (403, "Forbidden", CallErrorKind::Forbidden),
            (401, "Unauthorized", CallErrorKind::Forbidden),
            (422, "Invalid", CallErrorKind::Invalid),
            (400, "BadRequest", CallErrorKind::Invalid),
            (413, "RequestEntityTooLarge", CallErrorKind::Invalid),
            (429, "TooManyRequests", CallErrorKind::TooMany { retry_after: None }),
            (500, "InternalError", CallErrorKind::Unavailable),
            (500, "ServerTimeout", CallErrorKind::Unavailable),
            (503, "ServiceUnavailable", CallErrorKind::Unavailable),
            (504, "Timeout", CallErrorKind::Timeout),
            (418, "", CallErrorKind::Other),
        ];
        for (code, reason, expected) in rows {
            assert_eq!(kind(status(code, reason, "")), expected, "{code} {reason}");
        }
    }

    #[test]
    fn the_server_says_for_how_long_to_wait() {
        let details = StatusDetails {
            name: String::new(),
            group: String::new(),
            kind: String::new(),
            uid: String::new(),
            causes: Vec::new(),
            retry_after_seconds: 7,
        };
        let status = Status::failure("slow down", "TooManyRequests").with_code(429).with_details(details);
        let expected = CallErrorKind::TooMany { retry_after: Some(Duration::from_secs(7)) };
        assert_eq!(kind(kube::Error::Api(status.boxed())), expected);
    }

    #[test]
    fn a_refused_secret_is_described_without_its_values() {
        let details = StatusDetails {
            name: "web".to_owned(),
            group: String::new(),
            kind: "Secret".to_owned(),
            uid: String::new(),
            causes: vec![StatusCause {
                reason: "FieldValueInvalid".to_owned(),
                message: "Invalid value: \"hunter2\"".to_owned(),
                field: "data[tls.key]".to_owned(),
            }],
            retry_after_seconds: 0,
        };
        let status = Status::failure("data[tls.key]: Invalid value: \"hunter2\"", "Invalid").with_code(422).with_details(details);
        let error = CallError::of("create", "Secret", Some("team"), "web")(kube::Error::Api(status.boxed()));
        assert_eq!(error.to_string(), "could not create Secret team/web: Invalid (422), data[tls.key]: FieldValueInvalid");
        assert!(!format!("{error:?}").contains("hunter2"));
    }

    #[test]
    fn an_answer_that_cannot_be_parsed_is_not_quoted() {
        let parse = serde_json::from_str::<u32>("\"hunter2\"").unwrap_err();
        let error = CallError::of("get", "Secret", Some("team"), "web")(kube::Error::SerdeError(parse));
        assert_eq!(error.message, "the answer could not be parsed (line 1, column 9)");
        assert!(error.is_ambiguous());
    }

    #[test]
    fn a_timeout_is_known_through_the_layers() {
        let error = kube::Error::Service(Box::new(TimedOut(Duration::from_secs(30))));
        let error = CallError::of("list", "Certificate", None, "")(error);
        assert_eq!((error.kind, error.message.as_str()), (CallErrorKind::Timeout, "no answer within 30 s"));
    }

    #[test]
    fn long_messages_are_cut_at_a_character_boundary() {
        let error = CallError::of("get", "ConfigMap", None, "x")(status(400, "BadRequest", &"ä".repeat(4000)));
        assert_eq!(error.message.len(), MAX_MESSAGE);
        let mut odd = format!("x{}", "ä".repeat(10));
        truncate(&mut odd, 4);
        assert_eq!(odd, "xä");
    }
}
