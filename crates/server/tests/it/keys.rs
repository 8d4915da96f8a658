//! Keys: how they follow each other, how they are replaced, and what they cost.

use crate::guild::{DAY, Guild, HOUR, SECOND};
use crate::webapp::{Tokens, Webapp, payload};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall::keys::{self, SHORT_NOTICE};
use guildhall::resources::users;
use guildhall::sealing::SEALED;
use guildhall_store::Sql;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

const BITS: u32 = 2048;
const LIFE: i64 = 90 * DAY;

async fn tend(guild: &Guild) {
    let app = &guild.app;
    keys::tend(&app.db, &app.vault, BITS, LIFE, app.clock.now()).await.unwrap();
    app.keys.refresh(&app.db, &app.vault).await.unwrap();
}

/// The ids of the keys for access tokens that are published.
async fn published(guild: &Guild) -> Vec<String> {
    let set = guild.nobody().get("/.well-known/jwks.json").await.json();
    let keys = set["keys"].as_array().unwrap().iter().filter(|key| key["alg"] == "RS512");
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

/// The id of the key that signed a token.
fn signer(token: &str) -> String {
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Json>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

/// An integration whose tokens live for a year.
async fn integration(guild: &Guild) -> Webapp<'_> {
    let ada = guild.user("ada").await;
    let attributes = json!({ "kind": "integration", "expires_in": 31_536_000 });
    Webapp::of(ada.creates_organization("Blue").await, attributes).await
}

/// A token that nobody had before.
async fn token(client: &Webapp<'_>, market: &str) -> String {
    let grant = json!({ "grant_type": "client_credentials", "scope": format!("market:id:{market}") });
    Tokens::of(&client.asks_for_token(grant).await).access
}

#[tokio::test]
async fn a_key_is_published_before_its_use_and_stays_as_long_as_its_tokens() {
    let guild = Guild::new().await;
    let client = integration(&guild).await;
    let first = published(&guild).await;
    assert_eq!(first.len(), 1);
    guild.pass(LIFE - DAY - 1);
    tend(&guild).await;
    assert_eq!(published(&guild).await, first);
    guild.pass(1);
    tend(&guild).await;
    let both = published(&guild).await;
    assert_eq!((both.len(), both.contains(&first[0])), (2, true));
    let old = token(&client, "a").await;
    assert_eq!(signer(&old), first[0]);
    guild.pass(DAY);
    let new = token(&client, "b").await;
    assert!(signer(&new) != first[0] && both.contains(&signer(&new)));
    assert!(client.is_open_to(&old).await && client.is_open_to(&new).await);
    // The last token of the old key ends before the key does.
    guild.pass(payload(&old)["exp"].as_i64().unwrap() * SECOND - guild.app.clock.now() - SECOND);
    tend(&guild).await;
    assert!(published(&guild).await.contains(&first[0]) && client.is_open_to(&old).await);
    guild.pass(3 * DAY);
    tend(&guild).await;
    assert!(!published(&guild).await.contains(&first[0]));
}

#[tokio::test]
async fn of_several_nodes_one_makes_the_next_key() {
    let guild = Guild::new().await;
    let other = guild.restarted().await;
    guild.pass(LIFE);
    tokio::join!(tend(&guild), tend(&other), tend(&guild), tend(&other));
    assert_eq!(guild.number("select count(*) from signing_keys").await, 4);
    let mut seen = [published(&guild).await, published(&other).await];
    seen[0].sort();
    seen[1].sort();
    assert_eq!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_key_of_another_node_is_met_with_its_first_token() {
    let guild = Guild::new().await;
    let client = integration(&guild).await;
    let other = guild.restarted().await;
    let app = &other.app;
    guild.pass(SECOND);
    keys::replace(&app.db, &app.vault, BITS, Some(0), app.clock.now()).await.unwrap();
    app.keys.refresh(&app.db, &app.vault).await.unwrap();
    let body = json!({
        "grant_type": "client_credentials", "client_id": client.client_id, "client_secret": client.client_secret,
    });
    let token = Tokens::of(&other.nobody().post("/oauth/token", body).await).access;
    assert!(!published(&guild).await.contains(&signer(&token)));
    assert!(client.is_open_to(&token).await);
    assert!(published(&guild).await.contains(&signer(&token)));
    // Whoever makes up keys does not make the server read them all the time.
    let before = guild.app.db.statements();
    for number in 0..50 {
        let header = URL_SAFE_NO_PAD
            .encode(json!({ "alg": "RS512", "typ": "JWT", "kid": number.to_string() }).to_string());
        assert_eq!(guild.bearer(&format!("{header}.e30.e30")).get("/api/user").await.status, 401);
    }
    assert!(guild.app.db.statements() - before <= 1);
}

#[tokio::test]
async fn an_installation_may_have_keys_of_4096_bits() {
    let guild = Guild::new().await;
    let client = integration(&guild).await;
    let before = token(&client, "a").await;
    guild.pass(SECOND);
    keys::replace(&guild.app.db, &guild.app.vault, 4096, Some(0), guild.app.clock.now()).await.unwrap();
    guild.app.keys.refresh(&guild.app.db, &guild.app.vault).await.unwrap();
    let after = token(&client, "b").await;
    let set = guild.nobody().get("/.well-known/jwks.json").await.json();
    let long = set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == signer(&after)).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(long["n"].as_str().unwrap()).unwrap().len(), 512);
    assert_ne!(signer(&before), signer(&after));
    let (_, signature) = after.rsplit_once('.').unwrap();
    assert_eq!(URL_SAFE_NO_PAD.decode(signature).unwrap().len(), 512);
    let restarted = guild.restarted().await;
    for token in [&before, &after] {
        assert!(client.is_open_to(token).await);
        assert_eq!(restarted.bearer(token).at("blue.example.test", "/api/organization").await.status, 200);
    }
}

#[tokio::test]
async fn a_key_that_leaked_is_refused_at_once() {
    let guild = Guild::new().await;
    let client = integration(&guild).await;
    let other = guild.restarted().await;
    let old = token(&client, "a").await;
    assert!(client.is_open_to(&old).await);
    guild.pass(SECOND);
    let app = &guild.app;
    keys::replace(&app.db, &app.vault, BITS, None, app.clock.now()).await.unwrap();
    for app in [&guild.app, &other.app] {
        app.keys.refresh(&app.db, &app.vault).await.unwrap();
    }
    assert!(!client.is_open_to(&old).await);
    assert_eq!(other.bearer(&old).at("blue.example.test", "/api/organization").await.status, 401);
    let new = token(&client, "a").await;
    assert!(signer(&new) != signer(&old) && client.is_open_to(&new).await);
    assert_eq!(published(&guild).await, [signer(&new)]);
}

#[tokio::test]
async fn a_new_key_that_was_asked_for_is_published_ten_minutes_ahead() {
    let guild = Guild::new().await;
    let client = integration(&guild).await;
    let old = published(&guild).await;
    let app = &guild.app;
    keys::replace(&app.db, &app.vault, BITS, Some(SHORT_NOTICE), app.clock.now()).await.unwrap();
    app.keys.refresh(&app.db, &app.vault).await.unwrap();
    assert_eq!((published(&guild).await.len(), signer(&token(&client, "a").await)), (2, old[0].clone()));
    guild.pass(SHORT_NOTICE);
    assert_ne!(signer(&token(&client, "b").await), old[0]);
    // Somebody who asks again gets another one in its place, not one more.
    keys::replace(&app.db, &app.vault, BITS, Some(SHORT_NOTICE), app.clock.now()).await.unwrap();
    keys::replace(&app.db, &app.vault, BITS, Some(SHORT_NOTICE), app.clock.now()).await.unwrap();
    app.keys.refresh(&app.db, &app.vault).await.unwrap();
    assert_eq!(published(&guild).await.len(), 3);
}

#[tokio::test]
async fn whatever_is_sealed_is_in_the_list_of_what_is_sealed_anew() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let tokens = shop.is_let_in_by(&ada).await;
    shop.refreshes(&tokens.refresh).await;
    crate::pages::sets_up_codes(&ada).await;
    guild.browser().signs_in("ada").await;
    let url = "https://id.example.com/";
    let provider = json!({ "name": "Staff", "client_id": "id", "client_secret": "secret", "issuer": url, "domains": "example.com",
        "token_url": url, "authorize_url": url, "jwks_url": url });
    let document = json!({ "data": { "type": "identity_providers", "attributes": provider } });
    assert_eq!(shop.organization.owner.post("/api/identity_providers", document).await.status, 201);
    let found: BTreeSet<(String, String)> = guild
        .app
        .db
        .read(|tx| {
            let mut found = BTreeSet::new();
            for (table, column) in tx.texts()? {
                let sealed = format!("select 1 from {table} where {column} like 'v2.________.%' limit 1");
                if !tx.rows(&Sql::text(&sealed))?.is_empty() {
                    found.insert((table, column));
                }
            }
            Ok::<_, guildhall_store::Error>(found)
        })
        .await
        .unwrap();
    let listed: BTreeSet<(String, String)> =
        SEALED.iter().map(|(table, _, column)| ((*table).to_owned(), (*column).to_owned())).collect();
    assert_eq!(found, listed);
}

#[tokio::test]
async fn a_key_stays_as_long_as_its_tokens_however_often_others_were_to_follow() {
    let guild = Guild::new().await;
    let app = &guild.app;
    let signing = app.keys.current(app.clock.now()).unwrap().0;
    for _ in 0..5 {
        guild.pass(SHORT_NOTICE / 2);
        keys::replace(&app.db, &app.vault, BITS, Some(SHORT_NOTICE), app.clock.now()).await.unwrap();
    }
    let listed = app.db.read(keys::list).await.unwrap();
    let access: Vec<_> = listed.iter().filter(|key| key.algorithm == "RS512").collect();
    assert_eq!(access.len(), 2);
    assert_eq!(access[1].kid, signing);
    assert_eq!(access[1].retired_at, Some(access[0].signs_from + 366 * DAY));
}

#[tokio::test]
async fn who_asks_is_looked_up_again_once_anything_was_committed_and_not_before() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let cost = async || {
        let before = guild.app.db.statements();
        for _ in 0..100 {
            assert_eq!(ada.get("/api/user").await.status, 200);
        }
        guild.app.db.statements() - before
    };
    // Each of those that read has looked once.
    let most = if guild.app.db.is_server() { 200 } else { 100 + guild.app.config.readers as u64 };
    for _ in 0..3 {
        guild.touch().await;
        assert!((100..=most).contains(&cost().await));
    }
    let disabled = guild.operate(|work| {
        let user = users::by_email(work, "ada@example.com")?.unwrap();
        users::set_disabled(work, &user, true)
    });
    disabled.await.unwrap();
    assert_eq!(ada.get("/api/user").await.status, 401);
}

#[tokio::test]
async fn a_token_seen_before_costs_no_signature_and_one_statement() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let client = {
        let organization = shop.organization.owner.creates_organization("Red").await;
        Webapp::of(organization, json!({ "kind": "integration" })).await
    };
    let own = Tokens::of(&client.asks_for_token(json!({ "grant_type": "client_credentials" })).await).access;
    let given = shop.is_let_in_for(&ada, "openid market:all").await.access;
    let personal = shop.organization.owner.token.clone().unwrap();
    // What it costs beside the token: nothing for who is refused, the document for the others.
    for (client, token, path, statements) in [
        (&client, &own, "/api/organization", 2),
        (&client, &own, "/api/application", 2),
        (&shop, &given, "/api/organization", 2),
        (&shop, &given, "/oauth/userinfo", 2),
        (&shop, &personal, "/api/user", 2),
        // Only the gate.
        (&shop, &given, "/api/user", 0),
        (&client, &given, "/api/organization", 0),
        (&shop, &own, "/oauth/userinfo", 1),
    ] {
        let host = match path {
            "/api/organization" | "/api/application" => format!("{}.example.test", client.slug),
            _ => "127.0.0.1".to_owned(),
        };
        let bearer = guild.bearer(token);
        bearer.at(&host, path).await;
        guild.touch().await;
        let before = (guild.app.db.statements(), guild.app.keys.operations());
        bearer.at(&host, path).await;
        let after = (guild.app.db.statements(), guild.app.keys.operations());
        assert_eq!(after.1, before.1, "{path}");
        assert_eq!(after.0 - before.0, statements, "{path}");
    }
    // Introspection looks up the token, and before it who asks, where that is not known.
    let body = json!({ "client_id": shop.client_id, "client_secret": shop.client_secret, "token": given });
    guild.nobody().post("/oauth/introspect", body.clone()).await;
    guild.touch().await;
    let who = u64::from(guild.app.db.is_server());
    for statements in [2, 1 + who] {
        let before = (guild.app.db.statements(), guild.app.keys.operations());
        guild.nobody().post("/oauth/introspect", body.clone()).await;
        let after = (guild.app.db.statements(), guild.app.keys.operations());
        assert_eq!((after.1, after.0 - before.0), (before.1, statements));
    }
    guild.touch().await;
    // Whoever asks again for a token gets the one of before, for two statements and no signature.
    let before = (guild.app.db.statements(), guild.app.keys.operations());
    let again =
        Tokens::of(&client.asks_for_token(json!({ "grant_type": "client_credentials" })).await).access;
    let after = (guild.app.db.statements(), guild.app.keys.operations());
    assert_eq!((again, after.1, after.0 - before.0), (own, before.1, 2));
}

#[tokio::test]
async fn a_token_is_given_again_until_a_quarter_of_an_hour_before_its_end() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let client = Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": "integration" })).await;
    let ask =
        async || Tokens::of(&client.asks_for_token(json!({ "grant_type": "client_credentials" })).await).all;
    let first = ask().await;
    guild.pass(2 * HOUR - 15 * 60 * SECOND - SECOND);
    let again = ask().await;
    assert_eq!((&again["access_token"], &again["expires_in"]), (&first["access_token"], &json!(901)));
    assert_eq!(again["created_at"], first["created_at"]);
    guild.pass(SECOND);
    let second = ask().await;
    assert_ne!(second["access_token"], first["access_token"]);
    for token in [&first, &second] {
        assert!(client.is_open_to(token["access_token"].as_str().unwrap()).await);
    }
    // What it says must be true: another life, another token.
    let change = crate::guild::change("api_credentials", &client.id, json!({ "expires_in": 7300 }));
    let ada = guild.with_new_token("ada@example.com").await;
    assert_eq!(ada.patch(&format!("/api/api_credentials/{}", client.id), change).await.status, 200);
    assert_eq!(ask().await["expires_in"], json!(7300));
}
