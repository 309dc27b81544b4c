//! Asking a person before something that cannot be undone.

use std::io::{self, BufRead, IsTerminal as _, Write as _};

use anyhow::{Context as _, bail};

/// Asks on standard error for a word, and reads it from standard input; any other ends the command. Without a terminal nobody could
/// answer: then it is refused.
///
/// # Errors
/// When it is not confirmed. Nothing was changed then.
pub(crate) fn confirm(question: &str, word: &str) -> anyhow::Result<()> {
    let mut input = io::stdin().lock();
    if !input.is_terminal() {
        bail!("nobody is there to confirm it: nothing was changed; --yes does it without asking");
    }
    write!(io::stderr(), "{question}: ").context("standard error")?;
    let mut line = String::new();
    input.read_line(&mut line).context("standard input")?;
    if line.trim() != word {
        bail!("not confirmed: nothing was changed");
    }
    Ok(())
}
