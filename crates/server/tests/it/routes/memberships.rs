//! `/api/memberships`.

use crate::guild::{DAY, FORBIDDEN, Guild, HOUR, MISSING, at_once, change, link, pretty};
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

#[tokio::test]
async fn somebody_without_an_account_is_pending_and_gets_a_link() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let made =
        ada.post("/api/memberships?include=role", blue.invitation("new@example.com", &blue.read_only)).await;
    assert_eq!(made.status, 201);
    assert_snapshot!(pretty(&made.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAc",
        "type": "memberships",
        "links": {
          "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAc"
        },
        "attributes": {
          "user_email": "new@example.com",
          "user_first_name": "",
          "user_last_name": "",
          "status": "pending",
          "owner": false,
          "test_enabled": false,
          "access_scope": "live_access",
          "created_at": "2026-01-01T12:00:00.000Z",
          "updated_at": "2026-01-01T12:00:00.000Z",
          "reference": null,
          "reference_origin": null,
          "metadata": {}
        },
        "relationships": {
          "organization": {
            "links": {
              "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/relationships/organization",
              "related": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/organization"
            }
          },
          "role": {
            "links": {
              "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/relationships/role",
              "related": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/role"
            },
            "data": {
              "type": "roles",
              "id": "AAAAAAAAAM"
            }
          },
          "application_memberships": {
            "links": {
              "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/relationships/application_memberships",
              "related": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/application_memberships"
            }
          },
          "membership_profile": {
            "links": {
              "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/relationships/membership_profile",
              "related": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/membership_profile"
            }
          },
          "versions": {
            "links": {
              "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/relationships/versions",
              "related": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/versions"
            }
          }
        }
      },
      "included": [
        {
          "id": "AAAAAAAAAM",
          "type": "roles",
          "links": {
            "self": "https://provisioning.example.test/api/roles/AAAAAAAAAM"
          },
          "attributes": {
            "name": "Read-only",
            "kind": "read_only",
            "created_at": "2026-01-01T12:00:00.000Z",
            "updated_at": "2026-01-01T12:00:00.000Z",
            "reference": null,
            "reference_origin": null,
            "metadata": {}
          },
          "relationships": {
            "organization": {
              "links": {
                "self": "https://provisioning.example.test/api/roles/AAAAAAAAAM/relationships/organization",
                "related": "https://provisioning.example.test/api/roles/AAAAAAAAAM/organization"
              }
            },
            "permissions": {
              "links": {
                "self": "https://provisioning.example.test/api/roles/AAAAAAAAAM/relationships/permissions",
                "related": "https://provisioning.example.test/api/roles/AAAAAAAAAM/permissions"
              }
            },
            "memberships": {
              "links": {
                "self": "https://provisioning.example.test/api/roles/AAAAAAAAAM/relationships/memberships",
                "related": "https://provisioning.example.test/api/roles/AAAAAAAAAM/memberships"
              }
            },
            "api_credentials": {
              "links": {
                "self": "https://provisioning.example.test/api/roles/AAAAAAAAAM/relationships/api_credentials",
                "related": "https://provisioning.example.test/api/roles/AAAAAAAAAM/api_credentials"
              }
            },
            "versions": {
              "links": {
                "self": "https://provisioning.example.test/api/roles/AAAAAAAAAM/relationships/versions",
                "related": "https://provisioning.example.test/api/roles/AAAAAAAAAM/versions"
              }
            }
          }
        }
      ]
    }
    "#);
    let letters = guild.letters().await;
    assert_eq!(letters.len(), 1);
    assert_snapshot!(text_part(&letters[0]), @"
    From: Blue <no-reply@example.test>
    To: new@example.com
    Subject: Join Blue
    Date: Thu, 01 Jan 2026 12:00:00 +0000
    Message-ID: <AAAAAAAAAf@example.test>
    Auto-Submitted: auto-generated
    “Ada Example” invites you to become a member of “Blue”.

    See the invitation:
    http://dashboard.example.test:8080/invitations/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB4

    The link works for 30 days. If you do not know what this is about, ignore this e-mail: nothing happens.

    -- 
    This e-mail was sent to new@example.com.
    ");
}

#[tokio::test]
async fn somebody_with_an_account_is_active_at_once_and_gets_a_letter() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let grace = guild.user("grace").await;
    let made = ada.post("/api/memberships", blue.invitation("Grace@Example.com", &blue.read_only)).await;
    assert_eq!(made.attribute("status"), json!("active"));
    assert_eq!(made.attribute("user_email"), json!("grace@example.com"));
    assert_eq!((made.attribute("user_first_name"), made.attribute("owner")), (json!("Grace"), json!(false)));
    assert_eq!(grace.get("/api/organizations").await.ids(), [blue.id]);
    assert_snapshot!(text_part(&guild.letters().await[0]), @"
    From: Blue <no-reply@example.test>
    To: Grace@Example.com
    Subject: You are now a member of Blue
    Date: Thu, 01 Jan 2026 12:00:00 +0000
    Message-ID: <AAAAAAAAAk@example.test>
    Auto-Submitted: auto-generated
    “Ada Example” has added you to “Blue”. Sign in as you always do.

    Sign in:
    http://dashboard.example.test:8080

    If you did not expect this, you can leave the organization at any time.

    -- 
    This e-mail was sent to Grace@Example.com.
    ");
}

/// The headers and the plain text of a letter.
fn text_part(letter: &str) -> String {
    let lines = letter.replace("\r\n", "\n");
    let boundary = lines.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let head = lines.split("MIME-Version").next().unwrap().to_owned();
    let parts: Vec<&str> = lines.split(&format!("--{boundary}")).collect();
    format!("{head}{}", parts[1].split_once("\n\n").unwrap().1)
}

#[tokio::test]
async fn the_link_is_kept_as_a_hash_and_the_letter_sealed() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    blue.invites("new@example.com", &blue.read_only).await;
    let letters = guild
        .number("select count(*) from letters where sealed like '%invitations%' or sealed like '%Blue%'")
        .await;
    assert_eq!(letters, 0);
    let letter = guild.letters().await.remove(0).replace("=\r\n", "");
    let token = letter.split("/invitations/").nth(1).unwrap()[..43].to_owned();
    let hash = guildhall::crypto::hash(&token);
    let found =
        guild.number_of("select count(*) from invitation_links where token_hash = ?", [hash.into()]).await;
    assert_eq!(found, 1);
    // Once it is sent, nothing of it stays.
    assert_eq!(guild.number("select count(*) from letters where sealed <> ''").await, 0);
}

#[tokio::test]
async fn the_same_address_cannot_be_invited_twice() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    blue.invites("new@example.com", &blue.read_only).await;
    for email in ["new@example.com", "NEW@EXAMPLE.COM"] {
        let twice = ada.post("/api/memberships", blue.invitation(email, &blue.admin)).await;
        assert_eq!(
            twice.problems(),
            ["422 VALIDATION_ERROR /data/attributes/user_email: user_email - has already been taken"]
        );
    }
    let owner = ada.post("/api/memberships", blue.invitation("ada@example.com", &blue.admin)).await;
    assert_eq!(owner.status, 422);
    // Another organization is another matter.
    let red = ada.creates_organization("Red").await;
    red.invites("new@example.com", &red.read_only).await;
    assert_eq!(guild.letters().await.len(), 2);
}

#[tokio::test]
async fn of_equal_invitations_at_once_one_counts() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let invitation = || ada.post("/api/memberships", blue.invitation("new@example.com", &blue.read_only));
    let replies = at_once((0..12).map(|_| invitation())).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    assert!(replies.iter().all(|reply| [201, 422].contains(&reply.status)));
    assert_eq!(guild.letters().await.len(), 1);
    assert_eq!(guild.number("select size from sizes where kind = 'memberships'").await, 2);
}

#[tokio::test]
async fn names_in_letters_are_text_and_nothing_else() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let name = "Evil & Co. <b>https://evil.example</b>";
    let evil = ada.creates_organization(name).await;
    evil.invites("new@example.com", &evil.read_only).await;
    let letter = guild.letters().await.remove(0).replace("=\r\n", "").replace("=3D", "=");
    assert!(!letter.contains("<b>") && !letter.contains("evil.example"), "{letter}");
    assert!(letter.contains("Evil &#38; Co. b https evil example b"), "{letter}");
}

#[tokio::test]
async fn everything_missing_is_told_at_once() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let empty = json!({ "data": { "type": "memberships", "attributes": {} } });
    assert_eq!(
        ada.post("/api/memberships", empty).await.problems(),
        [
            "422 VALIDATION_ERROR /data/attributes/user_email: user_email - can't be blank",
            "422 VALIDATION_ERROR /data/relationships/organization: organization - can't be blank",
            "422 VALIDATION_ERROR /data/relationships/role: role - can't be blank",
        ]
    );
}

#[tokio::test]
async fn only_admins_invite() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let bob = guild.user("bob").await;
    let invitation = blue.invitation("new@example.com", &blue.read_only);
    // What a stranger names does not exist.
    let strange = bob.post("/api/memberships", invitation.clone()).await.problems();
    assert_eq!(
        strange,
        [
            "422 VALIDATION_ERROR /data/relationships/organization: organization - can't be blank",
            "422 VALIDATION_ERROR /data/relationships/role: role - can't be blank",
        ]
    );
    blue.invites("bob@example.com", &blue.read_only).await;
    assert_eq!(bob.post("/api/memberships", invitation).await.problems(), [FORBIDDEN]);
    assert_eq!(guild.number("select count(*) from memberships").await, 2);
}

#[tokio::test]
async fn everything_named_must_be_of_the_same_organization() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let red = ada.creates_organization("Red").await;
    let profile = red.makes("membership_profiles", json!({ "name": "P" }), json!({})).await;
    let mut invitation = blue.invitation("new@example.com", &red.read_only);
    invitation["data"]["relationships"]["membership_profile"] = link("membership_profiles", &profile);
    assert_eq!(
        ada.post("/api/memberships", invitation).await.problems(),
        [
            "422 VALIDATION_ERROR /data/relationships/role: role - is invalid",
            "422 VALIDATION_ERROR /data/relationships/membership_profile: membership_profile - is invalid",
        ]
    );
}

#[tokio::test]
async fn role_profile_and_application_memberships_come_along() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let app = blue.makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({})).await;
    let relationships =
        json!({ "api_credential": link("api_credentials", &app), "role": link("roles", &blue.read_only) });
    let access = blue.makes("application_memberships", json!({}), relationships.clone()).await;
    let profile = blue.makes("membership_profiles", json!({ "name": "P" }), json!({})).await;
    let mut invitation = blue.invitation("new@example.com", &blue.read_only);
    invitation["data"]["relationships"]["membership_profile"] = link("membership_profiles", &profile);
    invitation["data"]["relationships"]["application_memberships"] =
        json!({ "data": [{ "type": "application_memberships", "id": access }] });
    let made =
        ada.post("/api/memberships?include=application_memberships,membership_profile", invitation).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let linked = &made.json()["data"]["relationships"];
    assert_eq!(
        linked["application_memberships"]["data"],
        json!([{ "type": "application_memberships", "id": access }])
    );
    assert_eq!(linked["membership_profile"]["data"], json!({ "type": "membership_profiles", "id": profile }));
    // A whole new list replaces the old one; what is not on it is detached.
    let path = format!("/api/memberships/{}", made.id());
    let other = blue.makes("api_credentials", json!({ "name": "Skus", "kind": "skus" }), json!({})).await;
    let mut relationships = relationships;
    relationships["api_credential"] = link("api_credentials", &other);
    let second = blue.makes("application_memberships", json!({}), relationships).await;
    let list = json!({ "data": { "type": "memberships", "id": made.id(), "relationships": {
        "application_memberships": { "data": [{ "type": "application_memberships", "id": second }] },
        "membership_profile": { "data": null },
    } } });
    let changed =
        ada.patch(&format!("{path}?include=application_memberships,membership_profile"), list).await;
    let linked = &changed.json()["data"]["relationships"];
    assert_eq!(
        linked["application_memberships"]["data"],
        json!([{ "type": "application_memberships", "id": second }])
    );
    assert_eq!(linked["membership_profile"]["data"], Json::Null);
    let detached = ada.get(&format!("/api/application_memberships/{access}/membership")).await;
    assert_eq!(detached.json(), json!({ "data": null }));
}

#[tokio::test]
async fn addresses_of_every_odd_kind_are_refused() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    for email in [
        "plain",
        "a@b",
        "a b@example.com",
        "a@example.com, b@example.com",
        "A <a@example.com>",
        "a@[10.0.0.1]",
        "a\r\nBcc: b@example.com",
        "a@example.com\u{0}",
        "@example.com",
        "a@.com",
    ] {
        let refused = ada.post("/api/memberships", blue.invitation(email, &blue.read_only)).await;
        assert_eq!(
            refused.problems(),
            ["422 VALIDATION_ERROR /data/attributes/user_email: user_email - is invalid"],
            "{email:?}"
        );
    }
    for email in ["a+tag@example.com", "o'neil@example.com", "zoë@exämple.com"] {
        blue.invites(email, &blue.read_only).await;
    }
}

#[tokio::test]
async fn a_plan_limits_memberships_pending_ones_included() {
    let guild = Guild::new().await;
    let ada = guild.user_on("ada", "developer").await;
    let blue = ada.creates_organization("Blue").await;
    let first = blue.invites("one@example.com", &blue.read_only).await;
    let over = ada.post("/api/memberships", blue.invitation("two@example.com", &blue.read_only)).await;
    assert_eq!(over.problems(), ["422 VALIDATION_ERROR /data: plan limit reached"]);
    assert_eq!(over.json()["errors"][0]["meta"], json!({ "error": "limit_reached", "count": 2 }));
    assert_eq!(guild.letters().await.len(), 1);
    ada.delete(&format!("/api/memberships/{first}")).await;
    blue.invites("two@example.com", &blue.read_only).await;
}

#[tokio::test]
async fn members_see_their_own_and_admins_see_all() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let bob = guild.user("bob").await;
    let own = blue.invites("bob@example.com", &blue.read_only).await;
    let other = blue.invites("other@example.com", &blue.read_only).await;
    let red = bob.creates_organization("Red").await;
    let all = bob.get("/api/memberships").await;
    assert_eq!(all.json()["meta"], json!({ "record_count": 2, "page_count": 1 }));
    assert_eq!(all.ids()[0], own);
    assert_eq!(bob.get(&format!("/api/memberships/{other}")).await.problems(), [MISSING]);
    assert_eq!(bob.get(&format!("/api/organizations/{}/memberships", blue.id)).await.ids(), [own]);
    assert_eq!(bob.get(&format!("/api/organizations/{}/memberships", red.id)).await.ids().len(), 1);
    assert_eq!(ada.get("/api/memberships").await.json()["meta"]["record_count"], json!(3));
}

#[tokio::test]
async fn access_scope_and_test_enabled_say_one_thing() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let mut number = 0;
    for (sent, scope) in [
        (json!({}), json!("live_access")),
        (json!({ "test_enabled": true }), json!("all_access")),
        (json!({ "test_enabled": "true" }), json!("all_access")),
        (json!({ "test_enabled": false }), json!("live_access")),
        (json!({ "access_scope": "test_access" }), json!("test_access")),
        (json!({ "access_scope": "test_access", "test_enabled": true }), json!("test_access")),
        (json!({ "access_scope": null }), Json::Null),
    ] {
        number += 1;
        let mut invitation = blue.invitation(&format!("m{number}@example.com"), &blue.read_only);
        invitation["data"]["attributes"].as_object_mut().unwrap().extend(sent.as_object().unwrap().clone());
        let made = ada.post("/api/memberships", invitation).await;
        assert_eq!(made.attribute("access_scope"), scope, "{sent}");
        let enabled = ["test_access", "all_access"].contains(&scope.as_str().unwrap_or_default());
        assert_eq!(made.attribute("test_enabled"), json!(enabled), "{sent}");
        let path = format!("/api/memberships/{}", made.id());
        let off = ada.patch(&path, change("memberships", &made.id(), json!({ "test_enabled": false }))).await;
        assert_eq!(off.attribute("access_scope"), json!("live_access"));
        let on = ada.patch(&path, change("memberships", &made.id(), json!({ "test_enabled": true }))).await;
        assert_eq!(on.attribute("access_scope"), json!("all_access"));
    }
    let mut contrary = blue.invitation("x@example.com", &blue.read_only);
    contrary["data"]["attributes"]["access_scope"] = json!("live_access");
    contrary["data"]["attributes"]["test_enabled"] = json!(true);
    let refused = ada.post("/api/memberships", contrary.clone()).await;
    assert_eq!(
        refused.problems(),
        ["422 VALIDATION_ERROR /data/attributes/test_enabled: test_enabled - is invalid"]
    );
    contrary["data"]["attributes"]["access_scope"] = json!("everything");
    let refused = ada.post("/api/memberships", contrary).await;
    assert_eq!(
        refused.problems(),
        ["422 VALIDATION_ERROR /data/attributes/access_scope: access_scope - is not included in the list"]
    );
}

#[tokio::test]
async fn the_owners_role_cannot_change() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let own = ada.get("/api/memberships").await.ids().remove(0);
    let path = format!("/api/memberships/{own}");
    let role = |id: &str| json!({ "data": { "type": "memberships", "id": own, "relationships": { "role": link("roles", id) } } });
    let refused = ada.patch(&path, role(&blue.read_only)).await;
    assert_eq!(
        refused.problems(),
        ["422 VALIDATION_ERROR /data/relationships/role: role - cannot be changed for the owner"]
    );
    assert_eq!(ada.patch(&path, role(&blue.admin)).await.status, 200);
}

#[tokio::test]
async fn what_was_fixed_at_creation_stays() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let id = blue.invites("new@example.com", &blue.read_only).await;
    let body = json!({ "data": { "type": "memberships", "id": id,
        "attributes": { "user_email": "x@example.com", "owner": true, "status": "active" },
        "relationships": { "organization": blue.link(), "versions": { "data": [] } },
    } });
    let expected = ["user_email", "owner", "status", "organization", "versions"]
        .map(|name| format!("400 PARAM_NOT_ALLOWED: {name} is not allowed."));
    assert_eq!(ada.patch(&format!("/api/memberships/{id}"), body).await.problems(), expected);
}

mod delete {
    use super::*;

    #[tokio::test]
    async fn admins_remove_others_and_members_themselves() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let bob = guild.user("bob").await;
        let path = format!("/api/memberships/{}", blue.invites("bob@example.com", &blue.read_only).await);
        let gone = bob.delete(&path).await;
        assert_eq!((gone.status, gone.text().as_str()), (204, ""));
        assert_eq!(bob.get("/api/organizations").await.ids(), [] as [&str; 0]);
        let path = format!("/api/memberships/{}", blue.invites("bob@example.com", &blue.read_only).await);
        assert_eq!(ada.delete(&path).await.status, 204);
        assert_eq!(ada.get(&path).await.problems(), [MISSING]);
        assert_eq!(bob.get(&format!("/api/organizations/{}", blue.id)).await.problems(), [MISSING]);
    }

    #[tokio::test]
    async fn the_owner_cannot_leave_nor_be_removed() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let path = format!("/api/memberships/{}", ada.get("/api/memberships").await.ids().remove(0));
        let grace = guild.user("grace").await;
        blue.invites("grace@example.com", &blue.admin).await;
        for person in [&ada, &grace] {
            let refused = person.delete(&path).await;
            assert_eq!(
                refused.problems(),
                ["422 VALIDATION_ERROR /data/attributes/owner: owner - must be transferred first"]
            );
            assert_eq!(refused.json()["errors"][0]["meta"], json!({ "error": "owner" }));
        }
    }

    #[tokio::test]
    async fn its_application_memberships_and_its_link_go_with_it() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let id = blue.invites("new@example.com", &blue.read_only).await;
        let app =
            blue.makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({})).await;
        let relationships = json!({
            "api_credential": link("api_credentials", &app),
            "role": link("roles", &blue.read_only),
            "membership": link("memberships", &id),
        });
        let access = blue.makes("application_memberships", json!({}), relationships).await;
        assert_eq!(ada.delete(&format!("/api/memberships/{id}")).await.status, 204);
        assert_eq!(ada.get(&format!("/api/application_memberships/{access}")).await.status, 404);
        assert_eq!(guild.number("select count(*) from invitation_links where ended_at is null").await, 0);
    }
}

mod resend {
    use super::*;

    #[tokio::test]
    async fn it_sends_a_new_link_and_retires_the_old_one() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let path =
            format!("/api/memberships/{}/resend", blue.invites("new@example.com", &blue.read_only).await);
        guild.pass(HOUR);
        for body in ["", "{\"data\":{}}"] {
            let sent = ada.send("POST", &path, body).await;
            assert_eq!((sent.status, sent.text().as_str()), (202, ""));
        }
        assert_eq!(guild.letters().await.len(), 3);
        assert_eq!(guild.number("select count(*) from invitation_links where ended_at is null").await, 1);
        let end = guild.number("select expires_at from invitation_links where ended_at is null").await;
        assert_eq!(end, guild.app.clock.now() + 30 * DAY);
    }

    #[tokio::test]
    async fn an_active_membership_has_nothing_to_send() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        ada.creates_organization("Blue").await;
        let own = ada.get("/api/memberships").await.ids().remove(0);
        let refused = ada.send("POST", &format!("/api/memberships/{own}/resend"), "").await;
        assert_eq!(
            refused.problems(),
            ["422 VALIDATION_ERROR /data/attributes/status: status - is not included in the list"]
        );
    }

    #[tokio::test]
    async fn only_admins_resend() {
        let guild = Guild::new().await;
        let ada = guild.user("ada").await;
        let blue = ada.creates_organization("Blue").await;
        let bob = guild.user("bob").await;
        let own = blue.invites("bob@example.com", &blue.read_only).await;
        let other = blue.invites("new@example.com", &blue.read_only).await;
        assert_eq!(
            bob.send("POST", &format!("/api/memberships/{own}/resend"), "").await.problems(),
            [FORBIDDEN]
        );
        assert_eq!(
            bob.send("POST", &format!("/api/memberships/{other}/resend"), "").await.problems(),
            [MISSING]
        );
        let wrong =
            ada.post(&format!("/api/memberships/{other}/resend"), json!({ "data": { "now": true } })).await;
        assert_eq!(wrong.problems(), ["400 PARAM_NOT_ALLOWED: now is not allowed."]);
    }
}

#[tokio::test]
async fn signing_up_activates_every_pending_membership() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let red = ada.creates_organization("Red").await;
    for organization in [&blue, &red] {
        organization.invites("bob@example.com", &organization.read_only).await;
    }
    let bob = guild.user("bob").await;
    assert_eq!(bob.get("/api/organizations").await.ids(), [blue.id, red.id]);
    let own = bob.get("/api/memberships").await.json();
    assert_eq!(own["data"][0]["attributes"]["status"], json!("active"));
    assert_eq!(own["data"][0]["attributes"]["user_first_name"], json!("Bob"));
    assert_eq!(guild.number("select count(*) from invitation_links where ended_at is null").await, 0);
}

#[tokio::test]
async fn a_demotion_counts_from_the_next_request_on() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let grace = guild.user("grace").await;
    let membership = blue.invites("grace@example.com", &blue.admin).await;
    let rename = change("organizations", &blue.id, json!({ "name": "Grace's" }));
    let path = format!("/api/organizations/{}", blue.id);
    assert_eq!(grace.patch(&path, rename.clone()).await.status, 200);
    let demote = json!({ "data": { "type": "memberships", "id": membership, "relationships": { "role": link("roles", &blue.read_only) } } });
    assert_eq!(ada.patch(&format!("/api/memberships/{membership}"), demote).await.status, 200);
    assert_eq!(grace.patch(&path, rename).await.problems(), [FORBIDDEN]);
}
