//! Limits on how often one address may ask.

use crate::guild::{Guild, SECOND};
use guildhall::config::Switch;
use serde_json::json;

#[tokio::test]
async fn answers_tell_what_is_left_and_when_to_go_on() {
    let guild = Guild::with(|config| config.rate_limits = Switch::On).await;
    let ada = guild.user("ada").await;
    let first = ada.get("/api/user").await;
    let told = ["x-ratelimit-limit", "x-ratelimit-interval", "x-ratelimit-remaining"]
        .map(|name| first.header(name).to_owned());
    assert_eq!(told, ["1000", "60", "999"]);
    for _ in 0..249 {
        assert_eq!(ada.get("/api/user").await.status, 200);
    }
    let over = ada.get("/api/user").await;
    assert_eq!((over.status, over.header("retry-after")), (429, "10"));
    assert_eq!(
        over.problems(),
        ["429 TOO_MANY_REQUESTS: Too many requests from this address: wait as Retry-After says."]
    );
    // Another endpoint, and the same one a little later.
    assert_eq!(ada.get("/api/roles").await.status, 200);
    guild.pass(20 * SECOND);
    assert_eq!(ada.get("/api/user").await.status, 200);
}

#[tokio::test]
async fn writes_are_counted_apart_and_more_strictly() {
    let guild = Guild::with(|config| config.rate_limits = Switch::On).await;
    let ada = guild.user("ada").await;
    for number in 0..50 {
        let body = json!({ "data": { "type": "users", "attributes": { "reference": number.to_string() } } });
        assert_eq!(ada.patch("/api/user", body).await.header("x-ratelimit-limit"), "200");
    }
    let over = ada.patch("/api/user", json!({})).await;
    assert_eq!(over.status, 429);
    assert_eq!(ada.get("/api/user").await.attribute("reference"), json!("49"));
}

#[tokio::test]
async fn other_spellings_of_a_path_count_the_same() {
    let guild = Guild::with(|config| config.rate_limits = Switch::On).await;
    let nobody = guild.nobody();
    for _ in 0..30 {
        assert_eq!(nobody.post("/oauth/token/", json!({})).await.status, 400);
    }
    assert_eq!(nobody.post("/oauth/token/", json!({})).await.status, 429);
    let preflight = nobody.send("OPTIONS", "/oauth/token", "").await;
    assert_eq!((preflight.status, preflight.header("x-ratelimit-limit")), (204, ""));
}

#[tokio::test]
async fn limits_are_settings_and_large_bodies_count() {
    let guild = Guild::with(|config| {
        config.rate_limits = Switch::On;
        config.limits.writes_a_minute = 2;
    })
    .await;
    let ada = guild.user("ada").await;
    let huge = "x".repeat(300_000);
    let first = ada.send("PATCH", "/api/user", huge.clone()).await;
    assert_eq!((first.status, first.header("x-ratelimit-remaining")), (413, "1"));
    assert_eq!(ada.send("PATCH", "/api/user", huge.clone()).await.status, 413);
    assert_eq!(ada.send("PATCH", "/api/user", huge).await.status, 429);
}

#[tokio::test]
async fn tokens_are_limited_in_the_form_of_the_auth_api() {
    let guild = Guild::with(|config| config.rate_limits = Switch::On).await;
    let nobody = guild.nobody();
    for _ in 0..30 {
        assert_eq!(nobody.post("/oauth/token", json!({})).await.status, 400);
    }
    let over = nobody.post("/oauth/token", json!({})).await;
    assert_eq!((over.status, &over.json()["error"]), (429, &json!("too_many_requests")));
    assert!(!over.header("retry-after").is_empty());
    assert_eq!((over.header("access-control-allow-origin"), over.header("cache-control")), ("*", "no-store"));
}
