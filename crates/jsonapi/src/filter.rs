//! A filter's name and value, read into conditions on declared attributes.

use crate::coerce::parse_flag;
use crate::format::parse_timestamp;
use crate::predicate::{self, Matcher, Test, Values};
use crate::spec::{Attribute, Kind, Relationship};
use crate::{Catalog, Problem, Spec};
use guildhall_store::Value;

/// How many relationships a path may cross.
const DEEPEST: usize = 3;
/// How many values a list may have.
const MOST_VALUES: usize = 500;

/// Conditions that one parameter asks for: all of them, or any.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub(crate) any: bool,
    pub(crate) terms: Vec<Term>,
}

impl Filter {
    /// The ids one of which a linking column must hold, if that is all the filter says.
    pub(crate) fn links(&self, column: &str) -> Option<&[Value]> {
        let [term] = self.terms.as_slice() else { return None };
        let [relationship] = term.path.as_slice() else { return None };
        let is_link = !relationship.many && relationship.column == column && matches!(term.field, Field::Id);
        (term.matcher.is_equality() && is_link).then_some(&term.values)
    }

    /// The attribute and the values one of which it must have, if the table `sizes` counts those and that is all the
    /// filter says.
    pub(crate) fn sized(&self) -> Option<(&'static Attribute, &[Value])> {
        let (term, attribute) = self.own()?;
        (attribute.sized && term.matcher.is_equality()).then_some((attribute, &term.values))
    }

    /// The relationship that it crosses, if the table `sizes` counts those that link to each, and what it asks of those.
    pub(crate) fn sized_link(&self) -> Option<(&'static Relationship, &Term)> {
        let [term] = self.terms.as_slice() else { return None };
        let [relationship] = term.path.as_slice() else { return None };
        // An id that is none may be asked for as well.
        let is_plain = matches!(term.field, Field::Attribute(_)) || term.matcher.is_equality();
        (relationship.sized && is_plain).then_some((*relationship, term))
    }

    /// The attribute and the longest text it must contain, in lower case, if an index knows substrings of it.
    pub(crate) fn searched(&self) -> Option<(&'static Attribute, String)> {
        let (term, attribute) = self.own()?;
        let Matcher { test, negated, or_null, values, .. } = term.matcher;
        let [Value::Text(text)] = term.values.as_slice() else { return None };
        if !attribute.searched || negated || or_null || values != Values::One {
            return None;
        }
        let pieces: Vec<&str> = match test {
            // What is special in a pattern is not special here, but the index would take it for that.
            Test::Contains | Test::End => text.split(['%', '_', '\\']).collect(),
            // A backslash makes the next character literal.
            Test::Like if !text.contains('\\') => text.split(['%', '_']).collect(),
            _ => return None,
        };
        let longest = pieces.into_iter().max_by_key(|piece| piece.chars().count())?;
        Some((attribute, longest.to_lowercase()))
    }

    /// Its one term, if that is about an attribute of the kind itself.
    pub(crate) fn own(&self) -> Option<(&Term, &'static Attribute)> {
        match self.terms.as_slice() {
            [term @ Term { path, field: Field::Attribute(attribute), .. }] if path.is_empty() => {
                Some((term, attribute))
            }
            _ => None,
        }
    }
}

/// One condition.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    /// The relationships to cross, from the filtered kind to the attribute's.
    pub(crate) path: Vec<&'static Relationship>,
    pub(crate) field: Field,
    pub(crate) matcher: Matcher,
    pub(crate) values: Vec<Value>,
}

/// What a condition is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Field {
    Id,
    Attribute(&'static Attribute),
}

impl Field {
    fn kind(self) -> Kind {
        match self {
            Self::Id => Kind::Text,
            Self::Attribute(attribute) => attribute.kind,
        }
    }
}

/// Reads `filter[q][<name>]=<value>`.
pub(crate) fn parse(catalog: &Catalog, spec: &Spec, name: &str, value: &str) -> Result<Filter, Problem> {
    let (attributes, matcher) = predicate::split(name).ok_or_else(|| not_allowed(name))?;
    let any = attributes.contains("_or_");
    let separator = if any { "_or_" } else { "_and_" };
    if any && attributes.contains("_and_") {
        return Err(not_allowed(name));
    }
    let terms = attributes
        .split(separator)
        .map(|attribute| {
            let (path, field) = resolve(catalog, spec, attribute, 0).ok_or_else(|| not_allowed(name))?;
            term(name, path, field, matcher, value)
        })
        .collect::<Result<_, _>>()?;
    Ok(Filter { any, terms })
}

/// Reads a filter outside `q`: `filter[<attribute>]`, `filter[ids]`, `filter[<relationship>_id]`,
/// `filter[created_at_from]` and the like.
pub(crate) fn parse_direct(
    catalog: &Catalog,
    spec: &Spec,
    name: &str,
    value: &str,
) -> Result<Filter, Problem> {
    let (attribute, matcher) = match name {
        "ids" => ("id", predicate::IN),
        _ => match (name.strip_suffix("_from"), name.strip_suffix("_to")) {
            (Some(moment), _) if moment.ends_with("_at") => (moment, predicate::FROM),
            (_, Some(moment)) if moment.ends_with("_at") => (moment, predicate::TO),
            _ if value.contains(',') => (name, predicate::IN),
            _ => (name, predicate::EQ),
        },
    };
    let (path, field) = resolve(catalog, spec, attribute, 0)
        .filter(|(path, field)| path.is_empty() || (path.len() == 1 && matches!(field, Field::Id)))
        .ok_or_else(|| not_allowed(name))?;
    Ok(Filter { any: false, terms: vec![term(name, path, field, matcher, value)?] })
}

/// An attribute of the kind itself, or else of a kind that it is related to.
fn resolve(
    catalog: &Catalog,
    spec: &Spec,
    name: &str,
    depth: usize,
) -> Option<(Vec<&'static Relationship>, Field)> {
    if name == "id" {
        return Some((Vec::new(), Field::Id));
    }
    if let Some(attribute) = spec.attribute(name) {
        return attribute.filter.then_some((Vec::new(), Field::Attribute(attribute)));
    }
    if depth == DEEPEST {
        return None;
    }
    spec.relationships.iter().filter(|relationship| relationship.filter).find_map(|relationship| {
        let rest = name.strip_prefix(relationship.name)?.strip_prefix('_')?;
        let (mut path, field) = resolve(catalog, catalog.target(relationship.kind), rest, depth + 1)?;
        path.insert(0, relationship);
        Some((path, field))
    })
}

fn term(
    name: &str,
    path: Vec<&'static Relationship>,
    field: Field,
    matcher: Matcher,
    value: &str,
) -> Result<Term, Problem> {
    let kind = field.kind();
    let is_text = matches!(kind, Kind::Text | Kind::OneOf(_));
    let applies = match matcher.test {
        Test::Like | Test::Start | Test::End | Test::Contains => is_text,
        Test::Less | Test::LessOrEq | Test::Greater | Test::GreaterOrEq => {
            is_text || matches!(kind, Kind::Integer(..) | Kind::Time)
        }
        Test::Equal => is_text || matches!(kind, Kind::Integer(..) | Kind::Time | Kind::Flag),
        Test::ContainsJson => kind == Kind::Object,
        Test::True => kind == Kind::Flag,
        Test::Present | Test::NotNull => true,
    };
    if !applies {
        return Err(not_allowed(name));
    }
    let read = |text: &str| read_value(kind, matcher, text).ok_or_else(|| invalid_value(text, name));
    let values = match matcher.values {
        Values::One | Values::Whether => vec![read(value)?],
        Values::Any | Values::All => {
            let pieces: Vec<&str> = value.split(',').collect();
            if pieces.len() > MOST_VALUES {
                return Err(syntax(&format!("more than {MOST_VALUES} values for {name}")));
            }
            pieces.into_iter().map(read).collect::<Result<_, _>>()?
        }
    };
    Ok(Term { path, field, matcher, values })
}

fn read_value(kind: Kind, matcher: Matcher, text: &str) -> Option<Value> {
    if matcher.values == Values::Whether {
        return parse_flag(text).map(Value::Flag);
    }
    match kind {
        Kind::Flag => parse_flag(text).map(Value::Flag),
        Kind::Integer(..) => text.parse().ok().map(Value::Int),
        Kind::Time => parse_timestamp(text).map(Value::Int),
        Kind::Object => serde_json::from_str::<serde_json::Value>(text)
            .ok()
            .filter(serde_json::Value::is_object)
            .map(|fragment| Value::Text(fragment.to_string())),
        Kind::Text | Kind::OneOf(_) | Kind::Number | Kind::Secret => {
            (!text.contains('\0')).then(|| Value::from(text))
        }
    }
}

pub(crate) fn not_allowed(name: &str) -> Problem {
    Problem::new(400, "FILTER_NOT_ALLOWED", "Filter not allowed", format!("{name} is not allowed."))
}

fn invalid_value(value: &str, name: &str) -> Problem {
    let detail = format!("{value} is not a valid value for {name}.");
    Problem::new(400, "INVALID_FILTER_VALUE", "Invalid filter value", detail)
}

pub(crate) fn syntax(text: &str) -> Problem {
    let detail = format!("{text} is not a valid syntax for filtering.");
    Problem::new(400, "INVALID_FILTERS_SYNTAX", "Invalid filters syntax", detail)
}
