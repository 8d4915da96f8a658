//! One's organizations.

use super::page::{Field, Form, Item, Page, Section};
use super::visit::{Visit, go};
use crate::accounts::sessions::Session;
use crate::api;
use crate::http::Answer;
use guildhall_jsonapi::{Error, Result};
use serde_json::{Value as Json, json};
use std::collections::HashMap;

/// Does as the API does, and answers its document.
pub(super) async fn ask(
    visit: &Visit<'_>,
    session: &Session,
    method: &str,
    path: &str,
    body: &Json,
) -> Result<Json> {
    let body = body.to_string();
    let answer =
        api::ask_as(visit.app, &visit.asked.id, &session.user, method, path, body.as_bytes()).await?;
    Ok(serde_json::from_slice(answer.body()).unwrap_or(Json::Null))
}

/// A text of a document; empty when there is none.
pub(super) fn text<'a>(document: &'a Json, pointer: &str) -> &'a str {
    document.pointer(pointer).and_then(Json::as_str).unwrap_or_default()
}

/// The records of a document that came along, by their ids.
pub(super) fn included(document: &Json) -> HashMap<&str, &Json> {
    let all = document["included"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter_map(|one| Some((one["id"].as_str()?, one))).collect()
}

/// The number of the page at hand.
pub(super) fn page_number(visit: &Visit<'_>) -> u32 {
    visit.query("page").parse().unwrap_or(1).max(1)
}

/// Adds the links to the pages before and after.
pub(super) fn turn_pages(visit: &Visit<'_>, mut section: Section, path: &str, document: &Json) -> Section {
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
