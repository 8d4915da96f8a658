//! An OpenID Connect provider with which members of certain domains sign in.

use super::{Resource, Versions, switches};
use crate::config::SecretReaders;
use crate::work::Work;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_jsonapi::spec::{Format, PLAIN, one, one_of, secret, text, time, trigger};
use guildhall_jsonapi::{Arm, Input, Problem, Record, Result, Scope, Spec, Values};
use guildhall_store::Sql;
use serde_json::{Map, Value as Json, json};

static SPEC: Spec = Spec {
    kind: "identity_providers",
    singular: "identityProvider",
    about: "An OpenID Connect provider with which people of certain domains sign in.",
    attributes: &[
        text("name")
            .required()
            .filter()
            .sort()
            .doc("Its name, which no other provider of the installation has.")
            .example("\"Blue Brand staff\""),
        text("client_id")
            .required()
            .filter()
            .sort()
            .doc("The client id that the provider gave.")
            .example("\"a6CDk5v1ZV99GrtO\""),
        secret("client_secret")
            .required()
            .doc("The client secret that the provider gave.")
            .example("\"s6CD55v1ZV99\""),
        text("issuer")
            .required()
            .format(Format::Url)
            .filter()
            .sort()
            .doc("Its issuer.")
            .example("\"https://id.example.com/\""),
        one_of("status", &["pending", "verified", "error"])
            .derived()
            .filter()
            .sort()
            .doc("`verified` once every domain shows `txt_record`.")
            .example("\"pending\""),
        text("domains")
            .required()
            .format(Format::Domains)
            .filter()
            .sort()
            .doc("The domains it speaks for, separated by commas.")
            .example("\"example.com,example.org\""),
        text("token_url")
            .required()
            .format(Format::Url)
            .filter()
            .sort()
            .doc("Its token endpoint.")
            .example("\"https://id.example.com/oauth/token\""),
        text("authorize_url")
            .required()
            .format(Format::Url)
            .filter()
            .sort()
            .doc("Its authorization endpoint.")
            .example("\"https://id.example.com/authorize\""),
        text("jwks_url")
            .required()
            .format(Format::Url)
            .filter()
            .sort()
            .doc("Where its keys are.")
            .example("\"https://id.example.com/jwks.json\""),
        text("txt_record")
            .derived()
            .filter()
            .sort()
            .doc("The TXT record that every domain must show.")
            .example("\"cl-verification=a6CDk5v\""),
        text("organization")
            .nullable()
            .filter()
            .sort()
            .doc("A value for the provider's own `organization` parameter.")
            .example("\"org_76gsfs5gd\""),
        time("disabled_at")
            .derived()
            .nullable()
            .filter()
            .sort()
            .doc("Since when it is out of use.")
            .example("\"2026-01-01T12:00:00.000Z\""),
        trigger("_disable").doc("Send true to take it out of use.").example("true"),
        trigger("_enable").doc("Send true to take it back into use.").example("true"),
    ],
    relationships: &[one("user", "users", "user_id")],
    ..PLAIN
};

/// See the file.
pub static IDENTITY_PROVIDERS: Resource = Resource {
    spec: &SPEC,
    versions: Versions::None,
    sees: |caller| {
        // Everyone in an organization that its maker owns.
        let mut from = Sql::text("memberships theirs where theirs.owner and ");
        caller.organizations().lead(&mut from, "theirs.organization_id");
        let owners = Values::Selected { value: "theirs.user_id", from };
        Scope {
            // Its secret is the maker's alone where only admins read secrets.
            secrets: match caller.show_secrets {
                SecretReaders::Admins => {
                    Some(Arm { column: "user_id", values: vec![caller.user.clone()].into() })
                }
                SecretReaders::Members | SecretReaders::Once => caller.secrets(),
            },
            ..Scope::within("user_id", vec![caller.user.clone()]).or("user_id", owners)
        }
    },
    create: Some(create),
    update: Some(update),
    delete: Some(delete),
    actions: &[],
};

fn create(work: &mut Work<'_, '_>, input: &mut Input) -> Result<String> {
    let caller = work.caller()?;
    must_own_enterprise(work, &caller.user)?;
    let found = switches::check(input);
    input.collect(found)?;
    input.finish()?;
    let id = work.new_id();
    let mut columns = input.columns();
    columns.insert("user_id".to_owned(), json!(caller.user));
    columns.extend(unproved(work, &id, columns.get("domains")));
    settle(work, input, &mut columns)?;
    work.insert_as(&SPEC, &id, columns)?;
    Ok(id)
}

fn update(work: &mut Work<'_, '_>, provider: &Record, input: &mut Input) -> Result<()> {
    must_be_maker(work, provider)?;
    let found = switches::check(input);
    input.collect(found)?;
    input.finish()?;
    let mut columns = input.columns();
    if columns.get("domains").is_some_and(|domains| domains != provider.column("domains")) {
        columns.extend(unproved(work, &provider.id, columns.get("domains")));
    }
    settle(work, input, &mut columns)?;
    work.update(provider, columns)
}

fn delete(work: &mut Work<'_, '_>, provider: &Record) -> Result<()> {
    must_be_maker(work, provider)?;
    work.delete(provider)
}

fn must_be_maker(work: &mut Work<'_, '_>, provider: &Record) -> Result<()> {
    let caller = work.caller()?;
    if provider.text("user_id") != caller.user {
        return Err(Problem::forbidden().into());
    }
    must_own_enterprise(work, &caller.user)
}

fn must_own_enterprise(work: &mut Work<'_, '_>, user: &str) -> Result<()> {
    let rows = work.tx.rows(&Sql::new(
        "select 1 from users u join plans p on p.name = u.plan
         where u.id = ? and p.enterprise and exists (select 1 from memberships m where m.user_id = u.id and m.owner)",
        [user.into()],
    ))?;
    if rows.is_empty() { Err(Problem::forbidden().into()) } else { Ok(()) }
}

/// A new proof for new domains: the record to show, and nothing proved yet.
fn unproved(work: &Work<'_, '_>, id: &str, domains: Option<&Json>) -> Map<String, Json> {
    let domains = domains.and_then(Json::as_str).unwrap_or_default().to_lowercase();
    let mut sorted: Vec<&str> = domains.split(',').collect();
    sorted.sort_unstable();
    let proof = work.app.vault.sign(&["txt_record", id, &sorted.join(",")]);
    Map::from_iter([
        ("status".to_owned(), json!("pending")),
        ("txt_record".to_owned(), json!(format!("cl-verification={}", URL_SAFE_NO_PAD.encode(&proof[..24])))),
    ])
}

/// Fires the triggers and seals the secret.
fn settle(work: &Work<'_, '_>, input: &Input, columns: &mut Map<String, Json>) -> Result<()> {
    switches::fire(input, columns, work.now);
    if let Some(Json::String(secret)) = columns.get("client_secret") {
        let sealed = work.app.vault.seal_row(secret)?;
        columns.insert("client_secret".to_owned(), json!(sealed));
    }
    Ok(())
}
