//! A named group of application memberships that members share.

use super::access_scope::{self, SCOPES, TEST_ENABLED};
use super::{Resource, Versions, application_memberships, memberships};
use crate::work::Work;
use guildhall_jsonapi::spec::{PLAIN, flag, many, one, one_of, text};
use guildhall_jsonapi::{Input, Record, Result, Scope, Spec};
use serde_json::{Map, Value as Json, json};

static SPEC: Spec = Spec {
    kind: "membership_profiles",
    singular: "membershipProfile",
    about: "A named group of application memberships that members share.",
    sized_by: Some("organization_id"),
    attributes: &[
        text("name").required().filter().sort().doc("Its name.").example("\"Marketing\""),
        flag("test_enabled")
            .from(TEST_ENABLED)
            .doc("Whether `access_scope` opens the test environment; sending it sets `access_scope`.")
            .example("false"),
        one_of("access_scope", SCOPES)
            .filter()
            .default("\"live_access\"")
            .expected()
            .doc(
                "Which environments its members' applications may be used in; it beats the membership's own.",
            )
            .example("\"live_access\""),
    ],
    relationships: &[
        one("organization", "organizations", "organization_id").to_few().required(),
        many("application_memberships", "application_memberships", "membership_profile_id")
            .optional()
            .updatable(),
    ],
    ..PLAIN
};

/// See the file.
pub static MEMBERSHIP_PROFILES: Resource = Resource {
    spec: &SPEC,
    versions: Versions::None,
    sees: |caller| Scope::within("organization_id", caller.administered()).or("id", caller.plain_profiles()),
    create: Some(create),
    update: Some(update),
    delete: Some(delete),
    actions: &[],
};

fn create(work: &mut Work<'_, '_>, input: &mut Input) -> Result<String> {
    work.must_administer_its(input)?;
    let found = work.check_organization(&SPEC, input, input.one("organization").unwrap_or_default());
    input.collect(found)?;
    let scope = access_scope::settle(input, None)?;
    input.finish()?;
    let mut columns = input.columns();
    columns.extend(scope);
    let id = work.insert(&SPEC, columns)?;
    application_memberships::attach(work, "membership_profile_id", &id, input)?;
    Ok(id)
}

fn update(work: &mut Work<'_, '_>, profile: &Record, input: &mut Input) -> Result<()> {
    work.must_administer(profile.text("organization_id"))?;
    let found = work.check_organization(&SPEC, input, profile.text("organization_id"));
    input.collect(found)?;
    let scope = access_scope::settle(input, Some(profile.text("access_scope")))?;
    input.finish()?;
    let mut columns = input.columns();
    columns.extend(scope);
    work.update(profile, columns)?;
    application_memberships::attach(work, "membership_profile_id", &profile.id, input)
}

/// Its members stay, without it; its application memberships go.
fn delete(work: &mut Work<'_, '_>, profile: &Record) -> Result<()> {
    work.must_administer(profile.text("organization_id"))?;
    for membership in
        Record::find(work.tx, memberships::MEMBERSHIPS.spec, "membership_profile_id", &profile.id)?
    {
        work.update(&membership, Map::from_iter([("membership_profile_id".to_owned(), json!(Json::Null))]))?;
    }
    for attached in application_memberships::of(work, "membership_profile_id", &profile.id)? {
        work.delete(&attached)?;
    }
    work.delete(profile)
}
