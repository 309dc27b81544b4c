//! Files in which registers and checkpoints are kept outside of the cluster: what is put in their place must not say less.
//!
//! It asks no cluster. Whether somebody insists all the same (`--force`) is the caller's business.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use chancery_pki::PublicKey;

use crate::register::{
    RegisterId,
    checkpoint::{Checkpoint, Signed},
    examine::Examined,
    export::Export,
};

/// What an export that is there has, and one of these registers would not have: in a sentence each.
pub fn lost(kept: &Export, registers: &[&Examined]) -> Vec<String> {
    let mut lost: Vec<String> = registers
        .iter()
        .flat_map(|examined| examined.faults.iter().map(|fault| format!("register {} does not hold together: {fault}", examined.id)))
        .collect();
    for (id, exported) in &kept.registers {
        let Some(id) = id else {
            lost.push("it has lines of which it does not say of which register they are".to_owned());
            continue;
        };
        let former = match exported.chain() {
            Ok(former) => former,
            Err(why) => {
                lost.push(format!("register {id}, as the file has it, does not hold together: {why}"));
                continue;
            }
        };
        let Some(standing) = registers.iter().find(|examined| examined.id == *id).filter(|examined| !examined.lines.is_empty()) else {
            if !former.lines.is_empty() {
                lost.push(format!("register {id} is in the file and would not be any more"));
            }
            continue;
        };
        // Only what comes of the comparison: its own faults are told already.
        let mut compared = Examined { faults: Vec::new(), ..(*standing).clone() };
        compared.compare_copy("the file", &former.lines);
        lost.extend(compared.faults.iter().map(|fault| format!("register {id}: {fault}")));
        let (end, first) = (former.end().sequence, standing.lines.first().map_or(0, |first| first.line.sequence));
        if compared.faults.is_empty() && first > end + 1 {
            lost.push(format!(
                "register {id} now begins with line {first}, and the file ends with line {end}: what lay between is in neither"
            ));
        }
    }
    lost
}

/// The files of a checkpoint: its text, its signature, and the public key.
#[derive(Debug)]
pub struct CheckpointFiles {
    text: PathBuf,
    signature: PathBuf,
    key: PathBuf,
}

impl CheckpointFiles {
    /// Those of this text.
    pub fn beside(text: &Path) -> Self {
        let named = |extension: &str| {
            let mut name = text.as_os_str().to_owned();
            name.push(".");
            name.push(extension);
            name.into()
        };
        Self { text: text.to_owned(), signature: named("sig"), key: named("pem") }
    }

    /// Why this checkpoint must not take the place of what is there: in a sentence each.
    ///
    /// # Errors
    /// Where what is there cannot be read.
    pub fn objections(&self, checkpoint: &Checkpoint) -> io::Result<Vec<String>> {
        let mut objections = Vec::new();
        let key = there(&self.key)?;
        match key.as_deref().map(PublicKey::from_pem) {
            Some(Ok(key)) if key.key_id() != checkpoint.key => objections.push(format!(
                "{} is key {}, and the checkpoint was signed with key {}: the key was lost or replaced, or somebody else signs",
                self.key.display(),
                key.key_id(),
                checkpoint.key
            )),
            Some(Err(_)) => objections.push(format!("{} is no public key", self.key.display())),
            Some(Ok(_)) | None => {}
        }
        let Some(text) = there(&self.text)? else { return Ok(objections) };
        let kept = match Checkpoint::parse(&String::from_utf8_lossy(&text)) {
            Ok(kept) => kept,
            Err(error) => {
                objections.push(format!("{}: {error}", self.text.display()));
                return Ok(objections);
            }
        };
        if key.is_none() && kept.key != checkpoint.key {
            let (name, was, is) = (self.text.display(), &kept.key, &checkpoint.key);
            objections.push(format!("{name} was signed with key {was}, and the checkpoint with key {is}"));
        }
        if checkpoint.time < kept.time {
            let (name, was, is) = (self.text.display(), kept.time, checkpoint.time);
            objections.push(format!("{name} is of {was}, and the operator's checkpoint is of {is}: it went back in time"));
        }
        objections.extend(kept.registers.iter().filter_map(|(id, was)| {
            let is = &checkpoint.registers.get(id)?.position;
            went_back(id, was.position.sequence, &was.position.hash, is.sequence, &is.hash)
        }));
        Ok(objections)
    }

    /// Puts this checkpoint there.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn replace(&self, signed: &Signed) -> io::Result<()> {
        let files =
            [(&self.text, signed.text.as_bytes()), (&self.signature, signed.signature.as_slice()), (&self.key, signed.key.as_bytes())];
        let staged = files.iter().map(|(path, octets)| Staged::write(path, octets)).collect::<io::Result<Vec<_>>>()?;
        staged.into_iter().try_for_each(Staged::stand)
    }
}

fn went_back(id: &RegisterId, was: u64, old: &str, is: u64, new: &str) -> Option<String> {
    if is < was {
        Some(format!("register {id} ended with line {was}, and ends with line {is} now"))
    } else {
        (is == was && old != new).then(|| format!("register {id} had another line {was}"))
    }
}

/// What a file has; none where there is none.
fn there(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(octets) => Ok(Some(octets)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(named(path)(error)),
    }
}

fn named(path: &Path) -> impl Fn(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Puts octets into a file: at any time it has what it had before, or all of them.
///
/// # Errors
/// Where it cannot be written; it has what it had before, then.
pub fn replace(path: &Path, octets: &[u8]) -> io::Result<()> {
    Staged::write(path, octets)?.stand()
}

/// Octets that lie beside the file whose place they are to take.
struct Staged {
    beside: PathBuf,
    path: PathBuf,
}

impl Staged {
    fn write(path: &Path, octets: &[u8]) -> io::Result<Self> {
        // The file that a link leads to is replaced, and not the link.
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        let there = fs::metadata(&path).ok();
        if there.as_ref().is_some_and(|there| !there.is_file()) {
            // A pipe or a device has no place to be taken.
            return fs::write(&path, octets).map_err(named(&path)).map(|()| Self { beside: path.clone(), path });
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let staged = Self { beside: path.with_file_name(name), path };
        let write = || {
            let mut file = File::create(&staged.beside)?;
            if let Some(there) = there {
                file.set_permissions(there.permissions())?;
            }
            file.write_all(octets)?;
            file.sync_all()
        };
        write().map_err(named(&staged.path))?;
        Ok(staged)
    }

    fn stand(self) -> io::Result<()> {
        if self.beside != self.path {
            fs::rename(&self.beside, &self.path).map_err(named(&self.path))?;
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.beside != self.path {
            // Nothing is there any more where it stands.
            let _ = fs::remove_file(&self.beside);
        }
    }
}

#[cfg(test)]
mod tests;
