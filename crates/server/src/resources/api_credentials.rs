//! The credentials of one application of an organization, in its test or its live environment.

use super::{Resource, Versions, application_memberships, roles};
use crate::work::Work;
use guildhall_jsonapi::spec::{Format, flag, integer_between, one, secret, text};
use guildhall_jsonapi::{Error, Input, Problem, Record, Result, Scope, Spec};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

/// The kinds a caller can make: three for the commerce API, then the applications of the dashboard.
const CREATABLE: &[&str] = &[
    "sales_channel",
    "integration",
    "webapp",
    "bundles",
    "customers",
    "exports",
    "gift_cards",
    "imports",
    "inventory",
    "orders",
    "price_lists",
    "promotions",
    "returns",
    "shipments",
    "sku_lists",
    "skus",
    "stock_transfers",
    "subscriptions",
    "tags",
    "webhooks",
    "generic",
    "links",
    "metrics",
    "contentful",
    "datocms",
    "sanity",
    "zapier",
    "external",
];
/// The kinds that are no application of the dashboard.
const CORE: &[&str] = &["sales_channel", "integration", "webapp"];
/// How long a token of a sales channel lives when nobody says, in seconds.
const SALES_CHANNEL_SECONDS: i64 = 14_400;
/// How long a token of any other kind lives when nobody says, in seconds.
const OTHER_SECONDS: i64 = 7_200;
/// The longest life of a token, in seconds: a year.
const LONGEST_SECONDS: i64 = 31_536_000;

static SPEC: Spec = Spec {
    kind: "api_credentials",
    singular: "apiCredential",
    about: "The credentials of one application of an organization, in its test or its live environment.",
    singleton: None,
    sized_by: Some("organization_id"),
    attributes: &[
        text("name").required().filter().doc("Its name.").example("\"Web shop\""),
        text("kind")
            .required()
            .fixed()
            .within(CREATABLE)
            .filter()
            .doc("`sales_channel`, `integration`, `webapp` or the kind of a dashboard application.")
            .example("\"sales_channel\""),
        flag("confidential").derived().filter().doc("Whether it keeps a secret.").example("false"),
        text("redirect_uri")
            .nullable()
            .format(Format::Url)
            .filter()
            .doc("Where the authorization code flow returns to.")
            .example("\"https://example.com/callback\""),
        text("client_id").derived().filter().doc("Its public name.").example("\"xYZk-client-id\""),
        secret("client_secret").derived().doc("Its secret.").example("\"xYZk-client-secret\""),
        text("scopes").derived().filter().doc("What its tokens may be for.").example("\"market:all\""),
        integer_between("expires_in", OTHER_SECONDS, LONGEST_SECONDS)
            .nullable()
            .filter()
            .doc("How many seconds its tokens live: 14,400 for sales channels and 7,200 for others when not sent.")
            .example("7200"),
        text("mode")
            .nullable()
            .fixed()
            .within(&["test", "live"])
            .filter()
            .sort()
            .default("\"test\"")
            .doc("The environment it is for: `test` when not sent.")
            .example("\"test\""),
        flag("custom")
            .nullable()
            .fixed()
            .filter()
            .default("false")
            .doc("Whether it is for a dashboard application of your own making.")
            .example("false"),
    ],
    relationships: &[
        one("organization", "organizations", "organization_id").required(),
        one("role", "roles", "role_id").optional().updatable(),
    ],
    inner: &[],
};

/// See the file.
pub static API_CREDENTIALS: Resource = Resource {
    spec: &SPEC,
    versions: Versions::None,
    sees: |caller| Scope {
        secrets: caller.secrets(),
        ..Scope::within("organization_id", caller.organizations())
    },
    create: Some(create),
    update: Some(update),
    delete: Some(delete),
    actions: &[],
};

#[derive(Deserialize)]
struct New {
    kind: String,
    custom: Option<bool>,
    mode: Option<String>,
    expires_in: Option<i64>,
}

#[derive(Deserialize)]
struct Credential {
    kind: String,
    organization_id: String,
    role_id: Option<String>,
}

fn create(work: &mut Work<'_, '_>, input: &mut Input) -> Result<String> {
    work.must_administer(input)?;
    if let Some(kind) = input.text("kind").map(str::to_owned) {
        let organization = input.one("organization").unwrap_or_default();
        let found = work
            .check_organization(&SPEC, input, organization)
            .and_then(|()| check_role(work, &kind, organization, input.one("role")));
        input.collect(found)?;
        if input.flag("custom") == Some(true) && CORE.contains(&kind.as_str()) {
            input.collect(Err(Problem::invalid("custom", true).into()))?;
        }
    }
    input.finish()?;
    let new: New = input.parse()?;
    let mut columns = input.columns();
    columns.extend(made(work, &new.kind)?);
    columns.insert("mode".to_owned(), json!(new.mode.as_deref().unwrap_or("test")));
    columns.insert("custom".to_owned(), json!(new.custom.unwrap_or(false)));
    columns.insert("expires_in".to_owned(), json!(new.expires_in.unwrap_or_else(|| lifetime(&new.kind))));
    work.insert(&SPEC, columns)
}

fn update(work: &mut Work<'_, '_>, record: &Record, input: &mut Input) -> Result<()> {
    let credential: Credential = record.parse()?;
    work.caller()?.must_administer(&credential.organization_id)?;
    let mut found = work.check_organization(&SPEC, input, &credential.organization_id);
    if found.is_ok() && input.has("role") && input.one("role") != credential.role_id.as_deref() {
        found = check_role(work, &credential.kind, &credential.organization_id, input.one("role"));
    }
    input.collect(found)?;
    input.finish()?;
    let mut columns = input.columns();
    if columns.get("expires_in") == Some(&Json::Null) {
        columns.insert("expires_in".to_owned(), json!(lifetime(&credential.kind)));
    }
    work.update(record, columns)
}

/// Its tokens end with it, since every use of one looks it up.
fn delete(work: &mut Work<'_, '_>, record: &Record) -> Result<()> {
    let credential: Credential = record.parse()?;
    work.caller()?.must_administer(&credential.organization_id)?;
    if credential.kind == "resources" {
        return Err(
            Problem::locked("The credentials an organization was made with cannot be deleted.").into()
        );
    }
    for attached in application_memberships::of(work, "api_credential_id", &record.id)? {
        work.delete(&attached)?;
    }
    work.delete(record)
}

/// Integrations have a role, sales channels and webapps cannot, applications may.
fn check_role(work: &mut Work<'_, '_>, kind: &str, organization: &str, role: Option<&str>) -> Result<()> {
    let refuse = |rule, message| Err(Error::from(Problem::relationship("role", rule, message)));
    match (kind, role) {
        ("integration", None) => refuse("blank", "can't be blank"),
        ("sales_channel" | "webapp", Some(_)) => refuse("present", "must be blank"),
        ("resources", _) => refuse("invalid", "is invalid"),
        (_, Some(role)) => roles::check_usable(work, role, organization),
        (_, None) => Ok(()),
    }
}

fn lifetime(kind: &str) -> i64 {
    if kind == "sales_channel" { SALES_CHANNEL_SECONDS } else { OTHER_SECONDS }
}

/// What the service makes up for a credential of a kind.
fn made(work: &Work<'_, '_>, kind: &str) -> Result<Map<String, Json>> {
    let secret = work.app.chance.secret();
    let sealed =
        work.app.vault.seal(&secret).map_err(|error| guildhall_store::Error::Other(error.to_string()))?;
    Ok(Map::from_iter([
        ("confidential".to_owned(), json!(kind != "sales_channel")),
        ("client_id".to_owned(), json!(work.app.chance.secret())),
        ("client_secret".to_owned(), json!(sealed)),
        ("scopes".to_owned(), json!("market:all")),
    ]))
}

/// Adds one of the two credentials that every organization begins with.
pub fn add_resources(work: &mut Work<'_, '_>, organization: &str, role: &str, mode: &str) -> Result<()> {
    let mut columns = made(work, "resources")?;
    for (name, value) in [
        ("organization_id", json!(organization)),
        ("role_id", json!(role)),
        ("name", json!("Resources")),
        ("kind", json!("resources")),
        ("mode", json!(mode)),
        ("custom", json!(false)),
        ("expires_in", json!(OTHER_SECONDS)),
        ("metadata", json!({})),
    ] {
        columns.insert(name.to_owned(), value);
    }
    work.insert(&SPEC, columns).map(drop)
}
