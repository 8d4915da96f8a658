//! Parts of addresses and of names, asked in every way, against a plain model: whether an index finds them or every row is read, the
//! answer is the same.

use crate::guild::{Guild, change, link};
use guildhall_store::Sql;
use serde_json::json;
use std::collections::BTreeSet;

/// Enough members for the index to be asked for what few of them have.
const MEMBERS: usize = 80;

fn address(number: usize) -> String {
    let name = ["ann", "bo", "c%rl", "d_n", "zoë", "ann.bo"][number % 6];
    format!("{name}{number}@{}.example", ["north", "south", "nörd"][number % 3])
}

/// Addresses within one organization, all of them of members that are told apart by their number.
async fn invite(guild: &Guild, organization: &str, role: &str, first: usize, count: usize) {
    let (organization, role) = (organization.to_owned(), role.to_owned());
    guild
        .operate(move |work| {
            for number in first..first + count {
                let email = address(number);
                work.tx.execute(&Sql::new(
                    "insert into memberships (id, organization_id, role_id, user_email, user_email_key, status,
                     created_at, updated_at) values (?, ?, ?, ?, ?, 'pending', ?, 1)",
                    [
                        format!("M{number:09}").into(),
                        (&organization).into(),
                        (&role).into(),
                        (&email).into(),
                        (&email).into(),
                        i64::try_from(number).unwrap().into(),
                    ],
                ))?;
            }
            work.tx.execute(&Sql::new(
                "update sizes set size = size + ? where kind = 'memberships' and owner = ?",
                [i64::try_from(count).unwrap().into(), organization.as_str().into()],
            ))?;
            Ok(())
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_the_index_finds_is_what_every_row_says() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let grace = guild.user("grace").await;
    let red = grace.creates_organization("Red").await;
    invite(&guild, &blue.id, &blue.read_only, 0, MEMBERS).await;
    // Somebody else's members have such addresses, too.
    invite(&guild, &red.id, &red.read_only, MEMBERS, MEMBERS).await;
    guild
        .operate(|work| {
            work.tx.execute(&Sql::text(
                "update memberships set user_email = 'eve@moved.example', user_email_key = 'eve@moved.example'
                 where id = 'M000000007'",
            ))?;
            work.tx.execute(&Sql::text("delete from memberships where id = 'M000000013'"))?;
            Ok(())
        })
        .await
        .unwrap();
    let addresses: BTreeSet<String> = (0..MEMBERS)
        .filter(|number| *number != 13)
        .map(|number| if number == 7 { "eve@moved.example".to_owned() } else { address(number) })
        .chain(["ada@example.com".to_owned()])
        .collect();
    let has = |address: &str, matcher: &str, text: &str| match matcher {
        "cont" => address.contains(text),
        "not_cont" => !address.contains(text),
        "end" => address.ends_with(text),
        "start" => address.starts_with(text),
        // Those that are asked have no other special character than the ones at their ends.
        "matches" => address.contains(text.trim_matches('%')),
        _ => unreachable!("there is no other"),
    };
    for matcher in ["cont", "not_cont", "end", "start", "matches"] {
        for text in [
            "17@",
            "ann7",
            "moved",
            "MOVED",
            "%rl2",
            "_n3",
            "zoë1",
            "ËN",
            "0@north.example",
            "example",
            "bo",
            "nobody",
            "ada@",
            "13@",
            "@nörd.",
            "%ann1%",
            "\\",
            "10@south.exa",
            "ann.bo5@nörd.example",
            "nn.bo5@nörd.exampl",
            "th.example or ann",
            "\"ann\" OR \"bo\"",
            "bo1*",
            "*:^(-",
        ] {
            if matcher == "matches" && !(text.starts_with('%') && text.ends_with('%')) {
                continue;
            }
            let folded = text.to_lowercase();
            let wanted: BTreeSet<&String> =
                addresses.iter().filter(|address| has(address, matcher, &folded)).collect();
            let asked = url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let path = format!("/api/memberships?filter[q][user_email_{matcher}]={asked}&page[size]=25");
            let reply = ada.get(&path).await.json();
            assert_eq!(reply["meta"]["record_count"], wanted.len(), "{path}");
            let shown: Vec<&str> = reply["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|record| record["attributes"]["user_email"].as_str().unwrap())
                .collect();
            assert_eq!(shown.len(), wanted.len().min(25), "{path}");
            assert!(shown.iter().all(|one| wanted.contains(&(*one).to_owned())), "{path}: {shown:?}");
        }
    }
}

#[tokio::test]
async fn names_that_the_index_finds_are_those_that_every_row_has() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let grace = guild.user("grace").await;
    let name = |number: usize| {
        let name = ["Blue", "Grün", "50% off", "a_b", "ÄPFEL", "Blue Grün"][number % 6];
        format!("{name} {number}")
    };
    let mut names: BTreeSet<String> = BTreeSet::new();
    for number in 0..MEMBERS {
        let made = ada.creates_organization(&name(number)).await;
        if number == 7 {
            let renamed = change("organizations", &made.id, json!({ "name": "MOVED Elsewhere" }));
            assert_eq!(ada.patch(&format!("/api/organizations/{}", made.id), renamed).await.status, 200);
            names.insert("MOVED Elsewhere".to_owned());
        } else {
            names.insert(name(number));
        }
        // Somebody else's have such names, too.
        if number < 12 {
            grace.creates_organization(&name(number)).await;
        }
    }
    let has = |name: &str, matcher: &str, text: &str| match matcher {
        "cont" => name.contains(text),
        "not_cont" => !name.contains(text),
        "end" => name.ends_with(text),
        "start" => name.starts_with(text),
        _ => unreachable!("there is no other"),
    };
    for matcher in ["cont", "not_cont", "end", "start"] {
        for text in [
            "lue 1", "GRÜN 7", "moved", "äpfel 4", "% off 2", "_b 3", "Blue", "blue 7", "nothing", " 79",
            "x\\",
        ] {
            let folded = text.to_lowercase();
            let wanted: BTreeSet<&String> =
                names.iter().filter(|name| has(&name.to_lowercase(), matcher, &folded)).collect();
            let asked = url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let path = format!("/api/organizations?filter[q][name_{matcher}]={asked}&page[size]=25");
            let reply = ada.get(&path).await.json();
            assert_eq!(reply["meta"]["record_count"], wanted.len(), "{path}");
            let all = reply["data"].as_array().unwrap();
            let shown: Vec<&str> =
                all.iter().map(|one| one["attributes"]["name"].as_str().unwrap()).collect();
            assert_eq!(shown.len(), wanted.len().min(25), "{path}");
            assert!(shown.iter().all(|one| wanted.contains(&(*one).to_owned())), "{path}: {shown:?}");
        }
    }
    let odd = "select count(*) from organizations o where 1 <>
               (select count(*) from search_organizations s where s.id = o.id and s.name = folded(o.name))";
    assert_eq!(guild.number(odd).await, 0);
}

#[tokio::test]
async fn how_many_have_a_status_or_a_role_is_known_without_counting() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let mut invited = Vec::new();
    for name in ["grace", "mary", "jean"] {
        invited.push(blue.invites(&format!("{name}@example.com"), &blue.read_only).await);
    }
    let grace = guild.user("grace").await;
    let own = grace.get("/api/memberships?filter[q][role_kind_eq]=read_only").await.json();
    assert_eq!(own["meta"]["record_count"], 1);
    assert_eq!(ada.delete(&format!("/api/memberships/{}", invited[2])).await.status, 204);
    for (filter, count) in [
        ("status_eq]=pending", 1),
        ("status_eq]=active", 2),
        ("status_in]=active,pending,active", 3),
        ("status_not_eq]=active", 1),
        ("status_eq]=asleep", 0),
        ("role_kind_eq]=admin", 1),
        ("role_kind_eq]=read_only", 2),
        ("role_kind_not_eq]=admin", 2),
        ("role_name_cont]=a", 3),
        ("role_kind_eq]=nothing", 0),
        (&format!("role_id_eq]={}", blue.read_only), 2),
        (&format!("role_id_in]={},{}", blue.read_only, blue.admin), 3),
        (&format!("role_id_not_eq]={}", blue.read_only), 1),
        ("role_kind_eq]=read_only&filter[q][status_eq]=pending", 1),
        ("role_kind_eq]=admin&filter[q][status_eq]=pending", 0),
        (&format!("role_kind_eq]=read_only&filter[q][organization_id_eq]={}", blue.id), 2),
        ("role_kind_eq]=read_only&filter[q][organization_id_eq]=nowhere", 0),
    ] {
        let reply = ada.get(&format!("/api/memberships?filter[q][{filter}")).await.json();
        assert_eq!(reply["meta"]["record_count"], count, "{filter}");
        assert_eq!(reply["data"].as_array().unwrap().len(), count, "{filter}");
    }
    // Who has another role, has it there as well.
    let body = json!({ "data": {
        "type": "memberships", "id": invited[1], "relationships": { "role": link("roles", &blue.admin) },
    } });
    assert_eq!(ada.patch(&format!("/api/memberships/{}", invited[1]), body).await.status, 200);
    let reply = ada.get("/api/memberships?filter[q][role_kind_eq]=admin").await.json();
    assert_eq!(reply["meta"]["record_count"], 2);
    // Whoever administers nothing sees themselves and nobody else, whatever they ask for.
    for (kind, count) in [("read_only", 1), ("admin", 0)] {
        let own = grace.get(&format!("/api/memberships?filter[q][role_kind_eq]={kind}")).await.json();
        assert_eq!(own["meta"]["record_count"], count);
    }
    let odd = "select count(*) from (select status, count(*) as number from memberships group by status) m
               where number <> (select sum(size) from sizes where kind = 'memberships.status.' || m.status)";
    assert_eq!(guild.number(odd).await, 0);
    let odd = "select count(*) from (select role_id, count(*) as number from memberships group by role_id) m
               where number <> (select sum(size) from sizes where kind = 'memberships.role.' || m.role_id)";
    assert_eq!(guild.number(odd).await, 0);
}

#[tokio::test]
async fn the_index_has_every_member_as_they_are_whatever_happens_within_one_commit() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let odd = "select count(*) from memberships m where 1 <>
               (select count(*) from search_memberships s where s.id = m.id and s.user_email = m.user_email_key)";
    for first in [0, 20, 40] {
        invite(&guild, &blue.id, &blue.read_only, first, 20).await;
        // Some of them come, change and go at once, the latest of all and one of before among them.
        let (made, role) = (blue.id.clone(), blue.read_only.clone());
        let changed = guild.operate(move |work| {
            for id in ["X", "Y", "Z"] {
                let email = format!("{}{first}@example.com", id.to_lowercase());
                work.tx.execute(&Sql::new(
                    "insert into memberships (id, organization_id, role_id, user_email, user_email_key, status,
                     created_at, updated_at) values (?, ?, ?, ?, ?, 'pending', 1, 1)",
                    [
                        format!("{id}{first}").into(),
                        (&made).into(),
                        (&role).into(),
                        (&email).into(),
                        (&email).into(),
                    ],
                ))?;
            }
            for sql in [
                format!("update memberships set user_email_key = 'moved{first}@example.com' where id = 'X{first}'"),
                format!("delete from memberships where id in ('Z{first}', 'M{first:09}')"),
            ] {
                work.tx.execute(&Sql::text(&sql))?;
            }
            Ok(())
        });
        changed.await.unwrap();
        assert_eq!(guild.number(odd).await, 0);
        let both = "select count(*) from search_memberships";
        assert_eq!(guild.number(both).await, guild.number("select count(*) from memberships").await);
    }
}

#[tokio::test]
async fn the_members_of_a_role_are_read_by_it_and_not_counted() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let care = blue.custom_role("Care").await;
    for name in ["grace", "mary", "jean"] {
        blue.invites(&format!("{name}@example.com"), &care).await;
    }
    blue.invites("alan@example.com", &blue.read_only).await;
    let grace = guild.user("grace").await;
    for (person, role, path, count) in [
        (&ada, &care, "memberships", 3),
        (&ada, &blue.read_only, "memberships", 1),
        (&ada, &blue.admin, "memberships", 1),
        (&ada, &care, "memberships?filter[q][status_eq]=pending", 2),
        (&ada, &care, "memberships?filter[q][user_email_eq]=mary@example.com", 1),
        // Who administers nothing sees themselves.
        (&grace, &care, "memberships", 1),
        (&grace, &blue.admin, "memberships", 0),
    ] {
        let reply = person.get(&format!("/api/roles/{role}/{path}")).await.json();
        assert_eq!(reply["meta"]["record_count"], count, "{path}");
        assert_eq!(reply["data"].as_array().unwrap().len(), count, "{path}");
    }
    let linked = ada.get(&format!("/api/roles/{care}/relationships/memberships")).await.json();
    assert_eq!(linked["data"].as_array().unwrap().len(), 3);
    // Whoever has a place here and administers elsewhere as well.
    grace.creates_organization("Red").await;
    let reply = grace.get(&format!("/api/roles/{care}/memberships")).await.json();
    assert_eq!(reply["meta"]["record_count"], 1);
}
