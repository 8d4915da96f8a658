//! A query string, checked against the declarations: `filter`, `sort`, `page`, `include`, `fields`.

use crate::filter::{self, Filter};
use crate::include::Include;
use crate::page::Page;
use crate::spec::{Attribute, Source};
use crate::{Catalog, Error, Problem, Result, Spec};
use percent_encoding::percent_decode_str;
use std::collections::HashSet;
use url::form_urlencoded;

/// The longest query string, in bytes.
const LONGEST: usize = 16 * 1024;
/// How many conditions a request may have.
const MOST_CONDITIONS: usize = 100;

/// What a request asks to see.
#[derive(Debug, Default)]
pub struct Query {
    pub(crate) filters: Vec<Filter>,
    pub(crate) sort: Vec<Sort>,
    pub(crate) page: Page,
    pub(crate) include: Include,
    pub(crate) fields: Vec<(String, Vec<String>)>,
    /// The parameters that links to other pages repeat.
    pub(crate) kept: Vec<(String, String)>,
}

/// One key to sort by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sort {
    /// `None` is the id.
    pub(crate) attribute: Option<&'static Attribute>,
    pub(crate) descending: bool,
}

impl Query {
    /// Reads a raw query string; answers with everything that is wrong with it.
    pub fn parse(catalog: &Catalog, spec: &'static Spec, raw: &str) -> Result<Self> {
        if raw.len() > LONGEST {
            return Err(filter::syntax(&format!("A query string of more than {LONGEST} bytes")).into());
        }
        if percent_decode_str(raw).decode_utf8().is_err() {
            return Err(Problem::bad_request("The query string is not valid UTF-8.").into());
        }
        let mut query = Self::default();
        let mut problems = Vec::new();
        let mut seen = HashSet::new();
        let mut conditions = 0;
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            let (base, keys) = brackets(&name);
            let known = matches!(base, "filter" | "sort" | "page" | "include" | "fields");
            if known && base != "filter" && !seen.insert(name.to_string()) {
                let detail = format!("The query parameter {name} was given more than once.");
                problems.push(Problem::bad_request(detail));
                continue;
            }
            let result = match (base, keys.as_slice()) {
                ("filter", ["q", name]) => {
                    filter::parse(catalog, spec, name, &value).map(|filter| query.filters.push(filter))
                }
                ("filter", [name]) if *name != "q" => {
                    filter::parse_direct(catalog, spec, name, &value).map(|filter| query.filters.push(filter))
                }
                ("filter", _) => Err(filter::syntax(&name)),
                ("sort", []) => query.sort(spec, &value),
                ("page", [key]) => query.page.set(key, &value),
                ("include", []) => query.include(catalog, spec, &value),
                ("fields", [kind]) => query.fields(catalog, kind, &value),
                ("sort" | "page" | "include" | "fields", _) => Err(Problem::param_not_allowed(&name)),
                // Parameters of other people's making are none of our business.
                _ => Ok(()),
            };
            problems.extend(result.err());
            if base == "filter" {
                conditions = query.filters.iter().map(|filter| filter.terms.len()).sum();
            }
            if base != "page" {
                query.kept.push((name.into_owned(), value.into_owned()));
            }
        }
        if conditions > MOST_CONDITIONS {
            problems.push(filter::syntax(&format!("More than {MOST_CONDITIONS} conditions")));
        }
        if problems.is_empty() { Ok(query) } else { Err(Error::Refused(problems)) }
    }

    fn sort(&mut self, spec: &Spec, keys: &str) -> Result<(), Problem> {
        for key in keys.split(',').filter(|key| !key.is_empty()) {
            let (descending, name) = key.strip_prefix('-').map_or((false, key), |name| (true, name));
            let attribute = spec.attribute(name).filter(|attribute| attribute.sort);
            if attribute.is_none() && name != "id" {
                let detail = format!("{name} is not a valid sort criteria for {}", spec.kind);
                return Err(Problem::new(400, "INVALID_SORT_CRITERIA", "Invalid sort criteria", detail));
            }
            // A key that comes again orders nothing any more.
            let known = |sort: &Sort| {
                sort.attribute.map(|attribute| attribute.name) == attribute.map(|attribute| attribute.name)
            };
            if !self.sort.iter().any(known) {
                self.sort.push(Sort { attribute, descending });
            }
        }
        Ok(())
    }

    fn include(&mut self, catalog: &Catalog, spec: &'static Spec, paths: &str) -> Result<(), Problem> {
        paths
            .split(',')
            .filter(|path| !path.is_empty())
            .try_for_each(|path| self.include.add(catalog, spec, path))
    }

    fn fields(&mut self, catalog: &Catalog, kind: &str, names: &str) -> Result<(), Problem> {
        let spec = catalog.spec(kind).ok_or_else(|| {
            let detail = format!("{kind} is not a valid resource.");
            Problem::new(400, "INVALID_RESOURCE", "Invalid resource", detail)
        })?;
        let names: Vec<&str> = names.split(',').filter(|name| !name.is_empty()).collect();
        for name in &names {
            let known = *name == "id"
                || spec.attribute(name).is_some_and(|attribute| attribute.source != Source::Trigger)
                || spec.relationship(name).is_some();
            if !known {
                let detail = format!("{name} is not a valid field for {kind}.");
                return Err(Problem::new(400, "INVALID_FIELD", "Invalid field", detail));
            }
        }
        self.fields.push((kind.to_owned(), names.into_iter().map(str::to_owned).collect()));
        Ok(())
    }

    /// Whether only some fields of this kind are asked for.
    pub(crate) fn limits(&self, kind: &str) -> bool {
        self.fields.iter().any(|(limited, _)| limited == kind)
    }

    /// Whether the answer is to hold this field of this kind.
    pub(crate) fn shows(&self, kind: &str, name: &str) -> bool {
        self.fields
            .iter()
            .find(|(limited, _)| limited == kind)
            .is_none_or(|(_, names)| names.iter().any(|field| field == name))
    }
}

/// `filter[q][name_eq]` is `filter` with the keys `q` and `name_eq`.
fn brackets(name: &str) -> (&str, Vec<&str>) {
    let Some((base, rest)) = name.split_once('[') else {
        return (name, Vec::new());
    };
    match rest.strip_suffix(']') {
        Some(keys) => (base, keys.split("][").collect()),
        // An unclosed bracket is no key; the place that reads it refuses the name as it is.
        None => (base, vec!["", "", ""]),
    }
}
