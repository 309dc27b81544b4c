//! `kubectl chancery revoke`: certificates are good no more.

use std::{io, process::ExitCode, time::Duration};

use anstream::AutoStream;
use chancery::{
    api::{Certificate, OWNER_REASONS, RevocationList, TENANT_REASONS},
    cluster::{Clock as _, SystemClock},
    plugin::{
        change::DryRun,
        ocsp::serial,
        output, read,
        revoke::{
            self, Terms, Victim, Wish,
            order::{self, Act, Orders},
        },
    },
};
use chancery_pki::{KeyId, Reason, SerialNumber};
use clap::Args;
use jiff::Timestamp;
use kube::{Api, Client};

use crate::access::{Change, Chosen, Misuse, Operator, duration, namespaced, runtime};
use crate::{
    NOT_WELL,
    confirm::confirm,
    progress::{during, progress},
};

#[derive(Args, Debug)]
pub(crate) struct Revoke {
    #[command(flatten)]
    chosen: Chosen,
    /// Why, which those who check certificates are told: keyCompromise, superseded, affiliationChanged, cessationOfOperation,
    /// unspecified; with --list also cACompromise, privilegeWithdrawn, aACompromise.
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Option<Reason>,
    /// What was issued before this time is revoked: now, or as 2026-03-02T12:00:00Z.
    #[arg(long, value_name = "TIME", default_value = "now", value_parser = before, conflicts_with = "list")]
    issued_before: Before,
    /// Since when the certificates were not to be trusted, if that is known: 2026-03-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    invalidity_date: Option<Timestamp>,
    /// Orders it of a RevocationList instead, as the owner of the CA: by --serial and --key-id.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced, conflicts_with_all = ["names", "selector", "all", "namespace", "all_namespaces"])]
    list: Option<(String, String)>,
    /// The serial number of a certificate, hexadecimal, with or without colons; repeatable.
    #[arg(long = "serial", value_name = "HEX", value_parser = serial, value_delimiter = ',')]
    serials: Vec<SerialNumber>,
    /// All certificates with this key, which is blocked too; repeatable.
    #[arg(long = "key-id", value_name = "HEX", value_delimiter = ',')]
    keys: Vec<KeyId>,
    /// Puts them on hold: on the list until they are released.
    #[arg(long, conflicts_with_all = ["reason", "release"])]
    hold: bool,
    /// Releases what is on hold.
    #[arg(long, conflicts_with_all = ["reason", "invalidity_date", "keys"])]
    release: bool,
    /// Does not ask.
    #[arg(short, long)]
    yes: bool,
    /// Waits until all stands on a published list.
    #[arg(long)]
    wait: bool,
    /// How long that may take.
    #[arg(long, default_value = "2m", value_parser = duration, requires = "wait")]
    timeout: Duration,
    #[command(flatten)]
    operator: Operator,
    #[command(flatten)]
    change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    Now,
    Time(Timestamp),
}

fn before(text: &str) -> Result<Before, String> {
    if text == "now" {
        return Ok(Before::Now);
    }
    let time: Timestamp = text.parse().map_err(|_| "write now, or a time as 2026-03-02T12:00:00Z".to_owned())?;
    Ok(Before::Time(time))
}

fn reason(text: &str) -> Result<Reason, String> {
    let known = Reason::ALL.into_iter().find(|reason| reason.as_str().eq_ignore_ascii_case(text));
    known.ok_or_else(|| format!("use one of {}", words(&OWNER_REASONS)))
}

/// What is given a second time.
fn twice<T: PartialEq>(given: &[T]) -> Option<&T> {
    given.iter().enumerate().find(|(place, one)| given[..*place].contains(one)).map(|(_, one)| one)
}

fn words(reasons: &[Reason]) -> String {
    reasons.iter().map(|reason| reason.as_str()).collect::<Vec<_>>().join(", ")
}

impl Revoke {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        // clap drops a `requires` where the names exclude what is required.
        let of_list = !self.serials.is_empty() || !self.keys.is_empty() || self.hold || self.release;
        if self.list.is_none() && of_list {
            return Err(Misuse::error("--serial, --key-id, --hold and --release need --list NAMESPACE/NAME"));
        }
        if self.list.is_none() && self.chosen.is_empty() {
            return Err(Misuse::error("name the Certificates, or choose them by -l LABELS or --all; or say --list and --serial"));
        }
        if self.list.is_some() && self.serials.is_empty() && self.keys.is_empty() {
            return Err(Misuse::error("--list needs --serial or --key-id"));
        }
        if let Some(serial) = twice(&self.serials) {
            return Err(Misuse::error(format!("serial {serial} is given twice")));
        }
        if let Some(key) = twice(&self.keys) {
            return Err(Misuse::error(format!("key {key} is given twice")));
        }
        let allowed: &[Reason] = if self.list.is_some() { &OWNER_REASONS } else { &TENANT_REASONS };
        if let Some(reason) = self.reason.filter(|reason| !allowed.contains(reason)) {
            return Err(Misuse::error(format!("--reason {reason} cannot be given here: use one of {}", words(allowed))));
        }
        runtime()?.block_on(async {
            let client = self.chosen.extent.access.client().await?;
            match &self.list {
                Some((namespace, name)) => self.order(&client, namespace, name).await,
                None => self.ask(&client).await,
            }
        })
    }

    fn terms(&self) -> Terms {
        Terms { dry_run: self.change.dry_run, wait: self.wait.then_some(self.timeout) }
    }

    /// What goes on while it is waited for.
    fn doing(&self) -> &'static str {
        if self.wait { "waiting for the published lists" } else { "asking the API server" }
    }

    async fn ask(&self, client: &Client) -> anyhow::Result<ExitCode> {
        let certificates: Vec<Certificate> = self.chosen.objects(client).await?;
        let issued_before = match self.issued_before {
            Before::Now => None,
            Before::Time(time) => Some(time),
        };
        let wish = Wish { issued_before, reason: self.reason, invalidity_date: self.invalidity_date };
        let now = SystemClock.now();
        let victims = revoke::victims(client, &self.operator.operator_namespace, &certificates, wish, now).await;
        let mut error = AutoStream::auto(io::stderr());
        let _ = revoke::show(&victims, now, &mut error);
        self.confirmed(|| question(&victims))?;
        let all = victims.len();
        let told = |count: usize| progress(&format!("asking the API server: {count} of {all}"));
        let done = during(self.doing(), revoke::revoke(client, &certificates, victims, wish, self.terms(), told)).await;
        output::print(&done, self.change.printed.output)?;
        Ok(match () {
            () if done.failed() => ExitCode::FAILURE,
            () if done.ill() => ExitCode::from(NOT_WELL),
            () => ExitCode::SUCCESS,
        })
    }

    async fn order(&self, client: &Client, namespace: &str, name: &str) -> anyhow::Result<ExitCode> {
        let act = match (self.hold, self.release) {
            (true, _) => Act::Hold,
            (_, true) => Act::Release,
            _ => Act::Revoke(self.reason),
        };
        let orders = Orders { serials: self.serials.clone(), keys: self.keys.clone(), act, invalidity_date: self.invalidity_date };
        let list: RevocationList = read::one(&Api::namespaced(client.clone(), namespace), name).await?;
        let mut error = AutoStream::auto(io::stderr());
        let _ = order::show(&list, &orders, &mut error);
        self.confirmed(|| (format!("Type the name of the list ({name}) to {}", act.word()), name.to_owned()))?;
        let done = during(self.doing(), order::order(client, &list, &orders, self.terms())).await?;
        output::print(&done, self.change.printed.output)?;
        Ok(if done.problem.is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Asks, unless nothing will be changed or nobody is to be asked.
    fn confirmed(&self, question: impl FnOnce() -> (String, String)) -> anyhow::Result<()> {
        if self.yes || self.change.dry_run != DryRun::None {
            return Ok(());
        }
        let (question, word) = question();
        confirm(&output::plain(&question), &word)
    }
}

/// What a person types: the name of one, the number of many.
fn question(victims: &[Victim]) -> (String, String) {
    match victims {
        [one] => (format!("Type the name of the Certificate ({}) to revoke", one.name), one.name.clone()),
        many => (format!("Type the number of Certificates ({}) to revoke", many.len()), many.len().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_reasons_and_serials_are_read_as_people_write_them() {
        assert_eq!(before("now"), Ok(Before::Now));
        assert!(before("2026-03-02T12:00:00Z").is_ok() && before("yesterday").is_err());
        assert_eq!(reason("KeyCompromise"), Ok(Reason::KeyCompromise));
        assert!(reason("stolen").unwrap_err().contains("keyCompromise"));
        assert_eq!(serial("01:0A").unwrap().to_string(), "010a");
        assert!(serial("xy").is_err());
    }
}
