//! The API's description: `/openapi.json` for programs, `/docs/api` for people. Both are made once, when one of them is
//! first asked for: making them takes more memory than all the rest of a start.

use std::sync::{Arc, OnceLock};

use askama::Template;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use identity::{Identity, Visit};
use serde_json::{Map, Value};
use web::face::Shell;
use web::{Access, Routes};

/// What the page shows, taken from the OpenAPI document.
#[derive(Debug)]
struct Reference {
    first_call: String,
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    id: String,
    title: String,
    operations: Vec<Operation>,
}

#[derive(Debug)]
struct Operation {
    id: String,
    method: String,
    tone: &'static str,
    path: String,
    summary: String,
    description: String,
    needs_token: bool,
    parameters: Vec<Field>,
    body: Vec<Field>,
    answers: Vec<Answer>,
}

#[derive(Debug)]
struct Field {
    name: String,
    place: String,
    kind: String,
    meaning: String,
    required: bool,
}

#[derive(Debug)]
struct Answer {
    status: String,
    meaning: String,
    fields: String,
}

/// The page.
#[derive(Template)]
#[template(path = "api.html")]
struct ReferencePage<'a> {
    shell: Shell,
    reference: &'a Reference,
}

/// What the two routes answer from.
#[derive(Clone)]
struct Docs {
    identity: Identity,
    /// Where the API is reached.
    address: Arc<str>,
    made: Arc<OnceLock<Made>>,
}

#[derive(Debug)]
struct Made {
    json: Bytes,
    reference: Reference,
}

impl Docs {
    fn made(&self) -> &Made {
        self.made.get_or_init(|| {
            let json =
                Bytes::from(serde_json::to_vec(&document(env!("CARGO_PKG_VERSION"))).unwrap_or_default());
            let value = serde_json::from_slice(&json).unwrap_or_default();
            Made { reference: Reference::of(&value, &self.address), json }
        })
    }
}

impl FromRef<Docs> for Identity {
    fn from_ref(docs: &Docs) -> Self {
        docs.identity.clone()
    }
}

/// `/openapi.json` and `/docs/api`.
pub(super) fn routes(identity: Identity, address: &str) -> Routes {
    Routes::new()
        .get("/openapi.json", Access::Public, openapi)
        .get("/docs/api", Access::Public, page)
        .with_state(Docs { identity, address: address.into(), made: Arc::default() })
}

async fn openapi(State(docs): State<Docs>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], docs.made().json.clone())
        .into_response()
}

async fn page(State(docs): State<Docs>, visit: Visit) -> Response {
    let shell =
        visit.shell.page("API", "api").describe("Every path of the HTTP API, with its fields and answers.");
    let page = ReferencePage { shell, reference: &docs.made().reference };
    web::face::html(&page.shell, &page)
}

/// The whole document: every room's part, with what they have in common.
fn document(version: &str) -> utoipa::openapi::OpenApi {
    use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
    let mut document = utoipa::openapi::OpenApiBuilder::new()
        .info(
            utoipa::openapi::InfoBuilder::new()
                .title("Fondaco")
                .version(version)
                .description(Some("One marketplace for software. See /docs/api for the same in words."))
                .build(),
        )
        .build();
    for room in [
        identity::openapi(),
        registry::api::openapi(),
        catalog::openapi(),
        ledger::api::openapi(),
        payments::openapi(),
        wallet::openapi(),
        orders::openapi(),
        tickets::openapi(),
        billing::openapi(),
        payouts::openapi(),
        webhooks::openapi(),
        services::openapi(),
        super::jobs::openapi(),
    ] {
        document.merge(room);
    }
    let components = document.components.get_or_insert_with(Default::default);
    components.add_security_scheme("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    document
}

impl Reference {
    /// Reads the document. What it lacks is left out of the page.
    fn of(document: &Value, api: &str) -> Self {
        let mut groups: Vec<Group> = Vec::new();
        for (path, item) in document["paths"].as_object().into_iter().flatten() {
            for (method, operation) in item.as_object().into_iter().flatten() {
                let Some(tone) = tone(method) else { continue };
                let title = capitalised(operation["tags"][0].as_str().unwrap_or("other"));
                let operation = Operation::of(document, path, method, tone, operation);
                match groups.iter_mut().find(|group| group.title == title) {
                    Some(group) => group.operations.push(operation),
                    None => groups.push(Group { id: anchor(&title), title, operations: vec![operation] }),
                }
            }
        }
        groups.sort_by(|a, b| a.title.cmp(&b.title));
        let first_call = format!("curl -H \"Authorization: Bearer $FONDACO_TOKEN\" {api}/api/auth/session");
        Self { first_call, groups }
    }
}

impl Operation {
    fn of(document: &Value, path: &str, method: &str, tone: &'static str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let answers = operation["responses"].as_object().into_iter().flatten();
        Self {
            id: anchor(&format!("{method} {path}")),
            method: method.to_uppercase(),
            tone,
            path: path.to_owned(),
            summary: words(&operation["summary"]),
            description: words(&operation["description"]),
            needs_token: operation["security"].as_array().is_some_and(|list| !list.is_empty()),
            parameters: parameters
                .map(|parameter| Field {
                    name: words(&parameter["name"]),
                    place: words(&parameter["in"]),
                    kind: kind(document, &parameter["schema"]),
                    meaning: words(&parameter["description"]),
                    required: parameter["required"] == true,
                })
                .collect(),
            body: fields(document, json_schema(&operation["requestBody"])),
            answers: answers
                .map(|(status, answer)| Answer {
                    status: status.clone(),
                    meaning: words(&answer["description"]),
                    fields: names(document, json_schema(answer)),
                })
                .collect(),
        }
    }
}

fn tone(method: &str) -> Option<&'static str> {
    match method {
        "get" => Some("ok"),
        "post" | "put" | "patch" => Some("accent"),
        "delete" => Some("bad"),
        _ => None,
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn anchor(text: &str) -> String {
    let mut out = String::new();
    for c in text.to_lowercase().chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c);
        } else if !out.ends_with('-') && !out.is_empty() {
            out.push('-');
        }
    }
    out.trim_end_matches('-').to_owned()
}

fn words(value: &Value) -> String {
    value.as_str().unwrap_or_default().trim().to_owned()
}

fn json_schema(holder: &Value) -> &Value {
    &holder["content"]["application/json"]["schema"]
}

/// Follows `$ref` into the document's components.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|path| document.pointer(path.trim_start_matches('#')));
    target.unwrap_or(schema)
}

fn properties<'a>(document: &'a Value, schema: &'a Value) -> Option<&'a Map<String, Value>> {
    resolve(document, schema)["properties"].as_object()
}

fn fields(document: &Value, schema: &Value) -> Vec<Field> {
    let required = resolve(document, schema)["required"].as_array().cloned().unwrap_or_default();
    let properties = properties(document, schema).into_iter().flatten();
    properties
        .map(|(name, property)| Field {
            name: name.clone(),
            place: "body".to_owned(),
            kind: kind(document, property),
            meaning: words(&property["description"]),
            required: required.iter().any(|needed| needed == name),
        })
        .collect()
}

fn names(document: &Value, schema: &Value) -> String {
    if let Some(properties) = properties(document, schema) {
        return properties.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    }
    if schema.is_object() { kind(document, schema) } else { String::new() }
}

/// A type in words: `string`, `integer or null`, `list of Token`.
fn kind(document: &Value, schema: &Value) -> String {
    if let Some(path) = schema["$ref"].as_str() {
        let name = path.rsplit('/').next().unwrap_or_default();
        return match resolve(document, schema)["type"].as_str() {
            Some("object") | None => name.to_owned(),
            Some(_) => kind(document, resolve(document, schema)),
        };
    }
    match &schema["type"] {
        Value::String(name) if name == "array" => format!("list of {}", kind(document, &schema["items"])),
        Value::String(name) => {
            schema["format"].as_str().map_or_else(|| name.clone(), |form| format!("{name} ({form})"))
        }
        Value::Array(several) => several.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" or "),
        _ => either(document, schema),
    }
}

fn either(document: &Value, schema: &Value) -> String {
    let choices = ["oneOf", "anyOf", "allOf"].iter().find_map(|word| schema[*word].as_array());
    let kinds: Vec<_> = choices.into_iter().flatten().map(|choice| kind(document, choice)).collect();
    if kinds.is_empty() { "any".to_owned() } else { kinds.join(" or ") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn operations_are_read_with_their_fields() {
        let document = json!({
            "paths": { "/api/things/{id}": { "post": {
                "tags": ["Things"], "summary": "Paint a thing", "security": [{"token": []}],
                "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Paint"}}}},
                "responses": {"200": {"description": "Painted", "content": {"application/json": {"schema":
                    {"type": "array", "items": {"$ref": "#/components/schemas/Paint"}}}}}},
            }}},
            "components": {"schemas": {"Paint": {"type": "object", "required": ["colour"],
                "properties": {"colour": {"type": "string", "description": "Which."}, "coats": {"type": ["integer", "null"]}}}}},
        });
        let reference = Reference::of(&document, "https://market.example.com");
        let operation = &reference.groups[0].operations[0];
        assert_eq!((operation.id.as_str(), operation.needs_token), ("post-api-things-id", true));
        assert_eq!((operation.body[0].name.as_str(), operation.body[0].required), ("colour", true));
        assert_eq!(operation.body[1].kind, "integer or null");
        assert_eq!(operation.answers[0].fields, "list of Paint");
    }
}
