//! Signing up: what somebody says of themselves waits until a link or a code proves that the address is theirs.
//!
//! Nothing is a user before that, so that nobody can sit on another's address. The code counts only in the
//! browser that asked for it; the link elsewhere wants the password, since whoever gets the letter need not
//! be who chose it.

use super::guesses::{self, Try};
use super::passwords::{self, Overloaded, Verdict};
use super::sessions::{Browser, Factor};
use super::sign_in::{self, Attempt, Progress, Refusal, Then};
use crate::App;
use crate::access::Caller;
use crate::clock::DAY;
use crate::config::SignUp;
use crate::crypto::{equal, hash, hex};
use crate::mail::tallies;
use crate::mail::{Letter, Message, queue};
use crate::resources::{self, users};
use crate::work::{Author, Work};
use guildhall_jsonapi::{Input, Problem, Result, Verb};
use guildhall_store::{Row, Sql};
use serde_json::json;
use std::sync::Arc;

/// How long the letter can be used.
const LIFE: i64 = DAY;
/// How many wrong codes or passwords end it.
const MOST_ATTEMPTS: i64 = 5;

/// What somebody says of themselves.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The address.
    pub email: String,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// The name of the first organization; empty for none.
    pub organization: String,
    /// The password.
    pub password: String,
    /// The language of the page.
    pub language: String,
}

/// A sign-up that waits for its proof.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The address.
    pub email: String,
    /// Whether it was this browser that asked.
    pub same_browser: bool,
}

/// How a proof went.
#[derive(Debug)]
pub enum Outcome {
    /// There is a user, who is signed in.
    In(Progress),
    /// The address has got an account meanwhile.
    Taken,
}

struct Stored {
    id: String,
    visitor: String,
    code: String,
    email: String,
    first_name: String,
    last_name: String,
    organization: String,
    password: String,
    language: String,
}

/// What is wrong with what somebody says: field, and name of the message.
pub async fn check(app: &App, asked: &Asked) -> Result<Vec<(String, String)>, Overloaded> {
    let new = new(&asked.email, &asked.first_name, &asked.last_name, "");
    let mut wrong: Vec<_> = users::check(&new).iter().map(Problem::field).collect();
    let about = [asked.email.as_str(), &asked.first_name, &asked.last_name, &asked.organization];
    if let Some(weakness) = app.hasher.weakness(&asked.password, &about).await? {
        wrong.push(("password".to_owned(), weakness.to_owned()));
    }
    if asked.organization.chars().count() > 255 || asked.organization.chars().any(char::is_control) {
        wrong.push(("organization".to_owned(), "invalid".to_owned()));
    }
    Ok(wrong)
}

/// Notes a sign-up and mails its proof. To an address that has an account goes a letter that says so; the
/// answer, and the work, are the same.
pub async fn ask(app: &Arc<App>, attempt: &Attempt, asked: Asked) -> Result<(), Refusal> {
    let password = app.hasher.hash(&asked.password, app.chance.bytes()).await?;
    let (visitor, source) = (attempt.visitor.clone(), attempt.browser.address);
    Work::run(app, Author::Nobody, Some(attempt.request.clone()), move |work| {
        let key = asked.email.to_lowercase();
        let few = tallies::count_letter(work, "sign-up", &key, source)?;
        let token = work.app.chance.secret();
        let code = six_digits(work);
        work.tx.execute(&Sql::new("delete from sign_ups where visitor_hash = ?", [visitor.as_str().into()]))?;
        work.tx.execute(&Sql::new(
            "insert into sign_ups (id, visitor_hash, token_hash, code_hash, email, email_key, first_name, last_name,
             organization, password_hash, language, created_at, expires_at)
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                work.new_id().into(),
                visitor.as_str().into(),
                hash_of(&token).into(),
                // A code nobody was told is nobody's to guess.
                if few { code_hash(work.app, &visitor, &code) } else { String::new() }.into(),
                asked.email.as_str().into(),
                key.as_str().into(),
                asked.first_name.trim().into(),
                asked.last_name.trim().into(),
                asked.organization.trim().into(),
                password.as_str().into(),
                asked.language.as_str().into(),
                work.now.into(),
                (work.now + LIFE).into(),
            ],
        ))?;
        let known = users::by_email(work, &asked.email)?.is_some();
        let dashboard = work.app.config.dashboard();
        let message = if known {
            Message::AlreadyRegistered { link: format!("{dashboard}/sign-in") }
        } else {
            Message::SignUp { link: format!("{dashboard}/sign-up/{token}"), code: code.clone() }
        };
        let letter = Letter::to(&asked.email, &asked.language, message);
        queue(work, &Letter { meant: few, ..letter })
    })
    .await?;
    app.letters.notify_one();
    Ok(())
}

/// The sign-up this browser waits for.
pub async fn of_browser(app: &Arc<App>, visitor: &str) -> Result<Option<Waiting>> {
    let visitor = visitor.to_owned();
    Work::look(app, move |work| {
        Ok(find(work, "visitor_hash", &visitor)?.map(|row| Waiting { email: row.email, same_browser: true }))
    })
    .await
}

/// The sign-up behind a link.
pub async fn of_link(app: &Arc<App>, token: &str, visitor: &str) -> Result<Option<Waiting>> {
    let (token, visitor) = (hash_of(token), visitor.to_owned());
    Work::look(app, move |work| {
        Ok(find(work, "token_hash", &token)?
            .map(|row| Waiting { same_browser: equal(&row.visitor, &visitor), email: row.email }))
    })
    .await
}

/// Proves the address with the code of the letter, in the browser that asked.
pub async fn by_code(app: &Arc<App>, attempt: Attempt, code: &str) -> Result<Outcome, Refusal> {
    let waiting = of_browser(app, &attempt.visitor).await?.ok_or(Refusal::Wrong)?;
    let tries = [Try::From(attempt.browser.address), Try::SignUpCode(waiting.email.to_lowercase())];
    guesses::take(app, &tries).await?;
    let digits: String = code.chars().filter(char::is_ascii_digit).collect();
    let outcome = conclude(app, attempt, move |work, attempt| {
        let Some(row) = find(work, "visitor_hash", &attempt.visitor)? else { return Ok(None) };
        let right = equal(&row.code, &code_hash(work.app, &attempt.visitor, &digits));
        // An account that is there by now was not asked for by this letter: see `ask`.
        if right && users::by_email(work, &row.email)?.is_none() {
            return Ok(Some(row));
        }
        miss(work, &row)?;
        Ok(None)
    })
    .await?;
    app.guesses.give_back(&tries);
    Ok(outcome)
}

/// Proves the address with the link of the letter; in another browser than the one that asked, with the
/// password as well.
pub async fn by_link(
    app: &Arc<App>,
    attempt: Attempt,
    token: &str,
    password: &str,
) -> Result<Outcome, Refusal> {
    let token = hash_of(token);
    let wanted = token.clone();
    let row = Work::look(app, move |work| find(work, "token_hash", &wanted)).await?;
    let row = row.ok_or(Refusal::Wrong)?;
    if !equal(&row.visitor, &attempt.visitor) {
        let tries = [Try::From(attempt.browser.address)];
        guesses::take(app, &tries).await?;
        let verdict = app.hasher.verify(password, Some(row.password.clone())).await;
        if verdict.inspect_err(|_| app.guesses.give_back(&tries))? == Verdict::Wrong {
            Work::run(app, Author::Nobody, None, move |work| miss(work, &row)).await?;
            return Err(Refusal::Wrong);
        }
        app.guesses.give_back(&tries);
    }
    conclude(app, attempt, move |work, _| find(work, "token_hash", &token)).await
}

/// Makes the user of the sign-up that is proved, in one transaction with everything that comes with it.
async fn conclude(
    app: &Arc<App>,
    attempt: Attempt,
    mut proved: impl FnMut(&mut Work<'_, '_>, &Attempt) -> Result<Option<Stored>> + Send + 'static,
) -> Result<Outcome, Refusal> {
    let user = app.chance.id(app.clock.now());
    let author = Author::Caller(Caller::newcomer(&user, &app.config));
    let request = Some(attempt.request.clone());
    let outcome = Work::run(app, author, request, move |work| {
        let Some(row) = proved(work, &attempt)? else { return Ok(None) };
        // It may have been closed since they began.
        if work.app.config.sign_up != SignUp::Open {
            return Ok(None);
        }
        if users::by_email(work, &row.email)?.is_some() {
            return Ok(Some(Outcome::Taken));
        }
        let plan = work.app.config.default_plan.clone();
        users::register_as(work, &user, &new(&row.email, &row.first_name, &row.last_name, &plan))?;
        users::set_language(work, &user, &row.language)?;
        passwords::set(work, &user, &row.password)?;
        if !row.organization.is_empty() {
            make_organization(work, &row.organization)?;
        }
        work.tx.execute(&Sql::new(
            "delete from sign_ups where email_key = ?",
            [row.email.to_lowercase().into()],
        ))?;
        enter(work, &user, &attempt.browser, &attempt.then)
    })
    .await?;
    app.letters.notify_one();
    outcome.ok_or(Refusal::Wrong)
}

fn enter(work: &mut Work<'_, '_>, user: &str, browser: &Browser, then: &Then) -> Result<Option<Outcome>> {
    Ok(sign_in::enter(work, user, Factor::Letter, browser, then)?.map(Outcome::In))
}

/// The first organization, with all that making one brings.
fn make_organization(work: &mut Work<'_, '_>, name: &str) -> Result<()> {
    let document = json!({ "data": { "type": "organizations", "attributes": { "name": name } } });
    let organizations = &resources::organizations::ORGANIZATIONS;
    let mut input = Input::read(organizations.spec, Verb::Create, None, document.to_string().as_bytes())?;
    match organizations.create {
        Some(create) => create(work, &mut input).map(drop),
        None => Err(Problem::not_found().into()),
    }
}

fn find(work: &mut Work<'_, '_>, column: &'static str, value: &str) -> Result<Option<Stored>> {
    let mut sql = Sql::text(
        "select id, visitor_hash, code_hash, email, first_name, last_name, organization, password_hash, language
         from sign_ups where expires_at > ",
    );
    sql.bind(work.now).push(" and attempts < ").bind(MOST_ATTEMPTS).push(" and ").push(column).push(" = ");
    sql.bind(value).push(" order by created_at desc limit 1");
    let read = |row: Row<'_>| Stored {
        id: row.text(0).to_owned(),
        visitor: row.text(1).to_owned(),
        code: row.text(2).to_owned(),
        email: row.text(3).to_owned(),
        first_name: row.text(4).to_owned(),
        last_name: row.text(5).to_owned(),
        organization: row.text(6).to_owned(),
        password: row.text(7).to_owned(),
        language: row.text(8).to_owned(),
    };
    Ok(work.tx.rows(&sql)?.first().map(read))
}

fn miss(work: &mut Work<'_, '_>, row: &Stored) -> Result<()> {
    let sql = "update sign_ups set attempts = attempts + 1 where id = ?";
    work.tx.execute(&Sql::new(sql, [row.id.as_str().into()]))?;
    Ok(())
}

fn new(email: &str, first_name: &str, last_name: &str, plan: &str) -> users::New {
    users::New {
        email: email.to_owned(),
        first_name: first_name.to_owned(),
        last_name: last_name.to_owned(),
        plan: plan.to_owned(),
    }
}

fn six_digits(work: &Work<'_, '_>) -> String {
    let number = u64::from_le_bytes(work.app.chance.bytes());
    format!("{:06}", number % 1_000_000)
}

/// The purpose is part of what is hashed, so that no lookup can mistake one for another.
fn hash_of(token: &str) -> String {
    hash(&format!("sign-up:{token}"))
}

/// Six digits are guessed at once by whoever has the database, so the hash needs the key that is not in it.
fn code_hash(app: &App, visitor: &str, code: &str) -> String {
    hex(&app.vault.sign(&["sign-up code", visitor, code]))
}
