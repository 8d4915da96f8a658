//! `GET /api/organization`, `GET /api/application` and `GET /oauth/tokeninfo` on an organization's own host.

use crate::guild::{Guild, link, pretty};
use crate::webapp::{Tokens, Webapp};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use insta::assert_snapshot;
use serde_json::{Value as Json, json};
use std::fmt::Write as _;

/// A credential of a kind with a token for itself.
async fn with_token<'g>(guild: &'g Guild, kind: &str) -> (Webapp<'g>, String) {
    let ada = guild.user("ada").await;
    let client = Webapp::of(ada.creates_organization("Blue").await, json!({ "kind": kind })).await;
    let token =
        Tokens::of(&client.asks_for_token(json!({ "grant_type": "client_credentials" })).await).access;
    (client, token)
}

#[tokio::test]
async fn every_kind_of_token_reads_its_organization() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let tokens = shop.is_let_in_by(&ada).await;
    let shown = shop.visits(&tokens.access, "/api/organization?fields[organizations]=name,slug").await;
    assert_eq!(shown.header("content-type"), "application/vnd.api+json");
    assert_snapshot!(pretty(&shown.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAT",
        "type": "organizations",
        "attributes": {
          "name": "Blue",
          "slug": "blue"
        },
        "relationships": {},
        "meta": {
          "mode": "test",
          "organization_id": "AAAAAAAAAT",
          "trace_id": "test"
        }
      }
    }
    "#);
    let whole = shop.visits(&tokens.access, "/api/organization/").await.json();
    let attributes = whole["data"]["attributes"].as_object().unwrap();
    for absent in ["contrast_color", "region", "can_switch_live", "subscription_info"] {
        assert!(!attributes.contains_key(absent), "{absent}");
    }
    for present in
        ["api_fragment_caching_enabled", "skus_discovery", "config", "gtm_id", "created_at", "metadata"]
    {
        assert!(attributes.contains_key(present), "{present}");
    }
    assert_eq!(shop.visits(&tokens.access, "/api/2026-05/organization").await.status, 200);
    let refused = shop.visits(&tokens.access, "/api/organization?fields[organizations]=nothing").await;
    assert_eq!(refused.problems(), ["400 INVALID_FIELD: nothing is not a valid field for organizations."]);
}

#[tokio::test]
async fn applications_read_themselves() {
    for kind in ["sales_channel", "integration"] {
        let guild = Guild::new().await;
        let (client, token) = with_token(&guild, kind).await;
        assert_eq!(client.visits(&token, "/api/organization").await.status, 200);
        let shown = client.visits(&token, "/api/application").await.json();
        assert_eq!(shown["data"]["attributes"]["public_access"], json!(kind == "sales_channel"));
        if kind == "integration" {
            assert_snapshot!(pretty(&shown, &[]), @r#"
            {
              "data": {
                "id": "AAAAAAAAAd",
                "type": "applications",
                "attributes": {
                  "name": "Shop",
                  "kind": "integration",
                  "public_access": false,
                  "redirect_uri": "https://app.example.com/callback",
                  "scopes": "market:all",
                  "created_at": "2026-01-01T12:00:00.000Z",
                  "updated_at": "2026-01-01T12:00:00.000Z",
                  "reference": null,
                  "reference_origin": null,
                  "metadata": {}
                },
                "relationships": {},
                "meta": {
                  "mode": "test",
                  "organization_id": "AAAAAAAAAI",
                  "trace_id": "test"
                }
              }
            }
            "#);
        }
        assert!(
            !shown.to_string().contains(&client.client_secret)
                && !shown.to_string().contains(&client.client_id)
        );
        let field = client.visits(&token, "/api/application?fields[applications]=name").await.json();
        assert_eq!(field["data"]["attributes"], json!({ "name": "Shop" }));
    }
}

#[tokio::test]
async fn another_organizations_host_is_closed() {
    let guild = Guild::new().await;
    let (client, token) = with_token(&guild, "integration").await;
    let somebody = guild.bearer(&token);
    for path in ["/api/organization", "/api/application", "/oauth/tokeninfo"] {
        assert_eq!(somebody.at("blue.example.test", path).await.status, 200, "{path}");
        assert_eq!(somebody.at("BLUE.example.test:443", path).await.status, 200, "{path}");
        // Where hosts are not told apart, the token says which organization it is.
        assert_eq!(somebody.at("127.0.0.1:8080", path).await.status, 200, "{path}");
        for host in ["red.example.test", "blue-2.example.test"] {
            let refused = somebody.at(host, path).await;
            assert_eq!(refused.problems(), ["401 INVALID_TOKEN: The access token you provided is invalid."]);
            assert_eq!(refused.header("www-authenticate"), "Bearer error=\"invalid_token\"");
        }
        assert_eq!(guild.nobody().at("blue.example.test", path).await.status, 401);
        let personal = client.organization.owner.at("blue.example.test", path).await;
        assert_eq!(personal.problems(), ["401 INVALID_TOKEN: The access token you provided is invalid."]);
    }
    assert_eq!(somebody.at("blue.example.test", "/api/orders").await.status, 404);
    for (host, path) in
        [("blue.example.test", "/api/organizations"), ("provisioning.example.test", "/api/organization")]
    {
        let request =
            somebody.request("GET", path).header("host", host).body(axum::body::Body::empty()).unwrap();
        assert_eq!(guild.answer(request, somebody.address).await.status, 404, "{host}{path}");
    }
}

#[tokio::test]
async fn only_reading_is_possible() {
    let guild = Guild::new().await;
    let (_, token) = with_token(&guild, "integration").await;
    let somebody = guild.bearer(&token);
    let request = somebody.request("PATCH", "/api/organization").header("host", "blue.example.test");
    let refused = somebody.ask(request.body(axum::body::Body::from("{}")).unwrap()).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET"));
    let request = somebody.request("GET", "/api/organization").header("host", "blue.example.test");
    let refused =
        somebody.ask(request.header("accept", "text/html").body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!(refused.status, 406);
}

/// What a token is told of itself, with its permissions counted.
async fn tokeninfo(client: &Webapp<'_>, token: &str) -> Json {
    let mut told = client.visits(token, "/oauth/tokeninfo").await.json();
    let permissions = told["permissions"].as_object().unwrap();
    if permissions.len() > 3 {
        let orders = permissions["orders"].clone();
        told["permissions"] = json!({ "orders": orders, "and more": permissions.len() > 50 });
    }
    told
}

#[tokio::test]
async fn a_webapp_has_the_rights_of_whoever_agreed() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    shop.organization
        .makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({}))
        .await;
    let membership = shop.organization.owner.get("/api/memberships").await.ids().remove(0);
    let change = crate::guild::change("memberships", &membership, json!({ "access_scope": "all_access" }));
    assert_eq!(
        shop.organization.owner.patch(&format!("/api/memberships/{membership}"), change).await.status,
        200
    );
    let tokens = shop.is_let_in_for(&ada, "market:id:a").await;
    assert_snapshot!(pretty(&tokeninfo(&shop, &tokens.access).await, &[]), @r#"
    {
      "token": {
        "test": true,
        "market_ids": [
          "a"
        ],
        "stock_location_ids": [],
        "lifespan": 7200
      },
      "role": {
        "id": "AAAAAAAAAV",
        "kind": "admin",
        "name": "Admin"
      },
      "application": {
        "id": "AAAAAAAAAo",
        "kind": "webapp",
        "name": "Shop",
        "core": false
      },
      "owner": {
        "id": "AAAAAAAAAI",
        "type": "User",
        "first_name": "ada",
        "last_name": "Example",
        "email": "ada@example.com",
        "owner": true,
        "time_zone": null
      },
      "permissions": {
        "orders": {
          "actions": [
            "create",
            "destroy",
            "read",
            "update"
          ]
        },
        "and more": true
      },
      "accessible_apps": [
        {
          "name": "Orders",
          "kind": "orders",
          "core": true
        }
      ]
    }
    "#);
    // Somebody who may only read.
    let bob = guild.signed_up("bob").await;
    let membership = shop.organization.invites("bob@example.com", &shop.organization.read_only).await;
    let bobs = shop.is_let_in_by(&bob).await;
    let told = tokeninfo(&shop, &bobs.access).await;
    assert_eq!(told["role"]["kind"], json!("read_only"));
    assert_eq!(told["permissions"]["orders"], json!({ "actions": ["read"] }));
    assert_eq!(told["accessible_apps"], json!([]));
    // A role counts as it is at that moment.
    let custom = shop.organization.custom_role("Care").await;
    let rights = json!({ "can_create": false, "can_read": true, "can_update": true, "can_destroy": false, "subject": "orders" });
    shop.organization
        .makes("permissions", rights, json!({ "role": crate::guild::link("roles", &custom) }))
        .await;
    let change = json!({ "data": {
        "type": "memberships", "id": membership, "relationships": { "role": crate::guild::link("roles", &custom) },
    } });
    let changed = shop.organization.owner.patch(&format!("/api/memberships/{membership}"), change).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let told = tokeninfo(&shop, &bobs.access).await;
    assert_eq!(told["permissions"], json!({ "orders": { "actions": ["read", "update"] } }));
}

#[tokio::test]
async fn an_application_for_itself_has_its_own_role_or_none() {
    let guild = Guild::new().await;
    let (client, token) = with_token(&guild, "integration").await;
    let told = tokeninfo(&client, &token).await;
    assert_eq!((&told["role"]["kind"], &told["owner"]), (&json!("admin"), &json!(null)));
    let organization = client.organization.owner.creates_organization("Red").await;
    let channel = Webapp::of(organization, json!({ "kind": "sales_channel" })).await;
    let token =
        Tokens::of(&channel.asks_for_token(json!({ "grant_type": "client_credentials" })).await).access;
    let told = tokeninfo(&channel, &token).await;
    assert_eq!((&told["role"], &told["permissions"]), (&json!(null), &json!({})));
}

#[tokio::test]
async fn whoever_an_integration_or_a_sales_channel_names_lends_it_no_rights() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    blue.makes("api_credentials", json!({ "name": "Orders", "kind": "orders", "mode": "test" }), json!({}))
        .await;
    let claims = json!({ "https://commercelayer.io/claims": { "owner": { "type": "User", "id": ada.id } } });
    let assertion = format!("e30.{}.e30", URL_SAFE_NO_PAD.encode(claims.to_string()));
    let grant =
        json!({ "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion });
    let integration = blue
        .makes(
            "api_credentials",
            json!({ "name": "Shop", "kind": "integration" }),
            json!({ "role": link("roles", &blue.read_only) }),
        )
        .await;
    let channel =
        blue.makes("api_credentials", json!({ "name": "Shop", "kind": "sales_channel" }), json!({})).await;
    for (id, role, permissions) in [
        (integration, json!("read_only"), json!({ "actions": ["read"] })),
        (channel, json!(null), json!(null)),
    ] {
        let client = Webapp::existing(&blue, &id).await;
        let token = Tokens::of(&client.asks_for_token(grant.clone()).await).access;
        let told = tokeninfo(&client, &token).await;
        assert_eq!(told["role"]["kind"], role);
        assert_eq!(told["permissions"]["orders"], permissions);
        assert_eq!((&told["owner"]["id"], &told["accessible_apps"]), (&json!(ada.id), &json!([])));
    }
}

#[tokio::test]
async fn the_access_of_a_member_or_of_their_profile_decides_in_which_mode_they_open_what() {
    let guild = Guild::new().await;
    let (test_shop, ada) = Webapp::new(&guild).await;
    let organization = &test_shop.organization;
    let owner = &organization.owner;
    let live_shop = Webapp::of(organization.clone(), json!({ "mode": "live" })).await;
    for (mode, custom) in [("test", false), ("live", false), ("test", true), ("live", true)] {
        let name = format!("{mode}{}", if custom { " of our own" } else { "" });
        let attributes = json!({ "name": name, "kind": "orders", "mode": mode, "custom": custom });
        let app = organization.makes("api_credentials", attributes, json!({})).await;
        let links = json!({
            "api_credential": link("api_credentials", &app), "role": link("roles", &organization.admin),
            "membership": link("memberships", &owner.get("/api/memberships").await.ids()[0]),
        });
        organization.makes("application_memberships", json!({}), links).await;
    }
    let membership = owner.get("/api/memberships").await.ids().remove(0);
    let mut told = String::new();
    for (own, profile) in [
        (json!(null), None),
        (json!("live_access"), None),
        (json!("test_access"), None),
        (json!("all_access"), None),
        (json!("live_access"), Some("test_access")),
        (json!("test_access"), Some("live_access")),
        (json!("live_access"), Some("all_access")),
    ] {
        let mut change = crate::guild::change("memberships", &membership, json!({ "access_scope": own }));
        change["data"]["relationships"]["membership_profile"] = match profile {
            None => json!({ "data": null }),
            Some(access) => {
                let attributes = json!({ "name": access, "access_scope": access });
                let made = organization.makes("membership_profiles", attributes, json!({})).await;
                link("membership_profiles", &made)
            }
        };
        let changed = owner.patch(&format!("/api/memberships/{membership}"), change).await;
        assert_eq!(changed.status, 200, "{}", changed.text());
        let mut seen = Vec::new();
        for shop in [&test_shop, &live_shop] {
            let token = shop.is_let_in_by(&ada).await.access;
            let told = tokeninfo(shop, &token).await;
            let apps = told["accessible_apps"].as_array().unwrap().clone();
            seen.push(apps.iter().map(|app| app["name"].as_str().unwrap()).collect::<Vec<_>>().join(", "));
        }
        let own = own.as_str().unwrap_or("none");
        writeln!(told, "{own}, profile {}: {} | {}", profile.unwrap_or("none"), seen[0], seen[1]).unwrap();
    }
    assert_snapshot!(told, @"
    none, profile none: test of our own | live, live of our own
    live_access, profile none: test of our own | live, live of our own
    test_access, profile none: test, test of our own | live of our own
    all_access, profile none: test, test of our own | live, live of our own
    live_access, profile test_access: test, test of our own | live of our own
    test_access, profile live_access: test of our own | live, live of our own
    live_access, profile all_access: test, test of our own | live, live of our own
    ");
}
