//! Every package in the lock file has a licence that `deny.toml` allows. `cargo deny check` says the same and more;
//! this needs nothing installed.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::{Tree, read};
use crate::step;

#[derive(Deserialize)]
struct Deny {
    licenses: Licences,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
}

pub(super) fn check(_: &Tree) -> Result<Vec<String>> {
    let deny = read("deny.toml")?.context("deny.toml is not text")?;
    let deny: Deny = toml::from_str(&deny).context("deny.toml has no list licenses.allow")?;
    let metadata = step::capture(step::cargo().args(["metadata", "--format-version", "1", "--locked"]))?;
    let metadata: Metadata = serde_json::from_str(&metadata).context("cargo metadata's answer")?;
    let allowed = |licence: &str| deny.licenses.allow.iter().any(|listed| listed == licence);
    let mut findings = Vec::new();
    for Package { name, version, license } in metadata.packages {
        let expression = license.unwrap_or_default();
        if !satisfied(&expression, &allowed) {
            findings.push(format!("{name} {version}: licence `{expression}` is not allowed by deny.toml"));
        }
    }
    Ok(findings)
}

/// Whether an SPDX expression can be met by allowed licences alone; `/` is the old spelling of `OR`.
fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<&str> = spaced.split_whitespace().collect();
    let (met, rest) = any_of(&tokens, allowed);
    met && rest.is_empty()
}

fn any_of<'a>(tokens: &'a [&'a str], allowed: &dyn Fn(&str) -> bool) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = all_of(tokens, allowed);
    while let Some(("OR", after)) = split(rest) {
        let (more, remaining) = all_of(after, allowed);
        (met, rest) = (met || more, remaining);
    }
    (met, rest)
}

fn all_of<'a>(tokens: &'a [&'a str], allowed: &dyn Fn(&str) -> bool) -> (bool, &'a [&'a str]) {
    let (mut met, mut rest) = one(tokens, allowed);
    while let Some(("AND", after)) = split(rest) {
        let (more, remaining) = one(after, allowed);
        (met, rest) = (met && more, remaining);
    }
    (met, rest)
}

fn one<'a>(tokens: &'a [&'a str], allowed: &dyn Fn(&str) -> bool) -> (bool, &'a [&'a str]) {
    match split(tokens) {
        Some(("(", inner)) => {
            let (met, rest) = any_of(inner, allowed);
            (met, rest.split_first().map_or(rest, |(_, after)| after))
        }
        Some((licence, rest)) => match split(rest) {
            Some(("WITH", exception)) if !exception.is_empty() => {
                (allowed(&format!("{licence} WITH {}", exception[0])) || allowed(licence), &exception[1..])
            }
            _ => (allowed(licence), rest),
        },
        None => (false, tokens),
    }
}

fn split<'a>(tokens: &'a [&'a str]) -> Option<(&'a str, &'a [&'a str])> {
    tokens.split_first().map(|(first, rest)| (*first, rest))
}

#[cfg(test)]
mod tests {
    use super::satisfied;

    fn allowed(expression: &str) -> bool {
        satisfied(expression, &|licence| ["MIT", "Apache-2.0", "Unicode-3.0"].contains(&licence))
    }

    #[test]
    fn one_branch_of_a_choice_is_enough() {
        assert!(allowed("MIT OR GPL-3.0"));
        assert!(allowed("GPL-3.0/MIT"));
        assert!(!allowed("GPL-3.0 OR LGPL-3.0"));
    }

    #[test]
    fn every_part_of_a_conjunction_counts() {
        assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(!allowed("(MIT OR Apache-2.0) AND GPL-3.0"));
    }

    #[test]
    fn an_exception_does_not_make_a_licence_stricter() {
        assert!(allowed("Apache-2.0 WITH LLVM-exception OR GPL-2.0"));
    }

    #[test]
    fn no_licence_is_not_allowed() {
        assert!(!allowed(""));
    }
}
