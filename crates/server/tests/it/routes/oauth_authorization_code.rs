//! `POST /oauth/token` with a code from the authorization page.

use crate::guild::{Guild, NOON, SECOND, at_once, pretty};
use crate::webapp::{CALLBACK, Tokens, VERIFIER, Webapp, invalid_grant, refusal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use insta::assert_snapshot;
use serde_json::json;

#[tokio::test]
async fn a_code_gives_exactly_these_members_and_claims() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let tokens = shop.is_let_in_for(&ada, "market:id:xYZkjABcde").await;
    assert_snapshot!(pretty(&tokens.all, &["access_token", "refresh_token"]), @r#"
    {
      "access_token": "…",
      "token_type": "bearer",
      "expires_in": 7200,
      "scope": "market:id:xYZkjABcde",
      "created_at": 1767268801,
      "refresh_token": "…",
      "owner_id": "AAAAAAAAAI",
      "owner_type": "user"
    }
    "#);
    assert_snapshot!(pretty(&tokens.claims(), &["rand"]), @r#"
    {
      "organization": {
        "id": "AAAAAAAAAT",
        "slug": "blue",
        "enterprise": true,
        "region": "eu-west-1"
      },
      "application": {
        "id": "AAAAAAAAAo",
        "client_id": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACc",
        "kind": "webapp",
        "public": false,
        "confidential": true
      },
      "owner": {
        "id": "AAAAAAAAAI",
        "type": "User"
      },
      "market": {
        "id": [
          "xYZkjABcde"
        ],
        "stock_location_ids": [],
        "geocoder_id": null,
        "allows_external_prices": false
      },
      "scope": "market:id:xYZkjABcde",
      "exp": 1767276001,
      "test": true,
      "rand": "…",
      "iat": 1767268801,
      "iss": "https://auth.example.test"
    }
    "#);
    // What is to be shown again has the form of a JWT, and is none that opens anything.
    assert_eq!(tokens.refresh.split('.').count(), 3);
    assert!(!shop.is_open_to(&tokens.refresh).await);
    assert!(shop.is_open_to(&tokens.access).await);
}

#[tokio::test]
async fn who_somebody_is_comes_along_when_it_was_asked_for() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let code = shop.code(&ada, &[("scope", "openid profile email"), ("nonce", "a nonce")]).await;
    let tokens = Tokens::of(&shop.redeems(&code).await);
    let id_token = tokens.all["id_token"].as_str().unwrap();
    assert_snapshot!(pretty(&crate::webapp::payload(id_token), &["at_hash", "aud", "sub"]), @r#"
    {
      "sub": "…",
      "email": "ada@example.com",
      "email_verified": true,
      "name": "ada Example",
      "given_name": "ada",
      "family_name": "Example",
      "locale": "en",
      "iss": "https://auth.example.test",
      "aud": "…",
      "exp": 1767272401,
      "iat": 1767268801,
      "auth_time": 1767268800,
      "nonce": "a nonce",
      "at_hash": "…",
      "organization": {
        "id": "AAAAAAAAAT",
        "slug": "blue"
      }
    }
    "#);
    // Half of the hash of the access token (OpenID Connect, 3.1.3.6).
    let half = &guildhall::crypto::sha256(tokens.access.as_bytes())[..16];
    assert_eq!(crate::webapp::payload(id_token)["at_hash"], json!(URL_SAFE_NO_PAD.encode(half)));
    // It says who somebody is, and opens nothing.
    assert!(!shop.is_open_to(id_token).await && !shop.is_open_to(&tokens.access).await);
    assert_eq!(guild.bearer(id_token).get("/api/user").await.status, 401);
    assert_eq!(guild.bearer(id_token).get("/oauth/userinfo").await.status, 401);
}

#[tokio::test]
async fn who_somebody_is_comes_along_whatever_the_order_and_without_a_nonce() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let mut told = Vec::new();
    for scope in ["openid email profile", "profile email openid", "email openid profile"] {
        let tokens = shop.is_let_in_for(&ada, scope).await;
        let mut claims = crate::webapp::payload(tokens.all["id_token"].as_str().unwrap());
        assert_eq!((&claims["email"], claims.get("nonce")), (&json!("ada@example.com"), None), "{scope}");
        claims["at_hash"].take();
        told.push(claims);
    }
    assert!(told.iter().all(|claims| *claims == told[0]));
}

#[tokio::test]
async fn a_code_is_good_for_its_application_its_place_and_its_verifier() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let other = Webapp::of(shop.organization.owner.creates_organization("Red").await, json!({})).await;
    let code = shop.code(&ada, &[("scope", "market:all")]).await;
    let grant = |more: serde_json::Value| {
        let mut body = json!({
            "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER,
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    assert_eq!(refusal(&other.redeems(&code).await), invalid_grant());
    for wrong in [
        json!({ "redirect_uri": "https://app.example.com/other" }),
        json!({ "redirect_uri": format!("{CALLBACK}/") }),
        json!({ "code_verifier": null }),
        json!({ "code_verifier": "" }),
        json!({ "code_verifier": "another-verifier-that-is-long-enough-to-be-one-01" }),
        json!({ "code_verifier": crate::webapp::challenge() }),
        json!({ "code": "another" }),
        json!({ "code": format!("{code} ") }),
    ] {
        assert_eq!(refusal(&shop.asks_for_token(grant(wrong.clone())).await), invalid_grant(), "{wrong}");
    }
    let scope = shop.asks_for_token(grant(json!({ "scope": "market:id:other" }))).await;
    assert_eq!(refusal(&scope), (400, "invalid_scope".to_owned()));
    for (wrong, name) in [
        (json!({ "client_secret": "wrong" }), "invalid_client"),
        (json!({ "client_secret": null }), "invalid_client"),
        (json!({ "code": null }), "invalid_request"),
    ] {
        assert_eq!(refusal(&shop.asks_for_token(grant(wrong)).await).1, name);
    }
    // None of that has used it up.
    assert_eq!(shop.redeems(&code).await.status, 200);
}

#[tokio::test]
async fn a_verifier_for_a_code_without_a_challenge_is_refused() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let without = [("code_challenge", ""), ("code_challenge_method", "")];
    let code = shop.code(&ada, &without).await;
    assert_eq!(refusal(&shop.redeems(&code).await), invalid_grant());
    let grant = json!({ "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK });
    assert_eq!(shop.asks_for_token(grant).await.status, 200);
}

#[tokio::test]
async fn a_code_ends_after_ten_minutes() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let (first, second) = (shop.code(&ada, &[]).await, shop.code(&ada, &[]).await);
    guild.pass(600 * SECOND - 1);
    assert_eq!(shop.redeems(&first).await.status, 200);
    guild.pass(1);
    assert_eq!(refusal(&shop.redeems(&second).await), invalid_grant());
}

#[tokio::test]
async fn a_code_that_comes_twice_ends_what_it_gave() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let code = shop.code(&ada, &[]).await;
    let tokens = Tokens::of(&shop.redeems(&code).await);
    assert!(shop.is_open_to(&tokens.access).await);
    assert_eq!(refusal(&shop.redeems(&code).await), invalid_grant());
    assert!(!shop.is_open_to(&tokens.access).await);
    assert_eq!(refusal(&shop.refreshes(&tokens.refresh).await), invalid_grant());
    assert!(guild.log().contains("an authorization code came twice"));
}

#[tokio::test]
async fn of_many_who_redeem_a_code_at_once_one_gets_something_that_ends() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let code = shop.code(&ada, &[]).await;
    let replies = at_once((0..8).map(|_| shop.redeems(&code))).await;
    let given: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    assert_eq!(given.len(), 1);
    assert!(
        replies.iter().filter(|reply| reply.status != 200).all(|reply| refusal(reply) == invalid_grant())
    );
    // The others made it known that the code was not a secret.
    assert!(!shop.is_open_to(&Tokens::of(given[0]).access).await);
}

#[tokio::test]
async fn only_webapps_have_codes() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let code = shop.code(&ada, &[]).await;
    for kind in ["integration", "sales_channel"] {
        let organization = shop.organization.owner.creates_organization("Red").await;
        let other = Webapp::of(organization, json!({ "kind": kind })).await;
        let refused = refusal(&other.redeems(&code).await);
        assert_eq!(refused, (401, "unauthorized_client".to_owned()), "{kind}");
    }
}

#[tokio::test]
async fn a_public_webapp_shows_no_secret_and_its_verifier() {
    let guild = Guild::new().await;
    let attributes =
        json!({ "token_endpoint_auth_method": "none", "redirect_uri": "http://127.0.0.1/callback" });
    let (shop, ada) = Webapp::with(&guild, attributes).await;
    // It listens on whichever port is free.
    let here = "http://127.0.0.1:49152/callback";
    let grant = |code: &str| {
        json!({
            "grant_type": "authorization_code", "code": code, "redirect_uri": here, "code_verifier": VERIFIER,
            "client_secret": null,
        })
    };
    let code = shop.code(&ada, &[("redirect_uri", here)]).await;
    let tokens = Tokens::of(&shop.asks_for_token(grant(&code)).await);
    let application = tokens.claims()["application"].clone();
    assert_eq!((&application["public"], &application["confidential"]), (&json!(false), &json!(false)));
    assert!(shop.is_open_to(&tokens.access).await);
    // Nobody is let in without being asked, since anybody could say they are this application.
    let again = ada.open(&shop.asks(&[("redirect_uri", here)])).await;
    assert_eq!(again.heading(), "Shop wants to act for you");
    let refresh =
        json!({ "grant_type": "refresh_token", "refresh_token": tokens.refresh, "client_secret": null });
    assert_eq!(shop.asks_for_token(refresh).await.status, 200);
    // It has none to try.
    assert_eq!(shop.client_secret, "");
    let with_secret = json!({ "grant_type": "client_credentials", "client_secret": "a secret" });
    assert_eq!(refusal(&shop.asks_for_token(with_secret).await), (401, "invalid_client".to_owned()));
    let path = shop.asks(&[("redirect_uri", here), ("code_challenge", ""), ("code_challenge_method", "")]);
    let refused = ada.open(&path).await;
    assert!(
        refused.path.starts_with("http://127.0.0.1:49152/callback?error=invalid_request"),
        "{}",
        refused.path
    );
}

#[tokio::test]
async fn a_chain_is_remembered_until_its_last_token_ends() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    shop.is_let_in_by(&ada).await;
    let count = async |sql| guild.number(sql).await;
    assert_eq!(count("select count(*) from chains").await, 1);
    guild.pass(13 * 24 * 3600 * SECOND);
    guildhall::sweep::sweep(&guild.app).await.unwrap();
    assert_eq!(count("select count(*) from chain_tokens").await, 0);
    assert_eq!(count("select count(*) from refresh_tokens").await, 1);
    guild.pass(2 * 24 * 3600 * SECOND);
    guildhall::sweep::sweep(&guild.app).await.unwrap();
    assert_eq!(count("select count(*) from chains").await, 0);
    assert_eq!(count("select count(*) from authorization_codes").await, 0);
    assert!(guild.app.clock.now() > NOON);
}

#[tokio::test]
async fn a_code_that_comes_late_or_spoiled_ends_what_it_gave_all_the_same() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    for (minutes, name, value) in [
        (11, "code_verifier", VERIFIER),
        (3 * 24 * 60, "code_verifier", VERIFIER),
        (0, "code_verifier", "another-verifier-that-is-long-enough-to-be-one-0123"),
        (0, "redirect_uri", "https://app.example.com/other"),
        (0, "scope", "openid"),
    ] {
        let code = shop.code(&ada, &[]).await;
        let mut given = Tokens::of(&shop.redeems(&code).await);
        guild.pass(minutes * 60 * SECOND);
        if minutes > 0 {
            guildhall::sweep::sweep(&guild.app).await.unwrap();
            given = Tokens::of(&shop.refreshes(&given.refresh).await);
        }
        let mut again = json!({
            "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER,
        });
        again[name] = json!(value);
        assert_eq!(refusal(&shop.asks_for_token(again).await), invalid_grant());
        assert!(!shop.is_open_to(&given.access).await, "{name}");
    }
}

#[tokio::test]
async fn of_a_public_application_only_who_has_the_verifier_ends_anything() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::with(&guild, json!({ "token_endpoint_auth_method": "none" })).await;
    let code = shop.code(&ada, &[]).await;
    let redeem = async |verifier: &str| {
        shop.asks_for_token(json!({
            "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "client_secret": null,
            "code_verifier": verifier,
        }))
        .await
    };
    let given = Tokens::of(&redeem(VERIFIER).await);
    assert_eq!(
        refusal(&redeem("another-verifier-that-is-long-enough-to-be-one-0123").await),
        invalid_grant()
    );
    assert!(shop.is_open_to(&given.access).await);
    assert_eq!(refusal(&redeem(VERIFIER).await), invalid_grant());
    assert!(!shop.is_open_to(&given.access).await);
}
