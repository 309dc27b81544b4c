//! The command line of `kubectl chancery`: kubectl finds a program of this name on the PATH.
//!
//! A module for each group of commands holds its flags and calls the library (`chancery::plugin`), which does the work. Every
//! command ends with 0 where all is done and well, 1 where it could not be done, 2 where the command line is wrong, and 3 where it
//! was done and what it looked at is not as it should be.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use chancery::plugin::output::plain_lines;
use clap::{CommandFactory as _, Parser, Subcommand};

use crate::access::Misuse;

mod access;
mod check;
mod completion;
mod confirm;
mod crl;
mod given;
mod input;
mod inspect;
mod list;
mod migrate;
mod ocsp;
mod progress;
mod register;
mod renew;
mod revoke;
mod source;
mod status;
mod verify;
mod version;
mod way;

/// How a command ends that was not understood, as clap has it.
const MISUSED: u8 = 2;

/// How a command ends that found something not as it should be.
const NOT_WELL: u8 = 3;

/// How a command ends that looked at something, and found all well or not.
fn ended(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::from(NOT_WELL) }
}

/// Looks after certificates, authorities and revocation lists of Chancery.
#[derive(Debug, Parser)]
#[command(name = "kubectl-chancery", bin_name = "kubectl chancery", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Certificates, issuers and revocation lists, one a line: what ends first stands first.
    List(list::List),
    /// One object in depth: what holds, what to do, and what comes next. The exit code is 3 where it is not ready.
    ///
    /// It is 3 too where a Certificate's Secret is not as it should be, or its certificate is revoked by the published list.
    /// Of a Certificate: what is asked for, the Secret with its chain, the issuer, the revocation list, what was issued, Events. What may
    /// not be read is said, and is no failure.
    Status(status::Status),
    /// Asks for a new certificate now, with a new key where the Certificate does not keep it.
    Renew(renew::Renew),
    /// Revokes certificates: all that Certificates have had so far; or with --list by serial number, as the owner of the CA.
    ///
    /// It shows what will be revoked and asks; --yes does not ask. What is revoked stays revoked.
    Revoke(revoke::Revoke),
    /// Revocation lists (CRLs).
    #[command(subcommand)]
    Crl(crl::Crl),
    /// Says whether the installation is right: API server, CRDs, rights, pods, lease, clocks, registers, lists; and what to do next.
    ///
    /// The exit code is 3 where something is wrong. What may not be looked at is a warning.
    Check(check::Check),
    /// Shows certificates, from a Secret, a file or a TLS server, and what is wrong with them.
    ///
    /// Nobody is trusted here, and no key is printed. The exit code is 3 where something is wrong: a certificate has ended or begins later,
    /// the key is another's or weak, a certificate is not signed by the next one, or something cannot be read.
    Inspect(inspect::Inspect),
    /// Says what a relying party would say of a certificate: chain, time, names, purpose, constraints, revocation.
    ///
    /// The exit code is 0 where it is valid, 3 where it is not, and 1 where it could not be found out, also with --revocation require.
    Verify(verify::Verify),
    /// Asks an OCSP responder about a certificate, and explains its answer.
    ///
    /// The exit code is 0 where it is good, 3 where it is revoked or unknown or the answer cannot be relied on, and 1 where there is none.
    Ocsp(ocsp::Ocsp),
    /// The registers: what was done under each authority, line by line.
    #[command(subcommand)]
    Register(register::Register),
    /// Prints cert-manager's Certificates and issuers as manifests of Chancery; what differs is said on standard error.
    ///
    /// Nothing in a cluster is changed. Objects that are not cert-manager's are left out, and so are requests, orders and challenges that it
    /// made for a Certificate. An object that cannot be carried over whole is refused: nothing of it is printed, the report says why, and
    /// the exit code is 3.
    Migrate(migrate::Migrate),
    /// Prints what a shell needs to complete command lines; for `kubectl chancery` itself: completion kubectl.
    Completion(completion::Completion),
    /// What kubectl asks through kubectl_complete-chancery.
    #[command(name = "__complete", hide = true)]
    Complete(completion::Complete),
    /// Which versions are at work: of the plugin, the operator, and the kinds.
    Version(version::Version),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::List(command) => command.run(),
        Command::Status(command) => command.run(),
        Command::Renew(command) => command.run(),
        Command::Revoke(command) => command.run(),
        Command::Crl(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Inspect(command) => command.run(),
        Command::Verify(command) => command.run(),
        Command::Ocsp(command) => command.run(),
        Command::Register(command) => command.run(),
        Command::Migrate(command) => command.run(),
        Command::Completion(command) => command.run(Cli::command()),
        Command::Complete(command) => {
            let mut all = Cli::command();
            all.build();
            command.run(&all)
        }
        Command::Version(command) => command.run(),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{}", plain_lines(&format!("kubectl chancery: {error:#}")));
            if let Some(advice) = way::advice(&error) {
                let _ = writeln!(io::stderr(), "{advice}");
            }
            if error.is::<Misuse>() { ExitCode::from(MISUSED) } else { ExitCode::FAILURE }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::{Command, CommandFactory as _};

    use super::*;

    /// Each command that does something, with the words that lead to it.
    pub(super) fn commands() -> Vec<(Vec<String>, Command)> {
        fn below(command: &Command, path: &[String]) -> Vec<(Vec<String>, Command)> {
            let inner = command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help");
            let found = inner.flat_map(|inner| {
                let path = [path, &[inner.get_name().to_owned()]].concat();
                if inner.has_subcommands() { below(inner, &path) } else { vec![(path, inner.clone())] }
            });
            found.collect()
        }
        let mut whole = Cli::command();
        whole.build();
        below(&whole, &[])
    }

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_that_shows_something_prints_it_in_the_same_formats() {
        // What is kept as it is, what other programs read in a form of their own, and what asks a person.
        let others = ["crl fetch", "register export", "register checkpoint", "register restore", "migrate", "completion"];
        for (path, command) in commands() {
            let output = command.get_arguments().find(|argument| argument.get_id() == "output");
            let formats: Vec<String> =
                output.iter().flat_map(|output| output.get_possible_values()).map(|value| value.get_name().to_owned()).collect();
            let same = formats == ["table", "wide", "name", "json", "yaml"];
            assert_eq!(same, !others.contains(&path.join(" ").as_str()), "{path:?}: {formats:?}");
        }
    }
}
