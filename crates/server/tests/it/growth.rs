//! What each operation costs is the same in an organization that has much of everything as in one that has little: counted in
//! steps of the database, of which each row that is looked at takes some. Not asked are the making of an organization, and all
//! identifiers of what one has, which are as many as there are. PostgreSQL does not tell its steps: there every operation is
//! measured by `just bench-scale-postgres`, and here no more is seen than that each of them works.

use crate::guild::{Guild, Organization, Person, Reply, change, few_places, link};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

/// How many more there are of each kind the second time.
const MANY: usize = 150;
/// How many steps more a request may take then: not one for each of them.
const SLACK: u64 = 140;

/// What is answered with all there is: identifiers have no pages.
const WHOLE: &str = "/organizations/{organizationId}/relationships/";

/// An organization with its owner, whoever may be the next one, and one of each kind by its id.
struct House<'g> {
    guild: &'g Guild,
    owner: Person<'g>,
    heir: Person<'g>,
    organization: Organization<'g>,
    ids: BTreeMap<&'static str, String>,
    /// A credential that is opened to nobody.
    spare: String,
}

/// The steps of each operation.
type Costs = BTreeMap<String, u64>;

impl<'g> House<'g> {
    async fn new(guild: &'g Guild) -> Self {
        let owner = guild.user("ada").await;
        let heir = guild.user("grace").await;
        let blue = owner.creates_organization("Blue").await;
        blue.invites("grace@example.com", &blue.admin).await;
        // Another one than those between whom it changes hands, whose own history grows by that.
        let membership = blue.invites("mary@example.com", &blue.read_only).await;
        let role = blue.custom_role("Editors").await;
        let of_role = json!({ "role": link("roles", &role) });
        let permission = blue.makes("permissions", may("orders"), of_role.clone()).await;
        let profile = blue.makes("membership_profiles", json!({ "name": "Care" }), json!({})).await;
        let integration = json!({ "name": "Integration", "kind": "integration" });
        let credential = blue.makes("api_credentials", integration, of_role.clone()).await;
        let spare = blue.makes("api_credentials", channel("Spare"), json!({})).await;
        let opened = opens(&credential, &membership, &role);
        let opened = blue.makes("application_memberships", json!({}), opened).await;
        let secret = owner.post("/api/client_secrets", secret(&credential)).await.id();
        let provider = owner.post("/api/identity_providers", provider("blue")).await.id();
        let version = owner.get("/api/versions?page[size]=1").await.ids().remove(0);
        let ids = BTreeMap::from([
            ("organizations", blue.id.clone()),
            ("memberships", membership),
            ("roles", role),
            ("permissions", permission),
            ("membership_profiles", profile),
            ("api_credentials", credential),
            ("application_memberships", opened),
            ("client_secrets", secret),
            ("identity_providers", provider),
            ("versions", version),
        ]);
        Self { guild, owner, heir, organization: blue, ids, spare }
    }

    /// More of everything.
    async fn grow(&self) {
        let blue = &self.organization;
        for number in 0..MANY {
            let role = blue.custom_role(&format!("Role {number}")).await;
            let of_role = json!({ "role": link("roles", &role) });
            blue.makes("permissions", may("orders"), of_role).await;
            blue.makes("membership_profiles", json!({ "name": format!("Profile {number}") }), json!({}))
                .await;
            let credential =
                blue.makes("api_credentials", channel(&format!("Channel {number}")), json!({})).await;
            let member = self.guild.user(&format!("member{number}")).await;
            let member = blue.invites(&member.email, &blue.read_only).await;
            blue.makes("application_memberships", json!({}), opens(&credential, &member, &role)).await;
            self.heir.creates_organization("Theirs").await;
        }
    }

    /// Everything is asked once.
    async fn costs(&self, time: usize) -> Costs {
        let mut costs = Costs::new();
        let mut before = self.guild.app.db.steps();
        let mut note = |name: &str, reply: &Reply| {
            assert!((200..300).contains(&reply.status), "{name}: {}", reply.text());
            let now = self.guild.app.db.steps();
            costs.insert(name.to_owned(), now - before);
            before = now;
        };
        for path in described_gets().iter().filter(|path| !path.starts_with(WHOLE)) {
            note(&format!("GET {path}"), &self.owner.get(&self.path(path)).await);
        }
        for filter in [
            "user_email_eq]=grace@example.com",
            "status_eq]=pending",
            "reference_eq]=mine",
            "owner_true]=true",
        ] {
            let path = format!("/memberships?filter[q][{filter}");
            note(&path, &self.owner.get(&format!("/api{path}&page[size]=1")).await);
        }
        for (kind, id) in self.ids.iter().filter(|(kind, _)| **kind != "versions") {
            let changed = change(kind, id, json!({ "reference": format!("r{time}") }));
            note(&format!("PATCH {kind}"), &self.owner.patch(&format!("/api/{kind}/{id}"), changed).await);
        }
        for (kind, document) in self.new_ones(time) {
            let made = self.owner.post(&format!("/api/{kind}"), document).await;
            note(&format!("POST {kind}"), &made);
            if !["roles", "permissions"].contains(&kind) {
                note(
                    &format!("DELETE {kind}"),
                    &self.owner.delete(&format!("/api/{kind}/{}", made.id())).await,
                );
            }
        }
        let changed = change("users", &self.owner.id, json!({ "reference": format!("r{time}") }));
        note("PATCH user", &self.owner.patch("/api/user", changed).await);
        let resend = format!("/api/memberships/{}/resend", self.ids["memberships"]);
        note("resending", &self.owner.send("POST", &resend, "").await);
        let path = self.path("/organizations/{id}/transfer_ownership");
        let to =
            |email: &str| change("organizations", &self.organization.id, json!({ "new_owner_email": email }));
        note("handing over", &self.owner.patch(&path, to("grace@example.com")).await);
        note("handing back", &self.heir.patch(&path, to("ada@example.com")).await);
        costs
    }

    /// Where it is asked: collections for one of theirs.
    fn path(&self, path: &str) -> String {
        let kind = path.split('/').nth(1).unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        let page = if self.ids.contains_key(last) && !path.contains("/relationships/") {
            "?page[size]=1"
        } else {
            ""
        };
        match (path.find('{').zip(path.find('}')), self.ids.get(kind)) {
            (Some((begin, end)), Some(id)) => format!("/api{}{id}{}{page}", &path[..begin], &path[end + 1..]),
            _ => format!("/api{path}{page}"),
        }
    }

    fn new_ones(&self, time: usize) -> Vec<(&'static str, Json)> {
        let blue = &self.organization;
        let of = |kind: &'static str, attributes: Json, mut links: Json| {
            if kind != "permissions" {
                links["organization"] = blue.link();
            }
            (kind, json!({ "data": { "type": kind, "attributes": attributes, "relationships": links } }))
        };
        let name = format!("New {time}");
        let role = &self.ids["roles"];
        let subject = ["customers", "markets", "prices", "skus"][time];
        vec![
            ("memberships", blue.invitation(&format!("new{time}@example.com"), &blue.read_only)),
            of("roles", json!({ "name": name }), json!({})),
            of("permissions", may(subject), json!({ "role": link("roles", role) })),
            of("membership_profiles", json!({ "name": name }), json!({})),
            of("api_credentials", channel(&name), json!({})),
            of("application_memberships", json!({}), opens(&self.spare, &self.ids["memberships"], role)),
            ("client_secrets", secret(&self.spare)),
            ("identity_providers", provider(&format!("new{time}"))),
        ]
    }
}

fn may(subject: &str) -> Json {
    json!({ "subject": subject, "can_create": true, "can_read": true, "can_update": false, "can_destroy": false })
}

fn channel(name: &str) -> Json {
    json!({ "name": name, "kind": "sales_channel" })
}

/// The links by which an application is opened to a member.
fn opens(credential: &str, membership: &str, role: &str) -> Json {
    json!({ "api_credential": link("api_credentials", credential), "membership": link("memberships", membership), "role": link("roles", role) })
}

fn secret(credential: &str) -> Json {
    json!({ "data": { "type": "client_secrets", "relationships": { "api_credential": link("api_credentials", credential) } } })
}

fn provider(name: &str) -> Json {
    let of = |path: &str| format!("https://id.example.com/{path}");
    json!({ "data": { "type": "identity_providers", "attributes": {
        "name": name, "client_id": "id", "client_secret": "secret", "issuer": of(""), "domains": format!("{name}.example"),
        "token_url": of("token"), "authorize_url": of("authorize"), "jwks_url": of("jwks"),
    } } })
}

/// The paths of the description that can be read.
fn described_gets() -> Vec<String> {
    let description: Json = serde_json::from_str(guildhall::openapi::text()).unwrap();
    let paths = description["paths"].as_object().unwrap().iter();
    paths.filter(|(_, item)| item.get("get").is_some()).map(|(path, _)| path.clone()).collect()
}

#[tokio::test]
async fn what_an_operation_costs_does_not_grow_with_what_an_organization_has() {
    let guild = Guild::new().await;
    let house = House::new(&guild).await;
    // Once in vain: what is known from then on is known both times.
    house.costs(0).await;
    let little = house.costs(1).await;
    house.grow().await;
    house.costs(2).await;
    let much = house.costs(3).await;
    // Lists across all organizations of whoever is in very many of them touch each of those: see decision 22.
    let is_across = |name: &str| few_places().is_some() && name.contains('/') && !name.contains('{');
    let grown: Vec<String> = much
        .iter()
        .filter(|(name, _)| !is_across(name))
        .filter(|(name, steps)| **steps > little[*name] + SLACK)
        .map(|(name, steps)| format!("{name}: {} steps, then {steps}", little[name]))
        .collect();
    assert!(grown.is_empty(), "{grown:#?}");
    let told = much.values().filter(|steps| **steps > 0).count();
    assert_eq!(told, if guild.app.db.is_server() { 0 } else { much.len() });
}
