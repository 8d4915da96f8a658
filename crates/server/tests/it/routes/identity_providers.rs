//! `/api/identity_providers`.

use crate::guild::{FORBIDDEN, Guild, NOON, change, pretty};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

fn provider(name: &str) -> Json {
    json!({
        "name": name, "client_id": "id", "client_secret": "secret", "issuer": "https://id.example.com/",
        "domains": "example.com,example.org", "token_url": "https://id.example.com/token",
        "authorize_url": "https://id.example.com/authorize", "jwks_url": "https://id.example.com/jwks",
    })
}

fn new(attributes: Json) -> Json {
    json!({ "data": { "type": "identity_providers", "attributes": attributes } })
}

#[tokio::test]
async fn the_owner_of_an_enterprise_makes_one() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    assert_eq!(ada.post("/api/identity_providers", new(provider("Staff"))).await.problems(), [FORBIDDEN]);
    ada.creates_organization("Blue").await;
    let made = ada.post("/api/identity_providers", new(provider("Staff"))).await;
    assert_eq!(made.status, 201);
    assert_snapshot!(pretty(&made.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAc",
        "type": "identity_providers",
        "links": {
          "self": "https://provisioning.example.test/api/identity_providers/AAAAAAAAAc"
        },
        "attributes": {
          "name": "Staff",
          "client_id": "id",
          "client_secret": "secret",
          "issuer": "https://id.example.com/",
          "status": "pending",
          "domains": "example.com,example.org",
          "token_url": "https://id.example.com/token",
          "authorize_url": "https://id.example.com/authorize",
          "jwks_url": "https://id.example.com/jwks",
          "txt_record": "cl-verification=XE4LCU6cLYqjApVu1J-4G1cBM5vbRe4N",
          "organization": null,
          "disabled_at": null,
          "created_at": "2026-01-01T12:00:00.000Z",
          "updated_at": "2026-01-01T12:00:00.000Z",
          "reference": null,
          "reference_origin": null,
          "metadata": {}
        },
        "relationships": {
          "user": {
            "links": {
              "self": "https://provisioning.example.test/api/identity_providers/AAAAAAAAAc/relationships/user",
              "related": "https://provisioning.example.test/api/identity_providers/AAAAAAAAAc/user"
            }
          }
        }
      }
    }
    "#);
    let user = ada.get(&format!("/api/identity_providers/{}/user", made.id())).await;
    assert_eq!(user.id(), ada.id);
    let twice = ada.post("/api/identity_providers", new(provider("Staff"))).await;
    assert_eq!(
        twice.problems(),
        ["422 VALIDATION_ERROR /data/attributes/name: name - has already been taken"]
    );
}

#[tokio::test]
async fn other_plans_cannot() {
    let guild = Guild::new().await;
    let ada = guild.user_on("ada", "growth").await;
    ada.creates_organization("Blue").await;
    assert_eq!(ada.post("/api/identity_providers", new(provider("Staff"))).await.problems(), [FORBIDDEN]);
}

#[tokio::test]
async fn members_of_the_makers_organizations_see_it_and_change_nothing() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let id = ada.post("/api/identity_providers", new(provider("Staff"))).await.id();
    let grace = guild.user("grace").await;
    let path = format!("/api/identity_providers/{id}");
    assert_eq!(grace.get(&path).await.status, 404);
    blue.invites("grace@example.com", &blue.admin).await;
    assert_eq!(grace.get("/api/identity_providers").await.ids(), [id.clone()]);
    let rename = change("identity_providers", &id, json!({ "name": "Mine" }));
    assert_eq!(grace.patch(&path, rename).await.problems(), [FORBIDDEN]);
    assert_eq!(grace.delete(&path).await.problems(), [FORBIDDEN]);
    let probe = grace.get("/api/identity_providers?filter[q][user_id_gteq]=A").await;
    assert_eq!(probe.ids(), [] as [&str; 0]);
    assert_eq!(
        ada.get(&format!("/api/identity_providers?filter[q][user_id_eq]={}", ada.id)).await.ids(),
        [id.clone()]
    );
    // Who made it is nobody's business but the maker's.
    assert_eq!(grace.get(&format!("{path}/user")).await.json(), json!({ "data": null }));
    assert_eq!(ada.delete(&path).await.status, 204);
}

#[tokio::test]
async fn new_domains_need_a_new_proof() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    ada.creates_organization("Blue").await;
    let made = ada.post("/api/identity_providers", new(provider("Staff"))).await;
    let path = format!("/api/identity_providers/{}", made.id());
    let record = made.attribute("txt_record");
    assert_eq!(record.as_str().unwrap().strip_prefix("cl-verification=").unwrap().len(), 32);
    let patch =
        async |attributes: Json| ada.patch(&path, change("identity_providers", &made.id(), attributes)).await;
    guild
        .operate(|work| {
            Ok(work
                .tx
                .execute(&guildhall_store::Sql::text("update identity_providers set status = 'verified'"))?)
        })
        .await
        .unwrap();
    assert_eq!(patch(json!({ "name": "New" })).await.attribute("status"), json!("verified"));
    let moved = patch(json!({ "domains": "example.net" })).await;
    assert_eq!(moved.attribute("status"), json!("pending"));
    assert_ne!(moved.attribute("txt_record"), record);
    let back = patch(json!({ "domains": "example.org,example.com" })).await;
    assert_eq!(back.attribute("txt_record"), record);
}

#[tokio::test]
async fn triggers_take_it_out_of_use_and_back() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    ada.creates_organization("Blue").await;
    let mut disabled = provider("Off");
    disabled["_disable"] = json!("true");
    let made = ada.post("/api/identity_providers", new(disabled)).await;
    let noon = json!(guildhall_jsonapi::timestamp(NOON));
    assert_eq!(made.attribute("disabled_at"), noon);
    assert!(made.json()["data"]["attributes"].get("_disable").is_none());
    let path = format!("/api/identity_providers/{}", made.id());
    let patch =
        async |attributes: Json| ada.patch(&path, change("identity_providers", &made.id(), attributes)).await;
    assert_eq!(patch(json!({ "_enable": false })).await.attribute("disabled_at"), noon);
    assert_eq!(patch(json!({ "_enable": true })).await.attribute("disabled_at"), Json::Null);
    assert_eq!(
        patch(json!({ "_enable": true, "_disable": true })).await.problems(),
        [
            "422 VALIDATION_ERROR /data/attributes/_disable: _disable - is invalid",
            "422 VALIDATION_ERROR /data/attributes/_enable: _enable - is invalid",
        ]
    );
}

#[tokio::test]
async fn everything_is_needed_and_has_a_form() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    ada.creates_organization("Blue").await;
    let missing = ada.post("/api/identity_providers", new(json!({}))).await;
    let names =
        ["name", "client_id", "client_secret", "issuer", "domains", "token_url", "authorize_url", "jwks_url"];
    assert_eq!(
        missing.problems(),
        names.map(|name| format!("422 VALIDATION_ERROR /data/attributes/{name}: {name} - can't be blank"))
    );
    let mut wrong = provider("X");
    wrong["domains"] = json!("https://example.com");
    wrong["jwks_url"] = json!("file:///etc/passwd");
    assert_eq!(
        ada.post("/api/identity_providers", new(wrong)).await.problems(),
        [
            "422 VALIDATION_ERROR /data/attributes/domains: domains - is invalid",
            "422 VALIDATION_ERROR /data/attributes/jwks_url: jwks_url - is invalid",
        ]
    );
}
