//! What must not be possible, a test each, named after what it prevents.

use crate::browser::{Browser, HOST, PASSWORD};
use crate::guild::{DAY, Guild, Reply, SECOND, change};
use crate::pages::{sets_up_codes, shown};
use axum::body::Body;
use guildhall::resources::users;
use guildhall_store::Sql;
use serde_json::json;
use std::time::{Duration, Instant};

/// An answer without what differs from one browser and request to the next.
fn seen(reply: &Reply, email: &str) -> (u16, String, String) {
    let mut html = reply.text().replace(email, "EMAIL").replace(&email.to_uppercase(), "EMAIL");
    while let Some((before, rest)) = html.split_once("name=\"csrf\" value=\"") {
        let after = rest.split_once('"').unwrap().1.to_owned();
        html = format!("{before}{after}");
    }
    (reply.status, reply.header("location").to_owned(), html)
}

/// How often the first of a pair is slower than the second: about half of the time, when nothing tells them
/// apart; always or never, when one of them costs a hash of a password more.
fn slower(known: &[Duration], unknown: &[Duration]) -> f64 {
    let pairs = known.iter().flat_map(|one| unknown.iter().map(move |other| one > other));
    let all = u32::try_from(known.len() * unknown.len()).unwrap();
    f64::from(u32::try_from(pairs.filter(|slower| *slower).count()).unwrap()) / f64::from(all)
}

/// Asks for a known and an unknown address in turn; the answers are the same, and so are the times as far as
/// statistics tell (OWASP ASVS 5.0.0, 6.3.8).
async fn cannot_be_told_apart(
    guild: &Guild,
    path: &str,
    fields: impl Fn(&str) -> Vec<(&'static str, String)>,
) {
    let mut last = 10;
    let mut rounds = Vec::new();
    for _ in 0..3 {
        let mut times = [Vec::new(), Vec::new()];
        for turn in 0..24 {
            let mut answers = Vec::new();
            // Who comes first takes turns too.
            for who in [turn % 2, 1 - turn % 2] {
                let email = if who == 0 { "ada@example.com" } else { "eve@example.com" };
                last = last % 240 + 10;
                let browser = guild.browser_at(u8::try_from(last).unwrap());
                browser.open(path).await;
                let fields = fields(email);
                let fields: Vec<(&str, &str)> =
                    fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
                let began = Instant::now();
                let reply = browser.ask("POST", path, &fields).await;
                times[who].push(began.elapsed());
                answers.push(seen(&reply, email));
            }
            assert_eq!(answers[0], answers[1]);
            guild.pass(60 * SECOND);
        }
        let share = slower(&times[0], &times[1]);
        if (0.15..=0.85).contains(&share) {
            return;
        }
        rounds.push(share);
    }
    panic!("known addresses are slower in these shares of all pairs: {rounds:?}");
}

#[tokio::test]
async fn discovery_of_accounts_by_sign_in() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    cannot_be_told_apart(&guild, "/sign-in", |email| {
        vec![("email", email.to_owned()), ("password", "wrong-password".to_owned())]
    })
    .await;
}

#[tokio::test]
async fn discovery_of_accounts_by_sign_up() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    cannot_be_told_apart(&guild, "/sign-up", |email| {
        [("email", email), ("password", PASSWORD), ("first_name", "E"), ("last_name", "F")]
            .map(|(name, value)| (name, value.to_owned()))
            .to_vec()
    })
    .await;
    // The letter says it, to whoever owns the address.
    assert!(guild.letter_to("ada@example.com").await.contains("There is one already."));
}

#[tokio::test]
async fn discovery_of_accounts_by_the_code_of_a_sign_up() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    let mut answers = Vec::new();
    for name in ["ada", "eve"] {
        let browser = guild.browser();
        let checked = browser.asks_to_sign_up(name).await;
        answers.push(seen(&checked.reply, &format!("{name}@example.com")));
        let wrong = browser.send("/sign-up/check", &[("code", "999999")]).await;
        answers.push(seen(&wrong.reply, &format!("{name}@example.com")));
    }
    assert_eq!(answers[..2], answers[2..]);
}

#[tokio::test]
async fn discovery_of_accounts_by_reset() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    cannot_be_told_apart(&guild, "/reset", |email| vec![("email", email.to_owned())]).await;
    assert_eq!(guild.letters_to("eve@example.com").await, 0);
}

#[tokio::test]
async fn discovery_of_accounts_by_invitation_of_whoever_is_asked_first() {
    let guild = Guild::new().await;
    guild.signed_up("grace").await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    guild
        .operate(|work| {
            let blue = guildhall::resources::organizations::by_slug(work, "blue")?.unwrap();
            guildhall::resources::organizations::ask_existing_users(work, &blue, true)
        })
        .await
        .unwrap();
    // What is known of members is what the contract shows at once; who is asked shows nothing before their yes.
    let mut shown = Vec::new();
    for email in ["grace@example.com", "nobody@example.com"] {
        let made = ada.post("/api/memberships", blue.invitation(email, &blue.read_only)).await;
        let names = ["status", "user_first_name", "user_last_name"];
        shown.push(names.map(|name| made.attribute(name)));
    }
    assert_eq!(shown[0], shown[1]);
    assert_eq!(shown[0], ["pending", "", ""]);
}

#[tokio::test]
async fn guessing_passwords() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    guild.pass(DAY);
    let browser = guild.browser();
    browser.open("/sign-in").await;
    let wrong = [("email", "ada@example.com"), ("password", "wrong")];
    for _ in 0..10 {
        assert_eq!(browser.ask("POST", "/sign-in", &wrong).await.status, 422);
    }
    let page = browser.send("/sign-in", &wrong).await;
    assert_eq!((page.status, page.reply.header("retry-after")), (429, "20"));
    assert!(page.says("Too many tries. Please wait a minute."));
    // Not even the right one tells anything now.
    assert_eq!(browser.signs_in("ada").await.status, 429);
    guild.pass(20 * SECOND);
    assert_eq!(browser.signs_in("ada").await.path, "/");
}

#[tokio::test]
async fn locking_somebody_out_by_guessing() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    for last in 100..130 {
        let attacker = guild.browser_at(last);
        attacker.open("/sign-in").await;
        for _ in 0..12 {
            // Past the hash, which would take minutes: the counting is what is tried here.
            let tries = [
                guildhall::accounts::guesses::Try::From(attacker.address),
                guildhall::accounts::guesses::Try::Password("ada@example.com".to_owned()),
            ];
            guild.app.guesses.take_here(&tries, guild.app.clock.now()).ok();
        }
    }
    assert_eq!(guild.browser_at(200).signs_in("ada").await.path, "/");
}

#[tokio::test]
async fn guessing_one_time_codes() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    sets_up_codes(&ada).await;
    let mut guesses = 0;
    for last in 100..110 {
        let thief = guild.browser_at(last);
        thief.signs_in("ada").await;
        for _ in 0..5 {
            let reply = thief.ask("POST", "/sign-in/code", &[("code", "000000")]).await;
            // The fifth leads back to the password; then the sixth would be refused, or nobody is asked any more.
            let asked = reply.status == 422 || reply.header("location") == "/sign-in?said=start-again";
            guesses += usize::from(asked);
        }
    }
    assert_eq!(guesses, 10);
}

#[tokio::test]
async fn a_one_time_code_used_twice() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (seed, _) = sets_up_codes(&ada).await;
    // The one that turned them on is used already.
    let browser = guild.browser();
    browser.signs_in("ada").await;
    assert_eq!(browser.send("/sign-in/code", &[("code", &shown(&guild, &seed))]).await.status, 422);
    guild.pass(60 * SECOND);
    let code = shown(&guild, &seed);
    assert_eq!(browser.send("/sign-in/code", &[("code", &code)]).await.path, "/");
    let other = guild.browser();
    other.signs_in("ada").await;
    assert_eq!(other.send("/sign-in/code", &[("code", &code)]).await.status, 422);
}

#[tokio::test]
async fn session_fixation() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    let browser = guild.browser();
    browser.open("/sign-in").await;
    let planted = "P".repeat(43);
    let known = browser.cookies.borrow()["visitor"].clone();
    browser.cookies.borrow_mut().insert("session".to_owned(), planted.clone());
    browser.signs_in("ada").await;
    let cookies = browser.cookies.borrow().clone();
    assert_ne!(cookies["session"], planted);
    assert_ne!(cookies["visitor"], known);
    let thief = guild.browser();
    thief.cookies.borrow_mut().insert("session".to_owned(), planted);
    thief.cookies.borrow_mut().insert("visitor".to_owned(), known);
    assert_eq!(thief.open("/").await.path, "/sign-in");
}

/// Every form there is, with fields that would do something.
const FORMS: [(&str, &[(&str, &str)]); 12] = [
    (
        "/sign-up",
        &[("email", "x@example.com"), ("password", PASSWORD), ("first_name", "X"), ("last_name", "Y")],
    ),
    ("/sign-in", &[("email", "ada@example.com"), ("password", PASSWORD)]),
    ("/sign-out", &[]),
    ("/reset", &[("email", "ada@example.com")]),
    ("/language", &[("language", "it")]),
    ("/organizations", &[("name", "Green")]),
    ("/account", &[("first_name", "Eve"), ("last_name", "")]),
    ("/account/address", &[("email", "eve@example.com")]),
    ("/account/api", &[]),
    ("/account/security/password", &[("password", "velvet-anchor-thistle")]),
    ("/account/security/end-all", &[]),
    ("/passkey/options", &[("kind", "create")]),
];

#[tokio::test]
async fn forgery_of_requests_from_other_sites() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    ada.open("/account").await;
    let own = ada.csrf.borrow().clone();
    let stranger = guild.browser();
    stranger.open("/sign-in").await;
    let strangers = stranger.csrf.borrow().clone();
    let before = traces(&guild).await;
    for (path, fields) in FORMS {
        for (token, header, value) in [
            ("", "x-nothing", "x"),
            (strangers.as_str(), "x-nothing", "x"),
            (&own, "origin", "https://evil.example"),
            (&own, "origin", "null"),
            (&own, "sec-fetch-site", "cross-site"),
            (&own, "sec-fetch-site", "same-site"),
        ] {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.append_pair("csrf", token).extend_pairs(fields.iter());
            let request = ada.request("POST", path).header(header, value);
            let reply = ada.send_as_is(request.body(Body::from(form.finish())).unwrap()).await;
            assert_eq!(reply.status, 403, "{path} {header}: {value}");
            assert_eq!(reply.header("set-cookie"), "");
        }
    }
    assert_eq!(traces(&guild).await, before);
    let fine = ada.request("POST", "/language").header("origin", crate::browser::HOME);
    let body = format!("csrf={own}&language=it");
    let reply = ada.send_as_is(fine.header("sec-fetch-site", "same-origin").body(body.into()).unwrap()).await;
    assert_eq!(reply.status, 303);
}

/// What a change would leave.
async fn traces(guild: &Guild) -> Vec<i64> {
    let mut found = Vec::new();
    for table in ["history", "sessions", "letters", "sign_ups", "proofs", "owed_codes", "organizations"] {
        let table = table.to_owned();
        let count = guild
            .app
            .db
            .read(move |tx| -> Result<_, guildhall_store::Error> {
                let mut sql = Sql::text("select count(*) from ");
                sql.push(&table);
                Ok(tx.rows(&sql)?.first().unwrap().int(0))
            })
            .await
            .unwrap();
        found.push(count);
    }
    found
}

#[tokio::test]
async fn forgery_of_a_sign_in_with_somebody_elses_account() {
    let guild = Guild::new().await;
    guild.signed_up("mallory").await;
    let mallory = guild.browser();
    mallory.open("/sign-in").await;
    let token = mallory.csrf.borrow().clone();
    let victim = guild.browser();
    let fields = [("csrf", token.as_str()), ("email", "mallory@example.com"), ("password", PASSWORD)];
    assert_eq!(victim.ask("POST", "/sign-in", &fields).await.status, 403);
    victim.open("/sign-in").await;
    assert_eq!(victim.ask("POST", "/sign-in", &fields).await.status, 403);
    assert!(!victim.cookies.borrow().contains_key("session"));
}

#[tokio::test]
async fn redirects_to_other_sites() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    for next in [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "/%0d%0aSet-Cookie:a=b",
    ] {
        let browser = guild.browser();
        browser.open("/sign-in").await;
        let fields = [("email", "ada@example.com"), ("password", PASSWORD), ("next", next)];
        let reply = browser.ask("POST", "/sign-in", &fields).await;
        let to = reply.header("location");
        assert!(to.starts_with('/') && !to.starts_with("//") && !to.contains("evil"), "{next} leads to {to}");
        assert!(!reply.headers.get_all("set-cookie").iter().any(|line| line == "a=b"));
    }
}

#[tokio::test]
async fn pages_in_the_frames_of_others_and_scripts_of_others() {
    let guild = Guild::new().await;
    let browser = guild.browser();
    for path in ["/sign-in", "/nowhere", "/invitations/x", "/"] {
        let reply = browser.ask("GET", path, &[]).await;
        let policy = reply.header("content-security-policy");
        for rule in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
        {
            assert!(policy.contains(rule), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"));
        assert_eq!(reply.header("x-frame-options"), "DENY");
        assert_eq!(reply.header("referrer-policy"), "strict-origin");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
    }
}

#[tokio::test]
async fn a_link_of_one_purpose_used_for_another() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let blue = guild.user("bob").await.creates_organization("Blue").await;
    blue.invites("new@example.com", &blue.read_only).await;
    let waiting = guild.browser();
    waiting.asks_to_sign_up("eve").await;
    ada.open("/account").await;
    ada.send("/account/address", &[("email", "ada2@example.com")]).await;
    guild.pass(1);
    let browser = guild.browser();
    browser.open("/reset").await;
    browser.send("/reset", &[("email", "ada@example.com")]).await;
    let links = [
        guild.link_for("new@example.com").await,
        guild.link_for("eve@example.com").await,
        guild.link_for("ada2@example.com").await,
        guild.link_for("ada@example.com").await,
    ];
    let places = ["/invitations/", "/sign-up/", "/account/address/", "/reset/", "/address/"];
    for link in &links {
        let (own, token) = link.rsplit_once('/').unwrap();
        for place in places {
            if place.trim_end_matches('/') == own {
                continue;
            }
            let path = format!("{place}{token}");
            ada.open("/account").await;
            assert_eq!(ada.send(&path, &[("password", PASSWORD)]).await.status, 404, "{own} as {place}");
            for deed in ["accept", "join", "decline", "renew"] {
                let path = format!("/invitations/{token}/{deed}");
                if own != "/invitations" {
                    assert_eq!(ada.send(&path, &[]).await.status, 404, "{path}");
                }
            }
        }
        // Nor is it a session, nor a bearer token.
        let thief = guild.browser();
        thief.cookies.borrow_mut().insert("session".to_owned(), token.to_owned());
        assert_eq!(thief.open("/").await.path, "/sign-in");
        assert_eq!(guild.bearer(token).get("/api/user").await.status, 401);
    }
}

#[tokio::test]
async fn tokens_at_rest_and_in_answers_of_the_api() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let id = blue.invites("new@example.com", &blue.read_only).await;
    let grace = guild.signed_up("grace").await;
    guild.pass(1);
    let browser = guild.browser();
    browser.asks_to_sign_up("eve").await;
    browser.open("/reset").await;
    browser.send("/reset", &[("email", "grace@example.com")]).await;
    let mut secrets =
        vec![grace.cookies.borrow()["session"].clone(), browser.cookies.borrow()["visitor"].clone()];
    for email in ["new@example.com", "eve@example.com", "grace@example.com"] {
        secrets.push(guild.link_for(email).await.rsplit('/').next().unwrap().to_owned());
    }
    secrets.push(PASSWORD.to_owned());
    let mut answers = ada.get(&format!("/api/memberships/{id}?include=organization,role")).await.text();
    answers.push_str(&ada.get("/api/versions").await.text());
    let everything = everything(&guild).await;
    for secret in secrets {
        assert!(!everything.contains(&secret), "{secret} is in the database");
        assert!(!answers.contains(&secret), "{secret} is in an answer");
    }
}

/// Every text in the database.
async fn everything(guild: &Guild) -> String {
    let tables = [
        "users",
        "passwords",
        "otp_seeds",
        "recovery_codes",
        "passkeys",
        "sessions",
        "owed_codes",
        "sign_ups",
        "proofs",
        "invitation_links",
        "letters",
        "history",
        "memberships",
        "user_applications",
    ];
    guild
        .app
        .db
        .read(move |tx| -> Result<_, guildhall_store::Error> {
            let mut all = String::new();
            for table in tables {
                for column in tx.columns(table)? {
                    let mut sql = Sql::text("select cast(");
                    sql.push(&column).push(" as text) from ").push(table);
                    for row in tx.rows(&sql)?.iter() {
                        all.push_str(row.maybe_text(0).unwrap_or_default());
                        all.push('\n');
                    }
                }
            }
            Ok(all)
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn assignment_of_what_no_field_offers() {
    let guild = Guild::with(|config| "growth".clone_into(&mut config.default_plan)).await;
    let browser = guild.browser();
    browser.open("/sign-up").await;
    let more = [
        ("plan", "enterprise"),
        ("email_proved", "true"),
        ("id", "AAAAAAAAAA"),
        ("otp_required_for_login", "true"),
        ("owner", "true"),
        ("disabled_at", "1"),
        ("email", "second@example.com"),
        ("user_id", "x"),
    ];
    let mut fields = vec![
        ("password", PASSWORD),
        ("first_name", "Grace"),
        ("last_name", "Hopper"),
        ("email", "grace@example.com"),
    ];
    fields.splice(0..0, more);
    browser.send("/sign-up", &fields).await;
    let code = guild.code_for("grace@example.com").await;
    browser.send("/sign-up/check", &[("code", &code), ("plan", "enterprise")]).await;
    browser.open("/account").await;
    let mut fields = more.to_vec();
    fields.extend([("first_name", "Grace"), ("last_name", "Hopper")]);
    browser.send("/account", &fields).await;
    let own = "select count(*) from users where plan = 'growth' and email = 'grace@example.com' and id <> 'AAAAAAAAAA'
               and not otp_required_for_login and disabled_at is null";
    assert_eq!(guild.number(own).await, 1);
}

#[tokio::test]
async fn cookies_that_scripts_other_sites_or_other_hosts_can_use() {
    let guild = Guild::with(|config| config.dev = false).await;
    let browser = guild.browser();
    let page = browser.open("/sign-in").await;
    assert_eq!(page.reply.header("strict-transport-security"), "max-age=31536000");
    let line = page.reply.header("set-cookie").to_owned();
    let (cookie, attributes) = line.split_once("; ").unwrap();
    assert!(cookie.starts_with("__Host-visitor="), "{line}");
    assert_eq!(attributes, "HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=31536000");
    guild.user("ada").await;
    browser.send("/reset", &[("email", "ada@example.com")]).await;
    let letter = guild.letters().await.remove(0).replace("=\r\n", "");
    let link = format!("/reset/{}", &letter.split("/reset/").nth(1).unwrap()[..43]);
    browser.open(&link).await;
    browser.send(&link, &[("password", PASSWORD)]).await;
    browser.open("/sign-in").await;
    let reply =
        browser.ask("POST", "/sign-in", &[("email", "ada@example.com"), ("password", PASSWORD)]).await;
    let lines: Vec<&str> =
        reply.headers.get_all("set-cookie").iter().map(|line| line.to_str().unwrap()).collect();
    let session = lines.iter().find(|line| line.starts_with("__Host-session=")).unwrap();
    assert!(session.ends_with("; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=5184000"), "{session}");
}

#[tokio::test]
async fn an_account_taken_before_its_owner_comes() {
    let guild = Guild::new().await;
    // Mallory signs up with Grace's address and a password of her own, and waits for Grace's press of the button.
    let mallory = guild.browser();
    mallory.asks_to_sign_up("grace").await;
    let link = guild.link_for("grace@example.com").await;
    let grace = guild.browser();
    let page = grace.open(&link).await;
    assert!(page.says("If you did not sign up, leave this page."));
    assert_eq!(grace.send(&link, &[]).await.status, 422);
    assert_eq!(guild.number("select count(*) from users").await, 0);
    // Grace signs up herself: what Mallory knows opens nothing.
    guild.pass(1);
    let own = guild.browser();
    own.open("/sign-up").await;
    let fields = [
        ("email", "grace@example.com"),
        ("password", "velvet-anchor-thistle"),
        ("first_name", "Grace"),
        ("last_name", "H"),
    ];
    own.send("/sign-up", &fields).await;
    let code = guild.code_for("grace@example.com").await;
    own.send("/sign-up/check", &[("code", &code)]).await;
    assert_eq!(guild.browser().signs_in("grace").await.status, 422);
    assert_eq!(mallory.open("/sign-up/check").await.status, 404);
}

#[tokio::test]
async fn invitations_to_addresses_somebody_only_claims() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let mallory = guild.user("mallory").await;
    let changed = change("users", &mallory.id, json!({ "email": "grace@example.com" }));
    assert_eq!(mallory.patch("/api/user", changed).await.status, 200);
    let id = blue.invites("grace@example.com", &blue.read_only).await;
    assert_eq!(ada.get(&format!("/api/memberships/{id}")).await.attribute("status"), "pending");
    assert_eq!(mallory.get("/api/organizations").await.ids(), Vec::<String>::new());
}

/// One way in of a member: what the next request with it is answered.
async fn doors(guild: &Guild, grace: &Browser<'_>, token: &str, organization: &str) -> [u16; 3] {
    [
        grace.ask("GET", "/organizations/blue", &[]).await.status,
        guild.bearer(token).get(&format!("/api/organizations/{organization}")).await.status,
        guild.bearer(token).get("/api/user").await.status,
    ]
}

#[tokio::test]
async fn access_that_outlives_membership_session_or_account() {
    for (what, expected) in [
        ("removed", [404, 404, 200]),
        ("demoted", [200, 200, 200]),
        ("session ended", [303, 200, 200]),
        ("secret rotated", [200, 401, 401]),
        ("disabled", [303, 401, 401]),
        ("deleted", [303, 401, 401]),
    ] {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let browser = guild.signed_up("grace").await;
        guild.pass(1);
        let id = blue.invites("grace@example.com", &blue.admin).await;
        let grace = guild.with_new_token("grace@example.com").await;
        let token = grace.token.clone().unwrap();
        guild.pass(2 * SECOND);
        assert_eq!(doors(&guild, &browser, &token, &blue.id).await, [200, 200, 200], "{what}");
        match what {
            "removed" => assert_eq!(ada.delete(&format!("/api/memberships/{id}")).await.status, 204),
            "demoted" => {
                let mut document = change("memberships", &id, json!({}));
                document["data"]["relationships"] =
                    json!({ "role": crate::guild::link("roles", &blue.read_only) });
                assert_eq!(ada.patch(&format!("/api/memberships/{id}"), document).await.status, 200);
            }
            "session ended" => {
                browser.open("/").await;
                browser.send("/sign-out", &[]).await;
            }
            _ => {
                guild
                    .operate(move |work| {
                        let user = users::by_email(work, "grace@example.com")?.unwrap();
                        match what {
                            "disabled" => users::set_disabled(work, &user, true),
                            "deleted" => users::erase(work, &user),
                            _ => users::rotate_secret(work, &user).map(drop),
                        }
                    })
                    .await
                    .unwrap();
            }
        }
        assert_eq!(doors(&guild, &browser, &token, &blue.id).await, expected, "{what}");
        let invitation = blue.invitation("x@example.com", &blue.read_only);
        let invited = guild.bearer(&token).post("/api/memberships", invitation).await.status == 201;
        assert_eq!(invited, what == "session ended", "{what}");
        // Neither a restart nor being let in again brings the old ones back.
        let guild = guild.restarted().await;
        let again = Browser { guild: &guild, ..guild.browser() };
        again.cookies.borrow_mut().clone_from(&browser.cookies.borrow());
        assert_eq!(doors(&guild, &again, &token, &blue.id).await, expected, "{what} after a restart");
        if what == "disabled" {
            guild
                .operate(|work| {
                    let user = users::by_email(work, "grace@example.com")?.unwrap();
                    users::set_disabled(work, &user, false)
                })
                .await
                .unwrap();
            assert_eq!(doors(&guild, &again, &token, &blue.id).await, expected, "enabled again");
        }
    }
}

#[tokio::test]
async fn a_host_header_that_leads_links_elsewhere() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    let browser = guild.browser();
    browser.open("/reset").await;
    let csrf = browser.csrf.borrow().clone();
    let body = format!("csrf={csrf}&email=ada%40example.com");
    let request = browser.request("POST", "/reset").header("x-forwarded-host", "evil.example");
    guild.pass(1);
    browser.send_as_is(request.body(body.into()).unwrap()).await;
    let letter = guild.letter_to("ada@example.com").await;
    assert!(letter.contains(HOST) && !letter.contains("evil"), "{letter}");
}

#[tokio::test]
async fn secrets_in_the_log() {
    let guild = Guild::new().await;
    let blue = guild.user("ada").await.creates_organization("Blue").await;
    blue.invites("new@example.com", &blue.read_only).await;
    let link = guild.link_for("new@example.com").await;
    guild.browser().open(&link).await;
    // Every installation of these tests looks for secrets when it ends: see `guild`.
    assert!(guild.log().contains("path=\"/invitations/…\" status=200"), "{}", guild.log());
}

#[tokio::test]
async fn somebody_elses_address_kept_by_a_claim() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let mallory = guild.user("mallory").await;
    let claim = |id: &str, email: &str| change("users", id, json!({ "email": email }));
    assert_eq!(mallory.patch("/api/user", claim(&mallory.id, "grace@example.com")).await.status, 200);
    blue.invites("grace@example.com", &blue.read_only).await;
    let link = guild.link_for("grace@example.com").await;
    let grace = guild.browser();
    assert_eq!(grace.open(&link).await.fields(), ["name", "password"]);
    let page = grace.send(&format!("{link}/join"), &[("name", "Grace H"), ("password", PASSWORD)]).await;
    assert_eq!(page.path, "/?said=joined");
    assert_eq!(mallory.get("/api/user").await.attribute("email"), "mallory@example.com");
    // Signing up works as well, and so does a reset where one has an account.
    assert_eq!(mallory.patch("/api/user", claim(&mallory.id, "heidi@example.com")).await.status, 200);
    guild.signed_up("heidi").await;
    assert_eq!(guild.browser().signs_in("heidi").await.path, "/");
    assert_eq!(mallory.get("/api/user").await.attribute("email"), "mallory@example.com");
}

#[tokio::test]
async fn an_intruder_who_stays_after_the_address_is_taken_back() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let owner = guild.user("owner").await;
    let blue = owner.creates_organization("Blue").await;
    guild.pass(1000);
    let token = guild.with_new_token("ada@example.com").await;
    guild.pass(2000);
    // Whoever got in moves the account away and makes ways in of their own.
    ada.open("/account").await;
    ada.send("/account/address", &[("form", "address"), ("email", "mallory@example.com")]).await;
    let link = guild.link_for("mallory@example.com").await;
    ada.open(&link).await;
    ada.send(&link, &[]).await;
    guild.pass(1);
    ada.open("/account/security").await;
    ada.send("/account/security/password", &[("password", "velvet-anchor-thistle")]).await;
    sets_up_codes(&ada).await;
    // A second account that claims the old address, and an invitation to it, do not stand in the way.
    let accomplice = guild.user("accomplice").await;
    let claim = change("users", &accomplice.id, json!({ "email": "ada@example.com" }));
    assert_eq!(accomplice.patch("/api/user", claim).await.status, 200);
    blue.invites("ada@example.com", &blue.read_only).await;
    let letters = guild.letters().await;
    let letter =
        letters.iter().find(|letter| letter.contains("To: ada@example.com") && letter.contains("/address/"));
    let letter = letter.unwrap().replace("=\r\n", "");
    let back = format!("/address/{}", &letter.split("/address/").nth(1).unwrap()[..43]);
    let browser = guild.browser();
    browser.open(&back).await;
    assert_eq!(browser.send(&back, &[]).await.path, "/reset?said=address-back");
    assert_eq!(ada.open("/").await.path, "/sign-in");
    assert_eq!(token.get("/api/user").await.status, 401);
    let intruder = guild.browser();
    intruder.open("/sign-in").await;
    for email in ["ada@example.com", "mallory@example.com"] {
        let fields = [("email", email), ("password", "velvet-anchor-thistle")];
        assert_eq!(intruder.send("/sign-in", &fields).await.status, 422, "{email}");
    }
    browser.resets_password("ada@example.com", PASSWORD).await;
    assert_eq!(browser.signs_in("ada").await.path, "/");
}

#[tokio::test]
async fn a_sign_in_begun_before_a_reset_and_ended_after_it() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (_, codes) = sets_up_codes(&ada).await;
    let thief = guild.browser();
    assert_eq!(thief.signs_in("ada").await.path, "/sign-in/code");
    guild.browser().resets_password("ada@example.com", "velvet-anchor-thistle").await;
    assert_eq!(thief.send("/sign-in/code", &[("code", &codes[0])]).await.path, "/sign-in?said=start-again");
}

#[tokio::test]
async fn a_session_begun_while_disabled_that_wakes_up_later() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (_, codes) = sets_up_codes(&ada).await;
    let browser = guild.browser();
    browser.signs_in("ada").await;
    for disabled in [true, false] {
        guild
            .operate(move |work| {
                let user = users::by_email(work, "ada@example.com")?.unwrap();
                users::set_disabled(work, &user, disabled)
            })
            .await
            .unwrap();
        browser.ask("POST", "/sign-in/code", &[("code", &codes[0])]).await;
        assert_eq!(browser.open("/").await.path, "/sign-in", "{disabled}");
    }
}

#[tokio::test]
async fn a_second_factor_lost_by_sending_a_form_twice() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (seed, _) = sets_up_codes(&ada).await;
    let again = ada.send("/account/security/confirm-code", &[("code", &shown(&guild, &seed))]).await;
    assert_eq!(again.path, "/account/security");
    guild.pass(60 * SECOND);
    let browser = guild.browser();
    browser.signs_in("ada").await;
    assert_eq!(browser.send("/sign-in/code", &[("code", &shown(&guild, &seed))]).await.path, "/");
}

#[tokio::test]
async fn a_stolen_session_that_turns_the_second_factor_off_with_the_password_alone() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (_, codes) = sets_up_codes(&ada).await;
    guild.pass(10 * 60 * SECOND);
    ada.open("/confirm").await;
    assert_eq!(ada.send("/confirm", &[("password", PASSWORD)]).await.status, 422);
    assert_eq!(ada.send("/confirm", &[("password", PASSWORD), ("code", &codes[0])]).await.path, "/");
}

#[tokio::test]
async fn letters_that_a_stranger_keeps_from_their_reader() {
    let guild = Guild::with(|config| config.rate_limits = guildhall::config::Switch::On).await;
    guild.user("ada").await;
    // Somebody asks for resets of Ada until no more leave.
    let stranger = guild.browser_at(66);
    for _ in 0..6 {
        stranger.open("/reset").await;
        stranger.send("/reset", &[("email", "ada@example.com")]).await;
    }
    assert_eq!(guild.letters_to("ada@example.com").await, 3);
    guild.pass(1);
    let ada = guild.browser();
    ada.open("/reset").await;
    ada.send("/reset", &[("email", "ada@example.com")]).await;
    assert_eq!(guild.letters_to("ada@example.com").await, 4);
}

#[tokio::test]
async fn a_second_membership_by_a_claimed_address() {
    let guild = Guild::new().await;
    let mallory = guild.user("mallory").await;
    let own = mallory.creates_organization("Own").await;
    let claim = change("users", &mallory.id, json!({ "email": "grace@example.com" }));
    assert_eq!(mallory.patch("/api/user", claim).await.status, 200);
    let twice = mallory.post("/api/memberships", own.invitation("mallory@example.com", &own.admin)).await;
    assert_eq!(
        twice.problems(),
        ["422 VALIDATION_ERROR /data/attributes/user_email: user_email - has already been taken"]
    );
    // The owner of the claimed address signs up and is invited as if there were no claim.
    own.invites("grace@example.com", &own.read_only).await;
    guild.signed_up("grace").await;
    let members = "select count(*) from memberships where status = 'active'";
    assert_eq!(guild.number(members).await, 2);
    assert_eq!(mallory.get("/api/user").await.attribute("email"), "mallory@example.com");
}

#[tokio::test]
async fn an_organization_handed_to_whoever_claims_an_address() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let mel = guild.user("mel").await;
    blue.invites("mel@example.com", &blue.admin).await;
    let claim = change("users", &mel.id, json!({ "email": "ceo@example.com" }));
    assert_eq!(mel.patch("/api/user", claim).await.status, 200);
    let hand = async |email: &str| {
        let document = json!({ "data": {
            "type": "organizations", "id": blue.id, "attributes": { "new_owner_email": email },
        } });
        ada.patch(&format!("/api/organizations/{}/transfer_ownership", blue.id), document).await.status
    };
    assert_eq!(hand("ceo@example.com").await, 422);
    assert_eq!(hand("mel@example.com").await, 202);
}

#[tokio::test]
async fn an_old_letter_that_ends_every_new_one() {
    let guild = Guild::with(|config| config.rate_limits = guildhall::config::Switch::On).await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let id = blue.invites("grace@example.com", &blue.read_only).await;
    let old = guild.link_for("grace@example.com").await;
    guild.pass(1);
    ada.send("POST", &format!("/api/memberships/{id}/resend"), "").await;
    let stranger = guild.browser();
    for _ in 0..8 {
        stranger.open(&old).await;
        stranger.send(&format!("{old}/renew"), &[]).await;
    }
    assert_eq!(guild.letters_to("grace@example.com").await, 5);
    // The inviter can still send.
    guild.pass(1);
    assert_eq!(ada.send("POST", &format!("/api/memberships/{id}/resend"), "").await.status, 202);
    let link = guild.link_for("grace@example.com").await;
    assert_eq!(guild.browser().open(&link).await.status, 200);
}

#[tokio::test]
async fn a_change_by_a_session_that_has_ended_meanwhile() {
    let guild = Guild::new().await;
    let thief = guild.signed_up("ada").await;
    thief.open("/account/security").await;
    let token = thief.cookies.borrow()["session"].clone();
    let now = guild.app.clock.now();
    let session = guild
        .app
        .db
        .read(move |tx| guildhall::accounts::sessions::find(tx, &token, now))
        .await
        .unwrap()
        .unwrap();
    let owner = guild.browser();
    owner.signs_in("ada").await;
    owner.open("/account/security").await;
    owner.send("/account/security/end-all", &[]).await;
    let late = guildhall::work::Work::run_as(&guild.app, &session, "test", |work| {
        let user = work.caller()?.user.clone();
        guildhall::accounts::passwords::set(work, &user, "stolen")
    });
    assert!(late.await.is_err());
    assert_eq!(guild.number("select count(*) from passwords where hash = 'stolen'").await, 0);
}
