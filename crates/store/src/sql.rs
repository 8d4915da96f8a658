//! SQL text and its arguments, written together so that they cannot drift apart.

use crate::Value;
use serde_json::Value as Json;

/// How many values of a list are arguments of their own.
const LONGEST_LIST: usize = 200;

/// A statement: text with one `?` for each argument, in order.
///
/// The text is the same for every engine. A `?` stands for an argument and nothing else, so a
/// statement can be built from parts without renumbering.
#[derive(Clone, Debug, Default)]
pub struct Sql {
    text: String,
    args: Vec<Value>,
}

impl Sql {
    /// A statement of fixed text, with its arguments.
    ///
    /// # Panics
    /// When text and arguments do not match: that is a mistake in the program, found by its first test.
    pub fn new<const N: usize>(text: &str, args: [Value; N]) -> Self {
        assert_eq!(text.matches('?').count(), N, "one argument for each ? of: {text}");
        Self { text: text.to_owned(), args: args.into_iter().map(Value::storable).collect() }
    }

    /// Text without arguments.
    pub fn text(text: &str) -> Self {
        Self::new(text, [])
    }

    /// Adds text without arguments.
    pub fn push(&mut self, text: &str) -> &mut Self {
        debug_assert!(!text.contains('?'), "bind arguments, do not write them: {text}");
        self.text.push_str(text);
        self
    }

    /// Adds an argument.
    pub fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.text.push('?');
        self.args.push(value.into().storable());
        self
    }

    /// Adds arguments separated by commas, as in `in (…)`; without any, a null, which nothing equals.
    pub fn bind_all<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        let mut none = true;
        for value in values {
            if !none {
                self.text.push_str(", ");
            }
            none = false;
            self.bind(value);
        }
        if none {
            self.text.push_str("null");
        }
        self
    }

    /// Adds what `in (…)` compares with: the values, or, when there are many, one argument that holds them
    /// all, since engines limit arguments.
    pub fn bind_list<V: Into<Value>>(&mut self, values: impl IntoIterator<Item = V>) -> &mut Self {
        let values: Vec<Value> = values.into_iter().map(Into::into).collect();
        if values.len() <= LONGEST_LIST {
            return self.bind_all(values);
        }
        // What comes out of a list is text to engines that are strict about it.
        self.push(match values.first() {
            Some(Value::Int(_)) => "select cast(value as bigint) from json_each(",
            Some(Value::Flag(_)) => "select cast(value as boolean) from json_each(",
            _ => "select value from json_each(",
        });
        let list: Vec<Json> = values.into_iter().map(json).collect();
        self.bind(Json::Array(list).to_string()).push(")")
    }

    /// Adds another statement's text and arguments.
    pub fn append(&mut self, other: &Sql) -> &mut Self {
        self.text.push_str(&other.text);
        self.args.extend(other.args.iter().cloned());
        self
    }

    /// How many arguments it has.
    pub fn arguments(&self) -> usize {
        self.args.len()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn args(&self) -> &[Value] {
        &self.args
    }
}

fn json(value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Text(text) => Json::String(text),
        Value::Int(number) => number.into(),
        Value::Flag(flag) => i64::from(flag).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_join_without_renumbering() {
        let mut sql = Sql::new("select 1 where a = ?", ["x".into()]);
        sql.push(" and b in (").bind_all([1_i64, 2]).push(")").append(&Sql::new(" and c = ?", [true.into()]));
        assert_eq!(sql.as_str(), "select 1 where a = ? and b in (?, ?) and c = ?");
        assert_eq!(sql.args(), ["x".into(), Value::Int(1), Value::Int(2), Value::Flag(true)]);
    }

    #[test]
    fn an_empty_list_matches_nothing() {
        let mut sql = Sql::text("a in (");
        sql.bind_all(Vec::<String>::new()).push(")");
        assert_eq!(sql.as_str(), "a in (null)");
    }
}
