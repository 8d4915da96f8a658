//! Invitations: a single-use link in a letter, renewed by sending it again.

use crate::crypto::hash;
use crate::outbox::{self, Letter};
use crate::work::{Author, Work};
use guildhall_jsonapi::Result;
use guildhall_store::Sql;

const DAY: i64 = 24 * 60 * 60 * 1000;

/// Makes a link for a pending membership and queues the letter that holds it; an older link ends.
pub fn issue(work: &mut Work<'_, '_>, membership: &str, organization: &str, email: &str) -> Result<()> {
    let token = work.app.chance.secret();
    let days = i64::from(work.app.config.invitation_days);
    work.tx.execute(&Sql::new(
        "insert into invitations (membership_id, token_hash, created_at, expires_at) values (?, ?, ?, ?)
         on conflict (membership_id) do update set token_hash = excluded.token_hash,
         created_at = excluded.created_at, expires_at = excluded.expires_at",
        [membership.into(), hash(&token).into(), work.now.into(), (work.now + days * DAY).into()],
    ))?;
    let letter = Letter::Invitation {
        organization: name(work, organization)?,
        inviter: inviter(work)?,
        link: format!("{}/invitations/{token}", work.app.config.url("dashboard")),
        days,
    };
    outbox::queue(work, email, &letter)
}

/// Queues the letter for somebody who has an account and so is a member at once.
pub fn welcome(work: &mut Work<'_, '_>, organization: &str, email: &str) -> Result<()> {
    let letter = Letter::Welcome {
        organization: name(work, organization)?,
        inviter: inviter(work)?,
        link: work.app.config.url("dashboard"),
    };
    outbox::queue(work, email, &letter)
}

/// Ends the link of a membership that waits no more.
pub fn retire(work: &mut Work<'_, '_>, membership: &str) -> Result<()> {
    work.tx.execute(&Sql::new("delete from invitations where membership_id = ?", [membership.into()]))?;
    Ok(())
}

fn name(work: &mut Work<'_, '_>, organization: &str) -> Result<String> {
    Ok(work.text("organizations", organization, "name")?.unwrap_or_default())
}

fn inviter(work: &mut Work<'_, '_>) -> Result<String> {
    let Author::Caller(caller) = work.author else {
        return Ok(String::new());
    };
    let rows = work
        .tx
        .rows(&Sql::new("select first_name, last_name from users where id = ?", [(&caller.user).into()]))?;
    let full = rows.first().map(|row| format!("{} {}", row.text(0), row.text(1))).unwrap_or_default();
    Ok(full.trim().to_owned())
}
