//! The statements of one transaction, and how it ends.

use super::connection::{Connection, LONGEST_WORK, MARGIN, Mode, Open, numbered, wait};
use super::words::{Failure, judged};
use crate::slow::LONG;
use crate::{Error, Result, Rows, Sql, Value};
use futures_util::TryStreamExt as _;
use futures_util::future::join_all;
use std::pin::pin;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Row, RowStream};

/// One transaction. It begins with its first statement, in the same message.
pub(crate) struct Statements<'a> {
    connection: &'a mut Connection,
    begun: bool,
    failure: Option<Failure>,
    patience: Duration,
    /// Whether the server was asked to end a statement: it may still do so to a later one.
    told_to_end: bool,
}

/// What becomes of a unit.
pub(crate) enum Fate {
    /// It is done, or it is not going to be.
    Settled(Result<()>),
    /// It left nothing, and may pass if it runs again.
    Again,
    /// The same, if it makes up another id.
    Anew,
}

/// What went wrong: beginning the transaction, or its statement.
enum Trouble {
    Begin(tokio_postgres::Error),
    Statement(tokio_postgres::Error),
}

/// What a statement found, and how many rows it touched.
type Found = (Vec<Row>, u64);

impl<'a> Statements<'a> {
    pub(super) fn new(connection: &'a mut Connection) -> Self {
        let patience = connection.mode.patience();
        Self { connection, begun: false, failure: None, patience, told_to_end: false }
    }

    pub(crate) fn rows(&mut self, sql: &Sql) -> Result<Rows> {
        let found = self.all(std::slice::from_ref(sql))?.pop();
        Ok(found.unwrap_or_default())
    }

    pub(crate) fn all(&mut self, queries: &[Sql]) -> Result<Vec<Rows>> {
        self.ask(queries)?.iter().map(|(found, _)| read(found)).collect()
    }

    pub(crate) fn execute(&mut self, sql: &Sql) -> Result<usize> {
        let touched: u64 = self.ask(std::slice::from_ref(sql))?.iter().map(|(_, touched)| touched).sum();
        Ok(usize::try_from(touched).unwrap_or(usize::MAX))
    }

    /// PostgreSQL looks after its pages by itself, where it was told to.
    pub(crate) fn check(&mut self) -> Result<()> {
        self.rows(&Sql::text("select 1")).map(drop)
    }

    /// Lets the statements to come take as long as they do; those of a unit that writes, and has others wait, within limits.
    pub(crate) fn take_time(&mut self) -> Result<()> {
        let settings = if self.connection.mode == Mode::Write {
            self.patience = LONGEST_WORK + MARGIN;
            format!("select set_config('statement_timeout', '{}', true)", LONGEST_WORK.as_millis())
        } else {
            self.patience = Duration::from_hours(24);
            "select set_config('statement_timeout', '0', true), \
                    set_config('idle_in_transaction_session_timeout', '0', true)"
                .to_owned()
        };
        self.execute(&Sql::text(&settings)).map(drop)
    }

    /// Asks some statements at once, and answers for each of them or with the first one's refusal.
    fn ask(&mut self, statements: &[Sql]) -> Result<Vec<Found>> {
        // Nothing is taken after a refusal, and nothing may be done outside the transaction.
        if self.failure.is_some() {
            return Err(Error::Other("a statement was refused before".to_owned()));
        }
        let count = u64::try_from(statements.len()).unwrap_or(u64::MAX);
        self.connection.count.fetch_add(count, Ordering::Relaxed);
        let is_first = !self.begun;
        let mut asked = self.ask_once(statements);
        // With its first statement a unit has done nothing yet: it may ask again on a new connection when the old
        // one broke while nobody used it (one that is silent has cost the caller enough time), and with a new plan when the schema has changed meanwhile.
        let again = match self.failure {
            Some(Failure::Outdated) => true,
            // Another connection to a replica may be one that is behind.
            Some(Failure::Lost) => self.connection.mode != Mode::Replica,
            _ => false,
        };
        if is_first && again {
            if self.failure == Some(Failure::Outdated) {
                self.leave();
            }
            (self.failure, self.begun) = (None, false);
            asked = self.ask_once(statements);
        }
        self.begun |= asked.is_ok();
        asked
    }

    fn ask_once(&mut self, statements: &[Sql]) -> Result<Vec<Found>> {
        // Once it has begun there is no other connection to it: the rest of a unit elsewhere would be outside of it.
        if !self.begun
            && let Err(error) = self.connection.reach()
        {
            self.failure = Some(Failure::Unreachable);
            return Err(error);
        }
        let (patience, begun, mode) = (self.patience, self.begun, self.connection.mode);
        let (slow, ending) = (self.connection.slow.clone(), self.connection.ending());
        let (runtime, open) = self.connection.parts();
        let open = open.ok_or(Error::Down)?;
        let told_to_end = &mut self.told_to_end;
        let asked = runtime.block_on(async {
            let mut asking = pin!(found(open, statements, !begun));
            // Units that write wait for each other, and those that said so take their time.
            if mode != Mode::Read || patience != mode.patience() {
                return tokio::time::timeout(patience, asking).await;
            }
            if let Ok(asked) = tokio::time::timeout(LONG, &mut asking).await {
                return Ok(asked);
            }
            let may = slow.enter();
            let ended = async {
                if !may {
                    *told_to_end = true;
                    ending.await;
                }
                asking.await
            };
            let asked = tokio::time::timeout(patience.saturating_sub(LONG), ended).await;
            if may {
                slow.leave();
            }
            asked
        });
        let (failure, error) = match asked {
            Ok(Ok(found)) => return Ok(found),
            Err(_) => (Failure::Silent, Error::Down),
            Ok(Err(Trouble::Begin(error))) => match judged(&error, mode) {
                (Failure::Lost, error) => (Failure::Lost, error),
                // A server that takes no transaction that writes has become one that only reads.
                _ => (Failure::Unavailable, Error::Down),
            },
            Ok(Err(Trouble::Statement(error))) => judged(&error, mode),
        };
        self.failure = Some(failure);
        match failure {
            Failure::Lost | Failure::Silent => self.connection.close(),
            // It may be another server that is needed: the next unit looks for one.
            Failure::Unavailable => self.connection.rest(),
            Failure::Outdated => {
                self.connection.forget();
                self.begun = true;
            }
            // The server has begun it, and it has to be ended.
            _ => self.begun = true,
        }
        Err(error)
    }

    /// Whether another server may answer what this one did not. What takes too long here does so there as well.
    pub(crate) fn may_pass_elsewhere(&self) -> bool {
        self.failure.is_some_and(|failure| failure != Failure::TooSlow)
    }

    /// Ends the transaction: with what it did, if the unit and nothing else is against it.
    pub(crate) fn end(mut self, keep: bool) -> Fate {
        match self.failure {
            None if !self.begun => Fate::Settled(Ok(())),
            None if keep && self.connection.mode == Mode::Write => self.commit(),
            Some(Failure::Unreachable | Failure::Unavailable) => Fate::Settled(Err(Error::Down)),
            // A unit that reads may be run once only, and has answered with what went wrong.
            Some(Failure::Lost | Failure::Silent) if self.connection.mode == Mode::Write => Fate::Again,
            Some(Failure::Collided | Failure::Outdated) if self.connection.mode == Mode::Write => {
                self.leave();
                Fate::Again
            }
            Some(Failure::Taken) if self.connection.mode == Mode::Write => {
                self.leave();
                Fate::Anew
            }
            _ => {
                self.leave();
                if self.told_to_end {
                    self.connection.close();
                }
                Fate::Settled(Ok(()))
            }
        }
    }

    fn commit(&mut self) -> Fate {
        let patience = self.connection.mode.patience();
        let (runtime, open) = self.connection.parts();
        let Some(open) = open.filter(|open| !open.client.is_closed()) else {
            // Nobody was told to commit.
            self.connection.close();
            return Fate::Again;
        };
        match wait(runtime, patience, open.client.batch_execute("commit")) {
            Ok(()) => Fate::Settled(Ok(())),
            Err(Error::Busy) => Fate::Again,
            Err(error) => {
                // Whether it was committed is not known, so it must not be done again.
                self.connection.close();
                Fate::Settled(Err(error))
            }
        }
    }

    /// Ends the transaction without waiting for the server to say so.
    fn leave(&mut self) {
        let (runtime, open) = self.connection.parts();
        if let Some(open) = open {
            runtime.block_on(async {
                let mut ended = pin!(open.client.batch_execute("rollback"));
                // Once to ask; then the connection's own task gets its turn to send it.
                let sent = futures_util::poll!(&mut ended);
                tokio::task::yield_now().await;
                drop(sent);
            });
        }
    }
}

/// Begins the transaction, if these are its first statements, and runs them, all on their way before any is answered.
async fn found(open: &mut Open, statements: &[Sql], begins: bool) -> Result<Vec<Found>, Trouble> {
    let mut prepared = Vec::with_capacity(statements.len());
    for sql in statements {
        prepared.push(open.prepare(sql.as_str()).await.map_err(Trouble::Statement)?);
    }
    let client = &open.client;
    let begun = async { if begins { client.batch_execute(&open.begin).await } else { Ok(()) } };
    let asked = statements.iter().zip(&prepared).map(async |(sql, statement)| {
        let stream: RowStream = match statement {
            Some(statement) => client.query_raw(statement, sql.args()).await?,
            None => {
                let args = sql.args().iter().map(|value| (value, Type::UNKNOWN));
                client.query_typed_raw(&numbered(sql.as_str()), args).await?
            }
        };
        let mut stream = pin!(stream);
        let mut rows = Vec::new();
        while let Some(row) = stream.try_next().await? {
            rows.push(row);
        }
        Ok::<_, tokio_postgres::Error>((rows, stream.rows_affected().unwrap_or(0)))
    });
    let (begun, asked) = tokio::join!(biased; begun, join_all(asked));
    begun.map_err(Trouble::Begin)?;
    // After one that was refused the others are refused for being behind it.
    asked.into_iter().map(|found| found.map_err(Trouble::Statement)).collect()
}

fn read(found: &[Row]) -> Result<Rows> {
    let width = found.first().map_or(0, Row::len);
    let mut rows = Rows::new(width);
    for row in found {
        for column in 0..width {
            let field: Field<'_> =
                row.try_get(column).map_err(|error| Error::Other(super::words::told(&error)))?;
            match field {
                Field::Null => rows.push_null(),
                Field::Int(number) => rows.push_int(number),
                Field::Text(text) => rows.push_text(text),
            }
        }
    }
    Ok(rows)
}

/// Arguments travel as text, whatever the server takes them for.
impl ToSql for Value {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => return Ok(IsNull::Yes),
            Self::Text(text) => out.extend_from_slice(text.as_bytes()),
            Self::Int(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Flag(flag) => out.extend_from_slice(if *flag { b"t" } else { b"f" }),
        }
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// One field of an answer.
enum Field<'a> {
    Null,
    Int(i64),
    Text(&'a str),
}

impl<'a> FromSql<'a> for Field<'a> {
    fn from_sql(
        kind: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::INT4 => Self::Int(i64::from(i32::from_sql(kind, raw)?)),
            Type::BOOL => Self::Int(i64::from(bool::from_sql(kind, raw)?)),
            _ => Self::Text(<&str>::from_sql(kind, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::INT8 | Type::INT4 | Type::BOOL | Type::UNKNOWN)
            || <&str as FromSql<'_>>::accepts(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::target::Target;
    use crate::slow::Slow;
    use crate::throw_away::ThrowAway;
    use std::sync::Arc;

    /// A connection to a database of a test, and another one to it.
    fn two(database: &ThrowAway) -> Option<[Connection; 2]> {
        let url = database.url()?;
        let connect = || {
            let target = Arc::new(Target::read(url).unwrap());
            Connection::new(Mode::Write, target, Arc::new(Slow::of(1)), Arc::default()).unwrap()
        };
        Some([connect(), connect()])
    }

    fn once(connection: &mut Connection, sql: &str) -> Rows {
        let mut unit = Statements::new(connection);
        let rows = unit.rows(&Sql::text(sql)).unwrap();
        assert!(matches!(unit.end(true), Fate::Settled(Ok(()))));
        rows
    }

    /// Ends a session from the outside, and waits until its driver knows.
    fn cut(unit: &Statements<'_>, other: &mut Connection) {
        let others = "select pg_terminate_backend(pid) from pg_stat_activity
                      where datname = current_database() and pid <> pg_backend_pid()";
        assert_eq!(once(other, others).iter().count(), 1);
        let open = unit.connection.open.as_ref().unwrap();
        unit.connection.runtime.block_on(async {
            while !open.client.is_closed() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
    }

    #[test]
    fn nothing_of_a_unit_goes_on_at_another_connection() {
        let folder = tempfile::tempdir().unwrap();
        let database = ThrowAway::new(folder.path());
        let Some([mut connection, mut other]) = two(&database) else { return };
        once(&mut other, "create table notes (text text)");
        for statements in ["in the middle", "at its end"] {
            let mut unit = Statements::new(&mut connection);
            unit.execute(&Sql::text("insert into notes values ('first')")).unwrap();
            cut(&unit, &mut other);
            if statements == "in the middle" {
                let second = unit.execute(&Sql::text("insert into notes values ('second')"));
                assert!(matches!(second, Err(Error::Down)));
            }
            assert!(matches!(unit.end(true), Fate::Again), "{statements}");
            assert_eq!(once(&mut other, "select 1 from notes").iter().count(), 0, "{statements}");
        }
        once(&mut connection, "insert into notes values ('again')");
    }
}
