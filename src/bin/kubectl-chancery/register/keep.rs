//! `kubectl chancery register export` and `checkpoint`: what is kept elsewhere. Both are written as they are, so that what is signed or
//! compared later is the same octets: there is no other format.

use std::{
    fs::File,
    io::{self, BufWriter, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, bail};
use chancery::plugin::{
    output::{plain, written},
    register,
};

use super::{beside, registers};
use crate::{access::OperatorNamespace, ended};

pub(super) async fn export(ids: &[String], file: &Path, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let client = cluster.access.client().await?;
    let checkpoint = register::checkpoint(&client, &cluster.namespace).await?;
    let registers = registers(cluster).await?;
    let chosen = registers.chosen(ids)?.iter().map(|id| registers.one(id)).collect::<Result<Vec<_>, _>>()?;
    if file == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        written(register::export(chosen.iter().copied(), checkpoint.as_ref(), &mut out).and_then(|()| out.flush()))?;
    } else {
        let mut out = BufWriter::new(File::create(file).with_context(|| file.display().to_string())?);
        let done = register::export(chosen.iter().copied(), checkpoint.as_ref(), &mut out).and_then(|()| out.flush());
        done.with_context(|| file.display().to_string())?;
    }
    for (id, fault) in chosen.iter().flat_map(|examined| examined.faults.iter().map(|fault| (examined.id, fault))) {
        let _ = writeln!(io::stderr(), "register {id}: {}", plain(&fault.to_string()));
    }
    Ok(ended(chosen.iter().all(|examined| examined.faults.is_empty())))
}

pub(super) async fn checkpoint(save: Option<&Path>, cluster: &OperatorNamespace) -> anyhow::Result<ExitCode> {
    let client = cluster.access.client().await?;
    let Some(signed) = register::checkpoint(&client, &cluster.namespace).await? else {
        bail!("there is no checkpoint in namespace {} yet: the operator writes one some minutes after the first line", cluster.namespace);
    };
    let believed = signed.verified(&signed.key);
    match save {
        Some(path) => {
            let key = beside(path, "pem");
            for (path, octets) in
                [(path, signed.text.as_bytes()), (&beside(path, "sig"), signed.signature.as_slice()), (&key, signed.key.as_bytes())]
            {
                std::fs::write(path, octets).with_context(|| path.display().to_string())?;
            }
            written(writeln!(io::stdout(), "saved as {0}, its signature as {0}.sig and the public key as {0}.pem", path.display()))?;
        }
        None => written(io::stdout().write_all(signed.text.as_bytes()))?,
    }
    if let Err(error) = &believed {
        let _ = writeln!(io::stderr(), "{}", plain(&error.to_string()));
    }
    Ok(ended(believed.is_ok()))
}
