//! `POST /oauth/token` with a refresh token.

use crate::guild::{DAY, Guild, SECOND, at_once};
use crate::webapp::{Tokens, Webapp, invalid_grant, refusal};
use guildhall::authorizations::chains::REFRESH_LIFE;
use guildhall::crypto::hash;
use guildhall_store::Sql;
use serde_json::json;

#[tokio::test]
async fn a_refresh_gives_a_new_pair_that_says_the_same() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let before = shop.is_let_in_for(&ada, "market:id:a").await;
    guild.pass(60 * SECOND);
    let after = Tokens::of(&shop.refreshes(&before.refresh).await);
    assert_ne!((&before.access, &before.refresh), (&after.access, &after.refresh));
    let names = |tokens: &Tokens| tokens.all.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&before), names(&after));
    let same = |tokens: &Tokens| {
        let mut claims = tokens.claims();
        for name in ["exp", "iat", "rand"] {
            claims[name] = json!(null);
        }
        claims
    };
    assert_eq!(same(&before), same(&after));
    // The access token of before lives on until its end.
    assert!(shop.is_open_to(&before.access).await && shop.is_open_to(&after.access).await);
}

#[tokio::test]
async fn a_lost_answer_is_said_again_for_half_a_minute() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let before = shop.is_let_in_by(&ada).await;
    let first = Tokens::of(&shop.refreshes(&before.refresh).await);
    guild.pass(30 * SECOND);
    let again = Tokens::of(&shop.refreshes(&before.refresh).await);
    assert_eq!((&again.access, &again.refresh), (&first.access, &first.refresh));
    assert_eq!(again.all["expires_in"], json!(7170));
    guild.pass(1);
    assert_eq!(refusal(&shop.refreshes(&before.refresh).await), invalid_grant());
}

#[tokio::test]
async fn what_was_replaced_and_comes_back_ends_the_chain() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let first = shop.is_let_in_by(&ada).await;
    let second = Tokens::of(&shop.refreshes(&first.refresh).await);
    guild.pass(31 * SECOND);
    assert!(shop.is_open_to(&first.access).await && shop.is_open_to(&second.access).await);
    assert_eq!(refusal(&shop.refreshes(&first.refresh).await), invalid_grant());
    assert!(!shop.is_open_to(&first.access).await && !shop.is_open_to(&second.access).await);
    assert_eq!(refusal(&shop.refreshes(&second.refresh).await), invalid_grant());
    assert!(guild.log().contains("a refresh token came back after it was replaced"));
    // Whatever else is wrong with the request.
    let first = shop.is_let_in_by(&ada).await;
    let second = Tokens::of(&shop.refreshes(&first.refresh).await);
    guild.pass(31 * SECOND);
    let odd =
        json!({ "grant_type": "refresh_token", "refresh_token": first.refresh, "scope": "market:id:a" });
    assert_eq!(refusal(&shop.asks_for_token(odd).await), invalid_grant());
    assert!(!shop.is_open_to(&second.access).await);
    // Another yes begins another chain.
    assert!(shop.is_open_to(&shop.is_let_in_by(&ada).await.access).await);
}

#[tokio::test]
async fn an_answer_that_arrived_is_not_said_again() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let first = shop.is_let_in_by(&ada).await;
    let second = Tokens::of(&shop.refreshes(&first.refresh).await);
    let third = Tokens::of(&shop.refreshes(&second.refresh).await);
    // Whoever has used the second one does not need the first one.
    assert_eq!(refusal(&shop.refreshes(&first.refresh).await), invalid_grant());
    assert!(!shop.is_open_to(&third.access).await);
}

#[tokio::test]
async fn of_many_who_refresh_at_once_all_get_the_same() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let before = shop.is_let_in_by(&ada).await;
    let replies = at_once((0..8).map(|_| shop.refreshes(&before.refresh))).await;
    let mut tokens: Vec<String> = replies.iter().map(|reply| Tokens::of(reply).refresh).collect();
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_eq!(guild.number("select count(*) from refresh_tokens").await, 2);
    assert_eq!(shop.refreshes(&tokens[0]).await.status, 200);
}

type Running<'a> = std::pin::Pin<Box<dyn Future<Output = Option<crate::guild::Reply>> + 'a>>;

#[tokio::test]
async fn a_refresh_races_a_revocation_and_never_outlives_it() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    for _ in 0..5 {
        let before = shop.is_let_in_by(&ada).await;
        let body = json!({ "client_id": shop.client_id, "client_secret": shop.client_secret, "token": before.refresh });
        let refreshes = (0..4).map(|_| async { Some(shop.refreshes(&before.refresh).await) });
        let nobody = guild.nobody();
        let revokes = [async {
            assert_eq!(nobody.post("/oauth/revoke", body).await.status, 200);
            None
        }];
        let all: Vec<Running<'_>> = refreshes
            .map(|one| Box::pin(one) as Running<'_>)
            .chain(revokes.into_iter().map(|one| Box::pin(one) as Running<'_>))
            .collect();
        for reply in at_once(all.into_iter()).await.into_iter().flatten() {
            if reply.status == 200 {
                assert!(!shop.is_open_to(&Tokens::of(&reply).access).await);
            }
        }
        assert!(!shop.is_open_to(&before.access).await);
        assert_eq!(refusal(&shop.refreshes(&before.refresh).await), invalid_grant());
    }
}

#[tokio::test]
async fn it_is_its_applications_alone() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let tokens = shop.is_let_in_by(&ada).await;
    let other = Webapp::of(shop.organization.owner.creates_organization("Red").await, json!({})).await;
    assert_eq!(refusal(&other.refreshes(&tokens.refresh).await), invalid_grant());
    for token in ["x", "a.b.c", tokens.access.as_str(), ""] {
        assert_eq!(shop.refreshes(token).await.status, 400, "{token}");
    }
    let without =
        json!({ "grant_type": "refresh_token", "refresh_token": tokens.refresh, "client_secret": null });
    assert_eq!(refusal(&shop.asks_for_token(without).await), (401, "invalid_client".to_owned()));
    // None of that has harmed it.
    assert_eq!(shop.refreshes(&tokens.refresh).await.status, 200);
}

#[tokio::test]
async fn the_scope_stays_what_it_was() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let tokens = shop.is_let_in_for(&ada, "market:id:a store:id:b").await;
    let ask = async |scope: &str| {
        let grant = json!({ "grant_type": "refresh_token", "refresh_token": tokens.refresh, "scope": scope });
        shop.asks_for_token(grant).await
    };
    for more in ["market:all", "market:id:a", "market:id:a store:id:b openid", "provisioning-api"] {
        assert_eq!(refusal(&ask(more).await), (400, "invalid_scope".to_owned()), "{more}");
    }
    assert_eq!(ask("store:id:b,market:id:a").await.json()["scope"], json!("market:id:a store:id:b"));
}

#[tokio::test]
async fn it_lives_for_two_weeks() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let tokens = shop.is_let_in_by(&ada).await;
    guild.pass(14 * DAY - 1);
    let next = Tokens::of(&shop.refreshes(&tokens.refresh).await);
    guild.pass(14 * DAY);
    assert_eq!(refusal(&shop.refreshes(&next.refresh).await), invalid_grant());
}

#[tokio::test]
async fn nobody_reads_it_in_the_database() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let before = shop.is_let_in_by(&ada).await;
    let after = Tokens::of(&shop.refreshes(&before.refresh).await);
    let kept = guild
        .app
        .db
        .read(|tx| {
            let mut all = Vec::new();
            for (table, column) in tx.texts()? {
                let mut sql = Sql::text("select ");
                sql.push(&column).push(" from ").push(&table);
                all.extend(tx.rows(&sql)?.iter().map(|row| row.text(0).to_owned()));
            }
            Ok::<_, guildhall_store::Error>(all)
        })
        .await
        .unwrap();
    assert!(kept.contains(&hash(&before.access)));
    for token in [&before.access, &before.refresh, &after.access, &after.refresh] {
        let signature = token.rsplit('.').next().unwrap();
        assert!(!kept.iter().any(|text| text.contains(signature)));
    }
}

#[tokio::test]
async fn what_was_replaced_ends_the_chain_even_after_its_own_end() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let first = shop.is_let_in_by(&ada).await;
    let mut latest = Tokens::of(&shop.refreshes(&first.refresh).await);
    // The chain is kept alive for longer than its first token.
    for _ in 0..3 {
        guild.pass(REFRESH_LIFE / 2);
        latest = Tokens::of(&shop.refreshes(&latest.refresh).await);
    }
    assert!(shop.is_open_to(&latest.access).await);
    assert_eq!(refusal(&shop.refreshes(&first.refresh).await), invalid_grant());
    assert!(!shop.is_open_to(&latest.access).await);
}
