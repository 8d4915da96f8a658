//! What each operation costs in a small house and in one of millions, in a small organization and in the largest one.

use crate::load::{Connection, Load, over_and_over, percentile};
use crate::serving::{BOTH, ONE, begin, pinned, told};
use guildhall_store::throw_away::ThrowAway;
use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const CONNECTIONS: usize = 16;
const WARM_UP: Duration = Duration::from_millis(300);
const MEASURED: Duration = Duration::from_secs(1);

/// What is done over and over, each time with another number.
#[derive(Clone)]
enum Step {
    /// One request: method, path, document.
    Ask(&'static str, String, Option<Body>),
    /// Something is made and deleted again, and something is done to it in between: where, what, and which deed.
    Come(&'static str, Body, Option<&'static str>),
}

type Body = Arc<dyn Fn(u64) -> Json + Send + Sync>;

/// One operation in one organization.
struct Operation {
    name: String,
    token: String,
    step: Step,
}

/// How it went.
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
}

/// Numbers that no two requests of a run share.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Fills a house of each size, asks it everything that has one of these words in its name (no word: everything), and tells
/// how much dearer it is in the large one.
pub(crate) fn run(sizes: &[u64], only: &[&String]) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the databases");
    let mut first: Vec<Measured> = Vec::new();
    for size in sizes {
        let data = folder.path().join(size.to_string());
        let database = ThrowAway::new(&data);
        let url = database.url();
        let path = data.to_str().expect("a path of text");
        let filled = told(&mut pinned(BOTH, &["--fill-house", path, &size.to_string()], url));
        tidy(&data, url);
        crate::say(&format!(
            "{} memberships of {} users in {} organizations, loaded in {:.0} s",
            filled["memberships"],
            filled["users"],
            filled["organizations"],
            filled["loaded"].as_f64().unwrap_or(0.0)
        ));
        let (server, address, _) = begin(path, ONE, "1", url);
        let operations: Vec<Operation> = ["small", "largest"]
            .iter()
            .flat_map(|place| operations(address, place, &filled[*place]))
            .filter(|operation| {
                only.is_empty() || only.iter().any(|word| operation.name.contains(word.as_str()))
            })
            .collect();
        let heading = ["operation", "a second", "p50 ms", "p99 ms", "dearer"];
        crate::say(&format!(
            "{:<58}{:>10}{:>10}{:>10}{:>10}",
            heading[0], heading[1], heading[2], heading[3], heading[4]
        ));
        let mut all = Vec::new();
        for (index, operation) in operations.iter().enumerate() {
            let one = measure(address, operation);
            let dearer = first
                .get(index)
                .map_or_else(|| "-".to_owned(), |first| format!("{:.2}", first.rate / one.rate));
            crate::say(&format!(
                "{:<58}{:>10.0}{:>10.2}{:>10.2}{dearer:>10}",
                operation.name, one.rate, one.p50, one.p99
            ));
            all.push(one);
        }
        crate::say("");
        drop(server);
        if first.is_empty() {
            first = all;
        }
    }
}

/// What a database does by itself after a while: PostgreSQL looks what is in it, a file takes in what was written.
fn tidy(data: &Path, url: Option<&str>) {
    if let Some(url) = url {
        let done = std::process::Command::new("psql").args([url, "-qc", "vacuum analyze"]).status();
        assert!(done.expect("psql is there").success());
    } else {
        let file = rusqlite::Connection::open(data.join("guildhall.db")).expect("the file is there");
        file.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())).expect("it is taken in");
    }
}

fn measure(address: SocketAddr, operation: &Operation) -> Measured {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (step, token) = (operation.step.clone(), operation.token.clone());
    let act = move |mut connection: Connection| {
        let (step, token) = (step.clone(), token.clone());
        async move {
            let asked = Instant::now();
            take(&mut connection, &step, &token).await;
            (connection, vec![asked.elapsed()])
        }
    };
    let (rate, times) = runtime.block_on(over_and_over(address, CONNECTIONS, WARM_UP, MEASURED, act));
    Measured { rate, p50: percentile(&times, 50), p99: percentile(&times, 99) }
}

async fn take(connection: &mut Connection, step: &Step, token: &str) {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    match step {
        Step::Ask(method, path, body) => {
            let body = body.as_ref().map(|body| body(number));
            connection.ask(&request(method, path, token, body.as_ref())).await;
        }
        Step::Come(path, body, deed) => {
            let made = connection.ask(&request("POST", path, token, Some(&body(number)))).await;
            let made: Json = serde_json::from_slice(made).expect("a document");
            let path = format!("{path}/{}", made["data"]["id"].as_str().expect("an id"));
            if let Some(deed) = deed {
                connection.ask(&request("POST", &format!("{path}/{deed}"), token, None)).await;
            }
            connection.ask(&request("DELETE", &path, token, None)).await;
        }
    }
}

fn request(method: &str, path: &str, token: &str, body: Option<&Json>) -> Vec<u8> {
    let media_type = if path.starts_with("/oauth") { "application/json" } else { "application/vnd.api+json" };
    let body = body.map(Json::to_string).unwrap_or_default();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

fn link(kind: &str, id: &Json) -> Json {
    json!({ "data": { "type": kind, "id": id } })
}

/// A document, its text attributes and its links.
fn document(kind: &'static str, attributes: &Json, links: &[(&str, &str, &Json)]) -> Json {
    let links: serde_json::Map<String, Json> =
        links.iter().map(|(name, kind, id)| ((*name).to_owned(), link(kind, id))).collect();
    json!({ "data": { "type": kind, "attributes": attributes, "relationships": links } })
}

/// Everything there is to ask about an organization, by its owner.
#[expect(clippy::too_many_lines, reason = "it is a list")]
fn operations(address: SocketAddr, place: &str, house: &Json) -> Vec<Operation> {
    let text = |name: &str| house[name].as_str().unwrap_or_default().to_owned();
    let token = Load::granted(address, &text("client_id"), &text("client_secret"));
    let ask = |method: &str, path: &str, token: &str, body: Option<Json>| -> Json {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let answer =
            runtime.block_on(crate::load::once(address, &request(method, path, token, body.as_ref())));
        serde_json::from_slice(&answer).unwrap_or(Json::Null)
    };
    let organization = house["organization"].clone();
    let of = ("organization", "organizations", &organization);
    // One of everything else, to look at and to change.
    let make = |kind: &'static str, attributes: Json, links: &[(&str, &str, &Json)]| -> Json {
        ask("POST", &format!("/api/{kind}"), &token, Some(document(kind, &attributes, links)))["data"].take()
    };
    let role = make("roles", json!({ "name": "Editors" }), &[of])["id"].clone();
    let permission = make(
        "permissions",
        json!({ "subject": "orders", "can_create": true, "can_read": true, "can_update": false, "can_destroy": false }),
        &[("role", "roles", &role)],
    );
    let permission = permission["id"].as_str().unwrap_or_default().to_owned();
    let profile = make("membership_profiles", json!({ "name": "Care" }), &[of])["id"].clone();
    let integration = make(
        "api_credentials",
        json!({ "name": "Integration", "kind": "integration" }),
        &[of, ("role", "roles", &house["admin"])],
    );
    let credential = integration["id"].clone();
    let (client_id, client_secret) =
        (integration["attributes"]["client_id"].clone(), integration["attributes"]["client_secret"].clone());
    let text_of = |json: &Json| json.as_str().unwrap_or_default().to_owned();
    let own = Load::granted(address, &text_of(&client_id), &text_of(&client_secret));
    let version = ask("GET", "/api/versions?page[size]=1", &token, None)["data"][0]["id"].clone();
    let membership = text("membership");
    let opened = make(
        "application_memberships",
        json!({}),
        &[
            ("api_credential", "api_credentials", &credential),
            ("membership", "memberships", &house["membership"]),
            ("organization", "organizations", &organization),
            ("role", "roles", &role),
        ],
    );
    let secret = make("client_secrets", json!({}), &[("api_credential", "api_credentials", &credential)]);
    let (opened, secret) = (text_of(&opened["id"]), text_of(&secret["id"]));
    let mut all = Vec::new();
    let mut add = |name: &str, step: Step| {
        all.push(Operation { name: format!("{place}: {name}"), token: token.clone(), step });
    };
    let get = |path: String| Step::Ask("GET", path, None);
    let list = |kind: &str, query: &str| get(format!("/api/{kind}?page[size]=25{query}"));
    for kind in [
        "organizations",
        "memberships",
        "roles",
        "permissions",
        "api_credentials",
        "membership_profiles",
        "versions",
        "identity_providers",
        "application_memberships",
        "client_secrets",
    ] {
        add(&format!("list {kind}"), list(kind, ""));
    }
    for (kind, id) in [
        ("organizations", text("organization")),
        ("memberships", membership.clone()),
        ("roles", text_of(&role)),
        ("permissions", permission.clone()),
        ("api_credentials", text_of(&credential)),
        ("membership_profiles", text_of(&profile)),
        ("versions", text_of(&version)),
        ("application_memberships", opened.clone()),
        ("client_secrets", secret.clone()),
    ] {
        add(&format!("show one of {kind}"), get(format!("/api/{kind}/{id}")));
    }
    add("show the user", get("/api/user".to_owned()));
    add(
        "show a role with its permissions",
        get(format!("/api/roles/{}?include=permissions", text_of(&role))),
    );
    add("list memberships, include 2", list("memberships", "&include=role,organization"));
    add("list memberships, page 2", list("memberships", "&page[number]=2"));
    add("list memberships, sort -created_at", list("memberships", "&sort=-created_at"));
    add(
        "list memberships, a page far behind",
        list("memberships", &format!("&page[number]={}", house["far"])),
    );
    add(
        "list memberships, half by created_at_gt",
        list("memberships", &format!("&filter[q][created_at_gt]={}", text("half"))),
    );
    for (name, filter) in [
        ("user_email_eq", text("email")),
        ("status_eq", "active".to_owned()),
        ("organization_id_eq", text("organization")),
        ("created_at_gt", text("since")),
        ("reference_eq", "crm-40".to_owned()),
        ("user_email_cont", text("email")[2..].to_owned()),
        ("user_email_start", text("email").split('@').next().unwrap_or_default().to_owned()),
        ("role_kind_eq", "admin".to_owned()),
        ("owner_true", "true".to_owned()),
    ] {
        add(
            &format!("list memberships, {name}"),
            list("memberships", &format!("&filter[q][{name}]={filter}")),
        );
    }
    add(
        "list versions, resource_id_eq",
        list("versions", &format!("&filter[q][resource_id_eq]={membership}")),
    );
    add(
        "list memberships of the organization",
        get(format!("/api/organizations/{}/memberships", text("organization"))),
    );
    add("list versions of a membership", get(format!("/api/memberships/{membership}/versions")));
    add("list members of a role", get(format!("/api/roles/{}/memberships", text("role"))));
    add(
        "identifiers of the organization's roles",
        get(format!("/api/organizations/{}/relationships/roles", text("organization"))),
    );
    let patch = |kind: &'static str, id: String| {
        let path = format!("/api/{kind}/{id}");
        let body = move |number: u64| json!({ "data": { "type": kind, "id": id, "attributes": { "reference": format!("r{number}") } } });
        Step::Ask("PATCH", path, Some(Arc::new(body)))
    };
    for (kind, id) in [
        ("organizations", text("organization")),
        ("memberships", membership),
        ("roles", text_of(&role)),
        ("permissions", permission),
        ("api_credentials", text_of(&credential)),
        ("membership_profiles", text_of(&profile)),
        ("application_memberships", opened),
        ("client_secrets", secret),
    ] {
        add(&format!("update one of {kind}"), patch(kind, id));
    }
    let (here, reader) = (organization.clone(), house["role"].clone());
    let in_it = move |kind: &'static str, attributes: &Json| {
        document(kind, attributes, &[("organization", "organizations", &here)])
    };
    let (make_role, make_profile, make_shop) = (in_it.clone(), in_it.clone(), in_it);
    let member = move |number: u64| {
        let attributes = json!({ "user_email": format!("new{number}@example.com") });
        let links = [("organization", "organizations", &organization), ("role", "roles", &reader)];
        document("memberships", &attributes, &links)
    };
    let member: Body = Arc::new(member);
    add("invite a member and remove them", Step::Come("/api/memberships", member.clone(), None));
    add("invite a member, once more, and remove", Step::Come("/api/memberships", member, Some("resend")));
    let profile = move |number: u64| {
        make_profile("membership_profiles", &json!({ "name": format!("Profile {number}") }))
    };
    add("make a profile and delete it", Step::Come("/api/membership_profiles", Arc::new(profile), None));
    let shop = move |number: u64| {
        make_shop("api_credentials", &json!({ "name": format!("Shop {number}"), "kind": "sales_channel" }))
    };
    add("make a sales channel and delete it", Step::Come("/api/api_credentials", Arc::new(shop), None));
    let role = move |number: u64| make_role("roles", &json!({ "name": format!("Role {number}") }));
    add("make a role", Step::Ask("POST", "/api/roles".to_owned(), Some(Arc::new(role))));
    let grant =
        json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret });
    let introspect = json!({ "client_id": client_id, "client_secret": client_secret, "token": own });
    add(
        "token, given again",
        Step::Ask("POST", "/oauth/token".to_owned(), Some(Arc::new(move |_| grant.clone()))),
    );
    add(
        "introspection",
        Step::Ask("POST", "/oauth/introspect".to_owned(), Some(Arc::new(move |_| introspect.clone()))),
    );
    // Last: whoever owns thousands of organizations is another one to ask.
    let found = move |number: u64| json!({ "data": { "type": "organizations", "attributes": { "name": format!("{number}") } } });
    add("create an organization", Step::Ask("POST", "/api/organizations".to_owned(), Some(Arc::new(found))));
    all
}
