//! All declarations together, and what is wrong with them.

use crate::spec::{Attribute, Kind, Sent, Source};
use crate::{Spec, predicate};
use std::collections::{HashMap, HashSet};

/// The declarations of an installation.
#[derive(Debug)]
pub struct Catalog {
    specs: Vec<&'static Spec>,
    domain: String,
    shown: HashMap<&'static str, Shown>,
}

/// The attributes of a kind that documents show, as SQL over a row `t`: written once, since every read needs them.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Each with its expression.
    pub(crate) attributes: Vec<(&'static Attribute, String)>,
    /// The id and all of them, as a list of columns.
    pub(crate) all: String,
}

impl Catalog {
    /// These declarations, for an installation at this domain.
    pub fn new(specs: Vec<&'static Spec>, domain: &str) -> Self {
        let mut catalog = Self { specs, domain: domain.to_owned(), shown: HashMap::new() };
        let shown = catalog.specs().map(|spec| (spec.kind, catalog.write(spec))).collect();
        catalog.shown = shown;
        catalog
    }

    fn write(&self, spec: &'static Spec) -> Shown {
        let attributes: Vec<_> = spec
            .all_attributes()
            .filter(|attribute| attribute.source != Source::Trigger)
            .map(|attribute| (attribute, self.expression(attribute, "t")))
            .collect();
        let mut all = "t.id as id".to_owned();
        for (_, expression) in &attributes {
            all.push_str(", ");
            all.push_str(expression);
        }
        Shown { attributes, all }
    }

    /// What is read of a kind.
    pub(crate) fn shown(&self, spec: &Spec) -> &Shown {
        &self.shown[spec.kind]
    }

    /// The declaration of a kind.
    pub fn spec(&self, kind: &str) -> Option<&'static Spec> {
        self.specs.iter().copied().find(|spec| spec.kind == kind)
    }

    /// The kind at the other end of a declared relationship.
    ///
    /// # Panics
    /// When the relationship points nowhere, which [`Catalog::mistakes`] finds first.
    pub(crate) fn target(&self, kind: &str) -> &'static Spec {
        self.spec(kind).expect("relationships point at declared kinds")
    }

    /// All declarations, in order.
    pub fn specs(&self) -> impl Iterator<Item = &'static Spec> {
        self.specs.iter().copied()
    }

    /// An attribute's value as SQL over the row that `table` names.
    pub(crate) fn expression(&self, attribute: &Attribute, table: &str) -> String {
        match attribute.source {
            Source::Column | Source::Trigger => format!("{table}.{}", attribute.name),
            Source::Sql(sql) => sql
                .replace("{t}", table)
                .replace("{domain}", &format!("'{}'", self.domain.replace('\'', "''"))),
        }
    }

    /// What is wrong with the declarations, a line each; a declaration nobody checks is a comment.
    pub fn mistakes(&self) -> Vec<String> {
        let mut mistakes = Vec::new();
        for spec in self.specs() {
            let mut names = HashSet::from(["id", "type"]);
            for attribute in spec.all_attributes() {
                let at = format!("{}.{}", spec.kind, attribute.name);
                if !names.insert(attribute.name) {
                    mistakes.push(format!("{at} is declared twice"));
                }
                if let Some((rest, _)) = predicate::split(attribute.name)
                    && spec.attribute(rest).is_some()
                {
                    mistakes.push(format!("{at} reads like a filter on {rest}"));
                }
                mistakes.extend(attribute_mistakes(attribute).into_iter().map(|what| format!("{at} {what}")));
            }
            for relationship in spec.relationships {
                let at = format!("{}.{}", spec.kind, relationship.name);
                if !names.insert(relationship.name) {
                    mistakes.push(format!("{at} is declared twice"));
                }
                if self.spec(relationship.kind).is_none() {
                    mistakes.push(format!("{at} points at {}, which nobody declares", relationship.kind));
                }
            }
            if spec.about.is_empty() {
                mistakes.push(format!("{} has no sentence about it", spec.kind));
            }
        }
        mistakes
    }
}

fn attribute_mistakes(attribute: &Attribute) -> Vec<&'static str> {
    let is_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).is_ok();
    let sent = attribute.create != Sent::Never || attribute.update != Sent::Never;
    let mut mistakes = Vec::new();
    for (wrong, what) in [
        (attribute.doc.is_empty(), "has no .doc"),
        (!is_json(attribute.example), "has no .example that is JSON"),
        (!attribute.default.is_none_or(is_json), "has a .default that is not JSON"),
        (
            attribute.kind == Kind::Secret && (attribute.filter || attribute.sort),
            "is a secret that can be probed",
        ),
        (
            attribute.source == Source::Trigger && !attribute.name.starts_with('_'),
            "is a trigger without its _",
        ),
        (attribute.source == Source::Trigger && !sent, "is a trigger that nobody can send"),
    ] {
        if wrong {
            mistakes.push(what);
        }
    }
    mistakes
}
