//! A whole row, as rules read it before they change it.

use crate::spec::{Attribute, Kind};
use crate::{Error, Result, Spec};
use guildhall_store::{Cell, Row, Sql, Tx};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value as Json, json};

/// A row of a kind: its id and every column by name, moments as milliseconds, objects as objects,
/// secrets as they are stored.
#[derive(Clone, Debug)]
pub struct Record {
    /// What it is.
    pub spec: &'static Spec,
    /// Which one.
    pub id: String,
    columns: Map<String, Json>,
}

impl Record {
    /// The query for records, up to its condition; the row's name in it is `t`.
    pub(crate) fn select(spec: &Spec) -> Sql {
        let mut sql = Sql::text("select t.id");
        for attribute in stored(spec) {
            sql.push(", t.").push(attribute.name);
        }
        for relationship in spec.relationships.iter().filter(|relationship| !relationship.many) {
            sql.push(", t.").push(relationship.column);
        }
        sql.push(" from ").push(spec.kind).push(" t where ");
        sql
    }

    /// The records of a kind in which `column` is `value`, whoever may see them: for rules that have
    /// already asked whether they may.
    pub fn find(tx: &mut Tx<'_>, spec: &'static Spec, column: &str, value: &str) -> Result<Vec<Self>> {
        Self::find_some(tx, spec, column, value, i64::MAX)
    }

    /// The first `most` of them.
    pub fn find_some(
        tx: &mut Tx<'_>,
        spec: &'static Spec,
        column: &str,
        value: &str,
        most: i64,
    ) -> Result<Vec<Self>> {
        let mut sql = Self::select(spec);
        sql.push("t.")
            .push(column)
            .push(" = ")
            .bind(value)
            .push(" order by t.created_at, t.id limit ")
            .bind(most);
        Ok(tx.rows(&sql)?.iter().map(|row| Self::read(spec, row)).collect())
    }

    /// A record of which nothing is known yet.
    pub fn empty(spec: &'static Spec) -> Self {
        Self { spec, id: String::new(), columns: Map::new() }
    }

    pub(crate) fn read(spec: &'static Spec, row: Row<'_>) -> Self {
        let mut columns = Map::new();
        let id = row.text(0).to_owned();
        columns.insert("id".to_owned(), json!(id));
        let mut index = 1;
        for attribute in stored(spec) {
            columns.insert(attribute.name.to_owned(), value(attribute.kind, row.get(index)));
            index += 1;
        }
        for relationship in spec.relationships.iter().filter(|relationship| !relationship.many) {
            columns.insert(relationship.column.to_owned(), value(Kind::Text, row.get(index)));
            index += 1;
        }
        Self { spec, id, columns }
    }

    /// The columns a rule asks for, by their names.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_value(Json::Object(self.columns.clone())).map_err(|error| {
            let what = format!("{} {} does not read as a rule expects: {error}", self.spec.kind, self.id);
            Error::Store(guildhall_store::Error::Other(what))
        })
    }

    /// Every column by its name.
    pub fn columns(&self) -> &Map<String, Json> {
        &self.columns
    }

    /// One column; null when there is none.
    pub fn column(&self, name: &str) -> &Json {
        self.columns.get(name).unwrap_or(&Json::Null)
    }

    /// One text column; empty when it is null.
    pub fn text(&self, name: &str) -> &str {
        self.column(name).as_str().unwrap_or("")
    }
}

fn stored(spec: &'_ Spec) -> impl Iterator<Item = &'static Attribute> {
    spec.all_attributes().chain(spec.inner).filter(|attribute| attribute.is_column())
}

/// A cell as JSON.
fn value(kind: Kind, cell: Cell<'_>) -> Json {
    match (kind, cell) {
        (_, Cell::Null) => Json::Null,
        (Kind::Flag, Cell::Int(number)) => json!(number != 0),
        (_, Cell::Int(number)) => json!(number),
        (Kind::Object, Cell::Text(text)) => serde_json::from_str(text).unwrap_or(Json::Null),
        (_, Cell::Text(text)) => json!(text),
    }
}
