//! `/oauth/authorize`.

use crate::browser::{Browser, PASSWORD};
use crate::guild::{Guild, SECOND};
use crate::webapp::{CALLBACK, Tokens, Webapp, parameter, query};
use axum::body::Body;
use guildhall::work::Work;
use guildhall_store::Sql;
use serde_json::json;

#[tokio::test]
async fn somebody_is_asked_in_plain_words() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::with(&guild, json!({ "mode": "live" })).await;
    let page = ada.open(&shop.asks(&[("scope", "openid profile email market:all")])).await;
    insta::assert_snapshot!(page.text(), @"
    B
    Shop wants to act for you
    Shop belongs to Blue.
    It works with the live environment: what it does is for real.
    If you agree, it may:
    know that it is you
    see your name, your time zone and your language
    see your e-mail address
    do everything in Blue that you may do there as Admin
    You can take this back at any time, under Applications. You will go on to https://app.example.com.
    You are signed in as ada@example.com.
    Agree
    Do not agree
    Use another account
    ");
    // The form leads to the application afterwards, and nowhere else.
    let policy = page.reply.header("content-security-policy");
    assert!(
        policy
            .contains("form-action 'self' https://app.example.com; base-uri 'none'; frame-ancestors 'none'"),
        "{policy}"
    );
    let some = ada.open(&shop.asks(&[("scope", "market:id:a store:code:b")])).await;
    assert!(
        some.says(
            "do in Blue what you may do there as Admin, as far as it is about the market a, the store b"
        )
    );
}

#[tokio::test]
async fn a_yes_leads_back_with_a_code_a_state_and_our_name() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let address = shop.is_agreed_to(&ada, &[]).await;
    assert!(address.starts_with(&format!("{CALLBACK}?code=")), "{address}");
    assert_eq!(parameter(&address, "state").as_deref(), Some("a state"));
    assert_eq!(parameter(&address, "iss").as_deref(), Some("https://auth.example.test"));
}

#[tokio::test]
async fn a_no_leads_back_too() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let path = shop.asks(&[]);
    ada.open(&path).await;
    let address = ada.send(&path, &[("decision", "deny")]).await.path;
    assert_eq!(parameter(&address, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&address, "state").as_deref(), Some("a state"));
    assert_eq!(guild.number("select count(*) from consents").await, 0);
}

#[tokio::test]
async fn who_said_yes_is_not_asked_again_for_the_same() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    shop.is_agreed_to(&ada, &[("scope", "openid market:id:a")]).await;
    let again = ada.open(&shop.asks(&[("scope", "market:id:a")])).await;
    assert!(again.path.starts_with(CALLBACK), "{}", again.path);
    for (name, value) in [("scope", "market:all"), ("prompt", "consent"), ("prompt", "select_account")] {
        let mut more = vec![(name, value)];
        if name == "prompt" {
            more.push(("scope", "openid"));
        }
        let page = ada.open(&shop.asks(&more)).await;
        assert!(page.heading().starts_with("Shop wants to "), "{value}: {}", page.path);
    }
    // What they agree to later comes on top.
    shop.is_agreed_to(&ada, &[("scope", "market:all")]).await;
    let both = ada.open(&shop.asks(&[("scope", "openid market:all")])).await;
    assert!(both.path.starts_with(CALLBACK));
}

#[tokio::test]
async fn who_is_not_signed_in_signs_in_first() {
    let guild = Guild::new().await;
    let (shop, _) = Webapp::new(&guild).await;
    let browser = guild.browser();
    let path = shop.asks(&[("login_hint", "ada@example.com")]);
    let page = browser.open(&path).await;
    assert!(page.path.starts_with("/sign-in?next=%2Foauth%2Fauthorize%3F"), "{}", page.path);
    assert!(page.html.contains("value=\"ada@example.com\""));
    let next = parameter(&page.path, "next").unwrap();
    let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next.as_str())];
    let page = browser.send("/sign-in", &fields).await;
    assert_eq!((page.path.as_str(), page.heading().as_str()), (next.as_str(), "Shop wants to act for you"));
    let address = browser.send(&next, &[("decision", "allow")]).await.path;
    assert!(parameter(&address, "code").is_some(), "{address}");
}

#[tokio::test]
async fn a_second_factor_is_asked_for_on_the_way() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let (seed, _) = super::sets_up_codes(&ada).await;
    guild.pass(31 * SECOND);
    let browser = guild.browser();
    let page = browser.open(&shop.asks(&[])).await;
    let next = parameter(&page.path, "next").unwrap();
    let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next.as_str())];
    assert_eq!(browser.send("/sign-in", &fields).await.path, "/sign-in/code");
    let page = browser.send("/sign-in/code", &[("code", &super::shown(&guild, &seed))]).await;
    assert_eq!(page.heading(), "Shop wants to act for you");
}

#[tokio::test]
async fn after_a_form_of_ours_the_page_itself_leads_on() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    shop.is_agreed_to(&ada, &[]).await;
    // A browser holds every answer to a form against that form's policy.
    let request = ada.request("GET", &shop.asks(&[])).header("sec-fetch-site", "same-origin");
    let page = ada.send_as_is(request.body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, 200);
    assert!(
        page.header("refresh").starts_with(&format!("0; url={CALLBACK}?code=")),
        "{}",
        page.header("refresh")
    );
    let request = ada.request("GET", &shop.asks(&[])).header("sec-fetch-site", "cross-site");
    assert_eq!(ada.send_as_is(request.body(Body::empty()).unwrap()).await.status, 303);
}

#[tokio::test]
async fn as_long_as_it_is_not_known_where_to_go_back_nobody_is_sent_there() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let twice = format!("{}&client_id=other", shop.asks(&[]));
    for (path, heading) in [
        (shop.asks(&[("client_id", "unknown")]), "We do not know this application"),
        (shop.asks(&[("client_id", "")]), "We do not know this application"),
        (
            shop.asks(&[("redirect_uri", "https://evil.example/")]),
            "The application wants you sent to an unknown place",
        ),
        (
            shop.asks(&[("redirect_uri", "https://app.example.com/callback/../x")]),
            "The application wants you sent to an unknown place",
        ),
        (
            shop.asks(&[("redirect_uri", "https://app.example.com:443/callback")]),
            "The application wants you sent to an unknown place",
        ),
        (
            shop.asks(&[("redirect_uri", "https://app.example.com/callback#x")]),
            "The application wants you sent to an unknown place",
        ),
        (
            shop.asks(&[("redirect_uri", "https://app.example.com/callback\r\nset-cookie: x=y")]),
            "The application wants you sent to an unknown place",
        ),
        (shop.asks(&[("request_uri", "urn:ietf:params:oauth:request_uri:unknown")]), "That took too long"),
        (twice, "The application asked in a strange way"),
    ] {
        let page = ada.open(&path).await;
        assert_eq!((page.status, page.heading().as_str()), (400, heading), "{path}");
        let sent = ada.send(&path, &[("decision", "allow")]).await;
        assert_eq!(sent.status, 400, "{path}");
    }
    let organization = shop.organization.owner.creates_organization("Red").await;
    for attributes in [json!({ "kind": "integration" }), json!({ "redirect_uri": null })] {
        let other = Webapp::of(organization.clone(), attributes.clone()).await;
        let redirect = attributes["redirect_uri"].as_str().unwrap_or(CALLBACK);
        assert_eq!(ada.open(&other.asks(&[("redirect_uri", redirect)])).await.status, 400, "{attributes}");
    }
    // One that was registered before places were looked at.
    let unsafe_place = "http://app.example.com/callback";
    let (id, old) = (shop.id.clone(), shop.asks(&[("redirect_uri", unsafe_place)]));
    let register = move |work: &mut Work<'_, '_>| {
        let sql = "update api_credentials set redirect_uri = ? where id = ?";
        Ok(work.tx.execute(&Sql::new(sql, [unsafe_place.into(), id.as_str().into()]))?)
    };
    assert_eq!(guild.operate(register).await.unwrap(), 1);
    assert_eq!(ada.open(&old).await.status, 400);
}

#[tokio::test]
async fn what_else_is_wrong_is_told_to_the_application() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "code id_token", "unsupported_response_type"),
        ("response_type", "", "invalid_request"),
        ("response_mode", "fragment", "invalid_request"),
        ("request", "e30.e30.", "request_not_supported"),
        ("request_uri", "https://app.example.com/request", "request_uri_not_supported"),
        ("scope", "everything", "invalid_scope"),
        ("scope", "provisioning-api", "invalid_scope"),
        ("scope", "stock_location:id:a", "invalid_scope"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge_method", "", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("prompt", "none login", "invalid_request"),
        ("prompt", "create", "invalid_request"),
        ("max_age", "-1", "invalid_request"),
        ("max_age", "soon", "invalid_request"),
        ("prompt", "none", "consent_required"),
    ] {
        let address = ada.open(&shop.asks(&[(name, value)])).await.path;
        assert!(address.starts_with(CALLBACK), "{name}={value}: {address}");
        assert_eq!(parameter(&address, "error").as_deref(), Some(error), "{name}={value}");
        assert_eq!(parameter(&address, "state").as_deref(), Some("a state"));
        assert_eq!(parameter(&address, "iss").as_deref(), Some("https://auth.example.test"));
        assert_eq!(parameter(&address, "code"), None);
    }
    let nobody = guild.browser();
    let address = nobody.open(&shop.asks(&[("prompt", "none")])).await.path;
    assert_eq!(parameter(&address, "error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn an_application_may_want_them_to_show_again_who_they_are() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    shop.is_agreed_to(&ada, &[]).await;
    for (name, value) in [("prompt", "login"), ("max_age", "0"), ("max_age", "20")] {
        guild.pass(60 * SECOND);
        let page = ada.open(&shop.asks(&[(name, value)])).await;
        assert!(page.path.starts_with("/confirm?next="), "{name}={value}: {}", page.path);
        let next = parameter(&page.path, "next").unwrap();
        // Coming back without having done so leads there again.
        assert!(ada.open(&next).await.path.starts_with("/confirm?next="));
        guild.pass(SECOND);
        let page = ada.send("/confirm", &[("password", PASSWORD), ("next", &next)]).await;
        let code = parameter(&page.path, "code").unwrap_or_else(|| panic!("{}", page.path));
        assert_eq!(shop.redeems(&code).await.status, 200);
    }
    let silent = ada.open(&shop.asks(&[("prompt", "none"), ("max_age", "20")])).await;
    assert!(parameter(&silent.path, "code").is_some(), "{}", silent.path);
    guild.pass(30 * SECOND);
    let silent = ada.open(&shop.asks(&[("prompt", "none"), ("max_age", "20")])).await;
    assert_eq!(parameter(&silent.path, "error").as_deref(), Some("login_required"));
}

#[tokio::test]
async fn nobody_makes_up_that_they_have_shown_who_they_are() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    shop.is_agreed_to(&ada, &[]).await;
    guild.pass(60 * SECOND);
    // What leads there carries a signed moment, for this session; another moment or another session does not do.
    let asked = ada.open(&shop.asks(&[("prompt", "login")])).await;
    let next = parameter(&asked.path, "next").unwrap();
    let signed = parameter(&next, "since").unwrap();
    let (_, signature) = signed.split_once('.').unwrap();
    let earliest = format!("{}.{signature}", i64::MIN);
    for since in ["0".to_owned(), "0.".to_owned(), format!("0.{signature}"), ".".to_owned(), earliest, signed]
    {
        for (name, value) in [("prompt", "login"), ("max_age", "0")] {
            let page = ada.open(&shop.asks(&[(name, value), ("since", &since)])).await;
            assert!(page.path.starts_with("/confirm?next="), "{name} {since}: {}", page.path);
        }
    }
    // Who signs in on the way has shown it.
    let browser = guild.browser();
    let page = browser.open(&shop.asks(&[("prompt", "login")])).await;
    let next = parameter(&page.path, "next").unwrap();
    guild.pass(SECOND);
    let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next.as_str())];
    let page = browser.send("/sign-in", &fields).await;
    assert!(parameter(&page.path, "code").is_some(), "{}", page.path);
    // But not for long, nor for somebody who had signed in before.
    assert!(ada.open(&next).await.path.starts_with("/confirm?next="));
    guild.pass(601 * SECOND);
    assert!(browser.open(&next).await.path.starts_with("/confirm?next="));
}

#[tokio::test]
async fn that_they_have_shown_who_they_are_counts_for_one_request_and_not_for_long() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    shop.is_agreed_to(&ada, &[]).await;
    guild.pass(60 * SECOND);
    let page = ada.open(&shop.asks(&[("prompt", "login")])).await;
    let next = parameter(&page.path, "next").unwrap();
    guild.pass(SECOND);
    let page = ada.send("/confirm", &[("password", PASSWORD), ("next", &next)]).await;
    assert!(parameter(&page.path, "code").is_some(), "{}", page.path);
    // What led there is in the history of the browser.
    let since = parameter(&next, "since").unwrap();
    for (name, value) in [("state", "another"), ("scope", "market:id:a")] {
        let other = shop.asks(&[("prompt", "login"), (name, value), ("since", &since)]);
        assert!(ada.open(&other).await.path.starts_with("/confirm?next="), "{name}");
    }
    guild.pass(601 * SECOND);
    assert!(ada.open(&next).await.path.starts_with("/confirm?next="));
}

#[tokio::test]
async fn whom_an_application_means_is_who_lets_it_in() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let bob = guild.signed_up("bob").await;
    shop.organization.invites("bob@example.com", &shop.organization.read_only).await;
    let hint = async |browser: &Browser<'_>| {
        let given = shop.is_let_in_for(browser, "openid market:all").await;
        given.all["id_token"].as_str().unwrap().to_owned()
    };
    let (adas, bobs) = (hint(&ada).await, hint(&bob).await);
    let other = Webapp::of(shop.organization.clone(), json!({})).await;
    // It may have ended long ago.
    guild.pass(7 * 24 * 3600 * SECOND);
    let ada = guild.browser();
    ada.signs_in("ada").await;
    let asks = |hint: &str, prompt: &str| shop.asks(&[("id_token_hint", hint), ("prompt", prompt)]);
    for prompt in ["none", ""] {
        let page = ada.open(&asks(&adas, prompt)).await;
        assert!(parameter(&page.path, "code").is_some(), "{}", page.path);
        let page = ada.open(&asks(&bobs, prompt)).await;
        assert_eq!(parameter(&page.path, "error").as_deref(), Some("login_required"), "{}", page.path);
        assert_eq!(parameter(&page.path, "code"), None);
        let (signed, _) = adas.rsplit_once('.').unwrap();
        for odd in ["x", "a.b.c", &format!("{signed}.AAAA"), &shop.client_secret] {
            let page = ada.open(&asks(odd, prompt)).await;
            assert_eq!(parameter(&page.path, "error").as_deref(), Some("invalid_request"), "{odd}");
        }
    }
    // Nor does a form help, nor the token of another application.
    let path = asks(&bobs, "consent");
    let page = ada.send(&path, &[("decision", "allow")]).await;
    assert_eq!(parameter(&page.path, "code"), None, "{}", page.path);
    let page = ada.open(&other.asks(&[("id_token_hint", &adas)])).await;
    assert_eq!(parameter(&page.path, "error").as_deref(), Some("invalid_request"), "{}", page.path);
}

#[tokio::test]
async fn what_nobody_knows_changes_nothing() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    for display in ["page", "popup"] {
        let path = shop.asks(&[
            ("unknown", "x"),
            ("display", display),
            ("ui_locales", "se"),
            ("claims_locales", "se"),
            ("acr_values", "1 2"),
            ("prompt", "consent"),
        ]);
        assert_eq!(ada.open(&path).await.heading(), "Shop wants to act for you");
        let address = ada.send(&path, &[("decision", "allow")]).await.path;
        assert_eq!(shop.redeems(&parameter(&address, "code").unwrap()).await.status, 200);
    }
}

#[tokio::test]
async fn the_dashboards_own_application_has_codes_too() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let here = "http://127.0.0.1:49152/callback";
    let challenge = crate::webapp::challenge();
    let path = format!(
        "/oauth/authorize?{}",
        query(&[
            ("response_type", "code"),
            ("client_id", "dashboard"),
            ("redirect_uri", here),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ])
    );
    ada.open(&path).await;
    let address = ada.send(&path, &[("decision", "allow")]).await.path;
    let grant = json!({
        "grant_type": "authorization_code", "client_id": "dashboard", "redirect_uri": here,
        "code": parameter(&address, "code").unwrap(), "code_verifier": crate::webapp::VERIFIER,
    });
    let tokens = Tokens::of(&guild.nobody().post("/oauth/token", grant).await);
    insta::assert_snapshot!(crate::guild::pretty(&tokens.all, &["access_token", "refresh_token"]), @r#"
    {
      "access_token": "…",
      "token_type": "bearer",
      "expires_in": 7200,
      "scope": "provisioning-api metrics-api",
      "created_at": 1767268800,
      "refresh_token": "…",
      "owner_id": "AAAAAAAAAI",
      "owner_type": "user"
    }
    "#);
    insta::assert_snapshot!(crate::guild::pretty(&tokens.claims(), &["rand"]), @r#"
    {
      "user": {
        "id": "AAAAAAAAAI"
      },
      "application": {
        "id": "dashboard",
        "client_id": "dashboard",
        "kind": "dashboard",
        "public": false,
        "confidential": false
      },
      "scope": "provisioning-api metrics-api",
      "exp": 1767276000,
      "test": false,
      "rand": "…",
      "iat": 1767268800,
      "iss": "https://auth.example.test"
    }
    "#);
    assert_eq!(guild.bearer(&tokens.access).get("/api/user").await.status, 200);
    assert_eq!(guild.bearer(&tokens.access).get("/api/organizations").await.status, 200);
}

#[tokio::test]
async fn a_link_alone_leads_nobody_elsewhere() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let path = shop.asks(&[("scope", "everything")]);
    let page = guild.browser().open(&path).await;
    assert!(page.path.starts_with("/sign-in?next="), "{}", page.path);
    assert!(ada.open(&path).await.path.starts_with(CALLBACK));
}

#[tokio::test]
async fn what_is_not_known_here_is_left_out_of_who_somebody_is() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let tokens = shop.is_let_in_for(&ada, "openid offline_access email address phone").await;
    assert_eq!(tokens.all["scope"], json!("openid email"));
    let grant = json!({ "grant_type": "refresh_token", "refresh_token": tokens.refresh, "scope": "openid offline_access email" });
    assert_eq!(shop.asks_for_token(grant).await.status, 200);
    let address = ada.open(&shop.asks(&[("scope", "offline_access market:all")])).await.path;
    assert_eq!(parameter(&address, "error").as_deref(), Some("invalid_scope"));
}

#[tokio::test]
async fn only_members_let_it_in() {
    let guild = Guild::new().await;
    let (shop, _) = Webapp::new(&guild).await;
    let bob = guild.signed_up("bob").await;
    let page = bob.open(&shop.asks(&[])).await;
    assert_eq!((page.status, page.heading().as_str()), (403, "You are not a member of Blue"));
    assert!(page.html.contains("error=access_denied"));
    let forced = bob.send(&shop.asks(&[]), &[("decision", "allow")]).await;
    assert_eq!((forced.status, guild.number("select count(*) from authorization_codes").await), (403, 0));
    let silent = bob.open(&shop.asks(&[("prompt", "none")])).await;
    assert_eq!(parameter(&silent.path, "error").as_deref(), Some("interaction_required"));
}

#[tokio::test]
async fn a_yes_comes_from_our_page_or_it_is_none() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let path = shop.asks(&[]);
    ada.open(&path).await;
    let forged = ada.send(&path, &[("decision", "allow"), ("csrf", "x")]).await;
    assert_eq!((forged.status, forged.heading().as_str()), (403, "That form cannot be accepted"));
    let body = query(&[("decision", "allow"), ("csrf", &ada.csrf.borrow().clone())]);
    for (name, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request = ada.request("POST", &path).header(name, value);
        assert_eq!(
            ada.send_as_is(request.body(Body::from(body.clone())).unwrap()).await.status,
            403,
            "{name}"
        );
    }
    // In another browser the form is worth nothing.
    let other = guild.browser();
    other.signs_in("ada").await;
    let request = other.request("POST", &path);
    assert_eq!(other.send_as_is(request.body(Body::from(body)).unwrap()).await.status, 403);
    assert_eq!(guild.number("select count(*) from authorization_codes").await, 0);
}

#[tokio::test]
async fn an_application_may_send_the_browser_by_a_form() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let parameters = shop.asks(&[]).split_once('?').unwrap().1.to_owned();
    let request = ada.request("POST", "/oauth/authorize").header("origin", "https://app.example.com");
    let reply = ada.send_as_is(request.body(Body::from(parameters)).unwrap()).await;
    assert_eq!(reply.status, 303);
    assert_eq!(ada.open(reply.header("location")).await.heading(), "Shop wants to act for you");
}

#[tokio::test]
async fn looking_at_the_question_gives_nothing() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    ada.ask("GET", &shop.asks(&[]), &[]).await;
    // Not even to somebody who has agreed before, for who only wants to know whether there is a page.
    let yes = guild.browser();
    yes.signs_in("ada").await;
    assert_eq!(yes.ask("HEAD", &shop.asks(&[]), &[]).await.status, 405);
    for table in ["authorization_codes", "consents", "chains"] {
        let sql: &'static str = Box::leak(format!("select count(*) from {table}").into_boxed_str());
        assert_eq!(guild.number(sql).await, 0, "{table}");
    }
}

#[tokio::test]
async fn whoever_agreed_is_who_the_token_is_for() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let bob = guild.signed_up("bob").await;
    shop.organization.invites("bob@example.com", &shop.organization.read_only).await;
    let of = async |browser: &Browser<'_>| {
        let tokens: Tokens = shop.is_let_in_by(browser).await;
        tokens.claims()["owner"]["id"].as_str().unwrap().to_owned()
    };
    let (adas, bobs) = (of(&ada).await, of(&bob).await);
    assert_ne!(adas, bobs);
    assert_eq!(adas, shop.organization.owner.id);
}
