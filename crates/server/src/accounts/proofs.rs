//! Links that are mailed to a user and prove, when they are used, that the letter arrived.

use crate::clock::HOUR;
use crate::crypto::hash;
use crate::work::Work;
use guildhall_jsonapi::Result;
use guildhall_store::Sql;

/// What a link is good for. One of another purpose does not know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To choose a new password.
    Reset,
    /// To prove an address that somebody wants to have, or has already but unproved.
    NewAddress,
    /// To have the old address back.
    TakeBack,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Reset => "reset",
            Self::NewAddress => "new-address",
            Self::TakeBack => "take-back",
        }
    }

    /// How long it is good, in hours.
    pub fn hours(self) -> i64 {
        match self {
            Self::Reset => 1,
            Self::NewAddress => 24,
            Self::TakeBack => 7 * 24,
        }
    }
}

/// What a link proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Whose it is.
    pub user: String,
    /// Where the letter went.
    pub email: String,
}

/// Makes a link for an address of a user, or of nobody, which is as much work. One for a new address ends an
/// earlier one. Those for a reset live side by side, or whoever asks for one could end the one that its owner
/// needs; so do those that take an address back, or whoever moves an account twice could. Answers its token.
pub fn issue(work: &mut Work<'_, '_>, purpose: Purpose, user: Option<&str>, email: &str) -> Result<String> {
    let token = work.app.chance.secret();
    let user_key = user.unwrap_or_default();
    let subject = match purpose {
        Purpose::Reset | Purpose::TakeBack => hash_of(purpose, &token),
        Purpose::NewAddress => user_key.to_owned(),
    };
    work.tx.execute(&Sql::new(
        "insert into proofs (purpose, subject, token_hash, user_id, email, created_at, expires_at)
         values (?, ?, ?, ?, ?, ?, ?)
         on conflict (purpose, subject) do update set token_hash = excluded.token_hash, user_id = excluded.user_id,
         email = excluded.email, created_at = excluded.created_at, expires_at = excluded.expires_at",
        [
            purpose.name().into(),
            subject.into(),
            hash_of(purpose, &token).into(),
            user.into(),
            email.into(),
            work.now.into(),
            (work.now + purpose.hours() * HOUR).into(),
        ],
    ))?;
    Ok(token)
}

/// What a token proves, if it is good for that; its user is not disabled.
pub fn find(work: &mut Work<'_, '_>, purpose: Purpose, token: &str) -> Result<Option<Proof>> {
    let rows = work.tx.rows(&Sql::new(
        "select p.user_id, p.email from proofs p join enabled_users u on u.id = p.user_id
         where p.token_hash = ? and p.purpose = ? and p.expires_at > ?",
        [hash_of(purpose, token).into(), purpose.name().into(), work.now.into()],
    ))?;
    Ok(rows.first().map(|row| Proof { user: row.text(0).to_owned(), email: row.text(1).to_owned() }))
}

/// When the first letter of a purpose was queued for the user of a token, at the same address.
pub fn since(work: &mut Work<'_, '_>, purpose: Purpose, token: &str) -> Result<i64> {
    let sql = "select min(first.created_at) from proofs p join proofs first
               on first.purpose = p.purpose and first.user_id = p.user_id and first.email = p.email
               where p.token_hash = ?";
    Ok(work
        .tx
        .rows(&Sql::new(sql, [hash_of(purpose, token).into()]))?
        .first()
        .and_then(|row| row.maybe_int(0))
        .unwrap_or(work.now))
}

/// The same, and the token is good no more: it proves something to one caller only.
pub fn spend(work: &mut Work<'_, '_>, purpose: Purpose, token: &str) -> Result<Option<Proof>> {
    let found = find(work, purpose, token)?;
    let sql = "delete from proofs where token_hash = ? and purpose = ?";
    let spent = work.tx.execute(&Sql::new(sql, [hash_of(purpose, token).into(), purpose.name().into()]))?;
    Ok(found.filter(|_| spent == 1))
}

/// Ends the links of a user for a purpose.
pub fn end(work: &mut Work<'_, '_>, purpose: Purpose, user: &str) -> Result<()> {
    let sql = "delete from proofs where user_id = ? and purpose = ?";
    work.tx.execute(&Sql::new(sql, [user.into(), purpose.name().into()]))?;
    Ok(())
}

/// The address a user wants to have and has not proved yet.
pub fn wanted_address(work: &mut Work<'_, '_>, user: &str) -> Result<Option<String>> {
    let rows = work.tx.rows(&Sql::new(
        "select email from proofs where user_id = ? and purpose = ? and expires_at > ?",
        [user.into(), Purpose::NewAddress.name().into(), work.now.into()],
    ))?;
    Ok(rows.first().map(|row| row.text(0).to_owned()))
}

/// The purpose is part of what is hashed, so that no lookup can mistake one for another.
fn hash_of(purpose: Purpose, token: &str) -> String {
    hash(&format!("{}:{token}", purpose.name()))
}
