//! SQLite: a file in WAL mode, one writer thread that shares a flush among waiting units, reader threads.

use crate::db::Job;
use crate::slow::{LONG, Slow};
use crate::{Db, Error, Migration, Result, Rows, Snapshot, Sql, Tx, Value, db, migrate};
use crossbeam_channel::{Receiver, Sender, unbounded};
use rusqlite::config::DbConfig;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, StatementStatus, ToSql};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How many waiting units share one flush at most: enough to hide the flush, few enough that none waits long.
const UNITS_A_COMMIT: usize = 64;

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

/// How long a unit may read: a question that no index answers must not hold up everybody else.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a running statement looks at the clock, in steps of its program: a few times a millisecond.
const STEPS: i32 = 50_000;

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
        Ok(Db::new(db::Queues::Sqlite(Queues {
            read,
            write,
            watching: Arc::new(Mutex::new(Some(connect(&self.file, self.durable, Pages::Reading)?))),
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
    // SQLite's own `lower` knows ASCII only.
    connection
        .create_scalar_function(
            "folded",
            1,
            FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8,
            |context| Ok(context.get_raw(0).as_str_or_null()?.map(str::to_lowercase)),
        )
        .map_err(words)?;
    connection
        .create_scalar_function(
            "json_contains",
            2,
            FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_UTF8,
            |context| {
                let whole = context.get_raw(0).as_str_or_null()?;
                let part = context.get_raw(1).as_str_or_null()?;
                Ok(whole.zip(part).map(|(whole, part)| contains_text(whole, part)))
            },
        )
        .map_err(words)?;
    Ok(connection)
}

/// Whether one JSON text contains another, as the other engine's `@>` has it.
fn contains_text(whole: &str, part: &str) -> bool {
    match (serde_json::from_str(whole), serde_json::from_str(part)) {
        (Ok(whole), Ok(part)) => contains(&whole, &part),
        _ => false,
    }
}

fn contains(whole: &Json, part: &Json) -> bool {
    match (whole, part) {
        (Json::Object(whole), Json::Object(part)) => {
            part.iter().all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part)))
        }
        (Json::Array(whole), Json::Array(part)) => {
            part.iter().all(|part| whole.iter().any(|whole| contains(whole, part)))
        }
        (Json::Number(whole), Json::Number(part)) => whole.as_f64() == part.as_f64(),
        _ => whole == part,
    }
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
}

/// What a connection that only reads is beside itself.
struct Reader {
    number: usize,
    patience: Patience,
}

/// When the unit that runs on a connection has read for long enough: in milliseconds since the connection was opened.
struct Patience {
    opened: Instant,
    began: Arc<AtomicU64>,
    end: Arc<AtomicU64>,
    slow: Arc<Slow>,
    is_slow: Arc<AtomicBool>,
}

impl Patience {
    fn of(connection: &mut Connection, slow: Arc<Slow>) -> Result<Self> {
        let patience = Self {
            opened: Instant::now(),
            began: Arc::default(),
            end: Arc::default(),
            slow: slow.clone(),
            is_slow: Arc::default(),
        };
        let (opened, began, end) = (patience.opened, patience.began.clone(), patience.end.clone());
        let is_slow = patience.is_slow.clone();
        let over = move || {
            let (now, end) = (millis(opened.elapsed()), end.load(Ordering::Relaxed));
            let takes_long = end != u64::MAX && now > began.load(Ordering::Relaxed) + millis(LONG);
            if takes_long && !is_slow.load(Ordering::Relaxed) {
                if !slow.enter() {
                    return true;
                }
                is_slow.store(true, Ordering::Relaxed);
            }
            now > end
        };
        connection.progress_handler(STEPS, Some(over)).map_err(words)?;
        Ok(patience)
    }

    fn begin(&self) {
        let now = self.opened.elapsed();
        self.began.store(millis(now), Ordering::Relaxed);
        self.end.store(millis(now + PATIENCE), Ordering::Relaxed);
    }

    fn done(&self) {
        if self.is_slow.swap(false, Ordering::Relaxed) {
            self.slow.leave();
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
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

/// Runs the units that wait and commits them together; nobody is answered before the flush.
fn write_all(connection: &Connection, count: &Count, jobs: &Receiver<Job>, last: &[&str]) {
    for first in jobs {
        let mut units = vec![first];
        units.extend(jobs.try_iter().take(UNITS_A_COMMIT - 1));
        let mut result = commit(connection, count, &mut units, Savepoints::None, last);
        if result.as_ref().is_ok_and(|outcome| *outcome == Outcome::Spoiled) {
            result = commit(connection, count, &mut units, Savepoints::Each, last);
        }
        if !connection.is_autocommit() {
            drop(control(connection, "rollback"));
        }
        let result = result.map(drop);
        for unit in units {
            unit.answer(result.clone());
        }
    }
}

/// Whether each unit gets a savepoint of its own. That costs a copy of every page it touches, and is needed
/// only when a unit refuses after it has written.
#[derive(Clone, Copy, PartialEq)]
enum Savepoints {
    None,
    Each,
}

#[derive(PartialEq)]
enum Outcome {
    Committed,
    /// A refused unit had written: nothing was committed, all of them must run again.
    Spoiled,
}

fn commit(
    connection: &Connection,
    count: &Count,
    units: &mut [Job],
    savepoints: Savepoints,
    last: &[&str],
) -> Result<Outcome> {
    control(connection, "begin immediate")?;
    let begun = connection.total_changes();
    for unit in units {
        if savepoints == Savepoints::Each {
            control(connection, "savepoint unit")?;
        }
        let before = connection.total_changes();
        let keep =
            unit.run(&mut Tx::new(db::Statements::Sqlite(Statements { connection, count, reader: None })));
        // A full disk or a broken one makes SQLite roll back the whole transaction by itself.
        if connection.is_autocommit() {
            return Err(Error::Disk("the transaction was taken back".to_owned()));
        }
        let spoiled = !keep && connection.total_changes() != before;
        match savepoints {
            Savepoints::None if spoiled => {
                control(connection, "rollback")?;
                return Ok(Outcome::Spoiled);
            }
            Savepoints::None => {}
            Savepoints::Each => {
                if spoiled {
                    control(connection, "rollback to unit")?;
                }
                control(connection, "release unit")?;
            }
        }
    }
    if connection.total_changes() != begun {
        last.iter().try_for_each(|sql| control(connection, sql))?;
    }
    control(connection, "commit")?;
    Ok(Outcome::Committed)
}

/// A number that is another one once any other connection has committed.
fn data_version(connection: &Connection) -> Option<i64> {
    let mut statement = connection.prepare_cached("pragma data_version").ok()?;
    statement.query_row([], |row| row.get(0)).ok()
}

fn control(connection: &Connection, sql: &str) -> Result<()> {
    connection.prepare_cached(sql).and_then(|mut statement| statement.raw_execute()).map(drop).map_err(words)
}

/// Statements of one transaction.
pub(crate) struct Statements<'a> {
    connection: &'a Connection,
    count: &'a Count,
    /// None for units that write.
    reader: Option<&'a Reader>,
}

impl Statements<'_> {
    pub(crate) fn rows(&mut self, sql: &Sql) -> Result<Rows> {
        let mut statement = self.prepare(sql)?;
        let width = statement.column_count();
        let mut rows = Rows::new(width);
        let mut found = statement.raw_query();
        while let Some(row) = found.next().map_err(words)? {
            for column in 0..width {
                match row.get_ref(column).map_err(words)? {
                    ValueRef::Integer(number) => rows.push_int(number),
                    ValueRef::Text(text) => {
                        rows.push_text(
                            std::str::from_utf8(text).map_err(|error| Error::Other(error.to_string()))?,
                        );
                    }
                    ValueRef::Null => rows.push_null(),
                    other => return Err(Error::Other(format!("a {} in the database", other.data_type()))),
                }
            }
        }
        drop(found);
        self.note(&statement);
        Ok(rows)
    }

    pub(crate) fn execute(&mut self, sql: &Sql) -> Result<usize> {
        let mut statement = self.prepare(sql)?;
        let touched = statement.raw_execute().map_err(words)?;
        self.note(&statement);
        Ok(touched)
    }

    /// Counts the rows that were read because no index led to those that were wanted: for tests.
    fn note(&self, statement: &CachedStatement<'_>) {
        if cfg!(debug_assertions) {
            let steps = statement.reset_status(StatementStatus::FullscanStep);
            self.count.scanned.fetch_add(u64::try_from(steps).unwrap_or(0), Ordering::Relaxed);
        }
    }

    pub(crate) fn take_time(&mut self) {
        if let Some(Reader { patience, .. }) = self.reader {
            patience.end.store(u64::MAX, Ordering::Relaxed);
        }
    }

    /// A connection's number for this tells only of what others have committed: those that read commit nothing.
    pub(crate) fn snapshot(&self) -> Option<Snapshot> {
        let reader = self.reader?.number;
        Some(Snapshot { reader, version: data_version(self.connection)? })
    }

    pub(crate) fn check(&mut self) -> Result<()> {
        self.take_time();
        let found = self.rows(&Sql::text("pragma integrity_check"))?;
        match found.first().map(|row| row.text(0)) {
            Some("ok") => Ok(()),
            other => Err(Error::Other(format!("the database is damaged: {}", other.unwrap_or("no answer")))),
        }
    }

    fn prepare(&self, sql: &Sql) -> Result<CachedStatement<'_>> {
        self.count.statements.fetch_add(1, Ordering::Relaxed);
        let mut statement = self.connection.prepare_cached(sql.as_str()).map_err(words)?;
        for (index, value) in sql.args().iter().enumerate() {
            statement.raw_bind_parameter(index + 1, value).map_err(words)?;
        }
        Ok(statement)
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Int(number) => ToSqlOutput::Borrowed(ValueRef::Integer(*number)),
            Self::Flag(flag) => ToSqlOutput::Borrowed(ValueRef::Integer(i64::from(*flag))),
        })
    }
}

/// SQLite's refusals in the words of this crate.
#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err wants")]
fn words(error: rusqlite::Error) -> Error {
    let rusqlite::Error::SqliteFailure(code, message) = &error else {
        return Error::Other(error.to_string());
    };
    match (code.code, code.extended_code) {
        (_, rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
            unique(message.as_deref().unwrap_or_default())
        }
        (_, rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Error::ForeignKey,
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Error::Busy,
        (ErrorCode::OperationInterrupted, _) => Error::TooSlow,
        (ErrorCode::DiskFull | ErrorCode::SystemIoFailure, _) => Error::Disk(error.to_string()),
        _ => Error::Other(error.to_string()),
    }
}

/// `UNIQUE constraint failed: t.a, t.b_key` is about attribute `b` of `t`.
fn unique(message: &str) -> Error {
    let last = message.rsplit([' ', ',']).next().unwrap_or_default();
    let (table, column) = last.split_once('.').unwrap_or((last, ""));
    Error::unique(table, column)
}
