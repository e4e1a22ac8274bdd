//! Every answer that any test of this suite gets is compared with the checked-in OpenAPI document.

use std::sync::LazyLock;

use litfass_sim::Response;
use serde_json::Value;

static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../docs/openapi.json")).unwrap());

/// The answer to a described request is as described; what is not described is not ours to judge here.
pub(crate) fn check(method: &str, address: &str, response: &Response) {
    let path = address.split('?').next().unwrap();
    let Some(operation) = operation(&method.to_lowercase(), path) else { return };
    let responses = &operation["responses"];
    let described = responses.get(response.status.to_string()).unwrap_or(&responses["default"]);
    let media_type = response.header("content-type").unwrap_or_default().split(';').next().unwrap();
    let Some(content) = described.get("content") else { return };
    // Pages lead a person to the form, and tell what went wrong as a page; a statement and a report may be asked for as CSV.
    let for_people = response.status == 303 || (response.status >= 400 && media_type == "text/html");
    if for_people || media_type == "text/csv" {
        return;
    }
    let content = content.get(media_type);
    let content =
        content.unwrap_or_else(|| panic!("{method} {path}: {} {media_type} is not described", response.status));
    if ["application/json", "application/problem+json"].contains(&media_type) {
        let problems = problems(&content["schema"], &response.json(), "");
        assert!(problems.is_empty(), "{method} {path}: {}: {problems:?}\n{}", response.status, response.json());
    }
}

fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let parts: Vec<&str> = path.split('/').collect();
    let fits = |pattern: &str| {
        let pattern: Vec<&str> = pattern.split('/').collect();
        let same = |(a, b): (&&str, &&str)| a == b || a.starts_with('{');
        pattern.len() == parts.len() && pattern.iter().zip(&parts).all(same)
    };
    // An address without placeholders goes before one with them.
    let found = paths.get(path).or_else(|| paths.iter().find(|(pattern, _)| fits(pattern)).map(|(_, found)| found));
    found?.get(method)
}

/// Where the value is not what the schema says; members that are not described count too.
fn problems(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return problems(&DOCUMENT["components"]["schemas"][name], value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let each: Vec<_> = any.iter().map(|schema| problems(schema, value, at)).collect();
        return if each.iter().any(Vec::is_empty) { Vec::new() } else { each.concat() };
    }
    if let Some(names) = schema["enum"].as_array() {
        return if names.contains(value) { Vec::new() } else { vec![format!("{at}: {value} is none of {names:?}")] };
    }
    let fits = match schema["type"].as_str() {
        None => return Vec::new(),
        Some("null") => value.is_null(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("string") => value.is_string(),
        Some("array") => {
            let Some(items) = value.as_array() else { return vec![format!("{at}: {value} is no list")] };
            let each =
                items.iter().enumerate().map(|(i, item)| problems(&schema["items"], item, &format!("{at}[{i}]")));
            return each.flatten().collect();
        }
        Some("object") => return object_problems(schema, value, at),
        Some(other) => panic!("{at}: a schema of type {other}"),
    };
    if fits { Vec::new() } else { vec![format!("{at}: {value} is no {}", schema["type"])] }
}

fn object_problems(schema: &Value, value: &Value, at: &str) -> Vec<String> {
    let Some(members) = value.as_object() else { return vec![format!("{at}: {value} is no object")] };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let missing = required.filter(|name| !members.contains_key(*name)).map(|name| format!("{at}.{name} is missing"));
    let each = members.iter().flat_map(|(name, value)| {
        let at = format!("{at}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(schema), _) => problems(schema, value, &at),
            (None, Some(Value::Bool(false))) => vec![format!("{at} is not described")],
            (None, Some(schema)) => problems(schema, value, &at),
            (None, None) => Vec::new(),
        }
    });
    missing.chain(each).collect()
}

#[test]
fn the_document_that_is_served_is_the_checked_in_one() {
    let home = crate::process::Home::new();
    let served = home.serve().caller().get("/openapi.json");
    assert_eq!((served.status, &served.json()), (200, &*DOCUMENT));
}
