//! Links lead somewhere, by themselves, on GitHub and in the book.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::page::{Page, pages, source};

#[test]
fn every_link_leads_somewhere() {
    let pages: BTreeMap<PathBuf, Page> = pages().into_iter().map(|page| (PathBuf::from(&page.path), page)).collect();
    let mut dead = Vec::new();
    for page in pages.values() {
        for (line, link) in page.links.iter().filter(|(_, link)| !elsewhere(link)) {
            if let Err(why) = leads(&pages, Path::new(&page.path), link) {
                dead.push(format!("{}:{line}: {link}: {why}", page.path));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn every_page_is_in_the_book_once() {
    let folder = Path::new("docs");
    let summary = Page::read(&folder.join("SUMMARY.md"));
    let mut listed = BTreeSet::new();
    for (line, link) in &summary.links {
        assert!(listed.insert(normal(&folder.join(link))), "docs/SUMMARY.md:{line}: {link} is there twice");
    }
    let there: BTreeSet<PathBuf> =
        pages().into_iter().map(|page| PathBuf::from(page.path)).filter(|path| path.starts_with(folder)).collect();
    let missing: Vec<_> = there.iter().filter(|path| !path.ends_with("SUMMARY.md") && !listed.contains(*path)).collect();
    assert!(missing.is_empty(), "not in docs/SUMMARY.md: {missing:?}");
}

#[test]
fn headings_have_the_same_anchor_on_github_and_in_the_book() {
    for page in pages() {
        for anchor in &page.anchors {
            assert!(anchor.is_ascii() && !anchor.is_empty(), "{}: #{anchor}: the two differ beyond ASCII", page.path);
        }
    }
}

/// `make book` runs it, on what it has built.
#[test]
#[ignore = "make book builds the book first"]
fn every_link_of_the_built_book_leads_somewhere() {
    let book = source().join("target/book");
    let mut files = BTreeMap::new();
    html(&book, &mut files);
    assert!(!files.is_empty(), "no book in {}", book.display());
    let ids: BTreeMap<&PathBuf, BTreeSet<&str>> = files.iter().map(|(path, text)| (path, values(text, " id=\"").collect())).collect();
    let mut dead = Vec::new();
    // The one for printing repeats all others, and the one for what is not found has links from the root.
    for (path, text) in files.iter().filter(|(path, _)| !path.ends_with("print.html") && !path.ends_with("404.html")) {
        for link in values(text, "href=\"").chain(values(text, "src=\"")).filter(|link| !elsewhere(link)) {
            let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
            let file = file.split('?').next().unwrap_or_default();
            let target = if file.is_empty() { path.clone() } else { normal(&path.parent().expect("it is in a folder").join(file)) };
            let target = if target.is_dir() { target.join("index.html") } else { target };
            let fragment_is_there = fragment.is_empty() || ids.get(&target).is_some_and(|ids| ids.contains(fragment));
            if !target.exists() || !fragment_is_there {
                dead.push(format!("{}: {link}", path.strip_prefix(&book).expect("it is in the book").display()));
            }
        }
    }
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

fn elsewhere(link: &str) -> bool {
    ["http://", "https://", "mailto:", "data:"].iter().any(|scheme| link.starts_with(scheme))
}

fn leads(pages: &BTreeMap<PathBuf, Page>, from: &Path, link: &str) -> Result<(), String> {
    let (file, fragment) = link.split_once('#').unwrap_or((link, ""));
    let target = if file.is_empty() { from.to_owned() } else { normal(&from.parent().expect("it is in a folder").join(file)) };
    if !source().join(&target).exists() {
        return Err(format!("there is no {}", target.display()));
    }
    if from.starts_with("docs") && !target.starts_with("docs") {
        return Err("it leads out of the book: name the file without a link".to_owned());
    }
    if fragment.is_empty() {
        return Ok(());
    }
    let Some(page) = pages.get(&target) else {
        return Err(format!("{} has no anchors", target.display()));
    };
    if page.anchors.iter().any(|anchor| anchor == fragment) { Ok(()) } else { Err(format!("{} has no such heading", page.path)) }
}

/// Without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

fn html(folder: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("the folder can be read").path();
        if path.is_dir() {
            html(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let text = fs::read_to_string(&path).expect("mdBook writes UTF-8");
            found.insert(path, text);
        }
    }
}

/// The values of an attribute.
fn values<'t>(text: &'t str, attribute: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next())
}
