//! `POST /oauth/token`.

use crate::guild::{Guild, HOUR, NOON, Person, Reply, SECOND, pretty};
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use guildhall::resources::users;
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

/// The claims of a token, unchecked.
pub(super) fn claims(token: &Json) -> Json {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

async fn ask(person: &Person<'_>, body: Json) -> Reply {
    person.post("/oauth/token", body).await
}

/// A credential of a kind: its client id, its secret and its id.
pub(super) async fn credential(person: &Person<'_>, kind: &str, mode: &str) -> (String, String, String) {
    let organization = person.creates_organization("The Blue Brand").await;
    let relationships = match kind {
        "integration" => json!({ "role": crate::guild::link("roles", &organization.admin) }),
        _ => json!({}),
    };
    let id = organization
        .makes("api_credentials", json!({ "name": "X", "kind": kind, "mode": mode }), relationships)
        .await;
    let shown = person.get(&format!("/api/api_credentials/{id}")).await;
    let text = |name: &str| shown.attribute(name).as_str().unwrap().to_owned();
    (text("client_id"), text("client_secret"), id)
}

async fn registered(guild: &Guild) -> users::Application {
    let new = users::New {
        email: "ada@example.com".to_owned(),
        first_name: "Ada".to_owned(),
        last_name: "Lovelace".to_owned(),
        plan: "enterprise".to_owned(),
    };
    guild.operate(move |work| users::register(work, &new)).await.unwrap()
}

#[tokio::test]
async fn a_personal_application_gets_a_provisioning_token() {
    let guild = Guild::new().await;
    let ada = registered(&guild).await;
    let body = json!({ "grant_type": "client_credentials", "client_id": ada.client_id, "client_secret": ada.client_secret });
    let granted = ask(&guild.nobody(), body).await;
    assert_eq!((granted.status, granted.header("cache-control")), (200, "no-store"));
    assert_snapshot!(pretty(&granted.json(), &["access_token"]), @r#"
    {
      "access_token": "…",
      "token_type": "bearer",
      "expires_in": 7200,
      "scope": "provisioning-api",
      "created_at": 1767268800
    }
    "#);
    let token = &granted.json()["access_token"];
    assert_snapshot!(pretty(&claims(token), &["rand"]), @r#"
    {
      "user": {
        "id": "AAAAAAAAAC"
      },
      "application": {
        "id": "AAAAAAAAAG",
        "client_id": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQ",
        "kind": "user",
        "public": false,
        "confidential": true
      },
      "scope": "provisioning-api",
      "exp": 1767276000,
      "test": false,
      "rand": "…",
      "iat": 1767268800,
      "iss": "https://auth.example.test"
    }
    "#);
    assert_eq!(guild.bearer(token.as_str().unwrap()).get("/api/user").await.id(), ada.user);
}

#[tokio::test]
async fn clients_send_all_sorts_of_things_along() {
    let guild = Guild::new().await;
    let ada = registered(&guild).await;
    let body = json!({
        "grant_type": "client_credentials", "client_id": ada.client_id, "client_secret": ada.client_secret,
        "scope": "", "slug": null, "debug": true, "organization": { "a": 1 }, "list": [1], "number": 7,
    });
    assert_eq!(ask(&guild.nobody(), body).await.status, 200);
}

#[tokio::test]
async fn nothing_is_said_twice_and_nothing_holds_what_no_text_holds() {
    let guild = Guild::new().await;
    let ada = registered(&guild).await;
    let twice = format!(
        "{{\"grant_type\":\"client_credentials\",\"client_id\":\"x\",\"client_id\":\"{}\"}}",
        ada.client_id
    );
    let refused = guild.nobody().send("POST", "/oauth/token", twice).await;
    assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_request")));
    let body =
        json!({ "grant_type": "client_credentials", "client_id": "\u{0}", "client_secret": "x\u{0}y" });
    assert_eq!(ask(&guild.nobody(), body).await.json()["error"], json!("invalid_client"));
    let nobody = guild.nobody();
    for (header, status) in [
        ("Basic !!!", 401),
        ("Basic ", 401),
        ("basic eA==", 401),
        ("Basic ADp4", 401),
        ("Basic JTAwOng=", 401),
        ("Bearer x", 200),
    ] {
        let body = json!({ "grant_type": "client_credentials", "client_id": ada.client_id, "client_secret": ada.client_secret });
        let request = nobody.request("POST", "/oauth/token").header("authorization", header);
        let request =
            request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
        assert_eq!(nobody.ask(request).await.status, status, "{header}");
    }
}

#[tokio::test]
async fn nothing_that_an_assertion_says_holds_what_no_text_holds() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (client_id, client_secret, _) = credential(&ada, "webapp", "test").await;
    let encode = |payload: Json| format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(payload.to_string()));
    let signed = |payload: Json| {
        let header = URL_SAFE_NO_PAD.encode(json!({ "alg": "ES256" }).to_string());
        format!("{header}.{}.e30", URL_SAFE_NO_PAD.encode(payload.to_string()))
    };
    let about = json!({ "iss": "a\u{0}b", "sub": "a\u{0}b", "aud": "x", "exp": 1, "jti": "\u{0}" });
    let body = json!({
        "grant_type": "client_credentials", "client_assertion": signed(about),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    });
    assert_eq!(ask(&guild.nobody(), body).await.json()["error"], json!("invalid_client"));
    let claims = |claims: Json| {
        json!({
            "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "client_id": client_id, "client_secret": client_secret,
            "assertion": encode(json!({ "https://commercelayer.io/claims": claims })),
        })
    };
    let owner = claims(json!({ "owner": { "type": "User", "id": "a\u{0}b" } }));
    assert_eq!(ask(&guild.nobody(), owner).await.json()["error"], json!("invalid_assertion"));
    // What it is to carry is carried as it is.
    let custom = claims(json!({ "custom_claim": { "a\u{0}": "\u{0}" } }));
    let granted = ask(&guild.nobody(), custom).await.json();
    assert_eq!(
        super::oauth_token::claims(&granted["access_token"])["custom_claim"],
        json!({ "a\u{0}": "\u{0}" })
    );
    for (path, name) in [
        ("/oauth/revoke", "token"),
        ("/oauth/introspect", "token"),
        ("/oauth/token", "refresh_token"),
        ("/oauth/token", "code"),
        ("/oauth/token", "device_code"),
        ("/oauth/par", "state"),
    ] {
        for form in [false, true] {
            let grant = match name {
                "code" => "authorization_code",
                "device_code" => "urn:ietf:params:oauth:grant-type:device_code",
                other => other,
            };
            let mut body =
                json!({ "client_id": client_id, "client_secret": client_secret, "grant_type": grant });
            body[name] = json!("a\u{0}b");
            let nobody = guild.nobody();
            let reply = if form {
                let pairs =
                    body.as_object().unwrap().iter().map(|(name, value)| (name, value.as_str().unwrap()));
                let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
                let request = nobody.request("POST", path);
                let request = request.header("content-type", "application/x-www-form-urlencoded");
                nobody.ask(request.body(Body::from(form)).unwrap()).await
            } else {
                nobody.post(path, body).await
            };
            assert!(reply.status < 500, "{path} {name}: {}", reply.text());
        }
    }
}

#[tokio::test]
async fn a_sales_channel_needs_no_secret_and_says_whether_it_showed_one() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (client_id, client_secret, _) = credential(&ada, "sales_channel", "test").await;
    let mut body =
        json!({ "grant_type": "client_credentials", "client_id": client_id, "scope": "market:code:europe" });
    let granted = ask(&guild.nobody(), body.clone()).await.json();
    assert_snapshot!(pretty(&granted, &["access_token"]), @r#"
    {
      "access_token": "…",
      "token_type": "bearer",
      "expires_in": 14400,
      "scope": "market:code:europe",
      "created_at": 1767268800
    }
    "#);
    assert_snapshot!(pretty(&claims(&granted["access_token"]), &["rand"]), @r#"
    {
      "organization": {
        "id": "AAAAAAAAAI",
        "slug": "the-blue-brand",
        "enterprise": true,
        "region": "eu-west-1"
      },
      "application": {
        "id": "AAAAAAAAAd",
        "client_id": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABw",
        "kind": "sales_channel",
        "public": true,
        "confidential": false
      },
      "scope": "market:code:europe",
      "exp": 1767283200,
      "test": true,
      "rand": "…",
      "iat": 1767268800,
      "iss": "https://auth.example.test"
    }
    "#);
    body["client_secret"] = json!(client_secret);
    let granted = ask(&guild.nobody(), body.clone()).await.json();
    assert_eq!(claims(&granted["access_token"])["application"]["confidential"], json!(true));
    body["client_secret"] = json!("wrong");
    assert_eq!(ask(&guild.nobody(), body).await.status, 401);
}

#[tokio::test]
async fn an_integration_needs_its_secret() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (client_id, client_secret, id) = credential(&ada, "integration", "live").await;
    let mut body = json!({ "grant_type": "client_credentials", "client_id": client_id });
    assert_eq!(ask(&guild.nobody(), body.clone()).await.json()["error"], json!("invalid_client"));
    body["client_secret"] = json!(client_secret);
    let granted = ask(&guild.nobody(), body.clone()).await.json();
    assert_snapshot!(pretty(&granted, &["access_token"]), @r#"
    {
      "access_token": "…",
      "token_type": "bearer",
      "expires_in": 7200,
      "scope": "market:all",
      "created_at": 1767268800
    }
    "#);
    assert_snapshot!(pretty(&claims(&granted["access_token"]), &["rand"]), @r#"
    {
      "organization": {
        "id": "AAAAAAAAAI",
        "slug": "the-blue-brand",
        "enterprise": true,
        "region": "eu-west-1"
      },
      "application": {
        "id": "AAAAAAAAAd",
        "client_id": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABw",
        "kind": "integration",
        "public": false,
        "confidential": true
      },
      "scope": "market:all",
      "exp": 1767276000,
      "test": false,
      "rand": "…",
      "iat": 1767268800,
      "iss": "https://auth.example.test"
    }
    "#);
    // A deleted credential is no client any more.
    assert_eq!(ada.delete(&format!("/api/api_credentials/{id}")).await.status, 204);
    assert_eq!(ask(&guild.nobody(), body).await.status, 401);
}

#[tokio::test]
async fn scopes_are_checked_and_a_market_named_by_id_is_a_claim() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (client_id, ..) = credential(&ada, "sales_channel", "test").await;
    let ask = async |scope: &str| {
        ask(
            &guild.nobody(),
            json!({ "grant_type": "client_credentials", "client_id": client_id, "scope": scope }),
        )
        .await
    };
    let granted = ask("market:id:xYZkjABcde").await.json();
    let market = json!({ "id": ["xYZkjABcde"], "stock_location_ids": [], "geocoder_id": null, "allows_external_prices": false });
    assert_eq!(claims(&granted["access_token"])["market"], market);
    for scope in ["provisioning-api", "market:1234", "stock_location:id:a", "admin"] {
        let refused = ask(scope).await;
        assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_scope")), "{scope}");
    }
}

#[tokio::test]
async fn scopes_are_told_as_they_were_asked_for() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (client_id, ..) = credential(&ada, "sales_channel", "test").await;
    for (scope, told) in [
        ("market:id:a,store:code:b", "market:id:a,store:code:b"),
        ("market:id:a store:code:b", "market:id:a store:code:b"),
        ("market:all", "market:all"),
        ("", "market:all"),
    ] {
        let body = json!({ "grant_type": "client_credentials", "client_id": client_id, "scope": scope });
        let granted = ask(&guild.nobody(), body).await.json();
        assert_eq!(
            (&granted["scope"], &claims(&granted["access_token"])["scope"]),
            (&json!(told), &json!(told))
        );
    }
}

#[tokio::test]
async fn who_tried_by_the_header_is_told_that_it_works_by_the_header() {
    let guild = Guild::new().await;
    let nobody = guild.nobody();
    let body = json!({ "grant_type": "client_credentials" }).to_string();
    let request = nobody.request("POST", "/oauth/token").header("content-type", "application/json");
    let request = request.header("authorization", format!("Basic {}", STANDARD.encode("unknown:wrong")));
    let refused = nobody.ask(request.body(Body::from(body)).unwrap()).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Basic realm=\"guildhall\""));
    let refused = ask(&nobody, json!({ "grant_type": "client_credentials", "client_id": "unknown" })).await;
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, ""));
}

#[tokio::test]
async fn refusals_have_the_form_of_the_auth_api() {
    let guild = Guild::new().await;
    let nobody = guild.nobody();
    let unknown = ask(&nobody, json!({ "grant_type": "client_credentials", "client_id": "unknown" })).await;
    assert_eq!(unknown.status, 401);
    assert_snapshot!(pretty(&unknown.json(), &[]), @r#"
    {
      "errors": [
        {
          "title": "invalid_client",
          "detail": "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.",
          "code": "UNAUTHORIZED",
          "status": 401,
          "meta": {}
        }
      ],
      "error": "invalid_client",
      "error_description": "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method."
    }
    "#);
    let ada = guild.user("ada").await;
    let (webapp, secret, _) = credential(&ada, "webapp", "test").await;
    for (body, status, error) in [
        (json!({}), 400, "invalid_request"),
        (json!({ "grant_type": "client_credentials" }), 401, "invalid_client"),
        (json!({ "grant_type": "password", "client_id": "x" }), 400, "unsupported_grant_type"),
        (
            json!({ "grant_type": "client_credentials", "client_id": webapp, "client_secret": secret }),
            401,
            "unauthorized_client",
        ),
    ] {
        let refused = ask(&nobody, body.clone()).await;
        assert_eq!((refused.status, &refused.json()["error"]), (status, &json!(error)), "{body}");
    }
    for body in ["", "[]", "{", "\"x\"", "{\"grant_type\":\"\u{fffd}\"}x"] {
        assert_eq!(
            nobody.send("POST", "/oauth/token", body).await.json()["error"],
            json!("invalid_request"),
            "{body}"
        );
    }
    let wrong = nobody.get("/oauth/token").await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "POST"));
}

#[tokio::test]
async fn forms_and_basic_authentication_work_too() {
    let guild = Guild::new().await;
    let ada = registered(&guild).await;
    let nobody = guild.nobody();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        ada.client_id, ada.client_secret
    );
    let request = |body: &str| {
        nobody
            .request("POST", "/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(body.to_owned()))
    };
    assert_eq!(nobody.ask(request(&form).unwrap()).await.status, 200);
    let twice = format!("{form}&grant_type=client_credentials");
    assert_eq!(nobody.ask(request(&twice).unwrap()).await.status, 400);
    let basic = STANDARD.encode(format!("{}:{}", ada.client_id, ada.client_secret));
    let mut asked = request("grant_type=client_credentials").unwrap();
    asked.headers_mut().insert("authorization", format!("Basic {basic}").parse().unwrap());
    assert_eq!(nobody.ask(asked).await.status, 200);
    let labelled = json!({ "grant_type": "client_credentials", "client_id": ada.client_id, "client_secret": ada.client_secret });
    let asked = nobody.request("POST", "/oauth/token").header("content-type", "application/vnd.api+json");
    assert_eq!(nobody.ask(asked.body(Body::from(labelled.to_string())).unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_rotated_secret_ends_the_tokens_of_the_old_one() {
    let guild = Guild::new().await;
    let old = registered(&guild).await;
    let body = |secret: &str| json!({ "grant_type": "client_credentials", "client_id": old.client_id, "client_secret": secret });
    let before = ask(&guild.nobody(), body(&old.client_secret)).await.json()["access_token"].clone();
    let new = guild
        .operate(|work| {
            let user = users::by_email(work, "ada@example.com")?.unwrap();
            users::rotate_secret(work, &user)
        })
        .await
        .unwrap();
    assert_eq!(ask(&guild.nobody(), body(&old.client_secret)).await.status, 401);
    assert_eq!(guild.bearer(before.as_str().unwrap()).get("/api/user").await.status, 401);
    // One that is made within the same second is good.
    let after = ask(&guild.nobody(), body(&new.client_secret)).await.json()["access_token"].clone();
    assert_eq!(guild.bearer(after.as_str().unwrap()).get("/api/user").await.status, 200);
    assert_eq!(claims(&after)["iat"], json!(NOON / SECOND + 1));
}

#[tokio::test]
async fn bad_tokens_are_all_refused_alike() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let good = ada.token.clone().unwrap();
    let (header, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let encode = |json: Json| URL_SAFE_NO_PAD.encode(json.to_string());
    let mut forged = claims(&json!(good));
    forged["user"]["id"] = json!("somebody");
    let kid: Json = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    let none = encode(json!({ "alg": "none", "typ": "JWT", "kid": kid["kid"] }));
    let confused = encode(json!({ "alg": "HS512", "typ": "JWT", "kid": kid["kid"] }));
    let stranger = encode(json!({ "alg": "RS512", "typ": "JWT", "kid": "unknown" }));
    for token in [
        String::new(),
        "x".to_owned(),
        "a.b.c".to_owned(),
        "x".repeat(10_000),
        good[..good.len() - 10].to_owned(),
        format!("{header}.{}.{signature}", encode(forged)),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{confused}.{payload}.{signature}"),
        format!("{stranger}.{payload}.{signature}"),
        format!("{good}.x"),
    ] {
        let refused = guild.bearer(&token).get("/api/user").await;
        assert_eq!(
            refused.problems(),
            ["401 UNAUTHORIZED: The access token you provided is invalid."],
            "{token}"
        );
        assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"");
    }
    assert_eq!(guild.nobody().get("/api/user").await.status, 401);
    let odd = guild.nobody();
    let basic = odd.request("GET", "/api/user").header("authorization", format!("Basic {good}"));
    assert_eq!(odd.ask(basic.body(Body::empty()).unwrap()).await.status, 401);
    assert_eq!(ada.get("/api/user").await.status, 200);
    guild.pass(2 * HOUR - SECOND);
    assert_eq!(ada.get("/api/user").await.status, 200);
    guild.pass(SECOND);
    assert_eq!(
        ada.get("/api/user").await.problems(),
        ["401 UNAUTHORIZED: The access token you provided is invalid."]
    );
}

#[tokio::test]
async fn tokens_of_credentials_do_not_open_the_provisioning_api() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    for kind in ["sales_channel", "integration"] {
        let (client_id, client_secret, _) = credential(&ada, kind, "live").await;
        let body = json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret });
        let token = ask(&guild.nobody(), body).await.json()["access_token"].clone();
        let refused = guild.bearer(token.as_str().unwrap()).get("/api/organizations").await;
        assert_eq!(refused.problems(), ["401 UNAUTHORIZED: The access token you provided is invalid."]);
    }
}

#[tokio::test]
async fn pages_of_any_origin_may_ask() {
    let guild = Guild::new().await;
    let nobody = guild.nobody();
    let preflight = nobody.send("OPTIONS", "/oauth/token", "").await;
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, "*"));
    assert_eq!(preflight.header("access-control-allow-methods"), "POST");
}
