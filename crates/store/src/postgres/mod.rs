//! PostgreSQL: connections with a thread each, on which units of work run as transactions.
//!
//! Units that write are serializable: whatever they do at once, on however many nodes, it is as if they had
//! been done one after the other. Those that collide run again, which is safe because a unit has no effect
//! outside its transaction. Units that only read see one snapshot and collide with nobody.

mod connection;
mod listener;
mod replica;
mod schema;
mod statements;
mod target;
mod tls;
mod words;

use crate::db::Job;
use crate::slow::Slow;
use crate::{Db, Error, Migration, Result, Tx, db};
use connection::{Connection, Mode};
use crossbeam_channel::{Receiver, Sender, unbounded};
pub(crate) use replica::{POSITION, Replica};
use statements::Fate;
pub(crate) use statements::Statements;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use target::Target;
use tokio::sync::watch;

/// Where the server is and how many connections are opened to it.
#[derive(Clone, Debug)]
pub struct Options {
    /// `postgres://user:password@host[,host]/database?sslmode=verify-full&…`, as libpq has it.
    pub url: String,
    /// How many connections read.
    pub readers: usize,
    /// How many connections write.
    pub writers: usize,
    /// Whether to wait for a server that cannot be reached yet, or to give up at once.
    pub waits: bool,
    /// A replica, if there is one, in the same words as `url`: it is asked where much is read.
    pub replica: Option<String>,
}

/// Tells every listener.
pub(crate) const NOTIFY: &str = "select cast(pg_notify('guildhall', ?) as text)";
/// Every column of text of every table.
pub(crate) const TEXTS: &str =
    "select c.table_name, c.column_name from information_schema.columns c
     join information_schema.tables t on t.table_schema = c.table_schema and t.table_name = c.table_name
     where c.table_schema = current_schema() and t.table_type = 'BASE TABLE' and c.table_name not like 'refinery%'
     and c.data_type = 'text' order by 1, 2";
/// Every column of every table, with its type and its place in the primary key.
pub(crate) const TABLES: &str =
    "select c.relname, a.attname, format_type(a.atttypid, null),
        coalesce(cast(array_position(cast(i.indkey as smallint[]), a.attnum) as bigint) + 1, 0)
     from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
     left join pg_index i on i.indrelid = c.oid and i.indisprimary
     where c.relkind = 'r' and c.relnamespace = cast(current_schema() as regnamespace) and c.relname not like 'refinery%'
     order by c.relname collate \"C\", a.attname collate \"C\"";
/// Which table points at which.
pub(crate) const PARENTS: &str =
    "select distinct c.relname, p.relname from pg_constraint k join pg_class c on c.oid = k.conrelid
     join pg_class p on p.oid = k.confrelid
     where k.contype = 'f' and c.relnamespace = cast(current_schema() as regnamespace)";
/// The columns of a table or a view.
pub(crate) const COLUMNS: &str = "select column_name from information_schema.columns
     where table_schema = current_schema() and table_name = ? order by ordinal_position";

/// How long a unit may wait for a connection before its caller is told to come back.
const LONGEST_QUEUE: Duration = Duration::from_secs(5);
/// How often a unit may find that an id it has made up is taken.
const MOST_ANEW: u32 = 3;
/// For how long a unit that collides with others runs again.
const LONGEST_COLLISION: Duration = Duration::from_secs(10);

impl Options {
    /// Reaches the server, brings its schema up to date and starts the threads.
    ///
    /// # Errors
    /// [`Error::Down`] when the server cannot be reached, unless it is waited for; [`Error::Newer`] and
    /// [`Error::Other`] when its schema is not one of this program.
    pub fn open(&self, migrations: &[Migration]) -> Result<Db> {
        let target = Arc::new(Target::read(&self.url)?);
        // The caller may be on a thread of an asynchronous runtime, which must not wait for another one.
        std::thread::scope(|scope| {
            let prepared = scope.spawn(|| schema::prepare(&target, migrations, self.waits));
            prepared
                .join()
                .unwrap_or_else(|_| Err(Error::Other("the schema could not be prepared".to_owned())))
        })?;
        let count = Arc::<AtomicU64>::default();
        let (read, jobs) = unbounded();
        let turn = Turn::default();
        let slow = Arc::new(Slow::of(self.readers));
        for _ in 0..self.readers.max(1) {
            spawn(Mode::Read, &target, &slow, &count, &jobs, &turn)?;
        }
        let notices = listener::listen(&target)?;
        let (write, jobs) = unbounded();
        for _ in 0..self.writers.max(1) {
            spawn(Mode::Write, &target, &slow, &count, &jobs, &turn)?;
        }
        let (probe, jobs) = unbounded();
        spawn(Mode::Probe, &target, &slow, &count, &jobs, &turn)?;
        let replica = match &self.replica {
            Some(url) => {
                let target = Arc::new(Target::read(url)?.impatient());
                Some(Replica::start(&target, self.readers.max(1), &count, &read)?)
            }
            None => None,
        };
        Ok(Db::new(db::Queues::Postgres(Queues { read, write, probe, replica, count, notices })))
    }

    /// The version of the schema; `None` when there is nothing of ours.
    pub(crate) fn version(&self) -> Result<Option<u32>> {
        let target = Target::read(&self.url)?;
        std::thread::scope(|scope| {
            let read = scope.spawn(|| schema::version(&target));
            read.join().unwrap_or_else(|_| Err(Error::Other("the schema could not be looked at".to_owned())))
        })
    }

    /// Whether the addresses can be understood. What is wrong never repeats them, since they may hold a password.
    pub fn check(&self) -> Result<()> {
        std::iter::once(&self.url).chain(&self.replica).try_for_each(|url| Target::read(url).map(drop))
    }
}

/// A unit, and since when it waits.
struct Waiting {
    job: Job,
    since: Instant,
}

/// The ways to the threads. They end when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Queues {
    read: Sender<Waiting>,
    write: Sender<Waiting>,
    probe: Sender<Waiting>,
    pub(crate) replica: Option<Replica>,
    count: Arc<AtomicU64>,
    notices: watch::Receiver<u64>,
}

impl Queues {
    pub(crate) fn read(&self, job: Job) {
        // Refused only when the threads are gone; dropping the job tells the caller.
        drop(self.read.send(Waiting { job, since: Instant::now() }));
    }

    /// At a replica that has got to a position of the primary, or else at the primary. The unit may be run again.
    pub(crate) fn read_at(&self, job: Job, position: Option<String>) {
        match (&self.replica, position) {
            (Some(replica), Some(position)) => replica.read(job, position),
            _ => self.read(job),
        }
    }

    pub(crate) fn write(&self, job: Job) {
        drop(self.write.send(Waiting { job, since: Instant::now() }));
    }

    pub(crate) fn probe(&self, job: Job) {
        drop(self.probe.send(Waiting { job, since: Instant::now() }));
    }

    pub(crate) fn notices(&self) -> watch::Receiver<u64> {
        self.notices.clone()
    }

    pub(crate) fn statements(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Whoever has it runs a unit again that has collided. Units that collide with each other would do so again and again
/// if all of them ran at once; those that collide with nobody do not wait for it.
type Turn = Arc<Mutex<()>>;

fn spawn(
    mode: Mode,
    target: &Arc<Target>,
    slow: &Arc<Slow>,
    count: &Arc<AtomicU64>,
    jobs: &Receiver<Waiting>,
    turn: &Turn,
) -> Result<()> {
    let mut connection = Connection::new(mode, target.clone(), slow.clone(), count.clone())?;
    let (jobs, turn) = (jobs.clone(), turn.clone());
    std::thread::Builder::new()
        .name("postgres".to_owned())
        .spawn(move || {
            for Waiting { job, since } in jobs {
                // Whoever has waited that long has given up; those behind have not yet.
                if since.elapsed() > LONGEST_QUEUE {
                    job.answer(Err(Error::Busy));
                } else {
                    run(&mut connection, job, &turn);
                }
            }
        })
        .map(drop)
        .map_err(|error| Error::Other(format!("no thread for the database: {error}")))
}

/// Runs a unit once; says whether another server may answer instead, and what becomes of it.
fn run_once(connection: &mut Connection, job: &mut Job) -> Option<(bool, Fate)> {
    let mut tx = Tx::new(db::Statements::Postgres(Statements::new(connection)));
    let keep = job.run(&mut tx);
    let db::Statements::Postgres(statements) = tx.into_engine() else { return None };
    Some((statements.may_pass_elsewhere(), statements.end(keep)))
}

/// Runs a unit, again and again while it collides with others.
fn run(connection: &mut Connection, mut job: Job, turn: &Mutex<()>) {
    let began = Instant::now();
    let (mut own, mut anew) = (None, 0);
    for attempt in 0_u32.. {
        let Some((_, fate)) = run_once(connection, &mut job) else { return };
        match fate {
            Fate::Settled(result) => {
                drop(own);
                return job.answer(result);
            }
            Fate::Again if began.elapsed() > LONGEST_COLLISION => return job.answer(Err(Error::Busy)),
            // One that was made up before the unit began is the same each time.
            Fate::Anew if anew == MOST_ANEW => return job.answer(Err(Error::Busy)),
            Fate::Anew => anew += 1,
            Fate::Again => {
                // What it still collides with are units on their first way, or on other nodes: a little more room
                // each time.
                std::thread::sleep(Duration::from_micros(u64::from(attempt.min(40)) * 250));
                own = own.or_else(|| Some(turn.lock().unwrap_or_else(PoisonError::into_inner)));
            }
        }
    }
}
