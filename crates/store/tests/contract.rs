//! What every engine promises: the same units of work, run against each.

use guildhall_store::{Db, Error, Migration, Options, Result, Sql, Value};
use std::path::Path;

const SCHEMA: Migration = Migration {
    version: 1,
    title: "people",
    sql: "create table people (
        id text primary key,
        town_id text not null,
        name text not null,
        name_key text not null,
        friend_id text references people (id),
        tall boolean,
        constraint people_name unique (town_id, name_key)
    );",
};

fn open(folder: &Path) -> Db {
    let options = Options { file: folder.join("people.db"), readers: 2, durable: true };
    options.open(&[SCHEMA]).expect("a fresh database opens")
}

fn insert(id: &str, name: &str) -> Sql {
    Sql::new(
        "insert into people (id, town_id, name, name_key, tall) values (?, 'x', ?, lower(?), ?)",
        [id.into(), name.into(), name.into(), true.into()],
    )
}

async fn count(db: &Db) -> i64 {
    db.read(|tx| -> Result<i64> {
        let rows = tx.rows(&Sql::text("select count(*) from people"))?;
        Ok(rows.first().map_or(0, |row| row.int(0)))
    })
    .await
    .expect("counting works")
}

#[tokio::test]
async fn what_was_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    db.write(|tx| tx.execute(&insert("a", "Zoë"))).await.unwrap();
    let found = db
        .read(|tx| -> Result<_> {
            let rows = tx.rows(&Sql::new(
                "select name, tall, friend_id from people where lower(name) = lower(?)",
                ["ZOË".into()],
            ))?;
            let row = rows.first().expect("Zoë is there");
            Ok((row.text(0).to_owned(), row.flag(1), row.is_null(2)))
        })
        .await
        .unwrap();
    assert_eq!(found, ("Zoë".to_owned(), true, true));
}

#[tokio::test]
async fn a_refused_unit_leaves_nothing_and_harms_no_neighbour() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let units = (0..200).map(|n| {
        let db = db.clone();
        tokio::spawn(async move {
            db.write(move |tx| {
                tx.execute(&insert(&format!("p{n}"), &format!("Person {n}")))?;
                if n % 2 == 0 { Err(Error::Busy) } else { Ok(()) }
            })
            .await
        })
    });
    let mut kept = 0;
    for unit in units.collect::<Vec<_>>() {
        kept += i64::from(unit.await.unwrap().is_ok());
    }
    assert_eq!((kept, count(&db).await), (100, 100));
}

#[tokio::test]
async fn a_panic_in_a_unit_is_an_error_of_that_unit() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let result = db
        .write(|tx| -> Result<()> {
            tx.execute(&insert("a", "Ada"))?;
            panic!("on purpose");
        })
        .await;
    assert!(matches!(result, Err(Error::Other(_))));
    assert_eq!(count(&db).await, 0);
    db.write(|tx| tx.execute(&insert("a", "Ada"))).await.unwrap();
}

#[tokio::test]
async fn constraints_refuse_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    db.write(|tx| tx.execute(&insert("a", "Ada"))).await.unwrap();
    let taken = db.write(|tx| tx.execute(&insert("b", "ADA"))).await.unwrap_err();
    assert!(matches!(taken, Error::Unique { table, attribute } if table == "people" && attribute == "name"));
    let lonely = db
        .write(|tx| tx.execute(&Sql::new("update people set friend_id = ?", [Value::from("nobody")])))
        .await
        .unwrap_err();
    assert!(matches!(lonely, Error::ForeignKey));
}

#[tokio::test]
async fn a_read_sees_one_snapshot_and_cannot_write() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let refused = db.read(|tx| tx.execute(&insert("a", "Ada"))).await;
    assert!(refused.is_err());
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn a_newer_database_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { file: folder.path().join("people.db"), readers: 1, durable: true };
    let second = Migration { version: 2, title: "more", sql: "create table more (id text);" };
    drop(options.open(&[SCHEMA, second]).unwrap());
    let Err(error) = options.open(&[SCHEMA]) else { panic!("an older program must not open it") };
    assert_eq!(
        error.to_string(),
        "the database is at version 2, newer than this program, which knows 1: start the newer program"
    );
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    let options = Options { file: folder.path().join("people.db"), readers: 1, durable: true };
    let changed = Migration { sql: "create table people (id text);", ..SCHEMA };
    assert!(options.open(&[changed]).is_err());
}

#[tokio::test]
async fn a_read_that_never_ends_is_ended_and_the_next_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let db = open(folder.path());
    let endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n";
    let ended = db.read(|tx| tx.rows(&Sql::text(endless)).map(drop)).await;
    assert!(matches!(ended, Err(Error::TooSlow)));
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn a_sound_database_passes_its_check() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).check().await.unwrap();
}
