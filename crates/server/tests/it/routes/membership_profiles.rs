//! `/api/membership_profiles`.

use crate::guild::{Guild, change, link, pretty};
use insta::assert_snapshot;
use serde_json::json;

#[tokio::test]
async fn an_admin_makes_one() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let document = json!({ "data": { "type": "membership_profiles", "attributes": { "name": "Marketing", "access_scope": "all_access" },
        "relationships": { "organization": blue.link() } } });
    let made = ada.post("/api/membership_profiles", document).await;
    assert_eq!(made.status, 201);
    assert_snapshot!(pretty(&made.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAc",
        "type": "membership_profiles",
        "links": {
          "self": "https://provisioning.example.test/api/membership_profiles/AAAAAAAAAc"
        },
        "attributes": {
          "name": "Marketing",
          "test_enabled": true,
          "access_scope": "all_access",
          "created_at": "2026-01-01T12:00:00.000Z",
          "updated_at": "2026-01-01T12:00:00.000Z",
          "reference": null,
          "reference_origin": null,
          "metadata": {}
        },
        "relationships": {
          "organization": {
            "links": {
              "self": "https://provisioning.example.test/api/membership_profiles/AAAAAAAAAc/relationships/organization",
              "related": "https://provisioning.example.test/api/membership_profiles/AAAAAAAAAc/organization"
            }
          },
          "application_memberships": {
            "links": {
              "self": "https://provisioning.example.test/api/membership_profiles/AAAAAAAAAc/relationships/application_memberships",
              "related": "https://provisioning.example.test/api/membership_profiles/AAAAAAAAAc/application_memberships"
            }
          }
        }
      }
    }
    "#);
}

#[tokio::test]
async fn the_scope_follows_test_enabled_and_cannot_be_null() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    for (sent, scope) in [
        (json!({ "name": "P" }), "live_access"),
        (json!({ "name": "P", "test_enabled": true }), "all_access"),
        (json!({ "name": "P", "test_enabled": false }), "live_access"),
        (json!({ "name": "P", "access_scope": "test_access" }), "test_access"),
    ] {
        let id = blue.makes("membership_profiles", sent, json!({})).await;
        let path = format!("/api/membership_profiles/{id}");
        assert_eq!(ada.get(&path).await.attribute("access_scope"), json!(scope));
        let refused =
            ada.patch(&path, change("membership_profiles", &id, json!({ "access_scope": null }))).await;
        assert_eq!(
            refused.problems(),
            ["422 VALIDATION_ERROR /data/attributes/access_scope: access_scope - can't be blank"]
        );
    }
}

#[tokio::test]
async fn a_member_sees_the_one_attached_to_them() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let bob = guild.user("bob").await;
    let membership = blue.invites("bob@example.com", &blue.read_only).await;
    let own = blue.makes("membership_profiles", json!({ "name": "Own" }), json!({})).await;
    blue.makes("membership_profiles", json!({ "name": "Other" }), json!({})).await;
    assert_eq!(bob.get("/api/membership_profiles").await.ids(), [] as [&str; 0]);
    let attach = json!({ "data": { "type": "memberships", "id": membership, "relationships": { "membership_profile": link("membership_profiles", &own) } } });
    ada.patch(&format!("/api/memberships/{membership}"), attach).await;
    assert_eq!(bob.get("/api/membership_profiles").await.ids(), [own]);
    assert_eq!(ada.get("/api/membership_profiles").await.ids().len(), 2);
}

#[tokio::test]
async fn deleting_one_detaches_it_and_ends_what_it_gave() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let profile = blue.makes("membership_profiles", json!({ "name": "P" }), json!({})).await;
    let app = blue.makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({})).await;
    let relationships = json!({
        "api_credential": link("api_credentials", &app),
        "role": link("roles", &blue.read_only),
        "membership_profile": link("membership_profiles", &profile),
    });
    let access = blue.makes("application_memberships", json!({}), relationships).await;
    let mut invitation = blue.invitation("new@example.com", &blue.read_only);
    invitation["data"]["relationships"]["membership_profile"] = link("membership_profiles", &profile);
    let membership = ada.post("/api/memberships", invitation).await.id();
    assert_eq!(ada.delete(&format!("/api/membership_profiles/{profile}")).await.status, 204);
    let left = ada.get(&format!("/api/memberships/{membership}/membership_profile")).await;
    assert_eq!(left.json(), json!({ "data": null }));
    assert_eq!(ada.get(&format!("/api/application_memberships/{access}")).await.status, 404);
}
