//! The four kinds of value that every engine stores alike, and the rows that come back.

/// A value on its way into the database.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// Text; JSON travels as text too.
    Text(String),
    /// A whole number; moments are milliseconds since 1970-01-01T00:00:00Z.
    Int(i64),
    /// True or false.
    Flag(bool),
}

impl Value {
    /// What every engine takes: no text of theirs holds a NUL, so that nothing which has one is ever found, and what
    /// was let through with one is kept with U+FFFD instead.
    pub(crate) fn storable(self) -> Self {
        match self {
            Self::Text(text) if text.contains('\0') => Self::Text(text.replace('\0', "\u{fffd}")),
            value => value,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Self::Text(text.clone())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One field of a row, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// Text.
    Text(&'a str),
    /// A whole number; SQLite answers its booleans as 0 and 1.
    Int(i64),
}

/// The rows of one answer, kept in two allocations however many fields they have.
#[derive(Debug, Default)]
pub struct Rows {
    width: usize,
    fields: Vec<Field>,
    text: String,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Null,
    Int(i64),
    Text { start: usize, end: usize },
}

impl Rows {
    pub(crate) fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    pub(crate) fn push_null(&mut self) {
        self.fields.push(Field::Null);
    }

    pub(crate) fn push_int(&mut self, number: i64) {
        self.fields.push(Field::Int(number));
    }

    pub(crate) fn push_text(&mut self, text: &str) {
        let start = self.text.len();
        self.text.push_str(text);
        self.fields.push(Field::Text { start, end: self.text.len() });
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.fields.len().checked_div(self.width).unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The row at `index`, or `None` past the end.
    pub fn get(&self, index: usize) -> Option<Row<'_>> {
        (index < self.len()).then_some(Row { rows: self, first: index * self.width })
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        (0..self.len()).map(|index| Row { rows: self, first: index * self.width })
    }

    /// The first row, if any.
    pub fn first(&self) -> Option<Row<'_>> {
        self.get(0)
    }
}

/// One row of an answer.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    rows: &'a Rows,
    first: usize,
}

impl<'a> Row<'a> {
    /// The field in column `index`; past the last column there is only null.
    pub fn get(self, index: usize) -> Cell<'a> {
        if index >= self.rows.width {
            return Cell::Null;
        }
        match self.rows.fields[self.first + index] {
            Field::Null => Cell::Null,
            Field::Int(number) => Cell::Int(number),
            Field::Text { start, end } => Cell::Text(&self.rows.text[start..end]),
        }
    }

    /// The text in column `index`; empty where there is none.
    pub fn text(self, index: usize) -> &'a str {
        self.maybe_text(index).unwrap_or("")
    }

    /// The text in column `index`, or `None` for null.
    pub fn maybe_text(self, index: usize) -> Option<&'a str> {
        match self.get(index) {
            Cell::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The number in column `index`; zero where there is none.
    pub fn int(self, index: usize) -> i64 {
        self.maybe_int(index).unwrap_or(0)
    }

    /// The number in column `index`, or `None` for null.
    pub fn maybe_int(self, index: usize) -> Option<i64> {
        match self.get(index) {
            Cell::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The flag in column `index`; false where there is none.
    pub fn flag(self, index: usize) -> bool {
        self.int(index) != 0
    }

    /// Whether column `index` is null.
    pub fn is_null(self, index: usize) -> bool {
        self.get(index) == Cell::Null
    }
}
