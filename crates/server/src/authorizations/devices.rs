//! Signing in on another device (RFC 8628): a command line shows a code, somebody types it into a page.

use super::hash_of;
use crate::chance::Chance;
use crate::clock::MINUTE;
use guildhall_store::{Result, Row, Sql, Tx};

/// How long a code lives, in milliseconds.
pub const LIFE: i64 = 10 * MINUTE;
/// How many seconds to wait between two questions.
pub const PAUSE: i64 = 5;
/// Letters that neither look alike nor make words.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// What is known of a device that waits; moments in milliseconds.
#[derive(Clone, Debug)]
pub struct Device {
    /// By what it is found.
    pub hash: String,
    /// The API credential; the dashboard's own application has none.
    pub credential: Option<String>,
    /// What it asks for.
    pub scope: String,
    /// What was decided.
    pub state: State,
    /// Who decided.
    pub user: Option<String>,
    /// When they last showed who they are, in seconds.
    pub auth_time: Option<i64>,
    /// How many seconds it is to wait between two questions.
    pub pause: i64,
    /// When it asked last.
    pub polled_at: Option<i64>,
    /// When it ends.
    pub expires_at: i64,
}

/// What became of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nobody has typed it in.
    Pending,
    /// Somebody said yes.
    Approved,
    /// Somebody said no.
    Denied,
    /// It was redeemed.
    Redeemed,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Redeemed => "redeemed",
        }
    }

    fn read(name: &str) -> Self {
        let all = [Self::Pending, Self::Approved, Self::Denied];
        all.into_iter().find(|state| state.name() == name).unwrap_or(Self::Redeemed)
    }
}

/// A new code for people: eight letters.
pub fn user_code(chance: &Chance) -> String {
    let mut code = String::with_capacity(8);
    while code.len() < 8 {
        // Bytes that would favour some letters are thrown away.
        let fair = chance.bytes::<16>().into_iter().rev().filter(|byte| *byte < 240);
        code.extend(fair.take(8 - code.len()).map(|byte| char::from(LETTERS[usize::from(byte % 20)])));
    }
    code
}

/// A code as somebody typed it: with or without its dash, in whichever case.
pub fn typed(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_uppercase())
        .take(20)
        .collect()
}

/// A code as it is shown.
pub fn shown(code: &str) -> String {
    match code.split_at_checked(4) {
        Some((first, second)) if !second.is_empty() => format!("{first}-{second}"),
        _ => code.to_owned(),
    }
}

/// Keeps a device that waits.
pub fn keep(
    tx: &mut Tx<'_>,
    device_code: &str,
    user_code: &str,
    credential: Option<&str>,
    scope: &str,
    now: i64,
) -> Result<()> {
    tx.execute(&Sql::new(
        "insert into device_codes (code_hash, user_code, api_credential_id, scope, state, pause, created_at, expires_at)
         values (?, ?, ?, ?, 'pending', ?, ?, ?)",
        [
            hash_of("device", device_code).into(),
            user_code.into(),
            credential.into(),
            scope.into(),
            PAUSE.into(),
            now.into(),
            (now + LIFE).into(),
        ],
    ))
    .map(drop)
}

const COLUMNS: &str = "select code_hash, api_credential_id, scope, state, user_id, auth_time, pause, polled_at, expires_at from device_codes where ";

fn device(row: &Row<'_>) -> Device {
    let text = |index| row.maybe_text(index).map(str::to_owned);
    Device {
        hash: row.text(0).to_owned(),
        credential: text(1),
        scope: row.text(2).to_owned(),
        state: State::read(row.text(3)),
        user: text(4),
        auth_time: row.maybe_int(5),
        pause: row.int(6),
        polled_at: row.maybe_int(7),
        expires_at: row.int(8),
    }
}

/// The device with this code of its own.
pub fn by_device_code(tx: &mut Tx<'_>, code: &str) -> Result<Option<Device>> {
    let sql = Sql::new(&format!("{COLUMNS} code_hash = ?"), [hash_of("device", code).into()]);
    Ok(tx.rows(&sql)?.first().map(|row| device(&row)))
}

/// The device that waits with this code for people.
pub fn by_user_code(tx: &mut Tx<'_>, code: &str, now: i64) -> Result<Option<Device>> {
    let sql = format!("{COLUMNS} user_code = ? and state = 'pending' and expires_at > ?");
    Ok(tx.rows(&Sql::new(&sql, [code.into(), now.into()]))?.first().map(|row| device(&row)))
}

/// Notes that a device asked; whoever asks too often is to wait longer.
pub fn note_poll(tx: &mut Tx<'_>, hash: &str, pause: i64, now: i64) -> Result<()> {
    let sql = "update device_codes set polled_at = ?, pause = ? where code_hash = ?";
    tx.execute(&Sql::new(sql, [now.into(), pause.into(), hash.into()])).map(drop)
}

/// Decides; `false` when somebody else did.
pub fn decide(tx: &mut Tx<'_>, hash: &str, state: State, user: &str, auth_time: i64) -> Result<bool> {
    let sql = "update device_codes set state = ?, user_id = ?, auth_time = ? where code_hash = ? and state = 'pending'";
    let decided =
        tx.execute(&Sql::new(sql, [state.name().into(), user.into(), auth_time.into(), hash.into()]))?;
    Ok(decided > 0)
}

/// Redeems a code that was approved; `false` when it was redeemed before.
pub fn redeem(tx: &mut Tx<'_>, hash: &str) -> Result<bool> {
    let sql = "update device_codes set state = 'redeemed' where code_hash = ? and state = 'approved'";
    Ok(tx.execute(&Sql::new(sql, [hash.into()]))? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_for_people_are_easy_to_type() {
        let code = user_code(&Chance::system());
        assert_eq!((code.len(), code.bytes().all(|byte| LETTERS.contains(&byte))), (8, true));
        assert_eq!(typed(" bcdf-ghjk "), "BCDFGHJK");
        assert_eq!(
            (shown("BCDFGHJK").as_str(), shown("BCDF").as_str(), shown("").as_str()),
            ("BCDF-GHJK", "BCDF", "")
        );
    }
}
