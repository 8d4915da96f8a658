//! Browsers in which somebody has shown a password and owes a code.

use crate::clock::MINUTE;
use crate::work::Work;
use guildhall_jsonapi::{Result, Secrets as _};
use guildhall_store::{Error, Sql};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long one may take.
const LIFE: i64 = 10 * MINUTE;
/// How many wrong tries end it.
const MOST_ATTEMPTS: i64 = 5;

/// Begins to wait for a code.
pub fn begin<T: Serialize>(work: &mut Work<'_, '_>, visitor: &str, user: &str, state: &T) -> Result<()> {
    let text = serde_json::to_string(state).map_err(|error| Error::Other(error.to_string()))?;
    let sealed = work.app.vault.seal_row(&text)?;
    work.tx.execute(&Sql::new(
        "insert into owed_codes (visitor_hash, user_id, sealed, attempts, expires_at) values (?, ?, ?, 0, ?)
         on conflict (visitor_hash) do update set user_id = excluded.user_id, sealed = excluded.sealed,
         attempts = 0, expires_at = excluded.expires_at",
        [visitor.into(), user.into(), sealed.into(), (work.now + LIFE).into()],
    ))?;
    Ok(())
}

/// What was kept for when the code comes, if it may still come.
pub fn state<T: DeserializeOwned>(work: &mut Work<'_, '_>, visitor: &str) -> Result<Option<T>> {
    let rows = work.tx.rows(&Sql::new(
        "select sealed from owed_codes where visitor_hash = ? and expires_at > ? and attempts < ?",
        [visitor.into(), work.now.into(), MOST_ATTEMPTS.into()],
    ))?;
    let open = |sealed: &str| serde_json::from_str(&work.app.vault.open(sealed)?).ok();
    Ok(rows.first().and_then(|row| open(row.text(0))))
}

/// Counts a wrong try.
pub fn miss(work: &mut Work<'_, '_>, visitor: &str) -> Result<()> {
    let sql = "update owed_codes set attempts = attempts + 1 where visitor_hash = ?";
    work.tx.execute(&Sql::new(sql, [visitor.into()]))?;
    Ok(())
}

/// Ends one.
pub fn end(work: &mut Work<'_, '_>, visitor: &str) -> Result<()> {
    work.tx.execute(&Sql::new("delete from owed_codes where visitor_hash = ?", [visitor.into()]))?;
    Ok(())
}

/// Ends all of a user: what they showed is worth nothing any more.
pub fn end_all(work: &mut Work<'_, '_>, user: &str) -> Result<()> {
    work.tx.execute(&Sql::new("delete from owed_codes where user_id = ?", [user.into()]))?;
    Ok(())
}
