//! What a command printed, compared with the snapshot of that name in `tests/cluster/snapshots`.
//!
//! What differs from run to run is replaced by a word: times, spans of time, serials, hashes (key ids too), uids, numbers of lists, versions of
//! objects, ports. Blanks between columns are always three, since the widest value of a column differs too; that tables are
//! aligned is tested where they are made, in `chancery::plugin::output`. A test that holds what it prints uses
//! [`Namespace::named`](crate::harness::Namespace::named): no number in a name.
//!
//! Where a snapshot differs, or is not there, the test fails and writes `NAME.snap.new` beside it, unless `CI` is set. To take
//! all that is new: `INSTA_UPDATE=always cargo test --locked --test cluster plugin`, and look at what git shows.

use insta::{Settings, assert_snapshot};
use serde_json::Value;

use crate::harness::{Finished, Ground, Program};

/// What is replaced, by what, in this order.
const FILTERS: [(&str, &str); 11] = [
    (r"(?m)([^ \n]) {2,}", "${1}   "),
    (r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<uid>"),
    (r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?( ?UTC|Z)?", "<time>"),
    (r"\b([0-9A-Fa-f]{2}:){19,}[0-9A-Fa-f]{2}\b", "<hash>"),
    (r"\b[0-9a-f]{64}\b", "<hash>"),
    (r"\b[0-9a-f]{32}\b", "<serial>"),
    (r"\b\d{19,20}\b", "<number>"),
    (r#"(resourceVersion"?: ["']?)\d+"#, "${1}<version>"),
    (r"\b(127\.0\.0\.1|localhost):\d+\b", "${1}:<port>"),
    (r"\b((\d+m)?\d+m?s|\d+m)\b", "<span>"),
    (r"/\S*/target/tmp/\S*/", "<folder>/"),
];

/// How what a test prints is compared.
#[derive(Debug, Default)]
pub(super) struct Shown {
    more: Vec<(String, String)>,
}

impl Shown {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Replaces also this (a regular expression), before all else but blanks.
    pub(super) fn replace(mut self, pattern: impl Into<String>, word: impl Into<String>) -> Self {
        self.more.push((pattern.into(), word.into()));
        self
    }

    /// Compares a command's exit code and all that it printed with the snapshot of this name.
    #[track_caller]
    pub(super) fn assert(&self, name: &str, finished: &Finished) {
        let code = finished.status.code().map_or_else(|| "none".to_owned(), |code| code.to_string());
        let stderr = if finished.stderr.is_empty() { String::new() } else { format!("--- standard error\n{}", finished.stderr) };
        self.assert_text(name, &format!("exit code: {code}\n--- standard output\n{}{stderr}", finished.stdout));
    }

    /// Compares any text.
    #[track_caller]
    pub(super) fn assert_text(&self, name: &str, text: &str) {
        let mut settings = Settings::new();
        settings.set_snapshot_path("../snapshots");
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let (blanks, words) = FILTERS.split_at(1);
        for (pattern, word) in blanks {
            settings.add_filter(pattern, *word);
        }
        for (pattern, word) in &self.more {
            settings.add_filter(pattern, word.as_str());
        }
        for &(pattern, word) in words {
            settings.add_filter(pattern, word);
        }
        settings.bind(|| assert_snapshot!(name, text));
    }
}

/// The plugin with arguments separated by blanks, as a person types them.
pub(super) fn kubectl_chancery(ground: &Ground, line: &str) -> Program {
    Program::kubectl_chancery(ground).args(line.split_whitespace())
}

/// What a command printed for programs, by value.
#[track_caller]
pub(super) fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("no JSON: {error}: {finished:?}"))
}

/// What has another value in each run besides: the moment of a renewal is spread, and key ids are cut.
pub(super) fn shown() -> Shown {
    Shown::new()
        .replace(r"\bin 5\dd\b", "in 5xd")
        .replace(r"\bin (2\d\d|19\d)d\b", "in 2xxd")
        .replace(r"\b[0-9a-f]{16}\b", "<first digits>")
        .replace(r"\b\d+ octets", "<n> octets")
}

#[test]
fn what_differs_from_run_to_run_is_replaced_and_nothing_else() {
    let hash = "0123456789abcdef".repeat(4);
    let text = format!(
        "NAME   AGE     SERIAL\nweb    12s     01000000{}\n{hash} 2026-03-02T12:00:00Z 2026-03-02T12:00:00.123456Z\nresourceVersion: '17' \"resourceVersion\": \"17\"\nin 89d of 90d; http://127.0.0.1:40123/crl\n",
        "f".repeat(24)
    );
    Shown::new().assert_text("shown", &text);
}
