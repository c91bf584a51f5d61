//! The description of the API, OpenAPI 3.1, made of the table of routes and the table of schemas.
//!
//! The committed copy is `docs/openapi.json`; a test compares, and says how to renew it. Another test reads every
//! answer that the tests see against these schemas, so what stands here is what travels.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use souk_protocol::codes;

use crate::route::{Body, Method, Route, Who};
use crate::routes::ROUTES;

pub(crate) mod schemas;

use schemas::{SCHEMAS, Schema, Shape};

/// Codes that any route may answer with.
const CODES_OF_ALL: [&str; 3] = ["core.internal", "server.slow", "request.too_large"];
/// Codes of a route that reads a body.
const CODES_OF_BODY: [&str; 2] = ["request.encoding", "request.form"];
/// Codes of a route that needs a sign-in.
const CODES_OF_DEVICE: [&str; 4] = ["auth.missing", "token.expired", "token.unknown", "device.revoked"];
/// Codes of a route that needs a role in a shop.
const CODES_OF_STAFF: [&str; 2] = ["auth.forbidden", "shop.unknown"];

/// The description as text, with a line end behind it.
pub fn text() -> String {
    // A value of our own making has a text.
    serde_json::to_string_pretty(&document()).unwrap_or_default() + "\n"
}

fn document() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let method = route.method.name().to_ascii_lowercase();
        paths.entry(route.path).or_default().insert(method, operation(route));
    }
    let schemas: Map<String, Value> =
        SCHEMAS.iter().map(|schema| (schema.name.to_owned(), object(schema))).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Souk",
            "version": "1",
            "description": "Times are epoch microseconds, ids 32 lower-case hex digits, amounts integers of minor \
                            units. Bodies may be packed with zstd. Every answer has the headers `souk-now` (the \
                            server's time) and `souk-gen` (the generation of its data).",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "device": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "operationId": name(route),
        "summary": route.summary,
        "x-souk-who": who(route),
        "x-souk-rate": { "most": route.rate.most, "window_s": route.rate.window.secs() },
        "parameters": parameters(route),
        "responses": responses(route),
    });
    if route.who.is_signed_in() {
        operation["security"] = json!([{ "device": [] }]);
    }
    match route.body {
        Body::None => {}
        Body::Json(schema, limit) => {
            operation["requestBody"] = json!({
                "required": true,
                "description": format!("at most {limit} bytes, unpacked"),
                "content": { "application/json": { "schema": reference(schema) } },
            });
        }
        Body::Raw(limit) => {
            operation["requestBody"] = json!({
                "required": true,
                "description": format!("at most {limit} bytes, as the sender has signed them"),
                "content": { "*/*": {} },
            });
        }
    }
    operation
}

/// A name of the operation: method and the words of the path.
fn name(route: &Route) -> String {
    let words =
        route.path.split(['/', '{', '}', '.', '_', '-']).filter(|word| !word.is_empty() && *word != "v1");
    let words: Vec<&str> = words.collect();
    format!("{}_{}", route.method.name().to_ascii_lowercase(), words.join("_"))
}

fn who(route: &Route) -> String {
    match route.who {
        Who::Public(_) | Who::Local(_) | Who::Guest(_) | Who::Device(_) => route.who.name().to_owned(),
        Who::Staff(action, _) => format!("{}: {action:?}", route.who.name()),
    }
}

fn parameters(route: &Route) -> Vec<Value> {
    let text = json!({ "type": "string" });
    let path =
        route.params().map(|name| json!({ "name": name, "in": "path", "required": true, "schema": text }));
    let query = route
        .query
        .iter()
        .map(|param| json!({ "name": param.name, "in": "query", "description": param.what, "schema": text }));
    let headers = route.headers.iter().map(|param| {
        json!({
            "name": param.name, "in": "header", "required": true, "description": param.what, "schema": text,
        })
    });
    path.chain(query).chain(headers).collect()
}

/// The answer that was asked for, and the codes by their status.
fn responses(route: &Route) -> Value {
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for code in codes_of(route) {
        by_status.entry(codes::status_of(code)).or_default().push(code);
    }
    let mut responses = Map::new();
    let mut good = json!({ "description": "done" });
    if !route.answer.is_empty() {
        good["content"] = json!({ "application/json": { "schema": reference(route.answer) } });
    }
    responses.insert(route.status.to_string(), good);
    for (status, mut codes) in by_status {
        codes.sort_unstable();
        codes.dedup();
        let error = json!({ "application/json": { "schema": reference("ErrorBody") } });
        let described = json!({ "description": codes.join(", "), "content": error });
        responses.insert(status.to_string(), described);
    }
    Value::Object(responses)
}

/// Codes that a route may answer with.
pub(crate) fn codes_of(route: &Route) -> Vec<&'static str> {
    let mut codes: Vec<&'static str> = route.codes.to_vec();
    codes.extend(CODES_OF_ALL);
    match route.body {
        Body::Json(..) => codes.extend(CODES_OF_BODY),
        Body::None if !route.query.is_empty() => codes.push("request.form"),
        Body::None | Body::Raw(_) => {}
    }
    match route.who {
        Who::Public(_) => {}
        Who::Local(_) => codes.push("route.unknown"),
        Who::Guest(_) | Who::Device(_) => codes.extend(CODES_OF_DEVICE),
        Who::Staff(..) => codes.extend(CODES_OF_DEVICE.into_iter().chain(CODES_OF_STAFF)),
    }
    if route.method != Method::Get {
        codes.push("server.busy");
    }
    codes
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn object(schema: &Schema) -> Value {
    let mut out = match &schema.shape {
        Shape::Object(members) => {
            let mut properties = Map::new();
            let mut needed = Vec::new();
            for member in *members {
                let (name, form) = member;
                let (name, is_needed) = match name.strip_suffix('?') {
                    Some(name) => (name, false),
                    None => (*name, true),
                };
                if is_needed {
                    needed.push(name);
                }
                properties.insert(name.to_owned(), form_of(form));
            }
            json!({ "type": "object", "required": needed, "properties": properties })
        }
        Shape::OneOf(forms) => {
            let forms: Vec<Value> = forms.iter().map(|form| reference(form)).collect();
            json!({ "oneOf": forms })
        }
        Shape::Words(words) => json!({ "type": "string", "enum": words }),
        Shape::Any => json!({}),
    };
    if !schema.what.is_empty() {
        out["description"] = json!(schema.what);
    }
    out
}

/// A form as OpenAPI writes it; the forms are listed at [`schemas`].
fn form_of(form: &str) -> Value {
    if let Some(item) = form.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return json!({ "type": "array", "items": form_of(item) });
    }
    if let Some(digits) = form.strip_prefix("hex").filter(|digits| !digits.is_empty()) {
        return json!({ "type": "string", "pattern": format!("^[0-9a-f]{{{digits}}}$") });
    }
    if let Some(word) = form.strip_prefix('=') {
        return match word {
            "true" => json!({ "const": true }),
            _ => json!({ "const": word }),
        };
    }
    match form {
        "id" => json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" }),
        "text" => json!({ "type": "string" }),
        "b64u" => json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]*$" }),
        "int" => json!({ "type": "integer" }),
        "time" => json!({ "type": "integer", "description": "epoch microseconds" }),
        "flag" => json!({ "type": "boolean" }),
        "any" => json!({}),
        schema => reference(schema),
    }
}

#[cfg(test)]
mod tests;
