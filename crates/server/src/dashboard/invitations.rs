//! The pages of an invitation's link: one for each thing that can be the matter with it.

use super::page::{Field, Form, Mark, Page, Section, Style};
use super::visit::{Visit, go};
use super::{dead_end, judge, refused, sign_in};
use crate::accounts::sign_in::Refusal;
use crate::config::SignUp;
use crate::http::Answer;
use crate::invitations::{self, Invitation, Newcomer, State};
use crate::mail::{Brand, clean};
use crate::resources::users;
use crate::work::{Author, Work};
use guildhall_jsonapi::{Problem, Result};

/// The page of the letter's link. Opening it changes nothing, whoever opens it and how.
pub(super) async fn show(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    Ok(page_of(visit, token).await?.answer(visit))
}

/// The page of a link as things stand.
pub(super) async fn page_of(visit: &Visit<'_>, token: &str) -> Result<Page> {
    let wanted = token.to_owned();
    let found = Work::look(visit.app, move |work| invitations::find(work, &wanted)).await?;
    Ok(match found {
        None => dead_end(visit, 404, "invitation"),
        Some(found) if found.state == State::Open => open(visit, token, &found, &[]),
        Some(found) => ended(visit, token, &found),
    })
}

fn open(visit: &Visit<'_>, token: &str, found: &Invitation, wrong: &[(String, String)]) -> Page {
    let say = &visit.say;
    // Whoever invites chose these: the page says no more in their name than the letter did.
    let (organization, inviter, role) = (clean(&found.name), clean(&found.inviter), clean(&found.role));
    let organization = organization.as_str();
    let title = say.with("invitation", &[("organization", organization)]);
    let told = [("organization", organization), ("inviter", inviter.as_str()), ("role", role.as_str())];
    let lead = if found.inviter.is_empty() { "invitation.lead" } else { "invitation.lead-by" };
    let mut section = Section { mark: Some(mark(found)), ..Section::new(title.clone()) };
    section = section.text(say.with(lead, &told));
    let decline = Form::new(format!("/invitations/{token}/decline"), say.of("invitation.decline"));
    let decline = decline.style(Style::Quiet);
    let signed_in = visit.session.as_ref();
    let own = signed_in.filter(|session| session.email.to_lowercase() == found.email.to_lowercase());
    if let Some(session) = own {
        let accept = Form::new(format!("/invitations/{token}/accept"), say.of("invitation.accept"));
        section = section.text(say.with("invitation.as", &[("address", &session.email)])).form(accept);
    } else if let Some(session) = signed_in {
        let told = [("address", found.email.as_str()), ("own", &session.email)];
        let switch = Form::new("/sign-out", say.of("invitation.switch"))
            .hidden("next", format!("/invitations/{token}"));
        return Page::narrow(title, section.text(say.with("invitation.other", &told)).form(switch));
    } else if found.has_account {
        section = section.text(say.of("invitation.sign-in"));
        let next = "/?said=joined";
        for form in sign_in::forms(visit, &found.email, true, next, token) {
            section = section.form(form);
        }
        section = section.link("/reset", say.of("sign-in.forgot"));
    } else if visit.app.config.sign_up == SignUp::Closed {
        return Page::narrow(title, section.text(say.of("dead-closed.lead")));
    } else {
        section = section.form(newcomer_form(visit, token, found, wrong));
    }
    Page::narrow(title, section.form(decline))
}

/// Two fields to fill: the link is the proof of the address.
fn newcomer_form(visit: &Visit<'_>, token: &str, found: &Invitation, wrong: &[(String, String)]) -> Form {
    let say = &visit.say;
    let name = Field::new("name", say.of("field-name"), "text", "name").value(visit.field("name"));
    let password = Field::new("password", say.of("field-password"), "password", "new-password");
    Form::new(format!("/invitations/{token}/join"), say.of("invitation.join"))
        .field(Field::new("email", say.of("field-email"), "email", "username").value(&found.email).fixed())
        .field(name.check(visit, wrong))
        .field(password.hint(say.of("field-password.hint")).check(visit, wrong))
}

fn ended(visit: &Visit<'_>, token: &str, found: &Invitation) -> Page {
    let say = &visit.say;
    let name = format!("invitation-{}", found.state.name());
    let title = say.of(&name);
    let organization = clean(&found.name);
    let told = [("organization", organization.as_str()), ("address", &found.email)];
    let mut section = Section::new(title.clone()).text(say.with(&format!("{name}.lead"), &told));
    match found.state {
        State::Expired | State::Renewed => {
            section = section.form(Form::new(
                format!("/invitations/{token}/renew"),
                say.with("invitation.renew", &[("address", &found.email)]),
            ));
        }
        State::Accepted => section = section.link("/", say.of("invitation-accepted.on")),
        State::Open | State::Declined | State::Revoked => {}
    }
    Page::narrow(title, section).status(410)
}

fn mark(found: &Invitation) -> Mark {
    Mark::of(&found.name, &Brand { color: found.color.clone(), ..Brand::default() })
}

/// Does what a button of the page says.
pub(super) async fn act(visit: &Visit<'_>, token: &str, deed: &str) -> Result<Answer> {
    match deed {
        "join" => join(visit, token).await,
        "accept" => accept(visit, token).await,
        "decline" => decline(visit, token).await,
        "renew" => renew(visit, token).await,
        _ => Err(Problem::not_found().into()),
    }
}

async fn join(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    let wanted = token.to_owned();
    let found = Work::look(visit.app, move |work| invitations::find(work, &wanted)).await?;
    let usable = |found: &Invitation| {
        found.state == State::Open
            && !found.has_account
            && visit.session.is_none()
            && visit.app.config.sign_up != SignUp::Closed
    };
    let Some(found) = found.filter(usable) else { return show(visit, token).await };
    let (first_name, last_name) = names(visit.field("name"));
    let password = visit.field("password");
    let new = users::New {
        email: found.email.clone(),
        first_name: first_name.clone(),
        last_name: last_name.clone(),
        plan: String::new(),
    };
    let mut wrong: Vec<(String, String)> =
        users::check(&new).iter().map(|problem| ("name".to_owned(), problem.field().1)).collect();
    let about = [found.email.as_str(), &first_name, &last_name, &found.name];
    if let Some(weakness) = judge(visit, password, &about).await? {
        wrong.push(("password".to_owned(), weakness.to_owned()));
    }
    if !wrong.is_empty() {
        return Ok(open(visit, token, &found, &wrong).answer(visit));
    }
    let hashed = visit.app.hasher.hash(password, visit.app.chance.bytes()).await;
    let Ok(password_hash) = hashed else {
        return refused(visit, open(visit, token, &found, &[]), Refusal::Busy, "wrong-busy");
    };
    let newcomer = Newcomer {
        user: visit.app.chance.id(visit.app.clock.now()),
        first_name,
        last_name,
        password_hash,
        language: visit.say.tag(),
    };
    let author = invitations::author(&newcomer.user, visit.app);
    let (wanted, browser) = (token.to_owned(), visit.browser.clone());
    let session = Work::run(visit.app, author, Some(visit.asked.id.clone()), move |work| {
        invitations::join(work, &wanted, &newcomer, &browser)
    })
    .await?;
    match session {
        Some(session) => Ok(visit.sign_in(go("/?said=joined"), &session)),
        // Somebody was faster: the page says how it stands now.
        None => show(visit, token).await,
    }
}

async fn accept(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    let Some(session) = &visit.session else { return show(visit, token).await };
    let (wanted, user) = (token.to_owned(), session.user.clone());
    let accepted = Work::run_as(visit.app, session, &visit.asked.id, move |work| {
        invitations::accept(work, &wanted, &user)
    })
    .await?;
    if accepted { Ok(go("/?said=joined")) } else { show(visit, token).await }
}

async fn decline(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    let wanted = token.to_owned();
    let request = Some(visit.asked.id.clone());
    Work::run(visit.app, Author::Nobody, request, move |work| invitations::decline(work, &wanted)).await?;
    Ok(go(&format!("/invitations/{token}")))
}

async fn renew(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    let wanted = token.to_owned();
    let request = Some(visit.asked.id.clone());
    let renewed =
        Work::run(visit.app, Author::Nobody, request, move |work| invitations::renew(work, &wanted)).await?;
    if !renewed {
        return show(visit, token).await;
    }
    visit.app.letters.notify_one();
    let say = &visit.say;
    let section = Section::new(say.of("invitation-sent")).text(say.of("invitation-sent.lead"));
    Ok(Page::narrow(say.of("invitation-sent"), section).answer(visit))
}

/// A name in two parts: the first word, and the rest.
fn names(name: &str) -> (String, String) {
    let name = name.trim();
    let (first, last) = name.split_once(char::is_whitespace).unwrap_or((name, ""));
    (first.to_owned(), last.trim().to_owned())
}
