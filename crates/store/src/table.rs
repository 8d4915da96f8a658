//! What a table consists of, for whoever moves all of them.

use crate::{Cell, Row, Rows, Value};

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns by name.
    pub columns: Vec<Column>,
    /// The columns of its primary key, in order.
    pub key: Vec<usize>,
    /// The tables its rows point at.
    pub parents: Vec<String>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Whether it holds true or false, which one engine answers as a number.
    pub flag: bool,
}

impl Table {
    /// A row of all columns, as values to write.
    pub fn values(&self, row: Row<'_>) -> Vec<Value> {
        let value = |(index, column): (usize, &Column)| match row.get(index) {
            Cell::Null => Value::Null,
            Cell::Text(text) => Value::Text(text.to_owned()),
            Cell::Int(number) if column.flag => Value::Flag(number != 0),
            Cell::Int(number) => Value::Int(number),
        };
        self.columns.iter().enumerate().map(value).collect()
    }

    /// Reads tables from rows of table, column, type, place in the key, and the tables they point at from rows of two.
    pub(crate) fn read(columns: &Rows, parents: &Rows) -> Vec<Self> {
        let mut tables: Vec<(Self, Vec<(i64, usize)>)> = Vec::new();
        for row in columns.iter() {
            if tables.last().is_none_or(|(table, _)| table.name != row.text(0)) {
                let name = row.text(0).to_owned();
                tables.push((
                    Self { name, columns: Vec::new(), key: Vec::new(), parents: Vec::new() },
                    Vec::new(),
                ));
            }
            let Some((table, key)) = tables.last_mut() else { continue };
            if row.int(3) > 0 {
                key.push((row.int(3), table.columns.len()));
            }
            let flag = row.text(2).eq_ignore_ascii_case("boolean");
            table.columns.push(Column { name: row.text(1).to_owned(), flag });
        }
        let finished = tables.into_iter().map(|(mut table, mut key)| {
            key.sort_unstable();
            table.key = key.into_iter().map(|(_, index)| index).collect();
            let mine = parents.iter().filter(|row| row.text(0) == table.name && row.text(1) != table.name);
            table.parents = mine.map(|row| row.text(1).to_owned()).collect();
            table
        });
        finished.collect()
    }
}
