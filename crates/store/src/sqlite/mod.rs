//! SQLite: a file in WAL mode, one writer thread that shares a flush among waiting units, reader threads.

mod functions;
mod patience;
mod statements;
mod trigrams;
mod words;
mod writing;

pub(crate) use statements::Statements;
pub(crate) use trigrams::trigrams;

use crate::db::Job;
use crate::slow::Slow;
use crate::{Db, Error, Migration, Result, Tx, db, migrate};
use crossbeam_channel::{Receiver, Sender, unbounded};
use patience::{Patience, Reader};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use statements::{control, data_version};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use words::words;
use writing::write_all;

/// Every column of text of every table.
pub(crate) const TEXTS: &str = "select m.name, c.name from sqlite_master m, pragma_table_info(m.name) c
     where m.type = 'table' and m.name not like 'refinery%' and m.name not like 'search%' and c.type = 'TEXT' collate nocase order by 1, 2";
/// Every column of every table, with its type and its place in the primary key.
pub(crate) const TABLES: &str =
    "select m.name, c.name, c.type, c.pk from sqlite_master m, pragma_table_info(m.name) c
     where m.type = 'table' and m.name not like 'refinery%' and m.name not like 'search%' and m.name not like 'sqlite%' order by m.name, c.name";
/// Which table points at which.
pub(crate) const PARENTS: &str = "select distinct m.name, f.\"table\" from sqlite_master m, pragma_foreign_key_list(m.name) f where m.type = 'table'";
/// The columns of a table or a view.
pub(crate) const COLUMNS: &str = "select name from pragma_table_info(?) order by cid";

/// How long to wait for a command that writes to the same file.
const BUSY: Duration = Duration::from_secs(15);
/// How long to wait before looking again whether somebody else has made the file.
const PAUSE: Duration = Duration::from_millis(10);

/// Where the file is and how it is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The database file; made when it is not there.
    pub file: PathBuf,
    /// How many threads read.
    pub readers: usize,
    /// Whether a commit waits for the disk. Only a throw-away database may say no.
    pub durable: bool,
}

impl Options {
    /// The version of the file's schema; `None` when there is no file, or nothing of ours in it.
    pub(crate) fn version(&self) -> Result<Option<u32>> {
        if !self.file.is_file() {
            return Ok(None);
        }
        let connection =
            Connection::open_with_flags(&self.file, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(words)?;
        let found = connection.query_row(migrate::VERSION, [], |row| row.get::<_, Option<u32>>(0));
        Ok(found.unwrap_or(None))
    }

    /// The file with its schema. Making it a file in WAL mode waits for nobody by itself, so that is done here.
    fn made(&self, migrations: &[Migration]) -> Result<Connection> {
        let began = Instant::now();
        loop {
            let made = connect(&self.file, self.durable, Pages::Writing).and_then(|mut connection| {
                migrate::apply_sqlite(&mut connection, migrations)?;
                Ok(connection)
            });
            match made {
                Err(Error::Busy) if began.elapsed() < BUSY => std::thread::sleep(PAUSE),
                made => return made,
            }
        }
    }

    /// Opens the file, brings its schema up to date and starts the threads.
    pub fn open(&self, migrations: &[Migration]) -> Result<Db> {
        let writer = self.made(migrations)?;
        let (write, jobs) = unbounded();
        let total = Arc::<Count>::default();
        let count = total.clone();
        let last = migrations.iter().rev().map(|step| step.before_commit).find(|all| !all.is_empty());
        let last = last.unwrap_or_default();
        let writing = spawn("writer", move || write_all(&writer, &count, &jobs, last))?;
        let mut reading = Vec::new();
        let (read, jobs) = unbounded::<Job>();
        let slow = Arc::new(Slow::of(self.readers));
        for number in 0..self.readers.max(1) {
            let mut reader = connect(&self.file, self.durable, Pages::Reading)?;
            reader.pragma_update(None, "query_only", true).map_err(words)?;
            let jobs = jobs.clone();
            let reading_by = Reader { number, patience: Patience::of(&mut reader, slow.clone())? };
            let count = total.clone();
            reading.push(spawn("reader", move || read_all(&reader, &count, &reading_by, &jobs))?);
        }
        let watching = connect(&self.file, self.durable, Pages::Reading)?;
        // It is asked where nobody may wait: whoever gets no answer looks for themselves.
        watching.busy_timeout(Duration::ZERO).map_err(words)?;
        Ok(Db::new(db::Queues::Sqlite(Queues {
            read,
            write,
            watching: Arc::new(Mutex::new(Some(watching))),
            count: total,
            silence: watch::Sender::new(0),
            threads: Arc::new(Mutex::new(Threads { reading, writing: vec![writing] })),
        })))
    }
}

/// How many KiB of pages a connection keeps: one that writes has those of all units of a commit in hand, one that reads
/// has the others from the system's cache. The file is not mapped into memory: a disk that fails to read such a page would
/// end the program, and costs nothing to do without.
enum Pages {
    Writing = 16_000,
    Reading = 4_000,
}

fn connect(file: &Path, durable: bool, pages: Pages) -> Result<Connection> {
    let connection =
        Connection::open(file).map_err(|error| Error::Other(format!("{}: {error}", file.display())))?;
    connection.busy_timeout(BUSY).map_err(words)?;
    connection.set_prepared_statement_cache_capacity(512);
    // A plan that looked at its arguments would be made anew for each of them.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(words)?;
    for (name, value) in [
        ("journal_mode", "wal"),
        ("synchronous", if durable { "full" } else { "off" }),
        ("foreign_keys", "on"),
        ("cache_size", &format!("-{}", pages as u32)),
        // Pages that many units change are written back once in a while, not all the time.
        ("wal_autocheckpoint", "8000"),
        ("temp_store", "memory"),
    ] {
        connection.pragma_update(None, name, value).map_err(words)?;
    }
    functions::add(&connection)?;
    Ok(connection)
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(format!("sqlite-{name}"))
        .spawn(run)
        .map_err(|error| Error::Other(format!("no thread for the database: {error}")))
}

/// The ways to the threads. They end when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct Queues {
    read: Sender<Job>,
    write: Sender<Job>,
    /// A connection that never writes: it sees that any other one has. None once it is closed.
    watching: Arc<Mutex<Option<Connection>>>,
    count: Arc<Count>,
    silence: watch::Sender<u64>,
    threads: Arc<Mutex<Threads>>,
}

/// What has to end before the file is closed.
#[derive(Default)]
struct Threads {
    reading: Vec<JoinHandle<()>>,
    writing: Vec<JoinHandle<()>>,
}

impl Threads {
    /// Waits for some; one that panicked has ended as well.
    fn join(some: Vec<JoinHandle<()>>) {
        for thread in some {
            drop(thread.join());
        }
    }
}

/// What statements cost.
#[derive(Default)]
struct Count {
    statements: AtomicU64,
    scanned: AtomicU64,
    steps: AtomicU64,
}

impl Queues {
    pub(crate) fn read(&self, job: Job) {
        // Refused only when the threads are gone; dropping the job tells the caller.
        drop(self.read.send(job));
    }

    pub(crate) fn write(&self, job: Job) {
        drop(self.write.send(job));
    }

    /// Waits until the threads have ended: the last one to close the file leaves nothing beside it.
    pub(crate) fn close(self) {
        let Self { read, write, watching, threads, .. } = self;
        watching.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Threads { reading, writing } =
            std::mem::take(&mut *threads.lock().unwrap_or_else(PoisonError::into_inner));
        drop(read);
        Threads::join(reading);
        drop(write);
        Threads::join(writing);
    }

    /// Other programs write to the file without a word.
    pub(crate) fn notices(&self) -> watch::Receiver<u64> {
        self.silence.subscribe()
    }

    pub(crate) fn data_version(&self) -> Option<i64> {
        let watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        data_version(watching.as_ref()?)
    }

    pub(crate) fn statements(&self) -> u64 {
        self.count.statements.load(Ordering::Relaxed)
    }

    pub(crate) fn scanned(&self) -> u64 {
        self.count.scanned.load(Ordering::Relaxed)
    }

    pub(crate) fn steps(&self) -> u64 {
        self.count.steps.load(Ordering::Relaxed)
    }
}

fn read_all(connection: &Connection, count: &Count, reader: &Reader, jobs: &Receiver<Job>) {
    for mut job in jobs {
        reader.patience.begin();
        let begun = control(connection, "begin");
        job.run(&mut Tx::new(db::Statements::Sqlite(Statements { connection, count, reader: Some(reader) })));
        reader.patience.done();
        let ended = begun.and_then(|()| control(connection, "rollback"));
        job.answer(ended);
    }
}
