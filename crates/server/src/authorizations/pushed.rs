//! Authorization requests that an application leaves with the server before it sends the browser (RFC 9126):
//! nobody on the way can change them.

use super::hash_of;
use super::request::Parameters;
use crate::clock::MINUTE;
use guildhall_store::{Result, Sql, Tx};

/// How long one waits, in milliseconds: long enough for somebody to sign in.
pub const LIFE: i64 = 10 * MINUTE;
/// What a reference to one begins with.
pub const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";

/// Keeps a request of a credential, or of the dashboard's own application.
pub fn keep(
    tx: &mut Tx<'_>,
    reference: &str,
    credential: Option<&str>,
    parameters: &Parameters,
    now: i64,
) -> Result<()> {
    let parameters = serde_json::to_string(parameters)
        .map_err(|error| guildhall_store::Error::Other(error.to_string()))?;
    tx.execute(&Sql::new(
        "insert into pushed_requests (request_hash, api_credential_id, parameters, expires_at) values (?, ?, ?, ?)",
        [hash_of("request", reference).into(), credential.into(), parameters.into(), (now + LIFE).into()],
    ))
    .map(drop)
}

/// The parameters behind a reference.
pub fn find(tx: &mut Tx<'_>, reference: &str, now: i64) -> Result<Option<Parameters>> {
    let rows = tx.rows(&Sql::new(
        "select parameters from pushed_requests where request_hash = ? and expires_at > ?",
        [hash_of("request", reference).into(), now.into()],
    ))?;
    Ok(rows.first().and_then(|row| serde_json::from_str(row.text(0)).ok()))
}

/// Forgets a request that was answered; `false` when somebody was faster.
pub fn spend(tx: &mut Tx<'_>, reference: &str) -> Result<bool> {
    let sql = "delete from pushed_requests where request_hash = ?";
    Ok(tx.execute(&Sql::new(sql, [hash_of("request", reference).into()]))? > 0)
}
