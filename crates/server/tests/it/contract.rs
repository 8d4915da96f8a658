//! The API description: checked in, complete against the official one, and true of every answer.

use crate::guild::Reply;
use jsonschema::Validator;
use serde_json::{Value as Json, json};
use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

static DESCRIPTION: LazyLock<Json> =
    LazyLock::new(|| serde_json::from_str(guildhall::openapi::text()).unwrap());
static VALIDATORS: LazyLock<Mutex<HashMap<String, &'static Validator>>> = LazyLock::new(Mutex::default);

/// Fails when an answer of the API is not what the description says.
pub(crate) fn check(method: &str, path: &str, reply: &Reply) {
    if method == "OPTIONS" {
        // Browsers ask that, not clients of the API.
        return;
    }
    // The description has one spelling of each path.
    let path = path.replace("owenership", "ownership");
    // What an organization's own host answers is another API.
    let is_described = |path: &&str| {
        let own = ["/organization", "/application"].contains(&path.trim_end_matches('/'));
        !own && !path.starts_with("/public/") && !path.starts_with("/2")
    };
    let Some(path) = path.strip_prefix("/api").filter(is_described) else { return };
    let status = reply.status.to_string();
    let documented =
        operation(&method.to_lowercase(), path).map(|operation| operation["responses"][&status].clone());
    let response = match documented {
        // Paths and methods that do not exist are refused alike everywhere.
        None => json!({ "$ref": "#/components/responses/404" }),
        Some(Json::Null) => {
            panic!("{method} {path} answered {status}, which is not described: {}", reply.text())
        }
        Some(response) => response,
    };
    let response = match response["$ref"].as_str() {
        Some(reference) => DESCRIPTION.pointer(&reference[1..]).unwrap(),
        None => &response,
    };
    match &response["content"]["application/vnd.api+json"]["schema"]["$ref"] {
        Json::String(schema) => {
            assert_eq!(reply.header("content-type"), "application/vnd.api+json", "{method} {path}");
            let answer = reply.json();
            let errors: Vec<String> = validator(schema)
                .iter_errors(&answer)
                .map(|error| format!("{} at {}", error, error.instance_path))
                .collect();
            assert!(errors.is_empty(), "{method} {path} {status} is not {schema}: {errors:?}\n{answer:#}");
        }
        _ => assert!(reply.body.is_empty(), "{method} {path} {status} has a body: {}", reply.text()),
    }
}

fn operation(method: &str, path: &str) -> Option<&'static Json> {
    let path = path.strip_suffix('/').unwrap_or(path);
    let segments: Vec<&str> = path.split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == segments.len()
            && parts.iter().zip(&segments).all(|(part, segment)| part.starts_with('{') || part == segment)
    };
    // A literal path beats one with a parameter.
    let mut found: Vec<_> =
        DESCRIPTION["paths"].as_object().unwrap().iter().filter(|(template, _)| fits(template)).collect();
    found.sort_by_key(|(template, _)| template.matches('{').count());
    found.first().and_then(|(_, operations)| operations.get(method))
}

fn validator(reference: &str) -> &'static Validator {
    let mut validators = VALIDATORS.lock().unwrap();
    validators.entry(reference.to_owned()).or_insert_with(|| {
        let schema = json!({ "$ref": reference, "components": DESCRIPTION["components"] });
        Box::leak(Box::new(jsonschema::options().should_validate_formats(true).build(&schema).unwrap()))
    })
}

#[test]
fn the_description_in_the_repository_is_the_one_served() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../openapi.json");
    let same = std::fs::read_to_string(file).is_ok_and(|text| text == guildhall::openapi::text());
    assert!(same, "write it anew: cargo run -- openapi > openapi.json");
}

/// The official description without its prose: what clients rely on.
static OFFICIAL: LazyLock<Json> =
    LazyLock::new(|| serde_json::from_str(include_str!("../fixtures/provisioning-api.json")).unwrap());

#[test]
fn every_official_operation_is_there() {
    for operation in OFFICIAL["operations"].as_array().unwrap() {
        let (method, path) = (operation["method"].as_str().unwrap(), operation["path"].as_str().unwrap());
        let ours = &DESCRIPTION["paths"][path][method];
        assert!(ours.is_object(), "{method} {path} is missing");
        let status = operation["status"].as_str().unwrap();
        assert!(ours["responses"][status].is_object(), "{method} {path} does not answer {status}");
        for error in ["401", "429", "500"] {
            assert!(ours["responses"][error].is_object(), "{method} {path} does not tell of {error}");
        }
    }
    assert_eq!(OFFICIAL["operations"].as_array().unwrap().len(), 70);
}

#[test]
fn every_official_field_is_there_with_its_type() {
    let schemas = &DESCRIPTION["components"]["schemas"];
    for (name, official) in OFFICIAL["schemas"].as_object().unwrap() {
        let ours = &schemas[name];
        assert!(ours.is_object(), "{name} is missing");
        let ours = if ours["properties"]["data"].is_object() { &ours["properties"]["data"] } else { ours };
        let attributes = &ours["properties"]["attributes"];
        for (field, expected) in official["attributes"].as_object().unwrap() {
            let found = &attributes["properties"][field];
            let at = format!("{name}.{field}");
            assert!(found.is_object(), "{at} is missing");
            let types: Vec<&str> = found["type"].as_array().map_or_else(
                || vec![found["type"].as_str().unwrap()],
                |types| types.iter().filter_map(Json::as_str).collect(),
            );
            assert!(
                types.contains(&expected["type"].as_str().unwrap()),
                "{at} is {types:?}, not {}",
                expected["type"]
            );
            // `metadata` may be sent as null, which empties it; it is never answered as null.
            let emptied = field == "metadata" && !name.ends_with("Update");
            if expected["nullable"] == true && !emptied {
                assert!(types.contains(&"null"), "{at} may be null");
            }
            for word in expected["enum"].as_array().into_iter().flatten() {
                assert!(
                    found["enum"].as_array().is_some_and(|words| words.contains(word)),
                    "{at} lacks {word}"
                );
            }
        }
        let required = |value: &Json, name: &Json| value.as_array().is_some_and(|names| names.contains(name));
        for field in official["required"].as_array().unwrap() {
            assert!(required(&attributes["required"], field), "{name}.{field} must be required");
        }
        let relationships = &ours["properties"]["relationships"];
        for (relationship, kind) in official["relationships"].as_object().unwrap() {
            let found = &relationships["properties"][relationship];
            assert!(found.is_object(), "{name}.{relationship} is missing");
            let kind = kind.as_str().unwrap();
            assert!(
                found.to_string().contains(&format!("\"enum\":[\"{kind}\"]")),
                "{name}.{relationship} is not {kind}"
            );
        }
        for relationship in official["required_relationships"].as_array().unwrap() {
            assert!(
                required(&relationships["required"], relationship),
                "{name}.{relationship} must be required"
            );
        }
    }
}
