//! `/api/roles`.

use crate::guild::{FORBIDDEN, Guild, change, link, pretty};
use insta::assert_snapshot;
use serde_json::json;

#[tokio::test]
async fn an_enterprise_makes_custom_roles() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let document = json!({ "data": { "type": "roles", "attributes": { "name": "Care" }, "relationships": { "organization": blue.link() } } });
    let made = ada.post("/api/roles", document).await;
    assert_eq!(made.status, 201);
    assert_snapshot!(pretty(&made.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAc",
        "type": "roles",
        "links": {
          "self": "https://provisioning.example.test/api/roles/AAAAAAAAAc"
        },
        "attributes": {
          "name": "Care",
          "kind": "custom",
          "created_at": "2026-01-01T12:00:00.000Z",
          "updated_at": "2026-01-01T12:00:00.000Z",
          "reference": null,
          "reference_origin": null,
          "metadata": {}
        },
        "relationships": {
          "organization": {
            "links": {
              "self": "https://provisioning.example.test/api/roles/AAAAAAAAAc/relationships/organization",
              "related": "https://provisioning.example.test/api/roles/AAAAAAAAAc/organization"
            }
          },
          "permissions": {
            "links": {
              "self": "https://provisioning.example.test/api/roles/AAAAAAAAAc/relationships/permissions",
              "related": "https://provisioning.example.test/api/roles/AAAAAAAAAc/permissions"
            }
          },
          "memberships": {
            "links": {
              "self": "https://provisioning.example.test/api/roles/AAAAAAAAAc/relationships/memberships",
              "related": "https://provisioning.example.test/api/roles/AAAAAAAAAc/memberships"
            }
          },
          "api_credentials": {
            "links": {
              "self": "https://provisioning.example.test/api/roles/AAAAAAAAAc/relationships/api_credentials",
              "related": "https://provisioning.example.test/api/roles/AAAAAAAAAc/api_credentials"
            }
          },
          "versions": {
            "links": {
              "self": "https://provisioning.example.test/api/roles/AAAAAAAAAc/relationships/versions",
              "related": "https://provisioning.example.test/api/roles/AAAAAAAAAc/versions"
            }
          }
        }
      }
    }
    "#);
}

#[tokio::test]
async fn the_documented_refusal_is_word_for_word() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let empty = json!({ "data": { "type": "roles", "attributes": { "name": "" }, "relationships": {} } });
    assert_snapshot!(pretty(&ada.post("/api/roles", empty).await.json(), &[]), @r#"
    {
      "errors": [
        {
          "title": "can't be blank",
          "detail": "name - can't be blank",
          "code": "VALIDATION_ERROR",
          "source": {
            "pointer": "/data/attributes/name"
          },
          "status": "422",
          "meta": {
            "error": "blank"
          }
        },
        {
          "title": "can't be blank",
          "detail": "organization - can't be blank",
          "code": "VALIDATION_ERROR",
          "source": {
            "pointer": "/data/relationships/organization"
          },
          "status": "422",
          "meta": {
            "error": "blank"
          }
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn other_plans_cannot() {
    let guild = Guild::new().await;
    let ada = guild.user_on("ada", "growth").await;
    let blue = ada.creates_organization("Blue").await;
    let document = json!({ "data": { "type": "roles", "attributes": { "name": "Care" }, "relationships": { "organization": blue.link() } } });
    assert_eq!(ada.post("/api/roles", document).await.problems(), [FORBIDDEN]);
}

#[tokio::test]
async fn names_are_unique_in_an_organization() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let care = blue.custom_role("Care").await;
    let taken = "422 VALIDATION_ERROR /data/attributes/name: name - has already been taken";
    let document = json!({ "data": { "type": "roles", "attributes": { "name": "Care" }, "relationships": { "organization": blue.link() } } });
    assert_eq!(ada.post("/api/roles", document).await.problems(), [taken]);
    let rename = change("roles", &care, json!({ "name": "Admin" }));
    assert_eq!(ada.patch(&format!("/api/roles/{care}"), rename).await.problems(), [taken]);
    ada.creates_organization("Red").await.custom_role("Care").await;
}

#[tokio::test]
async fn the_two_first_roles_keep_their_names() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    for role in [&blue.admin, &blue.read_only] {
        let path = format!("/api/roles/{role}");
        let refused = ada.patch(&path, change("roles", role, json!({ "name": "Boss" }))).await;
        assert_eq!(refused.problems(), ["422 VALIDATION_ERROR /data/attributes/name: name - is invalid"]);
        let noted = ada
            .patch(&path, change("roles", role, json!({ "reference": "R", "metadata": { "a": 1 } })))
            .await;
        assert_eq!((noted.status, noted.attribute("reference")), (200, json!("R")));
    }
}

#[tokio::test]
async fn missing_base_permissions_are_added_once() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let care = blue.custom_role("Care").await;
    let path = format!("/api/roles/{care}");
    let fire = async |role: &str, value: serde_json::Value| {
        let body = change("roles", role, json!({ "_add_missing_base_permissions": value }));
        assert_eq!(ada.patch(&format!("/api/roles/{role}"), body).await.status, 200);
        ada.get(&format!("/api/roles/{role}/permissions?page[size]=1")).await.json()["meta"]["record_count"]
            .clone()
    };
    let rights = json!({ "can_create": true, "can_read": true, "can_update": true, "can_destroy": true, "subject": "orders" });
    blue.makes("permissions", rights, json!({ "role": link("roles", &care) })).await;
    assert_eq!(fire(&care, json!(false)).await, json!(1));
    assert_eq!(fire(&care, json!(null)).await, json!(1));
    assert_eq!(fire(&care, json!("true")).await, json!(131));
    assert_eq!(fire(&care, json!(true)).await, json!(131));
    assert_eq!(fire(&blue.read_only, json!(true)).await, json!(0));
    let granted = ada.get(&format!("{path}/permissions?filter[q][can_read_true]=true")).await;
    assert_eq!(granted.json()["meta"]["record_count"], json!(1));
}

#[tokio::test]
async fn it_cannot_be_deleted() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let refused = ada.delete(&format!("/api/roles/{}", blue.admin)).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, PATCH"));
}
