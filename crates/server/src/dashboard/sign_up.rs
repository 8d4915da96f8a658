//! Signing up: the form, the code or link of the letter, and the account at its end.

use super::page::{Field, Form, Page, Section, Style};
use super::visit::{Visit, go};
use super::{dead_end, refused};
use crate::accounts::guesses::{self, Try};
use crate::accounts::sign_in::{Progress, Refusal, Then};
use crate::accounts::sign_ups::{self, Asked, Outcome, Waiting};
use crate::config::SignUp;
use crate::http::Answer;
use guildhall_jsonapi::Result;

/// The form.
pub(super) fn show(visit: &Visit<'_>) -> Answer {
    if visit.session.is_some() {
        return go("/");
    }
    match visit.app.config.sign_up {
        SignUp::Open => form(visit, &[]).answer(visit),
        SignUp::Invited => dead_end(visit, 403, "invited").answer(visit),
        SignUp::Closed => dead_end(visit, 403, "closed").answer(visit),
    }
}

fn form(visit: &Visit<'_>, wrong: &[(String, String)]) -> Page {
    let say = &visit.say;
    let field = |name, kind, autocomplete| {
        let label = say.of(&format!("field-{}", str::replace(name, "_", "-")));
        let value = if kind == "password" { "" } else { visit.field(name) };
        Field::new(name, label, kind, autocomplete).value(value).check(visit, wrong)
    };
    let form = Form::new("/sign-up", say.of("sign-up.button"))
        .field(field("email", "email", "email"))
        .field(field("password", "password", "new-password").hint(say.of("field-password.hint")))
        .field(field("first_name", "text", "given-name"))
        .field(field("last_name", "text", "family-name"))
        .field(
            field("organization", "text", "organization").optional().hint(say.of("field-organization.hint")),
        );
    let section = Section::new(say.of("sign-up"))
        .text(say.of("sign-up.lead"))
        .form(form)
        .link("/sign-in", say.of("sign-up.have"));
    Page::narrow(say.of("sign-up"), section)
}

/// Notes what was said and mails the proof.
pub(super) async fn ask(visit: &Visit<'_>) -> Result<Answer> {
    if visit.app.config.sign_up != SignUp::Open {
        return Ok(show(visit));
    }
    let asked = Asked {
        email: visit.field("email").trim().to_owned(),
        first_name: visit.field("first_name").to_owned(),
        last_name: visit.field("last_name").to_owned(),
        organization: visit.field("organization").to_owned(),
        password: visit.field("password").to_owned(),
        language: visit.say.tag(),
    };
    let attempt = visit.attempt(Then::default());
    // Before any work: what can be asked for without an account is limited first.
    let tries = [Try::Letter(visit.browser.address)];
    if let Err(refusal) = guesses::take(visit.app, &tries).await {
        return refused(visit, form(visit, &[]), refusal, "wrong-invalid");
    }
    let Ok(mut wrong) = sign_ups::check(visit.app, &asked).await else {
        return refused(visit, form(visit, &[]), Refusal::Busy, "wrong-busy");
    };
    if asked.last_name.trim().is_empty() {
        wrong.push(("last_name".to_owned(), "blank".to_owned()));
    }
    if !wrong.is_empty() {
        return Ok(form(visit, &wrong).answer(visit));
    }
    match sign_ups::ask(visit.app, &attempt, asked).await {
        Ok(()) => Ok(go("/sign-up/check")),
        Err(refusal) => refused(visit, form(visit, &[]), refusal, "wrong-invalid"),
    }
}

/// Says that a letter is on its way, and takes its code.
pub(super) async fn check(visit: &Visit<'_>) -> Result<Answer> {
    let waiting = sign_ups::of_browser(visit.app, &visit.visitor_hash()).await?;
    Ok(match waiting {
        Some(waiting) => code_form(visit, &waiting).answer(visit),
        None if visit.session.is_some() => go("/"),
        None => dead_end(visit, 404, "proof").answer(visit),
    })
}

fn code_form(visit: &Visit<'_>, waiting: &Waiting) -> Page {
    let say = &visit.say;
    let form = Form::new("/sign-up/check", say.of("sign-up-check.button")).field(
        Field::new("code", say.of("field-code"), "code", "one-time-code").hint(say.of("field-code.hint")),
    );
    let section = Section::new(say.of("sign-up-check"))
        .text(say.with("sign-up-check.lead", &[("address", &waiting.email)]))
        .form(form)
        .text(say.of("sign-up-check.late"))
        .link("/sign-up", say.of("sign-up-check.again"));
    Page::narrow(say.of("sign-up-check"), section)
}

/// Proves the address by the code.
pub(super) async fn code(visit: &Visit<'_>) -> Result<Answer> {
    let Some(waiting) = sign_ups::of_browser(visit.app, &visit.visitor_hash()).await? else {
        return check(visit).await;
    };
    match sign_ups::by_code(visit.app, visit.attempt(Then::default()), visit.field("code")).await {
        Ok(outcome) => Ok(done(visit, outcome)),
        Err(refusal) => refused(visit, code_form(visit, &waiting), refusal, "wrong-code"),
    }
}

/// The page of the letter's link. Opening it changes nothing.
pub(super) async fn link(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    let waiting = sign_ups::of_link(visit.app, token, &visit.visitor_hash()).await?;
    Ok(match waiting {
        Some(waiting) => link_form(visit, token, &waiting).answer(visit),
        None if visit.session.is_some() => go("/"),
        None => dead_end(visit, 404, "proof").answer(visit),
    })
}

fn link_form(visit: &Visit<'_>, token: &str, waiting: &Waiting) -> Page {
    let say = &visit.say;
    let mut form = Form::new(format!("/sign-up/{token}"), say.of("sign-up-confirm.button"));
    let address =
        Field::new("email", say.of("field-email"), "email", "username").value(&waiting.email).fixed();
    let mut section = Section::new(say.of("sign-up-confirm"));
    if waiting.same_browser {
        section = section.text(say.with("sign-up-confirm.lead", &[("address", &waiting.email)]));
    } else {
        // Whoever gets the letter need not be who asked for the account and knows its password.
        section = section.text(say.of("sign-up-confirm.elsewhere"));
        form = form.field(address).field(Field::new(
            "password",
            say.of("field-password"),
            "password",
            "current-password",
        ));
    }
    Page::narrow(say.of("sign-up-confirm"), section.form(form.style(Style::Main)))
}

/// Proves the address by the link.
pub(super) async fn confirm(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    let Some(waiting) = sign_ups::of_link(visit.app, token, &visit.visitor_hash()).await? else {
        return Ok(dead_end(visit, 404, "proof").answer(visit));
    };
    let attempt = visit.attempt(Then::default());
    match sign_ups::by_link(visit.app, attempt, token, visit.field("password")).await {
        Ok(outcome) => Ok(done(visit, outcome)),
        Err(refusal) => refused(visit, link_form(visit, token, &waiting), refusal, "wrong-password"),
    }
}

fn done(visit: &Visit<'_>, outcome: Outcome) -> Answer {
    match outcome {
        Outcome::In(Progress::In(token, _)) => visit.sign_in(go("/?said=welcome"), &token),
        Outcome::In(Progress::OwesCode) | Outcome::Taken => go("/sign-in?said=have-account"),
    }
}
