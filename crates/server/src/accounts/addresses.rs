//! Another address for an account: proved at the new one, told to the old one, and to be taken back from there.

use super::proofs::{self, Purpose};
use super::sessions;
use crate::mail::tallies;
use crate::mail::{Letter, Message, queue};
use crate::resources::users;
use crate::work::Work;
use guildhall_jsonapi::{Problem, Record, Result};

const HOUR: i64 = 60 * 60 * 1000;
/// How many letters one address gets an hour.
const LETTERS_AN_HOUR: i64 = 5;

/// How a proof went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The address is theirs.
    Proved,
    /// The link is good for nothing (any more), or not for whoever shows it.
    Dead,
    /// Another account has the address by now, or it was invited where they are a member already.
    Taken,
}

/// Asks for a proof of the address a user wants to have. Whether somebody else has it, they learn only with
/// access to it.
pub fn want(work: &mut Work<'_, '_>, user: &str, email: &str) -> Result<()> {
    let Some(user) = users::by_id(work, user)? else { return Ok(()) };
    let key = email.to_lowercase();
    let other = users::by_email(work, email)?.is_some_and(|other| other.id != user.id);
    let token = proofs::issue(work, Purpose::NewAddress, Some(&user.id), email)?;
    let few = tallies::count(work, &[(format!("new address {key}"), LETTERS_AN_HOUR)], HOUR)?.is_none();
    let link = format!("{}/account/address/{token}", work.app.config.dashboard());
    let letter = Letter::to(email, user.text("language"), Message::NewAddress { link });
    queue(work, &Letter { meant: few && !other, ..letter })
}

/// Tells of an address that was changed through the API: the new one is to be proved, the old one can take
/// it back.
pub fn tell_of_move(work: &mut Work<'_, '_>, before: &Record, email: &str) -> Result<()> {
    want(work, &before.id, email)?;
    tell_old(work, before, email)
}

fn tell_old(work: &mut Work<'_, '_>, before: &Record, address: &str) -> Result<()> {
    // An address that was never proved is nobody's to take back.
    if before.column("email_proved") != &serde_json::json!(true) {
        return Ok(());
    }
    let old = before.text("email");
    let token = proofs::issue(work, Purpose::TakeBack, Some(&before.id), old)?;
    let link = format!("{}/address/{token}", work.app.config.dashboard());
    let message = Message::AddressChanged { address: address.to_owned(), link };
    queue(work, &Letter::to(old, before.text("language"), message))
}

/// Proves an address with the link of its letter, in a session of whoever wanted it: whoever reads the letter
/// alone gets nothing.
pub fn confirm(work: &mut Work<'_, '_>, token: &str, user: &str) -> Result<Outcome> {
    let Some(proof) = proofs::find(work, Purpose::NewAddress, token)?.filter(|proof| proof.user == user)
    else {
        return Ok(Outcome::Dead);
    };
    let Some(user) = users::by_id(work, &proof.user)? else { return Ok(Outcome::Dead) };
    proofs::spend(work, Purpose::NewAddress, token)?;
    if user.column("email_key").as_str() != Some(&proof.email.to_lowercase()) {
        if users::by_email(work, &proof.email)?.is_some() {
            return Ok(Outcome::Taken);
        }
        users::move_to(work, &user, &proof.email, true)?;
        tell_old(work, &user, &proof.email)?;
        // Links in letters to the old address are no longer theirs.
        proofs::end(work, Purpose::Reset, &user.id)?;
    }
    let moved = users::by_id(work, &user.id)?.ok_or_else(Problem::not_found)?;
    users::prove_address(work, &moved)?;
    Ok(Outcome::Proved)
}

/// Gives the old address back to whoever gets its letters, and ends every session: somebody else was in.
pub fn take_back(work: &mut Work<'_, '_>, token: &str) -> Result<Outcome> {
    let Some(proof) = proofs::find(work, Purpose::TakeBack, token)? else { return Ok(Outcome::Dead) };
    let Some(user) = users::by_id(work, &proof.user)? else { return Ok(Outcome::Dead) };
    if users::by_email(work, &proof.email)?.is_some_and(|other| other.id != user.id) {
        return Ok(Outcome::Taken);
    }
    proofs::spend(work, Purpose::TakeBack, token)?;
    for purpose in [Purpose::NewAddress, Purpose::Reset, Purpose::TakeBack] {
        proofs::end(work, purpose, &user.id)?;
    }
    users::move_to(work, &user, &proof.email, true)?;
    sessions::end_others(work, &user.id, None)?;
    Ok(Outcome::Proved)
}
