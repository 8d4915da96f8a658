//! How many statements each request of the Auth API, the page to agree and the core hosts takes, in a table to read in review:
//! each as it is when nothing is known from before.

use crate::guild::{Guild, Reply, SECOND};
use crate::webapp::{CALLBACK, Tokens, VERIFIER, Webapp, challenge};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;

/// What was counted.
struct Costs<'g> {
    guild: &'g Guild,
    table: String,
}

impl Costs<'_> {
    async fn of<T>(&mut self, name: &str, ask: impl Future<Output = T>) -> T {
        self.guild.touch().await;
        let before = self.guild.app.db.statements();
        let answered = ask.await;
        writeln!(self.table, "{name:<44}{:>4}", self.guild.app.db.statements() - before).unwrap();
        answered
    }

    async fn post(&mut self, name: &str, path: &str, client: &Webapp<'_>, more: Json) -> Reply {
        let mut body = json!({ "client_id": client.client_id, "client_secret": client.client_secret });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let person = self.guild.nobody();
        let reply = self.of(name, person.post(path, body)).await;
        assert!(matches!(reply.status, 200 | 201), "{name}: {}", reply.text());
        reply
    }
}

#[tokio::test]
async fn what_is_asked_of_the_database_for_tokens() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let organization = shop.organization.owner.creates_organization("Red").await;
    let integration = Webapp::of(organization.clone(), json!({ "kind": "integration" })).await;
    let channel = Webapp::of(organization, json!({ "kind": "sales_channel" })).await;
    let mut costs = Costs { guild: &guild, table: "\n".to_owned() };

    let own = json!({ "grant_type": "client_credentials" });
    let first = costs.post("client credentials", "/oauth/token", &integration, own.clone()).await;
    costs.post("client credentials, again", "/oauth/token", &integration, own.clone()).await;
    let mut guest = own.clone();
    guest["client_secret"] = Json::Null;
    costs.post("client credentials, a guest", "/oauth/token", &channel, guest).await;

    let path = shop.asks(&[("scope", "openid market:all")]);
    costs.of("page to agree", ada.open(&path)).await;
    costs.of("agreeing", ada.send(&path, &[("decision", "allow")])).await;
    let code = shop.code(&ada, &[("scope", "openid market:all")]).await;
    let redeem = json!({
        "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER,
    });
    let given = Tokens::of(&costs.post("code", "/oauth/token", &shop, redeem).await);
    let refresh = json!({ "grant_type": "refresh_token", "refresh_token": given.refresh });
    let given = Tokens::of(&costs.post("refresh", "/oauth/token", &shop, refresh.clone()).await);
    costs.post("refresh, a lost answer", "/oauth/token", &shop, refresh).await;

    let request = json!({
        "response_type": "code", "redirect_uri": CALLBACK, "scope": "market:all", "code_challenge": challenge(),
        "code_challenge_method": "S256",
    });
    costs.post("pushed request", "/oauth/par", &shop, request).await;
    let device = guild.nobody();
    let begun = costs
        .of("device", device.post("/oauth/device_authorization", json!({ "client_id": "dashboard" })))
        .await
        .json();
    let poll = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": "dashboard",
        "device_code": begun["device_code"],
    });
    costs.of("device that waits", device.post("/oauth/token", poll)).await;

    for (name, token) in [("an access token", &given.access), ("a refresh token", &given.refresh)] {
        let body = json!({ "token": token });
        costs.post(&format!("introspection of {name}"), "/oauth/introspect", &shop, body).await;
    }
    let person = guild.bearer(&given.access);
    costs.of("userinfo", person.get("/oauth/userinfo")).await;
    let own = Tokens::of(&first).access;
    for (kind, client, token) in [("integration", &integration, &own), ("webapp", &shop, &given.access)] {
        for path in ["/api/organization", "/api/application", "/oauth/tokeninfo"] {
            let reply = costs.of(&format!("{path}, {kind}"), client.visits(token, path)).await;
            assert_eq!(reply.status, 200);
        }
    }
    costs.of("discovery", device.get("/.well-known/openid-configuration")).await;
    guild.pass(SECOND);
    costs.post("revocation of an access token", "/oauth/revoke", &integration, json!({ "token": own })).await;
    costs
        .post("revocation of a refresh token", "/oauth/revoke", &shop, json!({ "token": given.refresh }))
        .await;
    assert_snapshot!(costs.table, @r"
    client credentials                             1
    client credentials, again                      2
    client credentials, a guest                    1
    page to agree                                  4
    agreeing                                      10
    code                                           9
    refresh                                       10
    refresh, a lost answer                         3
    pushed request                                 3
    device                                         1
    device that waits                              2
    introspection of an access token               3
    introspection of a refresh token               3
    userinfo                                       2
    /api/organization, integration                 2
    /api/application, integration                  2
    /oauth/tokeninfo, integration                  3
    /api/organization, webapp                      2
    /api/application, webapp                       2
    /oauth/tokeninfo, webapp                       5
    discovery                                      0
    revocation of an access token                  3
    revocation of a refresh token                  4
    ");
}
