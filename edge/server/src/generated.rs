//! Pages under `docs/generated` are written from tables in the code; here a test compares, or rewrites with `UPDATE_FIXTURES=1`.

use std::path::PathBuf;

pub(crate) fn assert_current(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/generated").join(name);
    if std::env::var_os("UPDATE_FIXTURES").is_some() {
        std::fs::write(&path, text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = text.lines().zip(found.lines().chain(std::iter::repeat(""))).find(|(wanted, found)| wanted != found);
    assert!(
        found == text,
        "docs/generated/{name} is not current ({differs:?}): run the tests once with UPDATE_FIXTURES=1"
    );
}
