//! `POST /oauth/introspect`.

use crate::guild::{Guild, pretty};
use crate::webapp::{Tokens, Webapp, refusal};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

async fn ask(by: &Webapp<'_>, token: &str) -> Json {
    let body = json!({ "client_id": by.client_id, "client_secret": by.client_secret, "token": token });
    let told = by.guild.nobody().post("/oauth/introspect", body).await;
    assert_eq!(told.status, 200, "{}", told.text());
    told.json()
}

#[tokio::test]
async fn an_application_learns_of_the_tokens_of_its_organization() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let tokens = shop.is_let_in_by(&ada).await;
    assert_snapshot!(pretty(&ask(&shop, &tokens.access).await, &["client_id", "application"]), @r#"
    {
      "active": true,
      "token_type": "Bearer",
      "scope": "market:all",
      "client_id": "…",
      "exp": 1767276001,
      "iat": 1767268801,
      "iss": "https://auth.example.test",
      "test": true,
      "application": "…",
      "sub": "AAAAAAAAAI",
      "organization": {
        "id": "AAAAAAAAAT",
        "slug": "blue",
        "enterprise": true,
        "region": "eu-west-1"
      }
    }
    "#);
    assert_snapshot!(pretty(&ask(&shop, &tokens.refresh).await, &["client_id"]), @r#"
    {
      "active": true,
      "scope": "market:all",
      "client_id": "…",
      "exp": 1768478401,
      "iss": "https://auth.example.test",
      "sub": "AAAAAAAAAI"
    }
    "#);
    let crate::guild::Organization { owner, id, admin, read_only } = &shop.organization;
    let same = crate::guild::Organization {
        owner: owner.clone(),
        id: id.clone(),
        admin: admin.clone(),
        read_only: read_only.clone(),
    };
    let resource_server = Webapp::of(same, json!({ "kind": "integration" })).await;
    assert_eq!(ask(&resource_server, &tokens.access).await["active"], json!(true));
    // A refresh token is nobody else's business, not even in the same organization.
    let inactive = json!({ "active": false });
    assert_eq!(ask(&resource_server, &tokens.refresh).await, inactive);
    let stranger = Webapp::of(owner.creates_organization("Red").await, json!({})).await;
    for token in [tokens.access.as_str(), &tokens.refresh, "x", "a.b.c", owner.token.as_deref().unwrap()] {
        assert_eq!(ask(&stranger, token).await, inactive, "{token}");
    }
    Tokens::of(&shop.refreshes(&tokens.refresh).await);
    assert_eq!(ask(&shop, &tokens.refresh).await, inactive);
    guild.pass(2 * 60 * 60 * 1000);
    assert_eq!(ask(&shop, &tokens.access).await, inactive);
}

#[tokio::test]
async fn a_command_lines_token_is_nobody_elses_business() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let begun =
        guild.nobody().post("/oauth/device_authorization", json!({ "client_id": "dashboard" })).await.json();
    ada.open("/device").await;
    ada.send("/device", &[("code", begun["user_code"].as_str().unwrap()), ("decision", "allow")]).await;
    let grant = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": "dashboard", "device_code": begun["device_code"],
    });
    let tokens = Tokens::of(&guild.nobody().post("/oauth/token", grant).await);
    let mallory = guild.signed_up("mallory").await;
    drop(mallory);
    let own = guild
        .operate(|work| {
            let user = guildhall::resources::users::by_email(work, "mallory@example.com")?.unwrap();
            guildhall::resources::users::rotate_secret(work, &user)
        })
        .await
        .unwrap();
    for token in [&tokens.access, &tokens.refresh] {
        let body = json!({ "client_id": own.client_id, "client_secret": own.client_secret, "token": token });
        assert_eq!(
            guild.nobody().post("/oauth/introspect", body.clone()).await.json(),
            json!({ "active": false })
        );
        assert_eq!(guild.nobody().post("/oauth/revoke", body).await.status, 403);
    }
    // Signing out everywhere ends it, and what was about to be let in.
    let second =
        guild.nobody().post("/oauth/device_authorization", json!({ "client_id": "dashboard" })).await.json();
    ada.open("/device").await;
    ada.send("/device", &[("code", second["user_code"].as_str().unwrap()), ("decision", "allow")]).await;
    ada.open("/account/security").await;
    ada.send("/account/security/end-all", &[]).await;
    assert_eq!(guild.bearer(&tokens.access).get("/api/user").await.status, 401);
    let grant = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "client_id": "dashboard", "device_code": second["device_code"],
    });
    assert_eq!(guild.nobody().post("/oauth/token", grant).await.status, 400);
    let refresh =
        json!({ "grant_type": "refresh_token", "client_id": "dashboard", "refresh_token": tokens.refresh });
    assert_eq!(guild.nobody().post("/oauth/token", refresh).await.status, 400);
}

#[tokio::test]
async fn it_takes_a_secret() {
    let guild = Guild::new().await;
    let (shop, _) = Webapp::new(&guild).await;
    let organization = shop.organization.owner.creates_organization("Red").await;
    let channel = Webapp::of(organization, json!({ "kind": "sales_channel" })).await;
    for (body, name) in [
        (json!({ "token": "x" }), "invalid_client"),
        (json!({ "token": "x", "client_id": shop.client_id }), "invalid_client"),
        (json!({ "token": "x", "client_id": shop.client_id, "client_secret": "wrong" }), "invalid_client"),
        (json!({ "token": "x", "client_id": channel.client_id }), "invalid_client"),
        (json!({ "token": "x", "client_id": "dashboard" }), "invalid_client"),
        (json!({ "client_id": shop.client_id, "client_secret": shop.client_secret }), "invalid_request"),
    ] {
        assert_eq!(refusal(&guild.nobody().post("/oauth/introspect", body.clone()).await).1, name, "{body}");
    }
}
