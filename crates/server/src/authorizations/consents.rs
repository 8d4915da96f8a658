//! What somebody let an application do, so that they are asked once and can take it back.

use super::{chains, scope};
use crate::work::Work;
use guildhall_store::{Result, Sql, Tx};

/// A yes that stands, as its giver sees it; moments in milliseconds.
#[derive(Clone, Debug)]
pub struct Consent {
    /// The API credential.
    pub credential: String,
    /// What the application is called.
    pub name: String,
    /// What its organization is called.
    pub organization: String,
    /// Whether it is for the test environment.
    pub test: bool,
    /// To what they said yes.
    pub scope: String,
    /// When they first did.
    pub created_at: i64,
    /// When it was of use last.
    pub used_at: i64,
}

/// To what a user said yes before; nothing when it is empty.
pub fn remembered(tx: &mut Tx<'_>, user: &str, credential: Option<&str>) -> Result<String> {
    let sql = "select scope from consents where user_id = ? and api_credential_id = ?";
    let rows = tx.rows(&Sql::new(sql, [user.into(), credential.into()]))?;
    Ok(rows.first().map(|row| row.text(0).to_owned()).unwrap_or_default())
}

/// Whether a user said yes to all of this before.
pub fn stands(tx: &mut Tx<'_>, user: &str, credential: Option<&str>, asked: &str) -> Result<bool> {
    Ok(scope::covers(&remembered(tx, user, credential)?, asked))
}

/// Remembers a yes. One to the dashboard's own application is not: whoever uses it is asked each time.
pub fn remember(work: &mut Work<'_, '_>, user: &str, credential: Option<&str>, asked: &str) -> Result<()> {
    let Some(credential) = credential else { return Ok(()) };
    let before = remembered(work.tx, user, Some(credential))?;
    work.tx
        .execute(&Sql::new(
            "insert into consents (id, user_id, api_credential_id, scope, created_at, used_at) values (?, ?, ?, ?, ?, ?)
             on conflict (user_id, api_credential_id) do update set scope = excluded.scope, used_at = excluded.used_at",
            [
                work.new_id().into(),
                user.into(),
                credential.into(),
                scope::union(&before, asked).into(),
                work.now.into(),
                work.now.into(),
            ],
        ))
        .map(drop)
}

/// What a user has said yes to, the latest first.
pub fn list(tx: &mut Tx<'_>, user: &str) -> Result<Vec<Consent>> {
    let rows = tx.rows(&Sql::new(
        "select c.id, c.name, o.name, c.mode, g.scope, g.created_at, g.used_at
         from consents g join api_credentials c on c.id = g.api_credential_id join organizations o on o.id = c.organization_id
         where g.user_id = ? order by g.used_at desc, g.id limit 1000",
        [user.into()],
    ))?;
    let consents = rows.iter().map(|row| Consent {
        credential: row.text(0).to_owned(),
        name: row.text(1).to_owned(),
        organization: row.text(2).to_owned(),
        test: row.maybe_text(3) != Some("live"),
        scope: row.text(4).to_owned(),
        created_at: row.int(5),
        used_at: row.int(6),
    });
    Ok(consents.collect())
}

/// Takes a yes back: what was given because of it ends.
pub fn withdraw(tx: &mut Tx<'_>, user: &str, credential: &str, now: i64) -> Result<()> {
    for table in ["consents", "authorization_codes", "device_codes"] {
        let mut sql = Sql::text("delete from ");
        sql.push(table)
            .push(" where user_id = ")
            .bind(user)
            .push(" and api_credential_id = ")
            .bind(credential);
        tx.execute(&sql)?;
    }
    chains::end_of_consent(tx, user, credential, now)
}

/// Forgets to what a user said yes in an organization they are leaving. Should they come back, they are asked anew.
pub fn forget_member(tx: &mut Tx<'_>, user: &str, organization: &str, now: i64) -> Result<()> {
    for table in ["consents", "authorization_codes", "device_codes"] {
        let mut sql = Sql::text("delete from ");
        sql.push(table).push(" where user_id = ").bind(user);
        sql.push(" and api_credential_id in (select id from api_credentials where organization_id = ");
        sql.bind(organization).push(")");
        tx.execute(&sql)?;
    }
    chains::end_of_member(tx, user, organization, now)
}

/// A command line that somebody is signed in with; moments in milliseconds.
#[derive(Clone, Debug)]
pub struct CommandLine {
    /// Its chain.
    pub chain: String,
    /// Whether it was let in by a code on another device.
    pub by_code: bool,
    /// When that was.
    pub created_at: i64,
    /// When it was given a token last.
    pub used_at: i64,
}

/// The command lines a user is signed in with.
pub fn command_lines(tx: &mut Tx<'_>, user: &str, now: i64) -> Result<Vec<CommandLine>> {
    let rows = tx.rows(&Sql::new(
        "select id, began_by, created_at, used_at from chains where user_id = ? and api_credential_id is null
         and ended_at is null and expires_at > ? order by used_at desc, id limit 1000",
        [user.into(), now.into()],
    ))?;
    let lines = rows.iter().map(|row| CommandLine {
        chain: row.text(0).to_owned(),
        by_code: row.text(1) == "device",
        created_at: row.int(2),
        used_at: row.int(3),
    });
    Ok(lines.collect())
}

/// Signs all of them out, and those that were about to be let in.
pub fn end_command_lines(tx: &mut Tx<'_>, user: &str, now: i64) -> Result<()> {
    for table in ["authorization_codes", "device_codes"] {
        let mut sql = Sql::text("delete from ");
        sql.push(table).push(" where user_id = ").bind(user).push(" and api_credential_id is null");
        tx.execute(&sql)?;
    }
    let sql =
        "update chains set ended_at = ? where user_id = ? and api_credential_id is null and ended_at is null";
    tx.execute(&Sql::new(sql, [now.into(), user.into()])).map(drop)
}

/// Signs one of them out.
pub fn end_command_line(tx: &mut Tx<'_>, user: &str, chain: &str, now: i64) -> Result<()> {
    let sql = "update chains set ended_at = ? where id = ? and user_id = ? and api_credential_id is null and ended_at is null";
    tx.execute(&Sql::new(sql, [now.into(), chain.into(), user.into()])).map(drop)
}
