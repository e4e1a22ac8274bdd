//! The HTTP interface as an OpenAPI 3.1 document, made from one table of operations and one of shapes.
//!
//! `docs/openapi.json` is this document; tests compare it with the routes that the sources declare and with every answer that
//! the integration tests get.

mod operations;
mod schemas;
mod shapes;

use std::collections::BTreeMap;

use litfass_catalog::ObjectKind;
use serde_json::{Map, Value, json};

use operations::{Content, Operation, schema_of};

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for operation in operations::all() {
        let described = described(&operation);
        paths.entry(operation.path).or_default().insert(operation.method.to_owned(), described);
    }
    json!({
        "openapi": "3.1.0",
        "info": { "title": "Litfass", "version": env!("CARGO_PKG_VERSION"), "summary": "A self-hosted ad platform" },
        "security": [{ "key": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas(),
            "securitySchemes": { "key": { "type": "http", "scheme": "bearer", "description": "An API key: lf_…" } },
        },
    })
}

fn schemas() -> BTreeMap<String, Value> {
    let mut schemas: BTreeMap<String, Value> =
        schemas::SHAPES.iter().map(|(name, shape)| ((*name).to_owned(), shapes::schema(shape))).collect();
    for kind in ObjectKind::ALL {
        let name = schema_of(kind);
        let shape = schemas::OBJECTS.iter().find(|(known, _)| *known == name).map_or("", |(_, shape)| *shape);
        schemas.insert(name.to_owned(), shapes::schema(shape));
        schemas.insert(format!("{name}Edit"), edit_schema(shape));
        schemas.insert(format!("{name}List"), shapes::schema(&format!("objects: {name}[]; next_cursor: text | null")));
        schemas.insert(format!("{name}Bulk"), shapes::schema(&format!("rows: {name}Edit[]; dry_run?: bool")));
        schemas.insert(format!("{name}Killed"), shapes::schema(&format!("object: {name}; outstanding_micros: count")));
    }
    schemas.insert("Document".to_owned(), json!({ "type": "object" }));
    schemas
}

/// What an edit takes: any of the members, `null` to take one away, and the caller's own names for objects above.
fn edit_schema(shape: &str) -> Value {
    let members = shapes::members(shape);
    let loose: Vec<(&str, bool, String)> =
        members.into_iter().map(|(name, _, of)| (name, true, loosened(name, of))).collect();
    shapes::object(loose.iter().map(|(name, may_miss, of)| (*name, *may_miss, of.as_str())).collect())
}

fn loosened(name: &str, of: &str) -> String {
    let of = if of == "id" && name != "id" { "id | text" } else { of };
    if of.contains("null") { of.to_owned() } else { format!("{of} | null") }
}

fn described(operation: &Operation) -> Value {
    let mut described = json!({
        "summary": operation.summary,
        "operationId": operation_id(operation),
        "parameters": parameters(operation),
        "responses": { operation.status.to_string(): response(operation), "default": problem(operation.page) },
    });
    if operation.body != Content::Nothing {
        described["requestBody"] = json!({ "required": true, "content": content(&operation.body) });
    }
    if operation.public {
        described["security"] = json!([]);
    }
    described
}

fn operation_id(operation: &Operation) -> String {
    let words = operation.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.fold(operation.method.to_owned(), |id, word| format!("{id}_{word}"))
}

fn response(operation: &Operation) -> Value {
    if operation.answer == Content::Nothing {
        return json!({ "description": "done" });
    }
    let mut content = content(&operation.answer);
    if operation.csv {
        content["text/csv"] = json!({ "schema": { "type": "string" } });
    }
    json!({ "description": "done", "content": content })
}

fn content(content: &Content) -> Value {
    match content {
        Content::Nothing => json!({}),
        Content::Json(schema) => json!({ "application/json": { "schema": shapes::type_schema(schema) } }),
        Content::Other(media_type) => json!({ *media_type: { "schema": { "type": "string" } } }),
    }
}

fn problem(page: bool) -> Value {
    let schema = shapes::type_schema("Problem");
    let mut content = json!({ "application/problem+json": { "schema": schema } });
    if page {
        content["text/html"] = json!({ "schema": { "type": "string" } });
    }
    json!({ "description": "refused", "content": content })
}

fn parameters(operation: &Operation) -> Vec<Value> {
    let in_path = operation.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let of_path =
        in_path.map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let of_query = shapes::members(operation.query).into_iter().map(|(name, may_miss, of)| {
        json!({ "name": name, "in": "query", "required": !may_miss, "schema": shapes::type_schema(of) })
    });
    let of_head = operation
        .headers
        .iter()
        .map(|name| json!({ "name": name, "in": "header", "required": false, "schema": { "type": "string" } }));
    of_path.chain(of_query).chain(of_head).collect()
}

#[cfg(test)]
mod tests;
