//! Moving house: everything in one database, made the same in another one, row for row.
//!
//! Both are read in the order of their keys and compared, and what differs is written. So it does not matter what is
//! in the other one already: one that was broken off is gone on with, one that is finished finds nothing to do, and
//! finding nothing to do is the proof that both are the same.

use anyhow::{Context, Result, ensure};
use guildhall_store::{Db, Error, Rows, Sql, Table, Tx, Value};
use std::cmp::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};

/// How many rows are read and compared at once.
const BATCH: i64 = 500;
/// How many values are written in one statement; engines limit that.
const MOST_ARGUMENTS: usize = 10_000;
/// How many rows are deleted in one unit, which has to end in time.
const MOST_CLEARED: usize = 10_000;
/// How often all is compared at most, while somebody goes on writing to the first database.
const MOST_PASSES: u32 = 3;

/// What came of a move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// How many rows there are.
    pub rows: u64,
    /// How many of them were written, over all passes.
    pub written: u64,
    /// How many rows too many were deleted.
    pub deleted: u64,
    /// How many times all was compared.
    pub passes: u32,
    /// Whether the last time found nothing that differed. If not, the other one is the first one as it was when that
    /// began.
    pub settled: bool,
}

/// How far a pass is: the rows that were compared, of how many.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Which pass.
    pub pass: u32,
    /// So many rows were compared.
    pub done: u64,
    /// So many there are.
    pub total: u64,
}

/// Some rows that follow each other in the order of their keys.
struct Batch {
    table: Arc<Table>,
    /// Which time it is that it is compared, from zero.
    round: u32,
    rows: Vec<Vec<Value>>,
    /// The key after which the first one comes.
    after: Option<Vec<Value>>,
    /// Whether no row comes after the last one.
    is_last: bool,
    total: u64,
}

/// Makes `to` the same as `from`, which may be written to meanwhile: each pass sees it at one moment.
///
/// # Errors
/// When the schemas differ.
pub async fn copy(from: &Db, to: &Db, tell: impl Fn(Progress)) -> Result<Moved> {
    check_tables(from, to).await?;
    let mut moved = Moved::default();
    for pass in 1..=MOST_PASSES {
        moved.passes = pass;
        match compare(from, to, pass, 1, &tell).await {
            Ok(found) => {
                let differed = found.written + found.deleted > 0;
                moved = Moved {
                    rows: found.rows,
                    written: moved.written + found.written,
                    deleted: moved.deleted + found.deleted,
                    settled: !differed,
                    ..moved
                };
                if !differed {
                    break;
                }
            }
            // A name or an address has moved from one row to another since the last time: row by row that is no way
            // to get there, and from the beginning it is.
            Err(error) if is_in_the_way(&error) && pass < MOST_PASSES => moved.deleted += clear(to).await?,
            Err(error) => return Err(error),
        }
    }
    Ok(moved)
}

/// Fills an empty database with what is in another one at one moment, and compares every row once more with the same
/// moment.
///
/// # Errors
/// When the schemas differ, or the two are not the same in the end.
pub async fn snapshot(from: &Db, to: &Db, tell: impl Fn(Progress)) -> Result<Moved> {
    check_tables(from, to).await?;
    let found = compare(from, to, 1, 2, &tell).await?;
    ensure!(
        found.again == 0 && found.deleted == 0,
        "{} rows were not written as they are: the disk or the database is broken",
        found.again + found.deleted
    );
    Ok(Moved { rows: found.rows, written: found.written, deleted: 0, passes: 2, settled: true })
}

/// Whether a row could not be written because of another one.
fn is_in_the_way(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<Error>(), Some(Error::Unique { .. } | Error::ForeignKey))
}

/// Empties a database; answers how many rows that were.
async fn clear(db: &Db) -> Result<u64> {
    let mut deleted = 0;
    for table in db.read(tables).await?.into_iter().rev() {
        let act: Arc<str> = format!("delete from {}", table.name).into();
        loop {
            let (act, name) = (act.clone(), table.name.clone());
            let gone = db.write(move |tx| tx.some(&act, &name, "true", [], MOST_CLEARED)).await?;
            deleted += u64::try_from(gone).unwrap_or(0);
            if gone < MOST_CLEARED {
                break;
            }
        }
    }
    Ok(deleted)
}

async fn check_tables(from: &Db, to: &Db) -> Result<()> {
    let (ours, theirs) = (from.read(tables).await?, to.read(tables).await?);
    ensure!(sorted(&ours) == sorted(&theirs), "the two databases do not have the same tables");
    Ok(())
}

fn tables(tx: &mut Tx<'_>) -> Result<Vec<Table>, Error> {
    tx.tables()
}

fn sorted(tables: &[Table]) -> Vec<(&str, Vec<&str>)> {
    let mut all: Vec<_> = tables
        .iter()
        .map(|table| {
            (table.name.as_str(), table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>())
        })
        .collect();
    all.sort_unstable();
    all
}

/// What one pass found.
#[derive(Default)]
struct Compared {
    rows: u64,
    written: u64,
    /// How many rows differed when they were compared once more.
    again: u64,
    deleted: u64,
}

/// One pass, in which every row is compared so many times.
async fn compare(from: &Db, to: &Db, pass: u32, rounds: u32, tell: &impl Fn(Progress)) -> Result<Compared> {
    let (batches, arriving) = sync_channel(4);
    let reading = tokio::spawn({
        let from = from.clone();
        async move { from.read(move |tx| read_all(tx, &batches, rounds)).await }
    });
    let arriving = Arc::new(Mutex::new(arriving));
    let (mut compared, mut surplus) = (Compared::default(), Vec::new());
    while let Some(batch) = next(&arriving).await? {
        let batch = Arc::new(batch);
        let unit = batch.clone();
        let (changed, extra) = to.write(move |tx| settle(tx, &unit)).await?;
        if batch.round == 0 {
            compared.rows += u64::try_from(batch.rows.len()).unwrap_or(0);
            compared.written += changed;
            tell(Progress { pass, done: compared.rows, total: batch.total });
        } else {
            compared.again += changed;
        }
        surplus.extend(extra.into_iter().map(|key| (batch.table.clone(), key)));
    }
    reading.await??;
    compared.deleted = u64::try_from(surplus.len()).unwrap_or(0);
    // Those that point at others go first.
    let surplus: Vec<_> = surplus.into_iter().rev().collect();
    for some in surplus.chunks(usize::try_from(BATCH).unwrap_or(1)) {
        let some = some.to_vec();
        to.write(move |tx| {
            for (table, key) in &some {
                let mut sql = Sql::text("delete from ");
                sql.push(&table.name).push(" where ");
                equals(&mut sql, table, key);
                tx.execute(&sql)?;
            }
            Ok::<_, Error>(())
        })
        .await?;
    }
    Ok(compared)
}

/// Waits for the next batch on a thread that may wait.
async fn next(arriving: &Arc<Mutex<Receiver<Batch>>>) -> Result<Option<Batch>> {
    let arriving = arriving.clone();
    let waiting = move || {
        let arriving = arriving.lock().unwrap_or_else(PoisonError::into_inner);
        arriving.recv().ok()
    };
    tokio::task::spawn_blocking(waiting).await.context("waiting for rows was broken off")
}

/// Reads every row of every table at one moment, so many times.
fn read_all(tx: &mut Tx<'_>, batches: &SyncSender<Batch>, rounds: u32) -> Result<(), Error> {
    tx.take_time()?;
    let tables: Vec<Arc<Table>> = tx.tables()?.into_iter().map(Arc::new).collect();
    let mut total = 0;
    for table in &tables {
        let counted = tx.rows(&Sql::text(&format!("select count(*) from {}", table.name)))?;
        total += counted.first().map_or(0, |row| u64::try_from(row.int(0)).unwrap_or(0));
    }
    for (round, table) in (0..rounds).flat_map(|round| tables.iter().map(move |table| (round, table))) {
        let mut after: Option<Vec<Value>> = None;
        loop {
            let found = tx.rows(&page(table, after.as_deref(), None))?;
            let rows: Vec<Vec<Value>> = found.iter().map(|row| table.values(row)).collect();
            let is_last = i64::try_from(rows.len()).unwrap_or(0) < BATCH;
            let last = rows.last().map(|row| key(table, row));
            let batch = Batch { table: table.clone(), round, rows, after: after.take(), is_last, total };
            if batches.send(batch).is_err() {
                // Whoever wanted them has ended for another reason, and says so.
                return Ok(());
            }
            match last.filter(|_| !is_last) {
                Some(last) => after = Some(last),
                None => break,
            }
        }
    }
    Ok(())
}

/// Makes the other side of a batch the same; answers how many rows it wrote, and the keys of those that are too many.
fn settle(tx: &mut Tx<'_>, batch: &Batch) -> Result<(u64, Vec<Vec<Value>>), Error> {
    let table = &batch.table;
    let end = batch.rows.last().filter(|_| !batch.is_last).map(|row| key(table, row));
    let mut theirs: Vec<Vec<Value>> = Vec::new();
    let mut after = batch.after.clone();
    loop {
        let found: Rows = tx.rows(&page(table, after.as_deref(), end.as_deref()))?;
        theirs.extend(found.iter().map(|row| table.values(row)));
        if i64::try_from(found.len()).unwrap_or(0) < BATCH {
            break;
        }
        after = theirs.last().map(|row| key(table, row));
    }
    let (mut differing, mut surplus) = (Vec::new(), Vec::new());
    let (mut ours, mut theirs) = (batch.rows.iter().peekable(), theirs.iter().peekable());
    loop {
        let order = match (ours.peek(), theirs.peek()) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(our), Some(their)) => compare_keys(&key(table, our), &key(table, their)),
        };
        match order {
            Ordering::Less => differing.extend(ours.next()),
            Ordering::Greater => surplus.extend(theirs.next().map(|row| key(table, row))),
            Ordering::Equal => {
                if let (Some(our), Some(their)) = (ours.next(), theirs.next())
                    && our != their
                {
                    differing.push(our);
                }
            }
        }
    }
    for some in differing.chunks((MOST_ARGUMENTS / table.columns.len().max(1)).max(1)) {
        tx.execute(&upsert(table, some))?;
    }
    Ok((u64::try_from(differing.len()).unwrap_or(0), surplus))
}

fn key(table: &Table, row: &[Value]) -> Vec<Value> {
    table.key.iter().map(|index| row[*index].clone()).collect()
}

/// As both engines sort them: texts by their bytes.
fn compare_keys(one: &[Value], other: &[Value]) -> Ordering {
    let order = |(one, other): (&Value, &Value)| match (one, other) {
        (Value::Text(one), Value::Text(other)) => one.as_bytes().cmp(other.as_bytes()),
        (Value::Int(one), Value::Int(other)) => one.cmp(other),
        _ => Ordering::Equal,
    };
    one.iter().zip(other).map(order).find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
}

/// The rows after one key, up to another one.
fn page(table: &Table, after: Option<&[Value]>, end: Option<&[Value]>) -> Sql {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let keys: Vec<&str> = table.key.iter().map(|index| columns[*index]).collect();
    let mut sql = Sql::text("select ");
    sql.push(&columns.join(", ")).push(" from ").push(&table.name).push(" where true");
    for (sign, bound) in [(" > ", after), (" <= ", end)] {
        if let Some(bound) = bound {
            sql.push(" and (").push(&keys.join(", ")).push(")").push(sign).push("(");
            sql.bind_all(bound.iter().cloned()).push(")");
        }
    }
    sql.push(" order by ").push(&keys.join(", ")).push(" limit ").bind(BATCH);
    sql
}

fn equals(sql: &mut Sql, table: &Table, key: &[Value]) {
    for (place, (index, value)) in table.key.iter().zip(key).enumerate() {
        sql.push(if place == 0 { "" } else { " and " });
        sql.push(&table.columns[*index].name).push(" = ").bind(value.clone());
    }
}

fn upsert(table: &Table, rows: &[&Vec<Value>]) -> Sql {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let keys: Vec<&str> = table.key.iter().map(|index| columns[*index]).collect();
    let mut sql = Sql::text("insert into ");
    sql.push(&table.name).push(" (").push(&columns.join(", ")).push(") values ");
    for (index, row) in rows.iter().enumerate() {
        sql.push(if index == 0 { "(" } else { ", (" }).bind_all(row.iter().cloned()).push(")");
    }
    sql.push(" on conflict (").push(&keys.join(", ")).push(") do ");
    let others: Vec<String> = columns
        .iter()
        .filter(|column| !keys.contains(column))
        .map(|column| format!("{column} = excluded.{column}"))
        .collect();
    if others.is_empty() {
        sql.push("nothing");
    } else {
        sql.push("update set ").push(&others.join(", "));
    }
    sql
}
