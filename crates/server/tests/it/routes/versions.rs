//! `/api/versions`, and the versions of memberships, permissions and roles.

use crate::guild::{DAY, Guild, HOUR, change, link, pretty};
use guildhall_store::Sql;
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
    guildhall::sweep::sweep(&guild.app).await.unwrap();
    assert_eq!(guild.number("select count(*) from versions").await, 0);
    assert_eq!(guild.number("select size from sizes where kind = 'versions'").await, 0);
    assert_eq!(guild.number("select count(*) from history").await, history);
}

#[tokio::test]
async fn those_that_are_young_stay_and_all_are_counted() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (blue, red) = (ada.creates_organization("Blue").await, ada.creates_organization("Red").await);
    blue.custom_role("Old").await;
    // More than one unit hides, of an organization and of none.
    let many = "insert into history (id, organization_id, resource_type, resource_id, event, changes, who, origin, published, created_at)
                with recursive n (i) as (select 1 union all select i + 1 from n where i < 2500)
                select 'old' || cast(n.i as text), case when n.i < 2400 then h.organization_id end, h.resource_type, h.resource_id,
                    h.event, h.changes, h.who, h.origin, true, h.created_at - 31622400000
                from n join (select * from history where published order by id limit 1) h on 1 = 1";
    let counted = "update sizes set size = size + 2399 where kind = 'versions' and owner =
                   (select organization_id from history where published order by id limit 1)";
    guild
        .app
        .db
        .write(move |tx| {
            tx.execute(&Sql::text(counted))?;
            tx.execute(&Sql::text(many))
        })
        .await
        .unwrap();
    for organization in [&blue, &red] {
        organization.custom_role("Young").await;
    }
    guildhall::sweep::sweep(&guild.app).await.unwrap();
    let odd = "select count(*) from sizes s where s.kind = 'versions' and s.size <>
               (select count(*) from history h where h.organization_id = s.owner and h.published)";
    assert_eq!(guild.number(odd).await, 0);
    assert_eq!(guild.number("select count(*) from versions where created_at < 1767000000000").await, 0);
    assert!(guild.number("select count(*) from versions").await >= 3);
}
