//! A member's access to one application, directly or through a profile.

use super::{Resource, Versions};
use crate::work::Work;
use guildhall_jsonapi::spec::{PLAIN, object, one};
use guildhall_jsonapi::{Error, Input, Problem, Record, Result, Scope, Spec};
use serde_json::{Map, Value as Json, json};

static SPEC: Spec = Spec {
    kind: "application_memberships",
    singular: "applicationMembership",
    about: "A member's access to one application, directly or through a profile, with the rights of a role.",
    sized_by: Some("organization_id"),
    attributes: &[object("filters")
        .nullable()
        .filter()
        .doc("What narrows the access further, as filter predicates and their values.")
        .example("{\"market_id_in\": [202, 203]}")],
    relationships: &[
        one("api_credential", "api_credentials", "api_credential_id").required(),
        one("membership", "memberships", "membership_id").optional(),
        one("membership_profile", "membership_profiles", "membership_profile_id").optional().updatable(),
        one("organization", "organizations", "organization_id").to_few().required(),
        one("role", "roles", "role_id").to_few().required().updatable(),
    ],
    ..PLAIN
};

/// See the file.
pub static APPLICATION_MEMBERSHIPS: Resource = Resource {
    spec: &SPEC,
    versions: Versions::None,
    sees: |caller| {
        Scope::within("organization_id", caller.administered())
            .or("membership_id", caller.plain_memberships())
            .or("membership_profile_id", caller.plain_profiles())
    },
    create: Some(create),
    update: Some(update),
    delete: Some(delete),
    actions: &[],
};

fn create(work: &mut Work<'_, '_>, input: &mut Input) -> Result<String> {
    work.must_administer_its(input)?;
    let found = work.check_organization(&SPEC, input, input.one("organization").unwrap_or_default());
    input.collect(found)?;
    if input.one("membership").is_some() && input.one("membership_profile").is_some() {
        input.collect(Err(holds_one("membership_profile")))?;
    }
    input.finish()?;
    work.insert(&SPEC, input.columns())
}

fn update(work: &mut Work<'_, '_>, record: &Record, input: &mut Input) -> Result<()> {
    work.must_administer(record.text("organization_id"))?;
    let found = work.check_organization(&SPEC, input, record.text("organization_id"));
    input.collect(found)?;
    if input.one("membership_profile").is_some() && !record.column("membership_id").is_null() {
        input.collect(Err(holds_one("membership_profile")))?;
    }
    input.finish()?;
    work.update(record, input.columns())
}

fn delete(work: &mut Work<'_, '_>, record: &Record) -> Result<()> {
    work.must_administer(record.text("organization_id"))?;
    work.delete(record)
}

/// It belongs to a membership or to a profile, never to both.
fn holds_one(relationship: &str) -> Error {
    Problem::relationship(relationship, "present", "must be blank").into()
}

/// The application memberships that hang on a membership, a profile or a credential.
pub fn of(work: &mut Work<'_, '_>, column: &str, id: &str) -> Result<Vec<Record>> {
    Record::find(work.tx, &SPEC, column, id)
}

/// Makes the list that a membership or profile was sent with its whole list: what is not on it is detached.
pub fn attach(work: &mut Work<'_, '_>, column: &str, id: &str, input: &Input) -> Result<()> {
    if !input.has("application_memberships") {
        return Ok(());
    }
    let wanted = input.ids("application_memberships");
    for attached in of(work, column, id)? {
        if !wanted.contains(&attached.id) {
            work.update(&attached, Map::from_iter([(column.to_owned(), Json::Null)]))?;
        }
    }
    let other = if column == "membership_id" { "membership_profile_id" } else { "membership_id" };
    for id_wanted in &wanted {
        for record in Record::find(work.tx, &SPEC, "id", id_wanted)? {
            if !record.column(other).is_null() {
                return Err(holds_one("application_memberships"));
            }
            // Taking it from somebody else would be a change of theirs: they give it up first.
            let holder = record.column(column);
            if !holder.is_null() && holder != id {
                let problem =
                    Problem::relationship("application_memberships", "taken", "has already been taken");
                return Err(problem.into());
            }
            let columns = Map::from_iter([(column.to_owned(), json!(id))]);
            work.update(&record, columns).map_err(|error| taken(error, column))?;
        }
    }
    Ok(())
}

/// A second one for the same credential, told of the list that would hold it.
fn taken(error: Error, column: &str) -> Error {
    let relationship = column.strip_suffix("_id").unwrap_or(column);
    let pointer = format!("/data/relationships/{relationship}");
    match error {
        Error::Refused(problems)
            if problems.iter().any(|problem| problem.pointer.as_ref() == Some(&pointer)) =>
        {
            Problem::relationship("application_memberships", "taken", "has already been taken").into()
        }
        other => other,
    }
}
