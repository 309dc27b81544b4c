//! How commands print: aligned tables for people, JSON and YAML for programs, names for scripts.
//!
//! Colour only where the stream is a terminal (`NO_COLOR` and the like are obeyed). Whatever comes from a cluster or a file is printed
//! without control characters: a terminal does what these say, and anyone may have written them.

use std::io::{self, BufWriter, Write};

use anstream::AutoStream;
use anyhow::Context as _;
use clap::{
    ValueEnum,
    builder::styling::{AnsiColor, Style},
};
use comfy_table::{CellAlignment, presets};
use serde::Serialize;

/// What `-o` takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For people, with all columns.
    Wide,
    /// `kind.group/name`, one a line.
    Name,
    /// For programs.
    Json,
    /// For programs.
    Yaml,
}

/// What a command has found, in a form for each reader. Its fields, as serialized, are an interface: they are added to, never renamed.
pub trait Report: Serialize {
    /// Writes it for people; `wide` asks for all there is.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    fn text(&self, wide: bool, out: &mut dyn Write) -> io::Result<()>;

    /// What it is about, each as `kind.group/name`.
    fn names(&self) -> Vec<String>;
}

/// Prints a report on standard output.
///
/// # Errors
/// Where standard output cannot be written; that nobody reads on (`| head`) is none.
pub fn print(report: &impl Report, format: Format) -> anyhow::Result<()> {
    let mut out = BufWriter::new(AutoStream::auto(io::stdout().lock()));
    written(render(report, format, &mut out).and_then(|()| out.flush()))
}

/// Writes a report.
///
/// # Errors
/// Where `out` cannot be written.
pub fn render(report: &impl Report, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Table => report.text(false, out),
        Format::Wide => report.text(true, out),
        Format::Name => report.names().iter().try_for_each(|name| writeln!(out, "{}", plain(name))),
        Format::Json => writeln!(out, "{}", escaped(&serde_json::to_string_pretty(report)?)),
        Format::Yaml => out.write_all(serde_yaml::to_string(report).map_err(io::Error::other)?.as_bytes()),
    }
}

/// What became of writing to standard output. A reader that has seen enough (`| head`) is no failure.
///
/// # Errors
/// Any other failure.
pub fn written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("standard output"),
    }
}

/// A text without control characters.
pub fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

/// A text without control characters but line feeds.
pub fn plain_lines(text: &str) -> String {
    text.replace(|character: char| character != '\n' && character.is_control(), "?")
}

/// JSON without control characters that JSON lets stand: DEL and those of C1, which some terminals obey as they obey ESC. Its value is
/// the same.
pub fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '\u{7f}'..='\u{9f}' => text.extend([format!("\\u{:04x}", u32::from(character))]),
            _ => text.push(character),
        }
    }
    text
}

/// How a word is meant, shown by its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// As any other.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// Something is to be looked at.
    Warning,
    /// Something is wrong.
    Bad,
    /// Of less interest.
    Faint,
}

impl Tone {
    fn style(self) -> Style {
        match self {
            Self::Plain => Style::new(),
            Self::Good => AnsiColor::Green.on_default(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Faint => Style::new().dimmed(),
        }
    }

    /// A text in this tone, without control characters of its own.
    pub fn paint(self, text: &str) -> String {
        let style = self.style();
        format!("{style}{}{style:#}", plain(text))
    }
}

/// One place of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What stands there; `<none>` where it is empty, as kubectl has it.
    pub text: String,
    /// How it is meant.
    pub tone: Tone,
}

impl Cell {
    /// A text in a tone.
    pub fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text, Tone::Plain)
    }
}

/// Rows under a head, aligned as kubectl aligns them.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
}

#[derive(Clone, Copy, Debug)]
struct Column {
    name: &'static str,
    wide: bool,
}

impl Table {
    /// With columns that are always shown.
    pub fn new(columns: &[&'static str]) -> Self {
        Self { columns: columns.iter().map(|&name| Column { name, wide: false }).collect(), rows: Vec::new() }
    }

    /// With more columns, after the others, that `-o wide` shows.
    #[must_use]
    pub fn wide(mut self, columns: &[&'static str]) -> Self {
        self.columns.extend(columns.iter().map(|&name| Column { name, wide: true }));
        self
    }

    /// Adds a row: a cell for each column, the wide ones included.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Writes it, with the columns that are asked for.
    ///
    /// # Errors
    /// Where `out` cannot be written.
    pub fn write(&self, wide: bool, out: &mut dyn Write) -> io::Result<()> {
        let shown = |(place, _): &(usize, &Column)| wide || !self.columns[*place].wide;
        let places: Vec<usize> = self.columns.iter().enumerate().filter(shown).map(|(place, _)| place).collect();
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table.set_header(places.iter().map(|&place| comfy_table::Cell::new(self.columns[place].name)));
        for row in &self.rows {
            table.add_row(places.iter().map(|&place| match row.get(place) {
                Some(cell) if !cell.text.is_empty() => cell.text.replace(char::is_control, "?"),
                _ => "<none>".to_owned(),
            }));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 3));
            column.set_cell_alignment(CellAlignment::Left);
        }
        // Colour comes after the alignment, which must not count it.
        let lines: Vec<String> = table.lines().collect();
        let widths: Vec<usize> = table.column_max_content_widths().iter().map(|width| usize::from(*width)).collect();
        for (number, line) in lines.iter().enumerate() {
            let tones = number.checked_sub(1).and_then(|row| self.rows.get(row));
            writeln!(out, "{}", painted(line.trim_end(), &widths, tones.map(|row| (row, places.as_slice()))))?;
        }
        Ok(())
    }
}

/// A line of the table with the tones of its cells. Every cell stands on one line, as control characters are gone.
fn painted(line: &str, widths: &[usize], row: Option<(&Vec<Cell>, &[usize])>) -> String {
    let Some((row, places)) = row else { return line.to_owned() };
    if row.iter().all(|cell| cell.tone == Tone::Plain) {
        return line.to_owned();
    }
    let mut text = String::new();
    let mut rest = line;
    for (number, &place) in places.iter().enumerate() {
        let width = widths.get(number).copied().unwrap_or(0) + 3;
        let end = rest.char_indices().nth(width).map_or(rest.len(), |(index, _)| index);
        let (cell, after) = rest.split_at(end);
        let word = cell.trim_end();
        let tone = row.get(place).map_or(Tone::Plain, |cell| cell.tone);
        let style = tone.style();
        text.extend([format!("{style}{word}{style:#}"), cell[word.len()..].to_owned()]);
        rest = after;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(table: &Table, wide: bool) -> String {
        let mut out = Vec::new();
        table.write(wide, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn table() -> Table {
        let mut table = Table::new(&["NAME", "READY"]).wide(&["SERIAL"]);
        table.row(["a-long-name".into(), Cell::new("True", Tone::Good), "01".into()]);
        table.row(["b\u{1b}[31m".into(), Cell::new("", Tone::Plain), "02".into()]);
        table
    }

    #[test]
    fn columns_are_aligned_and_wide_ones_shown_on_demand() {
        let plain = anstream::adapter::strip_str(&written(&table(), false)).to_string();
        assert_eq!(plain, "NAME          READY\na-long-name   True\nb?[31m        <none>\n");
        let plain = anstream::adapter::strip_str(&written(&table(), true)).to_string();
        assert_eq!(plain, "NAME          READY    SERIAL\na-long-name   True     01\nb?[31m        <none>   02\n");
    }

    #[derive(Serialize)]
    struct Hostile {
        text: &'static str,
        more: &'static str,
    }

    impl Report for Hostile {
        fn text(&self, _wide: bool, out: &mut dyn Write) -> io::Result<()> {
            writeln!(out, "{}", plain(self.text))
        }

        fn names(&self) -> Vec<String> {
            vec![self.text.to_owned()]
        }
    }

    #[test]
    fn no_format_lets_control_characters_through_and_programs_read_what_was_there() {
        let hostile = Hostile { text: "a\u{9b}31m\u{7f}\u{85}b\u{1b}c \u{e9}", more: "one\ntwo\u{9b}31m\u{7f}\nthree" };
        for format in [Format::Table, Format::Wide, Format::Name, Format::Json, Format::Yaml] {
            let mut out = Vec::new();
            render(&hostile, format, &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            assert!(!text.contains(|found: char| found.is_control() && found != '\n'), "{format:?}: {text:?}");
            let read: Option<serde_json::Value> = match format {
                Format::Json => Some(serde_json::from_str(&text).unwrap()),
                Format::Yaml => Some(serde_yaml::from_str(&text).unwrap()),
                _ => None,
            };
            if let Some(read) = read {
                assert_eq!((read["text"].as_str(), read["more"].as_str()), (Some(hostile.text), Some(hostile.more)), "{format:?}");
            }
        }
        assert_eq!(plain_lines("a\u{1b}[2J\nb\u{9b}c"), "a?[2J\nb?c");
    }

    #[test]
    fn a_tone_is_shown_by_its_colour_and_moves_nothing() {
        let text = written(&table(), false);
        assert!(text.contains("\u{1b}[32mTrue\u{1b}[0m"), "{text:?}");
        assert!(!text.contains("[31m\u{1b}"), "{text:?}");
    }
}
