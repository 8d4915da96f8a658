//! One-time codes (TOTP, RFC 6238) and the recovery codes for the day the device is lost.

use super::owed_codes;
use crate::clock::HOUR;
use crate::crypto::hash;
use crate::resources::users;
use crate::work::Work;
use guildhall_jsonapi::{Result, Secrets as _};
use guildhall_store::Sql;
use totp_rs::{Builder, Secret, Totp};

/// How long a seed waits to be confirmed: longer, and somebody else may have seen it meanwhile.
const SEED_LIFE: i64 = HOUR;
/// How many recovery codes there are.
const RECOVERY_CODES: usize = 10;

/// A seed as its owner copies it into a device.
#[derive(Clone, Debug)]
pub struct Seed {
    /// In base 32, for typing.
    pub text: String,
    /// As a link, for scanning.
    pub url: String,
}

/// The seed of a user that is not confirmed yet, made if there is none; nothing when there is one that is.
pub fn begin(work: &mut Work<'_, '_>, user: &str, email: &str) -> Result<Option<Seed>> {
    let sealed = work
        .tx
        .rows(&Sql::new(
            "select sealed from otp_seeds where user_id = ? and confirmed_at is null and created_at > ?",
            [user.into(), (work.now - SEED_LIFE).into()],
        ))?
        .first()
        .map(|row| row.text(0).to_owned());
    let text = match sealed.and_then(|sealed| work.app.vault.open(&sealed)) {
        Some(text) => text,
        None => {
            let text = Secret::from(work.app.chance.bytes::<20>()).to_base32();
            let sealed = work.app.vault.seal_row(&text)?;
            let made = work.tx.execute(&Sql::new(
                "insert into otp_seeds (user_id, sealed, created_at) values (?, ?, ?)
                 on conflict (user_id) do update set sealed = excluded.sealed, last_step = 0,
                 created_at = excluded.created_at where otp_seeds.confirmed_at is null",
                [user.into(), sealed.into(), work.now.into()],
            ))?;
            if made == 0 {
                return Ok(None);
            }
            text
        }
    };
    let url = totp(&text, email).and_then(|totp| totp.to_url().ok()).unwrap_or_default();
    Ok(Some(Seed { text, url }))
}

/// Turns the second factor on when the device shows the right code; answers the recovery codes.
pub fn confirm(work: &mut Work<'_, '_>, user: &str, code: &str) -> Result<Option<Vec<String>>> {
    if !check(work, user, code, false)? {
        return Ok(None);
    }
    let sql = "update otp_seeds set confirmed_at = ? where user_id = ?";
    work.tx.execute(&Sql::new(sql, [work.now.into(), user.into()]))?;
    users::require_otp(work, user, true)?;
    owed_codes::end_all(work, user)?;
    Ok(Some(new_recovery_codes(work, user)?))
}

/// Replaces the recovery codes.
pub fn new_recovery_codes(work: &mut Work<'_, '_>, user: &str) -> Result<Vec<String>> {
    work.tx.execute(&Sql::new("delete from recovery_codes where user_id = ?", [user.into()]))?;
    let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| recovery_code(work)).collect();
    for code in &codes {
        let sql = "insert into recovery_codes (user_id, code_hash) values (?, ?)";
        work.tx.execute(&Sql::new(sql, [user.into(), hash_of(user, code).into()]))?;
    }
    Ok(codes)
}

/// How many recovery codes are left.
pub fn recovery_codes_left(work: &mut Work<'_, '_>, user: &str) -> Result<i64> {
    let sql = "select count(*) from recovery_codes where user_id = ?";
    Ok(work.tx.rows(&Sql::new(sql, [user.into()]))?.first().map_or(0, |row| row.int(0)))
}

/// Turns the second factor off.
pub fn remove(work: &mut Work<'_, '_>, user: &str) -> Result<()> {
    for sql in ["delete from otp_seeds where user_id = ?", "delete from recovery_codes where user_id = ?"] {
        work.tx.execute(&Sql::new(sql, [user.into()]))?;
    }
    owed_codes::end_all(work, user)?;
    users::require_otp(work, user, false)
}

/// What was typed where a code is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The code of the device.
    OneTimeCode,
    /// One of the recovery codes.
    RecoveryCode,
}

/// Whether a code is right; it is used up by that.
pub fn spend(work: &mut Work<'_, '_>, user: &str, code: &str) -> Result<Option<Shown>> {
    if check(work, user, code, true)? {
        return Ok(Some(Shown::OneTimeCode));
    }
    let sql = "delete from recovery_codes where user_id = ? and code_hash = ?";
    let used = work.tx.execute(&Sql::new(sql, [user.into(), hash_of(user, code).into()]))?;
    Ok((used == 1).then_some(Shown::RecoveryCode))
}

fn check(work: &mut Work<'_, '_>, user: &str, code: &str, confirmed: bool) -> Result<bool> {
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    let rows = work.tx.rows(&Sql::new(
        "select sealed, last_step from otp_seeds where user_id = ? and (confirmed_at is not null) = ?",
        [user.into(), confirmed.into()],
    ))?;
    let Some(row) = rows.first() else { return Ok(false) };
    let seconds = u64::try_from(work.now / 1000).unwrap_or(0);
    let step = work
        .app
        .vault
        .open(row.text(0))
        .and_then(|text| totp(&text, ""))
        .filter(|_| digits.len() == 6)
        .and_then(|totp| totp.check(&digits, seconds))
        .and_then(|step| i64::try_from(step).ok());
    let Some(step) = step else { return Ok(false) };
    // A code that was used, or one from before it, is not good again.
    let sql = "update otp_seeds set last_step = ? where user_id = ? and last_step < ?";
    Ok(work.tx.execute(&Sql::new(sql, [step.into(), user.into(), step.into()]))? == 1)
}

fn totp(seed: &str, email: &str) -> Option<Totp> {
    let secret = Secret::try_from_base32(seed).ok()?;
    let account = if email.is_empty() { "account".to_owned() } else { email.replace(':', " ") };
    Builder::new()
        .with_secret(secret)
        .with_skew(1)
        .with_account_name(account)
        .with_issuer(Some("Guildhall"))
        .build()
        .ok()
}

/// Twelve letters and digits nobody mistakes for each other, in groups: sixty bits.
fn recovery_code(work: &Work<'_, '_>) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
    let letters: Vec<char> = work
        .app
        .chance
        .bytes::<12>()
        .into_iter()
        .map(|byte| char::from(LETTERS[usize::from(byte & 31)]))
        .collect();
    letters.chunks(4).map(|group| group.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

fn hash_of(user: &str, code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    hash(&format!("recovery:{user}:{}", plain.to_ascii_lowercase()))
}
