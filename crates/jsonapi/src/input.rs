//! A sent document, checked against a declaration: what may be sent, must be sent, and of what type.
//!
//! Problems come in two waves, as the contract asks: everything that makes the document unreadable (400)
//! is answered at once; if it can be read, everything that is wrong with its values (422) is collected
//! and answered together, related records that do not exist included.

use crate::coerce::coerce;
use crate::spec::{Attribute, Relationship, Sent, Source};
use crate::{Error, Problem, Reader, Result, Spec};
use guildhall_store::Tx;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// What is to be done with what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Make a record.
    Create,
    /// Change a record.
    Update,
}

impl Verb {
    fn of_attribute(self, attribute: &Attribute) -> Sent {
        match self {
            Self::Create => attribute.create,
            Self::Update => attribute.update,
        }
    }

    fn of_relationship(self, relationship: &Relationship) -> Sent {
        match self {
            Self::Create => relationship.create,
            Self::Update => relationship.update,
        }
    }
}

/// What was sent, in the types of the declaration. Absent, null and a value stay three things.
#[derive(Clone, Debug)]
pub struct Input {
    spec: &'static Spec,
    verb: Verb,
    id: Option<String>,
    attributes: Map<String, Json>,
    ones: BTreeMap<&'static str, Option<String>>,
    manys: BTreeMap<&'static str, Vec<String>>,
    problems: Vec<Problem>,
}

impl Input {
    /// Reads a document. For an update of a record that has an id, the document must name it too.
    pub fn read(spec: &'static Spec, verb: Verb, id: Option<&str>, body: &[u8]) -> Result<Self> {
        let data = data(body)?;
        let mut input = Self {
            spec,
            verb,
            id: data.get("id").and_then(Json::as_str).map(str::to_owned),
            attributes: Map::new(),
            ones: BTreeMap::new(),
            manys: BTreeMap::new(),
            problems: Vec::new(),
        };
        let mut unreadable = identity(spec, verb, id, &data);
        for name in data.keys() {
            if !["type", "id", "attributes", "relationships", "links", "meta"].contains(&name.as_str()) {
                unreadable.push(Problem::param_not_allowed(name));
            }
        }
        match data.get("attributes") {
            None | Some(Json::Null) => {}
            Some(Json::Object(attributes)) => unreadable.extend(input.attributes(attributes)),
            Some(_) => unreadable.push(Problem::invalid_data_format()),
        }
        match data.get("relationships") {
            None | Some(Json::Null) => {}
            Some(Json::Object(relationships)) => unreadable.extend(input.relationships(relationships)),
            Some(_) => unreadable.push(Problem::invalid_links_object()),
        }
        if !unreadable.is_empty() {
            return Err(Error::Refused(unreadable));
        }
        input.missing();
        Ok(input)
    }

    fn attributes(&mut self, sent: &Map<String, Json>) -> Vec<Problem> {
        let mut unreadable = Vec::new();
        for (name, value) in sent {
            let declared = self.spec.attribute(name);
            let Some(attribute) = declared.filter(|found| self.verb.of_attribute(found) != Sent::Never)
            else {
                unreadable.push(Problem::param_not_allowed(name));
                continue;
            };
            match read(attribute, value) {
                Ok(value) => drop(self.attributes.insert(name.clone(), value)),
                Err(problem) => self.problems.push(problem),
            }
        }
        unreadable
    }

    fn relationships(&mut self, sent: &Map<String, Json>) -> Vec<Problem> {
        let mut unreadable = Vec::new();
        for (name, value) in sent {
            let declared = self.spec.relationship(name);
            let Some(relationship) = declared.filter(|found| self.verb.of_relationship(found) != Sent::Never)
            else {
                unreadable.push(Problem::param_not_allowed(name));
                continue;
            };
            if let Err(problem) = self.relationship(relationship, value) {
                unreadable.push(problem);
            }
        }
        unreadable
    }

    fn relationship(&mut self, relationship: &'static Relationship, value: &Json) -> Result<(), Problem> {
        let data = value.get("data").ok_or_else(Problem::invalid_links_object)?;
        match (relationship.many, data) {
            (true, Json::Array(items)) => {
                let ids = items.iter().map(|item| linked(relationship, item)).collect::<Result<_, _>>()?;
                self.manys.insert(relationship.name, ids);
            }
            (false, Json::Null) => {
                if relationship.create == Sent::Required {
                    self.problems.push(Problem::blank_relationship(relationship.name));
                }
                self.ones.insert(relationship.name, None);
            }
            (false, item @ Json::Object(_)) => {
                self.ones.insert(relationship.name, Some(linked(relationship, item)?));
            }
            _ => return Err(Problem::invalid_links_object()),
        }
        Ok(())
    }

    /// Adds a problem for everything that must be sent and was not.
    fn missing(&mut self) {
        for attribute in self.spec.all_attributes() {
            let reported = self.problems.iter().any(|problem| {
                problem.pointer.as_deref() == Some(&format!("/data/attributes/{}", attribute.name))
            });
            let required = self.verb.of_attribute(attribute) == Sent::Required;
            if required && !reported && !self.attributes.contains_key(attribute.name) {
                self.problems.push(Problem::blank(attribute.name));
            }
        }
        for relationship in self.spec.relationships {
            let required = self.verb.of_relationship(relationship) == Sent::Required;
            if required && !self.ones.contains_key(relationship.name) {
                self.problems.push(Problem::blank_relationship(relationship.name));
            }
        }
    }

    /// Refuses a document that names another record than the one it changes.
    pub fn names(&self, id: &str) -> Result<()> {
        match &self.id {
            Some(sent) if sent != id => Err(Problem::key_not_in_url(sent).into()),
            _ => Ok(()),
        }
    }

    /// Checks that the caller can see every record that is named: what is out of sight does not exist.
    pub fn references(&mut self, tx: &mut Tx<'_>, reader: &Reader<'_>) -> Result<()> {
        for relationship in self.spec.relationships {
            let ids: Vec<String> = match (self.ones.get(relationship.name), self.manys.get(relationship.name))
            {
                (Some(Some(id)), _) => vec![id.clone()],
                (_, Some(ids)) => ids.clone(),
                _ => continue,
            };
            let target = reader.catalog.target(relationship.kind);
            let visible = reader.visible(tx, target, &ids)?;
            if !ids.iter().all(|id| visible.contains(id)) {
                self.problems.push(Problem::blank_relationship(relationship.name));
                self.ones.remove(relationship.name);
                self.manys.remove(relationship.name);
            }
        }
        Ok(())
    }

    /// Keeps what a rule found wrong with the values, to be told with everything else; anything worse is
    /// passed on at once.
    pub fn collect(&mut self, result: Result<()>) -> Result<()> {
        match result {
            Err(Error::Refused(problems)) if problems.iter().all(|problem| problem.status == 422) => {
                self.problems.extend(problems);
                Ok(())
            }
            other => other,
        }
    }

    /// A text attribute that was sent and is well-formed.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).and_then(Json::as_str)
    }

    /// A flag that was sent and is well-formed.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.attributes.get(name).and_then(Json::as_bool)
    }

    /// Refuses with everything that was wrong with the values, if anything was.
    pub fn finish(&self) -> Result<()> {
        if self.problems.is_empty() { Ok(()) } else { Err(Error::Refused(self.problems.clone())) }
    }

    /// What a rule reads of it: attributes and relationships by name, the latter as ids.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        let mut all = self.attributes.clone();
        all.extend(self.ones.iter().map(|(name, id)| ((*name).to_owned(), json!(id))));
        all.extend(self.manys.iter().map(|(name, ids)| ((*name).to_owned(), json!(ids))));
        serde_json::from_value(Json::Object(all)).map_err(|error| {
            let what = format!("{} input does not read as a rule expects: {error}", self.spec.kind);
            Error::Store(guildhall_store::Error::Other(what))
        })
    }

    /// Whether an attribute or relationship was sent, as a value or as null.
    pub fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name) || self.ones.contains_key(name) || self.manys.contains_key(name)
    }

    /// The id sent for a relationship to one, if it was sent and is not null.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.ones.get(name)?.as_deref()
    }

    /// The ids sent for a relationship, to one or to many.
    pub fn ids(&self, name: &str) -> Vec<String> {
        match (self.ones.get(name), self.manys.get(name)) {
            (Some(Some(id)), _) => vec![id.clone()],
            (_, Some(ids)) => ids.clone(),
            _ => Vec::new(),
        }
    }

    /// Whether a trigger is to fire.
    pub fn fires(&self, trigger: &str) -> bool {
        self.attributes.get(trigger) == Some(&json!(true))
    }

    /// The columns to write: what was sent and, for a new record, the defaults of what was not.
    pub fn columns(&self) -> Map<String, Json> {
        let mut columns = Map::new();
        for attribute in self.spec.all_attributes().filter(|attribute| attribute.source == Source::Column) {
            let default = attribute.default.filter(|_| self.verb == Verb::Create);
            let value = match self.attributes.get(attribute.name) {
                Some(Json::Null) if attribute.default == Some("{}") => json!({}),
                Some(value) => value.clone(),
                None => match default.map(serde_json::from_str) {
                    Some(Ok(value)) => value,
                    _ => continue,
                },
            };
            if let (Some(column), Some(text)) = (attribute.folded, value.as_str()) {
                columns.insert(column.to_owned(), json!(text.to_lowercase()));
            }
            columns.insert(attribute.name.to_owned(), value);
        }
        for relationship in self.spec.relationships {
            if let Some(id) = self.ones.get(relationship.name) {
                columns.insert(relationship.column.to_owned(), json!(id));
            }
        }
        columns
    }
}

/// What was sent with an action.
#[derive(Clone, Debug, Default)]
pub struct Action {
    attributes: Map<String, Json>,
}

impl Action {
    /// Reads the body of an action that takes these attributes: nothing at all, a resource object, or the
    /// bare attributes that the official command line puts under `data`.
    pub fn read(spec: &'static Spec, id: &str, names: &[&str], body: &[u8]) -> Result<Self> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let data = data(body)?;
        let wrapped = data.contains_key("attributes") || data.contains_key("type") || data.contains_key("id");
        let mut unreadable = Vec::new();
        let attributes = if wrapped {
            // The URL says all there is to know; a document that says it again must agree.
            let agrees = |problem: &Problem| problem.code != "PARAM_MISSING";
            unreadable.extend(identity(spec, Verb::Update, Some(id), &data).into_iter().filter(agrees));
            let members = ["type", "id", "attributes", "relationships", "links", "meta"];
            let unknown = data.keys().filter(|name| !members.contains(&name.as_str()));
            unreadable.extend(unknown.map(|name| Problem::param_not_allowed(name)));
            let relationships = data.get("relationships").and_then(Json::as_object);
            unreadable.extend(
                relationships.into_iter().flatten().map(|(name, _)| Problem::param_not_allowed(name)),
            );
            match data.get("attributes") {
                None => Map::new(),
                Some(Json::Object(attributes)) => attributes.clone(),
                Some(_) => return Err(Problem::invalid_data_format().into()),
            }
        } else {
            let members = ["relationships", "meta", "links"];
            data.into_iter().filter(|(name, _)| !members.contains(&name.as_str())).collect()
        };
        let unknown = attributes.keys().filter(|name| !names.contains(&name.as_str()));
        unreadable.extend(unknown.map(|name| Problem::param_not_allowed(name)));
        if unreadable.is_empty() { Ok(Self { attributes }) } else { Err(Error::Refused(unreadable)) }
    }

    /// A text that must be there.
    pub fn text(&self, name: &str) -> Result<&str> {
        match self.attributes.get(name) {
            Some(Json::String(text)) if !text.trim().is_empty() => Ok(text),
            None | Some(Json::Null | Json::String(_)) => Err(Problem::blank(name).into()),
            Some(value) => Err(Problem::invalid(name, value.clone()).into()),
        }
    }
}

/// The `data` member of a document.
fn data(body: &[u8]) -> Result<Map<String, Json>> {
    let document: Json = serde_json::from_slice(body)
        .map_err(|error| Problem::bad_request(format!("The body is not valid JSON: {error}.")))?;
    let Json::Object(mut document) = document else {
        return Err(Problem::invalid_data_format().into());
    };
    let data = document.remove("data");
    let unknown: Vec<_> = document
        .keys()
        .filter(|name| !["meta", "links", "jsonapi", "included"].contains(&name.as_str()))
        .map(|name| Problem::param_not_allowed(name))
        .collect();
    match data {
        None => Err(Problem::param_missing("data").into()),
        Some(_) if !unknown.is_empty() => Err(Error::Refused(unknown)),
        Some(Json::Object(data)) => Ok(data),
        Some(_) => Err(Problem::invalid_data_format().into()),
    }
}

/// What is wrong with the type and the id of a resource object.
fn identity(spec: &Spec, verb: Verb, id: Option<&str>, data: &Map<String, Json>) -> Vec<Problem> {
    let mut problems = Vec::new();
    match data.get("type") {
        Some(Json::String(kind)) if kind == spec.kind => {}
        Some(Json::String(kind)) => problems.push(Problem::type_mismatch(kind)),
        Some(_) => problems.push(Problem::invalid_data_format()),
        None => problems.push(Problem::param_missing("type")),
    }
    match (verb, data.get("id"), id) {
        (Verb::Create, Some(_), _) => problems.push(Problem::param_not_allowed("id")),
        (Verb::Update, Some(Json::String(sent)), Some(id)) if sent == id => {}
        // Whose it is, only the token knows: see `Input::names`.
        (Verb::Update, Some(Json::String(_)), None) => {}
        (Verb::Update, Some(Json::String(sent)), _) => problems.push(Problem::key_not_in_url(sent)),
        (Verb::Update, Some(_), _) => problems.push(Problem::invalid_data_format()),
        (Verb::Update, None, Some(_)) if spec.singleton.is_none() => {
            problems.push(Problem::param_missing("id"));
        }
        (Verb::Create | Verb::Update, None, _) => {}
    }
    problems
}

/// The id in a resource identifier of the relationship's kind.
fn linked(relationship: &Relationship, item: &Json) -> Result<String, Problem> {
    match (item.get("type"), item.get("id")) {
        // No id has a character that is none.
        (Some(Json::String(_)), Some(Json::String(id))) if id.contains('\0') => {
            Err(Problem::invalid_links_object())
        }
        (Some(Json::String(kind)), Some(Json::String(id))) if kind == relationship.kind => Ok(id.clone()),
        (Some(Json::String(kind)), Some(Json::String(_))) => Err(Problem::type_mismatch(kind)),
        _ => Err(Problem::invalid_links_object()),
    }
}

/// The value of an attribute, null included.
fn read(attribute: &Attribute, value: &Json) -> Result<Json, Problem> {
    match value {
        Json::Null if attribute.nullable => Ok(Json::Null),
        Json::Null => Err(Problem::blank(attribute.name)),
        Json::String(text) if attribute.filled && text.trim().is_empty() => {
            Err(Problem::blank(attribute.name))
        }
        value => coerce(attribute, value),
    }
}
