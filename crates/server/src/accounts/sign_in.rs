//! Signing in: a password, perhaps a code, or a passkey; at its end a session.

use super::ceremonies::{self, Purpose};
use super::guesses::Try;
use super::passwords::{self, Overloaded, Verdict};
use super::second_factor;
use super::sessions::{self, Browser, Factor};
use crate::App;
use crate::invitations;
use crate::work::{Author, Work};
use guildhall_jsonapi::Error;
use guildhall_store::Sql;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use webauthn_rs::prelude::PublicKeyCredential;

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
    /// The link of the invitation they accept by signing in.
    pub invitation: Option<String>,
}

/// How far somebody got.
#[derive(Clone, Debug)]
pub enum Progress {
    /// They are in: the token of the session, and where they wanted to go.
    In(String, Then),
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
    otp: bool,
}

/// Signs in with a password. Unknown, disabled and wrong are one answer and the same work.
pub async fn by_password(
    app: &Arc<App>,
    attempt: Attempt,
    email: &str,
    password: &str,
) -> Result<Progress, Refusal> {
    let key = email.trim().to_lowercase();
    let tries = [Try::From(attempt.browser.address), Try::Password(key.clone())];
    app.guesses.take(&tries, app.clock.now()).map_err(Refusal::Wait)?;
    let found = find(app, key).await?;
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
    Work::run(app, Author::Nobody, Some(attempt.request.clone()), move |work| {
        if let Some((old, new)) = &renewed {
            passwords::upgrade(work, &account.user, old, new)?;
        }
        if account.otp {
            let owed = Owed { user: account.user.clone(), then: attempt.then.clone() };
            ceremonies::begin(work, &attempt.visitor, Purpose::SecondFactor, Some(&account.user), &owed)?;
            return Ok(Progress::OwesCode);
        }
        enter(work, &account.user, Factor::Password, &attempt.browser, &attempt.then)
    })
    .await
    .map_err(Refusal::from)
}

/// Whether this browser owes a code.
pub async fn owes_code(app: &Arc<App>, visitor: &str) -> Result<bool, Error> {
    let visitor = visitor.to_owned();
    Work::look(app, move |work| {
        Ok(ceremonies::state::<Owed>(work, &visitor, Purpose::SecondFactor)?.is_some())
    })
    .await
}

/// Signs in with the code that is owed after a password.
pub async fn by_code(app: &Arc<App>, attempt: Attempt, code: &str) -> Result<Progress, Refusal> {
    let visitor = attempt.visitor.clone();
    let owed =
        Work::look(app, move |work| ceremonies::state::<Owed>(work, &visitor, Purpose::SecondFactor)).await?;
    let Owed { user, then } = owed.ok_or(Refusal::Wrong)?;
    let tries = [Try::From(attempt.browser.address), Try::SecondFactor(user.clone())];
    app.guesses.take(&tries, app.clock.now()).map_err(Refusal::Wait)?;
    let code = code.to_owned();
    let progress = Work::run(app, Author::Nobody, Some(attempt.request.clone()), move |work| {
        // Once more, inside the transaction: two codes at once must not both open.
        if ceremonies::state::<Owed>(work, &attempt.visitor, Purpose::SecondFactor)?.is_none() {
            return Ok(None);
        }
        if second_factor::spend(work, &user, &code)?.is_none() {
            ceremonies::miss(work, &attempt.visitor, Purpose::SecondFactor)?;
            return Ok(None);
        }
        ceremonies::end(work, &attempt.visitor, Purpose::SecondFactor)?;
        enter(work, &user, Factor::PasswordAndCode, &attempt.browser, &then).map(Some)
    })
    .await?;
    app.guesses.give_back(if progress.is_some() { &tries } else { &[] });
    progress.ok_or(Refusal::Wrong)
}

/// Signs in with a passkey, which is all the factors there are.
pub async fn by_passkey(
    app: &Arc<App>,
    attempt: Attempt,
    shown: PublicKeyCredential,
) -> Result<Progress, Refusal> {
    let tries = [Try::From(attempt.browser.address)];
    app.guesses.take(&tries, app.clock.now()).map_err(Refusal::Wait)?;
    let progress = Work::run(app, Author::Nobody, Some(attempt.request.clone()), move |work| {
        match super::passkeys::finish(work, &attempt.visitor, &shown)? {
            Some(user) => enter(work, &user, Factor::Passkey, &attempt.browser, &attempt.then).map(Some),
            None => Ok(None),
        }
    })
    .await?;
    app.guesses.give_back(if progress.is_some() { &tries } else { &[] });
    progress.ok_or(Refusal::Wrong)
}

/// Compares a password of somebody who is signed in, to show again who they are.
pub async fn check_password(
    app: &Arc<App>,
    browser: &Browser,
    email: &str,
    password: &str,
) -> Result<(), Refusal> {
    let key = email.to_lowercase();
    let tries = [Try::From(browser.address), Try::Password(key.clone())];
    app.guesses.take(&tries, app.clock.now()).map_err(Refusal::Wait)?;
    let hash = find(app, key).await?.and_then(|account| account.hash);
    match app.hasher.verify(password, hash).await? {
        Verdict::Wrong => Err(Refusal::Wrong),
        Verdict::Right | Verdict::Outdated => {
            app.guesses.give_back(&tries);
            Ok(())
        }
    }
}

/// Begins the session and does what was to happen then.
pub(super) fn enter(
    work: &mut Work<'_, '_>,
    user: &str,
    factor: Factor,
    browser: &Browser,
    then: &Then,
) -> Result<Progress, Error> {
    let token = sessions::new_token(&work.app.chance);
    sessions::begin(work, user, factor, browser, &token)?;
    if let Some(link) = &then.invitation {
        // One that has ended meanwhile shows its page; they are signed in all the same.
        invitations::accept_as(work, link, user)?;
    }
    Ok(Progress::In(token, then.clone()))
}

async fn find(app: &Arc<App>, key: String) -> Result<Option<Account>, guildhall_store::Error> {
    app.db
        .read(move |tx| {
            let rows = tx.rows(&Sql::new(
                "select u.id, p.hash, u.otp_required_for_login
                 from enabled_users u left join passwords p on p.user_id = u.id where u.email_key = ?",
                [key.into()],
            ))?;
            Ok(rows.first().map(|row| Account {
                user: row.text(0).to_owned(),
                hash: row.maybe_text(1).map(str::to_owned),
                otp: row.flag(2),
            }))
        })
        .await
}
