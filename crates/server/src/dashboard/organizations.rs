//! One's organizations, and the people of one of them.

use super::page::{Field, Form, Item, Page, Section, Style};
use super::visit::{Visit, go};
use super::{dead_end, excuse};
use crate::accounts::sessions::Session;
use crate::api;
use crate::http::Answer;
use crate::resources::{memberships, organizations};
use crate::work::Work;
use guildhall_jsonapi::{Error, Problem, Record, Result};
use guildhall_store::Sql;
use serde_json::{Value as Json, json};
use std::collections::HashMap;

/// Does as the API does, and answers its document.
async fn ask(visit: &Visit<'_>, session: &Session, method: &str, path: &str, body: &Json) -> Result<Json> {
    let body = body.to_string();
    let answer =
        api::ask_as(visit.app, &visit.asked.id, &session.user, method, path, body.as_bytes()).await?;
    Ok(serde_json::from_slice(answer.body()).unwrap_or(Json::Null))
}

fn text<'a>(document: &'a Json, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

/// The records of a document that came along, by their ids.
fn included(document: &Json) -> HashMap<&str, &Json> {
    let all = document["included"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|one| Some((one["id"].as_str()?, one))).collect()
}

fn page_number(visit: &Visit<'_>) -> u32 {
    visit.query("page").parse().unwrap_or(1).max(1)
}

/// Adds the links to the pages before and after.
fn turn_pages(visit: &Visit<'_>, mut section: Section, path: &str, document: &Json) -> Section {
    let number = page_number(visit);
    if number > 1 {
        section = section.link(format!("{path}?page={}", number - 1), visit.say.of("people.earlier"));
    }
    if u64::from(number) < document["meta"]["page_count"].as_u64().unwrap_or(1) {
        section = section.link(format!("{path}?page={}", number + 1), visit.say.of("people.later"));
    }
    section
}

/// One's organizations.
pub(super) async fn list(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    list_with(visit, session, &[]).await
}

async fn list_with(visit: &Visit<'_>, session: &Session, wrong: &[(String, String)]) -> Result<Answer> {
    let say = &visit.say;
    let mine = form_urlencoded::Serializer::new(String::new())
        .append_pair("filter[q][user_email_eq]", &session.email)
        .append_pair("include", "organization,role")
        .append_pair("page[size]", "25")
        .append_pair("page[number]", &page_number(visit).to_string())
        .finish();
    let document = ask(visit, session, "GET", &format!("memberships?{mine}"), &Json::Null).await?;
    let records = included(&document);
    let mut section = Section::default();
    let places = document["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    for place in places.iter().filter(|place| text(place, "/attributes/status") == "active") {
        let related = |name: &str| records.get(text(place, &format!("/relationships/{name}/data/id")));
        let Some((organization, role)) = related("organization").zip(related("role")) else { continue };
        let slug = text(organization, "/attributes/slug");
        let owner = place["attributes"]["owner"] == json!(true);
        section = section.item(Item {
            title: text(organization, "/attributes/name").to_owned(),
            href: format!("/organizations/{slug}"),
            badge: if owner { say.of("member-owner") } else { String::new() },
            details: vec![format!("{slug} · {}", text(role, "/attributes/name"))],
            ..Item::default()
        });
    }
    section = turn_pages(visit, section, "/", &document);
    if section.list.is_empty() && section.links.is_empty() {
        section = section.text(say.of("organizations.none"));
    }
    let name = Field::new("name", say.of("field-organization"), "text", "organization")
        .value(visit.field("name"))
        .check(visit, wrong);
    let create = Section::new(say.of("organization-new"))
        .text(say.of("organization-new.lead"))
        .form(Form::new("/organizations", say.of("organization-new.button")).field(name));
    Ok(Page::wide(say.of("organizations"), "organizations", vec![section, create]).answer(visit))
}

/// Makes an organization.
pub(super) async fn create(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let document =
        json!({ "data": { "type": "organizations", "attributes": { "name": visit.field("name") } } });
    match ask(visit, session, "POST", "organizations", &document).await {
        Ok(made) => Ok(go(&format!("/organizations/{}", text(&made, "/data/attributes/slug")))),
        Err(Error::Refused(problems)) if problems.iter().all(|problem| problem.status == 422) => {
            let wrong: Vec<_> =
                problems.iter().map(|problem| ("name".to_owned(), problem.field().1)).collect();
            list_with(visit, session, &wrong).await
        }
        Err(error) => Err(error),
    }
}

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
                work.caller()?.must_administer(&id)?;
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
