//! Declarations as an OpenAPI 3.1 description, errors included.

mod paths;
mod schemas;
mod shared;

use crate::{Catalog, Spec};
use serde_json::{Map, Value as Json, json};

const MEDIA_TYPE: &str = "application/vnd.api+json";

/// A resource and what can be done to it.
pub struct Described {
    /// Its declaration.
    pub spec: &'static Spec,
    /// Whether one can be made.
    pub create: bool,
    /// Whether one can be changed.
    pub update: bool,
    /// Whether one can be deleted.
    pub delete: bool,
    /// What else can be done to one.
    pub actions: Vec<DescribedAction>,
}

/// An action and the texts it must be sent.
pub struct DescribedAction {
    /// The last segment of its path.
    pub name: &'static str,
    /// Its method.
    pub method: &'static str,
    /// One sentence about it.
    pub about: &'static str,
    /// Name, sentence and example (as JSON) of each text.
    pub takes: &'static [(&'static str, &'static str, &'static str)],
}

/// The description, with `info` as it is.
pub fn document(catalog: &Catalog, info: &Json, server: &str, resources: &[Described]) -> Json {
    let mut paths = Map::new();
    let mut schemas = Map::new();
    for resource in resources {
        paths::describe(catalog, resource, &mut paths);
        schemas::describe(catalog, resource, &mut schemas);
    }
    schemas.insert("linkage".to_owned(), shared::linkage_document());
    schemas.insert("errors".to_owned(), shared::errors());
    json!({
        "openapi": "3.1.0",
        "info": info,
        "servers": [{ "url": server, "variables": { "domain": { "default": "example.com" } } }],
        "security": [{ "bearerAuth": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": shared::error_responses(),
            "parameters": shared::parameters(),
            "securitySchemes": { "bearerAuth": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
        },
    })
}

fn body(schema: &str, required: bool) -> Json {
    json!({ "required": required, "content": content(&json!({ "$ref": format!("#/components/schemas/{schema}") })) })
}

fn content(schema: &Json) -> Json {
    json!({ MEDIA_TYPE: { "schema": schema } })
}

fn parsed(json: &str) -> Json {
    serde_json::from_str(json).unwrap_or(Json::Null)
}

/// `apiCredential` and `api_credentials` as words.
fn words(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        match character {
            '_' => words.push(' '),
            upper if upper.is_uppercase() => {
                words.push(' ');
                words.extend(upper.to_lowercase());
            }
            other => words.push(other),
        }
    }
    words.replace("api ", "API ")
}

fn sentence(name: &str) -> String {
    let words = words(name);
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn article(word: &str) -> &'static str {
    if word.starts_with(['a', 'e', 'i', 'o', 'A']) { "an" } else { "a" }
}

fn action_schema(singular: &str, action: &str) -> String {
    let camel: String = action.split('_').map(sentence).collect();
    format!("{singular}{camel}")
}
