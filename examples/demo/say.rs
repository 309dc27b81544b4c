//! How the tour looks on a terminal: numbered chapters, aligned lines, times. No decisions, and never a key.

use std::{fmt::Display, io::IsTerminal as _, time::Duration};

use chancery::api::Certificate;

/// A chapter's heading.
pub(crate) fn chapter(title: &str) {
    if std::io::stdout().is_terminal() { println!("\n\x1b[1m{title}\x1b[0m") } else { println!("\n{title}") }
}

/// One thing that happened, and what is to be said of it.
pub(crate) fn line(what: impl Display, more: impl Display) {
    // The inner format pads what Display alone would not.
    let text = format!("  {:<48}  {more}", what.to_string());
    println!("{}", text.trim_end());
}

/// Something another program said, line by line.
pub(crate) fn quote(text: &str) {
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        println!("      {}", line.trim_end());
    }
}

/// A time that something took.
pub(crate) fn took(time: Duration) -> String {
    format!("{:6.2} s", time.as_secs_f64())
}

/// A serial or key id in the first digits that tell it apart: all serials begin alike.
pub(crate) fn short(digits: Option<&str>) -> String {
    digits.map_or_else(|| "-".to_owned(), |digits| format!("{}…", digits.get(..16).unwrap_or(digits)))
}

/// What a Certificate got, in a line.
pub(crate) fn certificate(certificate: &Certificate) -> String {
    let Some(status) = &certificate.status else { return String::new() };
    let key = status.resolved.as_ref().map(|resolved| match resolved.private_key.size {
        Some(size) => format!("{} {size}", resolved.private_key.algorithm),
        None => resolved.private_key.algorithm.clone(),
    });
    let end = status.not_after.as_ref().map(|time| time.0.strftime("%Y-%m-%d %H:%M").to_string());
    format!("{:<10}  serial {}  until {}", key.unwrap_or_default(), short(status.serial_number.as_deref()), end.unwrap_or_default())
}
