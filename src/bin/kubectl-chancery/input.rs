//! Files that a command reads, `-` for standard input, within a bound.

use std::{
    fs::File,
    io::{self, Read as _},
    path::Path,
};

use anyhow::{Context as _, bail};

/// The longest file that is read, in octets: far more than any list.
const FILE_MAX: u64 = 1 << 30;

/// All of a file.
pub(crate) fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut octets = Vec::new();
    let read = if path == Path::new("-") {
        io::stdin().lock().take(FILE_MAX).read_to_end(&mut octets)
    } else {
        File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut octets))
    };
    read.with_context(|| path.display().to_string())?;
    if octets.len() as u64 == FILE_MAX {
        bail!("{}: has a gigabyte or more", path.display());
    }
    Ok(octets)
}
