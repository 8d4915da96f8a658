//! Which part of a collection is shown, and the links to the other parts.

use crate::Problem;
use url::form_urlencoded::Serializer;

/// How many records a page has when nobody says.
const DEFAULT_SIZE: u64 = 10;
/// How many records a page may have.
const LARGEST_SIZE: u64 = 25;

/// A page of a collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// From 1.
    pub(crate) number: u64,
    /// From 1 to 25.
    pub(crate) size: u64,
}

impl Default for Page {
    fn default() -> Self {
        Self { number: 1, size: DEFAULT_SIZE }
    }
}

impl Page {
    /// Reads `page[<key>]=<value>`.
    pub(crate) fn set(&mut self, key: &str, value: &str) -> Result<(), Problem> {
        let number = value.parse::<u64>().ok().filter(|number| *number > 0);
        let invalid = || {
            let detail = format!("{value} is not a valid value for {key} page parameter.");
            Problem::new(400, "INVALID_PAGE_VALUE", "Invalid page value", detail)
        };
        match key {
            "number" => self.number = number.ok_or_else(invalid)?,
            "size" => self.size = number.filter(|size| *size <= LARGEST_SIZE).ok_or_else(invalid)?,
            _ => return Err(Problem::param_not_allowed(key)),
        }
        Ok(())
    }

    /// How many records come before it.
    pub(crate) fn offset(self) -> u64 {
        (self.number - 1).saturating_mul(self.size)
    }

    /// How many pages `count` records fill.
    pub(crate) fn pages(self, count: u64) -> u64 {
        count.div_ceil(self.size)
    }

    /// The query string of another page of the same collection, `kept` being its other parameters.
    pub(crate) fn link(self, number: u64, kept: &[(String, String)]) -> String {
        let mut query = Serializer::new(String::new());
        for (name, value) in kept {
            query.append_pair(name, value);
        }
        query.append_pair("page[number]", &number.to_string());
        query.append_pair("page[size]", &self.size.to_string());
        query.finish()
    }
}
