//! Sessions: a browser in which somebody is signed in. They are rows, so that they can be listed and ended.

use crate::authorizations::consents;
use crate::clock::{DAY, MINUTE};
use crate::crypto::hash;
use crate::work::Work;
use guildhall_jsonapi::Result;
use guildhall_store::{Row, Sql, Tx};
use std::net::IpAddr;

/// How long a session lives that is not used.
const IDLE: i64 = 14 * DAY;
/// How long a session lives at most.
const LIFE: i64 = 60 * DAY;
/// How long ago somebody may have shown who they are to make a sensitive change.
const FRESH: i64 = 10 * MINUTE;
/// How exactly it is known when a session was used last.
const SEEN_EVERY: i64 = 5 * MINUTE;
/// How much of what a browser says of itself is kept.
const LONGEST_AGENT: usize = 200;

/// How somebody showed who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factor {
    /// By a password.
    Password,
    /// By a password and a one-time or recovery code.
    PasswordAndCode,
    /// By a passkey.
    Passkey,
    /// By a letter that reached them.
    Letter,
}

impl Factor {
    /// As it is stored, and as the message about it is named.
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::PasswordAndCode => "password-and-code",
            Self::Passkey => "passkey",
            Self::Letter => "letter",
        }
    }
}

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Session {
    /// Its id.
    pub id: String,
    /// The user's id.
    pub user: String,
    /// The address they sign in with, which is proved to be theirs.
    pub email: String,
    /// Another one that they have claimed through the API and not proved.
    pub claimed: Option<String>,
    /// Their first name.
    pub first_name: String,
    /// Their last name.
    pub last_name: String,
    /// The language they chose.
    pub language: Option<String>,
    /// Whether they sign in with a second factor.
    pub otp: bool,
    /// When they last showed who they are.
    pub proved_at: i64,
    /// When it was used last, about.
    pub seen_at: i64,
}

impl Session {
    /// The address the API shows.
    pub fn shown_email(&self) -> &str {
        self.claimed.as_deref().unwrap_or(&self.email)
    }

    /// Whether they showed who they are a moment ago.
    pub fn is_fresh(&self, now: i64) -> bool {
        now - self.proved_at < FRESH
    }
}

/// A session as its owner sees it in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// How they showed who they are.
    pub factor: String,
    /// From where.
    pub address: String,
    /// What the browser says of itself.
    pub agent: String,
    /// When it began.
    pub created_at: i64,
    /// When it was used last, about.
    pub seen_at: i64,
}

/// Where a session begins.
#[derive(Clone, Debug)]
pub struct Browser {
    /// Its address on the network.
    pub address: IpAddr,
    /// What it says of itself.
    pub agent: String,
}

/// The session of a cookie, unless it has ended or its user is disabled.
pub fn find(tx: &mut Tx<'_>, token: &str, now: i64) -> guildhall_store::Result<Option<Session>> {
    let rows = tx.rows(&Sql::new(
        "select s.id, u.id, u.proved_email, u.email, u.first_name, u.last_name, u.language, u.otp_required_for_login,
         s.proved_at, s.seen_at
         from sessions s join enabled_users u on u.id = s.user_id
         where s.token_hash = ? and s.expires_at > ?",
        [hash_of(token).into(), now.into()],
    ))?;
    Ok(rows.first().map(|row| Session {
        id: row.text(0).to_owned(),
        user: row.text(1).to_owned(),
        email: row.text(2).to_owned(),
        claimed: Some(row.text(3)).filter(|claimed| *claimed != row.text(2)).map(str::to_owned),
        first_name: row.text(4).to_owned(),
        last_name: row.text(5).to_owned(),
        language: row.maybe_text(6).map(str::to_owned),
        otp: row.flag(7),
        proved_at: row.int(8),
        seen_at: row.int(9),
    }))
}

/// Whether it is time to note that a session is used.
pub fn is_to_be_noted(session: &Session, now: i64) -> bool {
    now - session.seen_at >= SEEN_EVERY
}

/// Notes that a session is used, which lets it live on.
pub fn note(tx: &mut Tx<'_>, session: &str, now: i64) -> guildhall_store::Result<()> {
    tx.execute(&Sql::new(
        "update sessions set seen_at = ?,
         expires_at = case when created_at + ? < ? then created_at + ? else ? end where id = ?",
        [now.into(), LIFE.into(), (now + IDLE).into(), LIFE.into(), (now + IDLE).into(), session.into()],
    ))
    .map(drop)
}

/// Begins a session.
pub fn begin(
    work: &mut Work<'_, '_>,
    user: &str,
    factor: Factor,
    browser: &Browser,
    token: &str,
) -> Result<()> {
    let agent: String = browser.agent.chars().filter(|one| !one.is_control()).take(LONGEST_AGENT).collect();
    work.tx.execute(&Sql::new(
        "insert into sessions (id, user_id, token_hash, factor, address, agent, created_at, proved_at, seen_at, expires_at)
         values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            work.new_id().into(),
            user.into(),
            hash_of(token).into(),
            factor.name().into(),
            browser.address.to_string().into(),
            agent.into(),
            work.now.into(),
            work.now.into(),
            work.now.into(),
            (work.now + IDLE).into(),
        ],
    ))?;
    Ok(())
}

/// Notes that somebody showed again who they are. The session goes on under another token.
pub fn renew(work: &mut Work<'_, '_>, session: &str, token: &str) -> Result<()> {
    work.tx.execute(&Sql::new(
        "update sessions set proved_at = ?, token_hash = ? where id = ?",
        [work.now.into(), hash_of(token).into(), session.into()],
    ))?;
    Ok(())
}

/// The latest sessions of a user.
pub fn list(tx: &mut Tx<'_>, user: &str, now: i64) -> guildhall_store::Result<Vec<Listed>> {
    let rows = tx.rows(&Sql::new(
        "select id, factor, address, agent, created_at, seen_at from sessions where user_id = ? and expires_at > ?
         order by seen_at desc, id limit 25",
        [user.into(), now.into()],
    ))?;
    let listed = |row: Row<'_>| Listed {
        id: row.text(0).to_owned(),
        factor: row.text(1).to_owned(),
        address: row.text(2).to_owned(),
        agent: row.text(3).to_owned(),
        created_at: row.int(4),
        seen_at: row.int(5),
    };
    Ok(rows.iter().map(listed).collect())
}

/// Whether a session of a user is still there.
pub fn is_open(tx: &mut Tx<'_>, user: &str, session: &str) -> guildhall_store::Result<bool> {
    let sql = "select 1 from sessions where id = ? and user_id = ?";
    Ok(!tx.rows(&Sql::new(sql, [session.into(), user.into()]))?.is_empty())
}

/// Ends one session of a user.
pub fn end(work: &mut Work<'_, '_>, user: &str, session: &str) -> Result<bool> {
    let sql = "delete from sessions where id = ? and user_id = ?";
    Ok(work.tx.execute(&Sql::new(sql, [session.into(), user.into()]))? > 0)
}

/// Ends all sessions of a user but this one, and signs every command line out.
pub fn end_others(work: &mut Work<'_, '_>, user: &str, but: Option<&str>) -> Result<()> {
    let sql = "delete from sessions where user_id = ? and id <> ?";
    work.tx.execute(&Sql::new(sql, [user.into(), but.unwrap_or_default().into()]))?;
    consents::end_command_lines(work.tx, user, work.now)?;
    // Whoever was in may have seen a seed that waits.
    let sql = "delete from otp_seeds where user_id = ? and confirmed_at is null";
    work.tx.execute(&Sql::new(sql, [user.into()]))?;
    Ok(())
}

/// A token of one purpose is of no use for another: the purpose is part of what is hashed.
fn hash_of(token: &str) -> String {
    hash(&format!("session:{token}"))
}
