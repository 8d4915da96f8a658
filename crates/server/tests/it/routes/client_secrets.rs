//! `/api/client_secrets`.

use crate::guild::{DAY, Guild, NOON, SECOND, change, link};
use crate::webapp::{Tokens, Webapp, refusal};
use guildhall::config::SecretReaders;
use guildhall_jsonapi::timestamp;
use serde_json::{Value as Json, json};

async fn adds(shop: &Webapp<'_>, attributes: Json) -> crate::guild::Reply {
    let document = json!({ "data": {
        "type": "client_secrets", "attributes": attributes,
        "relationships": { "api_credential": link("api_credentials", &shop.id) },
    } });
    shop.guild.with_new_token("ada@example.com").await.post("/api/client_secrets", document).await
}

async fn integration(guild: &Guild) -> Webapp<'_> {
    let ada = guild.user("ada").await;
    Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": "integration" })).await
}

/// What comes of a request with a secret.
async fn tries(shop: &Webapp<'_>, secret: &str) -> u16 {
    shop.asks_for_token(json!({ "grant_type": "client_credentials", "client_secret": secret })).await.status
}

async fn list(shop: &Webapp<'_>) -> Vec<Json> {
    let path = format!("/api/api_credentials/{}/client_secrets?sort=created_at", shop.id);
    // However much time has passed, she has a token.
    let ada = shop.guild.with_new_token("ada@example.com").await;
    ada.get(&path).await.json()["data"].as_array().unwrap().clone()
}

async fn shown(shop: &Webapp<'_>) -> String {
    let ada = shop.guild.with_new_token("ada@example.com").await;
    let credential = ada.get(&format!("/api/api_credentials/{}", shop.id)).await;
    credential.attribute("client_secret").as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_secret_ends_although_its_application_is_known_and_nothing_was_written() {
    let guild = Guild::new().await;
    let shop = integration(&guild).await;
    let first = list(&shop).await[0]["id"].as_str().unwrap().to_owned();
    let secret = shown(&shop).await;
    let end = change("client_secrets", &first, json!({ "expires_at": timestamp(NOON + DAY) }));
    let ada = guild.with_new_token("ada@example.com").await;
    assert_eq!(ada.patch(&format!("/api/client_secrets/{first}"), end).await.status, 200);
    for _ in 0..3 {
        assert_eq!(tries(&shop, &secret).await, 200);
    }
    // Where the database says that nothing was committed, it is not asked.
    let before = guild.app.db.statements();
    assert_eq!(tries(&shop, &secret).await, 200);
    let asked = if guild.app.db.is_server() { 2 } else { 0 };
    assert_eq!(guild.app.db.statements() - before, asked);
    // That is good for the same secret, for as long as it is one.
    assert_eq!(tries(&shop, "another").await, 401);
    guild.pass(DAY - SECOND);
    assert_eq!(tries(&shop, &secret).await, 200);
    guild.pass(SECOND);
    assert_eq!(tries(&shop, &secret).await, 401);
}

#[tokio::test]
async fn a_secret_is_replaced_without_a_pause() {
    let guild = Guild::new().await;
    let shop = integration(&guild).await;
    guild.pass(SECOND);
    let second = adds(&shop, json!({})).await;
    assert_eq!(second.status, 201);
    let new = second.attribute("secret").as_str().unwrap().to_owned();
    // The first one is the one of the contract, until it is about to end.
    assert_eq!(shown(&shop).await, shop.client_secret);
    assert_eq!((tries(&shop, &shop.client_secret).await, tries(&shop, &new).await), (200, 200));
    let first = list(&shop).await[0]["id"].as_str().unwrap().to_owned();
    let end = change("client_secrets", &first, json!({ "expires_at": timestamp(NOON + DAY) }));
    let ada = guild.with_new_token("ada@example.com").await;
    assert_eq!(ada.patch(&format!("/api/client_secrets/{first}"), end).await.status, 200);
    assert_eq!(shown(&shop).await, new);
    assert_eq!(tries(&shop, &shop.client_secret).await, 200);
    guild.pass(DAY);
    assert_eq!((tries(&shop, &shop.client_secret).await, tries(&shop, &new).await), (401, 200));
    guildhall::sweep::sweep(&guild.app).await.unwrap();
    assert_eq!(list(&shop).await.len(), 1);
    let counted = guild.number("select size from sizes where kind = 'client_secrets'").await;
    assert_eq!(counted, guild.number("select count(*) from client_secrets").await);
}

#[tokio::test]
async fn one_sees_when_it_was_used_and_that_it_can_go() {
    let guild = Guild::new().await;
    let shop = integration(&guild).await;
    let new = adds(&shop, json!({})).await.attribute("secret").as_str().unwrap().to_owned();
    let told = async || {
        guildhall::server::note_uses(&guild.app).await;
        let all = list(&shop).await;
        let one = |secret: &Json| {
            (secret["attributes"]["last_used_at"].clone(), secret["attributes"]["safe_to_remove"].clone())
        };
        let mut all: Vec<_> = all.iter().map(one).collect();
        all.sort_by_key(|(used, _)| used.to_string());
        all
    };
    assert_eq!(told().await, [(json!(null), json!(false)), (json!(null), json!(false))]);
    guild.pass(90 * SECOND);
    tries(&shop, &shop.client_secret).await;
    // To the minute, and not more than once for it.
    let minute = json!(timestamp(NOON + 60 * SECOND));
    assert_eq!(told().await, [(minute.clone(), json!(false)), (json!(null), json!(false))]);
    tries(&shop, &shop.client_secret).await;
    assert_eq!(guild.app.uses.take(), []);
    tries(&shop, &new).await;
    assert_eq!(told().await, [(minute.clone(), json!(false)), (minute.clone(), json!(false))]);
    // Whoever still used the old one would have come back within a week.
    guild.pass(7 * DAY);
    tries(&shop, &new).await;
    assert!(told().await.iter().all(|(_, safe)| safe == &json!(false)));
    guild.pass(60 * SECOND);
    tries(&shop, &new).await;
    assert_eq!(told().await[0], (minute, json!(true)));
}

#[tokio::test]
async fn the_old_one_of_a_webapp_can_go_once_its_refresh_tokens_have_ended() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let new = adds(&shop, json!({})).await.attribute("secret").as_str().unwrap().to_owned();
    let mut old = shop.is_let_in_by(&ada).await;
    let begun = guild.app.clock.now();
    let with_new =
        |token: &str| json!({ "grant_type": "refresh_token", "refresh_token": token, "client_secret": new });
    let safe = async || {
        guildhall::server::note_uses(&guild.app).await;
        let all = list(&shop).await;
        all.iter().filter(|one| one["attributes"]["safe_to_remove"] == json!(true)).count()
    };
    for (days, expected) in [(8, 0), (13, 0), (15, 1)] {
        guild.pass(begun + days * DAY - guild.app.clock.now());
        old = Tokens::of(&shop.asks_for_token(with_new(&old.refresh)).await);
        assert_eq!(safe().await, expected, "after {days} days");
    }
}

#[tokio::test]
async fn the_only_one_stays_and_there_are_five_at_most() {
    let guild = Guild::new().await;
    let shop = integration(&guild).await;
    let first = list(&shop).await[0]["id"].as_str().unwrap().to_owned();
    let owner = guild.with_new_token("ada@example.com").await;
    let path = format!("/api/client_secrets/{first}");
    assert_eq!(
        owner.delete(&path).await.problems(),
        ["423 LOCKED: The only secret of a credential cannot be removed: add another one first."]
    );
    for _ in 0..4 {
        assert_eq!(adds(&shop, json!({})).await.status, 201);
    }
    let over = adds(&shop, json!({})).await;
    assert_eq!(
        over.problems(),
        [
            "422 VALIDATION_ERROR /data/relationships/api_credential: api_credential - has 5 secrets already: remove one first"
        ]
    );
    let owner = guild.with_new_token("ada@example.com").await;
    assert_eq!(owner.delete(&path).await.status, 204);
    assert_eq!(tries(&shop, &shop.client_secret).await, 401);
    assert_eq!(owner.get(&path).await.status, 404);
}

#[tokio::test]
async fn secrets_that_have_ended_do_not_count() {
    let guild = Guild::new().await;
    let shop = integration(&guild).await;
    for _ in 0..7 {
        let all = list(&shop).await;
        let live = all.iter().filter(|secret| secret["attributes"]["expires_at"].is_null());
        let live: Vec<String> = live.map(|secret| secret["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(adds(&shop, json!({})).await.status, 201);
        for id in live {
            let ada = guild.with_new_token("ada@example.com").await;
            let end = change(
                "client_secrets",
                &id,
                json!({ "expires_at": timestamp(guild.app.clock.now() + SECOND) }),
            );
            assert_eq!(ada.patch(&format!("/api/client_secrets/{id}"), end).await.status, 200);
        }
        guild.pass(2 * SECOND);
    }
    // The last one that works stays, whatever there is beside it.
    let all = list(&shop).await;
    let works = all.iter().find(|secret| secret["attributes"]["expires_at"].is_null()).unwrap()["id"]
        .as_str()
        .unwrap();
    let ada = guild.with_new_token("ada@example.com").await;
    assert_eq!(ada.delete(&format!("/api/client_secrets/{works}")).await.status, 423);
    guildhall::sweep::sweep(&guild.app).await.unwrap();
    assert_eq!(list(&shop).await.len(), 1);
}

#[tokio::test]
async fn an_end_lies_ahead() {
    let guild = Guild::new().await;
    let shop = integration(&guild).await;
    for (end, problem) in [
        (
            json!(timestamp(NOON)),
            "422 VALIDATION_ERROR /data/attributes/expires_at: expires_at - must be in the future",
        ),
        (json!("tomorrow"), "422 VALIDATION_ERROR /data/attributes/expires_at: expires_at - is invalid"),
        (json!(7), "422 VALIDATION_ERROR /data/attributes/expires_at: expires_at - is invalid"),
    ] {
        assert_eq!(adds(&shop, json!({ "expires_at": end })).await.problems(), [problem]);
    }
    let made = adds(&shop, json!({ "expires_at": "2026-01-02" })).await;
    assert_eq!(made.attribute("expires_at"), json!("2026-01-02T00:00:00.000Z"));
    let none = json!({ "data": { "type": "client_secrets", "attributes": {} } });
    let ada = guild.with_new_token("ada@example.com").await;
    let missing = ada.post("/api/client_secrets", none).await;
    assert_eq!(
        missing.problems(),
        ["422 VALIDATION_ERROR /data/relationships/api_credential: api_credential - can't be blank"]
    );
}

#[tokio::test]
async fn an_installation_can_show_secrets_once() {
    let guild = Guild::with(|config| config.show_secrets = SecretReaders::Once).await;
    let ada = guild.user("ada").await;
    let organization = ada.creates_organization("Blue").await;
    let document = json!({ "data": {
        "type": "api_credentials", "attributes": { "name": "X", "kind": "sales_channel" },
        "relationships": { "organization": organization.link() },
    } });
    let made = ada.post("/api/api_credentials", document).await;
    let secret = made.attribute("client_secret").as_str().unwrap().to_owned();
    assert_eq!(secret.len(), 43);
    let path = format!("/api/api_credentials/{}", made.id());
    for path in [
        path.clone(),
        format!("{path}/client_secrets"),
        "/api/client_secrets".to_owned(),
        "/api/api_credentials".to_owned(),
    ] {
        assert!(!ada.get(&path).await.text().contains(&secret), "{path}");
    }
    for attributes in [json!({ "name": "Y" }), json!({})] {
        let changed = ada.patch(&path, change("api_credentials", &made.id(), attributes)).await;
        assert_eq!((changed.status, changed.attribute("client_secret")), (200, json!("")));
    }
    let first = ada.get(&format!("{path}/client_secrets")).await.ids().remove(0);
    let changed =
        ada.patch(&format!("/api/client_secrets/{first}"), change("client_secrets", &first, json!({}))).await;
    assert_eq!((changed.status, changed.attribute("secret")), (200, json!("")));
    let body = json!({ "grant_type": "client_credentials", "client_id": made.attribute("client_id"), "client_secret": secret });
    assert_eq!(guild.nobody().post("/oauth/token", body).await.status, 200);
    // A further one is shown to whoever makes it, and never after.
    let document = json!({ "data": { "type": "client_secrets", "relationships": {
        "api_credential": crate::guild::link("api_credentials", &made.id()),
    } } });
    let second = ada.post("/api/client_secrets", document).await;
    let secret = second.attribute("secret").as_str().unwrap().to_owned();
    assert_eq!((second.status, secret.len()), (201, 43));
    for path in [format!("/api/client_secrets/{}", second.id()), "/api/client_secrets".to_owned(), path] {
        assert!(!ada.get(&path).await.text().contains(&secret), "{path}");
    }
    let body = json!({ "grant_type": "client_credentials", "client_id": made.attribute("client_id"), "client_secret": secret });
    assert_eq!(guild.nobody().post("/oauth/token", body).await.status, 200);
}

#[tokio::test]
async fn a_credential_signs_with_a_key_of_its_own() {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let guild = Guild::new().await;
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let key = json!({ "kty": "EC", "crv": "P-256", "kid": "one", "x": BASE64.encode(&point[1..33]), "y": BASE64.encode(&point[33..65]) });
    let ada = guild.user("ada").await;
    let attributes = json!({
        "kind": "integration", "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [key] },
    });
    let shop = Webapp::of(ada.creates_organization("Blue").await, attributes).await;
    let sign = |header: Json, claims: Json| {
        let signed = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
        let signature = pair.sign(&aws_lc_rs::rand::SystemRandom::new(), signed.as_bytes()).unwrap();
        format!("{signed}.{}", BASE64.encode(signature.as_ref()))
    };
    let now = NOON / SECOND;
    let good = json!({
        "iss": shop.client_id, "sub": shop.client_id, "aud": "https://auth.example.test", "exp": now + 60, "jti": "1",
    });
    let header = json!({ "alg": "ES256", "kid": "one" });
    let post = async |assertion: &str| {
        let body = json!({
            "grant_type": "client_credentials", "client_assertion": assertion,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        });
        guild.nobody().post("/oauth/token", body).await
    };
    let ask = async |assertion: &str| refusal(&post(assertion).await);
    let with = |name: &str, value: Json| {
        let mut claims = good.clone();
        claims["jti"] = json!(format!("{name} {value}"));
        claims[name] = value;
        claims
    };
    let refused = (401, "invalid_client".to_owned());
    for claims in [
        with("iss", json!("other")),
        with("sub", json!("other")),
        with("aud", json!("https://evil.example")),
        with("aud", json!(["https://auth.example.test", "https://evil.example"])),
        with("aud", json!([])),
        with("exp", json!(now - 61)),
        with("exp", json!(now + 3_700)),
        with("exp", json!(i64::MAX)),
        with("exp", json!(1e300)),
        with("exp", json!(-1e300)),
        with("exp", json!("soon")),
        with("nbf", json!(now + 61)),
        with("iat", json!(now + 61)),
        with("jti", json!("")),
        with("jti", json!(null)),
    ] {
        assert_eq!(ask(&sign(header.clone(), claims.clone())).await, refused, "{claims}");
    }
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "HS256", "kid": "one" }),
        json!({ "alg": "RS256", "kid": "one" }),
        json!({ "alg": "ES256", "kid": "two" }),
        json!({ "alg": "ES256", "kid": "one", "crit": ["x"], "x": 1 }),
    ] {
        assert_eq!(ask(&sign(header.clone(), with("jti", json!("h")))).await.0, 401, "{header}");
    }
    // Whichever of our names the application knows us by.
    for place in
        ["/oauth/token", "/oauth/par", "/oauth/introspect", "/oauth/revoke", "/oauth/device_authorization"]
    {
        let name = format!("https://auth.example.test{place}");
        let assertion = sign(header.clone(), with("aud", json!([name, "https://auth.example.test"])));
        assert_eq!(ask(&assertion).await.0, 200, "{place}");
    }
    // Moments may have a fraction (RFC 7519, 2).
    let mut fraction = with("exp", json!(f64::from(u32::try_from(now).unwrap()) + 59.5));
    fraction["iat"] = json!(f64::from(u32::try_from(now).unwrap()) - 0.25);
    assert_eq!(ask(&sign(header.clone(), fraction)).await.0, 200);
    // Wherever an application says who it is.
    for (path, more, status) in [
        ("/oauth/introspect", json!({ "token": "x" }), 200),
        ("/oauth/revoke", json!({ "token": "x" }), 200),
        ("/oauth/device_authorization", json!({}), 401),
        ("/oauth/par", json!({ "response_type": "code" }), 401),
    ] {
        let mut body = json!({
            "client_assertion": sign(header.clone(), with("jti", json!(path))),
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let reply = guild.nobody().post(path, body.clone()).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
        // An integration is known there, but has nothing to ask people for.
        if status == 401 {
            assert_eq!(reply.json()["error"], json!("unauthorized_client"), "{path}");
        }
        let again = guild.nobody().post(path, body).await;
        let refused =
            if path == "/oauth/revoke" { (403, "unauthorized_client".to_owned()) } else { refused.clone() };
        assert_eq!(refusal(&again), refused, "{path}, a second time");
    }
    // Who asks again gets the same token.
    let token =
        async |jti: &str| Tokens::of(&post(&sign(header.clone(), with("jti", json!(jti)))).await).access;
    assert_eq!(token("first").await, token("second").await);
    let assertion = sign(header.clone(), good.clone());
    let mut forged = assertion.clone();
    forged.replace_range(
        assertion.len() - 4..assertion.len() - 3,
        if &assertion[assertion.len() - 4..assertion.len() - 3] == "A" { "B" } else { "A" },
    );
    assert_eq!(ask(&forged).await, refused);
    assert_eq!(ask(&assertion).await.0, 200);
    assert_eq!(ask(&assertion).await, refused, "it came twice");
    assert_eq!(
        ask(&sign(header.clone(), with("aud", json!("https://auth.example.test/oauth/token")))).await.0,
        200
    );
    // Its secret is of no use any more.
    let secret = shop.asks_for_token(json!({ "grant_type": "client_credentials" })).await;
    assert_eq!(refusal(&secret), refused);
}

#[tokio::test]
async fn a_key_that_nothing_can_be_checked_with_is_refused_when_it_is_registered() {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let organization = ada.creates_organization("Blue").await;
    let text = |length: usize, last: u8| {
        let mut bytes = vec![0xc5; length];
        bytes[length - 1] = last;
        BASE64.encode(bytes)
    };
    let rsa = |length: usize, last: u8, e: &str| json!({ "kty": "RSA", "n": text(length, last), "e": e });
    let post = async |keys: Json| {
        let document = json!({ "data": {
            "type": "api_credentials",
            "attributes": {
                "name": "Signer", "kind": "integration", "token_endpoint_auth_method": "private_key_jwt",
                "jwks": { "keys": keys },
            },
            "relationships": {
                "organization": organization.link(), "role": link("roles", &organization.admin),
            },
        } });
        ada.post("/api/api_credentials", document).await
    };
    for good in [rsa(256, 1, "AQAB"), rsa(512, 255, "Aw"), rsa(1024, 1, "AQAB")] {
        assert_eq!(post(json!([good])).await.status, 201, "{good}");
    }
    let mut private = Vec::new();
    for part in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        let mut key = rsa(256, 1, "AQAB");
        key[part] = json!("AQAB");
        private.push(key);
    }
    let point = |curve: &str, x: String, y: String| json!({ "kty": "EC", "crv": curve, "x": x, "y": y });
    for bad in [
        rsa(2, 1, "AQAB"),
        rsa(128, 1, "AQAB"),
        rsa(1025, 1, "AQAB"),
        rsa(256, 2, "AQAB"),
        rsa(256, 1, "Ag"),
        rsa(256, 1, "AQ"),
        rsa(256, 1, "?"),
        point("P-256", "AA".to_owned(), "AA".to_owned()),
        point("P-256", text(32, 1), text(32, 1)),
        point("P-384", text(32, 1), text(32, 1)),
        point("P-521", text(66, 1), text(66, 1)),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" }),
        json!({ "kty": "oct" }),
        json!({ "kty": "RSA" }),
        json!({}),
        json!("key"),
    ]
    .into_iter()
    .chain(private)
    {
        let refused = post(json!([rsa(256, 1, "AQAB"), bad])).await;
        assert_eq!(refused.status, 422, "{bad}");
        assert!(refused.problems()[0].contains("/data/attributes/jwks"), "{:?}", refused.problems());
    }
}
