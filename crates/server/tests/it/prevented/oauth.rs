//! Attacks on applications that act for people, and on what they are given. `docs/security/oauth.md` says where
//! each one comes from.

use crate::guild::{Guild, HOUR, NOON, SECOND, link};
use crate::webapp::{CALLBACK, Tokens, VERIFIER, Webapp, invalid_grant, parameter, payload, refusal};
use aws_lc_rs::hmac;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

fn encode(json: &Json) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

fn header(token: &str) -> Json {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn an_algorithm_is_the_keys_whatever_the_token_says() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let good = shop.is_let_in_for(&ada, "openid market:all").await;
    let (signed, signature) = good.access.rsplit_once('.').unwrap();
    let claims = signed.split_once('.').unwrap().1;
    let kid = header(&good.access)["kid"].clone();
    let set = guild.nobody().get("/.well-known/jwks.json").await.json();
    let public = set["keys"][0]["n"].as_str().unwrap().to_owned();
    let mut forged = Vec::new();
    for algorithm in ["none", "None", "", "HS256", "HS512", "RS256", "RS384", "PS512", "ES512"] {
        let head = encode(&json!({ "alg": algorithm, "typ": "JWT", "kid": kid }));
        forged.push(format!("{head}.{claims}."));
        forged.push(format!("{head}.{claims}.{signature}"));
        // The public key taken for a secret.
        for secret in [public.as_bytes(), set.to_string().as_bytes()] {
            let key = hmac::Key::new(hmac::HMAC_SHA512, secret);
            let tag = hmac::sign(&key, format!("{head}.{claims}").as_bytes());
            forged.push(format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref())));
        }
    }
    for token in forged {
        assert!(!shop.is_open_to(&token).await, "{token}");
    }
    assert!(shop.is_open_to(&good.access).await);
}

#[tokio::test]
async fn a_key_id_is_one_of_ours_or_nothing() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let good = shop.is_let_in_by(&ada).await.access;
    let (_, rest) = good.split_once('.').unwrap();
    let kid = header(&good)["kid"].as_str().unwrap().to_owned();
    let set = guild.nobody().get("/.well-known/jwks.json").await.json();
    let identity =
        set["keys"].as_array().unwrap().iter().find(|key| key["alg"] == "RS256").unwrap()["kid"].clone();
    for head in [
        json!({ "alg": "RS512", "typ": "JWT" }),
        json!({ "alg": "RS512", "typ": "JWT", "kid": null }),
        json!({ "alg": "RS512", "typ": "JWT", "kid": "" }),
        json!({ "alg": "RS512", "typ": "JWT", "kid": "../../secret.key" }),
        json!({ "alg": "RS512", "typ": "JWT", "kid": "' or 1=1 --" }),
        json!({ "alg": "RS512", "typ": "JWT", "kid": "x".repeat(5000) }),
        json!({ "alg": "RS512", "typ": "JWT", "kid": identity }),
        json!({ "alg": "RS512", "typ": "JWT", "kid": kid, "jwk": set["keys"][0] }),
        json!({ "alg": "RS512", "typ": "JWT", "kid": kid, "jku": "https://evil.example/jwks.json" }),
        json!({ "alg": "RS512", "typ": "JWT", "kid": kid, "crit": ["exp"] }),
        json!({ "typ": "JWT", "alg": "RS512", "kid": kid }),
    ] {
        assert!(!shop.is_open_to(&format!("{}.{rest}", encode(&head))).await, "{head}");
    }
}

#[tokio::test]
async fn a_token_of_one_type_is_none_of_another() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let given = shop.is_let_in_for(&ada, "openid market:all").await;
    let code = shop.code(&ada, &[("scope", "openid market:all")]).await;
    let body = json!({ "client_id": shop.client_id, "client_secret": shop.client_secret });
    let device = guild.nobody().post("/oauth/device_authorization", body).await.json();
    let device_code = device["device_code"].as_str().unwrap();
    let session = ada.cookies.borrow().get("session").unwrap().clone();
    let id_token = given.all["id_token"].as_str().unwrap();
    let all = [
        ("access", given.access.as_str()),
        ("refresh", &given.refresh),
        ("identity", id_token),
        ("code", &code),
        ("device", device_code),
        ("session", &session),
        ("secret", &shop.client_secret),
    ];
    for (name, token) in all {
        assert_eq!(shop.is_open_to(token).await, name == "access", "{name}");
        assert_eq!(guild.bearer(token).get("/api/user").await.status, 401, "{name}");
        assert_eq!(
            guild.bearer(token).get("/oauth/userinfo").await.status == 200,
            name == "access",
            "{name}"
        );
        let asks = async |grant: Json| shop.asks_for_token(grant).await.status == 200;
        if name != "code" {
            let grant = json!({ "grant_type": "authorization_code", "code": token, "redirect_uri": CALLBACK, "code_verifier": VERIFIER });
            assert!(!asks(grant).await, "{name} as a code");
        }
        if name != "refresh" {
            assert!(
                !asks(json!({ "grant_type": "refresh_token", "refresh_token": token })).await,
                "{name} as a refresh token"
            );
        }
        let grant =
            json!({ "grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": token });
        assert!(!asks(grant).await, "{name} as a device code");
        let grant =
            json!({ "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": token });
        assert!(!asks(grant).await, "{name} as an assertion");
        let page = guild.browser().open(&format!("/reset/{token}")).await;
        assert_ne!(page.status, 200, "{name} as a link");
    }
}

#[tokio::test]
async fn a_code_of_somebody_else_is_of_no_use_in_ones_own_session() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let stolen = shop.code(&ada, &[]).await;
    // The application of the thief's browser sends the verifier of the request that began there.
    let injected = json!({
        "grant_type": "authorization_code", "code": stolen, "redirect_uri": CALLBACK,
        "code_verifier": "the-verifier-of-the-session-of-the-thief-123456789",
    });
    assert_eq!(refusal(&shop.asks_for_token(injected).await), invalid_grant());
}

#[tokio::test]
async fn an_application_never_gets_more_than_was_agreed_to() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    shop.is_agreed_to(&ada, &[("scope", "openid")]).await;
    // A wider request is asked about, whatever was agreed to before.
    let wider = ada.open(&shop.asks(&[("scope", "openid market:all"), ("prompt", "none")])).await;
    assert_eq!(parameter(&wider.path, "error").as_deref(), Some("consent_required"));
    let code = shop.code(&ada, &[("scope", "openid")]).await;
    for scope in ["openid market:all", "market:all", "openid profile"] {
        let grant = json!({
            "grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER, "scope": scope,
        });
        assert_eq!(refusal(&shop.asks_for_token(grant).await), (400, "invalid_scope".to_owned()), "{scope}");
    }
    let narrow = Tokens::of(&shop.redeems(&code).await);
    assert!(!shop.is_open_to(&narrow.access).await);
    for kind in ["client_credentials", "password", "implicit"] {
        let grant = json!({ "grant_type": kind, "scope": "market:all" });
        assert_ne!(shop.asks_for_token(grant).await.status, 200, "{kind}");
    }
}

#[tokio::test]
async fn what_is_one_organizations_is_no_deputy_in_another() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let tokens = shop.is_let_in_by(&ada).await;
    let mallory = guild.user("mallory").await;
    let own = Webapp::of(mallory.creates_organization("Red").await, json!({})).await;
    // Neither its host nor its credentials, whatever they show.
    assert_eq!(guild.bearer(&tokens.access).at("red.example.test", "/api/organization").await.status, 401);
    let code = shop.code(&ada, &[]).await;
    for reply in [own.redeems(&code).await, own.refreshes(&tokens.refresh).await] {
        assert_eq!(refusal(&reply), invalid_grant());
    }
    let body =
        json!({ "client_id": own.client_id, "client_secret": own.client_secret, "token": tokens.refresh });
    assert_eq!(guild.nobody().post("/oauth/revoke", body).await.status, 403);
    assert!(shop.is_open_to(&tokens.access).await);
    let document = json!({ "data": { "type": "client_secrets", "relationships": { "api_credential": link("api_credentials", &shop.id) } } });
    assert_eq!(mallory.post("/api/client_secrets", document).await.status, 422);
    let secret = shop.organization.owner.get("/api/client_secrets").await.ids().remove(0);
    for reply in [
        mallory.get(&format!("/api/client_secrets/{secret}")).await,
        mallory.delete(&format!("/api/client_secrets/{secret}")).await,
        mallory.get(&format!("/api/api_credentials/{}/client_secrets", shop.id)).await,
    ] {
        assert_eq!(reply.status, 404);
    }
    // An assertion for somebody who is a member elsewhere only.
    let claims = json!({ "https://commercelayer.io/claims": { "owner": { "type": "User", "id": shop.organization.owner.id } } });
    let assertion = format!("e30.{}.e30", encode(&claims));
    let grant =
        json!({ "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion });
    assert_eq!(refusal(&own.asks_for_token(grant).await), (400, "invalid_assertion".to_owned()));
}

#[tokio::test]
async fn a_client_id_cannot_be_told_from_none() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let known = Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": "integration" })).await;
    let made = guild
        .operate(|work| {
            let user = guildhall::resources::users::by_email(work, "ada@example.com")?.unwrap();
            guildhall::resources::users::rotate_secret(work, &user)
        })
        .await
        .unwrap();
    let by_secret = |client_id: &str| {
        let secret = "a-secret-that-is-nobodys-and-as-long-as-one-is";
        json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": secret })
    };
    // An assertion that nobody has signed.
    let by_assertion = |client_id: &str| {
        let payload = json!({ "iss": client_id, "sub": client_id, "aud": "x", "exp": 1, "jti": "1" });
        let assertion = format!("{}.{}.e30", encode(&json!({ "alg": "ES256" })), encode(&payload));
        json!({
            "grant_type": "client_credentials", "client_assertion": assertion,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        })
    };
    let ways: [&dyn Fn(&str) -> Json; 2] = [&by_secret, &by_assertion];
    for shown in ways {
        let mut told = Vec::new();
        for client_id in
            [known.client_id.as_str(), &made.client_id, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
        {
            let before = guild.app.db.statements();
            let reply = guild.nobody().post("/oauth/token", shown(client_id)).await;
            // The same words for the same work.
            told.push((reply.status, reply.text(), guild.app.db.statements() - before));
        }
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0], told[2]);
        assert_eq!(told[0].0, 401);
    }
}

#[tokio::test]
async fn what_is_taken_back_while_it_is_used_is_not_given_again() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    for round in 0..30 {
        // A yes is taken back while a browser that was told nothing fetches one more code.
        let given = shop.is_let_in_by(&ada).await;
        let (silent, withdrawing) = (shop.asks(&[("prompt", "none")]), ada.again());
        withdrawing.open("/account/applications").await;
        let fields = [("id", shop.id.as_str())];
        let (page, taken) =
            tokio::join!(ada.open(&silent), withdrawing.send("/account/applications/withdraw", &fields));
        assert_eq!(taken.status, 200, "{round}: {}", taken.text());
        assert_eq!(guild.number("select count(*) from consents").await, 0, "{round}");
        if let Some(code) = parameter(&page.path, "code") {
            assert_eq!(refusal(&shop.redeems(&code).await), invalid_grant(), "{round}");
        }
        assert!(!shop.is_open_to(&given.access).await, "{round}");
    }
}

#[tokio::test]
async fn a_token_that_is_revoked_while_it_is_used_opens_nothing_afterwards() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let client = Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": "integration" })).await;
    let grant = json!({ "grant_type": "client_credentials" });
    let with = |token: &str| json!({ "client_id": client.client_id, "client_secret": client.client_secret, "token": token });
    let nobody = guild.nobody();
    for round in 0..30 {
        let token = Tokens::of(&client.asks_for_token(grant.clone()).await).access;
        let (revoked, given, visited, told) = tokio::join!(
            nobody.post("/oauth/revoke", with(&token)),
            client.asks_for_token(grant.clone()),
            client.visits(&token, "/api/organization"),
            nobody.post("/oauth/introspect", with(&token)),
        );
        assert_eq!((revoked.status, given.status, told.status), (200, 200, 200), "{round}");
        assert!(matches!(visited.status, 200 | 401), "{round}");
        assert!(!client.is_open_to(&token).await, "{round}");
        assert_eq!(nobody.post("/oauth/introspect", with(&token)).await.json()["active"], json!(false));
        // It is not given again, neither from what is kept here.
        let next = Tokens::of(&client.asks_for_token(grant.clone()).await).access;
        assert!(next != token && client.is_open_to(&next).await, "{round}");
        assert_eq!(Tokens::of(&given).access == token, !client.is_open_to(&Tokens::of(&given).access).await);
    }
}

#[tokio::test]
async fn secrets_are_compared_as_a_whole() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let client = Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": "integration" })).await;
    let id = client.id.clone();
    let read = guild.app.db.read(move |tx| -> Result<_, guildhall_store::Error> {
        let sql = "select hash from client_secrets where api_credential_id = ?";
        let rows = tx.rows(&guildhall_store::Sql::new(sql, [id.into()]))?;
        Ok(rows.first().unwrap().text(0).to_owned())
    });
    let stored = read.await.unwrap();
    assert_eq!(stored, guildhall::crypto::hash(&client.client_secret));
    let last = client.client_secret.len() - 1;
    for wrong in [
        client.client_secret[..last].to_owned(),
        format!("{}!", &client.client_secret[..last]),
        format!("!{}", &client.client_secret[1..]),
        format!("{} ", client.client_secret),
        client.client_secret.to_lowercase() + "x",
        String::new(),
        "x".repeat(100_000),
    ] {
        // What is compared is a hash: whoever is nearly right is as far off there as anybody, so that no time tells.
        let compared = guildhall::crypto::hash(&wrong);
        let alike = compared.bytes().zip(stored.bytes()).take_while(|(one, other)| one == other).count();
        assert!(alike < 8, "{wrong}");
        let grant = json!({ "grant_type": "client_credentials", "client_secret": wrong });
        assert_eq!(refusal(&client.asks_for_token(grant).await), (401, "invalid_client".to_owned()));
    }
}

#[tokio::test]
async fn nothing_an_application_says_becomes_a_header() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let state = "x\r\nset-cookie: session=evil\r\n\r\n<script>";
    shop.is_agreed_to(&ada, &[]).await;
    let reply = ada.ask("GET", &shop.asks(&[("state", state)]), &[]).await;
    assert_eq!((reply.status, reply.header("set-cookie")), (303, ""));
    assert_eq!(parameter(reply.header("location"), "state").as_deref(), Some(state));
    let refused = ada.ask("GET", &shop.asks(&[("state", state), ("response_type", "x\r\ny")]), &[]).await;
    assert_eq!(parameter(refused.header("location"), "state").as_deref(), Some(state));
    // Nor does it become a part of a page.
    let page = ada
        .open(&shop.asks(&[
            ("state", state),
            ("scope", "market:all"),
            ("prompt", "consent"),
            ("login_hint", "<b>"),
        ]))
        .await;
    assert!(!page.html.contains("<script>\n") && !page.html.contains("<b>"), "{}", page.html);
}

#[tokio::test]
async fn what_is_too_large_or_too_deep_is_refused_and_harms_nobody() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let good = shop.is_let_in_by(&ada).await.access;
    let head = good.split('.').next().unwrap();
    let deep = URL_SAFE_NO_PAD.encode(format!("{}1{}", "[".repeat(2000), "]".repeat(2000)));
    for token in [
        "x".repeat(60_000),
        ".".repeat(5000),
        format!("{head}.{deep}.{}", "A".repeat(342)),
        format!("{deep}.{deep}.{deep}"),
        format!("{head}.{}.x", "A".repeat(8000)),
    ] {
        assert_eq!(guild.bearer(&token).at("blue.example.test", "/api/organization").await.status, 401);
        let introspect =
            json!({ "client_id": shop.client_id, "client_secret": shop.client_secret, "token": token });
        assert_eq!(
            guild.nobody().post("/oauth/introspect", introspect).await.json(),
            json!({ "active": false })
        );
        let grant =
            json!({ "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": token });
        assert_eq!(refusal(&shop.asks_for_token(grant).await), (400, "invalid_assertion".to_owned()));
        let body = json!({
            "grant_type": "client_credentials", "client_assertion": token,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        });
        assert_eq!(
            refusal(&guild.nobody().post("/oauth/token", body).await),
            (401, "invalid_client".to_owned())
        );
    }
    let nested = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
    let refused = guild.nobody().send("POST", "/oauth/token", nested).await;
    assert_eq!(refusal(&refused), (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_token_ends_to_the_second_by_our_clock() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let tokens = shop.is_let_in_by(&ada).await;
    let end = payload(&tokens.access)["exp"].as_i64().unwrap() * SECOND;
    guild.pass(end - guild.app.clock.now() - 1);
    assert!(shop.is_open_to(&tokens.access).await);
    guild.pass(1);
    assert!(!shop.is_open_to(&tokens.access).await);
    // A clock that goes back lets nothing in that was ended meanwhile.
    let other = shop.is_let_in_by(&ada).await;
    let body =
        json!({ "client_id": shop.client_id, "client_secret": shop.client_secret, "token": other.access });
    guild.nobody().post("/oauth/revoke", body).await;
    guild.pass(-HOUR);
    assert!(!shop.is_open_to(&other.access).await);
    assert!(guild.app.clock.now() > NOON);
}

#[tokio::test]
async fn two_ways_to_show_who_one_is_are_one_too_many() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let client = Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": "integration" })).await;
    let basic = base64::engine::general_purpose::STANDARD
        .encode(format!("{}:{}", client.client_id, client.client_secret));
    let nobody = guild.nobody();
    let ask = async |body: Json| {
        let request =
            nobody.request("POST", "/oauth/token").header("authorization", format!("Basic {basic}"));
        let request =
            request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap();
        let reply = nobody.ask(request).await;
        (reply.status, reply.json()["error"].clone())
    };
    let grant = json!({ "grant_type": "client_credentials" });
    assert_eq!(ask(grant.clone()).await.0, 200);
    let mut same = grant.clone();
    same["client_id"] = json!(client.client_id);
    assert_eq!(ask(same).await.0, 200);
    for (name, value) in [
        ("client_id", "another"),
        ("client_secret", client.client_secret.as_str()),
        ("client_assertion", "x"),
    ] {
        let mut two = grant.clone();
        two[name] = json!(value);
        assert_eq!(ask(two).await, (400, json!("invalid_request")), "{name}");
    }
}

#[tokio::test]
async fn a_secret_that_was_replaced_meanwhile_gives_nothing_that_lasts() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let client = Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": "integration" })).await;
    let rotate = || {
        guild.operate(|work| {
            let user = guildhall::resources::users::by_email(work, "ada@example.com")?.unwrap();
            guildhall::resources::users::rotate_secret(work, &user)
        })
    };
    let mut made = rotate().await.unwrap();
    // A second has passed whenever somebody looks at the clock twice.
    guild.tick(700);
    for round in 0..40 {
        guild.pass(HOUR);
        let body = json!({
            "grant_type": "client_credentials", "client_id": made.client_id, "client_secret": made.client_secret,
        });
        let nobody = guild.nobody();
        let (given, replaced) = tokio::join!(nobody.post("/oauth/token", body), rotate());
        replaced.unwrap();
        if given.status == 200 {
            let token = given.json()["access_token"].as_str().unwrap().to_owned();
            assert_eq!(guild.bearer(&token).get("/api/user").await.status, 401, "round {round}");
        }
        let path = format!("/api/api_credentials/{}", client.id);
        let change = crate::guild::change("api_credentials", &client.id, json!({ "_end_tokens": true }));
        let ada = guild.with_new_token("ada@example.com").await;
        let grant = json!({ "grant_type": "client_credentials" });
        let (given, ended) = tokio::join!(client.asks_for_token(grant), ada.patch(&path, change));
        assert_eq!((given.status, ended.status), (200, 200));
        // It was given before or after: what was looked up before does not outlive the end.
        let token = Tokens::of(&given);
        let valid_from = guild
            .number_of("select valid_from from api_credentials where id = ?", [client.id.as_str().into()])
            .await;
        let counts = token.claims()["iat"].as_i64().unwrap() >= valid_from;
        assert_eq!(client.is_open_to(&token.access).await, counts, "round {round}");
        made = rotate().await.unwrap();
    }
}

#[tokio::test]
async fn a_registered_place_leads_to_its_application_and_says_nothing_of_its_own() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let organization = ada.creates_organization("Blue").await;
    for place in [
        "http://app.example.com/callback",
        "https://app.example.com/callback#x",
        "https://ada@app.example.com/callback",
        "https://app.example.com/callback?code=1&state=2",
        "https://app.example.com/callback?iss=https%3A%2F%2Fevil.example",
        "https://x;sandbox/callback",
        "https://x.example'none'/callback",
    ] {
        let document = json!({ "data": {
            "type": "api_credentials",
            "attributes": { "name": "Shop", "kind": "webapp", "redirect_uri": place },
            "relationships": { "organization": organization.link() },
        } });
        let refused = ada.post("/api/api_credentials", document).await;
        assert_eq!(refused.status, 422, "{place}: {}", refused.text());
        let problems = refused.problems();
        assert!(problems[0].contains("/data/attributes/redirect_uri"), "{problems:?}");
    }
    let shop = Webapp::of(organization, json!({})).await;
    let change =
        crate::guild::change("api_credentials", &shop.id, json!({ "redirect_uri": "http://a.test/" }));
    assert_eq!(ada.patch(&format!("/api/api_credentials/{}", shop.id), change).await.status, 422);
}

#[tokio::test]
async fn whoever_is_not_signed_in_is_sent_only_where_an_application_registered() {
    let guild = Guild::new().await;
    let (shop, _) = Webapp::new(&guild).await;
    // OpenID Connect wants an answer without a page. It goes to the registered place and carries nothing but a refusal.
    let answer = guild.browser().open(&shop.asks(&[("prompt", "none")])).await;
    let (place, _) = answer.path.split_once('?').unwrap();
    assert_eq!((place, parameter(&answer.path, "error").as_deref()), (CALLBACK, Some("login_required")));
    assert_eq!(parameter(&answer.path, "code"), None);
    let other = shop.asks(&[("prompt", "none"), ("redirect_uri", "https://evil.example/")]);
    assert_eq!(guild.browser().open(&other).await.status, 400);
}
