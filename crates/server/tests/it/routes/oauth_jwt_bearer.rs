//! `POST /oauth/token` with an assertion.

use crate::guild::{Guild, NOON, Person, SECOND, pretty};
use crate::webapp::{Tokens, Webapp, refusal};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

const CLAIMS: &str = "https://commercelayer.io/claims";

/// An assertion with a signature that nobody looks at.
fn assertion(payload: &Json) -> String {
    let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
    format!(
        "{}.{}.{}",
        part(&json!({ "alg": "HS512", "typ": "JWT" })),
        part(payload),
        URL_SAFE_NO_PAD.encode("x")
    )
}

fn saying(claims: Json) -> String {
    assertion(&json!({ CLAIMS: claims, "iat": NOON / SECOND }))
}

fn grant(assertion: &str) -> Json {
    json!({ "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion })
}

async fn credential<'g>(ada: &Person<'g>, kind: &str) -> Webapp<'g> {
    Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": kind })).await
}

#[tokio::test]
async fn an_owner_makes_exactly_these_members_and_claims() {
    let guild = Guild::new().await;
    let (shop, browser) = Webapp::new(&guild).await;
    let ada = &shop.organization.owner;
    for kind in ["sales_channel", "integration", "webapp"] {
        let client = credential(ada, kind).await;
        if kind == "webapp" {
            client.is_agreed_to(&browser, &[("scope", "market:id:a")]).await;
        }
        let claims = json!({ "owner": { "type": "User", "id": ada.id }, "custom_claim": { "Città": ["é", { "a": null }] } });
        let mut body = grant(&saying(claims));
        body["scope"] = json!("market:id:a");
        let tokens = Tokens::of(&client.asks_for_token(body).await);
        let names: Vec<&String> = tokens.all.as_object().unwrap().keys().collect();
        assert_eq!(
            names,
            [
                "access_token",
                "token_type",
                "expires_in",
                "scope",
                "created_at",
                "refresh_token",
                "owner_id",
                "owner_type"
            ]
        );
        assert_eq!((&tokens.all["owner_id"], &tokens.all["owner_type"]), (&json!(ada.id), &json!("user")));
        let claims = tokens.claims();
        assert_eq!(claims["owner"], json!({ "id": ada.id, "type": "User" }));
        assert_eq!(claims["custom_claim"], json!({ "Città": ["é", { "a": null }] }));
        assert!(client.is_open_to(&tokens.access).await);
        let again = Tokens::of(&client.refreshes(&tokens.refresh).await).claims();
        assert_eq!((&again["owner"], &again["custom_claim"]), (&claims["owner"], &claims["custom_claim"]));
    }
}

#[tokio::test]
async fn a_webapp_has_the_rights_of_nobody_who_has_not_said_yes() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let id = shop.organization.owner.id.clone();
    let says = saying(json!({ "owner": { "type": "User", "id": id } }));
    let acts = async |scope: &str| {
        let mut body = grant(&says);
        body["scope"] = json!(scope);
        let reply = shop.asks_for_token(body).await;
        let role = match reply.status {
            200 => {
                let told = shop.visits(&Tokens::of(&reply).access, "/oauth/tokeninfo").await;
                told.json()["role"]["kind"].as_str().unwrap().to_owned()
            }
            _ => refusal(&reply).1,
        };
        (reply.status, role)
    };
    let refused = (400, "invalid_assertion".to_owned());
    assert_eq!(acts("market:all").await, refused);
    shop.is_agreed_to(&ada, &[("scope", "market:id:a")]).await;
    assert_eq!(acts("market:id:a").await, (200, "admin".to_owned()));
    assert_eq!(
        (acts("market:all").await, acts("market:id:a market:id:b").await),
        (refused.clone(), refused.clone())
    );
    // Nor of whoever has taken it back.
    ada.open("/account/applications").await;
    ada.send("/account/applications/withdraw", &[("id", &shop.id)]).await;
    assert_eq!(acts("market:id:a").await, refused);
    // Of nobody it needs no yes.
    let nobodys = shop.asks_for_token(grant(&saying(json!({ "custom_claim": {} })))).await;
    assert_eq!(nobodys.status, 200);
}

#[tokio::test]
async fn a_custom_claim_alone_is_copied_and_says_nothing_of_an_owner() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let client = credential(&ada, "sales_channel").await;
    let tokens =
        Tokens::of(&client.asks_for_token(grant(&saying(json!({ "custom_claim": { "a": 1 } })))).await);
    assert_snapshot!(pretty(&tokens.all, &["access_token", "refresh_token"]), @r#"
    {
      "access_token": "…",
      "token_type": "bearer",
      "expires_in": 14400,
      "scope": "market:all",
      "created_at": 1767268800,
      "refresh_token": "…"
    }
    "#);
    assert_snapshot!(pretty(&tokens.claims(), &["rand", "application", "organization"]), @r#"
    {
      "organization": "…",
      "application": "…",
      "custom_claim": {
        "a": 1
      },
      "scope": "market:all",
      "exp": 1767283200,
      "test": true,
      "rand": "…",
      "iat": 1767268800,
      "iss": "https://auth.example.test"
    }
    "#);
    // A sales channel refreshes without its secret.
    let refresh =
        json!({ "grant_type": "refresh_token", "refresh_token": tokens.refresh, "client_secret": null });
    let again = Tokens::of(&client.asks_for_token(refresh).await);
    assert_eq!(again.claims()["application"]["confidential"], json!(false));
}

#[tokio::test]
async fn what_says_nothing_or_too_much_is_refused_alike() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let stranger = guild.user("stranger").await;
    let client = credential(&ada, "webapp").await;
    let owner = |kind: &str, id: &str| saying(json!({ "owner": { "type": kind, "id": id } }));
    let long = saying(json!({ "custom_claim": { "a": "x".repeat(4096) } }));
    let deep = format!("{{\"{CLAIMS}\":{{\"custom_claim\":{}1{}}}}}", "{\"a\":".repeat(200), "}".repeat(200));
    let good = saying(json!({ "custom_claim": {} }));
    for bad in [
        saying(json!({})),
        saying(json!({ "owner": null })),
        saying(json!({ "custom_claim": "text" })),
        saying(json!({ "custom_claim": [1] })),
        saying(json!({ "owner": { "type": "User" } })),
        saying(json!("text")),
        owner("User", "nobody"),
        owner("User", &stranger.id),
        owner("Customer", &ada.id),
        owner("user", &ada.id),
        assertion(&json!({ "iat": 1 })),
        assertion(&json!({ CLAIMS: { "custom_claim": {} }, "exp": NOON / SECOND - 61 })),
        assertion(&json!({ CLAIMS: { "custom_claim": {} }, "nbf": NOON / SECOND + 61 })),
        long,
        format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(deep)),
        good[..good.rfind('.').unwrap()].to_owned(),
        format!("{good}.x"),
        format!("{good}="),
        good.replace('.', ".."),
        "x".to_owned(),
        "a.b.c".to_owned(),
    ] {
        let refused = client.asks_for_token(grant(&bad)).await;
        assert_eq!(refusal(&refused), (400, "invalid_assertion".to_owned()), "{bad}");
        assert_eq!(refused.json()["error_description"], json!("The provided assertion is invalid."));
    }
    assert_eq!(client.asks_for_token(grant(&good)).await.status, 200);
    // Clocks may be a minute apart.
    let near = assertion(
        &json!({ CLAIMS: { "custom_claim": {} }, "exp": NOON / SECOND - 59, "nbf": NOON / SECOND + 59 }),
    );
    assert_eq!(client.asks_for_token(grant(&near)).await.status, 200);
}

#[tokio::test]
async fn it_ends_with_the_enterprise() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let client = credential(&ada, "integration").await;
    let tokens =
        Tokens::of(&client.asks_for_token(grant(&saying(json!({ "custom_claim": { "a": 1 } })))).await);
    guild
        .operate(|work| {
            let user = guildhall::resources::users::by_email(work, "ada@example.com")?.unwrap();
            guildhall::resources::users::set_plan(work, &user, "growth")
        })
        .await
        .unwrap();
    assert_eq!(refusal(&client.refreshes(&tokens.refresh).await), (401, "unauthorized_client".to_owned()));
}

#[tokio::test]
async fn it_takes_a_secret_and_an_enterprise() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let client = credential(&ada, "sales_channel").await;
    let claim = saying(json!({ "custom_claim": { "a": 1 } }));
    let mut without = grant(&claim);
    without["client_secret"] = json!(null);
    assert_eq!(refusal(&client.asks_for_token(without).await), (401, "invalid_client".to_owned()));
    let missing = json!({ "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer" });
    assert_eq!(refusal(&client.asks_for_token(missing).await), (400, "invalid_request".to_owned()));
    let mut scope = grant(&claim);
    scope["scope"] = json!("openid");
    assert_eq!(refusal(&client.asks_for_token(scope).await), (400, "invalid_scope".to_owned()));
    let bob = guild.user_on("bob", "growth").await;
    let small = credential(&bob, "webapp").await;
    assert_eq!(refusal(&small.asks_for_token(grant(&claim)).await), (401, "unauthorized_client".to_owned()));
    let app = credential(&ada, "orders").await;
    assert_eq!(refusal(&app.asks_for_token(grant(&claim)).await), (401, "unauthorized_client".to_owned()));
}
