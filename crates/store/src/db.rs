//! A database that runs units of work, each in one transaction on a thread of its own.

use crate::{Error, Result, Rows, Sql, Table, Value, postgres, spans, sqlite};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::{oneshot, watch};
use tracing::Span;

/// A database. Cheap to clone; the last clone closes it.
///
/// A unit of work is a plain function over a [`Tx`]: nothing in it can wait for a network, it is all
/// or nothing, and its answer comes only once the database has flushed it to disk.
#[derive(Clone)]
pub struct Db {
    queues: Queues,
}

/// The ways to the threads of an engine.
#[derive(Clone)]
pub(crate) enum Queues {
    Sqlite(sqlite::Queues),
    Postgres(postgres::Queues),
}

/// A unit on its way to a database thread.
pub(crate) trait Unit: Send {
    /// Runs it, perhaps not for the first time; says whether what it wrote is to stay.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Answers the caller, once the fate of the commit is known.
    fn answer(self: Box<Self>, committed: Result<()>);
}

pub(crate) type Job = Box<dyn Unit>;

impl Db {
    pub(crate) fn new(queues: Queues) -> Self {
        Self { queues }
    }

    /// Runs a unit that only reads, on one snapshot.
    pub async fn read<T, E>(
        &self,
        unit: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let send = |job| match &self.queues {
            Queues::Sqlite(queues) => queues.read(job),
            Queues::Postgres(queues) => queues.read(job),
        };
        self.once(unit, send).await
    }

    /// Runs a unit that looks whether units that write would be answered: on a way of its own, so that it does not wait behind
    /// those that are on theirs.
    pub async fn probe<T: Send + 'static>(
        &self,
        unit: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let send = |job| match &self.queues {
            Queues::Sqlite(queues) => queues.read(job),
            Queues::Postgres(queues) => queues.probe(job),
        };
        self.once(unit, send).await
    }

    /// Sends a unit that reads and may run once only on its way.
    async fn once<T, E>(
        &self,
        unit: impl FnOnce(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
        send: impl FnOnce(Job),
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let mut unit = Some(unit);
        let (job, answer) =
            self.job("read", move |tx| unit.take().map_or_else(|| Err(gone().into()), |unit| unit(tx)));
        send(job);
        answer.await.unwrap_or_else(|_| Err(gone().into()))
    }

    /// Runs a unit that reads what must be fresh, and then one that reads more, by way of what the first one found. Both
    /// see everything that was acknowledged before. Where there is a replica, the second one may run there, more than
    /// once if need be; where there is none, both see the same snapshot.
    pub async fn read_both<A, T, E>(
        &self,
        first: impl FnOnce(&mut Tx<'_>) -> Result<A, E> + Send + 'static,
        mut second: impl FnMut(&mut Tx<'_>, &A) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        A: Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let Queues::Postgres(queues @ postgres::Queues { replica: Some(_), .. }) = &self.queues else {
            return self.read(move |tx| first(tx).and_then(|found| second(tx, &found))).await;
        };
        let begun = self.read(move |tx| {
            let found = first(tx)?;
            let rows = tx.rows(&Sql::text(postgres::POSITION))?;
            Ok::<_, E>((found, rows.first().and_then(|row| row.maybe_text(0)).map(str::to_owned)))
        });
        let (found, position) = begun.await?;
        let (job, answer) = self.job("read more", move |tx| second(tx, &found));
        queues.read_at(job, position);
        answer.await.unwrap_or_else(|_| Err(gone().into()))
    }

    /// Runs a unit that writes. What it answers is on disk. A unit may be run again when the engine
    /// asks for it, so it must have no effect outside its transaction.
    pub async fn write<T, E>(
        &self,
        unit: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (job, answer) = self.job("write", unit);
        match &self.queues {
            Queues::Sqlite(queues) => queues.write(job),
            Queues::Postgres(queues) => queues.write(job),
        }
        answer.await.unwrap_or_else(|_| Err(gone().into()))
    }
}

impl Db {
    /// A unit with the way back to its caller.
    fn job<T, E>(
        &self,
        name: &'static str,
        unit: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> (Job, oneshot::Receiver<Result<T, E>>)
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let system = if self.is_server() { "postgresql" } else { "sqlite" };
        (Box::new(Asked { unit, span: spans::unit(name, system), result: None, reply }), answer)
    }

    /// Closes it and waits until that is done. Whoever has another clone must have dropped it, or this waits for them.
    pub fn close(self) {
        match self.queues {
            Queues::Sqlite(queues) => queues.close(),
            Queues::Postgres(queues) => drop(queues),
        }
    }

    /// Whether it is a server that several programs may use at once.
    pub fn is_server(&self) -> bool {
        matches!(self.queues, Queues::Postgres(_))
    }

    /// What changes whenever some program notified; never, where no other program can. A notice may be missed while
    /// a connection breaks, so whoever waits for one looks by itself once in a while.
    pub fn notices(&self) -> watch::Receiver<u64> {
        match &self.queues {
            Queues::Sqlite(queues) => queues.notices(),
            Queues::Postgres(queues) => queues.notices(),
        }
    }

    /// A number that has changed once anything was committed meanwhile, by whatever program: what was read while it was the
    /// same is still true. `None` where the database does not tell.
    pub fn data_version(&self) -> Option<i64> {
        match &self.queues {
            Queues::Sqlite(queues) => queues.data_version(),
            Queues::Postgres(_) => None,
        }
    }

    /// How many statements were run since it was opened.
    pub fn statements(&self) -> u64 {
        match &self.queues {
            Queues::Sqlite(queues) => queues.statements(),
            Queues::Postgres(queues) => queues.statements(),
        }
    }

    /// How many second units of [`Db::read_both`] a replica has answered, and how many the primary has instead of it.
    /// `None` without a replica.
    pub fn replica(&self) -> Option<(u64, u64)> {
        match &self.queues {
            Queues::Sqlite(_) => None,
            Queues::Postgres(queues) => queues.replica.as_ref().map(postgres::Replica::counts),
        }
    }

    /// How many rows were read because no index led to those that were wanted. Counted in debug builds and by
    /// SQLite only, for tests that no request reads a table as a whole.
    pub fn scanned(&self) -> u64 {
        match &self.queues {
            Queues::Sqlite(queues) => queues.scanned(),
            Queues::Postgres(_) => 0,
        }
    }

    /// How many steps statements have taken, of which each row that is looked at costs some. Counted likewise: for tests that
    /// what a request costs does not grow with what is beside it.
    pub fn steps(&self) -> u64 {
        match &self.queues {
            Queues::Sqlite(queues) => queues.steps(),
            Queues::Postgres(_) => 0,
        }
    }

    /// Looks through the whole database for damage; what it finds is the error.
    pub async fn check(&self) -> Result<()> {
        self.read(|tx| match &mut tx.engine {
            Statements::Sqlite(statements) => statements.check(),
            Statements::Postgres(statements) => statements.check(),
        })
        .await
    }
}

struct Asked<F, T, E> {
    unit: F,
    span: Span,
    result: Option<Result<T, E>>,
    reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Unit for Asked<F, T, E>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        let _inside = self.span.enter();
        // A panic in one unit must neither take the thread nor its neighbours in the same commit.
        let mut result = catch_unwind(AssertUnwindSafe(|| (self.unit)(tx)))
            .unwrap_or_else(|_| Err(Error::Other("a unit of work panicked".to_owned()).into()));
        // Engines differ in what they take after a refusal, so nothing is kept of what goes on after one.
        if result.is_ok() && tx.refused {
            let went_on = "a unit of work went on after a statement was refused";
            result = Err(Error::Other(went_on.to_owned()).into());
        }
        self.result.insert(result).is_ok()
    }

    fn answer(self: Box<Self>, committed: Result<()>) {
        let result = match (self.result, committed) {
            (Some(Err(error)), _) => Err(error),
            (Some(result), Ok(())) => result,
            (_, Err(error)) => Err(error.into()),
            (None, Ok(())) => Err(gone().into()),
        };
        // A caller that hung up has nobody to tell.
        drop(self.reply.send(result));
    }
}

fn gone() -> Error {
    Error::Other("the database is closed".to_owned())
}

/// What a unit sees of the database: whoever sees the same one again finds the same in every row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Which of those that read runs the unit. What one of them sees is not comparable with what another one does.
    pub reader: usize,
    /// What of it differs once anything was committed, by whatever program.
    pub version: i64,
}

/// One transaction.
pub struct Tx<'a> {
    engine: Statements<'a>,
    /// Whether a statement was refused.
    refused: bool,
}

/// The statements of a transaction, as an engine runs them.
pub(crate) enum Statements<'a> {
    Sqlite(sqlite::Statements<'a>),
    Postgres(postgres::Statements<'a>),
}

impl<'a> Tx<'a> {
    pub(crate) fn new(engine: Statements<'a>) -> Self {
        Self { engine, refused: false }
    }

    pub(crate) fn into_engine(self) -> Statements<'a> {
        self.engine
    }

    /// What this unit sees, where the database tells; `None` for units that write, and where it does not.
    pub fn snapshot(&self) -> Option<Snapshot> {
        match &self.engine {
            Statements::Sqlite(statements) => statements.snapshot(),
            Statements::Postgres(_) => None,
        }
    }

    /// All rows of a query.
    pub fn rows(&mut self, sql: &Sql) -> Result<Rows> {
        let _inside = spans::statement(sql).entered();
        let found = match &mut self.engine {
            Statements::Sqlite(statements) => statements.rows(sql),
            Statements::Postgres(statements) => statements.rows(sql),
        };
        self.refused |= found.is_err();
        found
    }

    /// All rows of each of some statements, none of which needs what another one finds. Where the database is elsewhere they
    /// are on their way together. The first one that is refused ends the unit.
    pub fn all(&mut self, statements: &[Sql]) -> Result<Vec<Rows>> {
        let _spans: Vec<Span> = statements.iter().map(spans::statement).collect();
        let found = match &mut self.engine {
            Statements::Sqlite(engine) => statements.iter().map(|sql| engine.rows(sql)).collect(),
            Statements::Postgres(engine) => engine.all(statements),
        };
        self.refused |= found.is_err();
        found
    }

    /// Tells every program that listens to this database, once the unit is committed.
    pub fn notify(&mut self, topic: &str) -> Result<()> {
        match &mut self.engine {
            Statements::Sqlite(_) => Ok(()),
            Statements::Postgres(_) => self.rows(&Sql::new(postgres::NOTIFY, [topic.into()])).map(drop),
        }
    }

    /// The tables there are, with their columns of text, by name: for whoever looks at all of them.
    pub fn texts(&mut self) -> Result<Vec<(String, String)>> {
        let sql = match &self.engine {
            Statements::Sqlite(_) => sqlite::TEXTS,
            Statements::Postgres(_) => postgres::TEXTS,
        };
        let rows = self.rows(&Sql::text(sql))?;
        Ok(rows.iter().map(|row| (row.text(0).to_owned(), row.text(1).to_owned())).collect())
    }

    /// Every table, those first that others point at.
    pub fn tables(&mut self) -> Result<Vec<Table>> {
        let (columns, parents) = match &self.engine {
            Statements::Sqlite(_) => (sqlite::TABLES, sqlite::PARENTS),
            Statements::Postgres(_) => (postgres::TABLES, postgres::PARENTS),
        };
        let (columns, parents) = (self.rows(&Sql::text(columns))?, self.rows(&Sql::text(parents))?);
        let mut waiting = Table::read(&columns, &parents);
        let mut sorted: Vec<Table> = Vec::with_capacity(waiting.len());
        while !waiting.is_empty() {
            let is_ready = |table: &Table| {
                table.parents.iter().all(|parent| sorted.iter().any(|other| other.name == *parent))
            };
            let (ready, rest): (Vec<Table>, Vec<Table>) = waiting.into_iter().partition(is_ready);
            if ready.is_empty() {
                return Err(Error::Other("tables point at each other in a circle".to_owned()));
            }
            sorted.extend(ready);
            waiting = rest;
        }
        Ok(sorted)
    }

    /// Lets the unit at hand read for as long as it takes: for whoever reads everything there is.
    pub fn take_time(&mut self) -> Result<()> {
        match &mut self.engine {
            Statements::Sqlite(statements) => statements.take_time(),
            Statements::Postgres(statements) => return statements.take_time(),
        }
        Ok(())
    }

    /// Adds the condition that a text in an index of trigrams may have a part. Whether it has is to be compared: the index may
    /// be asked for less than all of it.
    pub fn may_contain(&self, sql: &mut Sql, index: &str, column: &str, part: &str) {
        let trigrams = match &self.engine {
            Statements::Sqlite(_) => sqlite::trigrams(part),
            Statements::Postgres(_) => None,
        };
        match trigrams {
            Some(trigrams) => sql.push(index).push(" match ").bind(trigrams),
            None => sql.push(column).push(" like ").bind(format!("%{part}%")),
        };
    }

    /// The columns of a table or a view, in their order.
    pub fn columns(&mut self, table: &str) -> Result<Vec<String>> {
        let sql = match &self.engine {
            Statements::Sqlite(_) => sqlite::COLUMNS,
            Statements::Postgres(_) => postgres::COLUMNS,
        };
        let rows = self.rows(&Sql::new(sql, [table.into()]))?;
        Ok(rows.iter().map(|row| row.text(0).to_owned()).collect())
    }

    /// Does something (`delete from <table>`, `update <table> set …`) to some of the rows of a table for which a condition
    /// holds, so that who has to do it to very many can do it in units that are short; answers how many.
    pub fn some<const N: usize>(
        &mut self,
        act: &str,
        table: &str,
        condition: &str,
        args: [Value; N],
        most: usize,
    ) -> Result<usize> {
        let sql = match &self.engine {
            Statements::Sqlite(_) => {
                format!("{act} where rowid in (select rowid from {table} where {condition} limit {most})")
            }
            Statements::Postgres(_) => {
                format!(
                    "{act} where ctid = any (array(select ctid from {table} where {condition} limit {most}))"
                )
            }
        };
        self.execute(&Sql::new(&sql, args))
    }

    /// Runs a statement; answers how many rows it touched.
    ///
    /// A statement that is refused ends the unit: it has to answer with an error.
    pub fn execute(&mut self, sql: &Sql) -> Result<usize> {
        let _inside = spans::statement(sql).entered();
        let touched = match &mut self.engine {
            Statements::Sqlite(statements) => statements.execute(sql),
            Statements::Postgres(statements) => statements.execute(sql),
        };
        self.refused |= touched.is_err();
        touched
    }
}
