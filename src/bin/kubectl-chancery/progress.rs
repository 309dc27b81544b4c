//! What takes its time is said on standard error, where that is a terminal: in a line that is taken back. Nothing of it reaches a file
//! or a pipe.

use std::{
    io::{self, IsTerminal as _, Write as _},
    pin::pin,
    time::Duration,
};

use chancery::plugin::{output::plain, span::span};
use tokio::time::{Instant, interval};

/// How often the time that went by is told.
const TURN: Duration = Duration::from_secs(1);

/// Says on a terminal what takes its time; an empty text takes that back.
pub(crate) fn progress(text: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "\r\x1b[K{}", plain(text));
    }
}

/// Does some work, and says meanwhile what it is and for how long it goes on.
pub(crate) async fn during<T>(what: &str, work: impl Future<Output = T>) -> T {
    let begun = Instant::now();
    let mut work = pin!(work);
    let mut turn = interval(TURN);
    let done = loop {
        tokio::select! {
            biased;
            done = &mut work => break done,
            _ = turn.tick() => progress(&format!("{what} ({})", span(begun.elapsed().try_into().unwrap_or_default()))),
        }
    };
    progress("");
    done
}
