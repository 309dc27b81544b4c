//! `kubectl chancery register export` and `checkpoint`: what is kept elsewhere. Both are written as they are, so that what is signed or
//! compared later is the same octets: there is no other format. What was kept before is not replaced by what knows less.

use std::{
    io::{self, BufWriter, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::bail;
use chancery::{
    plugin::{
        output::{plain, written},
        register::{
            self,
            kept::{self, CheckpointFiles},
        },
    },
    register::export,
};

use super::{registers, text};
use crate::{access::OperatorNamespace, ended};

pub(super) async fn export(ids: &[String], file: &Path, force: bool, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let client = cluster.access.client().await?;
    let checkpoint = register::checkpoint(&client, &cluster.namespace).await?;
    let registers = registers(cluster).await?;
    let chosen = registers.chosen(ids)?.iter().map(|id| registers.one(id)).collect::<Result<Vec<_>, _>>()?;
    if chosen.is_empty() {
        // An export without a register looks like one that was taken, and says nothing. As with a checkpoint there is nothing to worry
        // about where none is kept; what becomes of standard output is not known.
        let (is_kept, named) = (file.try_exists()?, file != Path::new("-"));
        let stays = if is_kept { format!(", and {} stays as it is", file.display()) } else { String::new() };
        let _ = writeln!(io::stderr(), "nothing was exported{stays}: {}", register::none(&cluster.namespace));
        return Ok(ended(named && !is_kept));
    }
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
            Some(Ok(kept)) => kept::lost(&kept, &chosen, checkpoint.as_ref()),
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
    Ok(ended(chosen.iter().all(|examined| examined.faults.is_empty())))
}

pub(super) async fn checkpoint(save: Option<&Path>, force: bool, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let client = cluster.access.client().await?;
    let Some(signed) = register::checkpoint(&client, &cluster.namespace).await? else {
        return none(save, &cluster.namespace);
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
    Ok(ended(believed.is_ok()))
}

/// There is no checkpoint: nothing to worry about where none is kept either.
fn none(save: Option<&Path>, namespace: &str) -> anyhow::Result<ExitCode> {
    const YET: &str = "yet: the operator writes one some minutes after the first line";
    let Some(path) = save else { bail!("there is no checkpoint in namespace {namespace} {YET}") };
    let kept = CheckpointFiles::beside(path).are_kept()?;
    if kept {
        let _ = writeln!(io::stderr(), "{} stays as it is: there is no checkpoint in namespace {namespace} any more", path.display());
    } else {
        let _ = writeln!(
            io::stderr(),
            "nothing was saved: there is no checkpoint in namespace {namespace} {YET}, or none with --checkpoint-interval 0s"
        );
    }
    Ok(ended(!kept))
}

/// Says why nothing was written.
fn stays(file: &Path, why: &[String]) -> ExitCode {
    let _ = writeln!(io::stderr(), "{} was not replaced; --force does it all the same:", file.display());
    for one in why {
        let _ = writeln!(io::stderr(), "  {}", plain(one));
    }
    ended(false)
}
