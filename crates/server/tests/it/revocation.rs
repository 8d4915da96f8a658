//! What ends, ends on the next request, everywhere, and stays so after a restart: every way to end something,
//! crossed with every grant and every use of what it gave.

use crate::browser::Browser;
use crate::guild::{Guild, link};
use crate::webapp::{CALLBACK, Tokens, VERIFIER, Webapp, challenge, parameter, query};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall::accounts::sessions;
use guildhall::resources::{api_credentials, organizations, users};
use guildhall::work::Work;
use guildhall_jsonapi::Record;
use insta::assert_snapshot;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;

/// Everything that can be ended.
const ENDINGS: [&str; 23] = [
    "nothing",
    "session ended",
    "all sessions ended",
    "user disabled",
    "user deleted",
    "password reset",
    "membership removed",
    "member leaves",
    "demoted",
    "plan reduced",
    "organization disabled",
    "organization deleted",
    "credential disabled",
    "credential deleted",
    "tokens of credential ended",
    "secret retired",
    "consent withdrawn",
    "access token revoked",
    "refresh token revoked",
    "code came twice",
    "refresh token came twice",
    "command line signed out",
    "personal secret rotated",
];

/// Every way to be given something, and every use of it.
const USES: [&str; 38] = [
    "page: authorize",
    "page: pushed request",
    "code: organization",
    "code: application",
    "code: tokeninfo",
    "code: userinfo",
    "code: introspect",
    "code: refresh",
    "code: redeem",
    "assertion: organization",
    "assertion: tokeninfo",
    "assertion: introspect",
    "assertion: refresh",
    "assertion: grant",
    "device: organization",
    "device: tokeninfo",
    "device: introspect",
    "device: refresh",
    "device: redeem",
    "device: begin",
    "itself: organization",
    "itself: introspect",
    "itself: grant",
    "personal: api",
    "personal: grant",
    "command line: api",
    "command line: refresh",
    "command line: redeem",
    "dashboard code: api",
    "dashboard code: refresh",
    "public: organization",
    "public: refresh",
    "claim: organization",
    "claim: refresh",
    "channel: organization",
    "channel: introspect",
    "channel: grant",
    "channel assertion: organization",
];

/// What is used up by the first one to show it.
fn is_used_up(uses: &str) -> bool {
    uses.ends_with("redeem") || uses.ends_with("refresh")
}

const ASSERTION: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Bob, a member of Ada's organization, has let her webapp in by every grant there is.
struct World<'g> {
    guild: &'g Guild,
    shop: Webapp<'g>,
    integration: Webapp<'g>,
    ada: Browser<'g>,
    bob: Browser<'g>,
    bobs_id: String,
    membership: String,
    code: Tokens,
    spent_code: String,
    waiting_code: String,
    assertion: Tokens,
    asserted: String,
    device: Tokens,
    waiting_device: String,
    command_line: Tokens,
    waiting_command_line: String,
    itself: String,
    personal: (String, String, String),
    /// Of the dashboard's own application, by a code.
    own_code: Tokens,
    /// Of a webapp that shows no secret.
    spa: Webapp<'g>,
    public: Tokens,
    /// Of an assertion that names nobody.
    claim: Tokens,
    channel: Webapp<'g>,
    guest: String,
    channel_assertion: String,
}

async fn world(guild: &Guild) -> World<'_> {
    let (shop, ada) = Webapp::new(guild).await;
    let integration = Webapp::of(shop.organization.clone(), json!({ "kind": "integration" })).await;
    let bob = guild.signed_up("bob").await;
    let membership = shop.organization.invites("bob@example.com", &shop.organization.admin).await;
    let spent_code = shop.code(&bob, &[("scope", "openid market:all")]).await;
    let code = Tokens::of(&shop.redeems(&spent_code).await);
    let waiting_code = shop.code(&bob, &[("scope", "openid market:all")]).await;
    let bobs_id = code.all["owner_id"].as_str().unwrap().to_owned();
    let payload =
        json!({ "https://commercelayer.io/claims": { "owner": { "type": "User", "id": bobs_id } } });
    let asserted = format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(payload.to_string()));
    let assertion = shop.asks_for_token(json!({ "grant_type": ASSERTION, "assertion": asserted })).await;
    let mut devices = Vec::new();
    for command_line in [true, true, false, false] {
        let body = if command_line {
            json!({ "client_id": "dashboard" })
        } else {
            json!({ "client_id": shop.client_id, "client_secret": shop.client_secret })
        };
        let begun = guild.nobody().post("/oauth/device_authorization", body).await.json();
        bob.open("/device").await;
        let fields = [("code", begun["user_code"].as_str().unwrap()), ("decision", "allow")];
        assert_eq!(bob.send("/device", &fields).await.path, "/device/allowed");
        devices.push(begun["device_code"].as_str().unwrap().to_owned());
    }
    let waiting_device = devices.pop().unwrap();
    let device = Tokens::of(&redeems_device(&shop, &devices[2]).await);
    let waiting_command_line = devices[0].clone();
    let body = json!({ "grant_type": DEVICE, "client_id": "dashboard", "device_code": devices[1] });
    let command_line = Tokens::of(&guild.nobody().post("/oauth/token", body).await);
    let grant = json!({ "grant_type": "client_credentials" });
    let itself = Tokens::of(&integration.asks_for_token(grant).await).access;
    let made = guild
        .operate(|work| {
            let user = users::by_email(work, "bob@example.com")?.unwrap();
            users::rotate_secret(work, &user)
        })
        .await
        .unwrap();
    let personal = personal_grant(guild, &made.client_id, &made.client_secret).await.json();
    let personal = personal["access_token"].as_str().unwrap().to_owned();
    let here = "http://127.0.0.1:49152/callback";
    let asked = query(&[
        ("response_type", "code"),
        ("client_id", "dashboard"),
        ("redirect_uri", here),
        ("code_challenge", &challenge()),
        ("code_challenge_method", "S256"),
    ]);
    let address = bob.send(&format!("/oauth/authorize?{asked}"), &[("decision", "allow")]).await.path;
    let grant = json!({
        "grant_type": "authorization_code", "client_id": "dashboard", "redirect_uri": here,
        "code": parameter(&address, "code").unwrap(), "code_verifier": VERIFIER,
    });
    let own_code = Tokens::of(&guild.nobody().post("/oauth/token", grant).await);
    let spa = Webapp::of(shop.organization.clone(), json!({ "token_endpoint_auth_method": "none" })).await;
    let redeem = json!({
        "grant_type": "authorization_code", "code": spa.code(&bob, &[]).await, "redirect_uri": CALLBACK,
        "code_verifier": VERIFIER, "client_secret": null,
    });
    let public = Tokens::of(&spa.asks_for_token(redeem).await);
    let says = json!({ "https://commercelayer.io/claims": { "custom_claim": { "a": 1 } } });
    let says = format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(says.to_string()));
    let claim = Tokens::of(&shop.asks_for_token(json!({ "grant_type": ASSERTION, "assertion": says })).await);
    let channel = Webapp::of(shop.organization.clone(), json!({ "kind": "sales_channel" })).await;
    let grant = json!({ "grant_type": "client_credentials", "client_secret": null });
    let guest = Tokens::of(&channel.asks_for_token(grant).await).access;
    let channel_assertion =
        channel.asks_for_token(json!({ "grant_type": ASSERTION, "assertion": asserted })).await;
    let channel_assertion = Tokens::of(&channel_assertion).access;
    // Tokens made from now on are of another second.
    guild.pass(2000);
    World {
        guild,
        ada,
        bob,
        bobs_id,
        membership,
        code,
        spent_code,
        waiting_code,
        assertion: Tokens::of(&assertion),
        asserted,
        device,
        waiting_device,
        command_line,
        waiting_command_line,
        itself,
        personal: (personal, made.client_id, made.client_secret),
        own_code,
        spa,
        public,
        claim,
        channel,
        guest,
        channel_assertion,
        shop,
        integration,
    }
}

async fn redeems_device(shop: &Webapp<'_>, code: &str) -> crate::guild::Reply {
    shop.asks_for_token(json!({ "grant_type": DEVICE, "device_code": code })).await
}

async fn personal_grant(guild: &Guild, client_id: &str, client_secret: &str) -> crate::guild::Reply {
    let body =
        json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret });
    guild.nobody().post("/oauth/token", body).await
}

impl World<'_> {
    async fn end(&self, ending: &str) {
        let owner = &self.shop.organization.owner;
        let slug = self.shop.slug.clone();
        let credential = format!("/api/api_credentials/{}", self.shop.id);
        let membership = format!("/api/memberships/{}", self.membership);
        let switch = async |name: &str| {
            for client in [&self.shop, &self.integration, &self.spa, &self.channel] {
                let path = format!("/api/api_credentials/{}", client.id);
                let change = crate::guild::change("api_credentials", &client.id, json!({ name: true }));
                assert_eq!(owner.patch(&path, change).await.status, 200);
            }
        };
        let revoke = async |token: &str, client: &Webapp<'_>| {
            let body = json!({ "client_id": client.client_id, "client_secret": client.client_secret, "token": token });
            assert_eq!(self.guild.nobody().post("/oauth/revoke", body).await.text(), "{}");
        };
        match ending {
            "nothing" => {}
            "session ended" => assert_eq!(self.bob.send("/sign-out", &[]).await.status, 200),
            "all sessions ended" => {
                self.of_bob(|work, bob| sessions::end_others(work, &bob.id.clone(), None)).await;
            }
            "plan reduced" => {
                let owner = owner.id.clone();
                let unit = move |work: &mut Work<'_, '_>| {
                    let owner = users::by_id(work, &owner)?.unwrap();
                    users::set_plan(work, &owner, "growth")
                };
                self.guild.operate(unit).await.unwrap();
            }
            "code came twice" => {
                assert_eq!(self.shop.redeems(&self.spent_code).await.status, 400);
            }
            "refresh token came twice" => {
                for tokens in [&self.code, &self.assertion, &self.device] {
                    assert_eq!(self.shop.refreshes(&tokens.refresh).await.status, 200);
                }
                // The answer is said again for half a minute.
                self.guild.pass(60_000);
                for tokens in [&self.code, &self.assertion, &self.device] {
                    assert_eq!(self.shop.refreshes(&tokens.refresh).await.status, 400);
                }
            }
            "command line signed out" => {
                let page = self.bob.open("/account/applications").await;
                let lines = page.html.split("/account/applications/sign-out").skip(1);
                let value = |line: &str| {
                    let value = line.split("name=\"id\" value=\"").nth(1).unwrap();
                    value.split('"').next().unwrap().to_owned()
                };
                let chains: Vec<String> = lines.map(value).collect();
                assert_eq!(chains.len(), 2);
                for chain in &chains {
                    self.bob.open("/account/applications").await;
                    self.bob.send("/account/applications/sign-out", &[("id", chain)]).await;
                }
            }
            "user disabled" => self.of_bob(|work, bob| users::set_disabled(work, bob, true)).await,
            "user deleted" => self.of_bob(users::erase).await,
            "password reset" => {
                self.guild.pass(1000);
                self.guild.browser_at(9).resets_password("bob@example.com", "another-good-passphrase").await;
            }
            "membership removed" => assert_eq!(owner.delete(&membership).await.status, 204),
            "member leaves" => {
                self.bob.open(&format!("/organizations/{slug}")).await;
                let path = format!("/organizations/{slug}/leave");
                self.bob.send(&path, &[("membership", &self.membership)]).await;
            }
            "demoted" => {
                let change = json!({ "data": { "type": "memberships", "id": self.membership, "relationships": {
                    "role": link("roles", &self.shop.organization.read_only),
                } } });
                assert_eq!(owner.patch(&membership, change).await.status, 200);
            }
            "organization disabled" => {
                self.of_organization(|work, one| organizations::set_disabled(work, one, true)).await;
            }
            "organization deleted" => {
                self.of_organization(|work, one| {
                    while !organizations::erase(work, one)? {}
                    Ok(())
                })
                .await;
            }
            "credential disabled" => switch("_disable").await,
            "credential deleted" => {
                assert_eq!(owner.delete(&credential).await.status, 204);
                for client in [&self.integration, &self.spa, &self.channel] {
                    let path = format!("/api/api_credentials/{}", client.id);
                    assert_eq!(owner.delete(&path).await.status, 204);
                }
            }
            "tokens of credential ended" => switch("_end_tokens").await,
            "secret retired" => {
                for client in [&self.shop, &self.integration, &self.channel] {
                    let document = json!({ "data": { "type": "client_secrets", "relationships": {
                        "api_credential": link("api_credentials", &client.id),
                    } } });
                    assert_eq!(owner.post("/api/client_secrets", document).await.status, 201);
                    let path = format!("/api/api_credentials/{}/client_secrets?sort=created_at", client.id);
                    let first = owner.get(&path).await.ids().remove(0);
                    assert_eq!(owner.delete(&format!("/api/client_secrets/{first}")).await.status, 204);
                }
            }
            "consent withdrawn" => {
                self.bob.open("/account/applications").await;
                for client in [&self.shop, &self.spa] {
                    self.bob.send("/account/applications/withdraw", &[("id", &client.id)]).await;
                }
            }
            "access token revoked" => {
                for tokens in [&self.code, &self.assertion, &self.device, &self.claim] {
                    revoke(&tokens.access, &self.shop).await;
                }
                revoke(&self.itself, &self.integration).await;
                revoke(&self.guest, &self.channel).await;
                revoke(&self.channel_assertion, &self.channel).await;
                for (client_id, tokens) in
                    [("dashboard", &self.own_code), (&self.spa.client_id, &self.public)]
                {
                    let body = json!({ "client_id": client_id, "token": tokens.access });
                    assert_eq!(self.guild.nobody().post("/oauth/revoke", body).await.text(), "{}");
                }
                let (token, client_id, client_secret) = &self.personal;
                let body = json!({ "client_id": client_id, "client_secret": client_secret, "token": token });
                assert_eq!(self.guild.nobody().post("/oauth/revoke", body).await.text(), "{}");
            }
            "refresh token revoked" => {
                for tokens in [&self.code, &self.assertion, &self.device, &self.claim] {
                    revoke(&tokens.refresh, &self.shop).await;
                }
                for (client_id, tokens) in
                    [("dashboard", &self.own_code), (&self.spa.client_id, &self.public)]
                {
                    let body = json!({ "client_id": client_id, "token": tokens.refresh });
                    assert_eq!(self.guild.nobody().post("/oauth/revoke", body).await.text(), "{}");
                }
            }
            "personal secret rotated" => {
                self.of_bob(|work, bob| users::rotate_secret(work, bob).map(drop)).await;
            }
            other => panic!("{other}"),
        }
    }

    async fn of_bob(&self, deed: fn(&mut Work<'_, '_>, &Record) -> guildhall_jsonapi::Result<()>) {
        let id = self.bobs_id.clone();
        let unit = move |work: &mut Work<'_, '_>| {
            let bob = users::by_id(work, &id)?.unwrap();
            deed(work, &bob)
        };
        self.guild.operate(unit).await.unwrap();
    }

    async fn of_organization(&self, deed: fn(&mut Work<'_, '_>, &Record) -> guildhall_jsonapi::Result<()>) {
        let slug = self.shop.slug.clone();
        let unit = move |work: &mut Work<'_, '_>| {
            let organization = organizations::by_slug(work, &slug)?.unwrap();
            deed(work, &organization)
        };
        self.guild.operate(unit).await.unwrap();
    }

    /// Whether a use is still possible, asked of a server that may be another one.
    async fn works(&self, server: &Guild, uses: &str) -> bool {
        let at = async |token: &str, path: &str| {
            let reply = server.bearer(token).at(&format!("{}.example.test", self.shop.slug), path).await;
            assert!(matches!(reply.status, 200 | 401), "{path}: {}", reply.text());
            reply.status == 200
        };
        let post = async |path: &str, client: &Webapp<'_>, more: Json| {
            let mut body = json!({ "client_id": client.client_id, "client_secret": client.client_secret });
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let reply = server.nobody().post(path, body).await;
            assert!(matches!(reply.status, 200 | 400 | 401), "{uses}: {}", reply.text());
            (reply.status == 200).then(|| reply.json())
        };
        let refresh =
            |tokens: &Tokens| json!({ "grant_type": "refresh_token", "refresh_token": tokens.refresh });
        let is_active = async |client: &Webapp<'_>, token: &str| {
            let told = post("/oauth/introspect", client, json!({ "token": token })).await;
            told.is_some_and(|told| told["active"] == json!(true))
        };
        let dashboard = async |mut grant: Json| {
            grant["client_id"] = json!("dashboard");
            let reply = server.nobody().post("/oauth/token", grant).await;
            assert!(matches!(reply.status, 200 | 400), "{uses}: {}", reply.text());
            reply.status == 200
        };
        match uses {
            "page: authorize" => {
                // Whatever a browser can get without anybody being asked.
                let page = Browser { guild: server, ..self.bob.again() }
                    .open(&self.shop.asks(&[("prompt", "none")]))
                    .await;
                page.path.contains("?code=")
            }
            "page: pushed request" => {
                let more =
                    json!({ "response_type": "code", "redirect_uri": CALLBACK, "scope": "market:all" });
                let mut body =
                    json!({ "client_id": self.shop.client_id, "client_secret": self.shop.client_secret });
                body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                let reply = server.nobody().post("/oauth/par", body).await;
                assert!(matches!(reply.status, 201 | 401), "{}", reply.text());
                reply.status == 201
            }
            "code: organization" => at(&self.code.access, "/api/organization").await,
            "code: application" => at(&self.code.access, "/api/application").await,
            "code: tokeninfo" => at(&self.code.access, "/oauth/tokeninfo").await,
            "code: userinfo" => server.bearer(&self.code.access).get("/oauth/userinfo").await.status == 200,
            "code: introspect" => is_active(&self.shop, &self.code.access).await,
            "code: refresh" => post("/oauth/token", &self.shop, refresh(&self.code)).await.is_some(),
            "code: redeem" => {
                let grant = json!({
                    "grant_type": "authorization_code", "code": self.waiting_code, "redirect_uri": CALLBACK,
                    "code_verifier": VERIFIER,
                });
                post("/oauth/token", &self.shop, grant).await.is_some()
            }
            "assertion: organization" => at(&self.assertion.access, "/api/organization").await,
            "assertion: tokeninfo" => at(&self.assertion.access, "/oauth/tokeninfo").await,
            "assertion: introspect" => is_active(&self.shop, &self.assertion.access).await,
            "assertion: refresh" => {
                post("/oauth/token", &self.shop, refresh(&self.assertion)).await.is_some()
            }
            "assertion: grant" => {
                let grant = json!({ "grant_type": ASSERTION, "assertion": self.asserted });
                post("/oauth/token", &self.shop, grant).await.is_some()
            }
            "device: organization" => at(&self.device.access, "/api/organization").await,
            "device: tokeninfo" => at(&self.device.access, "/oauth/tokeninfo").await,
            "device: introspect" => is_active(&self.shop, &self.device.access).await,
            "device: refresh" => post("/oauth/token", &self.shop, refresh(&self.device)).await.is_some(),
            "device: redeem" => {
                let body = json!({ "grant_type": DEVICE, "device_code": self.waiting_device });
                post("/oauth/token", &self.shop, body).await.is_some()
            }
            "device: begin" => post("/oauth/device_authorization", &self.shop, json!({})).await.is_some(),
            "itself: organization" => at(&self.itself, "/api/organization").await,
            "itself: introspect" => is_active(&self.integration, &self.itself).await,
            "itself: grant" => {
                let grant = json!({ "grant_type": "client_credentials" });
                let given = post("/oauth/token", &self.integration, grant).await;
                if let Some(given) = &given {
                    assert!(at(given["access_token"].as_str().unwrap(), "/api/organization").await);
                }
                given.is_some()
            }
            "command line: api" => {
                server.bearer(&self.command_line.access).get("/api/user").await.status == 200
            }
            "command line: refresh" => dashboard(refresh(&self.command_line)).await,
            "command line: redeem" => {
                dashboard(json!({ "grant_type": DEVICE, "device_code": self.waiting_command_line })).await
            }
            "dashboard code: api" => {
                server.bearer(&self.own_code.access).get("/api/user").await.status == 200
            }
            "dashboard code: refresh" => dashboard(refresh(&self.own_code)).await,
            "public: organization" => at(&self.public.access, "/api/organization").await,
            "public: refresh" => {
                let mut grant = refresh(&self.public);
                grant["client_id"] = json!(self.spa.client_id);
                let reply = server.nobody().post("/oauth/token", grant).await;
                assert!(matches!(reply.status, 200 | 400 | 401), "{uses}: {}", reply.text());
                reply.status == 200
            }
            "claim: organization" => at(&self.claim.access, "/api/organization").await,
            "claim: refresh" => post("/oauth/token", &self.shop, refresh(&self.claim)).await.is_some(),
            "channel: organization" => at(&self.guest, "/api/organization").await,
            "channel: introspect" => is_active(&self.channel, &self.guest).await,
            "channel: grant" => {
                let grant = json!({ "grant_type": "client_credentials" });
                let given = post("/oauth/token", &self.channel, grant).await;
                if let Some(given) = &given {
                    assert!(at(given["access_token"].as_str().unwrap(), "/api/organization").await);
                }
                given.is_some()
            }
            "channel assertion: organization" => at(&self.channel_assertion, "/api/organization").await,
            "personal: api" => server.bearer(&self.personal.0).get("/api/user").await.status == 200,
            "personal: grant" => {
                let given = personal_grant(server, &self.personal.1, &self.personal.2).await;
                if given.status == 200 {
                    let token = given.json()["access_token"].as_str().unwrap().to_owned();
                    assert_eq!(server.bearer(&token).get("/api/user").await.status, 200);
                }
                given.status == 200
            }
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn whatever_is_ended_is_refused_on_the_next_request() {
    // A letter for each use, and in each row the letters of what still works.
    let letters: Vec<char> = ('a'..='z').chain('A'..='Z').collect();
    let mut table = String::new();
    for (uses, letter) in USES.iter().zip(&letters) {
        writeln!(table, "{letter}  {uses}").unwrap();
    }
    for ending in ENDINGS {
        let guild = Guild::new().await;
        let world = world(&guild).await;
        // Everything was looked at before, so that whatever is remembered is remembered.
        for uses in USES.iter().filter(|uses| !is_used_up(uses)) {
            assert!(world.works(&guild, uses).await, "{uses}");
        }
        world.end(ending).await;
        // What a process has forgotten counts as much as what it remembers.
        let restarted = guild.restarted().await;
        write!(table, "\n{ending:<28}").unwrap();
        for (uses, letter) in USES.iter().zip(&letters) {
            let works = world.works(&guild, uses).await;
            // What was used up here is used up there; what was refused here is refused there.
            if !is_used_up(uses) || !works {
                assert_eq!(works, world.works(&restarted, uses).await, "{ending}, {uses}, after a restart");
            }
            table.push(if works { *letter } else { '.' });
        }
        drop(world.ada);
    }
    assert_snapshot!("revocation_table", table);
}

#[tokio::test]
async fn who_comes_back_begins_anew() {
    let guild = Guild::new().await;
    let world = world(&guild).await;
    world.end("membership removed").await;
    world.shop.organization.invites("bob@example.com", &world.shop.organization.admin).await;
    for uses in
        ["code: organization", "code: refresh", "code: redeem", "assertion: organization", "device: redeem"]
    {
        assert!(!world.works(&guild, uses).await, "{uses}");
    }
    assert_eq!(world.bob.open(&world.shop.asks(&[])).await.heading(), "Shop wants to act for you");
}

#[tokio::test]
async fn what_is_enabled_again_gets_new_tokens_and_the_old_ones_stay_dead() {
    let guild = Guild::new().await;
    let world = world(&guild).await;
    world.end("organization disabled").await;
    let bob = guild.bearer(&world.personal.0);
    assert_eq!(bob.get("/api/organizations").await.ids(), [""; 0]);
    assert_eq!(world.bob.open("/organizations/blue").await.status, 404);
    let ada = &world.shop.organization.owner;
    assert_eq!(ada.get(&format!("/api/organizations/{}", world.shop.organization.id)).await.status, 404);
    world.of_organization(|work, one| organizations::set_disabled(work, one, false)).await;
    assert_eq!(bob.get("/api/organizations").await.ids().len(), 1);
    for uses in ["code: organization", "code: refresh", "itself: organization", "assertion: refresh"] {
        assert!(!world.works(&guild, uses).await, "{uses}");
    }
    guild.pass(1000);
    // What waited to be redeemed waits no more.
    for uses in ["code: redeem", "device: redeem"] {
        assert!(!world.works(&guild, uses).await, "{uses}");
    }
    assert!(world.works(&guild, "itself: grant").await);
    let client_id = world.integration.client_id.clone();
    guild
        .operate(move |work| {
            let credential = api_credentials::by_client_id(work, &client_id)?.unwrap();
            api_credentials::set_disabled(work, &credential, true)?;
            let credential = api_credentials::by_client_id(work, &client_id)?.unwrap();
            api_credentials::set_disabled(work, &credential, false)
        })
        .await
        .unwrap();
    assert!(!world.works(&guild, "itself: organization").await);
    guild.pass(2000);
    assert!(world.works(&guild, "itself: grant").await);
}
