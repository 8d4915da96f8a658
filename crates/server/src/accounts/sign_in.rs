//! Signing in: a password, perhaps a code, or a passkey; at its end a session.

use super::guesses::{self, Try};
use super::owed_codes;
use super::passwords::{self, Overloaded, Verdict};
use super::second_factor;
use super::sessions::{self, Browser, Factor, Session};
use crate::App;
use crate::invitations;
use crate::resources::users;
use crate::work::{Author, Work};
use guildhall_jsonapi::Error;
use guildhall_store::Sql;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;
use webauthn_rs::prelude::PublicKeyCredential;

/// How much of an address is looked at: no valid one is longer.
const LONGEST_ADDRESS: usize = 254;

/// Why somebody did not get in.
#[derive(Debug)]
pub enum Refusal {
    /// What they showed is not right, or no longer; they are not told which.
    Wrong,
    /// They tried too often and may come back after so many seconds.
    Wait(u64),
    /// Everybody tries at this moment.
    Busy,
    /// Something is broken, and not for them to know.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<guildhall_store::Error> for Refusal {
    fn from(error: guildhall_store::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<Overloaded> for Refusal {
    fn from(_: Overloaded) -> Self {
        Self::Busy
    }
}

/// Who tries, from where, and what they are up to.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The browser.
    pub browser: Browser,
    /// The hash of what the browser is known by before anybody signs in.
    pub visitor: String,
    /// What is to happen once they are in.
    pub then: Then,
    /// The request.
    pub request: String,
}

/// What is to happen once somebody is signed in.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Then {
    /// Where they wanted to go.
    pub next: String,
    /// The token of the invitation they accept by signing in.
    pub invitation: Option<String>,
}

/// How far somebody got.
#[derive(Clone, Debug)]
pub enum Progress {
    /// They are in: the token of the session, and where to go.
    In(String, String),
    /// They owe a code.
    OwesCode,
}

/// What is owed and by whom, between a password and a code.
#[derive(Debug, Deserialize, Serialize)]
struct Owed {
    user: String,
    then: Then,
}

struct Account {
    user: String,
    hash: Option<String>,
}

/// Signs in with a password. Unknown, disabled and wrong are one answer and the same work.
pub async fn by_password(
    app: &Arc<App>,
    attempt: Attempt,
    email: &str,
    password: &str,
) -> Result<Progress, Refusal> {
    let key: String = email.trim().to_lowercase().chars().take(LONGEST_ADDRESS).collect();
    let tries = [Try::From(attempt.browser.address), Try::Password(key.clone())];
    guesses::take(app, &tries).await?;
    let found = find(app, key).await.inspect_err(|_| app.guesses.give_back(&tries))?;
    let hash = found.as_ref().and_then(|account| account.hash.clone());
    let verdict =
        app.hasher.verify(password, hash.clone()).await.inspect_err(|_| app.guesses.give_back(&tries))?;
    let Some(account) = found.filter(|_| verdict != Verdict::Wrong) else {
        return Err(Refusal::Wrong);
    };
    app.guesses.give_back(&tries);
    let renewed = match (verdict, &hash) {
        (Verdict::Outdated, Some(old)) => {
            Some((old.clone(), app.hasher.hash(password, app.chance.bytes()).await?))
        }
        _ => None,
    };
    let progress = Work::run(app, Author::Nobody, Some(attempt.request.clone()), move |work| {
        // The comparison took a while: the password it was about must still be the one, and the account open.
        if passwords::hash_of(work.tx, &account.user)? != hash {
            return Ok(None);
        }
        if let Some((old, new)) = &renewed {
            passwords::upgrade(work, &account.user, old, new)?;
        }
        if users::by_id(work, &account.user)?
            .is_some_and(|user| user.column("otp_required_for_login") == &json!(true))
        {
            let owed = Owed { user: account.user.clone(), then: attempt.then.clone() };
            owed_codes::begin(work, &attempt.visitor, &account.user, &owed)?;
            return Ok(Some(Progress::OwesCode));
        }
        enter(work, &account.user, Factor::Password, &attempt.browser, &attempt.then)
    })
    .await?;
    progress.ok_or(Refusal::Wrong)
}

/// Whether this browser owes a code.
pub async fn owes_code(app: &Arc<App>, visitor: &str) -> Result<bool, Error> {
    let visitor = visitor.to_owned();
    Work::look(app, move |work| Ok(owed_codes::state::<Owed>(work, &visitor)?.is_some())).await
}

/// Signs in with the code that is owed after a password.
pub async fn by_code(app: &Arc<App>, attempt: Attempt, code: &str) -> Result<Progress, Refusal> {
    let visitor = attempt.visitor.clone();
    let owed = Work::look(app, move |work| owed_codes::state::<Owed>(work, &visitor)).await?;
    let Owed { user, then } = owed.ok_or(Refusal::Wrong)?;
    let tries = [Try::From(attempt.browser.address), Try::SecondFactor(user.clone())];
    guesses::take(app, &tries).await?;
    let code = code.to_owned();
    let progress = Work::run(app, Author::Nobody, Some(attempt.request.clone()), move |work| {
        // Once more, inside the transaction: two codes at once must not both open.
        if owed_codes::state::<Owed>(work, &attempt.visitor)?.is_none() {
            return Ok(None);
        }
        if second_factor::spend(work, &user, &code)?.is_none() {
            owed_codes::miss(work, &attempt.visitor)?;
            return Ok(None);
        }
        owed_codes::end(work, &attempt.visitor)?;
        enter(work, &user, Factor::PasswordAndCode, &attempt.browser, &then)
    })
    .await?;
    app.guesses.give_back(if progress.is_some() { &tries } else { &[] });
    progress.ok_or(Refusal::Wrong)
}

/// Signs in with a passkey, which is all the factors there are.
pub async fn by_passkey(
    app: &Arc<App>,
    attempt: Attempt,
    question: String,
    shown: PublicKeyCredential,
) -> Result<Progress, Refusal> {
    let tries = [Try::From(attempt.browser.address)];
    guesses::take(app, &tries).await?;
    let progress = Work::run(app, Author::Nobody, Some(attempt.request.clone()), move |work| {
        match super::passkeys::finish(work, &attempt.visitor, (&question, &shown))? {
            Some(user) => enter(work, &user, Factor::Passkey, &attempt.browser, &attempt.then),
            None => Ok(None),
        }
    })
    .await?;
    app.guesses.give_back(if progress.is_some() { &tries } else { &[] });
    progress.ok_or(Refusal::Wrong)
}

/// Whether somebody who is signed in is who they are: by the password and, with a second factor, a code.
pub async fn check_again(
    app: &Arc<App>,
    browser: &Browser,
    session: &Session,
    password: &str,
    code: &str,
) -> Result<(), Refusal> {
    let tries = [Try::From(browser.address), Try::Again(session.user.clone())];
    guesses::take(app, &tries).await?;
    let user = session.user.clone();
    let hash = app.db.read(move |tx| passwords::hash_of(tx, &user)).await?;
    let verdict = app.hasher.verify(password, hash).await.inspect_err(|_| app.guesses.give_back(&tries))?;
    if verdict == Verdict::Wrong {
        return Err(Refusal::Wrong);
    }
    if session.otp {
        let (user, code) = (session.user.clone(), code.to_owned());
        let spent =
            Work::run(app, Author::Nobody, None, move |work| second_factor::spend(work, &user, &code));
        spent.await?.ok_or(Refusal::Wrong)?;
    }
    app.guesses.give_back(&tries);
    Ok(())
}

/// Begins the session and does what was to happen then; whoever is disabled meanwhile stays out.
pub(super) fn enter(
    work: &mut Work<'_, '_>,
    user: &str,
    factor: Factor,
    browser: &Browser,
    then: &Then,
) -> Result<Option<Progress>, Error> {
    let enabled = work.tx.rows(&Sql::new("select 1 from enabled_users where id = ?", [user.into()]))?;
    if enabled.is_empty() {
        return Ok(None);
    }
    let token = work.app.chance.secret();
    sessions::begin(work, user, factor, browser, &token)?;
    let mut next = then.next.clone();
    if let Some(link) = &then.invitation
        && !invitations::accept(work, link, user)?
    {
        // It has ended meanwhile, or it is for somebody else: its page says so.
        next = format!("/invitations/{link}");
    }
    Ok(Some(Progress::In(token, next)))
}

async fn find(app: &Arc<App>, key: String) -> Result<Option<Account>, guildhall_store::Error> {
    app.db
        .read(move |tx| {
            let rows = tx.rows(&Sql::new(
                "select u.id, p.hash
                 from enabled_users u left join passwords p on p.user_id = u.id where u.proved_email_key = ?",
                [key.into()],
            ))?;
            Ok(rows.first().map(|row| Account {
                user: row.text(0).to_owned(),
                hash: row.maybe_text(1).map(str::to_owned),
            }))
        })
        .await
}
