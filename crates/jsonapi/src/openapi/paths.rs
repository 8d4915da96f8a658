//! Every path with its operations.

use super::{Described, DescribedAction, action_schema, article, body, content, sentence, words};
use crate::spec::Relationship;
use crate::{Catalog, Spec};
use serde_json::{Map, Value as Json, json};

/// The words of an operation.
struct Operation<'a> {
    method: &'a str,
    path: String,
    summary: String,
    about: &'a str,
    tag: &'a str,
    id: Option<String>,
    parameters: &'a [&'a str],
    body: Option<Json>,
    success: (&'a str, Option<String>),
    errors: &'a [&'a str],
}

impl Operation<'_> {
    fn add(self, paths: &mut Map<String, Json>) {
        let operation_id = format!("{}{}", self.method.to_uppercase(), self.path.replace(['{', '}'], ""));
        let mut parameters: Vec<Json> = self
            .id
            .iter()
            .map(|id| {
                json!({ "name": id, "in": "path", "required": true, "description": "The id.", "schema": { "type": "string" } })
            })
            .collect();
        parameters.extend(
            self.parameters.iter().map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })),
        );
        let mut responses = Map::new();
        let (status, schema) = self.success;
        let mut success = json!({ "description": self.about });
        if let Some(schema) = schema {
            success["content"] = content(&json!({ "$ref": format!("#/components/schemas/{schema}") }));
        }
        responses.insert(status.to_owned(), success);
        for error in self.errors.iter().chain(&["401", "406", "429", "500", "503"]) {
            responses
                .insert((*error).to_owned(), json!({ "$ref": format!("#/components/responses/{error}") }));
        }
        responses.sort_keys();
        let mut operation = json!({
            "operationId": operation_id,
            "summary": self.summary,
            "description": self.about,
            "tags": [self.tag],
        });
        if !parameters.is_empty() {
            operation["parameters"] = Json::Array(parameters);
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        operation["responses"] = Json::Object(responses);
        let path = paths.entry(self.path).or_insert_with(|| json!({}));
        path[self.method] = operation;
    }
}

const COLLECTION: &[&str] = &["page_number", "page_size", "sort", "filter", "include", "fields"];
const SINGLE: &[&str] = &["include", "fields"];

/// Adds the paths of a resource.
pub(super) fn describe(catalog: &Catalog, resource: &Described, paths: &mut Map<String, Json>) {
    let spec = resource.spec;
    let (kind, singular) = (spec.kind, spec.singular);
    let collection = format!("/{}", spec.path());
    let single = single(spec);
    let name = words(singular);
    if spec.singleton.is_none() {
        Operation {
            id: None,
            parameters: COLLECTION,
            success: ("200", Some(format!("{singular}ResponseList"))),
            errors: &["400"],
            ..operation(
                spec,
                "get",
                &collection,
                format!("List {}", words(kind)),
                "A page of what the caller may see.",
            )
        }
        .add(paths);
    }
    if resource.create {
        Operation {
            id: None,
            body: Some(body(&format!("{singular}Create"), true)),
            success: ("201", Some(format!("{singular}Response"))),
            errors: &["400", "408", "409", "413", "415", "422"],
            ..operation(
                spec,
                "post",
                &collection,
                format!("Make {} {name}", article(&name)),
                "What was made.",
            )
        }
        .add(paths);
    }
    operation(spec, "get", &single, format!("Show {} {name}", article(&name)), spec.about).add(paths);
    if resource.update {
        Operation {
            body: Some(body(&format!("{singular}Update"), true)),
            errors: &["400", "404", "408", "409", "413", "415", "422"],
            ..operation(
                spec,
                "patch",
                &single,
                format!("Change {} {name}", article(&name)),
                "It as it is now.",
            )
        }
        .add(paths);
    }
    if resource.delete {
        Operation {
            parameters: &[],
            success: ("204", None),
            errors: &["400", "404", "422", "423"],
            ..operation(spec, "delete", &single, format!("Delete {} {name}", article(&name)), "It is gone.")
        }
        .add(paths);
    }
    for action in &resource.actions {
        Operation {
            parameters: &[],
            body: Some(body(&action_schema(singular, action.name), !action.takes.is_empty())),
            success: ("202", None),
            errors: &["400", "404", "408", "413", "415", "422"],
            ..operation(
                spec,
                action.method_lower(),
                &format!("{single}/{}", action.name),
                sentence(action.name),
                action.about,
            )
        }
        .add(paths);
    }
    for relationship in spec.relationships {
        describe_relationship(catalog, spec, relationship, paths);
    }
}

fn describe_relationship(
    catalog: &Catalog,
    spec: &'static Spec,
    relationship: &'static Relationship,
    paths: &mut Map<String, Json>,
) {
    let single = single(spec);
    let name = words(spec.singular);
    let target = catalog.target(relationship.kind);
    let related = format!("{single}/{}", relationship.name);
    let schema = if relationship.many { "ResponseList" } else { "MaybeResponse" };
    Operation {
        tag: target.kind,
        parameters: if relationship.many { COLLECTION } else { SINGLE },
        success: ("200", Some(format!("{}{schema}", target.singular))),
        ..operation(
            spec,
            "get",
            &related,
            format!("Show the {} of {} {name}", words(relationship.name), article(&name)),
            target.about,
        )
    }
    .add(paths);
    let link = format!("{single}/relationships/{}", relationship.name);
    Operation {
        parameters: &[],
        success: ("200", Some("linkage".to_owned())),
        ..operation(
            spec,
            "get",
            &link,
            format!("Show the ids of the {} of {} {name}", words(relationship.name), article(&name)),
            "The linkage of the relationship.",
        )
    }
    .add(paths);
}

/// The path of one record.
fn single(spec: &Spec) -> String {
    match spec.singleton {
        Some(path) => format!("/{path}"),
        None => format!("/{}/{{{}Id}}", spec.kind, spec.singular),
    }
}

/// An operation on one record that answers with it.
fn operation(
    spec: &'static Spec,
    method: &'static str,
    path: &str,
    summary: String,
    about: &'static str,
) -> Operation<'static> {
    Operation {
        method,
        path: path.to_owned(),
        summary,
        about,
        tag: spec.kind,
        id: spec.singleton.is_none().then(|| format!("{}Id", spec.singular)),
        parameters: SINGLE,
        body: None,
        success: ("200", Some(format!("{}Response", spec.singular))),
        errors: &["400", "404"],
    }
}

impl DescribedAction {
    fn method_lower(&self) -> &'static str {
        match self.method {
            "PATCH" => "patch",
            _ => "post",
        }
    }
}
