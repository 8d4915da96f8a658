//! Who may do what: every operation of the API by every kind of caller, as one table to read in review.
//!
//! The operations come from the declarations, so a new one shows up here by itself. The same walk sees to it
//! that every write leaves a row of history.

use crate::guild::{Guild, Organization, change, few_places, link};
use guildhall::resources::{self, Resource};
use insta::assert_snapshot;
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;
use std::fmt::Write as _;

const CALLERS: [&str; 11] = [
    "nobody",
    "stranger",
    "pending",
    "read-only",
    "custom",
    "admin",
    "owner",
    "removed",
    "revoked",
    "channel",
    "integration",
];

/// An organization with one record of everything, and somebody of every kind.
struct World<'g> {
    guild: &'g Guild,
    records: HashMap<&'static str, String>,
    organization: Organization<'g>,
    custom_role: String,
    tokens: HashMap<&'static str, String>,
}

async fn world(guild: &Guild) -> World<'_> {
    let owner = guild.user("owner").await;
    let organization = owner.creates_organization("Blue").await;
    let custom_role = organization.custom_role("Care").await;
    let mut tokens = HashMap::from([("owner", owner.token.clone().unwrap())]);
    for (name, role) in [
        ("read-only", &organization.read_only),
        ("custom", &custom_role),
        ("admin", &organization.admin),
        ("removed", &organization.admin),
        ("revoked", &organization.admin),
    ] {
        let person = guild.user(name).await;
        let membership = organization.invites(&person.email, role).await;
        if name == "removed" {
            owner.delete(&format!("/api/memberships/{membership}")).await;
        }
        tokens.insert(name, person.token.unwrap());
    }
    let hash = guildhall::crypto::hash(&tokens["revoked"]);
    guild
        .operate(move |work| {
            let sql = "insert into revoked_tokens (token_hash, expires_at) values (?, 9999999999999)";
            Ok(work.tx.execute(&guildhall_store::Sql::new(sql, [(&hash).into()]))?)
        })
        .await
        .unwrap();
    tokens.insert("stranger", guild.user("stranger").await.token.unwrap());
    // Somebody with an account whose invitation to another address, now theirs, was never accepted.
    let invited = organization.invites("invited@example.com", &organization.admin).await;
    let pending = guild.user("pending").await;
    let address = json!({ "data": { "type": "users", "attributes": { "email": "invited@example.com" } } });
    assert_eq!(pending.patch("/api/user", address).await.status, 200);
    tokens.insert("pending", pending.token.unwrap());
    for (name, kind) in [("channel", "sales_channel"), ("integration", "integration")] {
        let role = if kind == "integration" {
            json!({ "role": link("roles", &organization.admin) })
        } else {
            json!({})
        };
        let id = organization.makes("api_credentials", json!({ "name": name, "kind": kind }), role).await;
        let shown = owner.get(&format!("/api/api_credentials/{id}")).await;
        let body = json!({ "grant_type": "client_credentials", "client_id": shown.attribute("client_id"), "client_secret": shown.attribute("client_secret") });
        let granted = guild.nobody().post("/oauth/token", body).await.json();
        tokens.insert(name, granted["access_token"].as_str().unwrap().to_owned());
    }
    let records = records(&organization, &custom_role, invited).await;
    World { guild, records, organization, custom_role, tokens }
}

async fn records(
    organization: &Organization<'_>,
    custom_role: &str,
    invited: String,
) -> HashMap<&'static str, String> {
    let app =
        organization.makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({})).await;
    let rights = json!({ "can_create": true, "can_read": true, "can_update": true, "can_destroy": true, "subject": "orders" });
    let permission =
        organization.makes("permissions", rights, json!({ "role": link("roles", custom_role) })).await;
    let profile = organization.makes("membership_profiles", json!({ "name": "P" }), json!({})).await;
    let access = json!({ "api_credential": link("api_credentials", &app), "role": link("roles", &organization.read_only) });
    let access = organization.makes("application_memberships", json!({}), access).await;
    let document = json!({ "data": { "type": "identity_providers", "attributes": provider("Staff") } });
    let provider = organization.owner.post("/api/identity_providers", document).await.id();
    let secret = json!({ "data": { "type": "client_secrets", "relationships": { "api_credential": { "data": { "type": "api_credentials", "id": app } } } } });
    let secret = organization.owner.post("/api/client_secrets", secret).await.id();
    let version = organization.owner.get("/api/versions").await.ids().remove(0);
    HashMap::from([
        ("organizations", organization.id.clone()),
        ("memberships", invited),
        ("roles", custom_role.to_owned()),
        ("permissions", permission),
        ("membership_profiles", profile),
        ("application_memberships", access),
        ("api_credentials", app),
        ("client_secrets", secret),
        ("identity_providers", provider),
        ("versions", version),
    ])
}

fn provider(name: &str) -> Json {
    let url = "https://id.example.com/";
    json!({ "name": name, "client_id": "id", "client_secret": "secret", "issuer": url, "domains": "example.com",
        "token_url": url, "authorize_url": url, "jwks_url": url })
}

impl World<'_> {
    /// A document that makes one more of a kind.
    fn create(&self, kind: &str) -> Json {
        let organization = ("organization", self.organization.link());
        let role = ("role", link("roles", &self.custom_role));
        let (attributes, relationships) = match kind {
            "organizations" => (json!({ "name": "New" }), vec![]),
            "memberships" => (json!({ "user_email": "new@example.com" }), vec![organization, role]),
            "roles" | "membership_profiles" => (json!({ "name": "New" }), vec![organization]),
            "permissions" => (
                json!({ "can_create": false, "can_read": false, "can_update": false, "can_destroy": false, "subject": "skus" }),
                vec![role],
            ),
            "api_credentials" => (json!({ "name": "New", "kind": "webapp" }), vec![organization]),
            "client_secrets" => (
                json!({}),
                vec![("api_credential", link("api_credentials", &self.records["api_credentials"]))],
            ),
            "application_memberships" => (
                json!({}),
                vec![
                    organization,
                    role,
                    ("api_credential", link("api_credentials", &self.records["api_credentials"])),
                ],
            ),
            "identity_providers" => (provider("New"), vec![]),
            other => panic!("no document makes {other}: add one"),
        };
        let relationships: Map<String, Json> =
            relationships.into_iter().map(|(name, link)| (name.to_owned(), link)).collect();
        json!({ "data": { "type": kind, "attributes": attributes, "relationships": relationships } })
    }

    /// Every operation of a resource: method, path, body.
    fn operations(&self, resource: &Resource) -> Vec<(&'static str, String, Option<Json>)> {
        let spec = resource.spec;
        let change = |id: Option<&String>| {
            let mut document =
                json!({ "data": { "type": spec.kind, "attributes": { "reference": "changed" } } });
            if let Some(id) = id {
                document["data"]["id"] = json!(id);
            }
            Some(document)
        };
        if let Some(path) = spec.singleton {
            return vec![
                ("GET", format!("/api/{path}"), None),
                ("PATCH", format!("/api/{path}"), change(None)),
            ];
        }
        let id = &self.records[spec.kind];
        let (collection, single) = (format!("/api/{}", spec.kind), format!("/api/{}/{id}", spec.kind));
        let mut all = vec![("GET", collection.clone(), None)];
        if resource.create.is_some() {
            all.push(("POST", collection, Some(self.create(spec.kind))));
        }
        all.push(("GET", single.clone(), None));
        if resource.update.is_some() {
            all.push(("PATCH", single.clone(), change(Some(id))));
        }
        if resource.delete.is_some() {
            all.push(("DELETE", single.clone(), None));
        }
        for deed in resource.actions {
            let attributes: Map<String, Json> = deed
                .takes
                .iter()
                .map(|(name, ..)| ((*name).to_owned(), json!("admin@example.com")))
                .collect();
            let body = json!({ "data": { "type": spec.kind, "id": id, "attributes": attributes } });
            all.push((deed.method, format!("{single}/{}", deed.name), Some(body)));
        }
        for relationship in spec.relationships {
            all.push(("GET", format!("{single}/{}", relationship.name), None));
            all.push(("GET", format!("{single}/relationships/{}", relationship.name), None));
        }
        all
    }
}

/// What one caller got for one operation.
struct Cell {
    operation: String,
    shown: String,
    wrote: bool,
    logged: bool,
    /// How many statements it took.
    statements: u64,
}

async fn ask(world: &World<'_>, resource: &Resource, index: usize, caller: &str) -> Cell {
    let (method, path, body) = world.operations(resource).remove(index);
    let id = world.records.get(resource.spec.kind).map_or("-", String::as_str);
    let person = match world.tokens.get(caller) {
        Some(token) => world.guild.bearer(token),
        None => world.guild.nobody(),
    };
    let before = world.guild.number("select count(*) from history").await;
    world.guild.touch().await;
    let statements = world.guild.app.db.statements();
    let reply = person.send(method, &path, body.map_or_else(String::new, |body| body.to_string())).await;
    let statements = world.guild.app.db.statements() - statements;
    let after = world.guild.number("select count(*) from history").await;
    let shown = match (reply.status, reply.json_or_null()["data"].take()) {
        (200, Json::Array(items)) => format!("200 ({})", items.len()),
        (200, Json::Null) => "200 (null)".to_owned(),
        (status, _) => status.to_string(),
    };
    let wrote = method != "GET" && reply.status < 300;
    Cell {
        operation: format!("{method:<6} {}", path.replace(id, ":id")),
        shown,
        wrote,
        logged: after > before,
        statements,
    }
}

#[tokio::test]
async fn every_operation_by_every_kind_of_caller() {
    let guild = Guild::new().await;
    let first = world(&guild).await;
    let operations = resources::ALL.iter().flat_map(|resource| {
        let count = first.operations(resource).len();
        (0..count).flat_map(move |index| CALLERS.map(|caller| (*resource, index, caller)))
    });
    let asked: Vec<(&Resource, usize, &str)> = operations.collect();
    let mut cells = Vec::new();
    while cells.len() < asked.len() {
        let guild = Guild::new().await;
        let world = world(&guild).await;
        for (resource, index, caller) in &asked[cells.len()..] {
            let cell = ask(&world, resource, *index, caller).await;
            assert_eq!(
                cell.wrote, cell.logged,
                "{caller}: {} {} and its history",
                cell.operation, cell.shown
            );
            let wrote = cell.wrote;
            cells.push(cell);
            // What was written would be there for the next caller: that one begins anew.
            if wrote {
                break;
            }
        }
    }
    let mut table = format!("{:<84}", "");
    for caller in CALLERS {
        write!(table, "{caller:>12}").unwrap();
    }
    for row in cells.chunks(CALLERS.len()) {
        write!(table, "\n{:<84}", row[0].operation).unwrap();
        for cell in row {
            write!(table, "{:>12}", cell.shown).unwrap();
        }
    }
    assert_snapshot!("access_table", table);
    // What each costs, so that one statement more shows up in review.
    let mut costs = format!("{:<84}{:>12}{:>12}", "", "nobody", "owner");
    for row in cells.chunks(CALLERS.len()) {
        let of = |name: &str| CALLERS.iter().position(|caller| *caller == name).unwrap();
        let (nobody, owner) = (&row[of("nobody")], &row[of("owner")]);
        write!(costs, "\n{:<84}{:>12}{:>12}", row[0].operation, nobody.statements, owner.statements).unwrap();
    }
    for query in [
        "memberships?page[size]=25&include=role,organization",
        "memberships?include=role.permissions,organization.api_credentials",
        "memberships?filter[q][user_email_eq]=a@example.com",
        "organizations?filter[q][memberships_user_email_cont]=a",
        "memberships?filter[q][organization_id_eq]=unknown",
        "memberships?filter[q][role_kind_eq]=admin",
    ] {
        first.guild.touch().await;
        let before = first.guild.app.db.statements();
        assert_eq!(first.organization.owner.get(&format!("/api/{query}")).await.status, 200);
        write!(costs, "\n{query:<84}{:>12}{:>12}", "", first.guild.app.db.statements() - before).unwrap();
    }
    let of_many = few_places() == Some(0);
    assert_snapshot!(if of_many { "statements_in_many_organizations" } else { "statements" }, costs);
}

#[tokio::test]
async fn one_organization_more_than_few_is_seen_like_those_before() {
    let guild = Guild::with(|config| config.few_places = 2).await;
    let ada = guild.user("ada").await;
    let grace = guild.user("grace").await;
    let hers = grace.creates_organization("Red").await;
    let mut owned = Vec::new();
    for number in 1..=4 {
        owned.push(ada.creates_organization(&format!("Blue {number}")).await);
        let listed = ada.get("/api/organizations").await;
        assert_eq!(listed.ids(), owned.iter().map(|one| one.id.clone()).collect::<Vec<_>>());
        assert_eq!(ada.get("/api/memberships").await.json()["meta"]["record_count"], json!(number));
        for one in &owned {
            let renamed = change("organizations", &one.id, json!({ "reference": format!("r{number}") }));
            assert_eq!(ada.patch(&format!("/api/organizations/{}", one.id), renamed).await.status, 200);
        }
        let foreign = change("organizations", &hers.id, json!({ "reference": "mine" }));
        assert_eq!(ada.patch(&format!("/api/organizations/{}", hers.id), foreign).await.status, 404);
        let filtered = format!("/api/roles?filter[q][organization_id_in]={},{}", owned[0].id, hers.id);
        assert_eq!(ada.get(&filtered).await.json()["meta"]["record_count"], json!(2));
    }
}
