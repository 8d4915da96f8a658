//! An independent group of members with its own roles, credentials and look.

use super::settings::SETTINGS;
use super::{
    Deed, Resource, Versions, api_credentials, application_memberships, client_secrets, membership_profiles,
    memberships, permissions, roles,
};
use crate::authorizations::{applications, chains};
use crate::invitations::{self, State};
use crate::plans;
use crate::work::Work;
use guildhall_jsonapi::spec::{Attribute, Format, PLAIN, flag, many, object, text, time};
use guildhall_jsonapi::{Action, Input, Problem, Record, Result, Scope, Spec};
use guildhall_store::Sql;
use serde_json::{Map, Value as Json, json};

/// Names that hosts of the installation have, or may come to have.
const RESERVED: &[&str] = &[
    "auth",
    "provisioning",
    "core",
    "dashboard",
    "metrics",
    "docs",
    "api",
    "www",
    "mail",
    "static",
    "status",
    "admin",
    "localhost",
];
/// How many records are erased in one transaction.
const ERASED_AT_ONCE: i64 = 1000;
/// The longest label of a host name.
const LONGEST_SLUG: usize = 63;

const OWN: [Attribute; 15] = [
    text("name")
        .required()
        .filter()
        .sort()
        .searched()
        .doc("Its name: all that is needed to make one.")
        .example("\"The Blue Brand\""),
    text("slug")
        .derived()
        .filter()
        .sort()
        .doc("Its name in host names, made from the name at creation.")
        .example("\"the-blue-brand\""),
    text("domain")
        .derived()
        .from("{t}.slug || '.' || {domain}")
        .filter()
        .sort()
        .doc("Its host.")
        .example("\"the-blue-brand.example.com\""),
    text("support_phone").nullable().doc("Where its customers call.").example("\"+39 055 000000\""),
    text("support_email")
        .nullable()
        .format(Format::Email)
        .doc("Where its customers write.")
        .example("\"help@example.com\""),
    text("logo_url")
        .nullable()
        .format(Format::Url)
        .doc("Its logo.")
        .example("\"https://example.com/logo.svg\""),
    text("favicon_url")
        .nullable()
        .format(Format::Url)
        .doc("Its favicon.")
        .example("\"https://example.com/favicon.ico\""),
    text("primary_color").nullable().format(Format::Color).doc("Its main colour.").example("\"#C8984E\""),
    text("contrast_color")
        .nullable()
        .format(Format::Color)
        .filter()
        .doc("The colour that is read on the main one.")
        .example("\"#FFFFCC\""),
    text("gtm_id").nullable().doc("Its Google Tag Manager id.").example("\"GTM-5FJXX6\""),
    text("gtm_id_test").nullable().doc("The same for its test environment.").example("\"GTM-5FJXX7\""),
    text("region")
        .nullable()
        .fixed()
        .filter()
        .default("\"eu-west-1\"")
        .doc("Where it is.")
        .example("\"eu-west-1\""),
    flag("can_switch_live")
        .derived()
        .from(
            "coalesce((select u.plan <> 'developer' from memberships m join users u on u.id = m.user_id
             where m.organization_id = {t}.id and m.owner), false)",
        )
        .doc("Whether the plan opens the live environment.")
        .example("true"),
    object("subscription_info")
        .derived()
        .from(SUBSCRIPTION_INFO)
        .doc("The owner's plan, its limits (null is unlimited) and how near one is.")
        .example(
            "{\"plan_type\": \"growth\", \"limits\": {\"markets\": 0, \"skus\": 0, \"organizations\": 2, \
             \"memberships\": 5}, \"totals\": {\"organizations\": 1, \"markets\": 0, \"memberships\": 2, \
             \"skus\": 0}}",
        ),
    object("config")
        .nullable()
        .doc("Links and checkout of the micro front ends; a new value replaces the old one whole.")
        .example("{\"mfe\": {\"default\": {\"links\": {\"cart\": \"https://cart.example.com/:order_id\"}}}}"),
];

/// JSON written by the database, so that a page of organizations stays one query.
const SUBSCRIPTION_INFO: &str = "(
    select '{\"plan_type\":\"' || u.plan || '\",\"limits\":{\"markets\":0,\"skus\":0,\"organizations\":'
        || coalesce(cast(p.organizations as text), 'null') || ',\"memberships\":'
        || coalesce(cast(p.memberships as text), 'null') || '},\"totals\":{\"organizations\":'
        || cast(coalesce((select size from sizes where kind = 'organizations' and owner = u.id), 0) as text)
        || ',\"markets\":0,\"memberships\":'
        || cast(coalesce((select size from sizes where kind = 'memberships' and owner = {t}.id), 0) as text)
        || ',\"skus\":0}}'
    from memberships m join users u on u.id = m.user_id join plans p on p.name = u.plan
    where m.organization_id = {t}.id and m.owner
)";

/// Everything an organization says of itself.
pub(crate) const ATTRIBUTES: [Attribute; OWN.len() + SETTINGS.len()] = {
    let mut all = [OWN[0]; OWN.len() + SETTINGS.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = if index < OWN.len() { OWN[index] } else { SETTINGS[index - OWN.len()] };
        index += 1;
    }
    all
};

static SPEC: Spec = Spec {
    kind: "organizations",
    singular: "organization",
    about: "An independent group of members with its own roles, credentials and look.",
    attributes: &ATTRIBUTES,
    relationships: &[
        many("memberships", "memberships", "organization_id"),
        many("roles", "roles", "organization_id"),
        many("permissions", "permissions", "organization_id"),
        many("api_credentials", "api_credentials", "organization_id"),
    ],
    inner: &[flag("ask_existing_users"), time("disabled_at")],
    ..PLAIN
};

/// See the file.
pub static ORGANIZATIONS: Resource = Resource {
    spec: &SPEC,
    versions: Versions::None,
    sees: |caller| Scope::within("id", caller.organizations()),
    create: Some(create),
    update: Some(update),
    delete: None,
    actions: &[Deed {
        name: "transfer_ownership",
        alias: Some("transfer_owenership"),
        method: "PATCH",
        takes: &[(
            "new_owner_email",
            "The address of the active member who becomes the owner.",
            "\"grace@example.com\"",
        )],
        about: "Makes another active member the owner.",
        run: transfer_ownership,
    }],
};

fn create(work: &mut Work<'_, '_>, input: &mut Input) -> Result<String> {
    let caller = work.caller()?;
    let found = check_config(input);
    input.collect(found)?;
    input.finish()?;
    let mut columns = input.columns();
    let slug = free_slug(work, columns.get("name").and_then(Json::as_str).unwrap_or_default())?;
    columns.insert("slug".to_owned(), json!(slug));
    let id = work.insert(&SPEC, columns)?;
    let admin = roles::add(work, &id, "Admin", "admin")?;
    roles::add(work, &id, "Read-only", "read_only")?;
    memberships::add_owner(work, &id, &admin, &caller.user)?;
    for mode in ["test", "live"] {
        api_credentials::add_resources(work, &id, &admin, mode)?;
    }
    plans::check_organizations(work, &caller.user)?;
    Ok(id)
}

fn update(work: &mut Work<'_, '_>, organization: &Record, input: &mut Input) -> Result<()> {
    work.must_administer(&organization.id)?;
    let found = check_config(input);
    input.collect(found)?;
    input.finish()?;
    work.update(organization, input.columns())
}

/// `config` is free but for the keys of `mfe`, which name the defaults, a language or a market.
fn check_config(input: &Input) -> Result<()> {
    let columns = input.columns();
    let Some(mfe) = columns.get("config").and_then(|config| config.get("mfe")) else {
        return Ok(());
    };
    let is_market = |key: &str| {
        key.strip_prefix("market:id:").is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    };
    let well_formed = mfe.as_object().is_some_and(|mfe| {
        mfe.keys().all(|key| matches!(key.as_str(), "default" | "language") || is_market(key))
    });
    if well_formed {
        return Ok(());
    }
    Err(Problem::invalid("config", columns.get("config").cloned().unwrap_or_default()).into())
}

/// A slug nobody has: from the name, with a number when it is taken or reserved.
fn free_slug(work: &mut Work<'_, '_>, name: &str) -> Result<String> {
    let mut base = slug::slugify(name);
    base.truncate(LONGEST_SLUG - 9);
    let base = base.trim_matches('-');
    let base = if base.is_empty() { "organization" } else { base };
    let is_free = |work: &mut Work<'_, '_>, slug: &str| -> Result<bool> {
        let taken = work.tx.rows(&Sql::new("select 1 from organizations where slug = ?", [slug.into()]))?;
        Ok(taken.is_empty() && !RESERVED.contains(&slug))
    };
    if is_free(work, base)? {
        return Ok(base.to_owned());
    }
    loop {
        // The last number is kept, so that the thousandth namesake costs as much as the second.
        work.tx.execute(&Sql::new(
            "insert into slugs (base, last) values (?, 2) on conflict (base) do update set last = slugs.last + 1",
            [base.into()],
        ))?;
        let rows = work.tx.rows(&Sql::new("select last from slugs where base = ?", [base.into()]))?;
        let slug = format!("{base}-{}", rows.first().map_or(2, |row| row.int(0)));
        if is_free(work, &slug)? {
            return Ok(slug);
        }
    }
}

fn transfer_ownership(work: &mut Work<'_, '_>, organization: &Record, action: &Action) -> Result<()> {
    work.caller()?.must_own(work.tx, &organization.id)?;
    let email = action.text("new_owner_email")?;
    memberships::hand_over(work, &organization.id, email)
}

/// Erases a part of an organization, then the organization itself; answers whether it is gone. History
/// stays, and tells of everything that went. In parts, so that an organization of any size keeps the writer
/// busy for moments only; one that was left in the middle can be erased again.
pub fn erase(work: &mut Work<'_, '_>, organization: &Record) -> Result<bool> {
    let kinds = [
        application_memberships::APPLICATION_MEMBERSHIPS.spec,
        memberships::MEMBERSHIPS.spec,
        client_secrets::CLIENT_SECRETS.spec,
        api_credentials::API_CREDENTIALS.spec,
        permissions::PERMISSIONS.spec,
        roles::ROLES.spec,
        membership_profiles::MEMBERSHIP_PROFILES.spec,
    ];
    work.tx.take_time()?;
    for spec in kinds {
        let part = Record::find_some(work.tx, spec, "organization_id", &organization.id, ERASED_AT_ONCE)?;
        for record in &part {
            if spec.kind == "memberships" {
                invitations::end(work, &record.id, State::Revoked)?;
                if record.column("owner") == &json!(true) {
                    memberships::count_owned(work, record.text("user_id"), -1);
                }
            }
            work.delete(record)?;
        }
        if !part.is_empty() {
            return Ok(false);
        }
    }
    work.delete(organization)?;
    let sql = "delete from sizes where owner = ? and kind <> 'versions'";
    work.tx.execute(&Sql::new(sql, [(&organization.id).into()]))?;
    for spec in kinds.iter().filter(|spec| spec.milestones) {
        let sql = "delete from milestones where kind = ? and owner = ?";
        work.tx.execute(&Sql::new(sql, [spec.kind.into(), (&organization.id).into()]))?;
    }
    Ok(true)
}

/// Whether people who have an account are asked before they become members.
pub fn asks_existing_users(work: &mut Work<'_, '_>, organization: &str) -> Result<bool> {
    let sql = "select ask_existing_users from organizations where id = ?";
    Ok(work.tx.rows(&Sql::new(sql, [organization.into()]))?.first().is_some_and(|row| row.flag(0)))
}

/// Says whether people who have an account are asked before they become members.
pub fn ask_existing_users(work: &mut Work<'_, '_>, organization: &Record, asks: bool) -> Result<()> {
    work.update(organization, Map::from_iter([("ask_existing_users".to_owned(), json!(asks))]))
}

/// Takes an organization out of use, or back. Its tokens end for good; its members find it again as it was.
pub fn set_disabled(work: &mut Work<'_, '_>, organization: &Record, disabled: bool) -> Result<()> {
    let at = if disabled { json!(work.now) } else { Json::Null };
    work.update(organization, Map::from_iter([("disabled_at".to_owned(), at)]))?;
    if disabled {
        let mut sql = Sql::text("update api_credentials set valid_from = ");
        sql.append(&applications::ended(work.app, work.now))
            .push(" where organization_id = ")
            .bind(&organization.id);
        work.tx.execute(&sql)?;
        chains::end_of_organization(work.tx, &organization.id, work.now)?;
        for table in ["authorization_codes", "device_codes", "pushed_requests"] {
            let mut sql = Sql::text("delete from ");
            sql.push(table)
                .push(" where api_credential_id in (select id from api_credentials where organization_id = ");
            work.tx.execute(sql.bind(&organization.id).push(")"))?;
        }
    }
    Ok(())
}

/// The organization with this slug, for the operator.
pub fn by_slug(work: &mut Work<'_, '_>, slug: &str) -> Result<Option<Record>> {
    Ok(Record::find(work.tx, &SPEC, "slug", slug)?.pop())
}
