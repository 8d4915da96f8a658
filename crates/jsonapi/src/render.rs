//! Rows as resource objects, written straight into the bytes of the answer.

use crate::format::write_timestamp;
use crate::read::Secrets;
use crate::select::Columns;
use crate::spec::{Attribute, Kind, Relationship};
use crate::{Query, Spec};
use guildhall_store::{Cell, Row};

/// The end of a relationship that came along.
pub(crate) enum Linkage<'a> {
    One(Option<&'a str>),
    Many(&'a [String]),
}

/// Writes documents.
pub(crate) struct Renderer<'a> {
    pub(crate) out: Vec<u8>,
    pub(crate) base: &'a str,
    pub(crate) secrets: &'a dyn Secrets,
    pub(crate) query: &'a Query,
    scratch: String,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(base: &'a str, secrets: &'a dyn Secrets, query: &'a Query) -> Self {
        Self { out: Vec::with_capacity(2048), base, secrets, query, scratch: String::new() }
    }

    pub(crate) fn push(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    /// Writes a JSON string.
    pub(crate) fn string(&mut self, text: &str) {
        // Writing to a vector cannot fail, and a str is always a JSON string.
        drop(serde_json::to_writer(&mut self.out, text));
    }

    /// Writes `{"type":…,"id":…}`.
    pub(crate) fn identifier(&mut self, kind: &str, id: &str) {
        self.push("{\"type\":\"");
        self.push(kind);
        self.push("\",\"id\":\"");
        self.push(id);
        self.push("\"}");
    }

    /// Writes linkage: null, an identifier, or a list of them.
    pub(crate) fn linkage(&mut self, kind: &str, linkage: &Linkage<'_>) {
        match linkage {
            Linkage::One(None) => self.push("null"),
            Linkage::One(Some(id)) => self.identifier(kind, id),
            Linkage::Many(ids) => {
                self.push("[");
                for (index, id) in ids.iter().enumerate() {
                    self.push(if index == 0 { "" } else { "," });
                    self.identifier(kind, id);
                }
                self.push("]");
            }
        }
    }

    /// Writes the two links of a relationship, without the braces around them.
    pub(crate) fn relationship_links(&mut self, spec: &Spec, id: &str, name: &str) {
        for (key, infix) in [("\"self\":\"", "/relationships/"), ("\",\"related\":\"", "/")] {
            self.push(key);
            self.resource_url(spec, id);
            self.push(infix);
            self.push(name);
        }
        self.push("\"");
    }

    fn resource_url(&mut self, spec: &Spec, id: &str) {
        let base = self.base;
        self.push(base);
        self.push("/");
        self.push(spec.kind);
        self.push("/");
        self.push(id);
    }

    /// Writes one resource object. `linkage` answers for the relationships that came along.
    pub(crate) fn resource<'l>(
        &mut self,
        columns: &Columns,
        row: Row<'_>,
        linkage: impl Fn(&Relationship) -> Option<Linkage<'l>>,
    ) {
        let spec = columns.spec;
        let id = row.text(0);
        self.push("{\"id\":\"");
        self.push(id);
        self.push("\",\"type\":\"");
        self.push(spec.kind);
        self.push("\"");
        if spec.singleton.is_none() {
            self.push(",\"links\":{\"self\":\"");
            self.resource_url(spec, id);
            self.push("\"}");
        }
        self.push(",\"attributes\":{");
        for (index, attribute) in columns.attributes.iter().enumerate() {
            self.push(if index == 0 { "\"" } else { ",\"" });
            self.push(attribute.name);
            self.push("\":");
            self.value(attribute, row.get(index + 1));
        }
        self.push("}");
        let mut first = true;
        for relationship in spec.relationships {
            if !self.query.shows(spec.kind, relationship.name) {
                continue;
            }
            self.push(if first { ",\"relationships\":{\"" } else { ",\"" });
            first = false;
            self.push(relationship.name);
            self.push("\":{\"links\":{");
            self.relationship_links(spec, id, relationship.name);
            self.push("}");
            if let Some(linkage) = linkage(relationship) {
                self.push(",\"data\":");
                self.linkage(relationship.kind, &linkage);
            }
            self.push("}");
        }
        self.push(if first { "}" } else { "}}" });
    }

    fn value(&mut self, attribute: &Attribute, cell: Cell<'_>) {
        match (attribute.kind, cell) {
            (Kind::Flag, Cell::Int(number)) => self.push(if number == 0 { "false" } else { "true" }),
            (Kind::Time, Cell::Int(millis)) => {
                self.scratch.clear();
                write_timestamp(&mut self.scratch, millis);
                self.out.push(b'"');
                self.out.extend_from_slice(self.scratch.as_bytes());
                self.out.push(b'"');
            }
            (_, Cell::Int(number)) => self.push(&number.to_string()),
            // Both are stored as JSON.
            (Kind::Object | Kind::Number, Cell::Text(json)) => self.push(json),
            (Kind::Secret, Cell::Text(sealed)) => {
                let opened = self.secrets.open(sealed).unwrap_or_default();
                self.string(&opened);
            }
            (_, Cell::Text(text)) => self.string(text),
            (_, Cell::Null) if attribute.nullable && attribute.default != Some("{}") => self.push("null"),
            (Kind::Text | Kind::OneOf(_) | Kind::Secret, Cell::Null) => self.push("\"\""),
            (Kind::Object, Cell::Null) => self.push("{}"),
            (_, Cell::Null) => self.push("null"),
        }
    }
}
