//! Letting another device in: somebody types in the code it shows, and says what it may do (RFC 8628).

use super::page::{Field, Form, Page, Section};
use super::refused;
use super::visit::{Visit, go};
use super::{consent, dead_end};
use crate::accounts::guesses::{self, Try};
use crate::accounts::sessions::Session;
use crate::accounts::sign_in::Refusal;
use crate::authorizations::applications::{self, Application};
use crate::authorizations::consents;
use crate::authorizations::devices::{self, Device, State};
use crate::http::Answer;
use crate::work::Work;
use guildhall_jsonapi::{Problem, Result};

/// Asks for the code. One that came with the address still has to be sent by whoever looks at the page.
pub(super) fn show(visit: &Visit<'_>) -> Answer {
    let code = if visit.query("code").is_empty() { visit.query("user_code") } else { visit.query("code") };
    page(visit, code).answer(visit)
}

fn page(visit: &Visit<'_>, code: &str) -> Page {
    let say = &visit.say;
    let code = Field::new("code", say.of("field-device-code"), "text", "off")
        .value(devices::shown(&devices::typed(code)));
    let section = Section::new(say.of("device"))
        .text(say.of("device.lead"))
        .form(Form::new("/device", say.of("device.button")).field(code));
    Page::narrow(say.of("device"), section)
}

/// Looks the code up and asks, or takes the answer.
pub(super) async fn act(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let tries = [Try::From(visit.browser.address), Try::Again(session.user.clone())];
    if let Err(refusal) = guesses::take(visit.app, &tries).await {
        return refused(visit, page(visit, visit.field("code")), refusal, "wrong-device-code");
    }
    let (code, user) = (devices::typed(visit.field("code")), session.user.clone());
    let typed = code.clone();
    let found = Work::look(visit.app, move |work| {
        let Some(device) = devices::by_user_code(work.tx, &typed, work.now)? else { return Ok(None) };
        let application = applications::by_id(work.tx, device.credential.as_deref(), work.now)?;
        let Some(application) = application else { return Ok(None) };
        let role = consent::role_of(work.tx, &application, &user)?;
        Ok(Some((device, application, role)))
    })
    .await?;
    let Some((device, application, role)) = found else {
        return refused(visit, page(visit, visit.field("code")), Refusal::Wrong, "wrong-device-code");
    };
    visit.app.guesses.give_back(&tries);
    let Some(role) = role else {
        let args = [("organization", application.organization_name.as_str())];
        let heading = visit.say.with("consent-stranger", &args);
        let section = Section::new(heading.clone()).text(visit.say.with("consent-stranger.lead", &args));
        let section = consent::whoever(visit, session, section, "/device");
        return Ok(Page::narrow(heading, section).status(403).answer(visit));
    };
    match visit.field("decision") {
        "" => Ok(ask(visit, session, &device, &application, &role, &code)),
        decision => decide(visit, session, device, &application, decision == "allow").await,
    }
}

fn ask(
    visit: &Visit<'_>,
    session: &Session,
    device: &Device,
    application: &Application,
    role: &str,
    code: &str,
) -> Answer {
    let asked = consent::section(visit, application, &device.scope, role);
    let mut answers = Section::default()
        .text(visit.say.of("device-sure"))
        .show(visit.say.of("field-device-code"), devices::shown(code));
    for form in consent::forms(visit, "/device", &[("code", code)]) {
        answers = answers.form(form);
    }
    let answers = consent::whoever(visit, session, answers, "/device");
    Page::narrow(asked.heading.clone(), asked).and(answers).answer(visit)
}

async fn decide(
    visit: &Visit<'_>,
    session: &Session,
    device: Device,
    application: &Application,
    allowed: bool,
) -> Result<Answer> {
    let (user, auth_time) = (session.user.clone(), session.proved_at / 1000);
    let credential = application.credential().map(str::to_owned);
    Work::run_as(visit.app, session, &visit.asked.id, move |work| {
        let state = if allowed { State::Approved } else { State::Denied };
        if !devices::decide(work.tx, &device.hash, state, &user, auth_time)? {
            return Err(Problem::not_found().into());
        }
        if allowed {
            consents::remember(work, &user, credential.as_deref(), &device.scope)?;
        }
        Ok(())
    })
    .await?;
    Ok(go(if allowed { "/device/allowed" } else { "/device/denied" }))
}

/// What is told afterwards.
pub(super) fn done(visit: &Visit<'_>, name: &str) -> Answer {
    match name {
        "allowed" => dead_end(visit, 200, "device-allowed").answer(visit),
        _ => dead_end(visit, 200, "device-denied").answer(visit),
    }
}
