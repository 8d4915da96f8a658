//! What has ended by itself is cleared away, every ten minutes, by one node for all of them: in a unit of work for each
//! kind of thing, each organization and each thousand of them, so that none is long and none gets into the way of many.

use crate::authorizations::chains;
use crate::clock::DAY;
use crate::resources::client_secrets;
use crate::{App, sharing};
use guildhall_store::{Error, Sql, Tx};
use std::sync::Arc;
use std::time::Duration;

/// How often.
const PAUSE: Duration = Duration::from_mins(10);
/// By how much a clock may have been wrong, in milliseconds.
const CLOCK: i64 = 7 * DAY;
/// How long it is known that a letter was sent, in milliseconds: thirty days.
const LETTER_LIFE: i64 = 30 * DAY;
/// How long a link that has ended can say why, in milliseconds: a year.
const LINK_LIFE: i64 = 365 * DAY;
/// How long it is known how much there was of something, in milliseconds: two days.
const TALLY_LIFE: i64 = 2 * DAY;
/// How long versions are shown, in milliseconds: a year.
const VERSION_LIFE: i64 = 365 * DAY;
/// How many rows are cleared away in one unit.
const MOST_ROWS: usize = 1000;
/// How many versions are taken from sight in one unit.
const MOST_VERSIONS: i64 = 1000;

/// What says that something is over, and is kept longer than that something: a clock that is put right brings none back.
const ENDED: [&str; 3] = ["spent_challenges", "spent_assertions", "revoked_tokens"];

/// What ends at its `expires_at`. What a chain gave goes before the chain.
const ENDING: [&str; 10] = [
    "sessions",
    "owed_codes",
    "sign_ups",
    "proofs",
    "chain_tokens",
    "refresh_tokens",
    "device_codes",
    "pushed_requests",
    "chains",
    "rates",
];

/// Does it as long as it runs.
pub(crate) async fn keep_sweeping(app: Arc<App>) {
    loop {
        let now = app.clock.now();
        let until = now + i64::try_from(PAUSE.as_millis()).unwrap_or(0) / 2;
        let swept = match app.db.write(move |tx| sharing::lease(tx, "sweep", now, until)).await {
            Ok(true) => sweep(&app).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = swept {
            tracing::warn!("what expired could not be cleared away: {error}");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The same, once: forgets revoked tokens, sessions, links and sign-ups that have expired, letters that were sent or
/// refused a while ago; and stops showing versions after a year.
///
/// # Errors
/// What could not be cleared away at first; what else there was to do is done.
pub async fn sweep(app: &App) -> Result<(), Error> {
    let now = app.clock.now();
    let mut result = app.db.write(move |tx| client_secrets::sweep(tx, now)).await;
    let (answers, kept) =
        ("update refresh_tokens set sealed = null", "sealed is not null and replaced_at < ?");
    result = result.and(clear(app, answers.to_owned(), "refresh_tokens", kept, now - chains::GRACE).await);
    let ending = ENDING.iter().map(|table| (*table, now));
    for (table, until) in ending.chain(ENDED.iter().map(|table| (*table, now - CLOCK))) {
        result = result.and(delete(app, table, "expires_at < ?", until).await);
    }
    for (table, condition, until) in [
        // One that comes again ends what it was redeemed for, however late.
        (
            "authorization_codes",
            "expires_at < ? and
             (chain_id is null or not exists (select 1 from chains c where c.id = authorization_codes.chain_id))",
            now,
        ),
        ("guesses", "full_at < ?", now),
        ("letters", "created_at < ? and due_at is null", now - LETTER_LIFE),
        (
            "invitation_links",
            "created_at < ? and (ended_at is not null or not exists
             (select 1 from memberships m where m.id = invitation_links.membership_id))",
            now - LINK_LIFE,
        ),
        ("tallies", "began_at < ?", now - TALLY_LIFE),
    ] {
        result = result.and(delete(app, table, condition, until).await);
    }
    result.and(hide_versions(app, now - VERSION_LIFE).await)
}

async fn delete(app: &App, table: &'static str, condition: &'static str, until: i64) -> Result<(), Error> {
    clear(app, format!("delete from {table}"), table, condition, until).await
}

/// Does what is to be done to what a condition says of a moment, some of it at a time: whoever was not swept for long does not
/// stand still.
async fn clear(
    app: &App,
    act: String,
    table: &'static str,
    condition: &'static str,
    until: i64,
) -> Result<(), Error> {
    let act: Arc<str> = act.into();
    let unit = move |tx: &mut Tx<'_>| {
        tx.take_time()?;
        tx.some(&act, table, condition, [until.into()], MOST_ROWS)
    };
    while app.db.write(unit.clone()).await? == MOST_ROWS {}
    Ok(())
}

/// Takes versions from sight that are older than this, some of one organization at a time.
async fn hide_versions(app: &App, until: i64) -> Result<(), Error> {
    while app.db.write(move |tx| hide_some_versions(tx, until)).await? {}
    Ok(())
}

/// Answers whether there may be more.
fn hide_some_versions(tx: &mut Tx<'_>, until: i64) -> Result<bool, Error> {
    let sql =
        "select organization_id from history where published and created_at < ? order by created_at limit 1";
    let rows = tx.rows(&Sql::new(sql, [until.into()]))?;
    let Some(organization) = rows.first().map(|row| row.maybe_text(0).map(str::to_owned)) else {
        return Ok(false);
    };
    let mut sql =
        Sql::text("update history set published = false where id in (select id from history where published");
    sql.push(" and created_at < ").bind(until);
    match &organization {
        Some(organization) => sql.push(" and organization_id = ").bind(organization),
        None => sql.push(" and organization_id is null"),
    };
    let hidden = tx.execute(sql.push(" limit ").bind(MOST_VERSIONS).push(")"))?;
    tx.execute(&Sql::new(
        "update sizes set size = size - ? where kind = 'versions' and owner = ?",
        [i64::try_from(hidden).unwrap_or(0).into(), organization.into()],
    ))?;
    Ok(true)
}
