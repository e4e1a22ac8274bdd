//! `cargo xtask codegen`: the Rust types of `schemas/`, written into the store and checked in, so that a build needs neither
//! protoc nor this. Same schemas, same bytes: `tidy` compares.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace;

const SCHEMAS: &str = "schemas";
const GENERATED: &str = "edge/store/src/wire/generated";

/// The first line of a generated file says so.
const HEADER: &str = "// Generated from schemas/ by `cargo xtask codegen`. Do not edit.\n";

/// Writes the generated files, or, where `check_only`, fails if they are not what it would write.
///
/// # Errors
/// When a schema does not compile, or the checked-in files are old.
pub(crate) fn run(check_only: bool) -> Result<()> {
    let root = workspace::root();
    let generated = generate(&root.join(SCHEMAS))?;
    let dir = root.join(GENERATED);
    for (name, text) in &generated {
        let path = dir.join(name);
        let current = fs::read_to_string(&path).unwrap_or_default();
        if current == *text {
            continue;
        }
        if check_only {
            bail!("{GENERATED}/{name} is not what {SCHEMAS}/ says: run `cargo xtask codegen`");
        }
        fs::create_dir_all(&dir).with_context(|| format!("making {GENERATED}"))?;
        fs::write(&path, text).with_context(|| format!("writing {GENERATED}/{name}"))?;
        println!("codegen: wrote {GENERATED}/{name}");
    }
    Ok(())
}

/// One file per Protobuf package: its name and text.
fn generate(schemas: &Path) -> Result<Vec<(String, String)>> {
    let mut protos = Vec::new();
    find_protos(schemas, &mut protos)?;
    protos.sort();
    let descriptors = protox::compile(&protos, [schemas])?;
    let mut config = prost_build::Config::new();
    let modules = descriptors
        .file
        .into_iter()
        .map(|file| (prost_build::Module::from_protobuf_package_name(file.package()), file));
    let texts = config.generate(modules.collect()).context("generating Rust from the schemas")?;
    let mut files: Vec<(String, String)> =
        texts.into_iter().map(|(module, text)| (module.to_file_name_or("root"), format!("{HEADER}{text}"))).collect();
    files.sort();
    Ok(files)
}

fn find_protos(dir: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            find_protos(&path, found)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            found.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_checked_in_is_what_the_schemas_say() {
        run(true).unwrap();
    }
}
