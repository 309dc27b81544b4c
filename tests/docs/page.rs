//! A page of the documents, taken apart: headings, links, fenced blocks.
//!
//! It knows Markdown and nothing of what the pages are about.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A page.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its path below the root of the source tree, as `docs/concepts.md`.
    pub(crate) path: String,
    /// What its headings are reached by.
    pub(crate) anchors: Vec<String>,
    /// Where its links and images lead, as they are written, with the line.
    pub(crate) links: Vec<(usize, String)>,
    /// Its fenced blocks, in their order.
    pub(crate) blocks: Vec<Block>,
    /// Its code spans, with the line.
    pub(crate) spans: Vec<(usize, String)>,
}

/// A fenced block.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// The line of its first fence, from 1.
    pub(crate) line: usize,
    /// The first word of its info string.
    pub(crate) language: String,
    /// The words after that, as `needs=pods`.
    pub(crate) words: Vec<(String, String)>,
    /// Whether nothing but space is between it and the block before.
    pub(crate) follows: bool,
    /// What stands in it.
    pub(crate) code: String,
}

impl Block {
    /// The value of a word of the info string.
    pub(crate) fn word(&self, name: &str) -> Option<&str> {
        self.words.iter().find(|(word, _)| word == name).map(|(_, value)| value.as_str())
    }
}

/// The root of the source tree.
pub(crate) fn source() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All pages for users and contributors, sorted by path.
pub(crate) fn pages() -> Vec<Page> {
    let mut paths = vec!["README.md".into(), "CONTRIBUTING.md".into(), "CHANGELOG.md".into()];
    for folder in ["docs", "charts"] {
        markdown(&source().join(folder), &mut paths);
    }
    paths.sort();
    paths.iter().map(|path| Page::read(path)).collect()
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for path in entries.map(|entry| entry.expect("the folder can be read").path()) {
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path.strip_prefix(source()).expect("it is below the root").to_owned());
        }
    }
}

impl Page {
    /// Reads a page by its path below the root of the source tree.
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(source().join(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self::parse(path.to_string_lossy().into_owned(), &text)
    }

    /// Takes a page apart.
    pub(crate) fn parse(path: String, text: &str) -> Self {
        let mut page = Self { path, anchors: Vec::new(), links: Vec::new(), blocks: Vec::new(), spans: Vec::new() };
        let (mut heading, mut block): (Option<String>, Option<Block>) = (None, None);
        let mut last_end = None;
        let mut seen: HashMap<String, usize> = HashMap::new();
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).into_offset_iter() {
            let line = text[..range.start].matches('\n').count() + 1;
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.anchors.extend(heading.take().map(|heading| unique(&mut seen, anchor(&heading)))),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => page.links.push((line, dest_url.into_string())),
                Event::Start(Tag::CodeBlock(kind)) => {
                    let info = match kind {
                        CodeBlockKind::Fenced(info) => info.into_string(),
                        CodeBlockKind::Indented => panic!("{}:{line}: an indented block; fence it", page.path),
                    };
                    let follows = last_end.is_some_and(|end: usize| text[end..range.start].trim().is_empty());
                    block = Some(Block { follows, ..opened(line, &info) });
                }
                Event::End(TagEnd::CodeBlock) => {
                    last_end = Some(range.end);
                    page.blocks.extend(block.take());
                }
                Event::Code(code) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&code);
                    }
                    page.spans.push((line, code.into_string()));
                }
                Event::Text(words) => {
                    if let Some(block) = &mut block {
                        block.code.push_str(&words);
                    } else if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                _ => {}
            }
        }
        page
    }
}

fn opened(line: usize, info: &str) -> Block {
    let mut words = info.split([',', ' ']).filter(|word| !word.is_empty());
    let language = words.next().unwrap_or_default().to_owned();
    let pair =
        |word: &str| word.split_once('=').map_or_else(|| (word.to_owned(), String::new()), |(name, value)| (name.into(), value.into()));
    Block { line, language, words: words.map(pair).collect(), follows: false, code: String::new() }
}

/// What GitHub and mdBook make of a heading: they agree as long as it is ASCII.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

fn unique(seen: &mut HashMap<String, usize>, anchor: String) -> String {
    let count = seen.entry(anchor.clone()).or_default();
    *count += 1;
    if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
}
