//! The two documents: the organization of a token, and the application it was given to.

use super::Visitor;
use crate::App;
use crate::api::MEDIA_TYPE;
use crate::http::Answer;
use crate::resources::organizations;
use guildhall_jsonapi::spec::{Attribute, PLAIN, flag, text};
use guildhall_jsonapi::{Catalog, Query, Reader, Result, Scope, Spec};
use guildhall_store::Tx;
use serde_json::{Value as Json, json};

/// What an organization tells its members alone.
const PRIVATE: [&str; 4] = ["contrast_color", "region", "can_switch_live", "subscription_info"];

/// What only this host tells: settings of the commerce API, which nobody has set.
const MORE: [Attribute; 4] = [
    flag("api_fragment_caching_enabled")
        .derived()
        .from("false")
        .doc("Whether parts of answers are cached.")
        .example("false"),
    flag("skus_discovery")
        .derived()
        .nullable()
        .from("null")
        .doc("Whether similar goods are found.")
        .example("false"),
    flag("payment_gateways_transaction_on_event")
        .derived()
        .nullable()
        .from("null")
        .doc("Whether an event of a gateway makes a transaction.")
        .example("false"),
    text("event_stores").derived().nullable().from("null").doc("Where events are kept.").example("null"),
];

const COUNT: usize = organizations::ATTRIBUTES.len() - PRIVATE.len() + MORE.len();

static ATTRIBUTES: [Attribute; COUNT] = {
    let mut all = [MORE[0]; COUNT];
    let (mut from, mut to) = (0, 0);
    while from < organizations::ATTRIBUTES.len() {
        let attribute = organizations::ATTRIBUTES[from];
        if !is_private(attribute.name) {
            all[to] = attribute;
            to += 1;
        }
        from += 1;
    }
    let mut more = 0;
    while more < MORE.len() {
        all[to + more] = MORE[more];
        more += 1;
    }
    all
};

const fn is_private(name: &str) -> bool {
    let mut index = 0;
    while index < PRIVATE.len() {
        if equal(PRIVATE[index].as_bytes(), name.as_bytes()) {
            return true;
        }
        index += 1;
    }
    false
}

const fn equal(one: &[u8], other: &[u8]) -> bool {
    let mut index = 0;
    while index < one.len() && index < other.len() && one[index] == other[index] {
        index += 1;
    }
    index == one.len() && index == other.len()
}

static ORGANIZATION: Spec = Spec {
    kind: "organizations",
    singular: "organization",
    about: "The organization of a token.",
    singleton: Some("organization"),
    attributes: &ATTRIBUTES,
    ..PLAIN
};

static APPLICATION: Spec = Spec {
    kind: "applications",
    singular: "application",
    about: "The application a token was given to.",
    singleton: Some("application"),
    attributes: &[
        text("name").derived().doc("Its name.").example("\"Web shop\""),
        text("kind").derived().doc("What it is.").example("\"integration\""),
        flag("public_access").derived().doc("Whether it keeps no secret.").example("false"),
        text("redirect_uri")
            .derived()
            .nullable()
            .doc("Where the authorization code flow returns to.")
            .example("null"),
        text("scopes").derived().doc("What its tokens may be for.").example("\"market:all\""),
    ],
    ..PLAIN
};

/// The declarations of this host.
pub(crate) fn catalog(domain: &str) -> Catalog {
    Catalog::new(vec![&ORGANIZATION, &APPLICATION], domain)
}

pub(super) fn organization(
    app: &App,
    tx: &mut Tx<'_>,
    visitor: &Visitor,
    query: &str,
    trace: &str,
) -> Result<Answer> {
    let id = organization_id(visitor).to_owned();
    document(app, tx, visitor, &ORGANIZATION, &id, query, trace)
}

pub(super) fn application(
    app: &App,
    tx: &mut Tx<'_>,
    visitor: &Visitor,
    query: &str,
    trace: &str,
) -> Result<Answer> {
    let id = visitor.bearer.claims.application.id.clone();
    document(app, tx, visitor, &APPLICATION, &id, query, trace)
}

fn organization_id(visitor: &Visitor) -> &str {
    visitor.bearer.claims.organization.as_ref().map_or("", |organization| &organization.id)
}

/// One document: as the Provisioning API would write it, with the members that this host adds.
fn document(
    app: &App,
    tx: &mut Tx<'_>,
    visitor: &Visitor,
    spec: &'static Spec,
    id: &str,
    query: &str,
    trace: &str,
) -> Result<Answer> {
    let query = Query::parse(&app.core_catalog, spec, query)?;
    let scope = |_: &'static Spec| Scope::within("id", vec![id.to_owned()]);
    let reader = Reader { catalog: &app.core_catalog, base: &app.base, scope: &scope, secrets: &app.vault };
    let written = reader.show(tx, spec, id, &query)?;
    let mut document: Json =
        serde_json::from_slice(&written).map_err(|error| guildhall_store::Error::Other(error.to_string()))?;
    let mode = if visitor.bearer.claims.test { "test" } else { "live" };
    document["data"]["relationships"] = json!({});
    document["data"]["meta"] =
        json!({ "mode": mode, "organization_id": organization_id(visitor), "trace_id": trace });
    Ok(Answer::new(200, MEDIA_TYPE, document.to_string()))
}
