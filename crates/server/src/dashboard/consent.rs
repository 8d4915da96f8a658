//! What somebody is asked before an application may act for them: who it is, what it may do, in plain words.

use super::page::{Form, Item, Mark, Section, Style};
use super::visit::Visit;
use crate::accounts::sessions::Session;
use crate::authorizations::applications::Application;
use crate::authorizations::scope;
use crate::mail::brand::Brand;
use guildhall_store::{Result, Sql, Tx};

/// A member's place in the organization of an application: the name of their role.
pub(super) fn role_of(tx: &mut Tx<'_>, application: &Application, user: &str) -> Result<Option<String>> {
    let Some(organization) = &application.organization else { return Ok(Some(String::new())) };
    let rows = tx.rows(&Sql::new(
        "select r.name from live_memberships m join roles r on r.id = m.role_id
         where m.organization_id = ? and m.user_id = ?",
        [(&organization.id).into(), user.into()],
    ))?;
    Ok(rows.first().map(|row| row.text(0).to_owned()))
}

/// What is asked for.
pub(super) fn section(visit: &Visit<'_>, application: &Application, asked: &str, role: &str) -> Section {
    let say = &visit.say;
    let (name, organization) = (application.name.as_str(), application.organization_name.as_str());
    let mut section = if application.organization.is_some() {
        let args = [("application", name), ("organization", organization)];
        let acts = scope::opens_commerce(asked);
        let heading = if acts { "consent" } else { "consent-know" };
        let section = Section::new(say.with(heading, &args)).text(say.with("consent.lead", &args));
        match (acts, application.test) {
            (false, _) => section,
            (true, true) => section.text(say.of("consent-test")),
            (true, false) => section.text(say.of("consent-live")),
        }
    } else {
        Section::new(say.of("consent-own")).text(say.of("consent-own.lead"))
    };
    section = section.text(say.of("consent-rights"));
    section.mark = application.organization.as_ref().map(|_| mark(application));
    for right in rights(visit, asked, organization, role) {
        section = section.item(Item { title: right, ..Item::default() });
    }
    section
}

/// The buttons: a form that says yes and one that says no, each with some fields.
pub(super) fn forms(visit: &Visit<'_>, action: &str, hidden: &[(&str, &str)]) -> [Form; 2] {
    let form = |button: &str, decision: &str| {
        let form = Form::new(action, visit.say.of(button)).hidden("decision", decision);
        hidden.iter().fold(form, |form, (name, value)| form.hidden(name, *value))
    };
    [form("consent-allow", "allow"), form("consent-deny", "deny").style(Style::Quiet)]
}

/// Who is asked, and a way to be somebody else.
pub(super) fn whoever(visit: &Visit<'_>, session: &Session, section: Section, here: &str) -> Section {
    let section = section.text(visit.say.with("consent-whoever", &[("email", &session.email)]));
    let other = Form::new("/sign-out", visit.say.of("consent-other")).style(Style::Quiet);
    section.form(other.hidden("next", here))
}

/// What the application may do, a sentence each.
pub(super) fn rights(visit: &Visit<'_>, asked: &str, organization: &str, role: &str) -> Vec<String> {
    let say = &visit.say;
    let mut rights = Vec::new();
    for (scope, message) in [
        ("openid", "right-openid"),
        ("profile", "right-profile"),
        ("email", "right-email"),
        ("provisioning-api", "right-provisioning"),
        ("metrics-api", "right-metrics"),
    ] {
        if scope::has(asked, scope) {
            rights.push(say.of(message));
        }
    }
    let args = [("organization", organization), ("role", role)];
    if scope::has(asked, scope::EVERYTHING) {
        let message = if role.is_empty() { "right-everything" } else { "right-everything-as" };
        rights.push(say.with(message, &args));
    } else if scope::opens_commerce(asked) {
        let named: Vec<String> = scope::parts(asked).filter_map(|one| place(visit, one)).collect();
        let named = named.join(", ");
        let message = if role.is_empty() { "right-some" } else { "right-some-as" };
        rights.push(say.with(message, &[args[0], args[1], ("scopes", &named)]));
    }
    rights
}

/// A part of a scope in words, such as the market Europe.
fn place(visit: &Visit<'_>, scope: &str) -> Option<String> {
    let mut parts = scope.splitn(3, ':');
    let message = match parts.next()? {
        "market" => "right-market",
        "store" => "right-store",
        "stock_location" => "right-stock-location",
        _ => return None,
    };
    Some(visit.say.with(message, &[("name", parts.nth(1)?)]))
}

fn mark(application: &Application) -> Mark {
    let brand = Brand { color: application.organization_color.clone(), ..Brand::default() };
    Mark::of(&application.organization_name, &brand)
}
