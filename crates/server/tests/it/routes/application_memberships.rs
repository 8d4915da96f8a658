//! `/api/application_memberships`.

use crate::guild::{Guild, Organization, Reply, change, link, pretty};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

async fn make(organization: &Organization<'_>, app: &str, attributes: Json, further: Json) -> Reply {
    let mut relationships = json!({
        "organization": organization.link(),
        "api_credential": link("api_credentials", app),
        "role": link("roles", &organization.read_only),
    });
    relationships.as_object_mut().unwrap().extend(further.as_object().unwrap().clone());
    let document = json!({ "data": { "type": "application_memberships", "attributes": attributes, "relationships": relationships } });
    organization.owner.post("/api/application_memberships", document).await
}

#[tokio::test]
async fn an_admin_opens_an_application_to_a_member() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let app = blue.makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({})).await;
    let member = blue.invites("new@example.com", &blue.read_only).await;
    let further = json!({ "membership": link("memberships", &member) });
    let made = make(&blue, &app, json!({ "filters": { "market_id_in": [202, 203] } }), further.clone()).await;
    assert_eq!(made.status, 201);
    assert_snapshot!(pretty(&made.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAm",
        "type": "application_memberships",
        "links": {
          "self": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm"
        },
        "attributes": {
          "filters": {
            "market_id_in": [
              202,
              203
            ]
          },
          "created_at": "2026-01-01T12:00:00.000Z",
          "updated_at": "2026-01-01T12:00:00.000Z",
          "reference": null,
          "reference_origin": null,
          "metadata": {}
        },
        "relationships": {
          "api_credential": {
            "links": {
              "self": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm/relationships/api_credential",
              "related": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm/api_credential"
            }
          },
          "membership": {
            "links": {
              "self": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm/relationships/membership",
              "related": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm/membership"
            }
          },
          "membership_profile": {
            "links": {
              "self": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm/relationships/membership_profile",
              "related": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm/membership_profile"
            }
          },
          "organization": {
            "links": {
              "self": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm/relationships/organization",
              "related": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm/organization"
            }
          },
          "role": {
            "links": {
              "self": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm/relationships/role",
              "related": "https://provisioning.example.test/api/application_memberships/AAAAAAAAAm/role"
            }
          }
        }
      }
    }
    "#);
    let twice = make(&blue, &app, json!({}), further).await;
    assert_eq!(
        twice.problems(),
        ["422 VALIDATION_ERROR /data/relationships/membership: membership - has already been taken"]
    );
    let path = format!("/api/application_memberships/{}", made.id());
    let cleared =
        ada.patch(&path, change("application_memberships", &made.id(), json!({ "filters": null }))).await;
    assert_eq!((cleared.status, cleared.attribute("filters")), (200, Json::Null));
}

#[tokio::test]
async fn it_belongs_to_a_membership_or_to_a_profile() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let app = blue.makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({})).await;
    let member = blue.invites("new@example.com", &blue.read_only).await;
    let profile = blue.makes("membership_profiles", json!({ "name": "P" }), json!({})).await;
    let both = json!({ "membership": link("memberships", &member), "membership_profile": link("membership_profiles", &profile) });
    let blank =
        ["422 VALIDATION_ERROR /data/relationships/membership_profile: membership_profile - must be blank"];
    assert_eq!(make(&blue, &app, json!({}), both).await.problems(), blank);
    let of_member =
        make(&blue, &app, json!({}), json!({ "membership": link("memberships", &member) })).await.id();
    let attach = json!({ "data": { "type": "application_memberships", "id": of_member,
        "relationships": { "membership_profile": link("membership_profiles", &profile) } } });
    assert_eq!(
        ada.patch(&format!("/api/application_memberships/{of_member}"), attach).await.problems(),
        blank
    );
    let free = make(&blue, &app, json!({}), json!({})).await;
    assert_eq!(free.status, 201);
    let list = json!({ "data": { "type": "membership_profiles", "id": profile, "relationships": { "application_memberships":
        { "data": [{ "type": "application_memberships", "id": of_member }] } } } });
    assert_eq!(
        ada.patch(&format!("/api/membership_profiles/{profile}"), list).await.problems(),
        [
            "422 VALIDATION_ERROR /data/relationships/application_memberships: application_memberships - must be blank"
        ]
    );
    // Two for one credential cannot hang on one member, by whatever way.
    let list = json!({ "data": { "type": "memberships", "id": member, "relationships": { "application_memberships":
        { "data": [{ "type": "application_memberships", "id": of_member }, { "type": "application_memberships", "id": free.id() }] } } } });
    assert_eq!(
        ada.patch(&format!("/api/memberships/{member}"), list).await.problems(),
        [
            "422 VALIDATION_ERROR /data/relationships/application_memberships: application_memberships - has already been taken"
        ]
    );
}

#[tokio::test]
async fn everything_named_must_be_of_the_same_organization() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let red = ada.creates_organization("Red").await;
    let app = red.makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({})).await;
    assert_eq!(
        make(&blue, &app, json!({}), json!({ "role": link("roles", &red.admin) })).await.problems(),
        [
            "422 VALIDATION_ERROR /data/relationships/api_credential: api_credential - is invalid",
            "422 VALIDATION_ERROR /data/relationships/role: role - is invalid",
        ]
    );
}

#[tokio::test]
async fn what_another_has_cannot_be_taken_by_its_id() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let app = blue.makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({})).await;
    let theirs = make(&blue, &app, json!({}), json!({})).await.id();
    let eve = guild.user("eve").await;
    let evil = eve.creates_organization("Evil").await;
    let mut invitation = evil.invitation("new@example.com", &evil.read_only);
    invitation["data"]["relationships"]["application_memberships"] =
        json!({ "data": [{ "type": "application_memberships", "id": theirs }] });
    assert_eq!(
        eve.post("/api/memberships", invitation).await.problems(),
        [
            "422 VALIDATION_ERROR /data/relationships/application_memberships: application_memberships - can't be blank"
        ]
    );
}

#[tokio::test]
async fn members_see_their_own() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let bob = guild.user("bob").await;
    let member = blue.invites("bob@example.com", &blue.read_only).await;
    let app = blue.makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({})).await;
    make(&blue, &app, json!({}), json!({})).await;
    let own = make(&blue, &app, json!({}), json!({ "membership": link("memberships", &member) })).await.id();
    assert_eq!(bob.get("/api/application_memberships").await.ids(), [own.clone()]);
    assert_eq!(
        bob.get("/api/application_memberships?include=membership,role,api_credential").await.ids(),
        [own]
    );
    assert_eq!(ada.get("/api/application_memberships").await.ids().len(), 2);
}
