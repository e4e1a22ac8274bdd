//! `cargo xtask verify quickstart`: every command of docs/quickstart.md, run from a clean clone, prints what the page says.
//!
//! Blocks marked `sh` run one after the other in one shell; a block marked `text` is what the one before it prints on standard
//! output. `…` in it stands for anything within a line, and a line of nothing else for any number of lines.

use std::fmt::Write;
use std::fs;
use std::net::TcpListener;

use anyhow::{Context, Result, ensure};

use crate::{step, workspace};

const PAGE: &str = "docs/quickstart.md";
/// Where the page's server listens; the run takes a free port instead.
const ADDRESS: &str = "127.0.0.1:8080";
const MARK: &str = "@@ end of block";
const ANYTHING: char = '…';
/// With the build.
const SECONDS_MAX: &str = "3600";

/// Commands, and what they print where the page says it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    commands: String,
    prints: Option<String>,
}

pub(crate) fn verify() -> Result<()> {
    let clone = workspace::root().join("target/quickstart/clone");
    if clone.exists() {
        fs::remove_dir_all(&clone).context("removing the clone before")?;
    }
    step::run(step::command("git").args(["clone", "--quiet", "."]).arg(&clone))?;
    let page = fs::read_to_string(clone.join(PAGE)).context(PAGE)?;
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let blocks = blocks(&page.replace(ADDRESS, &format!("127.0.0.1:{port}")));
    let script = clone.with_file_name("quickstart.sh");
    fs::write(&script, as_script(&blocks)?)?;
    let mut shell = step::command("timeout");
    shell.arg(SECONDS_MAX).arg("bash").arg(&script).current_dir(&clone).env_remove("CARGO_TARGET_DIR");
    let said = step::capture(&mut shell)?;
    let parts: Vec<_> = said.split(MARK).collect();
    ensure!(parts.len() == blocks.len() + 1, "{} of {} blocks ran", parts.len() - 1, blocks.len());
    for (block, printed) in blocks.iter().zip(parts) {
        let Some(prints) = &block.prints else { continue };
        let fits = fits(&lines(prints), &lines(printed));
        ensure!(fits, "{}\nprints\n{}\nand the page says\n{prints}", block.commands, printed.trim());
    }
    println!("{} blocks of {PAGE} print what it says", blocks.len());
    Ok(())
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let text: String = lines.by_ref().take_while(|line| *line != "```").map(|line| format!("{line}\n")).collect();
        match (language, blocks.last_mut()) {
            ("sh", _) => blocks.push(Block { commands: text, prints: None }),
            ("text", Some(block)) => block.prints = Some(text),
            _ => {}
        }
    }
    blocks
}

/// One shell for all, so that variables, functions and the server live on; whatever it leaves behind ends with it.
fn as_script(blocks: &[Block]) -> Result<String> {
    let mut script = "set -u\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n".to_owned();
    for block in blocks {
        writeln!(script, "{}echo '{MARK}'", block.commands)?;
    }
    Ok(script)
}

fn lines(text: &str) -> Vec<&str> {
    let lines = text.trim().lines().map(str::trim_end);
    lines.filter(|line| !line.is_empty()).collect()
}

fn fits(pattern: &[&str], printed: &[&str]) -> bool {
    let Some((first, rest)) = pattern.split_first() else { return printed.is_empty() };
    if first.trim().chars().eq([ANYTHING]) {
        return (0..=printed.len()).any(|skipped| fits(rest, printed.get(skipped..).unwrap_or_default()));
    }
    printed.split_first().is_some_and(|(line, after)| line_fits(first, line) && fits(rest, after))
}

fn line_fits(pattern: &str, line: &str) -> bool {
    let Some((head, tail)) = pattern.split_once(ANYTHING) else { return pattern == line };
    let Some(mut rest) = line.strip_prefix(head) else { return false };
    loop {
        if line_fits(tail, rest) {
            return true;
        }
        let Some(letter) = rest.chars().next() else { return false };
        rest = &rest[letter.len_utf8()..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_its_commands_with_what_they_print() {
        let page = "# T\n```sh\na\nb\n```\ntext\n```text\nout\n```\n```json\n{}\n```\n```sh\nc\n```\n";
        let first = Block { commands: "a\nb\n".to_owned(), prints: Some("out\n".to_owned()) };
        assert_eq!(blocks(page), [first, Block { commands: "c\n".to_owned(), prints: None }]);
    }

    #[test]
    fn an_ellipsis_stands_for_anything_and_the_rest_for_itself() {
        assert!(line_fits("id … of …", "id 7 of 9") && line_fits("…", "") && line_fits("a", "a"));
        assert!(!line_fits("id …x", "id 7") && !line_fits("id", "id 7"));
        assert!(fits(&["a", "…", "d"], &["a", "b", "c", "d"]) && fits(&["…"], &[]));
        assert!(!fits(&["a", "…", "d"], &["a", "b"]) && !fits(&["a"], &["a", "b"]));
    }
}
