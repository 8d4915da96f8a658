//! What one browser is in the middle of, with a state that only the server knows.

use crate::App;
use crate::work::Work;
use guildhall_jsonapi::{Result, Secrets as _};
use guildhall_store::{Error, Sql};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long one may take.
const LIFE: i64 = 10 * 60 * 1000;
/// How many wrong tries end it.
const MOST_ATTEMPTS: i64 = 5;

/// What the browser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It showed a password and owes a code.
    SecondFactor,
    /// It is asked for a passkey to sign in with, or to show again who they are.
    Passkey,
    /// It makes a new passkey.
    NewPasskey,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::SecondFactor => "second-factor",
            Self::Passkey => "passkey",
            Self::NewPasskey => "new-passkey",
        }
    }
}

/// Begins one, which ends another of the same purpose in the same browser.
pub fn begin<T: Serialize>(
    work: &mut Work<'_, '_>,
    visitor: &str,
    purpose: Purpose,
    user: Option<&str>,
    state: &T,
) -> Result<()> {
    let text = serde_json::to_string(state).map_err(|error| Error::Other(error.to_string()))?;
    let sealed = work.app.vault.seal(&text).map_err(|error| Error::Other(error.to_string()))?;
    work.tx.execute(&Sql::new(
        "insert into ceremonies (visitor_hash, purpose, user_id, sealed, attempts, expires_at) values (?, ?, ?, ?, 0, ?)
         on conflict (visitor_hash, purpose) do update set user_id = excluded.user_id, sealed = excluded.sealed,
         attempts = 0, expires_at = excluded.expires_at",
        [visitor.into(), purpose.name().into(), user.into(), sealed.into(), (work.now + LIFE).into()],
    ))?;
    Ok(())
}

/// The state of the one this browser is in, if it has not ended.
pub fn state<T: DeserializeOwned>(
    work: &mut Work<'_, '_>,
    visitor: &str,
    purpose: Purpose,
) -> Result<Option<T>> {
    let rows = work.tx.rows(&Sql::new(
        "select sealed from ceremonies where visitor_hash = ? and purpose = ? and expires_at > ? and attempts < ?",
        [visitor.into(), purpose.name().into(), work.now.into(), MOST_ATTEMPTS.into()],
    ))?;
    Ok(rows.first().and_then(|row| open(work.app, row.text(0))))
}

/// Counts a wrong try.
pub fn miss(work: &mut Work<'_, '_>, visitor: &str, purpose: Purpose) -> Result<()> {
    let sql = "update ceremonies set attempts = attempts + 1 where visitor_hash = ? and purpose = ?";
    work.tx.execute(&Sql::new(sql, [visitor.into(), purpose.name().into()]))?;
    Ok(())
}

/// Ends one.
pub fn end(work: &mut Work<'_, '_>, visitor: &str, purpose: Purpose) -> Result<()> {
    let sql = "delete from ceremonies where visitor_hash = ? and purpose = ?";
    work.tx.execute(&Sql::new(sql, [visitor.into(), purpose.name().into()]))?;
    Ok(())
}

fn open<T: DeserializeOwned>(app: &App, sealed: &str) -> Option<T> {
    serde_json::from_str(&app.vault.open(sealed)?).ok()
}
