//! The 51 matchers that end a filter's name, and what each compares.

/// What one value is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Equal,
    Like,
    Less,
    LessOrEq,
    Greater,
    GreaterOrEq,
    Start,
    End,
    Contains,
    ContainsJson,
    /// Neither null nor empty.
    Present,
    NotNull,
    True,
}

/// How many values a matcher takes, and how their answers join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// One value.
    One,
    /// A list; at least one must hold.
    Any,
    /// A list; every one must hold.
    All,
    /// A flag that says whether the test is to hold or not.
    Whether,
}

/// A matcher: for each value the test, or its contrary, must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Matcher {
    pub(crate) name: &'static str,
    pub(crate) test: Test,
    pub(crate) negated: bool,
    pub(crate) values: Values,
    /// Whether null matches as well.
    pub(crate) or_null: bool,
}

impl Matcher {
    /// Whether one of the values must be equal, and nothing else matches.
    pub(crate) fn is_equality(self) -> bool {
        self.test == Test::Equal
            && !self.negated
            && !self.or_null
            && matches!(self.values, Values::One | Values::Any)
    }
}

const fn matcher(name: &'static str, test: Test, values: Values) -> Matcher {
    Matcher { name, test, negated: false, values, or_null: false }
}

const fn not(name: &'static str, test: Test, values: Values) -> Matcher {
    Matcher { negated: true, ..matcher(name, test, values) }
}

const fn or_null(matcher: Matcher) -> Matcher {
    Matcher { or_null: true, ..matcher }
}

use Test::{
    Contains, ContainsJson, End, Equal, Greater, GreaterOrEq, Less, LessOrEq, Like, NotNull, Present, Start,
    True,
};
use Values::{All, Any, One, Whether};

/// Every matcher. (`in` is "equals any", `not_in` "differs from all".)
pub(crate) static MATCHERS: [Matcher; 51] = [
    matcher("eq", Equal, One),
    or_null(matcher("eq_or_null", Equal, One)),
    not("not_eq", Equal, One),
    or_null(not("not_eq_or_null", Equal, One)),
    matcher("matches", Like, One),
    not("does_not_match", Like, One),
    matcher("matches_any", Like, Any),
    matcher("matches_all", Like, All),
    not("does_not_match_any", Like, Any),
    not("does_not_match_all", Like, All),
    matcher("lt", Less, One),
    matcher("lteq", LessOrEq, One),
    matcher("gt", Greater, One),
    matcher("gteq", GreaterOrEq, One),
    matcher("lt_any", Less, Any),
    matcher("lteq_any", LessOrEq, Any),
    matcher("gt_any", Greater, Any),
    matcher("gteq_any", GreaterOrEq, Any),
    matcher("lt_all", Less, All),
    matcher("lteq_all", LessOrEq, All),
    matcher("gt_all", Greater, All),
    matcher("gteq_all", GreaterOrEq, All),
    not("not_eq_all", Equal, All),
    matcher("present", Present, Whether),
    not("blank", Present, Whether),
    not("null", NotNull, Whether),
    matcher("not_null", NotNull, Whether),
    matcher("in", Equal, Any),
    or_null(matcher("in_or_null", Equal, Any)),
    not("not_in", Equal, All),
    or_null(not("not_in_or_null", Equal, All)),
    matcher("start", Start, One),
    not("not_start", Start, One),
    matcher("start_any", Start, Any),
    matcher("start_all", Start, All),
    not("not_start_any", Start, Any),
    not("not_start_all", Start, All),
    matcher("end", End, One),
    not("not_end", End, One),
    matcher("end_any", End, Any),
    matcher("end_all", End, All),
    not("not_end_any", End, Any),
    not("not_end_all", End, All),
    matcher("cont", Contains, One),
    not("not_cont", Contains, One),
    matcher("cont_any", Contains, Any),
    matcher("cont_all", Contains, All),
    not("not_cont_all", Contains, All),
    matcher("jcont", ContainsJson, One),
    matcher("true", True, Whether),
    not("false", True, Whether),
];

/// `eq`, for the filters that name no matcher.
pub(crate) const EQ: Matcher = matcher("eq", Equal, One);
/// `in`.
pub(crate) const IN: Matcher = matcher("in", Equal, Any);
/// `gteq`.
pub(crate) const FROM: Matcher = matcher("gteq", GreaterOrEq, One);
/// `lteq`.
pub(crate) const TO: Matcher = matcher("lteq", LessOrEq, One);

/// The attributes and the longest matcher that a filter's name is made of.
pub(crate) fn split(name: &str) -> Option<(&str, Matcher)> {
    MATCHERS
        .iter()
        .filter_map(|matcher| {
            let attributes = name.strip_suffix(matcher.name)?.strip_suffix('_')?;
            (!attributes.is_empty()).then_some((attributes, *matcher))
        })
        .max_by_key(|(_, matcher)| matcher.name.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_matcher_wins() {
        for (name, attributes, matcher) in [
            ("name_eq", "name", "eq"),
            ("name_not_eq", "name", "not_eq"),
            ("name_not_eq_or_null", "name", "not_eq_or_null"),
            ("updated_at_or_created_at_gt", "updated_at_or_created_at", "gt"),
            ("reference_not_in_or_null", "reference", "not_in_or_null"),
            ("name_does_not_match_any", "name", "does_not_match_any"),
            ("owner_true", "owner", "true"),
        ] {
            let found = split(name).map(|(attributes, matcher)| (attributes, matcher.name));
            assert_eq!(found, Some((attributes, matcher)), "{name}");
        }
        assert_eq!(split("name"), None);
        assert_eq!(split("eq"), None);
    }
}
