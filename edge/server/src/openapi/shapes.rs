//! Shapes in short: `id: id; name: text; status: "active" | "paused"; external_id?: text | null; rows: Row[]`, as JSON Schema.
//!
//! A member with `?` may be missing. A type is one of the names below, another shape's name, a literal text, a list `T[]`, a map
//! `map<T>`, or several of these with `|` between them. A shape that begins with `=` is a type and not an object.

use serde_json::{Map, Value, json};

/// The schema of a shape.
pub(super) fn schema(shape: &str) -> Value {
    match shape.trim().strip_prefix('=') {
        Some(of) => type_schema(of),
        None => object(members(shape)),
    }
}

/// What an object's members are called, whether they may be missing, and their types.
pub(super) fn members(shape: &str) -> Vec<(&str, bool, &str)> {
    let stated = shape.split(';').map(str::trim).filter(|member| !member.is_empty());
    let member = |member| {
        let (name, of): (&str, &str) = str::split_once(member, ':').unwrap_or((member, "any"));
        (name.trim_end_matches('?').trim(), name.trim_end().ends_with('?'), of.trim())
    };
    stated.map(member).collect()
}

pub(super) fn object(members: Vec<(&str, bool, &str)>) -> Value {
    let required: Vec<&str> = members.iter().filter(|(_, may_miss, _)| !may_miss).map(|(name, ..)| *name).collect();
    let properties: Map<String, Value> =
        members.into_iter().map(|(name, _, of)| (name.to_owned(), type_schema(of))).collect();
    json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
}

pub(super) fn type_schema(of: &str) -> Value {
    let parts: Vec<&str> = of.split('|').map(str::trim).collect();
    let literals: Option<Vec<&str>> = parts.iter().map(|part| part.strip_prefix('"')?.strip_suffix('"')).collect();
    match (literals, &parts[..]) {
        (Some(names), _) => json!({ "type": "string", "enum": names }),
        (None, [one]) => one_type(one),
        (None, several) => json!({ "anyOf": several.iter().map(|part| type_schema(part)).collect::<Vec<_>>() }),
    }
}

fn one_type(of: &str) -> Value {
    if let Some(item) = of.strip_suffix("[]") {
        return json!({ "type": "array", "items": one_type(item) });
    }
    if let Some(item) = of.strip_prefix("map<").and_then(|rest| rest.strip_suffix('>')) {
        return json!({ "type": "object", "additionalProperties": one_type(item) });
    }
    match of {
        "any" => json!({}),
        "null" => json!({ "type": "null" }),
        "bool" => json!({ "type": "boolean" }),
        "int" => json!({ "type": "integer" }),
        "count" => json!({ "type": "integer", "minimum": 0 }),
        "id" => json!({ "type": "integer", "minimum": 1, "maximum": 9_007_199_254_740_991_u64 }),
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": 1_000 }),
        "month" => json!({ "type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])$" }),
        "number" => json!({ "type": "number" }),
        "text" => json!({ "type": "string" }),
        "time" => json!({ "type": "string", "format": "date-time" }),
        name => json!({ "$ref": format!("#/components/schemas/{name}") }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_in_short_is_a_schema() {
        let schema = schema(r#"id: id; name?: text | null; status: "on" | "off"; parts: Part[]; more: map<text>"#);
        assert_eq!(schema["required"], json!(["id", "status", "parts", "more"]));
        let of = &schema["properties"];
        assert_eq!(of["name"], json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] }));
        assert_eq!(of["status"], json!({ "type": "string", "enum": ["on", "off"] }));
        assert_eq!(of["parts"], json!({ "type": "array", "items": { "$ref": "#/components/schemas/Part" } }));
        assert_eq!(of["more"], json!({ "type": "object", "additionalProperties": { "type": "string" } }));
    }
}
