//! What one has let applications do, and taking it back.

use super::consent;
use super::page::{Form, Item, Page, Section, Style};
use super::visit::{Visit, go};
use crate::accounts::sessions::Session;
use crate::authorizations::consents;
use crate::http::Answer;
use crate::work::Work;
use guildhall_jsonapi::{Problem, Result};

/// The list.
pub(super) async fn show(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let say = &visit.say;
    let user = session.user.clone();
    let (given, lines) = Work::look(visit.app, move |work| {
        Ok((consents::list(work.tx, &user)?, consents::command_lines(work.tx, &user, work.now)?))
    })
    .await?;
    let mut section = Section::new(say.of("applications-given")).text(say.of("applications-given.lead"));
    for one in given {
        let mut details = vec![one.organization.clone()];
        details.extend(consent::rights(visit, &one.scope, &one.organization, ""));
        section = section.item(Item {
            badge: if one.test { say.of("applications-test") } else { String::new() },
            details,
            moments: vec![
                (say.of("applications-since"), one.created_at),
                (say.of("applications-used"), one.used_at),
            ],
            forms: vec![
                Form::new("/account/applications/withdraw", say.of("applications-withdraw"))
                    .style(Style::Danger)
                    .hidden("id", one.credential)
                    .about(one.name.clone()),
            ],
            title: one.name,
            ..Item::default()
        });
    }
    if section.list.is_empty() {
        section = section.text(say.of("applications-none"));
    }
    let mut own = Section::new(say.of("command-lines")).text(say.of("command-lines.lead"));
    for line in lines {
        own = own.item(Item {
            title: say.of("command-line"),
            details: vec![say.of(if line.by_code { "command-line-code" } else { "command-line-browser" })],
            moments: vec![
                (say.of("applications-since"), line.created_at),
                (say.of("applications-last"), line.used_at),
            ],
            forms: vec![
                Form::new("/account/applications/sign-out", say.of("command-line.end"))
                    .style(Style::Danger)
                    .hidden("id", line.chain),
            ],
            ..Item::default()
        });
    }
    if own.list.is_empty() {
        own = own.text(say.of("command-lines.none"));
    }
    Ok(Page::wide(say.of("tab-applications"), "applications", vec![section, own]).answer(visit))
}

/// Takes back what was given.
pub(super) async fn act(visit: &Visit<'_>, session: &Session, deed: &str) -> Result<Answer> {
    let withdraws = match deed {
        "withdraw" => true,
        "sign-out" => false,
        _ => return Err(Problem::not_found().into()),
    };
    let (user, id) = (session.user.clone(), visit.field("id").to_owned());
    Work::run_as(visit.app, session, &visit.asked.id, move |work| {
        if withdraws {
            consents::withdraw(work.tx, &user, &id, work.now)?;
        } else {
            consents::end_command_line(work.tx, &user, &id, work.now)?;
        }
        Ok(())
    })
    .await?;
    Ok(go("/account/applications?said=withdrawn"))
}
