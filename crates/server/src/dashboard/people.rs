//! The people of an organization: who is there, who is invited, and how they are asked.

use super::organizations::{ask, included, page_number, text, turn_pages};
use super::page::{Field, Form, Item, Page, Section, Style};
use super::visit::{Visit, go};
use super::{dead_end, excuse};
use crate::accounts::sessions::Session;
use crate::http::Answer;
use crate::resources::{memberships, organizations};
use crate::work::Work;
use guildhall_jsonapi::{Error, Problem, Record, Result};
use guildhall_store::Sql;
use serde_json::{Value as Json, json};
use std::collections::HashMap;

/// An organization as a member sees it.
struct Place {
    id: String,
    name: String,
    admin: bool,
    asks: bool,
}

async fn find(visit: &Visit<'_>, session: &Session, slug: &str) -> Result<Option<Place>> {
    let (slug, user) = (slug.to_owned(), session.user.clone());
    visit
        .app
        .db
        .read(move |tx| {
            let rows = tx.rows(&Sql::new(
                "select o.id, o.name, r.kind, o.ask_existing_users from memberships m
                 join organizations o on o.id = m.organization_id join roles r on r.id = m.role_id
                 where o.slug = ? and m.user_id = ? and m.status = 'active'",
                [slug.into(), user.into()],
            ))?;
            Ok(rows.first().map(|row| Place {
                id: row.text(0).to_owned(),
                name: row.text(1).to_owned(),
                admin: row.text(2) == "admin",
                asks: row.flag(3),
            }))
        })
        .await
}

/// The people of an organization.
pub(super) async fn show(visit: &Visit<'_>, session: &Session, slug: &str) -> Result<Answer> {
    match find(visit, session, slug).await? {
        Some(place) => people(visit, session, slug, &place, &[]).await,
        None => Ok(dead_end(visit, 404, "missing").answer(visit)),
    }
}

async fn people(
    visit: &Visit<'_>,
    session: &Session,
    slug: &str,
    place: &Place,
    wrong: &[(String, String)],
) -> Result<Answer> {
    let say = &visit.say;
    let number = page_number(visit);
    let path = format!(
        "memberships?filter%5Bq%5D%5Borganization_id_eq%5D={}&include=role&sort=created_at&page%5Bsize%5D=25&page%5Bnumber%5D={number}",
        place.id
    );
    let document = ask(visit, session, "GET", &path, &Json::Null).await?;
    let records = included(&document);
    let members = document["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ids: Vec<String> = members.iter().map(|member| text(member, "/id").to_owned()).collect();
    let refused = refused_letters(visit, ids).await?;
    let mut section = Section::new(say.of("people"));
    for member in members {
        let role = records.get(text(member, "/relationships/role/data/id"));
        section = section.item(person(visit, slug, place, session, member, role, &refused));
    }
    let mut sections = vec![turn_pages(visit, section, &format!("/organizations/{slug}"), &document)];
    if place.admin {
        sections.insert(0, invite_section(visit, session, slug, place, wrong).await?);
        let asks = if place.asks { "settings-ask.off" } else { "settings-ask.on" };
        let form = Form::new(format!("/organizations/{slug}/settings"), say.of(asks))
            .style(Style::Quiet)
            .hidden("ask", if place.asks { "off" } else { "on" });
        let state = if place.asks { "settings-ask.asks" } else { "settings-ask.adds" };
        sections.push(Section::new(say.of("settings-ask")).text(say.of(state)).form(form));
    }
    Ok(Page::wide(place.name.clone(), "organizations", sections).answer(visit))
}

fn person(
    visit: &Visit<'_>,
    slug: &str,
    place: &Place,
    session: &Session,
    member: &Json,
    role: Option<&&Json>,
    refused: &HashMap<String, String>,
) -> Item {
    let say = &visit.say;
    let id = text(member, "/id");
    let email = text(member, "/attributes/user_email");
    let name = format!(
        "{} {}",
        text(member, "/attributes/user_first_name"),
        text(member, "/attributes/user_last_name")
    );
    let pending = text(member, "/attributes/status") == "pending";
    let owner = member["attributes"]["owner"] == json!(true);
    let named = !name.trim().is_empty();
    let mut details = if named { vec![email.to_owned()] } else { Vec::new() };
    details.extend(role.map(|role| text(role, "/attributes/name").to_owned()));
    if let Some(failure) = refused.get(id).filter(|_| place.admin) {
        details.push(say.with("member-refused", &[("failure", failure)]));
    }
    let deed = |deed: &str, style| {
        Form::new(format!("/organizations/{slug}/{deed}"), say.of(&format!("member-{deed}")))
            .style(style)
            .hidden("membership", id)
            .about(email)
    };
    let mut forms = Vec::new();
    if place.admin && pending {
        forms.push(deed("resend", Style::Quiet));
        forms.push(deed("revoke", Style::Danger));
    } else if !owner && email == session.shown_email() {
        forms.push(deed("leave", Style::Danger));
    } else if place.admin && !owner {
        forms.push(deed("remove", Style::Danger));
    }
    let badge = if owner { "member-owner" } else { "member-pending" };
    Item {
        title: if named { name.trim().to_owned() } else { email.to_owned() },
        badge: if owner || pending { say.of(badge) } else { String::new() },
        details,
        forms,
        ..Item::default()
    }
}

async fn invite_section(
    visit: &Visit<'_>,
    session: &Session,
    slug: &str,
    place: &Place,
    wrong: &[(String, String)],
) -> Result<Section> {
    let say = &visit.say;
    let mut roles = Vec::new();
    for number in 1.. {
        let path = format!(
            "organizations/{}/roles?sort=created_at&page%5Bsize%5D=25&page%5Bnumber%5D={number}",
            place.id
        );
        let mut document = ask(visit, session, "GET", &path, &Json::Null).await?;
        roles.extend(document["data"].as_array_mut().map(std::mem::take).unwrap_or_default());
        if document["meta"]["page_count"].as_u64().unwrap_or(1) <= number {
            break;
        }
    }
    let choice = |role: &Json| (text(role, "/id").to_owned(), text(role, "/attributes/name").to_owned());
    let email =
        Field::new("user_email", say.of("field-email"), "email", "off").value(visit.field("user_email"));
    let least = roles.iter().find(|role| text(role, "/attributes/kind") == "read_only");
    let chosen = match visit.field("role") {
        "" => least.map(|role| text(role, "/id")).unwrap_or_default(),
        role => role,
    };
    let role = Field {
        choices: roles.iter().map(choice).collect(),
        ..Field::new("role", say.of("field-role"), "select", "off").value(chosen)
    };
    let form = Form::new(format!("/organizations/{slug}/invite"), say.of("invite.button"))
        .field(email.check(visit, wrong))
        .field(role.check(visit, wrong));
    Ok(Section::new(say.of("invite")).text(say.of("invite.lead")).form(form))
}

/// Why letters about memberships did not arrive.
async fn refused_letters(visit: &Visit<'_>, ids: Vec<String>) -> Result<HashMap<String, String>> {
    visit
        .app
        .db
        .read(move |tx| {
            let mut sql =
                Sql::text("select membership_id, failure, refused_at from letters where membership_id in (");
            sql.bind_list(ids).push(") order by created_at, id");
            let rows = tx.rows(&sql)?;
            let mut latest = HashMap::new();
            for row in rows.iter() {
                // A later letter that was not refused takes the refusal back.
                let failure = row.maybe_int(2).and(row.maybe_text(1)).map(str::to_owned);
                latest.insert(row.text(0).to_owned(), failure);
            }
            Ok(latest.into_iter().filter_map(|(id, failure)| Some((id, failure?))).collect())
        })
        .await
}

/// Does what a button says.
pub(super) async fn act(visit: &Visit<'_>, session: &Session, slug: &str, deed: &str) -> Result<Answer> {
    let Some(place) = find(visit, session, slug).await? else {
        return Ok(dead_end(visit, 404, "missing").answer(visit));
    };
    let here = format!("/organizations/{slug}");
    let done = |said: &str| Ok(go(&format!("{here}?said={said}")));
    let id = visit.field("membership");
    if deed != "invite" && deed != "settings" {
        check_membership(visit, &place, id).await?;
    }
    match deed {
        "invite" => invite(visit, session, slug, &place).await,
        "resend" => {
            ask(visit, session, "POST", &format!("memberships/{id}/resend"), &json!({ "data": {} })).await?;
            done("resent")
        }
        "revoke" | "remove" | "leave" => {
            ask(visit, session, "DELETE", &format!("memberships/{id}"), &Json::Null).await?;
            if deed == "leave" { Ok(go("/?said=left")) } else { done("removed") }
        }
        "settings" => {
            let (id, asks) = (place.id.clone(), visit.field("ask") == "on");
            Work::run_as(visit.app, session, &visit.asked.id, move |work| {
                work.must_administer(&id)?;
                for organization in Record::find(work.tx, organizations::ORGANIZATIONS.spec, "id", &id)? {
                    organizations::ask_existing_users(work, &organization, asks)?;
                }
                Ok(())
            })
            .await?;
            done("saved")
        }
        _ => Err(Problem::not_found().into()),
    }
}

/// The membership is one of this organization.
async fn check_membership(visit: &Visit<'_>, place: &Place, id: &str) -> Result<()> {
    let (id, organization) = (id.to_owned(), place.id.clone());
    visit
        .app
        .db
        .read(move |tx| {
            let found = Record::find(tx, memberships::MEMBERSHIPS.spec, "id", &id)?;
            let here = found.iter().any(|record| record.text("organization_id") == organization);
            if here { Ok(()) } else { Err(Problem::not_found().into()) }
        })
        .await
}

async fn invite(visit: &Visit<'_>, session: &Session, slug: &str, place: &Place) -> Result<Answer> {
    let document = json!({ "data": {
        "type": "memberships",
        "attributes": { "user_email": visit.field("user_email").trim() },
        "relationships": {
            "organization": { "data": { "type": "organizations", "id": place.id } },
            "role": { "data": { "type": "roles", "id": visit.field("role") } },
        },
    } });
    match ask(visit, session, "POST", "memberships", &document).await {
        Ok(_) => Ok(go(&format!("/organizations/{slug}?said=invited"))),
        Err(Error::Refused(problems)) if problems.iter().all(|problem| problem.status == 422) => {
            let wrong: Vec<_> = problems
                .iter()
                .map(|problem| match problem.field() {
                    (name, rule) if name == "user_email" || name == "role" => (name, rule),
                    (_, rule) => ("user_email".to_owned(), rule),
                })
                .collect();
            people(visit, session, slug, place, &wrong).await
        }
        Err(error @ Error::Refused(_)) => Ok(excuse(visit, &error).answer(visit)),
        Err(error) => Err(error),
    }
}
