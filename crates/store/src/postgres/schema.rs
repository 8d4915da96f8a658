//! The schema on PostgreSQL: brought up to date by one node, while the others wait.

use super::connection::wait;
use super::target::{Reached, Target, answered};
use super::words::told;
use crate::{Error, Migration, Result, migrate};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio_postgres::Client;

/// What the nodes that start at once queue up for: "guild" in letters' codes.
const LOCK: i64 = 0x0067_7569_6c64;
/// How often a server that is not there is tried again.
const PAUSE: Duration = Duration::from_secs(1);
/// After how many tries it is said again that it is waited for.
const SAY_AGAIN: u32 = 10;
/// How long a step may wait for a table that somebody else holds, as a backup does.
const LOCK_PATIENCE: Duration = Duration::from_secs(10);
/// How often it is asked whether another node is done with it.
const TURN: Duration = Duration::from_millis(100);
/// How long it may take to look at the version, or at whose turn it is.
const LONGEST_LOOK: Duration = Duration::from_secs(30);
/// How long the statements of a step may take: an index on a large table is a matter of minutes.
const LONGEST_STEP: Duration = Duration::from_hours(2);

/// What SQLite has as functions of the program. They say the same in both engines.
const FUNCTIONS: &str = r#"
create or replace function folded(text) returns text language sql immutable strict parallel safe
return lower($1 collate "und-x-icu");

create or replace function json_contains(whole text, part text) returns boolean
language plpgsql immutable strict as $$
begin
    return case
        when jsonb_typeof(whole::jsonb) = 'array' and jsonb_typeof(part::jsonb) not in ('array', 'object') then false
        else whole::jsonb @> part::jsonb
    end;
exception when others then
    return false;
end $$;

create or replace function json_each(list text) returns table (value text) language sql immutable strict parallel safe
as $$ select json_array_elements_text(list::json) $$;
"#;

/// Reaches the server and brings its schema up to date.
pub(super) fn prepare(target: &Target, migrations: &[Migration], waits: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Other(format!("no runtime for the database: {error}")))?;
    let Reached { client: mut keeper, .. } = reach(target, &runtime, waits)?;
    let Reached { client: mut worker, is_own } = reach(target, &runtime, waits)?;
    if is_own {
        // Whoever waits for a table has everybody else wait behind them. A pooler would keep this for somebody else.
        let patience = format!("set lock_timeout = {}", LOCK_PATIENCE.as_millis());
        wait(&runtime, LONGEST_STEP, worker.batch_execute(&patience))?;
    }
    let began = Instant::now();
    loop {
        match wait(&runtime, LONGEST_LOOK, is_locked(&keeper)) {
            Ok(true) => break,
            Ok(false) => {}
            // A pooler may have no connection to spare as long as another node is at it.
            Err(Error::Down) if waits => keeper = reach(target, &runtime, waits)?.client,
            Err(error) => return Err(error),
        }
        if began.elapsed() > LONGEST_STEP {
            return Err(Error::Other(
                "another node takes too long to bring the schema up to date".to_owned(),
            ));
        }
        std::thread::sleep(TURN);
    }
    let prepared = async {
        // An older program is refused before it changes anything.
        migrate::apply_postgres(&mut worker, migrations).await?;
        worker.batch_execute(FUNCTIONS).await.map_err(|error| {
            Error::Other(format!("the schema could not be brought up to date: {}", told(&error)))
        })
    };
    let prepared = runtime.block_on(async {
        let late = |_| Err(Error::Other("it takes too long to bring the schema up to date".to_owned()));
        tokio::time::timeout(LONGEST_STEP, prepared).await.unwrap_or_else(late)
    });
    let ended = wait(&runtime, LONGEST_STEP, keeper.batch_execute("rollback"));
    prepared.and(ended)
}

/// Whether it is ours to bring the schema up to date. The lock belongs to a transaction of its own, which a pooler leaves on one
/// connection; whoever has to wait for it gives the connection back, which the one who has it may need.
async fn is_locked(keeper: &Client) -> Result<bool, tokio_postgres::Error> {
    keeper.batch_execute("begin; set local idle_in_transaction_session_timeout = 0").await?;
    let answer = keeper.simple_query(&format!("select pg_try_advisory_xact_lock({LOCK})")).await?;
    let is_ours = answered(&answer) == Some("t");
    if !is_ours {
        keeper.batch_execute("rollback").await?;
    }
    Ok(is_ours)
}

/// The version it is at, if there is any.
pub(super) fn version(target: &Target) -> Result<Option<u32>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Other(format!("no runtime for the database: {error}")))?;
    let Reached { client, .. } = reach(target, &runtime, false)?;
    // Nothing is prepared: behind a pooler that would be left on somebody's connection. What is wrong is that there is
    // no such table.
    let asked = async { tokio::time::timeout(LONGEST_LOOK, client.simple_query(migrate::VERSION)).await };
    let found = runtime
        .block_on(asked)
        .map_err(|_| Error::Other(format!("the database at {} is silent", target.name())))?;
    let found = found.unwrap_or_default();
    Ok(answered(&found).and_then(|version| version.parse().ok()))
}

fn reach(target: &Target, runtime: &Runtime, waits: bool) -> Result<Reached> {
    for attempt in 0_u32.. {
        match runtime.block_on(target.connect(&[])) {
            Ok(reached) => return Ok(reached),
            Err(why) if !waits => {
                return Err(Error::Other(format!(
                    "the database at {} cannot be reached: {why}",
                    target.name()
                )));
            }
            Err(why) => {
                if attempt.is_multiple_of(SAY_AGAIN) {
                    tracing::warn!("waiting for the database at {}: {why}", target.name());
                }
                std::thread::sleep(PAUSE);
            }
        }
    }
    Err(Error::Down)
}
