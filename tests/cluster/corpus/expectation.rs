//! What a manifest's head says: a line on what it shows, what it needs, what the report tells, and what its Secrets hold.

/// The head of a file.
#[derive(Debug, Default)]
pub(super) struct Expectation {
    /// Files that are applied before it.
    pub(super) needs: Vec<String>,
    /// Objects of which the report says something, and the fields.
    pub(super) differences: Vec<(String, Vec<String>)>,
    /// The Secrets that are made.
    pub(super) secrets: Vec<Expected>,
}

/// What is expected of a Secret.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) name: String,
    /// What to look at, and what must be there.
    pub(super) rows: Vec<(String, String)>,
}

impl Expectation {
    /// Reads the comments before the first manifest. A line that is not understood is a mistake in the file.
    pub(super) fn parse(file: &str, text: &str) -> Self {
        let mut lines = text.lines().map_while(|line| line.strip_prefix('#'));
        let shows = lines.next().unwrap_or_default();
        assert!(shows.ends_with('.') && shows.len() > 20, "{file} begins with a line on what it shows: {shows:?}");
        let mut head = Self::default();
        for line in lines {
            if let Some(row) = line.strip_prefix("   ") {
                let (what, value) = row.split_once('=').unwrap_or_else(|| panic!("{file}: {row:?} has no ="));
                let secret = head.secrets.last_mut().unwrap_or_else(|| panic!("{file}: {row:?} is said of no Secret"));
                secret.rows.push((what.trim().to_owned(), value.trim().to_owned()));
            } else if let Some(needed) = line.strip_prefix(" needs: ") {
                head.needs.push(needed.to_owned());
            } else if let Some(said) = line.strip_prefix(" differs: ") {
                let (object, fields) = said.rsplit_once(": ").unwrap_or_else(|| panic!("{file}: {said:?} names no fields"));
                head.differences.push((object.to_owned(), fields.split(", ").map(str::to_owned).collect()));
            } else if let Some(secret) = line.strip_prefix(" expect Secret ").and_then(|rest| rest.strip_suffix(':')) {
                let name = secret.split(' ').next().unwrap_or_default().to_owned();
                head.secrets.push(Expected { name, rows: Vec::new() });
            } else {
                panic!("{file}: {line:?} is not understood");
            }
        }
        head
    }
}
