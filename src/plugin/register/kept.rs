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
    NO_LINE, RegisterId,
    checkpoint::{Checkpoint, Signed},
    examine::Examined,
    export::Export,
};

/// What an export that is there has, and one of these registers with this checkpoint would not have: in a sentence each.
pub fn lost(kept: &Export, registers: &[&Examined], checkpoint: Option<&Signed>) -> Vec<String> {
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
    if let Some(kept) = &kept.checkpoint {
        lost.extend(checkpoint_lost(kept, checkpoint));
    }
    lost
}

/// What is said against this checkpoint by the one that an export has.
fn checkpoint_lost(kept: &Signed, now: Option<&Signed>) -> Vec<String> {
    const NAME: &str = "the checkpoint in the file";
    let Some(now) = now else { return vec![format!("{NAME} is there, and the cluster has none any more")] };
    match (kept.verified(&kept.key), now.verified(&now.key)) {
        (Ok(kept), Ok(now)) => key_changed(NAME, &kept, &now).into_iter().chain(against(NAME, &kept, &now)).collect(),
        (Err(why), _) => vec![format!("{NAME} is not believed: {why}")],
        (_, Err(why)) => vec![format!("the operator's checkpoint is not believed: {why}")],
    }
}

fn key_changed(name: &str, kept: &Checkpoint, now: &Checkpoint) -> Option<String> {
    (kept.key != now.key).then(|| format!("{name} was signed with key {}, and the operator's checkpoint with key {}", kept.key, now.key))
}

/// What a kept checkpoint says against a later one, whoever signed them.
fn against(name: &str, kept: &Checkpoint, now: &Checkpoint) -> Vec<String> {
    let mut objections = Vec::new();
    if now.time < kept.time {
        objections.push(format!("{name} is of {}, and the operator's checkpoint is of {}: it went back in time", kept.time, now.time));
    }
    if now.previous == NO_LINE && now != kept {
        objections.push(format!("the operator's checkpoint begins anew, and does not follow on {name}: the one before it was taken away"));
    }
    objections.extend(kept.registers.iter().filter_map(|(id, was)| match now.registers.get(id) {
        Some(is) => went_back(id, was.position.sequence, &was.position.hash, is.position.sequence, &is.position.hash),
        None if now.lost.contains_key(id) || now.leaves_out(was) => None,
        None => Some(format!("register {id} is in {name}, and the operator's checkpoint says nothing of it")),
    }));
    objections.extend(kept.lost.iter().filter_map(|(id, was)| {
        let said = now.lost.get(id).is_some_and(|is| is.position.sequence >= was.position.sequence);
        // Its line was let go, or is the last one again; of one further back a checkpoint does not tell.
        let settled = now.registers.get(id).is_some_and(|is| is.kept_from > was.position.sequence || is.position == was.position);
        (!said && !settled).then(|| {
            format!(
                "{name} says that register {id} lost line {}, and the operator's checkpoint does not: was it restored?",
                was.position.sequence
            )
        })
    }));
    objections
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

    /// That of the signature.
    pub fn signature(&self) -> &Path {
        &self.signature
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
        let name = self.text.display().to_string();
        if key.is_none() {
            objections.extend(key_changed(&name, &kept, checkpoint));
        }
        objections.extend(against(&name, &kept, checkpoint));
        Ok(objections)
    }

    /// Whether something of a checkpoint is kept there.
    ///
    /// # Errors
    /// Where that cannot be seen.
    pub fn are_kept(&self) -> io::Result<bool> {
        let mut kept = false;
        for path in [&self.text, &self.signature, &self.key] {
            kept |= path.try_exists().map_err(named(path))?;
        }
        Ok(kept)
    }

    /// Puts this checkpoint there. A public key that is there already is not touched.
    ///
    /// # Errors
    /// Where a file cannot be written: which ones have been replaced by then, if any.
    pub fn replace(&self, signed: &Signed) -> io::Result<()> {
        let mut files = vec![(&self.text, signed.text.as_bytes()), (&self.signature, signed.signature.as_slice())];
        if there(&self.key)?.as_deref() != Some(signed.key.as_bytes()) {
            files.push((&self.key, signed.key.as_bytes()));
        }
        let staged = files.iter().map(|(path, octets)| Staged::write(path, octets)).collect::<io::Result<Vec<_>>>()?;
        let mut replaced: Vec<String> = Vec::new();
        for (staged, (path, _)) in staged.into_iter().zip(&files) {
            match staged.stand() {
                Ok(()) => replaced.push(path.display().to_string()),
                Err(error) if replaced.is_empty() => return Err(error),
                Err(error) => {
                    let replaced = replaced.join(" and ");
                    return Err(io::Error::new(
                        error.kind(),
                        format!("{error}; replaced already: {replaced}, so the files do not belong together"),
                    ));
                }
            }
        }
        Ok(())
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
