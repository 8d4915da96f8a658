//! `POST /oauth/revoke`.

use super::oauth_token::credential;
use crate::guild::{Guild, HOUR, pretty};
use guildhall::resources::users::{self, Application};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

async fn token(guild: &Guild, client_id: &str, client_secret: &str) -> String {
    let body =
        json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret });
    guild.nobody().post("/oauth/token", body).await.json()["access_token"].as_str().unwrap().to_owned()
}

async fn application(guild: &Guild) -> Application {
    let new = users::New {
        email: "grace@example.com".to_owned(),
        first_name: "Grace".to_owned(),
        last_name: "Hopper".to_owned(),
        plan: "enterprise".to_owned(),
    };
    guild.operate(move |work| users::register(work, &new)).await.unwrap()
}

#[tokio::test]
async fn a_revoked_token_is_refused_at_once_and_after_a_restart() {
    let guild = Guild::new().await;
    let Application { client_id, client_secret, .. } = application(&guild).await;
    let first = token(&guild, &client_id, &client_secret).await;
    // Until shortly before its end, who asks again gets the same one.
    assert_eq!(token(&guild, &client_id, &client_secret).await, first);
    assert_eq!(guild.bearer(&first).get("/api/user").await.status, 200);
    let body = json!({ "client_id": client_id, "client_secret": client_secret, "token": first });
    let revoked = guild.nobody().post("/oauth/revoke", body.clone()).await;
    assert_eq!((revoked.status, revoked.text().as_str()), (200, "{}"));
    assert_eq!(guild.bearer(&first).get("/api/user").await.status, 401);
    let second = token(&guild, &client_id, &client_secret).await;
    assert_ne!(second, first);
    assert_eq!(guild.bearer(&second).get("/api/user").await.status, 200);
    assert_eq!(guild.nobody().post("/oauth/revoke", body).await.text(), "{}");
    // What another process reads is what counts.
    let restarted = guild.options().open(guildhall::schema::MIGRATIONS).unwrap();
    let kept: i64 = restarted
        .read(|tx| -> Result<i64, guildhall_store::Error> {
            Ok(tx
                .rows(&guildhall_store::Sql::text("select count(*) from revoked_tokens"))?
                .first()
                .map_or(0, |row| row.int(0)))
        })
        .await
        .unwrap();
    assert_eq!(kept, 1);
    // It is forgotten a week after it would have ended by itself.
    for (hours, kept) in [(3, 1), (8 * 24, 0)] {
        guild.pass(hours * HOUR);
        guildhall::sweep::sweep(&guild.app).await.unwrap();
        assert_eq!(guild.number("select count(*) from revoked_tokens").await, kept);
        assert_eq!(guild.bearer(&first).get("/api/user").await.status, 401);
    }
}

#[tokio::test]
async fn only_its_own_client_ends_a_token() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (id, secret, _) = credential(&ada, "integration", "test").await;
    let own = token(&guild, &id, &secret).await;
    let Application { client_id, client_secret, .. } = application(&guild).await;
    for body in [
        json!({ "token": own }),
        json!({ "client_id": "unknown", "token": own }),
        json!({ "client_id": id, "token": own }),
        json!({ "client_id": id, "client_secret": "wrong", "token": own }),
        json!({ "client_id": client_id, "client_secret": client_secret, "token": own }),
    ] {
        let refused = guild.nobody().post("/oauth/revoke", body.clone()).await;
        assert_eq!(
            (refused.status, &refused.json()["error"]),
            (403, &json!("unauthorized_client")),
            "{body}"
        );
    }
    let refused = guild.nobody().post("/oauth/revoke", json!({ "token": own })).await;
    assert_snapshot!(pretty(&refused.json(), &[]), @r#"
    {
      "errors": [
        {
          "title": "unauthorized_client",
          "detail": "You are not authorized to revoke this token",
          "code": "FORBIDDEN",
          "status": 403,
          "meta": {}
        }
      ],
      "error": "unauthorized_client",
      "error_description": "You are not authorized to revoke this token"
    }
    "#);
    let missing =
        guild.nobody().post("/oauth/revoke", json!({ "client_id": id, "client_secret": secret })).await;
    assert_eq!(missing.json()["error"], json!("invalid_request"));
}

#[tokio::test]
async fn a_guest_token_of_a_public_client_needs_the_secret() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (id, secret, _) = credential(&ada, "sales_channel", "test").await;
    let guest = token(&guild, &id, &secret).await;
    let revoke = async |body: Json| guild.nobody().post("/oauth/revoke", body).await.status;
    assert_eq!(revoke(json!({ "client_id": id, "token": guest })).await, 403);
    assert_eq!(revoke(json!({ "client_id": id, "client_secret": secret, "token": guest })).await, 200);
}

#[tokio::test]
async fn what_is_nobodys_is_as_good_as_revoked() {
    let guild = Guild::new().await;
    let Application { client_id, client_secret, .. } = application(&guild).await;
    for token in ["x", "a.b.c"] {
        let body = json!({ "client_id": client_id, "client_secret": client_secret, "token": token });
        assert_eq!(guild.nobody().post("/oauth/revoke", body).await.text(), "{}");
    }
    // Also to an application that keeps no secret.
    let ada = guild.user("ada").await;
    let (id, _, _) = credential(&ada, "sales_channel", "test").await;
    for client_id in [id.as_str(), "dashboard"] {
        let body = json!({ "client_id": client_id, "token": "a.b.c" });
        assert_eq!(guild.nobody().post("/oauth/revoke", body).await.text(), "{}");
    }
}
