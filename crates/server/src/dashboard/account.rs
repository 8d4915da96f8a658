//! Who one is: names, language, address.

use super::page::{Field, Form, Page, Section, Style};
use super::visit::{Visit, go};
use crate::accounts::sessions::Session;
use crate::accounts::{addresses, proofs};
use crate::api;
use crate::http::Answer;
use crate::resources::users;
use crate::say;
use crate::work::Work;
use guildhall_jsonapi::{Error, Result, check_email};
use serde_json::{Map, json};

/// The page.
pub(super) async fn show(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    Ok(page(visit, session, &[]).await?.answer(visit))
}

async fn page(visit: &Visit<'_>, session: &Session, wrong: &[(String, String)]) -> Result<Page> {
    let say = &visit.say;
    let user = session.user.clone();
    let wanted = Work::look(visit.app, move |work| proofs::wanted_address(work, &user)).await?;
    let field = |name, label: &str, autocomplete, value: &str| {
        let said = visit.is_post() && visit.field("form") == "names";
        let value = if said { visit.field(name) } else { value };
        Field::new(name, say.of(label), "text", autocomplete).value(value).check(visit, wrong)
    };
    let languages = say::languages();
    let language = Field {
        choices: languages
            .into_iter()
            .map(|tag| (tag.clone(), say::Say::in_language(&tag).of("language-name")))
            .collect(),
        ..Field::new("language", say.of("frame-language"), "select", "language").value(say.tag())
    };
    let names = Form::new("/account", say.of("account.button"))
        .hidden("form", "names")
        .field(field("first_name", "field-first-name", "given-name", &session.first_name))
        .field(field("last_name", "field-last-name", "family-name", &session.last_name).optional())
        .field(language);
    let mut address = Section::new(say.of("account-address")).text(say.with(
        if session.claimed.is_none() { "account-address.is" } else { "account-address.unproved" },
        &[("address", &session.email), ("claimed", session.shown_email())],
    ));
    if let Some(wanted) = wanted {
        address = address.text(say.with("account-address.waits", &[("address", &wanted)]));
        address = address.form(
            Form::new("/account/address", say.of("account-address.resend"))
                .style(Style::Quiet)
                .hidden("email", wanted),
        );
    } else if let Some(claimed) = &session.claimed {
        address = address.form(
            Form::new("/account/address", say.of("account-address.prove"))
                .style(Style::Quiet)
                .hidden("email", claimed.as_str()),
        );
    }
    let new = Field::new("email", say.of("field-new-email"), "email", "email")
        .value(if visit.field("form") == "address" { visit.field("email") } else { "" })
        .check(visit, wrong);
    let form = Form::new("/account/address", say.of("account-address.button"));
    address = address.form(form.hidden("form", "address").field(new));
    let sections = vec![Section::new(say.of("account-names")).form(names), address];
    Ok(Page::wide(say.of("account"), "account", sections))
}

/// Changes names and language, as the API changes names.
pub(super) async fn change(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let mut attributes = Map::new();
    for name in ["first_name", "last_name"] {
        attributes.insert(name.to_owned(), json!(visit.field(name).trim()));
    }
    if visit.field("first_name").trim().is_empty() {
        let wrong = [("first_name".to_owned(), "blank".to_owned())];
        return Ok(page(visit, session, &wrong).await?.answer(visit));
    }
    let document = json!({ "data": { "type": "users", "id": session.user, "attributes": attributes } });
    let body = document.to_string();
    match api::ask_as(visit.app, &visit.asked.id, &session.user, "PATCH", "user", body.as_bytes()).await {
        Ok(_) => {}
        Err(Error::Refused(problems)) if problems.iter().all(|problem| problem.status == 422) => {
            let wrong: Vec<_> = problems.iter().map(guildhall_jsonapi::Problem::field).collect();
            return Ok(page(visit, session, &wrong).await?.answer(visit));
        }
        Err(error) => return Err(error),
    }
    let (user, language) = (session.user.clone(), visit.field("language").to_owned());
    if say::is_known(&language) {
        Work::run_as(visit.app, session, &visit.asked.id, move |work| {
            users::set_language(work, &user, &language)
        })
        .await?;
    }
    Ok(go("/account?said=saved"))
}

/// Asks for a proof of another address.
pub(super) async fn address(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let email = visit.field("email").trim().to_owned();
    if !check_email(&email) {
        let wrong = [("email".to_owned(), "invalid".to_owned())];
        return Ok(page(visit, session, &wrong).await?.answer(visit));
    }
    if !session.is_fresh(visit.app.clock.now()) {
        return Ok(go("/confirm?next=/account"));
    }
    let user = session.user.clone();
    let few =
        Work::run_as(visit.app, session, &visit.asked.id, move |work| addresses::want(work, &user, &email));
    if !few.await? {
        let wrong = [("email".to_owned(), "many".to_owned())];
        return Ok(page(visit, session, &wrong).await?.status(429).answer(visit));
    }
    visit.app.letters.notify_one();
    Ok(go("/account?said=address-letter"))
}

/// Chooses a language, for this browser and, if somebody is signed in, for them.
pub(super) async fn language(visit: &Visit<'_>) -> Result<Answer> {
    let language = visit.field("language").to_owned();
    let answer = go(&visit.next());
    if !say::is_known(&language) {
        return Ok(answer);
    }
    let answer = visit.speak(answer, &language);
    if let Some(session) = &visit.session {
        let user = session.user.clone();
        Work::run_as(visit.app, session, &visit.asked.id, move |work| {
            users::set_language(work, &user, &language)
        })
        .await?;
    }
    Ok(answer)
}
