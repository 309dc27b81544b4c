//! `kubectl chancery register`: the registers as audit.

use std::{
    io::{self, BufWriter, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context as _, bail};
use chancery::{
    api::GoDuration,
    cluster::{Clock as _, SystemClock},
    plugin::{
        output::{escaped, plain, print, written},
        register::{
            self, Registers,
            follow::{Follow, follow},
            kept::{self, CheckpointFiles},
            list::list,
            restore,
            show::{self, Filter},
            verify::{Subject, Witness, verify},
        },
    },
    register::{Act, RegisterId, checkpoint::Signed, export},
};
use chancery_pki::SerialNumber;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;

use crate::{
    NOT_WELL,
    access::{OperatorNamespace, Printed, duration, namespaced, runtime},
    input::read,
    progress::progress,
};

#[derive(Debug, Subcommand)]
pub(crate) enum Register {
    /// Shows which registers there are, and how they stand.
    List {
        #[command(flatten)]
        printed: Printed,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Shows lines of registers.
    Show(Show),
    /// Finds lines that were altered, moved or are missing, and ends that were cut off.
    ///
    /// Each line carries the hash of the one before it. That shows all but what happened at the end; for that the checkpoint that the
    /// operator keeps is compared, and any that you give. The exit code is 3 where something is wrong.
    Verify(Verify),
    /// Prints new lines as they come, until it is ended with Ctrl-C.
    Follow {
        /// The register: common, or a keyID or its first digits. Unset: all.
        id: Option<String>,
        /// Begin after this line of each register. Unset: with what is new.
        #[arg(long, value_name = "NUMBER")]
        since_sequence: Option<u64>,
        /// How lines are printed.
        #[arg(short, long, value_name = "FORMAT", default_value = "table")]
        output: Lines,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Writes registers, and the checkpoint of now, as one JSON object a line. The same registers give the same file.
    Export {
        /// The registers: common, or a keyID or its first digits. Unset: all.
        ids: Vec<String>,
        /// The file; - for standard output.
        #[arg(short, long, value_name = "FILE", default_value = "-")]
        file: PathBuf,
        /// Replace the file also where it has lines that would be lost with it.
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Prints the last checkpoint, or saves it where the operator cannot write.
    ///
    /// What is there stays, and the exit code is 3, where the signature is not believed, another key signed, or the checkpoint that is
    /// there is newer.
    Checkpoint {
        /// Save it as FILE, its signature as FILE.sig and the public key as FILE.pem.
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
        /// Replace also the checkpoint of another key, and a newer one.
        #[arg(long, requires = "save")]
        force: bool,
        #[command(flatten)]
        cluster: OperatorNamespace,
    },
    /// Hands exported lines back, so that what registers have lost is on record again.
    ///
    /// Where the lines go on exactly where a register ends, they come back as they were. Where it has gone on otherwise since, what they say
    /// and the register does not know is recorded once more.
    Restore(Restore),
}

#[derive(Args, Debug)]
pub(crate) struct Show {
    /// The registers: common, or a keyID or its first digits. Unset: all.
    ids: Vec<String>,
    /// Only lines of this act, as revoked (repeatable).
    #[arg(long, value_name = "ACT", value_parser = show::act)]
    act: Vec<Act>,
    /// Only lines about the certificate with this serial.
    #[arg(long, value_parser = serial)]
    serial: Option<SerialNumber>,
    /// Only lines about this Certificate.
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = namespaced)]
    certificate: Option<(String, String)>,
    /// Only lines since then: a time, or how long ago, as 24h.
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// How lines are printed; json prints them as they stand.
    #[arg(short, long, value_name = "FORMAT", default_value = "table")]
    output: Lines,
    #[command(flatten)]
    cluster: OperatorNamespace,
}

#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The registers: common, or a keyID or its first digits. Unset: all.
    ids: Vec<String>,
    /// All registers, which is so where none is named.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
    /// Look at this export or log in place of the cluster; - for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Compare with an older export or log, and tell the first difference.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Compare with this checkpoint, as `register checkpoint --save` wrote it (with FILE.sig beside it).
    #[arg(long, value_name = "FILE", requires = "checkpoint_key")]
    checkpoint: Option<PathBuf>,
    /// The public key (PEM) that must have signed checkpoints. Unset: the one beside the operator's checkpoint.
    #[arg(long, value_name = "FILE")]
    checkpoint_key: Option<PathBuf>,
    #[command(flatten)]
    printed: Printed,
    #[command(flatten)]
    cluster: OperatorNamespace,
}

#[derive(Args, Debug)]
pub(crate) struct Restore {
    /// The registers: common, or a keyID or its first digits. Unset: all that the file has.
    ids: Vec<String>,
    /// The export, or a log with the lines; - for standard input.
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// The register as it stands was begun anew, and has no line in common with the file.
    #[arg(long)]
    begun_anew: bool,
    /// Say what would be done, and do nothing.
    #[arg(long)]
    dry_run: bool,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
    /// How long the operator may take.
    #[arg(long, default_value = "5m", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    cluster: OperatorNamespace,
}

/// How lines are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lines {
    /// For people.
    Table,
    /// For people, with all columns.
    Wide,
    /// As they stand: a JSON object a line.
    Json,
}

/// A time, or how long ago.
#[derive(Clone, Copy, Debug)]
enum Since {
    Time(Timestamp),
    Ago(Duration),
}

impl std::str::FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = text.parse() {
            return Ok(Self::Time(time));
        }
        let duration: GoDuration = text.parse().map_err(|_| "write a time as 2026-06-01T12:00:00Z, or how long ago as 24h".to_owned())?;
        Duration::try_from(duration.get()).map(Self::Ago).map_err(|error| error.to_string())
    }
}

impl Since {
    fn time(self) -> Timestamp {
        match self {
            Self::Time(time) => time,
            Self::Ago(ago) => SystemClock.now().checked_sub(ago).unwrap_or(Timestamp::MIN),
        }
    }
}

fn serial(text: &str) -> Result<SerialNumber, String> {
    text.replace(':', "").to_lowercase().parse().map_err(|error| format!("{error}"))
}

impl Register {
    pub(crate) fn run(self) -> anyhow::Result<ExitCode> {
        runtime()?.block_on(async {
            match self {
                Self::List { printed, cluster } => {
                    let listed = list(&registers(&cluster).await?);
                    print(&listed, printed.output)?;
                    Ok(code(listed.is_sound()))
                }
                Self::Show(command) => command.run().await,
                Self::Verify(command) => command.run().await,
                Self::Follow { id, since_sequence, output, cluster } => {
                    let client = cluster.access.client().await?;
                    let only = match id {
                        Some(id) => Registers::read(&client, &cluster.namespace).await?.chosen(&[id])?.first().copied(),
                        None => None,
                    };
                    let what = Follow { namespace: &cluster.namespace, only, since: since_sequence, raw: output == Lines::Json };
                    follow(&client, what, &mut io::stdout().lock()).await?;
                    Ok(ExitCode::SUCCESS)
                }
                Self::Export { ids, file, force, cluster } => export(&ids, &file, force, &cluster).await,
                Self::Checkpoint { save, force, cluster } => checkpoint(save.as_deref(), force, &cluster).await,
                Self::Restore(command) => command.run().await,
            }
        })
    }
}

fn code(well: bool) -> ExitCode {
    if well { ExitCode::SUCCESS } else { ExitCode::from(NOT_WELL) }
}

async fn registers(cluster: &OperatorNamespace) -> anyhow::Result<Registers> {
    let client = cluster.access.client().await?;
    progress(&format!("reading the registers of {}", cluster.namespace));
    let read = Registers::read(&client, &cluster.namespace).await;
    progress("");
    read
}

impl Show {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let registers = registers(&self.cluster).await?;
        let chosen = registers.chosen(&self.ids)?;
        let examined = chosen.iter().map(|id| registers.one(id)).collect::<Result<Vec<_>, _>>()?;
        let filter = Filter { acts: self.act, serial: self.serial, certificate: self.certificate, since: self.since.map(Since::time) };
        let lines = show::chosen(&examined, &filter);
        let mut out = BufWriter::new(anstream::AutoStream::auto(io::stdout().lock()));
        let done = match self.output {
            Lines::Json => lines.iter().try_for_each(|(_, line)| writeln!(out, "{}", escaped(&line.text))),
            wide => show::table(&lines, chosen.len() > 1, wide == Lines::Wide, &mut out),
        };
        written(done.and_then(|()| out.flush()))?;
        for (id, fault) in examined.iter().flat_map(|examined| examined.faults.iter().map(|fault| (examined.id, fault))) {
            let _ = writeln!(io::stderr(), "register {id}: {}", plain(&fault.to_string()));
        }
        Ok(code(examined.iter().all(|examined| examined.faults.is_empty())))
    }
}

impl Verify {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let key = self.checkpoint_key.as_deref().map(text).transpose()?;
        let against = self.against.as_deref().map(|path| anyhow::Ok((path.display().to_string(), exported(path)?))).transpose()?;
        let mut subject = Subject { copy: against.as_ref().map(|(who, export)| (who.clone(), export)), ..Subject::default() };
        let (registers, checkpoint) = if let Some(path) = &self.file {
            let export = exported(path)?;
            let examined = export.registers.iter().map(|(id, exported)| (*id, exported.examine(id.unwrap_or(RegisterId::Common))));
            (examined.collect(), export.checkpoint.clone())
        } else {
            let client = self.cluster.access.client().await?;
            progress(&format!("reading the registers of {}", self.cluster.namespace));
            // The checkpoint first: registers only grow, so that they are never behind it.
            let checkpoint = register::checkpoint(&client, &self.cluster.namespace).await?;
            let read = Registers::read(&client, &self.cluster.namespace).await?;
            progress("");
            subject.only = if self.ids.is_empty() { Vec::new() } else { read.chosen(&self.ids)? };
            (read.registers.into_iter().map(|(id, examined)| (Some(id), examined)).collect(), checkpoint)
        };
        subject.registers = registers;
        if self.file.is_some() && !self.ids.is_empty() {
            subject.only = self.ids.iter().map(|id| id.parse().with_context(|| id.clone())).collect::<Result<_, _>>()?;
        }
        let name = if self.file.is_some() { "the checkpoint in the file" } else { "the operator's checkpoint" };
        believe(&mut subject, name, checkpoint.as_ref(), key.as_deref());
        if let Some(path) = &self.checkpoint {
            let signature = read(&beside(path, "sig"))?;
            let saved = Signed { text: text(path)?, signature, key: String::new() };
            believe(&mut subject, &format!("the checkpoint {}", path.display()), Some(&saved), key.as_deref());
        }
        let verified = verify(subject);
        print(&verified, self.printed.output)?;
        Ok(code(verified.is_sound()))
    }
}

fn believe(subject: &mut Subject<'_>, who: &str, signed: Option<&Signed>, key: Option<&str>) {
    let Some(signed) = signed else { return };
    match signed.verified(key.unwrap_or(&signed.key)) {
        Ok(checkpoint) => subject.witnesses.push(Witness { who: who.to_owned(), checkpoint }),
        Err(error) => subject.unbelieved.push(format!("{who}: {error}")),
    }
}

fn text(path: &Path) -> anyhow::Result<String> {
    String::from_utf8(read(path)?).with_context(|| format!("{}: no text", path.display()))
}

fn exported(path: &Path) -> anyhow::Result<export::Export> {
    export::read(&text(path)?).with_context(|| path.display().to_string())
}

/// A file that belongs to another: `FILE.sig`.
fn beside(path: &Path, extension: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(extension);
    name.into()
}

async fn export(ids: &[String], file: &Path, force: bool, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let client = cluster.access.client().await?;
    let checkpoint = register::checkpoint(&client, &cluster.namespace).await?;
    let registers = registers(cluster).await?;
    let chosen = registers.chosen(ids)?.iter().map(|id| registers.one(id)).collect::<Result<Vec<_>, _>>()?;
    for (id, fault) in chosen.iter().flat_map(|examined| examined.faults.iter().map(|fault| (examined.id, fault))) {
        let _ = writeln!(io::stderr(), "register {id}: {}", plain(&fault.to_string()));
    }
    if file == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        written(register::export(chosen.iter().copied(), checkpoint.as_ref(), &mut out).and_then(|()| out.flush()))?;
    } else {
        // A pipe has nothing to lose, and must not be read.
        let kept = file.is_file().then(|| text(file)).transpose()?;
        let lost = match kept.filter(|_| !force).map(|kept| export::read(&kept)) {
            Some(Ok(kept)) => kept::lost(&kept, &chosen),
            Some(Err(error)) => vec![error.to_string()],
            None => Vec::new(),
        };
        if !lost.is_empty() {
            return Ok(stays(file, &lost));
        }
        let mut octets = Vec::new();
        register::export(chosen.iter().copied(), checkpoint.as_ref(), &mut octets)?;
        kept::replace(file, &octets)?;
    }
    Ok(code(chosen.iter().all(|examined| examined.faults.is_empty())))
}

async fn checkpoint(save: Option<&Path>, force: bool, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let client = cluster.access.client().await?;
    let Some(signed) = register::checkpoint(&client, &cluster.namespace).await? else {
        bail!("there is no checkpoint in namespace {} yet: the operator writes one some minutes after the first line", cluster.namespace);
    };
    let believed = signed.verified(&signed.key);
    match (save, &believed) {
        (Some(path), Ok(checkpoint)) => {
            let files = CheckpointFiles::beside(path);
            let objections = if force { Vec::new() } else { files.objections(checkpoint)? };
            if !objections.is_empty() {
                return Ok(stays(path, &objections));
            }
            files.replace(&signed)?;
            written(writeln!(io::stdout(), "saved as {0}, its signature as {0}.sig and the public key as {0}.pem", path.display()))?;
        }
        (Some(_), Err(_)) => {}
        (None, _) => written(io::stdout().write_all(signed.text.as_bytes()))?,
    }
    if let Err(error) = &believed {
        let _ = writeln!(io::stderr(), "{}", plain(&error.to_string()));
    }
    Ok(code(believed.is_ok()))
}

/// Says why nothing was written.
fn stays(file: &Path, why: &[String]) -> ExitCode {
    let _ = writeln!(io::stderr(), "{} was not replaced; --force does it all the same:", file.display());
    for one in why {
        let _ = writeln!(io::stderr(), "  {}", plain(one));
    }
    code(false)
}

impl Restore {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let export = exported(&self.file)?;
        let standing = registers(&self.cluster).await?;
        let planned = restore::plan(&export, &self.ids, &standing, self.begun_anew, SystemClock.now())?;
        let mut out = io::stdout();
        for one in &planned {
            written(writeln!(out, "{}", plain(&one.sentence())))?;
        }
        let wanted: Vec<_> = planned.iter().filter(|one| one.recovery != chancery::register::recover::Recovery::Nothing).collect();
        if self.dry_run || wanted.is_empty() {
            return Ok(ExitCode::SUCCESS);
        }
        if !self.yes && !confirmed()? {
            bail!("nothing was done");
        }
        let client = self.cluster.access.client().await?;
        let mut handed = Vec::new();
        for one in &wanted {
            handed.push(restore::hand_over(&client, &self.cluster.namespace, one, self.begun_anew).await);
        }
        progress("waiting for the operator");
        let taken = handed.into_iter().map(async |handed| handed?.taken(self.timeout).await);
        let taken = futures::future::join_all(taken).await;
        progress("");
        let mut left = 0;
        for (one, done) in wanted.iter().zip(taken) {
            match done {
                Ok(()) => written(writeln!(out, "{}: done", one.id))?,
                Err(error) => {
                    left += 1;
                    let _ = writeln!(io::stderr(), "register {}: {}", one.id, plain(&format!("{error:#}")));
                }
            }
        }
        if left > 0 {
            bail!("{left} of {} registers were not restored", wanted.len());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Asks on the terminal.
fn confirmed() -> anyhow::Result<bool> {
    if !io::stdin().is_terminal() {
        bail!("nothing was done: there is no terminal to ask on, so say --yes");
    }
    write!(io::stderr(), "Hand this over to the operator? [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
