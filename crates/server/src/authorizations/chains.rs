//! A chain: everything that was given because of one yes or one assertion. Each refresh adds a link, and a link
//! that comes back after it was replaced ends the chain, for somebody else must have got hold of it.

use super::hash_of;
use crate::crypto::hash;
use guildhall_store::{Result, Row, Sql, Tx};

/// How long a refresh token lives, in milliseconds: two weeks (contract 4.5).
pub const REFRESH_LIFE: i64 = 14 * crate::clock::DAY;
/// How long an answer that may have been lost is repeated, in milliseconds.
pub const GRACE: i64 = 30 * 1000;

/// A chain that lives: its application, its user and their membership are there and not disabled.
#[derive(Clone, Debug)]
pub struct Chain {
    /// Its id.
    pub id: String,
    /// The API credential; the dashboard's own application has none.
    pub credential: Option<String>,
    /// The organization.
    pub organization: Option<String>,
    /// On whose behalf.
    pub user: Option<String>,
    /// What for.
    pub scope: String,
    /// What the assertion said, as JSON.
    pub custom_claim: Option<String>,
    /// What it began with.
    pub began_by: Began,
    /// When the person last showed who they are, in seconds.
    pub auth_time: Option<i64>,
    /// What the application wants to see again in ID tokens.
    pub nonce: Option<String>,
}

/// What a chain began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Began {
    /// A code that a browser carried.
    Code,
    /// A code that somebody typed in.
    Device,
    /// An assertion.
    Assertion,
}

impl Began {
    fn name(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Device => "device",
            Self::Assertion => "assertion",
        }
    }

    fn read(name: &str) -> Self {
        let all = [Self::Code, Self::Device];
        all.into_iter().find(|began| began.name() == name).unwrap_or(Self::Assertion)
    }
}

/// One link: an access token and the refresh token that came with it.
#[derive(Clone, Debug)]
pub struct Link {
    /// The access token.
    pub access_token: String,
    /// When it ends, in milliseconds.
    pub expires_at: i64,
    /// The refresh token.
    pub refresh_token: String,
}

/// A refresh token that was shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its chain, if that lives.
    pub chain: Option<Chain>,
    /// The chain's id, and the credential it belongs to.
    pub chain_id: String,
    /// See `chain_id`.
    pub credential: Option<String>,
    /// When it ends.
    pub expires_at: i64,
    /// When it was replaced.
    pub replaced_at: Option<i64>,
    /// The answer that replaced it, sealed; none when that was used already.
    pub sealed: Option<String>,
}

/// Begins a chain with its first link; `false`, and nothing given, when whoever it is for has gone meanwhile.
pub fn begin(tx: &mut Tx<'_>, chain: &Chain, link: &Link, now: i64) -> Result<bool> {
    tx.execute(&Sql::new(
        "insert into chains (id, began_by, api_credential_id, organization_id, user_id, scope, custom_claim, auth_time, nonce,
         created_at, used_at, expires_at) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (&chain.id).into(),
            chain.began_by.name().into(),
            chain.credential.as_deref().into(),
            chain.organization.as_deref().into(),
            chain.user.as_deref().into(),
            (&chain.scope).into(),
            chain.custom_claim.as_deref().into(),
            chain.auth_time.into(),
            chain.nonce.as_deref().into(),
            now.into(),
            now.into(),
            now.into(),
        ],
    ))?;
    if live(tx, &chain.id)?.is_none() {
        end(tx, &chain.id, now)?;
        return Ok(false);
    }
    add(tx, &chain.id, link, now)?;
    Ok(true)
}

/// Adds a link.
fn add(tx: &mut Tx<'_>, chain: &str, link: &Link, now: i64) -> Result<()> {
    let end = now + REFRESH_LIFE;
    tx.execute(&Sql::new(
        "insert into chain_tokens (token_hash, chain_id, expires_at) values (?, ?, ?)",
        [hash(&link.access_token).into(), chain.into(), link.expires_at.into()],
    ))?;
    tx.execute(&Sql::new(
        "insert into refresh_tokens (token_hash, chain_id, created_at, expires_at) values (?, ?, ?, ?)",
        [refresh_hash(&link.refresh_token).into(), chain.into(), now.into(), end.into()],
    ))?;
    tx.execute(&Sql::new(
        "update chains set used_at = ?, expires_at = case when ? > expires_at then ? else expires_at end where id = ?",
        [now.into(), end.max(link.expires_at).into(), end.max(link.expires_at).into(), chain.into()],
    ))
    .map(drop)
}

/// Puts a link in the place of another one; `false` when somebody else already did.
pub fn replace(
    tx: &mut Tx<'_>,
    shown: &str,
    chain: &str,
    link: &Link,
    sealed: &str,
    now: i64,
) -> Result<bool> {
    let replaced = tx.execute(&Sql::new(
        "update refresh_tokens set replaced_at = ?, sealed = ?, successor_hash = ?
         where token_hash = ? and replaced_at is null",
        [now.into(), sealed.into(), refresh_hash(&link.refresh_token).into(), refresh_hash(shown).into()],
    ))?;
    if replaced == 0 {
        return Ok(false);
    }
    // Nobody repeats the answer with the token shown now any more: it has arrived.
    let sql = "update refresh_tokens set sealed = null where successor_hash = ?";
    tx.execute(&Sql::new(sql, [refresh_hash(shown).into()]))?;
    add(tx, chain, link, now)?;
    Ok(true)
}

const COLUMNS: &str = "c.id, c.api_credential_id, c.organization_id, c.user_id, c.scope, c.custom_claim, c.auth_time, c.nonce, c.began_by";

fn chain(row: &Row<'_>) -> Chain {
    let text = |index| row.maybe_text(index).map(str::to_owned);
    Chain {
        id: row.text(0).to_owned(),
        credential: text(1),
        organization: text(2),
        user: text(3),
        scope: row.text(4).to_owned(),
        custom_claim: text(5),
        auth_time: row.maybe_int(6),
        nonce: text(7),
        began_by: Began::read(row.text(8)),
    }
}

/// A chain, if it lives.
pub fn live(tx: &mut Tx<'_>, id: &str) -> Result<Option<Chain>> {
    let rows =
        tx.rows(&Sql::new(&format!("select {COLUMNS} from live_chains c where c.id = ?"), [id.into()]))?;
    Ok(rows.first().map(|row| chain(&row)))
}

/// The chain of an access token, if it lives and the token was not revoked.
pub fn of_access(tx: &mut Tx<'_>, hash: &str) -> Result<Option<Chain>> {
    let sql = format!(
        "select {COLUMNS} from chain_tokens t join live_chains c on c.id = t.chain_id where t.token_hash = ?"
    );
    Ok(tx.rows(&Sql::new(&sql, [hash.into()]))?.first().map(|row| chain(&row)))
}

/// What is known of a refresh token.
pub fn of_refresh(tx: &mut Tx<'_>, token: &str) -> Result<Option<Shown>> {
    let rows = tx.rows(&Sql::new(
        "select r.chain_id, h.api_credential_id, r.expires_at, r.replaced_at, r.sealed
         from refresh_tokens r join chains h on h.id = r.chain_id where r.token_hash = ?",
        [refresh_hash(token).into()],
    ))?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Shown {
        chain: live(tx, row.text(0))?,
        chain_id: row.text(0).to_owned(),
        credential: row.maybe_text(1).map(str::to_owned),
        expires_at: row.int(2),
        replaced_at: row.maybe_int(3),
        sealed: row.maybe_text(4).map(str::to_owned),
    }))
}

/// Ends a chain.
pub fn end(tx: &mut Tx<'_>, id: &str, now: i64) -> Result<()> {
    end_where(tx, "id = ", &[id], now)
}

/// Ends every chain of a user.
pub fn end_of_user(tx: &mut Tx<'_>, user: &str, now: i64) -> Result<()> {
    end_where(tx, "user_id = ", &[user], now)
}

/// Ends every chain of a user in an organization.
pub fn end_of_member(tx: &mut Tx<'_>, user: &str, organization: &str, now: i64) -> Result<()> {
    end_where(tx, "user_id = | and organization_id = ", &[user, organization], now)
}

/// Ends every chain in an organization.
pub fn end_of_organization(tx: &mut Tx<'_>, organization: &str, now: i64) -> Result<()> {
    end_where(tx, "organization_id = ", &[organization], now)
}

/// Ends every chain of a credential.
pub fn end_of_credential(tx: &mut Tx<'_>, credential: &str, now: i64) -> Result<()> {
    end_where(tx, "api_credential_id = ", &[credential], now)
}

/// Ends every chain of a user with a credential.
pub fn end_of_consent(tx: &mut Tx<'_>, user: &str, credential: &str, now: i64) -> Result<()> {
    end_where(tx, "user_id = | and api_credential_id = ", &[user, credential], now)
}

/// Ends what fulfils a condition whose values are given in order, each before a bar.
fn end_where(tx: &mut Tx<'_>, condition: &str, values: &[&str], now: i64) -> Result<()> {
    let mut sql = Sql::new("update chains set ended_at = ? where ended_at is null and ", [now.into()]);
    for (text, value) in condition.split('|').zip(values) {
        sql.push(text).bind(*value);
    }
    tx.execute(&sql).map(drop)
}

/// By what a refresh token is found.
fn refresh_hash(token: &str) -> String {
    hash_of("refresh", token)
}
