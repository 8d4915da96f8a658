//! What a caller may see of one kind: the only way from a caller to rows.

use crate::Result;
use crate::count::number;
use guildhall_store::{Sql, Tx, Value};

/// The rows of one kind that a caller may see: those that match any arm. Without arms there are none.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// The ways in which a row can be visible.
    pub arms: Vec<Arm>,
    /// Where the secrets of visible rows are shown; everywhere when there is none.
    pub secrets: Option<Arm>,
}

/// One way in which a row can be visible: a column has one of some values.
#[derive(Clone, Debug)]
pub struct Arm {
    /// The column.
    pub column: &'static str,
    /// The values.
    pub values: Values,
}

/// Values of a column.
#[derive(Clone, Debug)]
pub enum Values {
    /// These.
    These(Vec<String>),
    /// Those that `select <value> from <from>` finds, which ends in its condition: for more of them than anybody should have
    /// to look up to see a single row.
    Selected {
        /// What is selected.
        value: &'static str,
        /// Where.
        from: Sql,
    },
}

impl From<Vec<String>> for Values {
    fn from(values: Vec<String>) -> Self {
        Self::These(values)
    }
}

impl Values {
    /// Adds the condition that what `column` names is one of them, for a row that was found already.
    pub(crate) fn have(&self, sql: &mut Sql, column: &str) {
        match self {
            Self::These(values) if values.len() == 1 => {
                sql.push(column).push(" = ").bind(&values[0]);
            }
            Self::These(values) => {
                sql.push(column).push(" in (").bind_list(values).push(")");
            }
            Self::Selected { value, from } => {
                sql.push("exists (select 1 from ").append(from);
                sql.push(" and ").push(value).push(" = ").push(column).push(")");
            }
        }
    }

    /// The same, as what leads to the rows.
    pub fn lead(&self, sql: &mut Sql, column: &str) {
        match self {
            Self::These(_) => self.have(sql, column),
            Self::Selected { .. } => {
                sql.push(column).push(" in (");
                self.list(sql);
                sql.push(")");
            }
        }
    }

    /// Adds what `in (…)` compares with.
    pub(crate) fn list(&self, sql: &mut Sql) {
        match self {
            Self::These(values) => sql.bind_list(values),
            Self::Selected { value, from } => sql.push("select ").push(value).push(" from ").append(from),
        };
    }

    /// Those of them that are among these as well.
    pub fn among(&self, tx: &mut Tx<'_>, wanted: &[Value]) -> Result<Vec<String>> {
        Ok(match self {
            Self::These(values) => {
                let is_wanted = |id: &&String| {
                    wanted.iter().any(|value| matches!(value, Value::Text(text) if text == *id))
                };
                values.iter().filter(is_wanted).cloned().collect()
            }
            Self::Selected { value, from } => {
                let mut sql = Sql::text("select distinct ");
                sql.push(value).push(" from ").append(from).push(" and ").push(value).push(" in (");
                let rows = tx.rows(sql.bind_list(wanted.iter().cloned()).push(")"))?;
                rows.iter().map(|row| row.text(0).to_owned()).collect()
            }
        })
    }

    /// How many they are, or a few more.
    pub(crate) fn count(&self, tx: &mut Tx<'_>) -> Result<u64> {
        match self {
            Self::These(values) => Ok(u64::try_from(values.len()).unwrap_or(u64::MAX)),
            Self::Selected { from, .. } => {
                let mut sql = Sql::text("select count(*) from ");
                Ok(number(&tx.rows(sql.append(from))?))
            }
        }
    }

    fn are_none(&self) -> bool {
        matches!(self, Self::These(values) if values.is_empty())
    }
}

impl Scope {
    /// No row.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// The rows in which `column` has one of `values`.
    pub fn within(column: &'static str, values: impl Into<Values>) -> Self {
        Self::default().or(column, values)
    }

    /// Also the rows in which `column` has one of `values`.
    #[must_use]
    pub fn or(mut self, column: &'static str, values: impl Into<Values>) -> Self {
        let values = values.into();
        if !values.are_none() {
            self.arms.push(Arm { column, values });
        }
        self
    }

    /// What of it is about rows in which `column` has one of `wanted`, if the first arm is about that column. Who sees all of
    /// those by that arm needs no other one.
    pub(crate) fn narrow(&mut self, tx: &mut Tx<'_>, column: &str, wanted: &[Value]) -> Result<()> {
        let Some(first) = self.arms.first_mut().filter(|first| first.column == column) else {
            return Ok(());
        };
        let found = first.values.among(tx, wanted)?;
        let has = |value: &Value| matches!(value, Value::Text(text) if found.contains(text));
        let has_all = wanted.iter().all(has);
        first.values = found.into();
        if has_all {
            self.arms.truncate(1);
        }
        if self.arms[0].values.are_none() {
            self.arms.remove(0);
        }
        Ok(())
    }

    /// Adds the condition on the row that `table` names, which was found already.
    pub(crate) fn condition(&self, sql: &mut Sql, table: &str) {
        self.either(sql, |arm, sql| arm.condition(sql, table));
    }

    /// The same, as what leads to the rows.
    pub(crate) fn lead(&self, sql: &mut Sql, table: &str) {
        self.either(sql, |arm, sql| arm.lead(sql, table));
    }

    fn either(&self, sql: &mut Sql, one: impl Fn(&Arm, &mut Sql)) {
        if self.arms.is_empty() {
            sql.push("1 = 0");
            return;
        }
        sql.push("(");
        for (index, arm) in self.arms.iter().enumerate() {
            sql.push(if index == 0 { "" } else { " or " });
            one(arm, sql);
        }
        sql.push(")");
    }
}

impl Arm {
    /// Adds the condition on the row that `table` names, which was found already.
    pub(crate) fn condition(&self, sql: &mut Sql, table: &str) {
        self.values.have(sql, &format!("{table}.{}", self.column));
    }

    /// The same, as what leads to the rows.
    pub(crate) fn lead(&self, sql: &mut Sql, table: &str) {
        self.values.lead(sql, &format!("{table}.{}", self.column));
    }
}
