//! A forgotten password.

use super::page::{Field, Form, Page, Section};
use super::visit::{Visit, go};
use super::{dead_end, judge, refused};
use crate::accounts::resets;
use crate::accounts::sign_in::{Refusal, Then};
use crate::http::Answer;
use guildhall_jsonapi::{Result, check_email};

/// The form.
pub(super) fn show(visit: &Visit<'_>) -> Answer {
    page(visit, &[]).answer(visit)
}

fn page(visit: &Visit<'_>, wrong: &[(String, String)]) -> Page {
    let say = &visit.say;
    let email = Field::new("email", say.of("field-email"), "email", "username")
        .value(visit.field("email"))
        .check(visit, wrong);
    let section = Section::new(say.of("reset"))
        .text(say.of("reset.lead"))
        .form(Form::new("/reset", say.of("reset.button")).field(email))
        .link("/sign-in", say.of("reset.back"));
    Page::narrow(say.of("reset"), section)
}

/// Mails a link to whoever has an account, and says so to everybody.
pub(super) async fn ask(visit: &Visit<'_>) -> Result<Answer> {
    let email = visit.field("email").trim();
    if !check_email(email) {
        return Ok(page(visit, &[("email".to_owned(), "invalid".to_owned())]).answer(visit));
    }
    match resets::ask(visit.app, &visit.attempt(Then::default()), email, &visit.say.tag()).await {
        Ok(()) => {
            let say = &visit.say;
            let section = Section::new(say.of("reset-sent"))
                .text(say.with("reset-sent.lead", &[("address", email)]))
                .link("/sign-in", say.of("reset.back"));
            Ok(Page::narrow(say.of("reset-sent"), section).answer(visit))
        }
        Err(refusal) => refused(visit, page(visit, &[]), refusal, "wrong-invalid"),
    }
}

/// The page of the letter's link. Opening it changes nothing.
pub(super) async fn link(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    Ok(match resets::look(visit.app, token).await? {
        Some((email, _)) => choose_page(visit, token, &email, &[]).answer(visit),
        None => dead(visit).answer(visit),
    })
}

fn choose_page(visit: &Visit<'_>, token: &str, email: &str, wrong: &[(String, String)]) -> Page {
    let say = &visit.say;
    let password = Field::new("password", say.of("field-new-password"), "password", "new-password")
        .hint(say.of("field-password.hint"))
        .check(visit, wrong);
    let form = Form::new(format!("/reset/{token}"), say.of("reset-choose.button"))
        .field(Field::new("email", say.of("field-email"), "email", "username").value(email).fixed())
        .field(password);
    Page::narrow(say.of("reset-choose"), Section::new(say.of("reset-choose")).form(form))
}

fn dead(visit: &Visit<'_>) -> Page {
    let mut page = dead_end(visit, 404, "reset");
    for section in &mut page.sections {
        section
            .links
            .insert(0, super::page::Link { href: "/reset".to_owned(), text: visit.say.of("reset.again") });
    }
    page
}

/// Sets the password; everybody signs in anew.
pub(super) async fn choose(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    let Some((email, name)) = resets::look(visit.app, token).await? else {
        return Ok(dead(visit).answer(visit));
    };
    let password = visit.field("password");
    if let Some(weakness) = judge(visit, password, &[&email, &name]).await? {
        let wrong = [("password".to_owned(), weakness.to_owned())];
        return Ok(choose_page(visit, token, &email, &wrong).answer(visit));
    }
    match resets::choose(visit.app, &visit.attempt(Then::default()), token, password).await {
        Ok(()) => Ok(visit.sign_out(go("/sign-in?said=password-changed"))),
        Err(Refusal::Wrong) => Ok(dead(visit).answer(visit)),
        Err(refusal) => refused(visit, choose_page(visit, token, &email, &[]), refusal, "wrong-invalid"),
    }
}
