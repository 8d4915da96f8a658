//! The query language on collections and related resources: pages, order, fields, includes.

use crate::guild::{Guild, Organization, change, pretty};
use guildhall_store::Sql;
use insta::assert_snapshot;
use serde_json::{Value as Json, json};

async fn roles(organization: &Organization<'_>, count: usize) -> Vec<String> {
    let mut ids = vec![organization.admin.clone(), organization.read_only.clone()];
    for number in 0..count {
        ids.push(organization.custom_role(&format!("Role {number}")).await);
    }
    ids
}

#[tokio::test]
async fn a_collection_comes_in_pages_with_counts_and_links() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let ids = roles(&blue, 10).await;
    let first = ada.get("/api/roles").await;
    assert_eq!(first.ids(), ids[..10]);
    let page = ada.get("/api/roles?page[size]=5&page%5Bnumber%5D=2&sort=created_at&fields[roles]=name").await;
    assert_eq!(page.ids(), ids[5..10]);
    let json = page.json();
    assert_snapshot!(pretty(&json!([json["meta"], json["links"]]), &[]), @r#"
    [
      {
        "record_count": 12,
        "page_count": 3
      },
      {
        "first": "https://provisioning.example.test/api/roles?sort=created_at&fields%5Broles%5D=name&page%5Bnumber%5D=1&page%5Bsize%5D=5",
        "prev": "https://provisioning.example.test/api/roles?sort=created_at&fields%5Broles%5D=name&page%5Bnumber%5D=1&page%5Bsize%5D=5",
        "next": "https://provisioning.example.test/api/roles?sort=created_at&fields%5Broles%5D=name&page%5Bnumber%5D=3&page%5Bsize%5D=5",
        "last": "https://provisioning.example.test/api/roles?sort=created_at&fields%5Broles%5D=name&page%5Bnumber%5D=3&page%5Bsize%5D=5"
      }
    ]
    "#);
    let last = ada.get("/api/roles?page[size]=5&page[number]=3").await;
    assert_eq!(last.ids(), ids[10..]);
    assert!(last.json()["links"].get("next").is_none());
    let past = ada.get("/api/roles?page[size]=5&page[number]=18446744073709551615").await.json();
    assert_eq!((&past["data"], &past["meta"]["record_count"]), (&json!([]), &json!(12)));
}

#[tokio::test]
async fn an_empty_collection_has_one_empty_page() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    assert_snapshot!(pretty(&ada.get("/api/roles").await.json(), &[]), @r#"
    {
      "data": [],
      "meta": {
        "record_count": 0,
        "page_count": 0
      },
      "links": {
        "first": "https://provisioning.example.test/api/roles?page%5Bnumber%5D=1&page%5Bsize%5D=10",
        "last": "https://provisioning.example.test/api/roles?page%5Bnumber%5D=1&page%5Bsize%5D=10"
      }
    }
    "#);
}

#[tokio::test]
async fn pages_have_bounds() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    for (query, problem) in [
        ("page[size]=26", "400 INVALID_PAGE_VALUE: 26 is not a valid value for size page parameter."),
        ("page[size]=0", "400 INVALID_PAGE_VALUE: 0 is not a valid value for size page parameter."),
        ("page[number]=0", "400 INVALID_PAGE_VALUE: 0 is not a valid value for number page parameter."),
        ("page[number]=-1", "400 INVALID_PAGE_VALUE: -1 is not a valid value for number page parameter."),
        ("page[number]=x", "400 INVALID_PAGE_VALUE: x is not a valid value for number page parameter."),
        (
            "page[number]=99999999999999999999",
            "400 INVALID_PAGE_VALUE: 99999999999999999999 is not a valid value for number page parameter.",
        ),
        ("page[offset]=1", "400 PARAM_NOT_ALLOWED: offset is not allowed."),
        ("page=1", "400 PARAM_NOT_ALLOWED: page is not allowed."),
    ] {
        assert_eq!(ada.get(&format!("/api/roles?{query}")).await.problems(), [problem]);
    }
}

#[tokio::test]
async fn everything_wrong_with_a_query_is_told_at_once() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let query = "page[size]=99&sort=name&sort=id&include=unicorns&fields[unicorns]=x&fields[roles]=unicorn\
                 &filter[q][unicorn_eq]=1&filter[q][created_at_gt]=soon&filter[q]=x&filter[q][name]=x&unknown=fine";
    assert_eq!(
        ada.get(&format!("/api/roles?{query}")).await.problems(),
        [
            "400 INVALID_PAGE_VALUE: 99 is not a valid value for size page parameter.",
            "400 INVALID_SORT_CRITERIA: name is not a valid sort criteria for roles",
            "400 BAD_REQUEST: The query parameter sort was given more than once.",
            "400 INVALID_INCLUDE: unicorns is not a valid includable relationship of roles",
            "400 INVALID_RESOURCE: unicorns is not a valid resource.",
            "400 INVALID_FIELD: unicorn is not a valid field for roles.",
            "400 FILTER_NOT_ALLOWED: unicorn_eq is not allowed.",
            "400 INVALID_FILTER_VALUE: soon is not a valid value for created_at_gt.",
            "400 INVALID_FILTERS_SYNTAX: filter[q] is not a valid syntax for filtering.",
            "400 FILTER_NOT_ALLOWED: name is not allowed.",
        ]
    );
}

#[tokio::test]
async fn queries_have_bounds() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let many = vec!["filter[q][name_eq]=x"; 101].join("&");
    assert_eq!(
        ada.get(&format!("/api/roles?{many}")).await.problems(),
        ["400 INVALID_FILTERS_SYNTAX: More than 100 conditions is not a valid syntax for filtering."]
    );
    let values = vec!["x"; 501].join(",");
    assert_eq!(
        ada.get(&format!("/api/roles?filter[q][name_in]={values}")).await.problems(),
        ["400 INVALID_FILTERS_SYNTAX: more than 500 values for name_in is not a valid syntax for filtering."]
    );
    let long = "x".repeat(17_000);
    assert_eq!(
        ada.get(&format!("/api/roles?filter[q][name_eq]={long}")).await.problems(),
        [
            "400 INVALID_FILTERS_SYNTAX: A query string of more than 16384 bytes is not a valid syntax for filtering."
        ]
    );
    assert_eq!(
        ada.get("/api/roles?filter[q][name_eq]=%ff").await.problems(),
        ["400 BAD_REQUEST: The query string is not valid UTF-8."]
    );
    let hundred = vec!["filter[q][name_eq]=x"; 100].join("&");
    assert_eq!(ada.get(&format!("/api/roles?{hundred}")).await.status, 200);
}

#[tokio::test]
async fn an_order_is_kept_and_ties_are_broken() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let ids = roles(&blue, 2).await;
    ada.patch(&format!("/api/roles/{}", ids[1]), change("roles", &ids[1], json!({ "reference": "B" }))).await;
    ada.patch(&format!("/api/roles/{}", ids[3]), change("roles", &ids[3], json!({ "reference": "A" }))).await;
    let order = async |sort: &str| {
        let found = ada.get(&format!("/api/roles?sort={sort}")).await.ids();
        found.iter().map(|id| ids.iter().position(|known| known == id).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(order("").await, [0, 1, 2, 3]);
    assert_eq!(order("-id").await, [3, 2, 1, 0]);
    assert_eq!(order("reference").await, [0, 2, 3, 1]);
    assert_eq!(order("-reference").await, [1, 3, 0, 2]);
    assert_eq!(order("-updated_at,created_at,-reference").await, [1, 3, 0, 2]);
}

#[tokio::test]
async fn the_largest_queries_are_answered_or_refused_clearly() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    for number in 0..30 {
        ada.creates_organization(&format!("Organization {number}")).await;
    }
    let keys = vec!["id"; 5000].join(",");
    assert_eq!(ada.get(&format!("/api/roles?sort={keys}")).await.status, 200);
    let values = vec!["x"; 500].join(",");
    let lists = vec![format!("filter[q][name_cont_any]={values}"); 15].join("&");
    let found = ada.get(&format!("/api/roles?{lists}")).await;
    assert_eq!((found.status, found.ids().len()), (200, 0));
    let either = vec!["name"; 100].join("_or_");
    assert_eq!(ada.get(&format!("/api/roles?filter[q][{either}_cont]=Admin")).await.ids().len(), 10);
    let related = vec!["filter[q][organization_roles_memberships_owner_true]=true"; 100].join("&");
    assert_eq!(ada.get(&format!("/api/roles?{related}")).await.status, 200);
    let huge = vec![format!("{}_or_reference_eq", vec!["reference"; 99].join("_or_")); 1].join("");
    let over = vec![format!("filter[q][{huge}]=x"); 2].join("&");
    assert_eq!(
        ada.get(&format!("/api/roles?{over}")).await.problems(),
        ["400 INVALID_FILTERS_SYNTAX: More than 100 conditions is not a valid syntax for filtering."]
    );
    let all = vec!["memberships"; 40].join(",");
    assert_eq!(ada.get(&format!("/api/roles?include={all}")).await.status, 200);
}

#[tokio::test]
async fn lists_mix_organizations_and_stay_in_order() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let bob = guild.user("bob").await;
    let mut expected = Vec::new();
    let mut organizations = Vec::new();
    for name in ["A", "B", "C"] {
        let organization = ada.creates_organization(name).await;
        organization
            .invites(
                "bob@example.com",
                if name == "B" { &organization.read_only } else { &organization.admin },
            )
            .await;
        organizations.push(organization);
    }
    for number in 0..5 {
        guild.pass(1);
        for organization in &organizations {
            expected
                .push(organization.invites(&format!("m{number}@example.com"), &organization.read_only).await);
        }
    }
    let visible = |index: &usize| index % 3 != 1;
    let hidden: Vec<&String> =
        (0..15).filter(|index| !visible(index)).map(|index| &expected[index]).collect();
    let mut seen = Vec::new();
    for page in 1..=3 {
        let list = bob.get(&format!("/api/memberships?page[size]=7&page[number]={page}")).await;
        // Two owners, two of his own as an Admin, one as a plain member, ten more.
        assert_eq!(list.json()["meta"], json!({ "record_count": 15, "page_count": 3 }));
        seen.extend(list.ids());
    }
    assert_eq!(seen.len(), 15);
    assert!(hidden.iter().all(|id| !seen.contains(id)));
    let later: Vec<&String> = (0..15).filter(visible).map(|index| &expected[index]).collect();
    assert_eq!(seen[5..].iter().collect::<Vec<_>>(), later);
}

#[tokio::test]
async fn fields_limit_attributes_and_relationships() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let ask = async |query: &str| ada.get(&format!("/api/roles/{}?{query}", blue.admin)).await.json();
    assert_snapshot!(pretty(&ask("fields[roles]=id,name,organization&include=organization&fields[organizations]=slug").await, &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAK",
        "type": "roles",
        "links": {
          "self": "https://provisioning.example.test/api/roles/AAAAAAAAAK"
        },
        "attributes": {
          "name": "Admin"
        },
        "relationships": {
          "organization": {
            "links": {
              "self": "https://provisioning.example.test/api/roles/AAAAAAAAAK/relationships/organization",
              "related": "https://provisioning.example.test/api/roles/AAAAAAAAAK/organization"
            },
            "data": {
              "type": "organizations",
              "id": "AAAAAAAAAI"
            }
          }
        }
      },
      "included": [
        {
          "id": "AAAAAAAAAI",
          "type": "organizations",
          "links": {
            "self": "https://provisioning.example.test/api/organizations/AAAAAAAAAI"
          },
          "attributes": {
            "slug": "blue"
          }
        }
      ]
    }
    "#);
    let empty = ask("fields[roles]=").await;
    assert_eq!((&empty["data"]["attributes"], empty["data"].get("relationships")), (&json!({}), None));
    // A relationship can come along without its linkage.
    let without = ask("fields[roles]=name&include=organization&fields[organizations]=name").await;
    assert_eq!(without["included"][0]["attributes"], json!({ "name": "Blue" }));
    // Fields of a type that does not occur are fine.
    assert_eq!(ask("fields[versions]=event").await["data"]["attributes"]["name"], json!("Admin"));
}

#[tokio::test]
async fn includes_reach_three_deep_and_come_once() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let member = blue.invites("new@example.com", &blue.read_only).await;
    let fields = "fields[memberships]=role,organization&fields[roles]=kind,memberships&fields[organizations]=memberships";
    let path = format!(
        "/api/memberships/{member}?include=role.memberships.organization,organization.memberships&{fields}"
    );
    assert_snapshot!(pretty(&ada.get(&path).await.json(), &[]), @r#"
    {
      "data": {
        "id": "AAAAAAAAAc",
        "type": "memberships",
        "links": {
          "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAc"
        },
        "attributes": {},
        "relationships": {
          "organization": {
            "links": {
              "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/relationships/organization",
              "related": "https://provisioning.example.test/api/memberships/AAAAAAAAAc/organization"
            },
            "data": {
              "type": "organizations",
              "id": "AAAAAAAAAI"
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
            "kind": "read_only"
          },
          "relationships": {
            "memberships": {
              "links": {
                "self": "https://provisioning.example.test/api/roles/AAAAAAAAAM/relationships/memberships",
                "related": "https://provisioning.example.test/api/roles/AAAAAAAAAM/memberships"
              },
              "data": [
                {
                  "type": "memberships",
                  "id": "AAAAAAAAAc"
                }
              ]
            }
          }
        },
        {
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
                },
                {
                  "type": "memberships",
                  "id": "AAAAAAAAAc"
                }
              ]
            }
          }
        },
        {
          "id": "AAAAAAAAAO",
          "type": "memberships",
          "links": {
            "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAO"
          },
          "attributes": {},
          "relationships": {
            "organization": {
              "links": {
                "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAO/relationships/organization",
                "related": "https://provisioning.example.test/api/memberships/AAAAAAAAAO/organization"
              }
            },
            "role": {
              "links": {
                "self": "https://provisioning.example.test/api/memberships/AAAAAAAAAO/relationships/role",
                "related": "https://provisioning.example.test/api/memberships/AAAAAAAAAO/role"
              }
            }
          }
        }
      ]
    }
    "#);
    let deep = ada.get("/api/memberships?include=role.organization.roles.organization").await;
    assert_eq!(
        deep.problems(),
        [
            "400 INVALID_INCLUDE: role.organization.roles.organization is not a valid includable relationship of memberships"
        ]
    );
}

#[tokio::test]
async fn a_list_that_is_reached_twice_is_listed_once() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    blue.invites("new@example.com", &blue.read_only).await;
    let path = format!("/api/organizations/{}?include=memberships.organization.memberships", blue.id);
    let found = ada.get(&path).await.json();
    assert_eq!(found["data"]["relationships"]["memberships"]["data"].as_array().unwrap().len(), 2);
    assert_eq!(found["included"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn somebody_in_very_many_organizations_is_served() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let (user, role) = (ada.id.clone(), blue.admin.clone());
    guild
        .operate(move |work| {
            for number in 0..35_000 {
                let id = format!("o{number}");
                work.tx.execute(&guildhall_store::Sql::new(
                    "insert into organizations (id, name, slug, created_at, updated_at) values (?, 'x', ?, 0, 0)",
                    [(&id).into(), (&id).into()],
                ))?;
                work.tx.execute(&guildhall_store::Sql::new(
                    "insert into memberships (id, organization_id, role_id, user_id, user_email, user_email_key, status,
                     created_at, updated_at) values (?, ?, ?, ?, 'ada@example.com', 'ada@example.com', 'active', 0, 0)",
                    [(&id).into(), (&id).into(), (&role).into(), (&user).into()],
                ))?;
            }
            Ok(())
        })
        .await
        .unwrap();
    for path in [
        "organizations",
        "roles?include=organization",
        "memberships",
        "api_credentials",
        "identity_providers",
        "versions",
    ] {
        let found = ada.get(&format!("/api/{path}")).await;
        assert_eq!(found.status, 200, "{path}: {}", found.text());
    }
    assert_eq!(ada.creates_organization("One more").await.id.len(), 10);
}

#[tokio::test]
async fn related_resources_answer_like_collections_and_single_ones() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    ada.creates_organization("Red").await;
    let related = ada
        .get(&format!(
            "/api/organizations/{}/roles?sort=-created_at,-id&page[size]=1&include=organization",
            blue.id
        ))
        .await;
    assert_eq!(related.ids(), [blue.read_only.clone()]);
    let json = related.json();
    assert_eq!(json["meta"], json!({ "record_count": 2, "page_count": 2 }));
    assert_eq!(
        json["links"]["next"],
        json!(format!(
            "https://provisioning.example.test/api/organizations/{}/roles?sort=-created_at%2C-id&include=organization&page%5Bnumber%5D=2&page%5Bsize%5D=1",
            blue.id
        ))
    );
    let one = ada.get(&format!("/api/roles/{}/organization", blue.admin)).await;
    assert_eq!(one.id(), blue.id);
    let credential = ada.get("/api/api_credentials?filter[q][mode_eq]=live").await.ids().remove(0);
    let role = ada.get(&format!("/api/api_credentials/{credential}/role")).await;
    assert_eq!(role.id(), blue.admin);
    for path in [
        "/api/roles/fake/organization",
        "/api/organizations/fake/roles",
        "/api/roles/fake/relationships/organization",
    ] {
        assert_eq!(ada.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn relationships_answer_with_linkage() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let many = ada.get(&format!("/api/organizations/{}/relationships/roles", blue.id)).await;
    assert_snapshot!(pretty(&many.json(), &[]), @r#"
    {
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
    }
    "#);
    let one = ada.get(&format!("/api/roles/{}/relationships/organization", blue.admin)).await;
    assert_eq!(one.json()["data"], json!({ "type": "organizations", "id": blue.id }));
    let member = blue.invites("new@example.com", &blue.read_only).await;
    let none = ada.get(&format!("/api/memberships/{member}/relationships/membership_profile")).await;
    assert_eq!(none.json()["data"], Json::Null);
}

#[tokio::test]
async fn injected_sql_is_only_text() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    ada.creates_organization("Blue").await;
    for value in ["' or '1'='1", "'; drop table users; --", "%27%20or%201=1", "\\' or 1=1", "?"] {
        let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let found = ada
            .get(&format!(
                "/api/roles?filter[q][name_eq]={value}&filter[q][kind_cont]={value}&filter[ids]={value}"
            ))
            .await;
        assert_eq!(found.ids(), [] as [&str; 0]);
    }
    assert_eq!(guild.number("select count(*) from users").await, 1);
}

#[tokio::test]
async fn a_question_that_no_index_answers_ends_with_a_clear_answer_and_nobody_else_waits() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    // What the API publishes of the history, looked for without end.
    let view =
        include_str!("../../../../../migrations/0001_first.sql").split("create view versions as").nth(1);
    let view = view.and_then(|rest| rest.split(';').next()).unwrap();
    let endless = format!(
        "create view versions as {view} and
         (with recursive n (x) as (select 1 union all select x + 1 from n) select count(*) from n) > 0"
    );
    let replaced = guild.app.db.write(move |tx| {
        tx.execute(&Sql::text("drop view versions"))?;
        tx.execute(&Sql::text(&endless))
    });
    replaced.await.unwrap();
    let others = async {
        for number in 0..100 {
            assert_eq!(ada.get("/api/memberships").await.status, 200);
            let renamed = change("organizations", &blue.id, json!({ "reference": number.to_string() }));
            assert_eq!(ada.patch(&format!("/api/organizations/{}", blue.id), renamed).await.status, 200);
        }
    };
    let (endless, ()) = tokio::join!(ada.get("/api/versions"), others);
    let detail = "This query takes too long: filter by an organization, an id or an address as well.";
    let problem = json!({
        "title": "Service unavailable", "detail": detail, "code": "SERVICE_UNAVAILABLE", "status": "503",
    });
    assert_eq!((endless.status, endless.json()), (503, json!({ "errors": [problem] })));
}
