//! Another address for an account: proved at the new one, told to the old one, and to be taken back from there.

use super::proofs::{self, Purpose};
use super::{owed_codes, passwords, second_factor, sessions};
use crate::clock::DAY;
use crate::mail::tallies;
use crate::mail::{Letter, Message, queue};
use crate::resources::users;
use crate::work::Work;
use guildhall_jsonapi::{Record, Result};
use guildhall_store::Sql;

/// How many letters to new addresses one user has sent a day.
const LETTERS_A_DAY: i64 = 10;

/// How a proof went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The address is theirs.
    Proved,
    /// The link is good for nothing (any more), or not for whoever shows it.
    Dead,
    /// Another account has the address by now.
    Taken,
}

/// Asks for a proof of the address a user wants to have. Whether somebody else has it, they learn only with
/// access to it.
/// Answers whether there may be another letter today.
pub fn want(work: &mut Work<'_, '_>, user: &str, email: &str) -> Result<bool> {
    let Some(user) = users::by_id(work, user)? else { return Ok(false) };
    let other = users::by_email(work, email)?.is_some_and(|other| other.id != user.id);
    let token = proofs::issue(work, Purpose::NewAddress, Some(&user.id), email)?;
    let names = [(format!("new addresses of {}", user.id), LETTERS_A_DAY)];
    let few = tallies::count(work, &names, DAY)?.is_none();
    let link = format!("{}/account/address/{token}", work.app.config.dashboard());
    let letter = Letter::to(email, user.text("language"), Message::NewAddress { link });
    queue(work, &Letter { meant: few && !other, ..letter })?;
    Ok(few)
}

/// Tells of an address that was claimed through the API: it is to be proved, and the one that is proved hears
/// of it.
pub fn tell_of_claim(work: &mut Work<'_, '_>, user: &Record, email: &str) -> Result<()> {
    want(work, &user.id, email)?;
    tell_old(work, user, email, false)
}

fn tell_old(work: &mut Work<'_, '_>, before: &Record, address: &str, moved: bool) -> Result<()> {
    let old = before.text("proved_email");
    let token = proofs::issue(work, Purpose::TakeBack, Some(&before.id), old)?;
    let link = format!("{}/address/{token}", work.app.config.dashboard());
    let address = address.to_owned();
    let message = if moved {
        Message::AddressChanged { address, link }
    } else {
        Message::AddressClaimed { address, link }
    };
    queue(work, &Letter::to(old, before.text("language"), message))
}

/// Proves an address with the link of its letter, in a session of whoever wanted it: whoever reads the letter
/// alone gets nothing. The other sessions end.
pub fn confirm(work: &mut Work<'_, '_>, token: &str, user: &str, session: &str) -> Result<Outcome> {
    let Some(proof) = proofs::find(work, Purpose::NewAddress, token)?.filter(|proof| proof.user == user)
    else {
        return Ok(Outcome::Dead);
    };
    let Some(user) = users::by_id(work, &proof.user)? else { return Ok(Outcome::Dead) };
    proofs::spend(work, Purpose::NewAddress, token)?;
    if users::by_email(work, &proof.email)?.is_some_and(|other| other.id != user.id) {
        return Ok(Outcome::Taken);
    }
    if user.text("proved_email_key") != proof.email.to_lowercase() {
        tell_old(work, &user, &proof.email, true)?;
    }
    users::move_to(work, &user, &proof.email)?;
    sessions::end_others(work, &user.id, Some(session))?;
    // Links in letters to the old address are no longer theirs.
    proofs::end(work, Purpose::Reset, &user.id)?;
    Ok(Outcome::Proved)
}

/// Gives the old address back to whoever gets its letters. Somebody else was in: every session and token ends,
/// and so does every way in that was made since the move.
pub fn take_back(work: &mut Work<'_, '_>, token: &str) -> Result<Outcome> {
    let Some(proof) = proofs::find(work, Purpose::TakeBack, token)? else { return Ok(Outcome::Dead) };
    let Some(user) = users::by_id(work, &proof.user)? else { return Ok(Outcome::Dead) };
    if users::by_email(work, &proof.email)?.is_some_and(|other| other.id != user.id) {
        return Ok(Outcome::Taken);
    }
    let since = proofs::since(work, Purpose::TakeBack, token)?;
    for purpose in [Purpose::NewAddress, Purpose::Reset, Purpose::TakeBack] {
        proofs::end(work, purpose, &user.id)?;
    }
    users::move_to(work, &user, &proof.email)?;
    sessions::end_others(work, &user.id, None)?;
    owed_codes::end_all(work, &user.id)?;
    forget_since(work, &user.id, since)?;
    // The new secret is nobody's: its owner makes one when they are in again.
    let moved = users::by_id(work, &user.id)?.unwrap_or(user);
    users::rotate_secret(work, &moved)?;
    users::end_tokens(work, &moved.id)?;
    work.record_deed(&moved, "take_back_address")?;
    Ok(Outcome::Proved)
}

/// Removes the ways in that are newer than a moment. Older ones may be the owner's own, and must not be lost
/// to somebody who has nothing but the old mailbox.
fn forget_since(work: &mut Work<'_, '_>, user: &str, since: i64) -> Result<()> {
    let newer = |work: &mut Work<'_, '_>, sql: &'static str| -> Result<bool> {
        Ok(!work.tx.rows(&Sql::new(sql, [user.into(), since.into()]))?.is_empty())
    };
    if newer(work, "select 1 from passwords where user_id = ? and changed_at >= ?")? {
        passwords::remove(work, user)?;
    }
    if newer(work, "select 1 from otp_seeds where user_id = ? and confirmed_at >= ?")? {
        second_factor::remove(work, user)?;
    }
    // Whether those were made anew, nobody noted.
    work.tx.execute(&Sql::new("delete from recovery_codes where user_id = ?", [user.into()]))?;
    let sql = "delete from passkeys where user_id = ? and created_at >= ?";
    work.tx.execute(&Sql::new(sql, [user.into(), since.into()]))?;
    Ok(())
}
