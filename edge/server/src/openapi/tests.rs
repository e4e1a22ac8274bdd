use std::collections::BTreeSet;
use std::path::Path;

use super::*;

#[test]
fn the_checked_in_document_is_current() {
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    crate::generated::assert_current("../openapi.json", &text);
}

#[test]
fn every_schema_that_is_named_is_there() {
    let document = document();
    let text = document.to_string();
    for name in text.split("#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
}

/// Addresses in `.route("…")` of the sources below `folder`.
fn declared(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            declared(&path, found);
            continue;
        }
        let text: String = std::fs::read_to_string(&path).unwrap().split_whitespace().collect();
        let routes = text.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
        found.extend(routes.map(str::to_owned));
    }
}

#[test]
fn a_right_is_looked_at_before_any_body_is_read() {
    for operation in operations::all().into_iter().filter(|operation| operation.body != Content::Nothing) {
        let right = crate::http::entitled::sending(&operation.path);
        assert!(right.is_some(), "{} is not in edge/server/src/http/entitled.rs", operation.path);
    }
}

#[test]
fn every_address_of_the_sources_is_described() {
    let mut routes = BTreeSet::new();
    declared(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http"), &mut routes);
    let described: BTreeSet<String> = operations::all().into_iter().map(|operation| operation.path).collect();
    let missing: Vec<_> = routes.difference(&described).collect();
    assert!(routes.len() > 20 && missing.is_empty(), "not in edge/server/src/openapi/operations.rs: {missing:?}");
}
