//! The documents of each resource: as they are answered, and as they are sent.

use super::{Described, DescribedAction, action_schema, parsed};
use crate::spec::{Attribute, Format, Kind, Relationship, Sent, Source};
use crate::{Catalog, Spec};
use serde_json::{Map, Value as Json, json};

/// Adds the schemas of a resource.
pub(super) fn describe(catalog: &Catalog, resource: &Described, schemas: &mut Map<String, Json>) {
    let spec = resource.spec;
    let singular = spec.singular;
    let own = json!({ "$ref": format!("#/components/schemas/{singular}") });
    schemas.insert(singular.to_owned(), resource_object(spec));
    if resource.create {
        schemas.insert(
            format!("{singular}Create"),
            sent(spec, |attribute| attribute.create, |relationship| relationship.create, false),
        );
    }
    if resource.update {
        schemas.insert(
            format!("{singular}Update"),
            sent(spec, |attribute| attribute.update, |relationship| relationship.update, true),
        );
    }
    for action in &resource.actions {
        schemas.insert(action_schema(singular, action.name), action_document(spec, action));
    }
    let included = json!({
        "type": "array",
        "items": { "anyOf": catalog.specs().map(|spec| json!({ "$ref": format!("#/components/schemas/{}", spec.singular) })).collect::<Vec<_>>() },
    });
    schemas.insert(
        format!("{singular}Response"),
        json!({
            "type": "object",
            "required": ["data"],
            "additionalProperties": false,
            "properties": { "data": own, "included": included },
        }),
    );
    schemas.insert(
        format!("{singular}MaybeResponse"),
        json!({
            "type": "object",
            "required": ["data"],
            "additionalProperties": false,
            "properties": { "data": { "anyOf": [own, { "type": "null" }] }, "included": included },
        }),
    );
    if spec.singleton.is_some() {
        return;
    }
    let url = json!({ "type": "string", "format": "uri" });
    schemas.insert(
        format!("{singular}ResponseList"),
        json!({
            "type": "object",
            "required": ["data", "meta", "links"],
            "additionalProperties": false,
            "properties": {
                "data": { "type": "array", "maxItems": 25, "items": own },
                "included": included,
                "meta": {
                    "type": "object",
                    "required": ["record_count", "page_count"],
                    "additionalProperties": false,
                    "properties": { "record_count": { "type": "integer" }, "page_count": { "type": "integer" } },
                },
                "links": {
                    "type": "object",
                    "required": ["first", "last"],
                    "additionalProperties": false,
                    "properties": { "first": url, "prev": url, "next": url, "last": url },
                },
            },
        }),
    );
}

/// A resource as it is answered. Sparse fieldsets can leave out any attribute and any relationship.
fn resource_object(spec: &Spec) -> Json {
    let shown = spec.all_attributes().filter(|attribute| attribute.source != Source::Trigger);
    let attributes: Map<String, Json> = shown
        .map(|attribute| {
            let mut schema =
                attribute_schema(attribute, attribute.nullable && attribute.default != Some("{}"));
            if attribute.create == Sent::Never && attribute.update == Sent::Never {
                schema["readOnly"] = json!(true);
            }
            (attribute.name.to_owned(), schema)
        })
        .collect();
    let mut properties = json!({
        "id": id_schema(),
        "type": { "type": "string", "enum": [spec.kind], "description": "The type." },
        "attributes": { "type": "object", "additionalProperties": false, "properties": attributes },
    });
    let mut required = vec!["id", "type", "attributes"];
    if spec.singleton.is_none() {
        required.push("links");
        properties["links"] = json!({
            "type": "object",
            "required": ["self"],
            "additionalProperties": false,
            "properties": { "self": { "type": "string", "format": "uri" } },
        });
    }
    if !spec.relationships.is_empty() {
        let relationships: Map<String, Json> = spec
            .relationships
            .iter()
            .map(|relationship| (relationship.name.to_owned(), shown_relationship(relationship)))
            .collect();
        properties["relationships"] =
            json!({ "type": "object", "additionalProperties": false, "properties": relationships });
    }
    json!({
        "type": "object",
        "description": spec.about,
        "required": required,
        "additionalProperties": false,
        "properties": properties,
    })
}

fn shown_relationship(relationship: &Relationship) -> Json {
    let identifier = identifier(relationship.kind);
    let data = if relationship.many {
        json!({ "type": "array", "items": identifier })
    } else {
        json!({ "anyOf": [identifier, { "type": "null" }] })
    };
    json!({
        "type": "object",
        "required": ["links"],
        "additionalProperties": false,
        "properties": {
            "links": {
                "type": "object",
                "required": ["self", "related"],
                "additionalProperties": false,
                "properties": {
                    "self": { "type": "string", "format": "uri" },
                    "related": { "type": "string", "format": "uri" },
                },
            },
            "data": data,
        },
    })
}

/// A document that makes or changes a resource.
fn sent(
    spec: &Spec,
    of_attribute: impl Fn(&Attribute) -> Sent,
    of_relationship: impl Fn(&Relationship) -> Sent,
    with_id: bool,
) -> Json {
    let taken = || spec.all_attributes().filter(|attribute| of_attribute(attribute) != Sent::Never);
    let mut attributes = Map::new();
    for attribute in taken() {
        attributes.insert(attribute.name.to_owned(), attribute_schema(attribute, attribute.nullable));
    }
    let needed: Vec<&str> = taken()
        .filter(|attribute| (of_attribute(attribute) == Sent::Required || attribute.expected) && !with_id)
        .map(|attribute| attribute.name)
        .collect();
    let mut data = json!({
        "type": { "type": "string", "enum": [spec.kind], "description": "The type." },
        "attributes": { "type": "object", "additionalProperties": false, "required": needed, "properties": attributes },
    });
    let mut required = vec!["type"];
    if with_id {
        data["id"] = id_schema();
        if spec.singleton.is_none() {
            required.push("id");
        }
    }
    if !needed.is_empty() {
        required.push("attributes");
    }
    let linked: Vec<&Relationship> = spec
        .relationships
        .iter()
        .filter(|relationship| of_relationship(relationship) != Sent::Never)
        .collect();
    let must_link: Vec<&str> = linked
        .iter()
        .filter(|relationship| of_relationship(relationship) == Sent::Required)
        .map(|relationship| relationship.name)
        .collect();
    if !must_link.is_empty() {
        required.push("relationships");
    }
    let relationships: Map<String, Json> = linked
        .iter()
        .map(|relationship| (relationship.name.to_owned(), sent_relationship(relationship)))
        .collect();
    data["relationships"] = json!({ "type": "object", "additionalProperties": false, "required": must_link, "properties": relationships });
    json!({
        "type": "object",
        "required": ["data"],
        "properties": { "data": { "type": "object", "required": required, "properties": data } },
    })
}

fn sent_relationship(relationship: &Relationship) -> Json {
    let identifier = identifier(relationship.kind);
    let data = match (relationship.many, relationship.create) {
        (true, _) => json!({ "type": "array", "items": identifier }),
        (false, Sent::Required) => identifier,
        (false, _) => json!({ "anyOf": [identifier, { "type": "null" }] }),
    };
    json!({ "type": "object", "required": ["data"], "properties": { "data": data } })
}

fn action_document(spec: &Spec, action: &DescribedAction) -> Json {
    if action.takes.is_empty() {
        return json!({ "type": "object", "properties": { "data": { "type": "object" } } });
    }
    let properties: Map<String, Json> = action
        .takes
        .iter()
        .map(|(name, about, example)| {
            (
                (*name).to_owned(),
                json!({ "type": "string", "description": about, "examples": [parsed(example)] }),
            )
        })
        .collect();
    let names: Vec<&str> = action.takes.iter().map(|(name, ..)| *name).collect();
    json!({
        "type": "object",
        "required": ["data"],
        "properties": {
            "data": {
                "type": "object",
                "required": ["type", "id", "attributes"],
                "properties": {
                    "type": { "type": "string", "enum": [spec.kind], "description": "The type." },
                    "id": id_schema(),
                    "attributes": { "type": "object", "required": names, "properties": properties },
                },
            },
        },
    })
}

fn attribute_schema(attribute: &Attribute, nullable: bool) -> Json {
    let (kind, format) = match attribute.kind {
        Kind::Text | Kind::OneOf(_) | Kind::Secret => ("string", text_format(attribute.format)),
        Kind::Time => ("string", Some("date-time")),
        Kind::Flag => ("boolean", None),
        Kind::Integer(..) => ("integer", None),
        Kind::Number => ("number", None),
        Kind::Object => ("object", None),
    };
    let mut schema = json!({ "type": if nullable { json!([kind, "null"]) } else { json!(kind) } });
    schema["description"] = json!(attribute.doc);
    schema["examples"] = json!([parsed(attribute.example)]);
    if let Some(format) = format {
        schema["format"] = json!(format);
    }
    if let Kind::OneOf(words) = attribute.kind {
        let mut words: Vec<Json> = words.iter().map(|word| json!(word)).collect();
        if nullable {
            words.push(Json::Null);
        }
        schema["enum"] = Json::Array(words);
    }
    if let Kind::Integer(least, most) = attribute.kind
        && least > i64::MIN
    {
        schema["minimum"] = json!(least);
        schema["maximum"] = json!(most);
    }
    if let Some(default) = attribute.default {
        schema["default"] = parsed(default);
    }
    if attribute.source == Source::Trigger {
        schema["writeOnly"] = json!(true);
    }
    schema
}

fn text_format(format: Format) -> Option<&'static str> {
    match format {
        Format::Email => Some("idn-email"),
        Format::Url => Some("uri"),
        Format::Plain | Format::Color | Format::TimeZone | Format::Domains => None,
    }
}

fn identifier(kind: &str) -> Json {
    json!({
        "type": "object",
        "required": ["type", "id"],
        "additionalProperties": false,
        "properties": { "type": { "type": "string", "enum": [kind] }, "id": id_schema() },
    })
}

fn id_schema() -> Json {
    json!({ "type": "string", "description": "The id.", "examples": ["XGZwpOSrWL"] })
}
