//! What a custom role may do with one kind of thing.

use super::subjects::SUBJECTS;
use super::{Resource, Versions, roles};
use crate::plans;
use crate::work::Work;
use guildhall_jsonapi::spec::{PLAIN, flag, many, object, one, text};
use guildhall_jsonapi::{Input, Problem, Record, Result, Scope, Spec};
use serde_json::{Map, json};

static SPEC: Spec = Spec {
    kind: "permissions",
    singular: "permission",
    about: "What a custom role may do with one kind of thing.",
    sized_by: Some("organization_id"),
    attributes: &[
        flag("can_create").required().filter().doc("Whether it may make one.").example("false"),
        flag("can_read").required().filter().doc("Whether it may read them.").example("true"),
        flag("can_update").required().filter().doc("Whether it may change one.").example("false"),
        flag("can_destroy").required().filter().doc("Whether it may delete one.").example("false"),
        text("subject")
            .required()
            .fixed()
            .within(&SUBJECTS)
            .filter()
            .doc("The kind of thing, as the plural type of the commerce API; once for each role.")
            .example("\"orders\""),
        object("restrictions")
            .derived()
            .filter()
            .default("{}")
            .doc("Further limits, set by the service.")
            .example("{}"),
    ],
    relationships: &[
        one("role", "roles", "role_id").to_few().required(),
        one("organization", "organizations", "organization_id").to_few(),
        many("versions", "versions", "resource_id").typed_by("resource_type").unfiltered(),
    ],
    ..PLAIN
};

/// See the file.
pub static PERMISSIONS: Resource = Resource {
    spec: &SPEC,
    versions: Versions::Changes,
    sees: |caller| Scope::within("organization_id", caller.organizations()),
    create: Some(create),
    update: Some(update),
    delete: None,
    actions: &[],
};

fn create(work: &mut Work<'_, '_>, input: &mut Input) -> Result<String> {
    let Some(role) = input.one("role").map(str::to_owned) else {
        input.finish()?;
        return Err(Problem::blank_relationship("role").into());
    };
    let organization = work.text("roles", &role, "organization_id")?.unwrap_or_default();
    work.must_administer(&organization)?;
    if !plans::is_enterprise(work.tx, &organization)? {
        return Err(Problem::forbidden().into());
    }
    if roles::kind(work, &role)? != "custom" {
        let problem = Problem::relationship("role", "invalid", "must be a custom role");
        input.collect(Err(problem.into()))?;
    }
    input.finish()?;
    let mut columns = input.columns();
    columns.insert("organization_id".to_owned(), json!(organization));
    work.insert(&SPEC, columns)
}

fn update(work: &mut Work<'_, '_>, permission: &Record, input: &mut Input) -> Result<()> {
    work.must_administer(permission.text("organization_id"))?;
    input.finish()?;
    work.update(permission, input.columns())
}

/// Adds a permission that grants nothing.
pub fn add_empty(work: &mut Work<'_, '_>, organization: &str, role: &str, subject: &str) -> Result<()> {
    let mut columns = Map::from_iter([
        ("organization_id".to_owned(), json!(organization)),
        ("role_id".to_owned(), json!(role)),
        ("subject".to_owned(), json!(subject)),
        ("restrictions".to_owned(), json!({})),
        ("metadata".to_owned(), json!({})),
    ]);
    for flag in ["can_create", "can_read", "can_update", "can_destroy"] {
        columns.insert(flag.to_owned(), json!(false));
    }
    work.insert(&SPEC, columns).map(drop)
}
