//! `/api/organizations`.

use crate::guild::{Guild, Person, at_once, change, pretty};
use guildhall::resources::organizations;
use guildhall_jsonapi::Record;
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

fn new(attributes: Json) -> Json {
    json!({ "data": { "type": "organizations", "attributes": attributes } })
}

#[tokio::test]
async fn creating_one_needs_only_a_name() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let made = ada.post("/api/organizations", new(json!({ "name": "The Blue Brand" }))).await;
    assert_eq!(made.status, 201);
    assert_snapshot!(pretty(&made.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAI",
        "type": "organizations",
        "links": {
          "self": "https://provisioning.example.test/api/organizations/AAAAAAAAAI"
        },
        "attributes": {
          "name": "The Blue Brand",
          "slug": "the-blue-brand",
          "domain": "the-blue-brand.example.test",
          "support_phone": null,
          "support_email": null,
          "logo_url": null,
          "favicon_url": null,
          "primary_color": null,
          "contrast_color": null,
          "gtm_id": null,
          "gtm_id_test": null,
          "region": "eu-west-1",
          "can_switch_live": true,
          "subscription_info": {
            "plan_type": "enterprise",
            "limits": {
              "markets": 0,
              "skus": 0,
              "organizations": null,
              "memberships": null
            },
            "totals": {
              "organizations": 1,
              "markets": 0,
              "memberships": 1,
              "skus": 0
            }
          },
          "config": null,
          "api_auth_redirect": true,
          "api_rules_engine": false,
          "api_rules_engine_max_conditions_size": 150,
          "api_rules_engine_max_rules_size": 15,
          "api_new_auth": true,
          "api_purge_single_resource": false,
          "api_max_regex_length": 5000,
          "addresses_avs_check": true,
          "addresses_phone_required": true,
          "orders_sales_channel_guest_only": true,
          "orders_min_rebuild_shipments_lapse": 0,
          "orders_min_refresh_lapse": 0,
          "orders_autorefresh_cutoff_test": 50,
          "orders_autorefresh_cutoff_live": 500,
          "orders_number_editable_test": false,
          "orders_number_editable_live": false,
          "orders_number_as_reference": true,
          "orders_invalid_coupon_errors": true,
          "orders_invalid_gift_card_errors": true,
          "orders_validate_shipping_stock": false,
          "bundles_max_items_count": 10,
          "coupons_min_code_length": 8,
          "coupons_max_code_length": 40,
          "gift_cards_exact_code_matching": false,
          "gift_cards_min_code_length": 8,
          "gift_cards_max_code_length": 40,
          "cleanups_max_concurrent_count": 10,
          "exports_max_concurrent_count": 10,
          "imports_max_concurrent_count": 10,
          "imports_purge_cache": true,
          "imports_skip_errors": false,
          "inventory_models_max_stock_locations_cutoff": 10,
          "promotions_max_concurrent_count": 10,
          "promotions_max_conditions_size": 150,
          "promotions_max_rules_size": 15,
          "price_lists_max_conditions_size": 150,
          "price_lists_max_rules_size": 15,
          "imports_trigger_webhooks": 0,
          "discount_engines_enabled": false,
          "discount_engines_errors": false,
          "tags_max_name_length": 25,
          "tags_max_allowed_number": 10,
          "tax_calculators_errors": false,
          "external_promotions_errors": false,
          "external_prices_errors": true,
          "created_at": "2026-01-01T12:00:00.000Z",
          "updated_at": "2026-01-01T12:00:00.000Z",
          "reference": null,
          "reference_origin": null,
          "metadata": {}
        },
        "relationships": {
          "memberships": {
            "links": {
              "self": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/relationships/memberships",
              "related": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/memberships"
            }
          },
          "roles": {
            "links": {
              "self": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/relationships/roles",
              "related": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/roles"
            }
          },
          "permissions": {
            "links": {
              "self": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/relationships/permissions",
              "related": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/permissions"
            }
          },
          "api_credentials": {
            "links": {
              "self": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/relationships/api_credentials",
              "related": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/api_credentials"
            }
          }
        }
      }
    }
    "#);
}

#[tokio::test]
async fn creating_one_brings_roles_an_owner_and_two_credentials() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let fields = "fields[memberships]=owner,status,access_scope,user_email,role&fields[roles]=name,kind\
                  &fields[api_credentials]=name,kind,mode,role,confidential,expires_in,scopes&fields[organizations]=memberships,roles,api_credentials";
    let path = format!(
        "/api/organizations/{}?include=memberships.role,roles,api_credentials.role&{fields}",
        blue.id
    );
    assert_snapshot!(pretty(&ada.get(&path).await.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAI",
        "type": "organizations",
        "links": {
          "self": "https://provisioning.example.test/api/organizations/AAAAAAAAAI"
        },
        "attributes": {},
        "relationships": {
          "memberships": {
            "links": {
              "self": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/relationships/memberships",
              "related": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/memberships"
            },
            "data": [
              {
                "type": "memberships",
                "id": "AAAAAAAAAO"
              }
            ]
          },
          "roles": {
            "links": {
              "self": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/relationships/roles",
              "related": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/roles"
            },
            "data": [
              {
                "type": "roles",
                "id": "AAAAAAAAAK"
              },
              {
                "type": "roles",
                "id": "AAAAAAAAAM"
              }
            ]
          },
          "api_credentials": {
            "links": {
              "self": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/relationships/api_credentials",
              "related": "https://provisioning.example.test/api/organizations/AAAAAAAAAI/api_credentials"
            },
            "data": [
              {
                "type": "api_credentials",
                "id": "AAAAAAAAAR"
              },
              {
                "type": "api_credentials",
                "id": "AAAAAAAAAX"
              }
            ]
          }
        }
      },
      "included": [
        {
          "id": "AAAAAAAAAO",
          "type": "memberships",
          "links": {
            "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAO"
          },
          "attributes": {
            "user_email": "ada@example.com",
            "status": "active",
            "owner": true,
            "access_scope": "live_access"
          },
          "relationships": {
            "role": {
              "links": {
                "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAO/relationships/role",
                "related": "https://provisioning.example.test/api/memberships/AAAAAAAAAO/role"
              },
              "data": {
                "type": "roles",
                "id": "AAAAAAAAAK"
              }
            }
          }
        },
        {
          "id": "AAAAAAAAAK",
          "type": "roles",
          "links": {
            "self": "https://provisioning.example.test/api/roles/AAAAAAAAAK"
          },
          "attributes": {
            "name": "Admin",
            "kind": "admin"
          }
        },
        {
          "id": "AAAAAAAAAM",
          "type": "roles",
          "links": {
            "self": "https://provisioning.example.test/api/roles/AAAAAAAAAM"
          },
          "attributes": {
            "name": "Read-only",
            "kind": "read_only"
          }
        },
        {
          "id": "AAAAAAAAAR",
          "type": "api_credentials",
          "links": {
            "self": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAR"
          },
          "attributes": {
            "name": "Resources",
            "kind": "resources",
            "confidential": true,
            "scopes": "market:all",
            "expires_in": 7200,
            "mode": "test"
          },
          "relationships": {
            "role": {
              "links": {
                "self": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAR/relationships/role",
                "related": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAR/role"
              },
              "data": {
                "type": "roles",
                "id": "AAAAAAAAAK"
              }
            }
          }
        },
        {
          "id": "AAAAAAAAAX",
          "type": "api_credentials",
          "links": {
            "self": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAX"
          },
          "attributes": {
            "name": "Resources",
            "kind": "resources",
            "confidential": true,
            "scopes": "market:all",
            "expires_in": 7200,
            "mode": "live"
          },
          "relationships": {
            "role": {
              "links": {
                "self": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAX/relationships/role",
                "related": "https://provisioning.example.test/api/api_credentials/AAAAAAAAAX/role"
              },
              "data": {
                "type": "roles",
                "id": "AAAAAAAAAK"
              }
            }
          }
        }
      ]
    }
    "#);
}

#[tokio::test]
async fn a_name_is_needed_and_must_be_text() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    for (attributes, problem) in [
        (json!({}), "can't be blank"),
        (json!({ "name": null }), "can't be blank"),
        (json!({ "name": "" }), "can't be blank"),
        (json!({ "name": "  " }), "can't be blank"),
        (json!({ "name": "a\u{0}b" }), "is invalid"),
        (json!({ "name": "a\nb" }), "is invalid"),
        (json!({ "name": "x".repeat(256) }), "is invalid"),
        (json!({ "name": ["x"] }), "is invalid"),
        (json!({ "name": 12 }), "is invalid"),
        (json!({ "name": true }), "is invalid"),
    ] {
        let refused = ada.post("/api/organizations", new(attributes.clone())).await;
        let expected = format!("422 VALIDATION_ERROR /data/attributes/name: name - {problem}");
        assert_eq!(refused.problems(), [expected], "{attributes}");
    }
    assert_eq!(guild.number("select count(*) from organizations").await, 0);
}

#[tokio::test]
async fn slugs_are_made_from_names_and_never_collide() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    for (name, slug) in [
        ("The Blue Brand", "the-blue-brand"),
        ("the blue brand", "the-blue-brand-2"),
        ("The  Blue, Brand!", "the-blue-brand-3"),
        ("Città di Milano & Co.", "citta-di-milano-co"),
        ("Auth", "auth-2"),
        ("Dashboard", "dashboard-2"),
        ("!!!", "organization"),
        ("東京", "dong-jing"),
    ] {
        let made = ada.post("/api/organizations", new(json!({ "name": name }))).await;
        assert_eq!(made.attribute("slug"), json!(slug), "{name}");
        assert_eq!(made.attribute("domain"), json!(format!("{slug}.example.test")));
    }
    let long = ada.post("/api/organizations", new(json!({ "name": "x".repeat(255) }))).await;
    assert!(long.attribute("slug").as_str().unwrap().len() <= 63);
}

#[tokio::test]
async fn a_slug_stays_when_the_name_changes() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let path = format!("/api/organizations/{}", blue.id);
    let renamed = ada.patch(&path, change("organizations", &blue.id, json!({ "name": "Red" }))).await;
    assert_eq!((renamed.attribute("name"), renamed.attribute("slug")), (json!("Red"), json!("blue")));
}

#[tokio::test]
async fn how_it_looks_can_be_changed_at_any_time() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let path = format!("/api/organizations/{}", blue.id);
    let look = json!({
        "support_phone": "+39 055", "support_email": "help@example.com", "logo_url": "https://example.com/a.svg",
        "favicon_url": "http://example.com/a.ico", "primary_color": "#C8984E", "contrast_color": "#ffffcc",
        "gtm_id": "GTM-1", "gtm_id_test": "GTM-2", "reference": "R", "reference_origin": "O", "metadata": { "a": [1] },
        "config": { "mfe": { "language": "it-IT", "default": { "links": {} }, "market:id:ZKcv13rT": {} }, "apps": {} },
    });
    let changed = ada.patch(&path, change("organizations", &blue.id, look.clone())).await;
    assert_eq!(changed.status, 200);
    for (name, value) in look.as_object().unwrap() {
        assert_eq!(&changed.attribute(name), value, "{name}");
    }
    let cleared: serde_json::Map<String, Json> =
        look.as_object().unwrap().keys().map(|name| (name.clone(), Json::Null)).collect();
    let cleared = ada.patch(&path, change("organizations", &blue.id, cleared.into())).await;
    assert_eq!((cleared.attribute("logo_url"), cleared.attribute("config")), (Json::Null, Json::Null));
    assert_eq!(cleared.attribute("metadata"), json!({}));
}

#[tokio::test]
async fn objects_come_back_as_they_were_sent() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let config = "{\"z\":12345678901234567890123,\"a\":1.10,\"list\":[1e+400,-0.0],\"text\":\"è\"}";
    let body = format!(
        "{{\"data\":{{\"type\":\"organizations\",\"attributes\":{{\"name\":\"X\",\"config\":{config}}}}}}}"
    );
    let made = ada.send("POST", "/api/organizations", body).await;
    assert!(made.text().contains(&format!("\"config\":{config}")), "{}", made.text());
}

#[tokio::test]
async fn forms_are_checked_all_at_once() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let wrong = json!({
        "name": "Blue", "support_email": "help", "logo_url": "ftp://example.com/a", "favicon_url": "javascript:alert(1)",
        "primary_color": "", "contrast_color": "#12345", "config": [], "metadata": "[]",
    });
    let refused = ada.post("/api/organizations", new(wrong)).await;
    let wrong =
        ["support_email", "logo_url", "favicon_url", "primary_color", "contrast_color", "config", "metadata"];
    let expected =
        wrong.map(|name| format!("422 VALIDATION_ERROR /data/attributes/{name}: {name} - is invalid"));
    assert_eq!(refused.problems(), expected);
    let keys = new(json!({ "name": "Blue", "config": { "mfe": { "market:code:x": {} } } }));
    let refused = ada.post("/api/organizations", keys).await;
    assert_eq!(refused.problems(), ["422 VALIDATION_ERROR /data/attributes/config: config - is invalid"]);
}

#[tokio::test]
async fn region_is_set_once_and_settings_never() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let made = ada.post("/api/organizations", new(json!({ "name": "Blue", "region": "us-east-1" }))).await;
    assert_eq!(made.attribute("region"), json!("us-east-1"));
    let body = change(
        "organizations",
        &made.id(),
        json!({ "region": "x", "slug": "y", "imports_max_concurrent_count": 1 }),
    );
    let refused = ada.patch(&format!("/api/organizations/{}", made.id()), body).await;
    let expected = ["region", "slug", "imports_max_concurrent_count"]
        .map(|name| format!("400 PARAM_NOT_ALLOWED: {name} is not allowed."));
    assert_eq!(refused.problems(), expected);
}

#[tokio::test]
async fn only_admins_change_it_and_strangers_do_not_see_it() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let bob = guild.user("bob").await;
    let path = format!("/api/organizations/{}", blue.id);
    let rename = change("organizations", &blue.id, json!({ "name": "Bob's" }));
    let missing =
        ["404 RECORD_NOT_FOUND: The requested resource was not found. Please double-check the resource id."];
    assert_eq!(bob.get(&path).await.problems(), missing);
    assert_eq!(bob.patch(&path, rename.clone()).await.problems(), missing);
    blue.invites("bob@example.com", &blue.read_only).await;
    assert_eq!(bob.get(&path).await.status, 200);
    assert_eq!(
        bob.patch(&path, rename).await.problems(),
        ["401 UNAUTHORIZED: You are not authorized to perform this action on the requested resource."]
    );
}

#[tokio::test]
async fn it_cannot_be_deleted() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let refused = ada.delete(&format!("/api/organizations/{}", blue.id)).await;
    assert_eq!((refused.status, refused.header("allow")), (405, "GET, PATCH"));
    assert_eq!(refused.problems(), ["405 METHOD_NOT_ALLOWED: DELETE is not allowed here, only GET, PATCH."]);
}

#[tokio::test]
async fn a_plan_limits_how_many_one_owns() {
    let guild = Guild::new().await;
    let ada = guild.user_on("ada", "developer").await;
    let blue = ada.creates_organization("Blue").await;
    let over = ada.post("/api/organizations", new(json!({ "name": "Red" }))).await;
    assert_snapshot!(pretty(&over.json(), &[]), @r#"
    {
      "errors": [
        {
          "title": "plan limit reached",
          "detail": "plan limit reached",
          "code": "VALIDATION_ERROR",
          "source": {
            "pointer": "/data"
          },
          "status": "422",
          "meta": {
            "error": "limit_reached",
            "count": 1
          }
        }
      ]
    }
    "#);
    assert_eq!(guild.number("select count(*) from organizations").await, 1);
    let shown = ada.get(&format!("/api/organizations/{}", blue.id)).await;
    assert_eq!(shown.attribute("can_switch_live"), json!(false));
    assert_eq!(
        shown.attribute("subscription_info"),
        json!({
            "plan_type": "developer",
            "limits": { "markets": 0, "skus": 0, "organizations": 1, "memberships": 2 },
            "totals": { "organizations": 1, "markets": 0, "memberships": 1, "skus": 0 },
        })
    );
}

#[tokio::test]
async fn limits_hold_under_concurrency() {
    let guild = Guild::new().await;
    let ada = guild.user_on("ada", "growth").await;
    let attempts = (0..8).map(|n| ada.post("/api/organizations", new(json!({ "name": format!("Org {n}") }))));
    let replies = at_once(attempts).await;
    let made = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!((made, replies.len() - made), (2, 6));
    assert_eq!(guild.number("select count(*) from organizations").await, 2);
}

mod transfer_ownership {
    use super::*;

    async fn owners(person: &Person<'_>, id: &str) -> Vec<String> {
        let all = person.get(&format!("/api/organizations/{id}/memberships")).await.json();
        let owner = |one: &&Json| one["attributes"]["owner"] == true;
        let email = |one: &Json| one["attributes"]["user_email"].as_str().unwrap().to_owned();
        all["data"].as_array().unwrap().iter().filter(owner).map(email).collect()
    }

    fn to(id: &str, email: &str) -> Json {
        change("organizations", id, json!({ "new_owner_email": email }))
    }

    #[tokio::test]
    async fn the_owner_hands_it_to_another_active_member() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let grace = guild.user("grace").await;
        let membership = blue.invites("grace@example.com", &blue.read_only).await;
        let path = format!("/api/organizations/{}/transfer_ownership", blue.id);
        let done = ada.patch(&path, to(&blue.id, "GRACE@example.com")).await;
        assert_eq!((done.status, done.text().as_str()), (202, ""));
        assert_eq!(owners(&grace, &blue.id).await, ["grace@example.com"]);
        // The new owner is an Admin, the old one stays a member.
        let role = grace.get(&format!("/api/memberships/{membership}/role")).await;
        assert_eq!(role.attribute("kind"), json!("admin"));
        assert_eq!(ada.get(&format!("/api/organizations/{}", blue.id)).await.status, 200);
        let again = ada.patch(&path, to(&blue.id, "ada@example.com")).await;
        assert_eq!(
            again.problems(),
            ["401 UNAUTHORIZED: You are not authorized to perform this action on the requested resource."]
        );
    }

    #[tokio::test]
    async fn the_bare_body_and_the_misspelt_path_of_clients_work() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let grace = guild.user("grace").await;
        blue.invites("grace@example.com", &blue.read_only).await;
        let misspelt = format!("/api/organizations/{}/transfer_owenership", blue.id);
        let bare = json!({ "data": { "new_owner_email": "grace@example.com" } });
        assert_eq!(ada.patch(&misspelt, bare).await.status, 202);
        let back = json!({ "data": { "type": "organizations", "id": blue.id, "attributes": { "new_owner_email": "ada@example.com" }, "relationships": {} } });
        assert_eq!(grace.patch(&misspelt.replace("owenership", "ownership"), back).await.status, 202);
        assert_eq!(owners(&ada, &blue.id).await, ["ada@example.com"]);
    }

    #[tokio::test]
    async fn nobody_else_can_become_owner() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        guild.user("stranger").await;
        blue.invites("pending@example.com", &blue.admin).await;
        let path = format!("/api/organizations/{}/transfer_ownership", blue.id);
        for (email, problem) in [
            ("ada@example.com", "is invalid"),
            ("stranger@example.com", "is invalid"),
            ("pending@example.com", "is invalid"),
            ("nobody@example.com", "is invalid"),
            ("", "can't be blank"),
        ] {
            let refused = ada.patch(&path, to(&blue.id, email)).await;
            let expected =
                format!("422 VALIDATION_ERROR /data/attributes/new_owner_email: new_owner_email - {problem}");
            assert_eq!(refused.problems(), [expected], "{email}");
        }
        assert_eq!(owners(&ada, &blue.id).await, ["ada@example.com"]);
    }

    #[tokio::test]
    async fn how_many_somebody_owns_goes_with_them() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let grace = guild.user("grace").await;
        let owned = async |person: &Person<'_>, id: &str| {
            let shown = person.get(&format!("/api/organizations/{id}")).await.json();
            shown["data"]["attributes"]["subscription_info"]["totals"]["organizations"].clone()
        };
        let (blue, red) = (ada.creates_organization("Blue").await, ada.creates_organization("Red").await);
        assert_eq!(owned(&ada, &blue.id).await, 2);
        blue.invites("grace@example.com", &blue.admin).await;
        let path = format!("/api/organizations/{}/transfer_ownership", blue.id);
        assert_eq!(ada.patch(&path, to(&blue.id, "grace@example.com")).await.status, 202);
        assert_eq!((owned(&ada, &red.id).await, owned(&grace, &blue.id).await), (json!(1), json!(1)));
        let (blue, red) = (blue.id, red.id);
        let erased = guild.operate(move |work| {
            for id in [&blue, &red] {
                let found = Record::find(work.tx, organizations::ORGANIZATIONS.spec, "id", id)?;
                while !organizations::erase(work, &found[0])? {}
            }
            Ok(())
        });
        erased.await.unwrap();
        assert_eq!(
            guild.number("select count(*) from sizes where kind = 'organizations' and size <> 0").await,
            0
        );
        let green = grace.creates_organization("Green").await;
        assert_eq!(owned(&grace, &green.id).await, 1);
    }

    #[tokio::test]
    async fn admins_who_are_not_the_owner_cannot() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let grace = guild.user("grace").await;
        blue.invites("grace@example.com", &blue.admin).await;
        let path = format!("/api/organizations/{}/transfer_ownership", blue.id);
        assert_eq!(grace.patch(&path, to(&blue.id, "grace@example.com")).await.status, 401);
        assert_eq!(guild.user("eve").await.patch(&path, to(&blue.id, "eve@example.com")).await.status, 404);
    }

    #[tokio::test]
    async fn the_body_is_read_strictly() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let path = format!("/api/organizations/{}/transfer_ownership", blue.id);
        let ask = async |body: Json| ada.patch(&path, body).await.problems();
        assert_eq!(
            ask(to("other", "x@example.com")).await,
            ["400 KEY_NOT_INCLUDED_IN_URL: The URL does not support the key other"]
        );
        assert_eq!(
            ask(json!({ "data": { "owner": "x" } })).await,
            ["400 PARAM_NOT_ALLOWED: owner is not allowed."]
        );
        assert_eq!(ask(json!({ "data": [] })).await, ["400 INVALID_DATA_FORMAT: Data must be a hash."]);
        assert_eq!(ask(json!({})).await, ["400 PARAM_MISSING: The required parameter, data, is missing."]);
    }

    #[tokio::test]
    async fn a_plan_that_is_full_cannot_take_one_more() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let dev = guild.user_on("dev", "developer").await;
        dev.creates_organization("Own").await;
        blue.invites("dev@example.com", &blue.admin).await;
        let path = format!("/api/organizations/{}/transfer_ownership", blue.id);
        let refused = ada.patch(&path, to(&blue.id, "dev@example.com")).await;
        assert_eq!(refused.problems(), ["422 VALIDATION_ERROR /data: plan limit reached"]);
        assert_eq!(owners(&ada, &blue.id).await, ["ada@example.com"]);
    }
}
