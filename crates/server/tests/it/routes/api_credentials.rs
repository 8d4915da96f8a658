//! `/api/api_credentials`.

use crate::guild::{Guild, Organization, Reply, change, link, pretty};
use guildhall::config::SecretReaders;
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

async fn make(organization: &Organization<'_>, attributes: Json, role: Option<&str>) -> Reply {
    let mut relationships = json!({ "organization": organization.link() });
    if let Some(role) = role {
        relationships["role"] = link("roles", role);
    }
    let document = json!({ "data": { "type": "api_credentials", "attributes": attributes, "relationships": relationships } });
    organization.owner.post("/api/api_credentials", document).await
}

#[tokio::test]
async fn a_sales_channel_is_public() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let made = make(&blue, json!({ "name": "Shop", "kind": "sales_channel" }), None).await;
    assert_eq!(made.status, 201);
    assert_snapshot!(pretty(&made.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAd",
        "type": "api_credentials",
        "links": {
          "self": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAd"
        },
        "attributes": {
          "name": "Shop",
          "kind": "sales_channel",
          "confidential": false,
          "redirect_uri": null,
          "client_id": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABw",
          "client_secret": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB8",
          "scopes": "market:all",
          "expires_in": 14400,
          "mode": "test",
          "custom": false,
          "token_endpoint_auth_method": null,
          "jwks": null,
          "disabled_at": null,
          "created_at": "2026-01-01T12:00:00.000Z",
          "updated_at": "2026-01-01T12:00:00.000Z",
          "reference": null,
          "reference_origin": null,
          "metadata": {}
        },
        "relationships": {
          "organization": {
            "links": {
              "self": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAd/relationships/organization",
              "related": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAd/organization"
            }
          },
          "role": {
            "links": {
              "self": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAd/relationships/role",
              "related": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAd/role"
            }
          },
          "client_secrets": {
            "links": {
              "self": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAd/relationships/client_secrets",
              "related": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAd/client_secrets"
            }
          }
        }
      }
    }
    "#);
}

#[tokio::test]
async fn each_kind_has_its_rule_for_the_role() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let care = blue.custom_role("Care").await;
    let problem = |text: &str| Some(format!("422 VALIDATION_ERROR /data/relationships/role: role - {text}"));
    for (kind, role, refused) in [
        ("sales_channel", None, None),
        ("sales_channel", Some(&blue.admin), problem("must be blank")),
        ("webapp", None, None),
        ("webapp", Some(&blue.read_only), problem("must be blank")),
        ("integration", None, problem("can't be blank")),
        ("integration", Some(&blue.read_only), None),
        ("integration", Some(&care), None),
        ("orders", None, None),
        ("orders", Some(&care), None),
    ] {
        let reply = make(&blue, json!({ "name": "X", "kind": kind }), role.map(String::as_str)).await;
        match refused {
            None => assert_eq!(reply.status, 201, "{kind}: {}", reply.text()),
            Some(problem) => assert_eq!(reply.problems(), [problem], "{kind}"),
        }
    }
}

#[tokio::test]
async fn kinds_of_the_service_cannot_be_made() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    for kind in ["resources", "user", "dashboard", "unicorn"] {
        assert_eq!(
            make(&blue, json!({ "name": "X", "kind": kind }), None).await.problems(),
            ["422 VALIDATION_ERROR /data/attributes/kind: kind - is not included in the list"],
            "{kind}"
        );
    }
}

#[tokio::test]
async fn defaults_depend_on_the_kind() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    for (kind, seconds, confidential) in
        [("sales_channel", 14_400, false), ("webapp", 7_200, true), ("orders", 7_200, true)]
    {
        let sent = json!({ "name": "X", "kind": kind, "mode": null, "custom": null, "expires_in": null });
        let made = make(&blue, sent, None).await;
        let shown =
            ["expires_in", "confidential", "mode", "custom", "scopes"].map(|name| made.attribute(name));
        let expected =
            [json!(seconds), json!(confidential), json!("test"), json!(false), json!("market:all")];
        assert_eq!(shown, expected, "{kind}");
        let path = format!("/api/api_credentials/{}", made.id());
        let longer = ada
            .patch(&path, change("api_credentials", &made.id(), json!({ "expires_in": "31536000" })))
            .await;
        assert_eq!(longer.attribute("expires_in"), json!(31_536_000));
        let back =
            ada.patch(&path, change("api_credentials", &made.id(), json!({ "expires_in": null }))).await;
        assert_eq!(back.attribute("expires_in"), json!(seconds));
    }
}

#[tokio::test]
async fn numbers_and_words_have_bounds() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let sent = json!({ "name": "X", "kind": "webapp", "expires_in": 31_536_001, "mode": "stage", "redirect_uri": "nowhere" });
    let refused = make(&blue, sent, None).await;
    assert_eq!(
        refused.problems(),
        [
            "422 VALIDATION_ERROR /data/attributes/expires_in: expires_in - must be less than or equal to 31536000",
            "422 VALIDATION_ERROR /data/attributes/mode: mode - is not included in the list",
            "422 VALIDATION_ERROR /data/attributes/redirect_uri: redirect_uri - is invalid",
        ]
    );
    let meta = &refused.json()["errors"][0]["meta"];
    assert_eq!(meta, &json!({ "error": "less_than_or_equal_to", "value": 31_536_001, "count": 31_536_000 }));
    for (value, problem) in [
        (json!(7199), "must be greater than or equal to 7200"),
        (json!(7200.5), "must be an integer"),
        (json!("soon"), "is not a number"),
        (json!("NaN"), "is not a number"),
        (json!(1e20), "must be less than or equal to 31536000"),
        (json!({}), "is not a number"),
    ] {
        let refused = make(&blue, json!({ "name": "X", "kind": "webapp", "expires_in": value }), None).await;
        assert_eq!(
            refused.problems(),
            [format!("422 VALIDATION_ERROR /data/attributes/expires_in: expires_in - {problem}")]
        );
    }
    let custom = make(&blue, json!({ "name": "X", "kind": "webapp", "custom": true }), None).await;
    assert_eq!(custom.problems(), ["422 VALIDATION_ERROR /data/attributes/custom: custom - is invalid"]);
}

#[tokio::test]
async fn everything_wrong_is_told_at_once_whatever_rule_finds_it() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let sent = json!({ "name": "", "kind": "sales_channel", "custom": true });
    assert_eq!(
        make(&blue, sent, Some(&blue.admin)).await.problems(),
        [
            "422 VALIDATION_ERROR /data/attributes/name: name - can't be blank",
            "422 VALIDATION_ERROR /data/relationships/role: role - must be blank",
            "422 VALIDATION_ERROR /data/attributes/custom: custom - is invalid",
        ]
    );
}

#[tokio::test]
async fn a_missing_organization_is_the_only_problem_of_a_custom_role() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let care = blue.custom_role("Care").await;
    let document = json!({ "data": { "type": "api_credentials", "attributes": { "name": "X", "kind": "integration" },
        "relationships": { "role": link("roles", &care) } } });
    assert_eq!(
        ada.post("/api/api_credentials", document).await.problems(),
        ["422 VALIDATION_ERROR /data/relationships/organization: organization - can't be blank"]
    );
}

#[tokio::test]
async fn the_two_first_ones_cannot_be_deleted() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    ada.creates_organization("Blue").await;
    let first = ada.get("/api/api_credentials").await.ids();
    assert_eq!(first.len(), 2);
    for id in first {
        let refused = ada.delete(&format!("/api/api_credentials/{id}")).await;
        assert_eq!(
            refused.problems(),
            ["423 LOCKED: The credentials an organization was made with cannot be deleted."]
        );
    }
}

#[tokio::test]
async fn deleting_one_ends_its_application_memberships() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let app = make(&blue, json!({ "name": "Orders", "kind": "orders" }), None).await.id();
    let relationships =
        json!({ "api_credential": link("api_credentials", &app), "role": link("roles", &blue.read_only) });
    let access = blue.makes("application_memberships", json!({}), relationships).await;
    assert_eq!(ada.delete(&format!("/api/api_credentials/{app}")).await.status, 204);
    assert_eq!(ada.get(&format!("/api/application_memberships/{access}")).await.status, 404);
    assert_eq!(ada.get(&format!("/api/api_credentials/{app}")).await.status, 404);
}

#[tokio::test]
async fn secrets_are_sealed_at_rest_and_never_probed() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let secret = make(&blue, json!({ "name": "X", "kind": "webapp" }), None).await.attribute("client_secret");
    let plain = guild
        .number_of("select count(*) from client_secrets where secret = ?", [secret.as_str().unwrap().into()])
        .await;
    assert_eq!(plain, 0);
    let leaked = guild
        .number_of(
            "select count(*) from history where changes like '%' || ? || '%'",
            [secret.as_str().unwrap().into()],
        )
        .await;
    assert_eq!(leaked, 0);
    assert_eq!(
        ada.get("/api/api_credentials?filter[q][client_secret_start]=a").await.problems(),
        ["400 FILTER_NOT_ALLOWED: client_secret_start is not allowed."]
    );
    assert_eq!(
        ada.get("/api/api_credentials?sort=client_secret").await.problems(),
        ["400 INVALID_SORT_CRITERIA: client_secret is not a valid sort criteria for api_credentials"]
    );
}

#[tokio::test]
async fn an_installation_can_show_secrets_to_admins_only() {
    for (readers, shown) in [(SecretReaders::Members, true), (SecretReaders::Admins, false)] {
        let guild = Guild::with(|config| config.show_secrets = readers).await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let bob = guild.user("bob").await;
        blue.invites("bob@example.com", &blue.read_only).await;
        let path = format!(
            "/api/api_credentials/{}",
            make(&blue, json!({ "name": "X", "kind": "webapp" }), None).await.id()
        );
        let secret = ada.get(&path).await.attribute("client_secret");
        assert_eq!(secret.as_str().unwrap().len(), 43);
        assert_eq!(bob.get(&path).await.attribute("client_secret") == secret, shown);
        let listed = bob.get("/api/api_credentials?include=organization").await.text();
        assert_eq!(listed.contains(secret.as_str().unwrap()), shown);
    }
}
