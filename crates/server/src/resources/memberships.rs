//! A person's place in an organization: invited by e-mail, then active.

use super::access_scope::{self, SCOPES, TEST_ENABLED};
use super::{Deed, Resource, Versions, application_memberships, organizations, roles, users};
use crate::authorizations::consents;
use crate::invitations::{self, State};
use crate::plans;
use crate::work::Work;
use guildhall_jsonapi::spec::{Format, PLAIN, flag, many, one, one_of, text};
use guildhall_jsonapi::{Action, Error, Input, Problem, Record, Result, Scope, Spec};
use guildhall_store::{Rows, Sql};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

static SPEC: Spec = Spec {
    kind: "memberships",
    singular: "membership",
    about: "A person's place in an organization: invited by e-mail, then active.",
    sized_by: Some("organization_id"),
    milestones: true,
    attributes: &[
        text("user_email")
            .required()
            .fixed()
            .format(Format::Email)
            .folded("user_email_key")
            .filter()
            .searched()
            .doc("The invited address; later that of the user.")
            .example("\"ada@example.com\""),
        text("user_first_name")
            .derived()
            .doc("The user's first name; empty until there is a user.")
            .example("\"Ada\""),
        text("user_last_name")
            .derived()
            .doc("The user's last name; empty until there is a user.")
            .example("\"Lovelace\""),
        one_of("status", &["pending", "active"])
            .derived()
            .filter()
            .sort()
            .sized()
            .doc("`pending` until the invitation is accepted.")
            .example("\"active\""),
        flag("owner").derived().filter().doc("Whether this is the one owner.").example("false"),
        flag("test_enabled")
            .from(TEST_ENABLED)
            .doc("Whether `access_scope` opens the test environment; sending it sets `access_scope`.")
            .example("false"),
        one_of("access_scope", SCOPES)
            .nullable()
            .filter()
            .default("\"live_access\"")
            .doc("Which environments the member's applications may be used in.")
            .example("\"live_access\""),
    ],
    relationships: &[
        one("organization", "organizations", "organization_id").to_few().required(),
        one("role", "roles", "role_id").to_few().sized().required().updatable(),
        many("application_memberships", "application_memberships", "membership_id").optional().updatable(),
        one("membership_profile", "membership_profiles", "membership_profile_id").optional().updatable(),
        many("versions", "versions", "resource_id").typed_by("resource_type").unfiltered(),
    ],
    inner: &[text("user_email_key"), text("user_id"), flag("asked")],
    ..PLAIN
};

/// See the file.
pub static MEMBERSHIPS: Resource = Resource {
    spec: &SPEC,
    versions: Versions::Changes,
    sees: |caller| {
        Scope::within("organization_id", caller.administered()).or("id", caller.plain_memberships())
    },
    create: Some(create),
    update: Some(update),
    delete: Some(delete),
    actions: &[Deed {
        name: "resend",
        alias: None,
        method: "POST",
        takes: &[],
        about: "Sends the invitation of a pending membership again; the old link ends.",
        run: resend,
    }],
};

#[derive(Deserialize)]
struct New {
    user_email: String,
    organization: String,
}

#[derive(Deserialize)]
struct Membership {
    organization_id: String,
    role_id: String,
    user_id: Option<String>,
    user_email: String,
    owner: bool,
    status: String,
    access_scope: Option<String>,
}

fn create(work: &mut Work<'_, '_>, input: &mut Input) -> Result<String> {
    work.must_administer_its(input)?;
    let found = check(work, input, input.one("organization").unwrap_or_default());
    input.collect(found)?;
    let scope = access_scope::settle(input, None)?;
    input.finish()?;
    let new: New = input.parse()?;
    let mut columns = input.columns();
    columns.extend(scope);
    let account = users::by_email(work, &new.user_email)?;
    let asked = account.is_some() && organizations::asks_existing_users(work, &new.organization)?;
    let user = account.filter(|_| !asked);
    columns.insert("status".to_owned(), json!(if user.is_some() { "active" } else { "pending" }));
    columns.insert("owner".to_owned(), json!(false));
    columns.insert("asked".to_owned(), json!(asked));
    columns.extend(user.as_ref().map(of_user).unwrap_or_default());
    let id = work.insert(&SPEC, columns).map_err(|error| taken(error, &new.user_email))?;
    application_memberships::attach(work, "membership_id", &id, input)?;
    plans::check_memberships(work, &new.organization)?;
    if user.is_some() {
        invitations::welcome(work, &id, &new.organization, &new.user_email)?;
    } else {
        invitations::issue(work, &id, &new.organization, &new.user_email)?;
    }
    Ok(id)
}

fn update(work: &mut Work<'_, '_>, record: &Record, input: &mut Input) -> Result<()> {
    let membership: Membership = record.parse()?;
    work.must_administer(&membership.organization_id)?;
    let found = check(work, input, &membership.organization_id);
    input.collect(found)?;
    if membership.owner && input.one("role").is_some_and(|role| role != membership.role_id) {
        let problem = Problem::relationship("role", "owner", "cannot be changed for the owner");
        input.collect(Err(problem.into()))?;
    }
    let scope = access_scope::settle(input, membership.access_scope.as_deref())?;
    input.finish()?;
    let mut columns = input.columns();
    columns.extend(scope);
    work.update(record, columns)?;
    application_memberships::attach(work, "membership_id", &record.id, input)
}

fn delete(work: &mut Work<'_, '_>, record: &Record) -> Result<()> {
    let membership: Membership = record.parse()?;
    let caller = work.caller()?;
    if membership.user_id.as_deref() != Some(&caller.user) {
        work.must_administer(&membership.organization_id)?;
    }
    if membership.owner {
        return Err(Problem::attribute("owner", "owner", "must be transferred first").into());
    }
    remove(work, record)
}

/// Removes a membership with all that hangs on it, for rules that have asked whether they may. A link that
/// waits ends.
pub fn remove(work: &mut Work<'_, '_>, record: &Record) -> Result<()> {
    for attached in application_memberships::of(work, "membership_id", &record.id)? {
        work.delete(&attached)?;
    }
    invitations::end(work, &record.id, State::Revoked)?;
    if let Some(user) = record.column("user_id").as_str() {
        consents::forget_member(work.tx, user, record.text("organization_id"), work.now)?;
    }
    work.delete(record)
}

/// Removes a membership that still waits for its person.
pub fn withdraw(work: &mut Work<'_, '_>, id: &str) -> Result<()> {
    for record in Record::find(work.tx, &SPEC, "id", id)? {
        if record.text("status") == "pending" {
            remove(work, &record)?;
        }
    }
    Ok(())
}

fn resend(work: &mut Work<'_, '_>, record: &Record, _: &Action) -> Result<()> {
    let membership: Membership = record.parse()?;
    work.must_administer(&membership.organization_id)?;
    if membership.status != "pending" {
        return Err(Problem::inclusion("status", membership.status).into());
    }
    invitations::resend(work, &record.id, &membership.organization_id, &membership.user_email)?;
    work.record_deed(record, "resend")
}

/// Everything named is of one organization, and the role is one its plan has.
fn check(work: &mut Work<'_, '_>, input: &Input, organization: &str) -> Result<()> {
    work.check_organization(&SPEC, input, organization)?;
    match input.one("role") {
        Some(role) => roles::check_usable(work, role, organization),
        None => Ok(()),
    }
}

/// A refusal of the address, with the address that was sent, whichever constraint refused it.
fn taken(error: Error, email: &str) -> Error {
    match error {
        Error::Refused(_) => Problem::taken("user_email", email).into(),
        other @ Error::Store(_) => other,
    }
}

/// What a membership shows of its user.
fn of_user(user: &Record) -> Map<String, Json> {
    Map::from_iter([
        ("user_id".to_owned(), json!(user.id)),
        ("user_email".to_owned(), user.column("email").clone()),
        // What is shown may be claimed; who it is, is proved.
        ("user_email_key".to_owned(), user.column("proved_email_key").clone()),
        ("user_first_name".to_owned(), user.column("first_name").clone()),
        ("user_last_name".to_owned(), user.column("last_name").clone()),
    ])
}

/// Adds the owner's membership of a new organization.
pub fn add_owner(work: &mut Work<'_, '_>, organization: &str, role: &str, user: &str) -> Result<()> {
    let user = Record::find(work.tx, users::USERS.spec, "id", user)?.pop().ok_or_else(Problem::not_found)?;
    let mut columns = of_user(&user);
    for (name, value) in [
        ("organization_id", json!(organization)),
        ("role_id", json!(role)),
        ("status", json!("active")),
        ("owner", json!(true)),
        ("access_scope", json!("live_access")),
        ("metadata", json!({})),
    ] {
        columns.insert(name.to_owned(), value);
    }
    count_owned(work, &user.id, 1);
    work.insert(&SPEC, columns).map(drop)
}

/// Counts an organization that somebody begins or ceases to own.
pub fn count_owned(work: &mut Work<'_, '_>, user: &str, by: i64) {
    work.size(user, organizations::ORGANIZATIONS.spec.kind, by);
}

/// Makes the active member with this address the owner, with the Admin role.
pub fn hand_over(work: &mut Work<'_, '_>, organization: &str, email: &str) -> Result<()> {
    let unknown = || Error::from(Problem::invalid("new_owner_email", email));
    // One by one, each by its own index: asked for either of them, or for the one owner among those who are active, an engine
    // looks at every member.
    let found = work.tx.all(&[
        Sql::new("select id from memberships where organization_id = ? and owner", [organization.into()]),
        Sql::new(
            "select id from memberships
             where organization_id = ? and user_email_key = ? and status = 'active' and not owner",
            [organization.into(), email.to_lowercase().into()],
        ),
    ])?;
    let first = |rows: &Rows| rows.first().map(|row| row.text(0).to_owned());
    let both = found.first().and_then(first).zip(found.last().and_then(first));
    let (old, new) = both.ok_or_else(unknown)?;
    let admin = roles::admin(work, organization)?;
    let record = |work: &mut Work<'_, '_>, id: &str| Record::find(work.tx, &SPEC, "id", id);
    // The old one first: the database holds that there are never two.
    for old in record(work, &old)? {
        work.update(&old, Map::from_iter([("owner".to_owned(), json!(false))]))?;
        count_owned(work, old.text("user_id"), -1);
    }
    for new in record(work, &new)? {
        let columns = [("owner".to_owned(), json!(true)), ("role_id".to_owned(), json!(admin))];
        work.update(&new, Map::from_iter(columns))?;
        count_owned(work, new.text("user_id"), 1);
        plans::check_organizations(work, new.text("user_id"))?;
    }
    plans::check_memberships(work, organization)
}

/// Shows a changed name or address on every membership of a user.
pub fn show_user(work: &mut Work<'_, '_>, user: &str) -> Result<()> {
    let user = Record::find(work.tx, users::USERS.spec, "id", user)?.pop().ok_or_else(Problem::not_found)?;
    let columns = of_user(&user);
    for membership in Record::find(work.tx, &SPEC, "user_id", &user.id)? {
        work.update(&membership, columns.clone())?;
    }
    Ok(())
}

/// Activates every membership that waits for the address of a user, except those they were asked about.
pub fn activate(work: &mut Work<'_, '_>, user: &Record) -> Result<()> {
    let sql = "select id from memberships where user_email_key = ? and user_id is null and not asked";
    let waiting = work.tx.rows(&Sql::new(sql, [user.text("email_key").into()]))?;
    for row in waiting.iter() {
        accept(work, row.text(0), &user.id)?;
    }
    Ok(())
}

/// Makes a user the member a pending membership waits for.
pub fn accept(work: &mut Work<'_, '_>, id: &str, user: &str) -> Result<()> {
    let user = users::by_id(work, user)?.ok_or_else(Problem::not_found)?;
    for membership in Record::find(work.tx, &SPEC, "id", id)? {
        if membership.text("status") == "pending" {
            let mut columns = of_user(&user);
            columns.insert("status".to_owned(), json!("active"));
            work.update(&membership, columns)?;
            invitations::end(work, &membership.id, State::Accepted)?;
        }
    }
    Ok(())
}

/// Drops what waits for an address in organizations whose member is a user already under another one: they
/// are there. The address is proved to be theirs.
pub fn absorb(work: &mut Work<'_, '_>, user: &str, email: &str) -> Result<()> {
    let rows = work.tx.rows(&Sql::new(
        "select p.id from memberships p join memberships m on m.organization_id = p.organization_id
         where p.user_email_key = ? and p.user_id is null and m.user_id = ?",
        [email.to_lowercase().into(), user.into()],
    ))?;
    for row in rows.iter() {
        invitations::end(work, row.text(0), State::Accepted)?;
        withdraw(work, row.text(0))?;
    }
    Ok(())
}

/// Asks nobody any more at an address whose account is gone: whoever comes with it next comes anew.
pub fn stop_asking(work: &mut Work<'_, '_>, email_key: &str) -> Result<()> {
    for membership in Record::find(work.tx, &SPEC, "user_email_key", email_key)? {
        if membership.column("asked") == &json!(true) && membership.text("status") == "pending" {
            work.update(&membership, Map::from_iter([("asked".to_owned(), json!(false))]))?;
        }
    }
    Ok(())
}

/// The memberships of a user.
pub fn of_user_id(work: &mut Work<'_, '_>, user: &str) -> Result<Vec<Record>> {
    Record::find(work.tx, &SPEC, "user_id", user)
}
