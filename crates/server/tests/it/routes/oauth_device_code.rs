//! `POST /oauth/device_authorization`, and `POST /oauth/token` with what it gave.

use crate::guild::{Guild, SECOND, pretty};
use crate::webapp::{Tokens, Webapp, invalid_grant, refusal};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

async fn begins(guild: &Guild, more: Json) -> Json {
    let mut body = json!({ "client_id": "dashboard" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    guild.nobody().post("/oauth/device_authorization", body).await.json()
}

async fn polls(guild: &Guild, begun: &Json) -> crate::guild::Reply {
    let body = json!({ "grant_type": GRANT, "client_id": "dashboard", "device_code": begun["device_code"] });
    guild.nobody().post("/oauth/token", body).await
}

#[tokio::test]
async fn a_command_line_is_let_in_as_somebody() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let begun = begins(&guild, json!({})).await;
    assert_snapshot!(pretty(&begun, &["device_code"]), @r#"
    {
      "device_code": "…",
      "user_code": "WBBB-BBBB",
      "verification_uri": "http://dashboard.example.test:8080/device",
      "verification_uri_complete": "http://dashboard.example.test:8080/device?code=WBBB-BBBB",
      "expires_in": 600,
      "interval": 5
    }
    "#);
    let pending = polls(&guild, &begun).await;
    assert_eq!(refusal(&pending), (400, "authorization_pending".to_owned()));
    let code = begun["user_code"].as_str().unwrap();
    ada.open("/device").await;
    let page = ada.send("/device", &[("code", code)]).await;
    assert_eq!(page.heading(), "A command line wants to act for you");
    assert_eq!(ada.send("/device", &[("code", code), ("decision", "allow")]).await.path, "/device/allowed");
    guild.pass(5 * SECOND);
    let tokens = Tokens::of(&polls(&guild, &begun).await);
    assert_snapshot!(pretty(&tokens.all, &["access_token", "refresh_token", "owner_id"]), @r#"
    {
      "access_token": "…",
      "token_type": "bearer",
      "expires_in": 7200,
      "scope": "provisioning-api metrics-api",
      "created_at": 1767268805,
      "refresh_token": "…",
      "owner_id": "…",
      "owner_type": "user"
    }
    "#);
    assert_snapshot!(pretty(&tokens.claims(), &["rand", "user"]), @r#"
    {
      "user": "…",
      "application": {
        "id": "dashboard",
        "client_id": "dashboard",
        "kind": "dashboard",
        "public": false,
        "confidential": false
      },
      "scope": "provisioning-api metrics-api",
      "exp": 1767276005,
      "test": false,
      "rand": "…",
      "iat": 1767268805,
      "iss": "https://auth.example.test"
    }
    "#);
    assert_eq!(
        guild.bearer(&tokens.access).get("/api/user").await.attribute("email"),
        json!("ada@example.com")
    );
    assert_eq!(refusal(&polls(&guild, &begun).await), invalid_grant());
    let body =
        json!({ "grant_type": "refresh_token", "client_id": "dashboard", "refresh_token": tokens.refresh });
    let again = Tokens::of(&guild.nobody().post("/oauth/token", body).await);
    assert_eq!(guild.bearer(&again.access).get("/api/user").await.status, 200);
    // It ends when they say so.
    let page = ada.open("/account/applications").await;
    let id = page.html.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    ada.send("/account/applications/sign-out", &[("id", &id)]).await;
    assert_eq!(guild.bearer(&again.access).get("/api/user").await.status, 401);
}

#[tokio::test]
async fn who_asks_too_often_is_to_wait_longer() {
    let guild = Guild::new().await;
    let begun = begins(&guild, json!({})).await;
    let ask = async || refusal(&polls(&guild, &begun).await).1;
    assert_eq!(ask().await, "authorization_pending");
    guild.pass(4 * SECOND);
    assert_eq!(ask().await, "slow_down");
    guild.pass(9 * SECOND);
    assert_eq!(ask().await, "slow_down");
    guild.pass(15 * SECOND);
    assert_eq!(ask().await, "authorization_pending");
    guild.pass(600 * SECOND);
    assert_eq!(ask().await, "expired_token");
}

#[tokio::test]
async fn a_no_is_told() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let begun = begins(&guild, json!({})).await;
    ada.open("/device").await;
    let fields = [("code", begun["user_code"].as_str().unwrap()), ("decision", "deny")];
    assert_eq!(ada.send("/device", &fields).await.path, "/device/denied");
    assert_eq!(refusal(&polls(&guild, &begun).await), (400, "access_denied".to_owned()));
}

#[tokio::test]
async fn a_webapp_may_ask_for_what_it_may_have() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let who = json!({ "client_id": shop.client_id, "client_secret": shop.client_secret });
    let begun = begins(&guild, who.clone()).await;
    ada.open("/device").await;
    let fields = [("code", begun["user_code"].as_str().unwrap()), ("decision", "allow")];
    ada.send("/device", &fields).await;
    let body = json!({ "grant_type": GRANT, "device_code": begun["device_code"] });
    // Another application can do nothing with its code.
    assert_eq!(refusal(&polls(&guild, &begun).await), invalid_grant());
    let tokens = Tokens::of(&shop.asks_for_token(body).await);
    assert!(shop.is_open_to(&tokens.access).await);
    for (more, name) in [
        (json!({ "client_secret": "wrong" }), "invalid_client"),
        (json!({ "client_id": "unknown" }), "invalid_client"),
        (json!({ "scope": "provisioning-api" }), "invalid_scope"),
    ] {
        let mut body = who.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(begins(&guild, body).await["error"], json!(name));
    }
    let everything = begins(&guild, json!({ "scope": "market:all" })).await;
    assert_eq!(everything["error"], json!("invalid_scope"));
    let organization = shop.organization.owner.creates_organization("Red").await;
    let integration = Webapp::of(organization, json!({ "kind": "integration" })).await;
    let body = json!({ "client_id": integration.client_id, "client_secret": integration.client_secret });
    assert_eq!(begins(&guild, body).await["error"], json!("unauthorized_client"));
}
