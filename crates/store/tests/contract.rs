//! What every engine promises: the same units of work, run against each.

use guildhall_store::throw_away::ThrowAway;
use guildhall_store::{Db, Error, Migration, Options, Result, Snapshot, Sql, Tx, Value};
use tempfile::TempDir;

const SCHEMA: Migration = Migration::new(
    1,
    "people",
    "create table people (
        id text primary key,
        town_id text not null,
        name text not null,
        name_key text not null,
        friend_id text references people (id),
        tall boolean,
        constraint people_name unique (town_id, name_key)
    );",
);

/// A database, and where its file is if it has one.
struct Place {
    folder: TempDir,
    database: ThrowAway,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let database = ThrowAway::new(folder.path());
        Self { folder, database }
    }

    fn open(&self) -> Db {
        self.opened(&[SCHEMA]).expect("a fresh database opens")
    }

    fn opened(&self, migrations: &[Migration]) -> Result<Db> {
        assert!(self.folder.path().exists());
        self.database.options().open(migrations)
    }
}

fn insert(id: &str, name: &str) -> Sql {
    Sql::new(
        "insert into people (id, town_id, name, name_key, tall) values (?, 'x', ?, folded(?), ?)",
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
    let place = Place::new();
    let db = place.open();
    db.write(|tx| tx.execute(&insert("a", "Zoë"))).await.unwrap();
    let found = db
        .read(|tx| -> Result<_> {
            let rows = tx.rows(&Sql::new(
                "select name, tall, friend_id from people where folded(name) = folded(?)",
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
async fn queries_at_once_are_answered_in_their_order_and_the_first_refusal_is_told() {
    let place = Place::new();
    let db = place.open();
    let before = db.statements();
    let names = |tx: &mut Tx<'_>, queries: &[&str]| -> Result<_> {
        let queries: Vec<Sql> = queries.iter().map(|query| Sql::text(query)).collect();
        let found = tx.all(&queries)?;
        Ok(found.iter().map(|rows| rows.first().map(|row| row.text(0).to_owned())).collect::<Vec<_>>())
    };
    let found = db
        .write(move |tx| {
            tx.execute(&insert("a", "Ada"))?;
            names(tx, &["select name from people", "select 'one'", "select name from people where id = 'b'"])
        })
        .await;
    assert_eq!(found.unwrap(), [Some("Ada".to_owned()), Some("one".to_owned()), None]);
    assert_eq!(db.statements() - before, 4);
    let refused = db.write(move |tx| {
        tx.execute(&insert("b", "Bea"))?;
        names(tx, &["select 'one'", "select name from nowhere", "select nothing from people"])
    });
    let error = refused.await.unwrap_err().to_string();
    assert!(error.contains("nowhere"), "{error}");
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn a_data_version_differs_once_anybody_has_committed() {
    let place = Place::new();
    let (db, other) = (place.open(), place.open());
    let Some(before) = db.data_version() else {
        assert!(db.is_server());
        return;
    };
    count(&db).await;
    assert_eq!(db.data_version(), Some(before));
    let mut seen = vec![before];
    for (number, writer) in [&db, &other, &db].into_iter().enumerate() {
        writer.write(move |tx| tx.execute(&insert(&number.to_string(), &number.to_string()))).await.unwrap();
        let version = db.data_version().unwrap();
        assert!(!seen.contains(&version), "{version} {seen:?}");
        assert_eq!(db.data_version(), Some(version));
        seen.push(version);
    }
}

#[tokio::test]
async fn very_many_rows_are_changed_and_deleted_some_at_a_time() {
    let place = Place::new();
    let db = place.open();
    let fill = |tx: &mut Tx<'_>| {
        (0..25).try_for_each(|n| tx.execute(&insert(&format!("p{n}"), &format!("Old {n}"))).map(drop))
    };
    db.write(fill).await.unwrap();
    db.write(|tx| tx.execute(&insert("a", "Ada"))).await.unwrap();
    for expected in [10, 10, 5, 0] {
        let some = |tx: &mut Tx<'_>| {
            tx.some("update people set tall = false", "people", "tall and name like ?", ["Old %".into()], 10)
        };
        assert_eq!(db.write(some).await.unwrap(), expected);
    }
    for expected in [10, 10, 5, 0] {
        let some =
            |tx: &mut Tx<'_>| tx.some("delete from people", "people", "name like ?", ["Old %".into()], 10);
        assert_eq!(db.write(some).await.unwrap(), expected);
    }
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn who_reads_sees_the_same_until_anybody_has_committed() {
    let place = Place::new();
    let (db, other) = (place.open(), place.open());
    let mut seen: Vec<Snapshot> = Vec::new();
    let look = |tx: &mut Tx<'_>| -> Result<_> {
        let before = tx.snapshot();
        let found = tx.rows(&Sql::text("select count(*) from people"))?.first().map(|row| row.int(0));
        // As well when it has been read from.
        assert_eq!(tx.snapshot(), before);
        Ok((before, found))
    };
    for (round, writer) in [&db, &other, &db, &other].into_iter().enumerate() {
        let of_before = seen.clone();
        for _ in 0..20 {
            let (snapshot, found) = db.read(look).await.unwrap();
            let Some(snapshot) = snapshot else {
                assert!(db.is_server());
                continue;
            };
            assert!(!of_before.contains(&snapshot));
            let of_this_reader: Vec<_> =
                seen[of_before.len()..].iter().filter(|known| known.reader == snapshot.reader).collect();
            assert!(of_this_reader.iter().all(|known| **known == snapshot));
            assert!(found.is_some());
            seen.push(snapshot);
        }
        let unit = move |tx: &mut Tx<'_>| {
            // Whoever writes may not take what it sees for what others do.
            assert_eq!(tx.snapshot(), None);
            tx.execute(&insert(&round.to_string(), &round.to_string()))
        };
        writer.write(unit).await.unwrap();
    }
}

#[tokio::test]
async fn a_refused_unit_leaves_nothing_and_harms_no_neighbour() {
    let place = Place::new();
    let db = place.open();
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
    let place = Place::new();
    let db = place.open();
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
    let place = Place::new();
    let db = place.open();
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
async fn an_id_that_is_taken_is_nobodys_mistake() {
    let place = Place::new();
    let db = place.open();
    db.write(|tx| tx.execute(&insert("a", "Ada"))).await.unwrap();
    let mut ids = ["b", "a"].to_vec();
    let made = db.write(move |tx| tx.execute(&insert(ids.pop().unwrap(), "Bea"))).await;
    // Where units run again, another one is made; else whoever asks comes again.
    if db.is_server() {
        assert_eq!(made.unwrap(), 1);
    } else {
        assert!(matches!(made, Err(Error::Busy)));
        assert_eq!(count(&db).await, 1);
    }
}

#[tokio::test]
async fn a_read_cannot_write_and_harms_no_other_read() {
    let place = Place::new();
    let db = place.open();
    // Often enough that each connection that reads has refused before it counts.
    for _ in 0..20 {
        let refused = db.read(|tx| tx.execute(&insert("a", "Ada"))).await;
        assert!(matches!(refused, Err(Error::Other(_))));
        assert_eq!(count(&db).await, 0);
    }
}

#[tokio::test]
async fn a_schema_that_grows_under_a_unit_does_not_fail_it() {
    let place = Place::new();
    let db = place.open();
    db.write(|tx| tx.execute(&insert("a", "Ada"))).await.unwrap();
    let found = |tx: &mut Tx<'_>| tx.rows(&Sql::text("select * from people")).map(|rows| rows.len());
    for name in ["hat", "coat", "shoe"] {
        for _ in 0..8 {
            assert_eq!((db.read(found).await.unwrap(), db.write(found).await.unwrap()), (1, 1));
        }
        // Another program, or another node: nothing here knows of it.
        let other = place.open();
        let grown = format!("alter table people add column {name} text");
        other.write(move |tx| tx.execute(&Sql::text(&grown))).await.unwrap();
    }
    assert_eq!((db.read(found).await.unwrap(), db.write(found).await.unwrap()), (1, 1));
}

#[tokio::test]
async fn a_newer_database_is_refused_in_one_line() {
    let place = Place::new();
    let second = Migration::new(2, "more", "create table more (id text);");
    drop(place.opened(&[SCHEMA, second]).unwrap());
    let Err(error) = place.opened(&[SCHEMA]) else { panic!("an older program must not open it") };
    assert_eq!(
        error.to_string(),
        "the database is at version 2, newer than this program, which knows 1: start the newer program"
    );
}

#[tokio::test]
async fn a_changed_migration_is_refused() {
    let place = Place::new();
    drop(place.open());
    let changed = Migration { sql: "create table people (id text);", ..SCHEMA };
    assert!(place.opened(&[changed]).is_err());
}

#[tokio::test]
async fn steps_of_a_schema_are_taken_together_or_not_at_all() {
    let place = Place::new();
    let broken = Migration::new(
        2,
        "broken",
        "create table towns (id text primary key); create table towns (id text);",
    );
    assert!(place.opened(&[SCHEMA, broken]).is_err());
    // Nothing of the first one is there: another first one is taken.
    let another = Migration { sql: "create table people (id text primary key);", ..SCHEMA };
    assert_eq!(count(&place.opened(&[another]).unwrap()).await, 0);
}

#[tokio::test]
async fn a_read_that_never_ends_is_ended_and_the_next_one_is_not() {
    let place = Place::new();
    let db = place.open();
    let endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n";
    let ended = db.read(|tx| tx.rows(&Sql::text(endless)).map(drop)).await;
    assert!(matches!(ended, Err(Error::TooSlow)));
    assert_eq!(count(&db).await, 0);
}

#[tokio::test]
async fn reads_that_never_end_leave_a_way_for_those_that_do() {
    let place = Place::new();
    drop(place.open());
    let mut options = place.database.options().clone();
    match &mut options {
        Options::Sqlite(options) => options.readers = 2,
        Options::Postgres(options) => options.readers = 2,
    }
    let db = options.open(&[SCHEMA]).unwrap();
    let endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select count(*) from n";
    let asking: Vec<_> = (0..5)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.read(|tx| tx.rows(&Sql::text(endless)).map(drop)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    assert_eq!(count(&db).await, 0);
    // One of them had all of its time; the others were not to have as much of it as they wanted.
    assert!(asking.iter().any(|one| !one.is_finished()));
    for one in asking {
        assert!(matches!(one.await.unwrap(), Err(Error::TooSlow)));
    }
}

#[tokio::test]
async fn a_sound_database_passes_its_check() {
    let place = Place::new();
    place.open().check().await.unwrap();
}

/// Three times as much is written as the log of a file may ever hold.
#[tokio::test]
async fn what_is_written_does_not_pile_up_beside_a_file() {
    let place = Place::new();
    let db = place.open();
    if db.is_server() {
        return;
    }
    db.write(|tx| tx.execute(&insert("a", "Ada"))).await.unwrap();
    for number in 0..400 {
        // Pages that stay as they are would not be written.
        let long = (number % 10).to_string().repeat(1_000_000);
        let update = Sql::new("update people set name = ? where id = 'a'", [long.into()]);
        db.write(move |tx| tx.execute(&update)).await.unwrap();
    }
    let log = std::fs::read_dir(place.folder.path()).unwrap().map(|file| file.unwrap());
    let log = log.filter(|file| file.file_name().to_string_lossy().ends_with("-wal"));
    let size: u64 = log.map(|file| file.metadata().unwrap().len()).sum();
    assert!((1..=140_000_000).contains(&size), "{size}");
    db.close();
    let name = place.open().read(|tx| tx.rows(&Sql::text("select name from people"))).await.unwrap();
    assert_eq!(name.first().unwrap().text(0), "9".repeat(1_000_000));
}

#[tokio::test]
async fn texts_are_sorted_by_their_bytes() {
    let place = Place::new();
    let db = place.open();
    for (id, name) in
        [("1", "b"), ("2", "a"), ("3", "B"), ("4", "Z"), ("5", "é"), ("6", "_"), ("7", "a b"), ("8", "ab")]
    {
        let name = insert(id, name);
        db.write(move |tx| tx.execute(&name)).await.unwrap_or_default();
    }
    let sorted = db
        .read(|tx| -> Result<_> {
            let rows = tx
                .rows(&Sql::text("select name from people where name < 'zz' or name > 'zz' order by name"))?;
            Ok(rows.iter().map(|row| row.text(0).to_owned()).collect::<Vec<_>>())
        })
        .await
        .unwrap();
    assert_eq!(sorted, ["Z", "_", "a", "a b", "ab", "b", "é"]);
}

#[tokio::test]
async fn what_engines_have_functions_for_is_the_same() {
    let place = Place::new();
    let db = place.open();
    let asked = [
        ("select folded('ÀÉÎ Straße İ ΟΔΟΣ Ǆ')", "àéî straße i̇ οδος ǆ"),
        ("select case when folded(?) like '%\\_ü%' escape '\\' then 'yes' else 'no' end", "yes"),
    ];
    for (sql, expected) in asked {
        let args = sql.matches('?').count();
        let found = db
            .read(move |tx| -> Result<_> {
                let sql = if args == 0 { Sql::text(sql) } else { Sql::new(sql, ["A_ÜB".into()]) };
                Ok(tx.rows(&sql)?.first().map(|row| row.text(0).to_owned()))
            })
            .await
            .unwrap();
        assert_eq!(found.as_deref(), Some(expected));
    }
    for (whole, part, contains) in [
        ("{\"a\": {\"b\": [1, 2, {\"c\": null}]}}", "{\"a\": {\"b\": [{\"c\": null}, 1.0]}}", true),
        ("{\"a\": 1}", "{\"a\": 2}", false),
        ("{\"a\": 1}", "{}", true),
        ("[1, \"x\"]", "\"x\"", false),
        ("[1, \"x\"]", "[\"x\"]", true),
        ("[[1]]", "[1]", false),
        ("\"x\"", "\"x\"", true),
        ("{\"a\": \"\\u0000\"}", "{\"b\": 1}", false),
        ("no json", "{}", false),
        ("{}", "no json", false),
    ] {
        let found = db
            .read(move |tx| -> Result<_> {
                let rows = tx.rows(&Sql::new("select json_contains(?, ?)", [whole.into(), part.into()]))?;
                Ok(rows.first().map(|row| row.flag(0)))
            })
            .await
            .unwrap();
        assert_eq!(found, Some(contains), "{whole} {part}");
    }
    let long: Vec<i64> = (0..1000).collect();
    let texts: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let found = db
        .read(move |tx| -> Result<_> {
            let mut sql = Sql::text("select count(*) from people where length(name) in (");
            sql.bind_list(long).push(") or name in (").bind_list(texts).push(")");
            Ok(tx.rows(&sql)?.first().map(|row| row.int(0)))
        })
        .await
        .unwrap();
    assert_eq!(found, Some(0));
}

#[tokio::test]
async fn a_unit_that_goes_on_after_a_refusal_is_not_kept() {
    let place = Place::new();
    let db = place.open();
    db.write(|tx| tx.execute(&insert("a", "Ada"))).await.unwrap();
    let swallowed = db
        .write(|tx| -> Result<()> {
            tx.execute(&insert("b", "Bob"))?;
            drop(tx.execute(&insert("c", "ADA")));
            Ok(())
        })
        .await;
    assert!(matches!(swallowed, Err(Error::Other(_))), "{swallowed:?}");
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn units_that_collide_are_as_if_one_came_after_the_other() {
    let place = Place::new();
    let db = place.open();
    db.write(|tx| tx.execute(&insert("sum", "0"))).await.unwrap();
    // Each reads what all before have written, and writes what follows from it.
    let units = (0..100).map(|_| {
        let db = db.clone();
        tokio::spawn(async move {
            db.write(|tx| -> Result<()> {
                let rows = tx.rows(&Sql::text("select name from people where id = 'sum'"))?;
                let next = rows.first().map_or("", |row| row.text(0)).parse::<i64>().unwrap() + 1;
                let all =
                    tx.rows(&Sql::text("select count(*) from people"))?.first().map_or(0, |row| row.int(0));
                assert_eq!(all, next);
                tx.execute(&insert(&format!("p{next}"), &format!("Person {next}")))?;
                tx.execute(&Sql::new(
                    "update people set name = ? where id = 'sum'",
                    [next.to_string().into()],
                ))?;
                Ok(())
            })
            .await
        })
    });
    for unit in units.collect::<Vec<_>>() {
        unit.await.unwrap().unwrap();
    }
    assert_eq!(count(&db).await, 101);
}

#[tokio::test]
async fn units_that_wait_for_each_other_each_end_as_they_would_alone() {
    let place = Place::new();
    let db = place.open();
    db.write(|tx| tx.execute(&insert("sum", "0"))).await.unwrap();
    let units = (0..240).map(|number: i64| {
        let db = db.clone();
        tokio::spawn(async move {
            let answer = db.write(move |tx| -> Result<()> {
                // All of them write the same row, so that those that run at once collide.
                tx.execute(&Sql::text(
                    "update people set name = cast(name as integer) + 1 where id = 'sum'",
                ))?;
                match number % 6 {
                    // What is taken already, what points at nobody, what is no SQL, and two changes of mind.
                    1 => tx.execute(&insert(&format!("t{number}"), "TAKEN")).map(drop),
                    2 => tx
                        .execute(&Sql::new("update people set friend_id = ?", [Value::from("nobody")]))
                        .map(drop),
                    3 => tx.execute(&Sql::text("selekt 1")).map(drop),
                    4 => Err(Error::Busy),
                    5 => panic!("on purpose"),
                    _ => tx.execute(&insert(&format!("p{number}"), &format!("Person {number}"))).map(drop),
                }
            });
            (number % 6, answer.await)
        })
    });
    db.write(|tx| tx.execute(&insert("taken", "Taken"))).await.unwrap();
    let units: Vec<_> = units.collect();
    let mut kept = 0;
    for unit in units {
        match unit.await.unwrap() {
            (0, Ok(())) => kept += 1,
            (1, Err(Error::Unique { attribute, .. })) => assert_eq!(attribute, "name"),
            (2, Err(Error::ForeignKey)) | (3 | 5, Err(Error::Other(_))) | (4, Err(Error::Busy)) => {}
            (kind, answer) => panic!("{kind}: {answer:?}"),
        }
    }
    let sum = db.read(|tx| tx.rows(&Sql::text("select name from people where id = 'sum'"))).await.unwrap();
    assert_eq!(kept, 40);
    assert_eq!(sum.first().unwrap().text(0), kept.to_string());
    assert_eq!(count(&db).await, kept + 2);
}

#[tokio::test]
async fn several_who_open_an_empty_database_at_once_all_find_it_ready() {
    let place = std::sync::Arc::new(Place::new());
    let opening: Vec<_> = (0..4)
        .map(|_| {
            let place = place.clone();
            std::thread::spawn(move || place.opened(&[SCHEMA]))
        })
        .collect();
    for opened in opening {
        assert_eq!(count(&opened.join().unwrap().unwrap()).await, 0);
    }
}
