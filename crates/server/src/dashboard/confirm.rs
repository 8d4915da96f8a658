//! Showing once more who one is, before a change that somebody else at this browser must not make.

use super::page::{Field, Form, Page, Section, Style};
use super::refused;
use super::visit::{Visit, go};
use crate::accounts::sessions::{self, Session};
use crate::accounts::sign_in::{self, Refusal};
use crate::accounts::{
    guesses::{self, Try},
    passkeys,
};
use crate::http::Answer;
use crate::work::Work;
use guildhall_jsonapi::Result;

/// The form.
pub(super) fn show(visit: &Visit<'_>, session: &Session) -> Answer {
    page(visit, session).answer(visit)
}

fn page(visit: &Visit<'_>, session: &Session) -> Page {
    let say = &visit.say;
    let email = Field::new("email", say.of("field-email"), "email", "username").value(&session.email).fixed();
    let password = Field::new("password", say.of("field-password"), "password", "current-password");
    let form = Form::new("/confirm", say.of("confirm.button")).hidden("next", visit.next());
    let code = Field::new("code", say.of("confirm.code"), "text", "one-time-code");
    let passkey = Form::new("/confirm/passkey", say.of("sign-in.passkey")).hidden("next", visit.next());
    let section = Section::new(say.of("confirm"))
        .text(say.of("confirm.lead"))
        .form(if session.otp {
            form.field(email).field(password).field(code)
        } else {
            form.field(email).field(password)
        })
        .form(passkey.style(Style::Quiet).passkey("get"))
        .link("/reset", say.of("sign-in.forgot"));
    Page::narrow(say.of("confirm"), section)
}

/// Tries the password.
pub(super) async fn password(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let (password, code) = (visit.field("password"), visit.field("code"));
    match sign_in::check_again(visit.app, &visit.browser, session, password, code).await {
        Ok(()) => renew(visit, session).await,
        Err(refusal) => {
            let wrong = if session.otp { "wrong-password-or-code" } else { "wrong-password" };
            refused(visit, page(visit, session), refusal, wrong)
        }
    }
}

/// Tries the passkey.
pub(super) async fn passkey(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let tries = [Try::From(visit.browser.address)];
    if let Err(refusal) = guesses::take(visit.app, &tries).await {
        return refused(visit, page(visit, session), refusal, "wrong-passkey");
    }
    let shown = serde_json::from_str(visit.field("credential"));
    let Ok(shown) = shown else {
        return refused(visit, page(visit, session), Refusal::Wrong, "wrong-passkey");
    };
    let (visitor, question) = (visit.visitor_hash(), visit.field("question").to_owned());
    let whose = Work::run_as(visit.app, session, &visit.asked.id, move |work| {
        passkeys::finish(work, &visitor, (&question, &shown))
    })
    .await?;
    if whose.as_deref() == Some(&session.user) {
        visit.app.guesses.give_back(&tries);
        return renew(visit, session).await;
    }
    refused(visit, page(visit, session), Refusal::Wrong, "wrong-passkey")
}

async fn renew(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let token = visit.app.chance.secret();
    let (id, new) = (session.id.clone(), token.clone());
    Work::run_as(visit.app, session, &visit.asked.id, move |work| sessions::renew(work, &id, &new)).await?;
    Ok(visit.sign_in(go(&visit.next()), &token))
}
