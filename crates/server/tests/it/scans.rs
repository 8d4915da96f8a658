//! No request reads a table as a whole: what it costs must not grow with what it is not about.

use crate::guild::{Guild, link};
use crate::webapp::{Tokens, Webapp};
use guildhall_store::Sql;
use serde_json::json;

/// How many memberships there are that no request here is about.
const OTHERS: i64 = 3000;
/// How many rows a request may read without an index: small tables, such as that of plans.
const FEW: u64 = 60;

#[tokio::test]
async fn no_request_reads_a_table_as_a_whole() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let organization = &shop.organization;
    let tokens = shop.is_let_in_for(&ada, "openid market:all").await;
    let (id, role) = (organization.id.clone(), organization.read_only.clone());
    guild
        .operate(move |work| {
            for number in 0..OTHERS {
                let (key, email) = (format!("M{number:09}"), format!("member{number}@example.com"));
                work.tx.execute(&Sql::new(
                    "insert into users (id, email, email_key, proved_email, proved_email_key, plan, created_at, updated_at)
                     values (?, ?, ?, ?, ?, 'enterprise', 1, 1)",
                    [(&key).into(), (&email).into(), (&email).into(), (&email).into(), (&email).into()],
                ))?;
                work.tx.execute(&Sql::new(
                    "insert into memberships (id, organization_id, role_id, user_id, user_email, user_email_key, status,
                     created_at, updated_at) values (?, ?, ?, ?, ?, ?, 'active', ?, 1)",
                    [
                        (&key).into(),
                        (&id).into(),
                        (&role).into(),
                        (&key).into(),
                        (&email).into(),
                        (&email).into(),
                        number.into(),
                    ],
                ))?;
                // Somebody else's organization, with a role, an owner and an application.
                let theirs = format!("O{number:09}");
                for (sql, args) in [
                    (
                        "insert into organizations (id, name, slug, created_at, updated_at) values (?, 'Other', ?, 1, 1)",
                        [&theirs, &theirs],
                    ),
                    (
                        "insert into roles (id, organization_id, name, kind, created_at, updated_at)
                         values (?, ?, 'Other', 'custom', 1, 1)",
                        [&theirs, &theirs],
                    ),
                ] {
                    work.tx.execute(&Sql::new(sql, args.map(Into::into)))?;
                }
                work.tx.execute(&Sql::new(
                    "insert into memberships (id, organization_id, role_id, user_id, user_email, user_email_key, status, owner,
                     created_at, updated_at) values (?, ?, ?, ?, ?, ?, 'active', ?, 1, 1)",
                    [
                        (&theirs).into(),
                        (&theirs).into(),
                        (&theirs).into(),
                        (&key).into(),
                        (&email).into(),
                        (&email).into(),
                        true.into(),
                    ],
                ))?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let scanned = || guild.app.db.scanned();
    let mut before = scanned();
    let mut check = |what: &str| {
        let now = scanned();
        assert!(now - before <= FEW, "{what} read {} rows", now - before);
        before = now;
    };
    let owner = &organization.owner;
    for path in [
        "/api/user".to_owned(),
        "/api/memberships/M000000007".to_owned(),
        "/api/memberships?include=role,organization&page[size]=25".to_owned(),
        "/api/memberships?filter[q][user_email_eq]=member7@example.com".to_owned(),
        format!("/api/organizations/{}", organization.id),
        "/api/client_secrets".to_owned(),
        format!(
            "/api/memberships?filter[q][organization_id_eq]={}&filter[q][reference_eq]=mine",
            organization.id
        ),
        "/api/memberships?filter[q][reference_in]=mine,yours".to_owned(),
        "/api/memberships?filter[q][status_eq]=pending".to_owned(),
        "/api/memberships?filter[q][user_email_eq]=member7@example.com".to_owned(),
        "/api/api_credentials?include=client_secrets".to_owned(),
        "/api/memberships?filter[q][role_kind_eq]=custom".to_owned(),
        "/api/memberships?filter[q][role_kind_not_eq]=read_only".to_owned(),
        "/api/memberships?filter[q][organization_name_cont]=lue".to_owned(),
        "/api/api_credentials?filter[q][organization_name_cont]=lue".to_owned(),
        "/api/api_credentials?filter[q][role_name_eq]=Admin".to_owned(),
        "/api/organizations?filter[q][roles_name_eq]=Admin".to_owned(),
        "/api/identity_providers".to_owned(),
        "/api/organizations".to_owned(),
        "/api/roles?filter[q][name_cont]=dmin".to_owned(),
        "/api/permissions?include=role,organization".to_owned(),
        "/api/versions".to_owned(),
        format!("/api/organizations/{}/memberships", organization.id),
        format!("/api/organizations/{}/relationships/roles", organization.id),
        format!("/api/roles/{}/memberships", organization.read_only),
        format!("/api/roles/{}/relationships/api_credentials", organization.admin),
        "/api/memberships/M000000008/versions".to_owned(),
    ] {
        assert_eq!(owner.get(&path).await.status, 200, "{path}");
        check(&path);
    }
    for path in ["/api/organization", "/api/application", "/oauth/tokeninfo"] {
        assert_eq!(shop.visits(&tokens.access, path).await.status, 200, "{path}");
        check(path);
    }
    assert_eq!(guild.bearer(&tokens.access).get("/oauth/userinfo").await.status, 200);
    check("userinfo");
    let body =
        json!({ "client_id": shop.client_id, "client_secret": shop.client_secret, "token": tokens.access });
    assert_eq!(guild.nobody().post("/oauth/introspect", body).await.json()["active"], json!(true));
    check("introspection");
    let again = shop.is_let_in_for(&ada, "openid market:all").await;
    check("a code");
    let next = Tokens::of(&shop.refreshes(&again.refresh).await);
    check("a refresh");
    let body =
        json!({ "client_id": shop.client_id, "client_secret": shop.client_secret, "token": next.refresh });
    assert_eq!(guild.nobody().post("/oauth/revoke", body).await.status, 200);
    check("a revocation");
    for page in ["/", "/organizations/blue", "/account/applications"] {
        assert_eq!(ada.open(page).await.status, 200);
        check(page);
    }
    let document = json!({ "data": { "type": "client_secrets", "relationships": { "api_credential": link("api_credentials", &shop.id) } } });
    assert_eq!(owner.post("/api/client_secrets", document).await.status, 201);
    check("a secret");
    organization.invites("new@example.com", &organization.admin).await;
    check("an invitation");
    assert_eq!(owner.delete("/api/memberships/M000000007").await.status, 204);
    check("a removal");
}
