//! What every operation shares: linkage, errors and the parameters of the query language.

use super::content;
use serde_json::{Map, Value as Json, json};

pub(super) fn linkage_document() -> Json {
    let identifier = json!({
        "type": "object",
        "required": ["type", "id"],
        "properties": { "type": { "type": "string" }, "id": { "type": "string" } },
    });
    json!({
        "type": "object",
        "required": ["links", "data"],
        "additionalProperties": false,
        "properties": {
            "links": { "type": "object" },
            "data": { "anyOf": [identifier, { "type": "null" }, { "type": "array", "items": identifier }] },
        },
    })
}

pub(super) fn errors() -> Json {
    json!({
        "type": "object",
        "required": ["errors"],
        "additionalProperties": false,
        "properties": {
            "errors": {
                "type": "array",
                "minItems": 1,
                "items": {
                    "type": "object",
                    "required": ["title", "detail", "code", "status"],
                    "additionalProperties": false,
                    "properties": {
                        "title": { "type": "string", "description": "What kind of problem it is." },
                        "detail": { "type": "string", "description": "This very case." },
                        "code": { "type": "string", "pattern": "^[A-Z_]+$", "description": "Its name for machines." },
                        "status": { "type": "string", "pattern": "^[45][0-9][0-9]$", "description": "The HTTP status." },
                        "source": {
                            "type": "object",
                            "required": ["pointer"],
                            "properties": { "pointer": { "type": "string", "description": "The member that is wrong." } },
                        },
                        "meta": { "type": "object", "description": "The rule, the value sent and the bound." },
                    },
                },
            },
        },
    })
}

pub(super) fn error_responses() -> Json {
    let all = [
        ("400", "The document or the query cannot be read, or asks for what there is not."),
        ("401", "The token is missing or no longer good, or its user may not do this."),
        ("404", "There is no such thing, or the caller may not know of it."),
        ("406", "The caller does not accept the media type of the answer."),
        ("408", "The body took too long to arrive."),
        ("409", "Another record with the same unique value was written at the same moment."),
        ("413", "The body is too large."),
        ("415", "The body is not of the media type of the API."),
        ("422", "Values are wrong: every problem is told, each with its pointer."),
        ("423", "It cannot be deleted as it stands."),
        ("429", "Too many requests from one address: Retry-After says when to go on."),
        ("503", "It would take too long, or the database is busy."),
        ("500", "Something is wrong with the server; the request id helps to find what."),
    ];
    let schema = json!({ "$ref": "#/components/schemas/errors" });
    all.into_iter()
        .map(|(status, about)| {
            (status.to_owned(), json!({ "description": about, "content": content(&schema) }))
        })
        .collect::<Map<_, _>>()
        .into()
}

pub(super) fn parameters() -> Json {
    let query = |name: &str, about: &str, schema: Json| json!({ "name": name, "in": "query", "required": false, "description": about, "schema": schema });
    let map = |name: &str, about: &str| {
        json!({
            "name": name, "in": "query", "required": false, "style": "deepObject", "explode": true,
            "description": about,
            "schema": { "type": "object", "additionalProperties": true },
        })
    };
    json!({
        "page_number": query("page[number]", "Which page, from 1.", json!({ "type": "integer", "minimum": 1, "default": 1 })),
        "page_size": query("page[size]", "How many a page.", json!({ "type": "integer", "minimum": 1, "maximum": 25, "default": 10 })),
        "sort": query("sort", "Fields to sort by, separated by commas; a minus sorts downwards.", json!({ "type": "string" })),
        "include": query("include", "Relationships to send along, separated by commas; dots lead further, three deep.", json!({ "type": "string" })),
        "filter": map("filter", "Conditions, as filter[q][<attributes>_<matcher>]=<value>."),
        "fields": map("fields", "The fields to send of a type, as fields[<type>]=<names>."),
    })
}
