//! A day in which everything ends that has an end, on two nodes that now and then die with letters in their hands; and
//! clocks that are put right.

use crate::guild::{DAY, Guild, HOUR, Organization, link};
use crate::webapp::{Tokens, Webapp};
use guildhall::config::Switch;
use guildhall::mail::outbox::{self, Fate};
use guildhall::{keys, sharing, sweep};
use guildhall_store::{Error, Sql, Tx};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const QUARTER: i64 = HOUR / 4;

/// An integration of an organization: what is shown of it.
async fn shop(organization: &Organization<'_>) -> Json {
    let role = json!({ "role": link("roles", &organization.admin) });
    let named = json!({ "name": "Shop", "kind": "integration" });
    let id = organization.makes("api_credentials", named, role).await;
    let shown = organization.owner.get(&format!("/api/api_credentials/{id}")).await;
    shown.json()["data"]["attributes"].take()
}

/// What a node does by itself all the time.
async fn tend(node: &Guild) {
    let app = &node.app;
    sweep::sweep(app).await.unwrap();
    sharing::tell(app).await.unwrap();
    let life = app.config.signing_key_life();
    keys::tend(&app.db, &app.vault, app.config.signing_key_bits, life, app.clock.now()).await.unwrap();
    app.keys.refresh(&app.db, &app.vault).await.unwrap();
}

/// Takes what is due, and sends it unless it dies over it; answers what was sent.
async fn send(node: &Guild, lane: String, dies: bool) -> Vec<String> {
    let now = node.app.clock.now();
    node.app
        .db
        .write(move |tx| -> Result<Vec<String>, Error> {
            let due = outbox::lease(tx, &lane, now, 3)?;
            if dies {
                return Ok(Vec::new());
            }
            for letter in &due {
                outbox::settle(tx, letter, &Fate::Sent, now)?;
            }
            Ok(due.into_iter().map(|letter| letter.id).collect())
        })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_day_passes_and_nothing_is_lost_or_kept_or_done_twice() {
    let here = Guild::new().await;
    let ada = here.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let shop = shop(&blue).await;
    let with = |more: Json| {
        let mut body = json!({ "client_id": shop["client_id"], "client_secret": shop["client_secret"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let there = here.restarted().await;
    let nodes = [&here, &there];
    // When each token ends, and whether it was revoked before.
    let mut given: BTreeMap<String, (i64, bool)> = BTreeMap::new();
    let mut sent: BTreeMap<String, u32> = BTreeMap::new();
    let invited = 96;
    for quarter in 0..invited + 8 {
        let node = nodes[quarter % 2];
        let now = here.app.clock.now() / 1000;
        if quarter < invited {
            let ada = here.with_new_token("ada@example.com").await;
            let invitation = blue.invitation(&format!("new{quarter}@example.com"), &blue.read_only);
            assert_eq!(ada.post("/api/memberships", invitation).await.status, 201);
        }
        let granted = node
            .nobody()
            .post("/oauth/token", with(json!({ "grant_type": "client_credentials" })))
            .await
            .json();
        let life = granted["expires_in"].as_i64().unwrap();
        assert!(life > 15 * 60, "a token that ends in {life} seconds");
        let token = granted["access_token"].as_str().unwrap().to_owned();
        assert!(given.get(&token).is_none_or(|(end, revoked)| *end == now + life && !revoked));
        given.entry(token.clone()).or_insert((now + life, false));
        if quarter % 16 == 15 {
            let revoked = node.nobody().post("/oauth/revoke", with(json!({ "token": token }))).await;
            assert_eq!(revoked.status, 200);
            given.insert(token, (now + life, true));
        }
        given.retain(|_, (end, _)| *end > now - HOUR / 1000);
        for (token, (end, revoked)) in &given {
            for node in nodes {
                let told = node.nobody().post("/oauth/introspect", with(json!({ "token": token }))).await;
                assert_eq!(told.json()["active"], *end > now && !revoked, "quarter {quarter}");
            }
        }
        // A worker that has died is followed by another one.
        let lane = outbox::lane(&format!("node{}", quarter % 2), &(quarter / 5).to_string());
        for letter in send(node, lane, quarter % 5 == 4).await {
            *sent.entry(letter).or_default() += 1;
        }
        for node in nodes {
            tend(node).await;
        }
        here.pass(QUARTER);
    }
    assert_eq!(sent.len(), invited);
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
    assert_eq!(here.number("select count(*) from letters where sent_at is null").await, 0);
    here.pass(5 * HOUR);
    tend(&there).await;
    assert_eq!(here.number("select count(*) from rates").await, 0);
    assert_eq!(here.number("select count(*) from guesses").await, 0);
    // What says no is kept a week longer than that to which it says it.
    here.pass(8 * DAY);
    tend(&there).await;
    assert_eq!(here.number("select count(*) from revoked_tokens").await, 0);
}

#[tokio::test]
async fn a_clock_that_is_put_right_stops_nothing_and_revives_nothing() {
    let guild = Guild::with(|config| config.rate_limits = Switch::On).await;
    guild.user("ada").await;
    for (round, jump) in
        [-HOUR, 2 * DAY, -QUARTER, 3 * HOUR, -DAY, 1, -10 * 1000, HOUR].into_iter().enumerate()
    {
        // One token from before, and a letter in the hands of a worker.
        let before = guild.with_new_token("ada@example.com").await;
        let blue = before.creates_organization(&format!("Blue {round}")).await;
        blue.invites("grace@example.com", &blue.read_only).await;
        send(&guild, outbox::lane("node", &format!("dead {round}")), true).await;
        guild.pass(jump);
        tend(&guild).await;
        // What was given holds for as long as it says, and not longer.
        let holds = jump < 2 * HOUR;
        assert_eq!(before.get("/api/organizations").await.status, if holds { 200 } else { 401 }, "{jump}");
        let after = guild.with_new_token("ada@example.com").await;
        assert_eq!(after.get("/api/organizations").await.status, 200, "{jump}");
        assert_eq!(before.get("/api/organizations").await.status, 401, "{jump}");
        let red = after.creates_organization(&format!("Red {round}")).await;
        red.invites("grace@example.com", &red.read_only).await;
        let list = after.get("/api/organizations?sort=-created_at").await;
        assert_eq!(list.json()["meta"]["record_count"], 2 * (round + 1), "{jump}");
        // Letters leave at the latest when it is as late again as it was, and the lease of the dead worker is over.
        guild.pass((-jump).max(0) + outbox::LEASE + 1);
        for turn in 0..2 {
            send(&guild, outbox::lane("node", &format!("alive {round} {turn}")), false).await;
        }
        assert_eq!(guild.number("select count(*) from letters where sent_at is null").await, 0, "{jump}");
    }
}

#[tokio::test]
async fn what_is_ended_after_a_clock_was_put_back_stays_ended() {
    let guild = Guild::new().await;
    guild.user("ada").await;
    for jump in [-500, -10 * 1000, -50 * 1000, -HOUR] {
        let ada = guild.with_new_token("ada@example.com").await;
        let shop = Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": "integration" })).await;
        let grant = json!({ "grant_type": "client_credentials" });
        let before = Tokens::of(&shop.asks_for_token(grant.clone()).await).access;
        guild.pass(jump);
        let path = format!("/api/api_credentials/{}", shop.id);
        let change = crate::guild::change("api_credentials", &shop.id, json!({ "_end_tokens": true }));
        assert_eq!(ada.patch(&path, change).await.status, 200, "{jump}");
        let after = Tokens::of(&shop.asks_for_token(grant).await).access;
        for pass in [0, 1000, 61_000, -jump] {
            guild.pass(pass);
            assert!(!shop.is_open_to(&before).await, "{jump}, {pass} later");
            assert!(shop.is_open_to(&after).await, "{jump}, {pass} later");
        }
        // A personal token, and everything that a disabled user had.
        let personal = guild.with_new_token("ada@example.com").await;
        guild.pass(jump);
        let again = guild.with_new_token("ada@example.com").await;
        assert_eq!(personal.get("/api/user").await.status, 401, "{jump}");
        assert_eq!(again.get("/api/user").await.status, 200, "{jump}");
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_when_things_were_cleared_away_brings_nothing_back() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let shop = Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": "integration" })).await;
    let token = Tokens::of(&shop.asks_for_token(json!({ "grant_type": "client_credentials" })).await).access;
    let body = json!({ "client_id": shop.client_id, "client_secret": shop.client_secret, "token": token });
    assert_eq!(guild.nobody().post("/oauth/revoke", body).await.status, 200);
    guild.pass(6 * DAY);
    tend(&guild).await;
    guild.pass(-6 * DAY);
    assert!(!shop.is_open_to(&token).await);
    let restarted = guild.restarted().await;
    assert_eq!(restarted.bearer(&token).at("blue.example.test", "/api/organization").await.status, 401);
}

#[tokio::test]
async fn a_token_from_the_future_is_not_believed() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let shop = shop(&blue).await;
    let token = async || {
        let body = json!({
            "grant_type": "client_credentials", "client_id": shop["client_id"], "client_secret": shop["client_secret"],
        });
        guild.nobody().post("/oauth/token", body).await.json()["access_token"].as_str().unwrap().to_owned()
    };
    let is_active = async |token: &str| {
        let body =
            json!({ "client_id": shop["client_id"], "client_secret": shop["client_secret"], "token": token });
        guild.nobody().post("/oauth/introspect", body).await.json()["active"] == json!(true)
    };
    guild.pass(HOUR);
    let before = token().await;
    guild.pass(-30 * 1000);
    assert!(is_active(&before).await, "clocks of nodes may be apart that far");
    guild.pass(-QUARTER);
    assert!(!is_active(&before).await);
    // Nor is it given again: who asks gets one that counts.
    let after = token().await;
    assert_ne!(after, before);
    assert!(is_active(&after).await);
    guild.pass(QUARTER);
    assert!(is_active(&before).await && is_active(&after).await);
}

#[tokio::test]
async fn what_nobody_has_cleared_away_for_long_is_gone_after_one_time() {
    let guild = Guild::new().await;
    let now = guild.app.clock.now();
    let fill = move |tx: &mut Tx<'_>| {
        for number in 0..2500 {
            let sql = "insert into tallies (name, began_at, tally) values (?, ?, 1)";
            tx.execute(&Sql::new(sql, [format!("x {number}").into(), (now - 3 * DAY).into()]))?;
        }
        tx.execute(&Sql::new("insert into tallies (name, began_at, tally) values ('y', ?, 1)", [now.into()]))
    };
    guild.app.db.write(fill).await.unwrap();
    sweep::sweep(&guild.app).await.unwrap();
    assert_eq!(guild.number("select count(*) from tallies").await, 1);
}
