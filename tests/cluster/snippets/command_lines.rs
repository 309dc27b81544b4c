//! Command lines of ours, found in text, and whether the programs would take them.
//!
//! A command that is run tells by itself; this is for those that are only written down, and for flags on lines that nobody runs.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::harness::{Program, parse_manifests, program_path};

/// The programs whose command lines are looked at, as they begin.
const OURS: [&[&str]; 3] = [&["kubectl", "chancery"], &["chancery"], &["helm"]];

/// The command lines of ours in a text: their words, without what a shell would take for its own.
pub(super) fn of_ours(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    let mut found = Vec::new();
    for piece in joined.split(['\n', '|', ';', '(', ')', '`', '>']).flat_map(|piece| piece.split("&&")) {
        let piece = piece.split(" #").next().unwrap_or_default();
        let words: Vec<&str> = piece.split_whitespace().skip_while(|word| word.contains('=') && !word.starts_with('-')).collect();
        if OURS.iter().any(|start| words.len() > start.len() && words.starts_with(start)) {
            found.push(words.into_iter().map(|word| word.trim_matches(['"', '\'']).to_owned()).collect());
        }
    }
    found
}

/// What a text looks for in logs: the patterns of `logs .. | grep ..`, in small letters.
pub(super) fn looked_for_in_logs(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| line.contains(" logs "));
    let patterns = lines.filter_map(|line| Some(line.split_once("| grep ")?.1.trim_start_matches(['-', 'i', 'E', ' '])));
    let quoted = |pattern: &str| match pattern.strip_prefix('\'') {
        Some(pattern) => pattern.split('\'').next().map(str::to_owned),
        None => pattern.split_whitespace().next().map(str::to_owned),
    };
    patterns.filter_map(quoted).flat_map(|pattern| pattern.to_lowercase().split('|').map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// What the programs and the chart know.
pub(super) struct Known {
    help: HashMap<Vec<String>, Option<String>>,
    values: Value,
}

impl Known {
    /// With the chart's values.
    pub(super) fn new(values: &Path) -> Self {
        let text = fs::read_to_string(values).unwrap_or_else(|error| panic!("{}: {error}", values.display()));
        let values = parse_manifests(&text).ok().and_then(|mut documents| documents.pop()).expect("the chart has values");
        Self { help: HashMap::new(), values }
    }

    /// Whether a command line would be taken; why not.
    pub(super) async fn takes(&mut self, words: &[String]) -> Result<(), String> {
        if words[0] == "helm" {
            return self.sets(words);
        }
        let (program, mut rest) = if words[0] == "kubectl" { ("kubectl-chancery", &words[2..]) } else { ("chancery", &words[1..]) };
        let mut path = vec![program.to_owned()];
        while let Some(word) = rest.first().filter(|word| word.starts_with(|letter: char| letter.is_ascii_lowercase())) {
            let mut deeper = path.clone();
            deeper.push(word.clone());
            if self.help(&deeper).await.is_none() {
                break;
            }
            path = deeper;
            rest = &rest[1..];
        }
        let help = self.help(&path).await.expect("a program explains itself").to_owned();
        let commands = help.contains("\nCommands:");
        if commands && rest.first().is_some_and(|word| word.starts_with(|letter: char| letter.is_ascii_lowercase())) {
            return Err(format!("`{}` has no such command", path.join(" ")));
        }
        for word in rest.iter().filter(|word| word.starts_with('-') && *word != "-" && *word != "--") {
            let flag = word.split('=').next().unwrap_or_default();
            let known = help.split(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '[' | ']' | '=')).any(|one| one == flag);
            let known = known || matches!(flag, "--help" | "-h" | "--version" | "-V") || (flag.len() > 2 && !flag.starts_with("--"));
            if !known {
                return Err(format!("`{}` has no {flag}", path.join(" ")));
            }
        }
        Ok(())
    }

    /// The help of a subcommand, where there is one.
    async fn help(&mut self, path: &[String]) -> Option<&str> {
        if !self.help.contains_key(path) {
            let asked = Program::new(program_path(&path[0])).args(&path[1..]).args(["--help"]).finish().await;
            // What is no subcommand is an argument of the one before, and its help is shown.
            let usage = asked.stdout.lines().find(|line| line.starts_with("Usage:")).unwrap_or_default();
            let own = path[1..].iter().all(|word| usage.split_whitespace().any(|one| one == word));
            self.help.insert(path.to_vec(), (asked.status.success() && own).then_some(asked.stdout));
        }
        self.help[path].as_deref()
    }

    /// Whether the chart has what `--set` names.
    fn sets(&self, words: &[String]) -> Result<(), String> {
        for (flag, value) in words.iter().zip(words.iter().skip(1)) {
            if !matches!(flag.as_str(), "--set" | "--set-string" | "--set-json") {
                continue;
            }
            let path = value.split('=').next().unwrap_or_default();
            let mut at = &self.values;
            for part in path.split('.').map(|part| part.split('[').next().unwrap_or_default()) {
                match at {
                    Value::Object(fields) if fields.is_empty() => break,
                    Value::Object(fields) => at = fields.get(part).ok_or_else(|| format!("the chart has no value {path}"))?,
                    _ => break,
                }
            }
        }
        Ok(())
    }
}

#[test]
fn what_is_looked_for_in_logs_is_found() {
    let text = "kubectl -n a logs deploy/b --tail=2 | grep -i list\nkubectl logs c | grep 'not issued' || echo none\ncat d | grep e";
    assert_eq!(looked_for_in_logs(text), ["list", "not issued"]);
    assert_eq!(looked_for_in_logs("kubectl logs c | grep -E 'WARN|ERROR'"), ["warn", "error"]);
}

#[test]
fn command_lines_are_found_where_they_stand() {
    let text = "A=b kubectl chancery crl show x.crl | less\nkubectl get pods\nx=$(chancery crds) && helm install \\\n  a b --set c=d # why";
    let found: Vec<String> = of_ours(text).into_iter().map(|words| words.join(" ")).collect();
    assert_eq!(found, ["kubectl chancery crl show x.crl", "chancery crds", "helm install a b --set c=d"]);
}
