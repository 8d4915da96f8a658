//! What a caller may see of one kind: the only way from a caller to rows.

use guildhall_store::{Sql, Value};

/// The rows of one kind that a caller may see: those that match any arm. Without arms there are none.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The ways in which a row can be visible.
    pub arms: Vec<Arm>,
    /// Where the secrets of visible rows are shown; everywhere when there is none.
    pub secrets: Option<Arm>,
}

/// One way in which a row can be visible.
#[derive(Clone, Debug)]
pub enum Arm {
    /// The column has one of these values.
    In(&'static str, Vec<String>),
    /// The column has one of the values that this query selects.
    Select(&'static str, Sql),
}

impl Scope {
    /// No row.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The rows in which `column` has one of `values`.
    pub fn within(column: &'static str, values: Vec<String>) -> Self {
        Self::default().or(column, values)
    }

    /// Also the rows in which `column` has one of `values`.
    #[must_use]
    pub fn or(mut self, column: &'static str, values: Vec<String>) -> Self {
        if !values.is_empty() {
            self.arms.push(Arm::In(column, values));
        }
        self
    }

    /// Also the rows in which `column` has one of the values that `query` selects.
    #[must_use]
    pub fn or_select(mut self, column: &'static str, query: Sql) -> Self {
        self.arms.push(Arm::Select(column, query));
        self
    }

    /// Without the rows of the first arm in which `column` has none of `values`, if that arm is about it.
    pub(crate) fn narrow(&mut self, column: &str, values: &[Value]) {
        let Some(Arm::In(own, ids)) = self.arms.first_mut() else { return };
        if *own != column {
            return;
        }
        let wanted =
            |id: &String| values.iter().any(|value| matches!(value, Value::Text(text) if text == id));
        ids.retain(wanted);
        if ids.is_empty() {
            self.arms.remove(0);
        }
    }

    /// Adds the condition on the row that `table` names.
    pub(crate) fn condition(&self, sql: &mut Sql, table: &str) {
        if self.arms.is_empty() {
            sql.push("1 = 0");
            return;
        }
        sql.push("(");
        for (index, arm) in self.arms.iter().enumerate() {
            sql.push(if index == 0 { "" } else { " or " });
            arm.condition(sql, table);
        }
        sql.push(")");
    }
}

impl Arm {
    /// Adds the condition on the row that `table` names.
    pub(crate) fn condition(&self, sql: &mut Sql, table: &str) {
        match self {
            Self::In(column, values) if values.len() == 1 => {
                sql.push(&format!("{table}.{column} = ")).bind(&values[0]);
            }
            Self::In(column, values) => {
                sql.push(&format!("{table}.{column} in (")).bind_list(values).push(")");
            }
            Self::Select(column, query) => {
                sql.push(&format!("{table}.{column} in (")).append(query).push(")");
            }
        }
    }
}
