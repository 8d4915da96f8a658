//! A forgotten password: a letter to the address, and a new one.

use super::guesses::{self, Try};
use super::passwords;
use super::proofs::{self, Purpose};
use super::sessions;
use super::sign_in::{Attempt, Refusal};
use crate::App;
use crate::mail::tallies;
use crate::mail::{Letter, Message, queue};
use crate::resources::users;
use crate::work::{Author, Work};
use guildhall_jsonapi::Result;
use guildhall_store::Sql;
use std::sync::Arc;

/// Mails a link to an address that is proved to be a user's. For any other the answer, and the work, are the
/// same.
pub async fn ask(app: &Arc<App>, attempt: &Attempt, email: &str, language: &str) -> Result<(), Refusal> {
    guesses::take(app, &[Try::Letter(attempt.browser.address)]).await?;
    let (email, language) = (email.trim().to_owned(), language.to_owned());
    let source = attempt.browser.address;
    Work::run(app, Author::Nobody, Some(attempt.request.clone()), move |work| {
        let key = email.to_lowercase();
        let sql = "select id, language from enabled_users where proved_email_key = ?";
        let rows = work.tx.rows(&Sql::new(sql, [key.as_str().into()]))?;
        let user = rows.first().map(|row| row.text(0));
        let token = proofs::issue(work, Purpose::Reset, user, &email)?;
        let few = tallies::count_letter(work, "reset", &key, source)?;
        let link = format!("{}/reset/{token}", work.app.config.dashboard());
        let own = rows.first().and_then(|row| row.maybe_text(1));
        let letter = Letter::to(&email, own.unwrap_or(&language), Message::Reset { link });
        queue(work, &Letter { meant: few && user.is_some(), ..letter })
    })
    .await?;
    app.letters.notify_one();
    Ok(())
}

/// The address and the name a link is good for, which passwords are not to be made of.
pub async fn look(app: &Arc<App>, token: &str) -> Result<Option<(String, String)>> {
    let token = token.to_owned();
    Work::look(app, move |work| {
        let Some(proof) = proofs::find(work, Purpose::Reset, &token)? else { return Ok(None) };
        let user = users::by_id(work, &proof.user)?;
        Ok(user.map(|user| (proof.email, format!("{} {}", user.text("first_name"), user.text("last_name")))))
    })
    .await
}

/// Sets a new password; every session ends, and every token. The second factor stays what it is.
pub async fn choose(app: &Arc<App>, attempt: &Attempt, token: &str, password: &str) -> Result<(), Refusal> {
    let hash = app.hasher.hash(password, app.chance.bytes()).await?;
    let token = token.to_owned();
    let done = Work::run(app, Author::Nobody, Some(attempt.request.clone()), move |work| {
        let Some(proof) = proofs::spend(work, Purpose::Reset, &token)? else { return Ok(false) };
        let Some(user) = users::by_id(work, &proof.user)? else { return Ok(false) };
        // The address may have changed since.
        if user.text("proved_email_key") != proof.email.to_lowercase() {
            return Ok(false);
        }
        passwords::set(work, &user.id, &hash)?;
        proofs::end(work, Purpose::Reset, &user.id)?;
        sessions::end_others(work, &user.id, None)?;
        users::end_tokens(work, &user.id)?;
        work.record_deed(&user, "reset_password")?;
        tell(work, &user.id, "password")?;
        Ok(true)
    })
    .await?;
    app.letters.notify_one();
    if done { Ok(()) } else { Err(Refusal::Wrong) }
}

/// Tells a user by mail that something about their ways in has changed.
pub fn tell(work: &mut Work<'_, '_>, user: &str, what: &str) -> Result<()> {
    let Some(user) = users::by_id(work, user)? else { return Ok(()) };
    let link = format!("{}/account/security", work.app.config.dashboard());
    let message = Message::Changed { what: what.to_owned(), link };
    queue(work, &Letter::to(user.text("proved_email"), user.text("language"), message))
}
