//! `/api/permissions`.

use crate::guild::{Guild, change, link, pretty};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

fn rights(subject: &str) -> Json {
    json!({ "can_create": false, "can_read": true, "can_update": false, "can_destroy": false, "subject": subject })
}

fn new(attributes: Json, role: &str) -> Json {
    json!({ "data": { "type": "permissions", "attributes": attributes, "relationships": { "role": link("roles", role) } } })
}

#[tokio::test]
async fn a_custom_role_gets_one_for_each_subject() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let care = blue.custom_role("Care").await;
    let made = ada.post("/api/permissions", new(rights("orders"), &care)).await;
    assert_eq!(made.status, 201);
    assert_snapshot!(pretty(&made.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAe",
        "type": "permissions",
        "links": {
          "self": "https://provisioning.example.test/api/permissions/AAAAAAAAAe"
        },
        "attributes": {
          "can_create": false,
          "can_read": true,
          "can_update": false,
          "can_destroy": false,
          "subject": "orders",
          "restrictions": {},
          "created_at": "2026-01-01T12:00:00.000Z",
          "updated_at": "2026-01-01T12:00:00.000Z",
          "reference": null,
          "reference_origin": null,
          "metadata": {}
        },
        "relationships": {
          "role": {
            "links": {
              "self": "https://provisioning.example.test/api/permissions/AAAAAAAAAe/relationships/role",
              "related": "https://provisioning.example.test/api/permissions/AAAAAAAAAe/role"
            }
          },
          "organization": {
            "links": {
              "self": "https://provisioning.example.test/api/permissions/AAAAAAAAAe/relationships/organization",
              "related": "https://provisioning.example.test/api/permissions/AAAAAAAAAe/organization"
            }
          },
          "versions": {
            "links": {
              "self": "https://provisioning.example.test/api/permissions/AAAAAAAAAe/relationships/versions",
              "related": "https://provisioning.example.test/api/permissions/AAAAAAAAAe/versions"
            }
          }
        }
      }
    }
    "#);
    let twice = ada.post("/api/permissions", new(rights("orders"), &care)).await;
    assert_eq!(
        twice.problems(),
        ["422 VALIDATION_ERROR /data/attributes/subject: subject - has already been taken"]
    );
    let organization = ada.get(&format!("/api/permissions/{}/organization", made.id())).await;
    assert_eq!(organization.id(), blue.id);
}

#[tokio::test]
async fn every_flag_is_needed_and_false_counts() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let care = blue.custom_role("Care").await;
    let partial = json!({ "can_create": false, "can_read": null, "subject": "unicorns" });
    assert_eq!(
        ada.post("/api/permissions", new(partial, &care)).await.problems(),
        [
            "422 VALIDATION_ERROR /data/attributes/can_read: can_read - can't be blank",
            "422 VALIDATION_ERROR /data/attributes/subject: subject - is not included in the list",
            "422 VALIDATION_ERROR /data/attributes/can_update: can_update - can't be blank",
            "422 VALIDATION_ERROR /data/attributes/can_destroy: can_destroy - can't be blank",
        ]
    );
    let nothing = json!({ "data": { "type": "permissions", "attributes": rights("orders") } });
    assert_eq!(
        ada.post("/api/permissions", nothing).await.problems(),
        ["422 VALIDATION_ERROR /data/relationships/role: role - can't be blank"]
    );
}

#[tokio::test]
async fn only_custom_roles_have_them() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    for role in [&blue.admin, &blue.read_only] {
        assert_eq!(
            ada.post("/api/permissions", new(rights("orders"), role)).await.problems(),
            ["422 VALIDATION_ERROR /data/relationships/role: role - must be a custom role"]
        );
    }
}

#[tokio::test]
async fn flags_can_change_and_the_subject_cannot() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let care = blue.custom_role("Care").await;
    let id = ada.post("/api/permissions", new(rights("orders"), &care)).await.id();
    let path = format!("/api/permissions/{id}");
    let changed = ada.patch(&path, change("permissions", &id, json!({ "can_update": "1" }))).await;
    assert_eq!((changed.status, changed.attribute("can_update")), (200, json!(true)));
    let refused =
        ada.patch(&path, change("permissions", &id, json!({ "subject": "skus", "restrictions": {} }))).await;
    assert_eq!(
        refused.problems(),
        [
            "400 PARAM_NOT_ALLOWED: subject is not allowed.",
            "400 PARAM_NOT_ALLOWED: restrictions is not allowed."
        ]
    );
    assert_eq!(ada.delete(&path).await.status, 405);
}

#[tokio::test]
async fn an_organization_that_is_no_enterprise_any_more_makes_no_more() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let care = blue.custom_role("Care").await;
    guild
        .operate(|work| {
            let user = guildhall::resources::users::by_email(work, "ada@example.com")?.unwrap();
            guildhall::resources::users::set_plan(work, &user, "growth")
        })
        .await
        .unwrap();
    assert_eq!(ada.post("/api/permissions", new(rights("orders"), &care)).await.status, 401);
}
