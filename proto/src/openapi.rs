//! The OpenAPI 3.1 document and the table of error codes, made of the wire types and of the table of routes.
//!
//! Both are committed and compared by a test, so that a change of the wire is seen in review.

mod error_codes;
mod routes;

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

pub use error_codes::error_codes_markdown;

use crate::v1::paths::HOST;
use crate::v1::{ErrorBody, ErrorCode};
use routes::{Answer, OPERATIONS, Operation, Parameter};

/// The document that is served at `/v1/openapi.json`.
pub fn openapi_json() -> Value {
    let mut generator = generator();
    let paths = paths(&mut generator);
    // Every operation may fail, and this names the schema for it.
    generator.subschema_for::<ErrorBody>();
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "valetkey",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{
            "url": format!("http://{HOST}"),
            "description": "Over a Unix socket, or a named pipe on Windows (`valetkey path`); never over the network.",
        }],
        "paths": paths,
        "components": { "schemas": generator.take_definitions(true) },
    })
}

fn generator() -> SchemaGenerator {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    settings.with_transform(tidy_description).into_generator()
}

/// Links to items of this crate, and where the source breaks its lines, mean nothing to a reader of the document.
fn tidy_description(schema: &mut Schema) {
    schemars::transform::transform_subschemas(&mut tidy_description, schema);
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description =
            description.replace("[`ERROR_CODES`]", "`error-codes.md`").replace('\n', " ");
    }
}

fn paths(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = describe(operation, generator);
    }
    paths
}

fn describe(operation: &Operation, generator: &mut SchemaGenerator) -> Value {
    let mut described = json!({
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": responses(operation, generator),
    });
    if !operation.description.is_empty() {
        described["description"] = operation.description.into();
    }
    let parameters = parameters(operation);
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(request) = operation.request {
        let schema = request(generator);
        let is_required = has_required_members(&schema, generator);
        described["requestBody"] =
            json!({ "required": is_required, "content": content(JSON, &schema) });
    }
    described
}

/// A body may be left out where each of its members may.
fn has_required_members(schema: &Schema, generator: &SchemaGenerator) -> bool {
    let reference = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
    let name = reference.rsplit('/').next().unwrap_or_default();
    let definition = generator.definitions().get(name).unwrap_or(schema.as_value());
    definition.get("required").is_some()
}

/// Those of the path, from its template, and those of the query.
fn parameters(operation: &Operation) -> Vec<Value> {
    let parts = operation.path.split('{').skip(1);
    let names = parts.filter_map(|part| part.split_once('}')).map(|(name, _)| name);
    let of_path = names.map(|name| {
        json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } })
    });
    let of_query = operation.query.iter().map(|Parameter { name, kind, description }| {
        json!({ "name": name, "in": "query", "description": description, "schema": { "type": kind } })
    });
    of_path.chain(of_query).collect()
}

fn responses(operation: &Operation, generator: &mut SchemaGenerator) -> Map<String, Value> {
    let mut responses = Map::new();
    for Answer { status, description, content_type, schema } in operation.answers {
        let mut response = json!({ "description": description });
        if let Some(schema) = schema {
            response["content"] = content(content_type, &schema(generator));
        }
        responses.insert(status.to_string(), response);
    }
    let error = generator.subschema_for::<ErrorBody>();
    for (status, codes) in by_status(operation.errors) {
        let codes: Vec<_> = codes.iter().map(|code| format!("`{}`", code.as_str())).collect();
        let description = codes.join(", ");
        let response = json!({ "description": description, "content": content(JSON, &error) });
        responses.insert(status.to_string(), response);
    }
    let description = "Another error; what each code means is in `error-codes.md`.";
    let other = json!({ "description": description, "content": content(JSON, &error) });
    responses.insert("default".to_owned(), other);
    responses
}

fn by_status(codes: &[ErrorCode]) -> Vec<(u16, Vec<ErrorCode>)> {
    let mut groups: Vec<(u16, Vec<ErrorCode>)> = Vec::new();
    for code in codes {
        match groups.iter_mut().find(|(status, _)| *status == code.status()) {
            Some((_, group)) => group.push(*code),
            None => groups.push((code.status(), vec![*code])),
        }
    }
    groups
}

fn content(content_type: &str, schema: &Schema) -> Value {
    json!({ content_type: { "schema": schema } })
}

const JSON: &str = "application/json";

const DESCRIPTION: &str = "The local OAuth token broker. Who calls is known from the socket, so there are no credentials in \
    any request, and no request is answered that a browser sent (`Origin`, `Referer`, `Sec-Fetch-*`, a foreign `Host`). \
    Members that a request does not define are an error; members that an answer has beyond these are to be ignored. Refresh \
    tokens never leave the daemon, but for a program's own `private_cache` and a person's `POST /v1/cache/export`.";
