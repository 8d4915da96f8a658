//! Signing in and out.

use super::page::{Field, Form, Page, Section, Style};
use super::refused;
use super::visit::{Visit, go};
use crate::accounts::sessions;
use crate::accounts::sign_in::{self, Progress, Refusal, Then};
use crate::config::SignUp;
use crate::http::Answer;
use crate::work::Work;
use guildhall_jsonapi::Result;

/// The form.
pub(super) fn show(visit: &Visit<'_>) -> Answer {
    if visit.session.is_some() { go(&visit.next()) } else { page(visit).answer(visit) }
}

fn page(visit: &Visit<'_>) -> Page {
    let say = &visit.say;
    // An application may know who comes.
    let email = if visit.is_post() { visit.field("email") } else { visit.query("email") };
    let mut section = Section::new(say.of("sign-in"));
    for form in forms(visit, email, false, &visit.next(), "") {
        section = section.form(form);
    }
    section = section.link("/reset", say.of("sign-in.forgot"));
    if visit.app.config.sign_up == SignUp::Open {
        section = section.link("/sign-up", say.of("sign-in.new"));
    }
    Page::narrow(say.of("sign-in"), section)
}

/// The ways in: a password and a passkey. With an invitation, signing in accepts it.
pub(super) fn forms(visit: &Visit<'_>, email: &str, fixed: bool, next: &str, invitation: &str) -> [Form; 2] {
    let say = &visit.say;
    let button = if invitation.is_empty() { "sign-in.button" } else { "sign-in.join" };
    let email = Field::new("email", say.of("field-email"), "email", "username webauthn").value(email);
    let email = if fixed { email.fixed() } else { email };
    let password = Field::new("password", say.of("field-password"), "password", "current-password");
    let with = |form: Form| form.hidden("next", next).hidden("invitation", invitation);
    [
        with(Form::new("/sign-in", say.of(button)).field(email).field(password)),
        with(Form::new("/sign-in/passkey", say.of("sign-in.passkey")).style(Style::Quiet).passkey("get")),
    ]
}

/// What is to happen once they are in.
fn then(visit: &Visit<'_>) -> Then {
    let invitation = Some(visit.field("invitation")).filter(|token| is_token(token));
    Then { next: visit.next(), invitation: invitation.map(str::to_owned) }
}

/// Whether a text can be part of a path as it is.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The page a form was on.
async fn asked_from(visit: &Visit<'_>) -> Result<Page> {
    match visit.field("invitation") {
        "" => Ok(page(visit)),
        token => super::invitations::page_of(visit, token).await,
    }
}

/// Tries the password.
pub(super) async fn password(visit: &Visit<'_>) -> Result<Answer> {
    let tried = sign_in::by_password(
        visit.app,
        visit.attempt(then(visit)),
        visit.field("email"),
        visit.field("password"),
    );
    match tried.await {
        Ok(progress) => Ok(on(visit, progress)),
        Err(refusal) => refused(visit, asked_from(visit).await?, refusal, "wrong-sign-in"),
    }
}

/// Tries the passkey.
pub(super) async fn passkey(visit: &Visit<'_>) -> Result<Answer> {
    let tried = match serde_json::from_str(visit.field("credential")) {
        Ok(shown) => {
            sign_in::by_passkey(
                visit.app,
                visit.attempt(then(visit)),
                visit.field("question").to_owned(),
                shown,
            )
            .await
        }
        Err(_) => Err(Refusal::Wrong),
    };
    match tried {
        Ok(progress) => Ok(on(visit, progress)),
        Err(refusal) => refused(visit, asked_from(visit).await?, refusal, "wrong-passkey"),
    }
}

/// Asks for the code that is owed.
pub(super) async fn code(visit: &Visit<'_>) -> Result<Answer> {
    let owes = sign_in::owes_code(visit.app, &visit.visitor_hash()).await?;
    Ok(if owes { code_page(visit).answer(visit) } else { go("/sign-in") })
}

fn code_page(visit: &Visit<'_>) -> Page {
    let say = &visit.say;
    let recovery = visit.query("with") == "recovery";
    let form = Form::new(
        if recovery { "/sign-in/code?with=recovery" } else { "/sign-in/code" },
        say.of("sign-in-code.button"),
    );
    let section = Section::new(say.of("sign-in-code"));
    let section = if recovery {
        // Letters and digits: no keyboard of digits only.
        let code = Field::new("code", say.of("field-recovery-code"), "text", "off");
        section
            .text(say.of("sign-in-code.recovery"))
            .form(form.field(code))
            .link("/sign-in/code", say.of("sign-in-code.device"))
    } else {
        let code = Field::new("code", say.of("field-code"), "code", "one-time-code");
        let lost = say.of("sign-in-code.lost");
        section
            .text(say.of("sign-in-code.lead"))
            .form(form.field(code))
            .link("/sign-in/code?with=recovery", lost)
    };
    Page::narrow(say.of("sign-in-code"), section)
}

/// Tries the code.
pub(super) async fn confirm(visit: &Visit<'_>) -> Result<Answer> {
    match sign_in::by_code(visit.app, visit.attempt(Then::default()), visit.field("code")).await {
        Ok(progress) => Ok(on(visit, progress)),
        Err(Refusal::Wrong) if !sign_in::owes_code(visit.app, &visit.visitor_hash()).await? => {
            Ok(go("/sign-in?said=start-again"))
        }
        Err(refusal) => refused(visit, code_page(visit), refusal, "wrong-code"),
    }
}

fn on(visit: &Visit<'_>, progress: Progress) -> Answer {
    match progress {
        Progress::OwesCode => go("/sign-in/code"),
        Progress::In(token, next) => {
            visit.app.letters.notify_one();
            visit.sign_in(go(if next.is_empty() { "/" } else { &next }), &token)
        }
    }
}

/// Ends the session.
pub(super) async fn sign_out(visit: &Visit<'_>) -> Result<Answer> {
    if let Some(session) = &visit.session {
        let (user, id) = (session.user.clone(), session.id.clone());
        Work::run_as(visit.app, session, &visit.asked.id, move |work| sessions::end(work, &user, &id))
            .await?;
    }
    let next = visit.next();
    let next = if next == "/" { "/sign-in?said=signed-out".to_owned() } else { next };
    Ok(visit.sign_out(go(&next)))
}
