//! What nodes on one database tell each other: how often somebody asked and guessed, what changed that they
//! remember, and who does what needs to be done once.
//!
//! Whatever decides about access is read from the database with every request, so there is little to tell.

use crate::App;
use crate::accounts::guesses;
use crate::config::Limits;
use crate::limits::{Limiter, Seen};
use guildhall_store::{Error, Rows, Sql, Tx};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How often nodes tell each other how often somebody asked and guessed. Until then each knows its own share. What was used up at
/// one node is used up at all of them a moment later where notices are heard, and after twice as much time where they are not.
pub const PAUSE: Duration = Duration::from_millis(500);
/// How long it is listened for more before what was announced is read.
const MOMENT: Duration = Duration::from_millis(100);
/// How many windows or buckets are told of in one statement.
const AT_ONCE: usize = 500;
/// How many windows that are used up are known of at most.
const MOST_USED_UP: i64 = 10_000;
/// The topic of windows that are used up.
const RATES: &str = "rates";
/// The topic of signing keys.
pub const SIGNING_KEYS: &str = "signing_keys";

/// Tells the others what happened here and learns what happened there, as long as it runs.
///
/// What others used up is heard at once where it can be heard, and looked for with each telling everywhere.
pub async fn keep_telling(app: Arc<App>) {
    let mut notices = app.db.notices();
    loop {
        let pause = tokio::time::sleep(PAUSE);
        tokio::pin!(pause);
        loop {
            tokio::select! {
                () = &mut pause => break,
                Ok(()) = notices.changed() => {}
            }
            // Whatever else is announced within a moment is learnt with it.
            tokio::time::sleep(MOMENT).await;
            notices.mark_unchanged();
            if let Err(error) = learn_used_up(&app).await {
                tracing::debug!("what others used up is not known yet: {error}");
            }
        }
        if let Err(error) = tell(&app).await {
            tracing::warn!("what was asked and guessed here could not be told: {error}");
        }
    }
}

/// The same, once. What could not be told is told the next time.
pub async fn tell(app: &App) -> Result<(), Error> {
    let rates = tell_all_rates(app).await;
    let guesses = tell_all_guesses(app).await;
    rates.and(guesses)
}

/// What counts requests, where others count them, too.
fn shared_limiter(app: &App) -> Option<&Limiter> {
    app.limiter.as_ref().filter(|_| app.db.is_server())
}

async fn tell_all_rates(app: &App) -> Result<(), Error> {
    let Some(limiter) = shared_limiter(app) else { return Ok(()) };
    learn_used_up(app).await?;
    let mut seen = limiter.take_unshared();
    // In one order on all nodes, so that none waits for one that waits for it.
    seen.sort_by_cached_key(Seen::name);
    for (index, some) in seen.chunks(AT_ONCE).enumerate() {
        let told = some.to_vec();
        let limits = app.config.limits;
        match app.db.write(move |tx| tell_rates(tx, &told, &limits)).await {
            Ok(totals) => limiter.learn(some, &totals),
            Err(error) => {
                limiter.put_back(&seen[index * AT_ONCE..]);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Learns which windows are used up, if there are others than before: whoever used one up somewhere else has not been
/// here yet, so that nothing here would ask for them.
async fn learn_used_up(app: &App) -> Result<(), Error> {
    let Some(limiter) = shared_limiter(app) else { return Ok(()) };
    let now = app.clock.now();
    let (known, least) = (limiter.known(), i64::from(app.config.limits.least()));
    let learnt = app.db.read(move |tx| -> Result<_, Error> {
        let number = number(tx, RATES)?;
        if number == known {
            return Ok(None);
        }
        let mut sql = Sql::text("select name, began_at, tally from rates where expires_at > ");
        sql.bind(now)
            .push(" and tally >= ")
            .bind(least)
            .push(" order by tally desc limit ")
            .bind(MOST_USED_UP);
        let rows = tx.rows(&sql)?;
        Ok(Some((number, tallies(&rows))))
    });
    if let Some((number, all)) = learnt.await? {
        limiter.learn_used_up(number, all);
    }
    Ok(())
}

async fn tell_all_guesses(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let mut taken = app.guesses.take_unshared();
    taken.sort_unstable();
    for (index, some) in taken.chunks(AT_ONCE).enumerate() {
        let told = some.to_vec();
        match app.db.write(move |tx| guesses::tell(tx, &told, now)).await {
            Ok(all) => app.guesses.learn(&all),
            Err(error) => {
                app.guesses.put_back(&taken[index * AT_ONCE..]);
                return Err(error);
            }
        }
    }
    Ok(())
}

/// Adds what was seen here to what was seen everywhere; answers the sums of the windows at hand and of those before
/// them, by name and beginning.
fn tell_rates(tx: &mut Tx<'_>, seen: &[Seen], limits: &Limits) -> Result<HashMap<(String, i64), i64>, Error> {
    let mut sql = Sql::text("insert into rates (name, began_at, tally, expires_at) values ");
    for (index, one) in seen.iter().enumerate() {
        sql.push(if index == 0 { "(" } else { ", (" }).bind(one.name()).push(", ").bind(one.began_at);
        sql.push(", ").bind(i64::from(one.count)).push(", ").bind(one.expires_at()).push(")");
    }
    sql.push(" on conflict (name, began_at) do update set tally = rates.tally + excluded.tally");
    tx.execute(&sql)?;
    let mut sql = Sql::text("select name, began_at, tally from rates where began_at >= ");
    sql.bind(seen.iter().map(Seen::before).min().unwrap_or(0)).push(" and name in (");
    let rows = tx.rows(sql.bind_list(seen.iter().map(Seen::name)).push(")"))?;
    let totals = tallies(&rows);
    let uses_up = |one: &Seen| {
        let total = totals.get(&(one.name(), one.began_at)).copied().unwrap_or(0);
        let limit = i64::from(one.limit(limits));
        total >= limit && total - i64::from(one.count) < limit
    };
    if seen.iter().any(uses_up) {
        announce(tx, RATES)?;
    }
    Ok(totals)
}

/// What windows hold, by name and beginning.
fn tallies(rows: &Rows) -> HashMap<(String, i64), i64> {
    rows.iter().map(|row| ((row.text(0).to_owned(), row.int(1)), row.int(2))).collect()
}

/// Says that something changed which nodes remember.
pub fn announce(tx: &mut Tx<'_>, topic: &'static str) -> Result<(), Error> {
    let sql = "insert into notices (topic, number) values (?, 1)
               on conflict (topic) do update set number = notices.number + 1";
    tx.execute(&Sql::new(sql, [topic.into()]))?;
    tx.notify(topic)
}

/// How often it did so far.
pub fn number(tx: &mut Tx<'_>, topic: &'static str) -> Result<i64, Error> {
    let rows = tx.rows(&Sql::new("select number from notices where topic = ?", [topic.into()]))?;
    Ok(rows.first().map_or(0, |row| row.int(0)))
}

/// Takes something to do for oneself until a moment; `false` when another node has it.
pub fn lease(tx: &mut Tx<'_>, name: &str, now: i64, until: i64) -> Result<bool, Error> {
    let sql = "insert into leases (name, leased_until) values (?, ?)
               on conflict (name) do update set leased_until = excluded.leased_until where leases.leased_until <= ?";
    Ok(tx.execute(&Sql::new(sql, [name.into(), until.into(), now.into()]))? > 0)
}
