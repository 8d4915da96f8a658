//! A database that runs units of work, each in one transaction on a thread of its own.

use crate::{Error, Result, Rows, Sql, sqlite};
use std::panic::{AssertUnwindSafe, catch_unwind};
use tokio::sync::oneshot;

/// A database. Cheap to clone; the last clone closes it.
///
/// A unit of work is a plain function over a [`Tx`]: nothing in it can wait for a network, it is all
/// or nothing, and its answer comes only once the database has flushed it to disk.
#[derive(Clone)]
pub struct Db {
    queues: sqlite::Queues,
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
    pub(crate) fn new(queues: sqlite::Queues) -> Self {
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
        let mut unit = Some(unit);
        let (job, answer) = job(move |tx| unit.take().map_or_else(|| Err(gone().into()), |unit| unit(tx)));
        self.queues.read(job);
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
        let (job, answer) = job(unit);
        self.queues.write(job);
        answer.await.unwrap_or_else(|_| Err(gone().into()))
    }
}

impl Db {
    /// How many statements were run since it was opened.
    pub fn statements(&self) -> u64 {
        self.queues.statements()
    }

    /// How many rows were read because no index led to those that were wanted. Counted in debug builds only, for
    /// tests that no request reads a table as a whole.
    pub fn scanned(&self) -> u64 {
        self.queues.scanned()
    }

    /// Looks through the whole database for damage; what it finds is the error.
    pub async fn check(&self) -> Result<()> {
        self.read(|tx| tx.engine.check()).await
    }
}

struct Asked<F, T, E> {
    unit: F,
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
        // A panic in one unit must neither take the thread nor its neighbours in the same commit.
        let result = catch_unwind(AssertUnwindSafe(|| (self.unit)(tx)))
            .unwrap_or_else(|_| Err(Error::Other("a unit of work panicked".to_owned()).into()));
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

fn job<T, E>(
    unit: impl FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, E>>)
where
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Box::new(Asked { unit, result: None, reply }), answer)
}

fn gone() -> Error {
    Error::Other("the database is closed".to_owned())
}

/// One transaction.
pub struct Tx<'a> {
    engine: sqlite::Statements<'a>,
}

impl<'a> Tx<'a> {
    pub(crate) fn new(engine: sqlite::Statements<'a>) -> Self {
        Self { engine }
    }

    /// All rows of a query.
    pub fn rows(&mut self, sql: &Sql) -> Result<Rows> {
        self.engine.rows(sql)
    }

    /// Runs a statement; answers how many rows it touched.
    pub fn execute(&mut self, sql: &Sql) -> Result<usize> {
        self.engine.execute(sql)
    }
}
