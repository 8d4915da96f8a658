//! Everything there is to ask about an organization by its owner: each operation that the server describes, and lists with
//! each kind of filter.

use crate::load::{Load, once};
use serde_json::{Map, Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

/// How many ask at once, where what they do does not exclude each other.
const CONNECTIONS: usize = 16;

/// Refused where there are more than ten thousand, who are read page by page then: what it costs in a small organization is
/// nothing to compare with.
const REFUSED: &str = "/organizations/{id}/relationships/memberships";

/// What is done over and over, each time with another number.
#[derive(Clone)]
pub(crate) enum Step {
    /// One request: method, path, document.
    Ask(&'static str, String, Option<Body>),
    /// Something is made and deleted again, and something is done to it in between: where, what, and which deed.
    Come(&'static str, Body, Option<&'static str>),
    /// Something is made, and then something of it: where each, the first one, and the second one by the id of the first.
    Both([&'static str; 2], Body, Part),
    /// Something goes to somebody else, who gives it back: where, the two documents, the other one's token.
    Pass(String, [Json; 2], String),
}

type Body = Arc<dyn Fn(u64) -> Json + Send + Sync>;
type Part = Arc<dyn Fn(&str) -> Json + Send + Sync>;

/// One operation in one organization.
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) token: String,
    pub(crate) step: Step,
    pub(crate) at_once: usize,
}

impl Step {
    /// The operations of the description that it asks.
    fn asks(&self) -> Vec<(String, String)> {
        let one = |method: &str, path: &str| (method.to_owned(), template(path));
        match self {
            Self::Ask(method, path, _) => vec![one(method, path)],
            Self::Come(path, _, deed) => {
                let of_it = format!("{path}/x");
                let deed = deed.map(|deed| one("POST", &format!("{of_it}/{deed}")));
                [one("POST", path), one("DELETE", &of_it)].into_iter().chain(deed).collect()
            }
            Self::Both(paths, _, _) => paths.iter().map(|path| one("POST", path)).collect(),
            Self::Pass(path, _, _) => vec![one("PATCH", path)],
        }
    }
}

/// A path as the description has it, with every id called the same.
fn template(path: &str) -> String {
    let path = path.split('?').next().unwrap_or_default();
    let path = path.strip_prefix("/api").filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let segments = path.split('/').enumerate();
    segments.map(|(at, segment)| if at == 2 { "{id}" } else { segment }).collect::<Vec<_>>().join("/")
}

pub(crate) fn request(method: &str, path: &str, token: &str, body: Option<&Json>) -> Vec<u8> {
    let media_type = if path.starts_with("/oauth") { "application/json" } else { "application/vnd.api+json" };
    let body = body.map(Json::to_string).unwrap_or_default();
    let length = body.len();
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// A document, its text attributes and its links.
fn document(kind: &str, attributes: &Json, links: &[(&str, &str, &Json)]) -> Json {
    let link = |kind: &str, id: &Json| json!({ "data": { "type": kind, "id": id } });
    let links: Map<String, Json> =
        links.iter().map(|(name, kind, id)| ((*name).to_owned(), link(kind, id))).collect();
    json!({ "data": { "type": kind, "attributes": attributes, "relationships": links } })
}

/// A document that changes something.
fn change(kind: &str, id: &str, attributes: &Json) -> Json {
    json!({ "data": { "type": kind, "id": id, "attributes": attributes } })
}

/// Whose organization it is, and who asks.
struct Owner<'a> {
    address: SocketAddr,
    token: String,
    /// What the loader tells of the place.
    place: &'a Json,
}

impl Owner<'_> {
    fn ask(&self, method: &str, path: &str, body: Option<&Json>) -> Json {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let answer = runtime.block_on(once(self.address, &request(method, path, &self.token, body)));
        serde_json::from_slice(&answer).unwrap_or(Json::Null)
    }

    fn text(&self, name: &str) -> String {
        self.place[name].as_str().unwrap_or_default().to_owned()
    }

    /// One more of some kind, of the organization.
    fn make(&self, kind: &str, attributes: &Json, links: &[(&str, &str, &Json)]) -> Json {
        let organization = ("organization", "organizations", &self.place["organization"]);
        let has_one = !["permissions", "client_secrets", "identity_providers"].contains(&kind);
        let links: Vec<_> = links.iter().copied().chain(has_one.then_some(organization)).collect();
        self.ask("POST", &format!("/api/{kind}"), Some(&document(kind, attributes, &links)))["data"].take()
    }
}

/// One of each kind, to look at and to change.
struct Things {
    ids: BTreeMap<&'static str, Json>,
    /// An integration beside the one among them, whom nobody opens anything yet.
    spare: Json,
    client_id: Json,
    client_secret: Json,
}

impl Things {
    fn make(owner: &Owner<'_>) -> Self {
        let place = owner.place;
        let role = owner.make("roles", &json!({ "name": "Editors" }), &[])["id"].take();
        let permission = json!({ "subject": "orders", "can_create": true, "can_read": true, "can_update": false, "can_destroy": false });
        let permission = owner.make("permissions", &permission, &[("role", "roles", &role)])["id"].take();
        let profile = owner.make("membership_profiles", &json!({ "name": "Care" }), &[])["id"].take();
        let integration = |name: &str| {
            let attributes = json!({ "name": name, "kind": "integration" });
            owner.make("api_credentials", &attributes, &[("role", "roles", &place["admin"])])
        };
        let (mut integration, mut spare) = (integration("Integration"), integration("Spare"));
        let credential = integration["id"].take();
        let opened = opened(&credential, &place["membership"], &role);
        let opened = owner.make("application_memberships", &json!({}), &opened)["id"].take();
        let of_it = [("api_credential", "api_credentials", &credential)];
        let secret = owner.make("client_secrets", &json!({}), &of_it)["id"].take();
        let provider =
            owner.make("identity_providers", &provider(&owner.text("organization")), &[])["id"].take();
        let version = owner.ask("GET", "/api/versions?page[size]=1", None)["data"][0]["id"].take();
        let user = owner.ask("GET", "/api/user", None)["data"]["id"].take();
        let ids = BTreeMap::from([
            ("organizations", place["organization"].clone()),
            ("memberships", place["membership"].clone()),
            ("roles", role),
            ("permissions", permission),
            ("api_credentials", credential),
            ("membership_profiles", profile),
            ("application_memberships", opened),
            ("client_secrets", secret),
            ("identity_providers", provider),
            ("versions", version),
            ("user", user),
        ]);
        let (client_id, client_secret) = (
            integration["attributes"]["client_id"].take(),
            integration["attributes"]["client_secret"].take(),
        );
        Self { ids, spare: spare["id"].take(), client_id, client_secret }
    }

    fn id(&self, kind: &str) -> &str {
        self.ids.get(kind).and_then(Json::as_str).unwrap_or_else(|| panic!("one of {kind} is made"))
    }
}

/// What opens an application to a member.
fn opened<'a>(
    credential: &'a Json,
    membership: &'a Json,
    role: &'a Json,
) -> [(&'static str, &'static str, &'a Json); 3] {
    [
        ("api_credential", "api_credentials", credential),
        ("membership", "memberships", membership),
        ("role", "roles", role),
    ]
}

/// An identity provider for a domain of its own.
fn provider(name: &str) -> Json {
    let of = |path: &str| format!("https://id.example.com/{path}");
    json!({
        "name": format!("Staff {name}"), "client_id": "id", "client_secret": "secret", "issuer": of(""),
        "domains": format!("{}.example", name.to_lowercase()), "token_url": of("token"), "authorize_url": of("authorize"), "jwks_url": of("jwks"),
    })
}

/// All operations, none of which is left out.
pub(crate) fn operations(address: SocketAddr, name: &str, place: &Json) -> Vec<Operation> {
    let granted = |of: &Json| {
        let text = |name: &str| of[name].as_str().unwrap_or_default();
        Load::granted(address, text("client_id"), text("client_secret"))
    };
    let owner = Owner { address, token: granted(place), place };
    let things = Things::make(&owner);
    let described = described(&owner);
    let gets = described.iter().filter(|(method, path)| method == "GET" && path != REFUSED);
    let mut all: Vec<(String, Step, usize)> = gets
        .map(|(_, path)| (format!("GET {path}"), Step::Ask("GET", shown(path, &things), None), CONNECTIONS))
        .collect();
    all.extend(lists(&owner, &things).into_iter().map(|(name, path)| {
        (format!("GET {name}"), Step::Ask("GET", format!("/api{path}"), None), CONNECTIONS)
    }));
    all.extend(changes(&things));
    all.extend(deeds(&owner, &things, granted(&place["heir"])));
    let asked: BTreeSet<_> = all.iter().flat_map(|(_, step, _)| step.asks()).collect();
    let left: Vec<_> = described.difference(&asked).filter(|(_, path)| path != REFUSED).collect();
    assert!(left.is_empty(), "nobody asks {left:?}");
    all.into_iter()
        .map(|(what, step, at_once)| Operation {
            name: format!("{name}: {what}"),
            token: owner.token.clone(),
            step,
            at_once,
        })
        .collect()
}

/// Method and path of what the server describes.
fn described(owner: &Owner<'_>) -> BTreeSet<(String, String)> {
    let description = owner.ask("GET", "/openapi.json", None);
    let paths = description["paths"].as_object().expect("paths");
    let methods = ["get", "post", "patch", "delete"];
    let of_path = |(path, item): (&String, &Json)| {
        let there = methods.into_iter().filter(|method| item.get(method).is_some());
        let path = template(path);
        there.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// Where a path of the description is asked: collections for 25 at most.
fn shown(path: &str, things: &Things) -> String {
    let kind = path.split('/').nth(1).unwrap_or_default();
    if path.contains("{id}") {
        format!("/api{}", path.replace("{id}", things.id(kind)))
    } else if kind == "user" {
        format!("/api{path}")
    } else {
        format!("/api{path}?page[size]=25")
    }
}

/// Lists in all their ways: what they are called, and where.
fn lists(owner: &Owner<'_>, things: &Things) -> Vec<(String, String)> {
    let email = owner.text("email");
    let members = |query: &str| {
        let path = format!("/memberships?page[size]=25&{query}");
        (format!("/memberships, {query}"), path)
    };
    let filtered = |name: &str, value: &str| {
        let path = format!("/memberships?page[size]=25&filter[q][{name}]={value}");
        (format!("/memberships, {name}"), path)
    };
    let of_role = format!("/roles/{}", owner.text("role"));
    vec![
        (
            String::from("/roles/{id}, include=permissions"),
            format!("/roles/{}?include=permissions", things.id("roles")),
        ),
        (String::from("/roles/{id}/memberships, everybody's"), format!("{of_role}/memberships")),
        members("include=role,organization"),
        members("page[number]=2"),
        members("sort=-created_at"),
        (
            "/memberships, a page far behind".to_owned(),
            format!("/memberships?page[size]=25&page[number]={}", owner.place["far"]),
        ),
        filtered("user_email_eq", &email),
        filtered("status_eq", "active"),
        filtered("organization_id_eq", things.id("organizations")),
        filtered("created_at_gt", &owner.text("since")),
        ("/memberships, half by created_at_gt".to_owned(), filtered("created_at_gt", &owner.text("half")).1),
        filtered("reference_eq", "crm-40"),
        filtered("user_email_cont", &email[2..]),
        filtered("user_email_start", email.split('@').next().unwrap_or_default()),
        filtered("role_kind_eq", "admin"),
        filtered("owner_true", "true"),
        (
            "/versions, resource_id_eq".to_owned(),
            format!("/versions?page[size]=25&filter[q][resource_id_eq]={}", things.id("memberships")),
        ),
    ]
}

/// Something about one of each kind is changed.
fn changes(things: &Things) -> Vec<(String, Step, usize)> {
    let kinds = things.ids.keys().filter(|kind| **kind != "versions");
    let change_of = |kind: &'static str| {
        let (id, its_type) = (things.id(kind).to_owned(), if kind == "user" { "users" } else { kind });
        let path = if kind == "user" { "/user".to_owned() } else { format!("/{kind}/{id}") };
        let body = move |number: u64| change(its_type, &id, &json!({ "reference": format!("r{number}") }));
        let step = Step::Ask("PATCH", format!("/api{path}"), Some(Arc::new(body)));
        (format!("PATCH {}", template(&path)), step, CONNECTIONS)
    };
    kinds.copied().map(change_of).collect()
}

/// What is made, and deleted again where it can be; tokens; an organization that changes hands.
fn deeds(owner: &Owner<'_>, things: &Things, heir: String) -> Vec<(String, Step, usize)> {
    let organization = owner.place["organization"].clone();
    let here = organization.clone();
    let in_it = move |kind: &str, attributes: &Json| {
        document(kind, attributes, &[("organization", "organizations", &here)])
    };
    let named = |kind: &'static str, more: Json| -> Body {
        let in_it = in_it.clone();
        Arc::new(move |number| {
            let mut attributes = more.clone();
            attributes["name"] = format!("Number {number}").into();
            in_it(kind, &attributes)
        })
    };
    let (there, reader) = (organization.clone(), owner.place["role"].clone());
    let member: Body = Arc::new(move |number| {
        let attributes = json!({ "user_email": format!("new{number}@example.com") });
        document(
            "memberships",
            &attributes,
            &[("organization", "organizations", &there), ("role", "roles", &reader)],
        )
    });
    let opening = opened(&things.spare, &owner.place["membership"], &things.ids["roles"]);
    let opening: Vec<_> =
        opening.into_iter().chain([("organization", "organizations", &organization)]).collect();
    let opening = document("application_memberships", &json!({}), &opening);
    let of_spare = [("api_credential", "api_credentials", &things.spare)];
    let secret = document("client_secrets", &json!({}), &of_spare);
    let permission = |role: &str| {
        let attributes = json!({ "subject": "orders", "can_create": true, "can_read": true, "can_update": false, "can_destroy": false });
        document("permissions", &attributes, &[("role", "roles", &role.into())])
    };
    let a_provider = |number: u64| document("identity_providers", &provider(&format!("n{number}")), &[]);
    let to = |email: &Json| {
        change("organizations", things.id("organizations"), &json!({ "new_owner_email": email }))
    };
    let hands = [to(&owner.place["heir"]["email"]), to(&owner.place["owner"])];
    let (client_id, client_secret) = (&things.client_id, &things.client_secret);
    let own = Load::granted(
        owner.address,
        client_id.as_str().unwrap_or_default(),
        client_secret.as_str().unwrap_or_default(),
    );
    let grant =
        json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret });
    let introspection = json!({ "client_id": client_id, "client_secret": client_secret, "token": own });
    let always = |body: Json| -> Body { Arc::new(move |_| body.clone()) };
    let found = |number: u64| document("organizations", &json!({ "name": format!("{number}") }), &[]);
    let come = |path, body, deed| Step::Come(path, body, deed);
    let post = |path: &str, body| Step::Ask("POST", path.to_owned(), Some(body));
    let all = [
        ("POST /memberships, DELETE", come("/api/memberships", member.clone(), None), CONNECTIONS),
        (
            "POST /memberships, POST resend, DELETE",
            come("/api/memberships", member, Some("resend")),
            CONNECTIONS,
        ),
        (
            "POST /membership_profiles, DELETE",
            come("/api/membership_profiles", named("membership_profiles", json!({})), None),
            CONNECTIONS,
        ),
        (
            "POST /api_credentials, DELETE",
            come("/api/api_credentials", named("api_credentials", json!({ "kind": "sales_channel" })), None),
            CONNECTIONS,
        ),
        (
            "POST /identity_providers, DELETE",
            come("/api/identity_providers", Arc::new(a_provider), None),
            CONNECTIONS,
        ),
        // There is one of the two, and there are at most five.
        (
            "POST /application_memberships, DELETE, one by one",
            come("/api/application_memberships", always(opening), None),
            1,
        ),
        ("POST /client_secrets, DELETE, one by one", come("/api/client_secrets", always(secret), None), 1),
        ("POST /roles", post("/api/roles", named("roles", json!({}))), CONNECTIONS),
        (
            "POST /roles, POST /permissions",
            Step::Both(["/api/roles", "/api/permissions"], named("roles", json!({})), Arc::new(permission)),
            CONNECTIONS,
        ),
        (
            "PATCH /organizations/{id}/transfer_ownership, and back, one by one",
            Step::Pass(
                format!("/api/organizations/{}/transfer_ownership", things.id("organizations")),
                hands,
                heir,
            ),
            1,
        ),
        ("token, given again", post("/oauth/token", always(grant)), CONNECTIONS),
        ("introspection", post("/oauth/introspect", always(introspection)), CONNECTIONS),
        // Whoever owns thousands of organizations is another one to ask, and by then nobody asks any more.
        ("POST /organizations", post("/api/organizations", Arc::new(found)), CONNECTIONS),
    ];
    all.into_iter().map(|(name, step, at_once)| (name.to_owned(), step, at_once)).collect()
}
