//! `/api/user`: the caller.

use crate::guild::{Guild, change, pretty};
use insta::assert_snapshot;
use serde_json::json;

fn patch(attributes: serde_json::Value) -> serde_json::Value {
    json!({ "data": { "type": "users", "attributes": attributes } })
}

#[tokio::test]
async fn everyone_sees_themselves() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    assert_snapshot!(pretty(&ada.get("/api/user").await.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAC",
        "type": "users",
        "attributes": {
          "email": "ada@example.com",
          "first_name": "Ada",
          "last_name": "Example",
          "time_zone": null,
          "otp_required_for_login": false,
          "created_at": "2026-01-01T12:00:00.000Z",
          "updated_at": "2026-01-01T12:00:00.000Z",
          "reference": null,
          "reference_origin": null,
          "metadata": {}
        }
      }
    }
    "#);
}

#[tokio::test]
async fn everyone_changes_themselves_with_or_without_naming_the_id() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let changed =
        ada.patch("/api/user", patch(json!({ "first_name": "Augusta", "time_zone": "Europe/Rome" }))).await;
    assert_eq!((changed.status, changed.attribute("first_name")), (200, json!("Augusta")));
    let named = ada.patch("/api/user", change("users", &ada.id, json!({ "reference": "A-1" }))).await;
    assert_eq!((named.status, named.attribute("reference")), (200, json!("A-1")));
    let other = ada.patch("/api/user", change("users", "somebody", json!({}))).await;
    assert_eq!(other.problems(), ["400 KEY_NOT_INCLUDED_IN_URL: The URL does not support the key somebody"]);
}

#[tokio::test]
async fn an_address_belongs_to_one_user_whatever_its_case() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    guild.user("grace").await;
    let taken = ada.patch("/api/user", patch(json!({ "email": "Grace@Example.com" }))).await;
    assert_eq!(
        taken.problems(),
        ["422 VALIDATION_ERROR /data/attributes/email: email - has already been taken"]
    );
    let own = ada.patch("/api/user", patch(json!({ "email": "ADA@example.com" }))).await;
    assert_eq!((own.status, own.attribute("email")), (200, json!("ADA@example.com")));
}

#[tokio::test]
async fn a_new_name_and_address_show_on_memberships() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    ada.creates_organization("Blue").await;
    ada.patch("/api/user", patch(json!({ "email": "a@example.org", "last_name": "King" }))).await;
    let memberships = ada.get("/api/memberships").await.json();
    let shown = &memberships["data"][0]["attributes"];
    assert_eq!((&shown["user_email"], &shown["user_last_name"]), (&json!("a@example.org"), &json!("King")));
}

#[tokio::test]
async fn a_new_name_leaves_a_version_on_every_membership() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    ada.creates_organization("Blue").await;
    let membership = ada.get("/api/memberships").await.ids().remove(0);
    ada.patch("/api/user", patch(json!({ "first_name": "Augusta" }))).await;
    let versions = ada.get(&format!("/api/memberships/{membership}/versions")).await.json();
    assert_eq!(
        versions["data"][0]["attributes"]["changes"],
        json!({ "user_first_name": ["Ada", "Augusta"] })
    );
}

#[tokio::test]
async fn an_address_that_is_not_proved_attracts_no_memberships() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let eve = guild.user("eve").await;
    assert_eq!(eve.patch("/api/user", patch(json!({ "email": "ceo@example.com" }))).await.status, 200);
    let membership = blue.invites("ceo@example.com", &blue.admin).await;
    let shown = ada.get(&format!("/api/memberships/{membership}")).await;
    assert_eq!(shown.attribute("status"), json!("pending"));
    assert_eq!(eve.get("/api/organizations").await.ids(), [] as [&str; 0]);
}

#[tokio::test]
async fn a_new_address_does_not_take_somebody_elses_invitation() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    blue.invites("wanted@example.com", &blue.read_only).await;
    let eve = guild.user("eve").await;
    let changed = eve.patch("/api/user", patch(json!({ "email": "wanted@example.com" }))).await;
    assert_eq!(changed.status, 200);
    assert_eq!(eve.get("/api/organizations").await.ids(), [] as [&str; 0]);
    // Where both meet, the invitation waits for whoever proves the address.
    let id = blue.invites("free@example.com", &blue.read_only).await;
    assert_eq!(ada.patch("/api/user", patch(json!({ "email": "free@example.com" }))).await.status, 200);
    let waiting = ada.get(&format!("/api/memberships/{id}")).await;
    assert_eq!(waiting.attribute("status"), json!("pending"));
}

#[tokio::test]
async fn every_wrong_value_is_told_at_once() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let wrong =
        json!({ "email": "ada", "first_name": "A\u{0}", "last_name": null, "time_zone": "Mars/Base" });
    assert_eq!(
        ada.patch("/api/user", patch(wrong)).await.problems(),
        [
            "422 VALIDATION_ERROR /data/attributes/email: email - is invalid",
            "422 VALIDATION_ERROR /data/attributes/first_name: first_name - is invalid",
            "422 VALIDATION_ERROR /data/attributes/last_name: last_name - can't be blank",
            "422 VALIDATION_ERROR /data/attributes/time_zone: time_zone - is invalid",
        ]
    );
    let read_only = json!({ "otp_required_for_login": true, "plan": "enterprise", "id": "x" });
    assert_eq!(
        ada.patch("/api/user", patch(read_only)).await.problems(),
        [
            "400 PARAM_NOT_ALLOWED: otp_required_for_login is not allowed.",
            "400 PARAM_NOT_ALLOWED: plan is not allowed.",
            "400 PARAM_NOT_ALLOWED: id is not allowed.",
        ]
    );
}

#[tokio::test]
async fn a_user_cannot_be_made_or_deleted_here() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    for method in ["POST", "DELETE", "PUT"] {
        let refused = ada.send(method, "/api/user", "").await;
        assert_eq!((refused.status, refused.header("allow")), (405, "GET, PATCH"), "{method}");
    }
    assert_eq!(ada.get("/api/users").await.status, 404);
}

#[tokio::test]
async fn a_disabled_user_is_out_at_once() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    guild
        .operate(|work| {
            Ok(work.tx.execute(&guildhall_store::Sql::text("update users set disabled_at = 1"))?)
        })
        .await
        .unwrap();
    assert_eq!(
        ada.get("/api/user").await.problems(),
        ["401 UNAUTHORIZED: The access token you provided is invalid."]
    );
}
