//! `/healthz`, `/readyz`, `/openapi.json`, request ids and hosts.

use crate::guild::Guild;
use axum::body::Body;

#[tokio::test]
async fn it_is_alive_and_ready() {
    let guild = Guild::new().await;
    let nobody = guild.nobody();
    assert_eq!(nobody.get("/healthz").await.text(), "alive\n");
    assert_eq!(nobody.get("/readyz").await.text(), "ready\n");
    assert_eq!(nobody.get("/openapi.json").await.text(), guildhall::openapi::text());
    for path in ["/healthz", "/readyz", "/openapi.json", "/api/public/schemas/organization_config"] {
        let refused = nobody.send("POST", path, "").await;
        assert_eq!((refused.status, refused.header("allow")), (405, "GET"), "{path}");
    }
    let schema = nobody.get("/api/public/schemas/organization_config").await;
    assert_eq!((schema.status, schema.header("content-type")), (200, "application/schema+json"));
}

#[tokio::test]
async fn every_answer_carries_a_request_id() {
    let guild = Guild::new().await;
    let nobody = guild.nobody();
    let ask = async |id: &str| {
        let request =
            http::Request::builder().uri("/healthz").header("x-request-id", id).body(Body::empty()).unwrap();
        nobody.ask(request).await.header("x-request-id").to_owned()
    };
    assert_eq!(ask("mine-1.2_3").await, "mine-1.2_3");
    for odd in ["", "a b", "x\"y", &"x".repeat(65)] {
        assert_eq!(ask(odd).await.len(), 10, "{odd}");
    }
}

#[tokio::test]
async fn pages_of_other_origins_may_call_the_api_where_the_operator_says_so() {
    let origin = "https://app.example.com";
    for (allowed, expected) in [
        (vec![], ""),
        (vec![origin.to_owned()], origin),
        (vec!["*".to_owned()], origin),
        (vec!["https://other.test".to_owned()], ""),
    ] {
        let guild = Guild::with(|config| config.cors_origins = allowed).await;
        let ada = guild.user("ada").await;
        let request = |method: &str| {
            ada.request(method, "/api/user").header("origin", origin).body(Body::empty()).unwrap()
        };
        let answer = ada.ask(request("GET")).await;
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, expected));
        let preflight = ada.ask(request("OPTIONS")).await;
        assert_eq!(preflight.status, if expected.is_empty() { 405 } else { 204 });
    }
}

#[tokio::test]
async fn each_host_answers_for_its_own() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let ask = async |host: &str, path: &str| {
        let request = ada.request("GET", path).header("host", host).body(Body::empty()).unwrap();
        ada.ask(request).await.status
    };
    for (host, user, keys, health) in [
        ("provisioning.example.test", 200, 404, 200),
        ("auth.example.test", 404, 200, 200),
        ("dashboard.example.test", 404, 404, 200),
        ("the-blue-brand.example.test", 404, 404, 200),
        ("127.0.0.1:8080", 200, 200, 200),
    ] {
        let found = [
            ask(host, "/api/user").await,
            ask(host, "/.well-known/jwks.json").await,
            ask(host, "/healthz").await,
        ];
        assert_eq!(found, [user, keys, health], "{host}");
    }
}
