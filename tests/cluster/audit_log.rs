//! What the API server's audit log of a whole run says of our operators: only writes that name the version they were computed
//! from, nothing forbidden, no warning. Of our responders: no write at all, and nothing forbidden. Of both: the rights that they
//! have are those that they use. `make test` runs it as a step of its own after all other tests.

use std::fs;

use crate::harness::{Audit, Record};

mod rights;

#[tokio::test]
#[ignore = "a step of its own after all others: make test, or cargo test --test cluster audit_log -- --ignored after a run"]
async fn the_audit_log_of_the_run_shows_only_conditional_writes() {
    let audit = Audit::of_last_run();
    let records = audit.records();
    let faults = faults(&records);
    assert!(faults.is_empty(), "{} requests of operators are not as they should be:\n{}", faults.len(), faults.join("\n"));
    let mut warnings = log_lines("the API server warns");
    warnings.retain(|line| !is_of_an_invalid_spec(line));
    assert!(warnings.is_empty(), "the API server warned:\n{}", warnings.join("\n"));
    let panics = log_lines("panicked at");
    assert!(panics.is_empty(), "an operator panicked:\n{}", panics.join("\n"));
    let writes = records.iter().filter(|record| is_operator(record) && record.is_write()).count();
    assert!(writes > 0, "no operator wrote anything: was there a run?");
    let reads = records.iter().filter(|record| is_operator(record)).count() - writes;
    println!("{writes} writes and {reads} other requests of operators, all as they should be");
}

/// The requests of operators that should not have been made, each with the reason.
fn faults(records: &[Record]) -> Vec<String> {
    let of_ours = records.iter().filter(|record| is_operator(record) || is_responder(record));
    of_ours.filter_map(|record| fault(record, records).map(|why| format!("{why}: {}", record.summary()))).collect()
}

fn fault(record: &Record, all: &[Record]) -> Option<&'static str> {
    if record.code == 403 && !is_of_an_ending_namespace(record, all) {
        return Some("forbidden");
    }
    if is_responder(record) && record.is_write() {
        return Some("a write by a responder");
    }
    // A request that was refused before its body was read has none in the log.
    if record.is_write() && record.code != 403 && !record.is_conditional() {
        return Some("without a precondition");
    }
    None
}

/// Nothing can be made in a namespace that is being deleted: RBAC allowed it, admission did not, and whoever watches learns of
/// the deletion only after it. The one 403 that a correct operator meets.
fn is_of_an_ending_namespace(record: &Record, all: &[Record]) -> bool {
    let allowed = record.annotations.get("authorization.k8s.io/decision").is_some_and(|decision| decision == "allow");
    let deleted = |other: &Record| {
        other.verb == "delete" && other.resource == "namespaces" && other.name == record.namespace && other.time <= record.time
    };
    record.verb == "create" && allowed && all.iter().any(deleted)
}

/// The API server takes status and finalizers of an object whose spec was stored under other rules, and says what is wrong with
/// the spec: the one warning that a correct operator meets. `bad_input` stores such objects.
fn is_of_an_invalid_spec(line: &str) -> bool {
    line.contains("s.chancery.dev") && line.contains("\"spec") && line.contains(": Invalid value: ")
}

/// The operators of all grounds run as ServiceAccounts of this name. Tests that try what such an account may do are no operator.
fn is_operator(record: &Record) -> bool {
    is_ours(record, ":chancery-controller")
}

/// The same of responders.
fn is_responder(record: &Record) -> bool {
    is_ours(record, ":chancery-responder")
}

fn is_ours(record: &Record, account: &str) -> bool {
    record.user.starts_with("system:serviceaccount:") && record.user.ends_with(account) && record.user_agent.starts_with("chancery/")
}

/// The lines in the logs of the last run's operators that have these words.
fn log_lines(words: &str) -> Vec<String> {
    let folder = Audit::of_last_run().folder();
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("no folder {}: {error}", folder.display()));
    let logs = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.starts_with("operator-") && path.extension().is_some_and(|extension| extension == "log")
    });
    let texts = logs.map(|log| (log.display().to_string(), fs::read_to_string(&log).unwrap_or_default()));
    let lines = texts
        .flat_map(|(log, text)| text.lines().filter(|line| line.contains(words)).map(|line| format!("{log}: {line}")).collect::<Vec<_>>());
    lines.collect()
}

#[test]
fn a_write_without_precondition_and_a_forbidden_request_are_faults() {
    let put = record("update", "secrets", 200, r#"{"metadata":{"resourceVersion":"7"}}"#);
    assert!(faults(std::slice::from_ref(&put)).is_empty());
    for (record, why) in [
        (record("update", "secrets", 200, r#"{"metadata":{}}"#), "without a precondition"),
        (record("delete", "secrets", 200, "{}"), "without a precondition"),
        (record("deletecollection", "secrets", 200, "{}"), "without a precondition"),
        (record("list", "secrets", 403, "{}"), "forbidden"),
    ] {
        let found = faults(std::slice::from_ref(&record));
        assert!(found.len() == 1 && found[0].starts_with(why), "{found:?}");
    }
    let responder = |record: Record| Record { user: record.user.replace("controller", "responder"), ..record };
    assert!(faults(&[responder(record("watch", "configmaps", 200, "{}"))]).is_empty());
    for (verb, code, why) in [("update", 200, "a write by a responder"), ("list", 403, "forbidden")] {
        let found = faults(&[responder(record(verb, "configmaps", code, r#"{"metadata":{"resourceVersion":"7"}}"#))]);
        assert!(found.len() == 1 && found[0].starts_with(why), "{found:?}");
    }
    let other = Record { user: "admin".to_owned(), ..record("delete", "secrets", 200, "{}") };
    assert!(faults(&[other]).is_empty());
}

#[test]
fn only_what_was_to_be_made_in_an_ending_namespace_may_be_forbidden() {
    let mut refused = record("create", "secrets", 403, "{}");
    assert_eq!(faults(std::slice::from_ref(&refused)).len(), 1);
    let gone = Record { user: "admin".to_owned(), name: "team".to_owned(), ..record("delete", "namespaces", 200, "{}") };
    assert_eq!(faults(&[gone.clone(), refused.clone()]).len(), 1, "RBAC forbade it");
    refused.annotations.insert("authorization.k8s.io/decision".to_owned(), "allow".to_owned());
    assert!(faults(&[gone, refused]).is_empty());
}

fn record(verb: &str, resource: &str, code: u16, body: &str) -> Record {
    Record {
        id: "1".to_owned(),
        stage: "ResponseComplete".to_owned(),
        time: jiff::Timestamp::UNIX_EPOCH,
        user: "system:serviceaccount:chancery-system:chancery-controller".to_owned(),
        user_agent: "chancery/0.1.0".to_owned(),
        verb: verb.to_owned(),
        uri: String::new(),
        group: String::new(),
        resource: resource.to_owned(),
        subresource: String::new(),
        namespace: "team".to_owned(),
        name: String::new(),
        code,
        annotations: std::collections::BTreeMap::new(),
        request: serde_json::from_str(body).ok(),
    }
}
