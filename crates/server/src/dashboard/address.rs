//! The links of an address that changes: the new one is proved, the old one can have it back.

use super::dead_end;
use super::page::{Form, Page, Section, Style};
use super::visit::{Visit, go};
use crate::accounts::addresses::{self, Outcome};
use crate::accounts::proofs::{self, Purpose};
use crate::accounts::sessions::Session;
use crate::http::Answer;
use crate::work::{Author, Work};
use guildhall_jsonapi::Result;

/// The page of the letter to the new address. Opening it changes nothing.
pub(super) fn new(visit: &Visit<'_>, token: &str) -> Answer {
    let say = &visit.say;
    let form = Form::new(format!("/account/address/{token}"), say.of("address-new.button"));
    let section = Section::new(say.of("address-new")).text(say.of("address-new.lead")).form(form);
    Page::narrow(say.of("address-new"), section).answer(visit)
}

/// Proves the new address.
pub(super) async fn confirm(visit: &Visit<'_>, session: &Session, token: &str) -> Result<Answer> {
    let (token, user, own) = (token.to_owned(), session.user.clone(), session.id.clone());
    let outcome = Work::run_as(visit.app, session, &visit.asked.id, move |work| {
        addresses::confirm(work, &token, &user, &own)
    })
    .await?;
    visit.app.letters.notify_one();
    Ok(match outcome {
        Outcome::Proved => go("/account?said=address-changed"),
        Outcome::Dead => dead_end(visit, 404, "address").answer(visit),
        Outcome::Taken => dead_end(visit, 409, "address-taken").answer(visit),
    })
}

/// The page of the letter to the old address. Opening it changes nothing.
pub(super) async fn old(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    let wanted = token.to_owned();
    let proof = Work::look(visit.app, move |work| proofs::find(work, Purpose::TakeBack, &wanted)).await?;
    let say = &visit.say;
    Ok(match proof {
        Some(proof) => {
            let form =
                Form::new(format!("/address/{token}"), say.of("address-old.button")).style(Style::Danger);
            let section = Section::new(say.of("address-old"))
                .text(say.with("address-old.lead", &[("address", &proof.email)]))
                .form(form);
            Page::narrow(say.of("address-old"), section).answer(visit)
        }
        None => dead_end(visit, 404, "address").answer(visit),
    })
}

/// Gives the old address back.
pub(super) async fn take_back(visit: &Visit<'_>, token: &str) -> Result<Answer> {
    let token = token.to_owned();
    let request = Some(visit.asked.id.clone());
    let outcome =
        Work::run(visit.app, Author::Nobody, request, move |work| addresses::take_back(work, &token)).await?;
    Ok(match outcome {
        Outcome::Proved => visit.sign_out(go("/reset?said=address-back")),
        Outcome::Dead => dead_end(visit, 404, "address").answer(visit),
        Outcome::Taken => dead_end(visit, 409, "address-taken").answer(visit),
    })
}
