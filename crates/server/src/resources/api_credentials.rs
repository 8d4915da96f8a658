//! The credentials of one application of an organization, in its test or its live environment.

use super::{Resource, Versions, application_memberships, client_secrets, roles, switches};
use crate::authorizations::{assertion, chains, redirects};
use crate::work::Work;
use guildhall_jsonapi::spec::{
    Format, PLAIN, flag, integer, integer_between, many, object, one, secret, text, time, trigger,
};
use guildhall_jsonapi::{Error, Input, Problem, Record, Result, Scope, Spec};
use guildhall_store::Sql;
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
/// How a credential can show who it is at the token endpoint, by the names of RFC 7591.
const METHODS: &[&str] = &["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
const MOMENT: &str = "\"2026-01-01T12:00:00.000Z\"";
/// How many keys a credential may have.
const MOST_KEYS: usize = 10;
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
        secret("client_secret")
            .derived()
            .from(client_secrets::SHOWN)
            .doc("Its secret: of several the oldest that is not about to end.")
            .example("\"xYZk-client-secret\""),
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
        text("token_endpoint_auth_method")
            .nullable()
            .within(METHODS)
            .doc("How it shows who it is: by a secret when null, by a key of `jwks`, or, for a webapp that keeps no secret, not at all.")
            .example("\"private_key_jwt\""),
        object("jwks")
            .nullable()
            .doc("The public keys it signs assertions with, as a JWK set.")
            .example("{\"keys\": []}"),
        time("disabled_at").derived().nullable().filter().sort().doc("Since when it is out of use.").example(MOMENT),
        trigger("_disable").on_update().doc("Send true to end its tokens and refuse it new ones.").example("true"),
        trigger("_enable").on_update().doc("Send true to take it back into use.").example("true"),
        trigger("_end_tokens").on_update().doc("Send true to end every token it was given so far.").example("true"),
    ],
    relationships: &[
        one("organization", "organizations", "organization_id").to_few().required(),
        one("role", "roles", "role_id").to_few().optional().updatable(),
        many("client_secrets", "client_secrets", "api_credential_id").unfiltered(),
    ],
    inner: &[integer("valid_from")],
    ..PLAIN
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
    work.must_administer_its(input)?;
    if let Some(kind) = input.text("kind").map(str::to_owned) {
        let organization = input.one("organization").unwrap_or_default();
        let found = work
            .check_organization(&SPEC, input, organization)
            .and_then(|()| check_role(work, &kind, organization, input.one("role")));
        input.collect(found)?;
        let checked = check_method(&kind, input, &Record::empty(&SPEC));
        input.collect(checked)?;
        let checked = check_place(&kind, input);
        input.collect(checked)?;
        if input.flag("custom") == Some(true) && CORE.contains(&kind.as_str()) {
            input.collect(Err(Problem::invalid("custom", true).into()))?;
        }
    }
    input.finish()?;
    let new: New = input.parse()?;
    let mut columns = input.columns();
    let method = input.text("token_endpoint_auth_method");
    columns.extend(made(work, &new.kind, method));
    columns.insert("mode".to_owned(), json!(new.mode.as_deref().unwrap_or("test")));
    columns.insert("custom".to_owned(), json!(new.custom.unwrap_or(false)));
    columns.insert("expires_in".to_owned(), json!(new.expires_in.unwrap_or_else(|| lifetime(&new.kind))));
    insert(work, columns)
}

/// A credential with its first secret.
fn insert(work: &mut Work<'_, '_>, columns: Map<String, Json>) -> Result<String> {
    let organization = columns.get("organization_id").and_then(Json::as_str).unwrap_or_default().to_owned();
    let id = work.insert(&SPEC, columns)?;
    client_secrets::add(work, &id, &organization, Map::new())?;
    Ok(id)
}

fn update(work: &mut Work<'_, '_>, record: &Record, input: &mut Input) -> Result<()> {
    let credential: Credential = record.parse()?;
    work.must_administer(&credential.organization_id)?;
    let mut found = work.check_organization(&SPEC, input, &credential.organization_id);
    if found.is_ok() && input.has("role") && input.one("role") != credential.role_id.as_deref() {
        found = check_role(work, &credential.kind, &credential.organization_id, input.one("role"));
    }
    input.collect(found)?;
    let checked = check_method(&credential.kind, input, record).and_then(|()| switches::check(input));
    input.collect(checked)?;
    let checked = check_place(&credential.kind, input);
    input.collect(checked)?;
    input.finish()?;
    let mut columns = input.columns();
    if columns.get("expires_in") == Some(&Json::Null) {
        columns.insert("expires_in".to_owned(), json!(lifetime(&credential.kind)));
    }
    if input.has("token_endpoint_auth_method") {
        let method = input.text("token_endpoint_auth_method");
        columns.insert("confidential".to_owned(), json!(is_confidential(&credential.kind, method)));
    }
    switches::fire(input, &mut columns, work.now);
    if input.fires("_disable") || input.fires("_end_tokens") {
        columns.extend(end_tokens(work, record)?);
    }
    work.update(record, columns)
}

/// Ends every token a credential was given; answers the column by which those that are not stored end.
fn end_tokens(work: &mut Work<'_, '_>, credential: &Record) -> Result<Map<String, Json>> {
    chains::end_of_credential(work.tx, &credential.id, work.now)?;
    for table in ["authorization_codes", "device_codes", "pushed_requests"] {
        let mut sql = Sql::text("delete from ");
        sql.push(table).push(" where api_credential_id = ").bind(&credential.id);
        work.tx.execute(&sql)?;
    }
    // The same as `applications::ended`, so that history has it.
    let before = credential.column("valid_from").as_i64().unwrap_or(0);
    Ok(Map::from_iter([("valid_from".to_owned(), json!(work.app.next_date(work.now).max(before + 1)))]))
}

/// Takes a credential out of use, or back: for the operator.
pub fn set_disabled(work: &mut Work<'_, '_>, credential: &Record, disabled: bool) -> Result<()> {
    let mut columns = Map::new();
    if disabled {
        columns = end_tokens(work, credential)?;
    }
    columns.insert("disabled_at".to_owned(), if disabled { json!(work.now) } else { Json::Null });
    work.update(credential, columns)
}

/// The credential with this client id, for the operator.
pub fn by_client_id(work: &mut Work<'_, '_>, client_id: &str) -> Result<Option<Record>> {
    Ok(Record::find(work.tx, &SPEC, "client_id", client_id)?.pop())
}

/// Only a webapp may come without a secret, and only who has keys can sign with one.
fn check_method(kind: &str, input: &Input, record: &Record) -> Result<()> {
    let columns = input.columns();
    let value = |name: &str| columns.get(name).unwrap_or_else(|| record.column(name)).clone();
    let (method, jwks) = (value("token_endpoint_auth_method"), value("jwks"));
    let mut problems = Vec::new();
    let fits = match method.as_str() {
        None | Some("client_secret_basic" | "client_secret_post") => true,
        Some("none") => kind == "webapp",
        _ => matches!(kind, "webapp" | "integration"),
    };
    if !fits {
        problems.push(Problem::invalid("token_endpoint_auth_method", method.clone()));
    }
    if method.as_str() == Some("private_key_jwt") && jwks.is_null() {
        problems.push(Problem::blank("jwks"));
    }
    if input.has("jwks") && !jwks.is_null() && !is_key_set(&jwks) {
        problems.push(Problem::invalid("jwks", jwks));
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Refused(problems)) }
}

/// The browser of whoever lets a webapp in is sent there with a code: it must be a place that nobody else listens at.
fn check_place(kind: &str, input: &Input) -> Result<()> {
    match input.text("redirect_uri") {
        Some(uri) if kind == "webapp" && !redirects::is_fit(uri) => {
            Err(Problem::invalid("redirect_uri", uri).into())
        }
        _ => Ok(()),
    }
}

/// A set of public keys that assertions can be checked with.
fn is_key_set(jwks: &Json) -> bool {
    let keys = jwks["keys"].as_array().map(Vec::as_slice).unwrap_or_default();
    (1..=MOST_KEYS).contains(&keys.len()) && keys.iter().all(assertion::is_usable)
}

/// Its tokens end with it, since every use of one looks it up.
fn delete(work: &mut Work<'_, '_>, record: &Record) -> Result<()> {
    let credential: Credential = record.parse()?;
    work.must_administer(&credential.organization_id)?;
    if credential.kind == "resources" {
        return Err(
            Problem::locked("The credentials an organization was made with cannot be deleted.").into()
        );
    }
    for secret in client_secrets::of(work, &record.id)? {
        work.delete(&secret)?;
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
fn made(work: &Work<'_, '_>, kind: &str, method: Option<&str>) -> Map<String, Json> {
    Map::from_iter([
        ("confidential".to_owned(), json!(is_confidential(kind, method))),
        ("client_id".to_owned(), json!(work.app.chance.secret())),
        ("scopes".to_owned(), json!("market:all")),
    ])
}

fn is_confidential(kind: &str, method: Option<&str>) -> bool {
    kind != "sales_channel" && method != Some("none")
}

/// Adds one of the two credentials that every organization begins with.
pub fn add_resources(work: &mut Work<'_, '_>, organization: &str, role: &str, mode: &str) -> Result<()> {
    let mut columns = made(work, "resources", None);
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
    insert(work, columns).map(drop)
}
