//! Authorization codes: what a browser carries from somebody's yes to the application, once.

use super::hash_of;
use super::request::Request;
use crate::clock::MINUTE;
use crate::crypto::{equal, sha256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_store::{Result, Sql, Tx};

/// How long a code lives, in milliseconds (contract 4.5).
pub const LIFE: i64 = 10 * MINUTE;

/// What a code stands for.
#[derive(Clone, Debug)]
pub struct Code {
    /// The API credential; the dashboard's own application has none.
    pub credential: Option<String>,
    /// Who said yes.
    pub user: String,
    /// Where the browser was sent.
    pub redirect_uri: String,
    /// To what.
    pub scope: String,
    /// The hash of what only the application that asked knows.
    pub challenge: Option<String>,
    /// What it wants to see again in the ID token.
    pub nonce: Option<String>,
    /// When the person last showed who they are, in seconds.
    pub auth_time: i64,
    /// When it ends.
    pub expires_at: i64,
    /// What it was redeemed for.
    pub chain: Option<String>,
}

impl Code {
    /// Whether this is what only the application that asked knows (RFC 7636). One that did not ask with a
    /// challenge cannot have a verifier: somebody took the challenge away.
    pub fn is_proved_by(&self, verifier: Option<&str>) -> bool {
        match (&self.challenge, verifier) {
            (None, None) => true,
            (Some(challenge), Some(verifier)) => {
                let is_well_formed = (43..=128).contains(&verifier.len())
                    && verifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
                is_well_formed && equal(&URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes())), challenge)
            }
            _ => false,
        }
    }
}

/// Keeps a code for what a person said yes to.
pub fn keep(
    tx: &mut Tx<'_>,
    code: &str,
    request: &Request,
    user: &str,
    auth_time: i64,
    now: i64,
) -> Result<()> {
    tx.execute(&Sql::new(
        "insert into authorization_codes (code_hash, api_credential_id, user_id, redirect_uri, scope, challenge, nonce,
         auth_time, created_at, expires_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            hash_of("code", code).into(),
            request.application.credential().into(),
            user.into(),
            (&request.redirect_uri).into(),
            (&request.scope).into(),
            request.challenge.as_deref().into(),
            request.nonce.as_deref().into(),
            auth_time.into(),
            now.into(),
            (now + LIFE).into(),
        ],
    ))
    .map(drop)
}

/// What is known of a code.
pub fn find(tx: &mut Tx<'_>, code: &str) -> Result<Option<Code>> {
    let rows = tx.rows(&Sql::new(
        "select api_credential_id, user_id, redirect_uri, scope, challenge, nonce, auth_time, expires_at, chain_id
         from authorization_codes where code_hash = ?",
        [hash_of("code", code).into()],
    ))?;
    let text = |row: &guildhall_store::Row<'_>, index| row.maybe_text(index).map(str::to_owned);
    Ok(rows.first().map(|row| Code {
        credential: text(&row, 0),
        user: row.text(1).to_owned(),
        redirect_uri: row.text(2).to_owned(),
        scope: row.text(3).to_owned(),
        challenge: text(&row, 4),
        nonce: text(&row, 5),
        auth_time: row.int(6),
        expires_at: row.int(7),
        chain: text(&row, 8),
    }))
}

/// Redeems a code for a chain; `false` when it was redeemed before.
pub fn redeem(tx: &mut Tx<'_>, code: &str, chain: &str) -> Result<bool> {
    let sql = "update authorization_codes set chain_id = ? where code_hash = ? and chain_id is null";
    Ok(tx.execute(&Sql::new(sql, [chain.into(), hash_of("code", code).into()]))? > 0)
}
