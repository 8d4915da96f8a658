//! `GET /oauth/userinfo`.

use crate::guild::{Guild, pretty};
use crate::webapp::Webapp;
use axum::body::Body;
use insta::assert_snapshot;
use serde_json::json;

#[tokio::test]
async fn it_tells_what_was_agreed_to() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let full = shop.is_let_in_for(&ada, "openid profile email").await;
    let told = guild.bearer(&full.access).get("/oauth/userinfo").await;
    assert_snapshot!(pretty(&told.json(), &["sub"]), @r#"
    {
      "sub": "…",
      "email": "ada@example.com",
      "email_verified": true,
      "name": "ada Example",
      "given_name": "ada",
      "family_name": "Example",
      "locale": "en"
    }
    "#);
    assert_eq!(told.json()["sub"], full.all["owner_id"]);
    let bare = shop.is_let_in_for(&ada, "openid").await;
    let told = guild.bearer(&bare.access).get("/oauth/userinfo").await;
    assert_eq!(told.json(), json!({ "sub": bare.all["owner_id"] }));
    let told = guild.bearer(&bare.access).send("POST", "/oauth/userinfo", "").await;
    assert_eq!(told.json(), json!({ "sub": bare.all["owner_id"] }));
    let nobody = guild.nobody();
    let form =
        nobody.request("POST", "/oauth/userinfo").header("content-type", "application/x-www-form-urlencoded");
    let told = nobody.ask(form.body(Body::from(format!("access_token={}", bare.access))).unwrap()).await;
    assert_eq!(told.status, 200);
}

#[tokio::test]
async fn a_token_that_is_not_for_it_is_refused_as_the_standard_says() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let other = shop.is_let_in_by(&ada).await;
    let none = guild.nobody().get("/oauth/userinfo").await;
    assert_eq!((none.status, none.header("www-authenticate")), (401, "Bearer realm=\"guildhall\""));
    let bad = guild.bearer("x").get("/oauth/userinfo").await;
    assert_eq!(bad.status, 401);
    assert!(bad.header("www-authenticate").contains("error=\"invalid_token\""));
    for token in [other.access.as_str(), shop.organization.owner.token.as_deref().unwrap()] {
        let narrow = guild.bearer(token).get("/oauth/userinfo").await;
        assert_eq!(narrow.status, 403);
        assert!(narrow.header("www-authenticate").contains("error=\"insufficient_scope\""));
    }
}
