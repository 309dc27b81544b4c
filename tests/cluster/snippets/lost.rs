//! All is lost but the backup: that of `docs/operations.md` is made, namespaces and definitions go, and what `docs/disasters.md` says is
//! done. Nothing is issued anew, and lists go on.

use std::path::Path;

use super::cluster::Cluster;
use super::play::play;
use crate::page::{Block, Page};

/// The samples, and what a tenant has who brought a CA: an Issuer of its own with its list, and a key store with a password.
const BEFORE: &str = include_str!("lost-before.sh");
/// What a person would notice afterwards.
const AFTER: &str = include_str!("lost-after.sh");

/// The blocks of a page that `needs` says, or none, and that stand between a heading and the next of its depth.
fn section(path: &str, heading: &str, needs: Option<&str>) -> Vec<Block> {
    let text = std::fs::read_to_string(crate::page::source().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
    let depth = heading.split(' ').next().unwrap_or_default();
    let mut lines = text.lines().enumerate().map(|(number, line)| (number + 1, line)).skip_while(|(_, line)| *line != heading);
    let (first, _) = lines.next().unwrap_or_else(|| panic!("{path} has no {heading}"));
    let next = lines.find(|(_, line)| line.starts_with('#') && line.split(' ').next().is_some_and(|hashes| hashes.len() <= depth.len()));
    let last = next.map_or(usize::MAX, |(number, _)| number);
    let page = Page::read(Path::new(path));
    let within = page.blocks.into_iter().filter(|block| (first..last).contains(&block.line) && block.language == "sh");
    let mut found: Vec<Block> = within.filter(|block| block.word("needs") == needs).collect();
    assert!(!found.is_empty(), "{path}: {heading} has nothing to do");
    for block in &mut found {
        block.words.clear();
    }
    found
}

fn script(code: &str) -> Block {
    Block { line: 0, language: "sh".to_owned(), words: Vec::new(), follows: false, code: code.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_backup_has_is_put_back_on_an_empty_cluster_and_nothing_is_issued_anew() {
    let cluster = Cluster::to_be_lost().await;
    let _turn = cluster.turn().await;
    let mut page = Page::parse("docs/lost.md".to_owned(), "");
    page.blocks.push(script(BEFORE));
    page.blocks.extend(section("docs/operations.md", "## Backup", None).into_iter().take(1));
    page.blocks.push(script(include_str!("lost.sh")));
    page.blocks.extend(section("docs/disasters.md", "## The operator's namespace is lost", Some("loss")));
    page.blocks.push(script(AFTER));
    play(cluster, &page, "").await;
}
