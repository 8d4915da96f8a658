//! `/api/versions`, and the versions of memberships, permissions and roles.

use crate::guild::{DAY, Guild, HOUR, change, link, pretty};
use insta::assert_snapshot;
use serde_json::json;

#[tokio::test]
async fn an_update_leaves_what_was_before_and_after_and_who_did_it() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let member = blue.invites("new@example.com", &blue.read_only).await;
    let body = json!({ "data": { "type": "memberships", "id": member, "attributes": { "reference": "R", "metadata": { "a": 1 } },
        "relationships": { "role": link("roles", &blue.admin) } } });
    ada.patch(&format!("/api/memberships/{member}"), body).await;
    let versions = ada.get(&format!("/api/memberships/{member}/versions")).await;
    assert_snapshot!(pretty(&versions.json(), &[]), @r#"
    {
      "data": [
        {
          "id": "AAAAAAAAAg",
          "type": "versions",
          "links": {
            "self": "https://provisioning.example.test/api/versions/AAAAAAAAAg"
          },
          "attributes": {
            "resource_type": "memberships",
            "resource_id": "AAAAAAAAAc",
            "event": "update",
            "changes": {
              "reference": [
                null,
                "R"
              ],
              "metadata": [
                {},
                {
                  "a": 1
                }
              ],
              "role_id": [
                "AAAAAAAAAM",
                "AAAAAAAAAK"
              ]
            },
            "who": {
              "application": {
                "id": "AAAAAAAAAG",
                "kind": "user",
                "public": false
              },
              "user": {
                "id": "AAAAAAAAAC"
              }
            },
            "created_at": "2026-01-01T12:00:00.000Z",
            "updated_at": "2026-01-01T12:00:00.000Z",
            "reference": null,
            "reference_origin": null,
            "metadata": {}
          }
        }
      ],
      "meta": {
        "record_count": 1,
        "page_count": 1
      },
      "links": {
        "first": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/versions?page%5Bnumber%5D=1&page%5Bsize%5D=10",
        "last": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/versions?page%5Bnumber%5D=1&page%5Bsize%5D=10"
      }
    }
    "#);
}

#[tokio::test]
async fn only_roles_tell_of_their_creation() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let member = blue.invites("new@example.com", &blue.read_only).await;
    ada.delete(&format!("/api/memberships/{member}")).await;
    let versions = ada.get("/api/versions?fields[versions]=resource_type,event&sort=created_at").await.json();
    let told: Vec<String> = versions["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{} {}",
                one["attributes"]["resource_type"].as_str().unwrap(),
                one["attributes"]["event"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(told, ["roles create", "roles create", "memberships destroy"]);
    assert_eq!(versions["meta"]["record_count"], json!(3));
    let roles = ada.get("/api/versions?filter[q][resource_type_eq]=roles").await;
    assert_eq!(roles.ids().len(), 2);
}

#[tokio::test]
async fn what_changes_nothing_leaves_nothing() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let before = guild.number("select count(*) from history").await;
    guild.pass(HOUR);
    let same = ada
        .patch(
            &format!("/api/organizations/{}", blue.id),
            change("organizations", &blue.id, json!({ "name": "Blue" })),
        )
        .await;
    assert_eq!(same.attribute("updated_at"), same.attribute("created_at"));
    assert_eq!(guild.number("select count(*) from history").await, before);
}

#[tokio::test]
async fn only_admins_see_them_and_nobody_writes_them() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let bob = guild.user("bob").await;
    blue.invites("bob@example.com", &blue.read_only).await;
    assert_eq!(bob.get("/api/versions").await.ids(), [] as [&str; 0]);
    let id = ada.get("/api/versions").await.ids().remove(0);
    let path = format!("/api/versions/{id}");
    assert_eq!(ada.get(&path).await.status, 200);
    assert_eq!(bob.get(&path).await.status, 404);
    for method in ["POST", "PATCH", "DELETE"] {
        let refused = ada.send(method, &path, "{}").await;
        assert_eq!((refused.status, refused.header("allow")), (405, "GET"), "{method}");
    }
}

#[tokio::test]
async fn they_are_shown_for_a_year_and_history_stays() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    ada.creates_organization("Blue").await;
    let history = guild.number("select count(*) from history").await;
    guild.pass(366 * DAY);
    guildhall::server::sweep(&guild.app).await.unwrap();
    assert_eq!(guild.number("select count(*) from versions").await, 0);
    assert_eq!(guild.number("select size from sizes where kind = 'versions'").await, 0);
    assert_eq!(guild.number("select count(*) from history").await, history);
}
