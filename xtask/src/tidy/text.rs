//! What no committed text may hold, and how long a source file may grow.

use anyhow::Result;

use super::{Tree, read};

/// This file, which has to spell the words out.
const OWN: &str = "xtask/src/tidy/text.rs";

/// Marks of unfinished work: in sources only.
const UNFINISHED: [&str; 8] =
    ["TODO", "FIXME", "XXX", "HACK", "unimplemented!", "todo!", "in a real system", "simplified version"];

/// Paths that exist on one machine only: in every text.
const MACHINE_PATHS: [&str; 4] = ["/root/", "/home/", "/Users/", "/work/"];

/// Attributes that keep a test from running.
const NOT_RUN: [&str; 1] = ["#[ignore"];

const LINES_MAX: usize = 600;

pub(super) fn words(tree: &Tree) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in tree.files.iter().filter(|path| *path != OWN && !path.starts_with("fixtures/")) {
        let Some(text) = read(path)? else { continue };
        for (number, line) in text.lines().enumerate() {
            let found = forbidden(is_source(path), line);
            findings.extend(found.map(|word| format!("{path}:{}: `{word}`", number + 1)));
        }
    }
    Ok(findings)
}

fn forbidden(source: bool, line: &str) -> impl Iterator<Item = &'static str> {
    let in_sources = UNFINISHED.into_iter().chain(NOT_RUN).filter(move |_| source);
    in_sources.chain(MACHINE_PATHS).filter(move |word| holds(line, word))
}

/// Whether the word stands in the line by itself: `TODOS` is another word and `/a/work/` another path.
fn holds(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let open = word.ends_with('/') || word.starts_with('#');
        !before.is_some_and(joins) && (open || !after.is_some_and(joins))
    })
}

fn joins(letter: char) -> bool {
    letter.is_alphanumeric() || "_-.".contains(letter)
}

pub(super) fn lengths(tree: &Tree) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for path in tree.files.iter().filter(|path| path.ends_with(".rs")) {
        let Some(text) = read(path)? else { continue };
        let lines = text.lines().count();
        if lines > LINES_MAX && !is_generated(&text) {
            findings.push(format!("{path} has {lines} lines; is it still one idea? (at most {LINES_MAX})"));
        }
    }
    Ok(findings)
}

fn is_source(path: &str) -> bool {
    [".rs", ".proto", ".py", ".js", ".css", ".sql", ".toml", ".ci/run"].iter().any(|ending| path.ends_with(ending))
}

/// Generated files say so at their top.
fn is_generated(text: &str) -> bool {
    text.lines().take(5).any(|line| line.contains("@generated"))
}

#[cfg(test)]
mod tests {
    use super::forbidden;

    fn found(line: &str) -> Vec<&'static str> {
        forbidden(true, line).collect()
    }

    #[test]
    fn marks_of_unfinished_work_are_found_in_sources_only() {
        assert_eq!(found("// TODO: later"), ["TODO"]);
        assert_eq!(forbidden(false, "TODO").count(), 0);
    }

    #[test]
    fn a_word_inside_another_is_not_the_word() {
        assert!(found("let TODOS = 1; // hacks").is_empty());
    }

    #[test]
    fn paths_of_one_machine_are_found_everywhere() {
        assert_eq!(forbidden(false, "cd /work/main").collect::<Vec<_>>(), ["/work/"]);
        assert_eq!(forbidden(false, "../shared/work/a").count(), 0);
    }

    #[test]
    fn a_test_that_does_not_run_is_found() {
        assert_eq!(found("#[ignore = \"slow\"]"), ["#[ignore"]);
    }
}
