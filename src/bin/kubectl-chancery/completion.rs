//! `kubectl chancery completion`: what a shell, or kubectl, needs to complete a command line.
//!
//! Shells get the scripts of clap, for `kubectl-chancery`. For `kubectl chancery` kubectl itself asks a program
//! `kubectl_complete-chancery` on the PATH, in the protocol of its own commands: this answers it, names of objects included.

use std::{
    fmt::Debug,
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use chancery::{
    api::{Certificate, ClusterIssuer, Issuer, RevocationList},
    plugin::output,
};
use clap::{Arg, Args, Command, ValueEnum};
use clap_complete::{Shell, generate};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Config, Resource, api::ListParams, config::KubeConfigOptions, core::PartialObjectMeta};
use serde::de::DeserializeOwned;

use crate::access::runtime;

/// How long a cluster may take to name what could be meant: a person waits.
const PATIENCE: Duration = Duration::from_secs(3);
/// How many names are asked for.
const MOST: u32 = 500;

/// kubectl: files are no answer.
const NO_FILES: u8 = 4;
/// kubectl: a file may be meant.
const FILES: u8 = 0;

#[derive(Args, Debug)]
pub(crate) struct Completion {
    /// The shell; or kubectl for the program kubectl_complete-chancery, which kubectl asks.
    #[arg(value_name = "SHELL")]
    shell: Target,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
    Kubectl,
}

/// The program that kubectl asks.
const FOR_KUBECTL: &str =
    "#!/bin/sh\n# kubectl asks this program what may follow `kubectl chancery`.\nexec kubectl-chancery __complete -- \"$@\"\n";

impl Completion {
    pub(crate) fn run(self, mut command: Command) -> anyhow::Result<ExitCode> {
        let shell = match self.shell {
            Target::Bash => Shell::Bash,
            Target::Zsh => Shell::Zsh,
            Target::Fish => Shell::Fish,
            Target::PowerShell => Shell::PowerShell,
            Target::Kubectl => {
                output::written(io::stdout().write_all(FOR_KUBECTL.as_bytes()))?;
                return Ok(ExitCode::SUCCESS);
            }
        };
        let mut script = Vec::new();
        generate(shell, &mut command, "kubectl-chancery", &mut script);
        output::written(io::stdout().write_all(&script))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What kubectl asks: the words so far, the last one to be completed.
#[derive(Args, Debug)]
pub(crate) struct Complete {
    /// The words after `kubectl chancery`.
    #[arg(value_name = "WORD", trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Complete {
    pub(crate) fn run(self, command: &Command) -> anyhow::Result<ExitCode> {
        let (last, before) = self.words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
        let (found, files) = match wanted(command, before, last) {
            Wanted::Words(words) => (words, NO_FILES),
            Wanted::Files => (Vec::new(), FILES),
            // No cluster, or none that answers in time: nothing is offered, and nothing is said into the command line.
            Wanted::Objects(kind) => (runtime()?.block_on(objects(kind, before)).unwrap_or_default(), NO_FILES),
        };
        let mut text = String::new();
        for word in found.iter().filter(|word| word.starts_with(last)) {
            text.extend([output::plain(word).as_str(), "\n"]);
        }
        // The protocol of kubectl's own commands: words, then what the shell is to do.
        output::written(writeln!(io::stdout(), "{text}:{files}"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What may stand at the end of a command line.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Words(Vec<String>),
    Objects(Kind),
    Files,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Certificates,
    Issuers,
    ClusterIssuers,
    Lists,
    Namespaces,
}

fn wanted(command: &Command, before: &[String], last: &str) -> Wanted {
    let mut command = command;
    let mut values: Vec<&str> = Vec::new();
    let mut pending: Option<&Arg> = None;
    for word in before {
        if pending.take().is_some() {
            continue;
        }
        if word.starts_with('-') {
            pending = flag(command, word).filter(|arg| takes_value(arg) && !word.contains('='));
        } else if let Some(inner) = command.find_subcommand(word) {
            command = inner;
            values.clear();
        } else {
            values.push(word);
        }
    }
    if let Some(arg) = pending {
        return of_value(command, arg, &values);
    }
    if last.starts_with('-') {
        if let (Some(arg), Some((name, _))) = (flag(command, last), last.split_once('=')) {
            let prefixed = |words: Vec<String>| Wanted::Words(words.into_iter().map(|word| format!("{name}={word}")).collect());
            return match of_value(command, arg, &values) {
                Wanted::Words(words) => prefixed(words),
                other => other,
            };
        }
        let mut flags: Vec<String> =
            command.get_arguments().filter(|arg| !arg.is_hide_set()).filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
        flags.push("--help".to_owned());
        return Wanted::Words(flags);
    }
    let inner: Vec<String> =
        command.get_subcommands().filter(|inner| !inner.is_hide_set()).map(|inner| inner.get_name().to_owned()).collect();
    if !inner.is_empty() {
        return Wanted::Words(inner);
    }
    let mut places = command.get_positionals();
    match places.nth(values.len()).or_else(|| command.get_positionals().last()) {
        Some(arg) => of_value(command, arg, &values),
        None => Wanted::Words(Vec::new()),
    }
}

fn flag<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    let name = word.split_once('=').map_or(word, |(name, _)| name);
    command.get_arguments().find(|arg| match name.strip_prefix("--") {
        Some(long) => arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&long)),
        None => arg.get_short().is_some_and(|short| name.strip_prefix('-').is_some_and(|letters| letters.ends_with(short))),
    })
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|range| range.takes_values()) && !arg.is_require_equals_set()
}

/// What an argument may be, after the positional values before it.
fn of_value(command: &Command, arg: &Arg, values: &[&str]) -> Wanted {
    let possible: Vec<String> =
        arg.get_possible_values().iter().filter(|value| !value.is_hide_set()).map(|value| value.get_name().to_owned()).collect();
    if !possible.is_empty() {
        return Wanted::Words(possible);
    }
    match (command.get_name(), arg.get_id().as_str()) {
        (_, "namespace" | "operator_namespace") => Wanted::Objects(Kind::Namespaces),
        ("renew" | "revoke", "names") => Wanted::Objects(Kind::Certificates),
        ("status", "object") => match values.first().copied() {
            None | Some("certificate" | "certificates" | "ccert") => Wanted::Objects(Kind::Certificates),
            Some("issuer" | "issuers" | "cissuer") => Wanted::Objects(Kind::Issuers),
            Some("clusterissuer" | "clusterissuers" | "cclusterissuer") => Wanted::Objects(Kind::ClusterIssuers),
            Some("list" | "lists" | "crl") => Wanted::Objects(Kind::Lists),
            Some(_) => Wanted::Words(Vec::new()),
        },
        (_, "kubeconfig" | "certificate_authority" | "file" | "files" | "ca") => Wanted::Files,
        _ => Wanted::Words(Vec::new()),
    }
}

/// The names of the objects of a kind, where the words so far say that they are.
async fn objects(kind: Kind, words: &[String]) -> Option<Vec<String>> {
    let options = KubeConfigOptions {
        context: value_of(words, &["--context"]),
        cluster: value_of(words, &["--cluster"]),
        user: value_of(words, &["--user"]),
    };
    let config = match value_of(words, &["--kubeconfig"]) {
        Some(path) => Config::from_custom_kubeconfig(kube::config::Kubeconfig::read_from(path).ok()?, &options).await,
        None => Config::from_kubeconfig(&options).await,
    };
    let client = Client::try_from(config.ok()?).ok()?;
    let namespace = value_of(words, &["--namespace", "-n"]).unwrap_or_else(|| client.default_namespace().to_owned());
    let asked = async {
        match kind {
            Kind::Certificates => names(&Api::<Certificate>::namespaced(client, &namespace)).await,
            Kind::Issuers => names(&Api::<Issuer>::namespaced(client, &namespace)).await,
            Kind::ClusterIssuers => names(&Api::<ClusterIssuer>::all(client)).await,
            Kind::Lists => names(&Api::<RevocationList>::namespaced(client, &namespace)).await,
            Kind::Namespaces => names(&Api::<Namespace>::all(client)).await,
        }
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten()
}

async fn names<K: Resource + Clone + Debug + DeserializeOwned>(api: &Api<K>) -> Option<Vec<String>> {
    let found = api.list_metadata(&ListParams::default().limit(MOST)).await.ok()?;
    Some(found.items.into_iter().filter_map(|object: PartialObjectMeta<K>| object.metadata.name).collect())
}

/// The value of a flag among the words.
fn value_of(words: &[String], flags: &[&str]) -> Option<String> {
    let place = words.iter().rposition(|word| flags.contains(&word.split_once('=').map_or(word.as_str(), |(name, _)| name)))?;
    match words[place].split_once('=') {
        Some((_, value)) => Some(value.to_owned()),
        None => words.get(place + 1).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn offered(line: &str) -> Wanted {
        let mut command = crate::Cli::command();
        command.build();
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (last, before) = words.split_last().unwrap();
        wanted(&command, before, last)
    }

    #[test]
    fn what_may_follow_is_told_by_the_words_before() {
        let rows = [
            ("renew ", Wanted::Objects(Kind::Certificates)),
            ("revoke a b", Wanted::Objects(Kind::Certificates)),
            ("status ", Wanted::Objects(Kind::Certificates)),
            ("status issuer ", Wanted::Objects(Kind::Issuers)),
            ("status -n team clusterissuer ", Wanted::Objects(Kind::ClusterIssuers)),
            ("status crl ", Wanted::Objects(Kind::Lists)),
            ("renew -n ", Wanted::Objects(Kind::Namespaces)),
            ("renew --wait ", Wanted::Objects(Kind::Certificates)),
            ("renew --kubeconfig ", Wanted::Files),
        ];
        for (line, expected) in rows {
            assert_eq!(offered(line), expected, "{line:?}");
        }
        let words = |line: &str| match offered(line) {
            Wanted::Words(words) => words,
            other => panic!("{line:?}: {other:?}"),
        };
        assert!(words("").contains(&"revoke".to_owned()) && !words("").contains(&"__complete".to_owned()));
        assert_eq!(words("list "), ["certificates", "issuers", "lists"]);
        assert!(words("list -o ").contains(&"yaml".to_owned()));
        assert!(words("list -o=").contains(&"-o=yaml".to_owned()));
        assert!(words("renew --").contains(&"--dry-run".to_owned()) && words("renew --").contains(&"--all".to_owned()));
    }
}
