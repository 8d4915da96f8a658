//! What a member, an integration or an application may do: everything, reading, or what its permissions say.

use super::subjects::SUBJECTS;
use super::{Resource, Versions, permissions};
use crate::plans;
use crate::work::Work;
use guildhall_jsonapi::spec::{PLAIN, many, one, one_of, text, trigger};
use guildhall_jsonapi::{Error, Input, Problem, Record, Result, Scope, Spec};
use guildhall_store::Sql;
use serde::Deserialize;
use serde_json::{Map, json};
use std::collections::HashSet;

static SPEC: Spec = Spec {
    kind: "roles",
    singular: "role",
    about: "A set of rights inside one organization: everything, reading, or what its permissions say.",
    sized_by: Some("organization_id"),
    attributes: &[
        text("name")
            .required()
            .filter()
            .doc("Its name, which no other role of the organization has.")
            .example("\"Customer care\""),
        one_of("kind", &["admin", "read_only", "custom"])
            .derived()
            .filter()
            .doc("`admin` may do everything, `read_only` may read, `custom` may do what its permissions say.")
            .example("\"custom\""),
        trigger("_add_missing_base_permissions")
            .on_update()
            .doc("Send true to give a custom role a permission that grants nothing for every subject it has none for.")
            .example("true"),
    ],
    relationships: &[
        one("organization", "organizations", "organization_id").to_few().required(),
        many("permissions", "permissions", "role_id"),
        many("memberships", "memberships", "role_id"),
        many("api_credentials", "api_credentials", "role_id"),
        many("versions", "versions", "resource_id").typed_by("resource_type").unfiltered(),
    ],
    ..PLAIN
};

/// See the file.
pub static ROLES: Resource = Resource {
    spec: &SPEC,
    versions: Versions::All,
    sees: |caller| Scope::within("organization_id", caller.organizations()),
    create: Some(create),
    update: Some(update),
    delete: None,
    actions: &[],
};

#[derive(Deserialize)]
struct Role {
    kind: String,
    organization_id: String,
}

fn create(work: &mut Work<'_, '_>, input: &mut Input) -> Result<String> {
    work.must_administer_its(input)?;
    if let Some(organization) = input.one("organization")
        && !plans::is_enterprise(work.tx, organization)?
    {
        return Err(Problem::forbidden().into());
    }
    input.finish()?;
    let mut columns = input.columns();
    columns.insert("kind".to_owned(), json!("custom"));
    work.insert(&SPEC, columns)
}

fn update(work: &mut Work<'_, '_>, record: &Record, input: &mut Input) -> Result<()> {
    let role: Role = record.parse()?;
    work.must_administer(&role.organization_id)?;
    let renamed = input.text("name").filter(|name| *name != record.text("name")).map(str::to_owned);
    if let (Some(name), true) = (renamed, role.kind != "custom") {
        input.collect(Err(Problem::invalid("name", name).into()))?;
    }
    input.finish()?;
    let columns = input.columns();
    work.update(record, columns)?;
    if input.fires("_add_missing_base_permissions") && role.kind == "custom" {
        if !plans::is_enterprise(work.tx, &role.organization_id)? {
            return Err(Problem::forbidden().into());
        }
        add_missing_permissions(work, record, &role)?;
    }
    Ok(())
}

fn add_missing_permissions(work: &mut Work<'_, '_>, record: &Record, role: &Role) -> Result<()> {
    let known = Record::find(work.tx, permissions::PERMISSIONS.spec, "role_id", &record.id)?;
    let known: HashSet<&str> = known.iter().map(|permission| permission.text("subject")).collect();
    for subject in SUBJECTS.iter().filter(|subject| !known.contains(**subject)) {
        permissions::add_empty(work, &role.organization_id, &record.id, subject)?;
    }
    Ok(())
}

/// Adds one of the roles that every organization begins with.
pub fn add(work: &mut Work<'_, '_>, organization: &str, name: &str, kind: &str) -> Result<String> {
    let columns = Map::from_iter([
        ("organization_id".to_owned(), json!(organization)),
        ("name".to_owned(), json!(name)),
        ("kind".to_owned(), json!(kind)),
        ("metadata".to_owned(), json!({})),
    ]);
    work.insert(&SPEC, columns)
}

/// Refuses a custom role in an organization whose plan has none.
pub fn check_usable(work: &mut Work<'_, '_>, role: &str, organization: &str) -> Result<()> {
    // Where the organization is missing, that is the problem.
    if organization.is_empty() {
        return Ok(());
    }
    if kind(work, role)? == "custom" && !plans::is_enterprise(work.tx, organization)? {
        return Err(Problem::relationship("role", "invalid", "is invalid").into());
    }
    Ok(())
}

/// The kind of a role.
pub fn kind(work: &mut Work<'_, '_>, role: &str) -> Result<String> {
    Ok(work.text("roles", role, "kind")?.unwrap_or_default())
}

/// The role of kind `admin` that every organization has: its first one, however many there are.
pub fn admin(work: &mut Work<'_, '_>, organization: &str) -> Result<String> {
    let sql =
        "select id from roles where organization_id = ? and kind = 'admin' order by created_at, id limit 1";
    let found = work.tx.rows(&Sql::new(sql, [organization.into()]))?;
    found.first().map(|role| role.text(0).to_owned()).ok_or_else(|| {
        Error::Store(guildhall_store::Error::Other(format!("organization {organization} has no Admin role")))
    })
}
