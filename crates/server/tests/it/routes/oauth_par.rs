//! `POST /oauth/par`.

use crate::guild::Guild;
use crate::webapp::{CALLBACK, Tokens, Webapp, challenge, parameter, query, refusal};
use serde_json::{Value as Json, json};

fn request(shop: &Webapp<'_>, more: Json) -> Json {
    let mut body = json!({
        "client_id": shop.client_id, "client_secret": shop.client_secret, "response_type": "code",
        "redirect_uri": CALLBACK, "state": "kept", "code_challenge": challenge(), "code_challenge_method": "S256",
        "scope": "market:id:a",
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test]
async fn a_request_is_kept_and_nobody_on_the_way_changes_it() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let pushed = guild.nobody().post("/oauth/par", request(&shop, json!({}))).await;
    assert_eq!((pushed.status, &pushed.json()["expires_in"]), (201, &json!(600)));
    let reference = pushed.json()["request_uri"].as_str().unwrap().to_owned();
    // Nothing is kept that no request can say.
    let more = json!({ "junk": "x".repeat(10_000), "client_assertion_type": "y" });
    assert_eq!(guild.nobody().post("/oauth/par", request(&shop, more)).await.status, 201);
    let longest = "select max(length(parameters)) from pushed_requests";
    assert!(guild.number(longest).await < 1000);
    assert!(reference.starts_with("urn:ietf:params:oauth:request_uri:"));
    // What stands beside the reference counts for nothing.
    let parameters = [
        ("client_id", shop.client_id.as_str()),
        ("request_uri", &reference),
        ("scope", "market:all"),
        ("state", "changed"),
    ];
    let path = format!("/oauth/authorize?{}", query(&parameters));
    let page = ada.open(&path).await;
    assert!(page.says("as far as it is about the market a"), "{}", page.text());
    let address = ada.send(&path, &[("decision", "allow")]).await.path;
    assert_eq!(parameter(&address, "state").as_deref(), Some("kept"));
    let tokens = Tokens::of(&shop.redeems(&parameter(&address, "code").unwrap()).await);
    assert_eq!(tokens.all["scope"], json!("market:id:a"));
    // It is good for one answer.
    assert_eq!(ada.open(&path).await.heading(), "That took too long");
    let kept = guild.number("select count(*) from pushed_requests").await;
    assert_eq!(kept, 1);
}

#[tokio::test]
async fn a_reference_is_its_applications_and_lives_for_ten_minutes() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let other = Webapp::of(shop.organization.owner.creates_organization("Red").await, json!({})).await;
    let pushed = guild.nobody().post("/oauth/par", request(&shop, json!({}))).await.json();
    let reference = pushed["request_uri"].as_str().unwrap();
    let path = |client_id: &str| {
        format!("/oauth/authorize?{}", query(&[("client_id", client_id), ("request_uri", reference)]))
    };
    assert_eq!(ada.open(&path(&other.client_id)).await.heading(), "That took too long");
    assert_eq!(ada.open(&path(&shop.client_id)).await.heading(), "Shop wants to act for you");
    guild.pass(600_000);
    assert_eq!(ada.open(&path(&shop.client_id)).await.heading(), "That took too long");
}

#[tokio::test]
async fn what_the_page_would_refuse_is_refused_at_once() {
    let guild = Guild::new().await;
    let (shop, _) = Webapp::new(&guild).await;
    for (more, expected) in [
        (json!({ "client_secret": "wrong" }), (401, "invalid_client")),
        (json!({ "redirect_uri": "https://evil.example/" }), (400, "invalid_request")),
        (json!({ "response_type": "token" }), (400, "unsupported_response_type")),
        (json!({ "scope": "everything" }), (400, "invalid_scope")),
        (json!({ "code_challenge_method": "plain" }), (400, "invalid_request")),
        (json!({ "nonce": "x".repeat(513) }), (400, "invalid_request")),
        (json!({ "state": "x".repeat(4097) }), (400, "invalid_request")),
        (json!({ "request_uri": "urn:ietf:params:oauth:request_uri:x" }), (400, "invalid_request")),
    ] {
        let refused = guild.nobody().post("/oauth/par", request(&shop, more.clone())).await;
        assert_eq!(refusal(&refused), (expected.0, expected.1.to_owned()), "{more}");
    }
    assert_eq!(guild.number("select count(*) from pushed_requests").await, 0);
}
