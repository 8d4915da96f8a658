//! The 51 matchers against a plain model in memory: random records, random questions, the same answers.

use crate::guild::{Guild, Organization, Person, change};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;

const TEXTS: [&str; 9] = ["", "a", "A", "ab", "aB_", "b%", "a\\b", "Zoë", "zebra"];

/// What each record has, and what a matcher makes of it.
#[derive(Debug)]
struct Known {
    id: String,
    reference: Option<&'static str>,
    metadata: Json,
    number: i64,
}

async fn world(organization: &Organization<'_>) -> Vec<Known> {
    let mut all = Vec::new();
    for (index, reference) in TEXTS.into_iter().map(Some).chain([None, None]).enumerate() {
        let number = 7200 + i64::try_from(index / 2).unwrap();
        let metadata = match index % 4 {
            0 => json!({}),
            1 => json!({ "a": 1 }),
            2 => json!({ "a": 1, "b": { "c": [1, 2] } }),
            _ => json!({ "b": { "c": [2] }, "d": "x" }),
        };
        let attributes = json!({
            "name": "n", "kind": "webapp", "reference": reference, "metadata": metadata, "expires_in": number,
        });
        let id = organization.makes("api_credentials", attributes, json!({})).await;
        all.push(Known { id, reference, metadata, number });
    }
    all
}

/// LIKE without regard to case, in which a backslash makes the next character literal.
fn like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|from| like(&text[from..], rest)),
        ['_', rest @ ..] => !text.is_empty() && like(&text[1..], rest),
        ['\\', literal, rest @ ..] | [literal, rest @ ..] => {
            text.first() == Some(literal) && like(&text[1..], rest)
        }
    }
}

fn folded(text: &str) -> Vec<char> {
    text.to_lowercase().chars().collect()
}

/// One test of one value; null passes none of them, nor their contraries.
fn test(name: &str, text: &str, value: &str) -> bool {
    let (low, wanted) = (text.to_lowercase(), value.to_lowercase());
    match name {
        "eq" => text == value,
        "lt" => text < value,
        "lteq" => text <= value,
        "gt" => text > value,
        "gteq" => text >= value,
        "matches" => like(&folded(text), &folded(value)),
        "start" => low.starts_with(&wanted),
        "end" => low.ends_with(&wanted),
        "cont" => low.contains(&wanted),
        other => panic!("{other}"),
    }
}

fn holds(matcher: &str, text: Option<&str>, argument: &str) -> bool {
    if let Some(plain) = matcher.strip_suffix("_or_null") {
        return text.is_none() || holds(plain, text, argument);
    }
    let truth = argument == "true";
    let present = text.is_some_and(|text| !text.is_empty());
    match matcher {
        "present" => return present == truth,
        "blank" => return present != truth,
        "null" => return text.is_none() == truth,
        "not_null" => return text.is_some() == truth,
        _ => {}
    }
    let Some(text) = text else { return false };
    let values: Vec<&str> = argument.split(',').collect();
    let (base, every) = match (matcher.strip_suffix("_any"), matcher.strip_suffix("_all")) {
        (Some(base), _) => (base, Some(false)),
        (_, Some(base)) => (base, Some(true)),
        _ => (matcher, None),
    };
    let (base, every) = match base {
        "in" => ("eq", Some(false)),
        "not_in" => ("not_eq", Some(true)),
        other => (other, every),
    };
    let one = |value: &str| match base.strip_prefix("not_") {
        Some(plain) => !test(plain, text, value),
        None if base == "does_not_match" => !test("matches", text, value),
        None => test(base, text, value),
    };
    match every {
        None => one(argument),
        Some(true) => values.into_iter().all(one),
        Some(false) => values.into_iter().any(one),
    }
}

const ONE: [&str; 17] = [
    "eq",
    "eq_or_null",
    "not_eq",
    "not_eq_or_null",
    "matches",
    "does_not_match",
    "lt",
    "lteq",
    "gt",
    "gteq",
    "start",
    "not_start",
    "end",
    "not_end",
    "cont",
    "not_cont",
    "eq",
];
const LIST: [&str; 29] = [
    "matches_any",
    "matches_all",
    "does_not_match_any",
    "does_not_match_all",
    "lt_any",
    "lteq_any",
    "gt_any",
    "gteq_any",
    "lt_all",
    "lteq_all",
    "gt_all",
    "gteq_all",
    "not_eq_all",
    "in",
    "in_or_null",
    "not_in",
    "not_in_or_null",
    "start_any",
    "start_all",
    "not_start_any",
    "not_start_all",
    "end_any",
    "end_all",
    "not_end_any",
    "not_end_all",
    "cont_any",
    "cont_all",
    "not_cont_all",
    "in",
];
const WHETHER: [&str; 4] = ["present", "blank", "null", "not_null"];

fn question() -> impl Strategy<Value = (&'static str, String)> {
    let piece =
        || prop::sample::select(vec!["", "a", "B", "ab", "%", "a%", "%B", "_", "a_", "\\", "a\\", "Ë", "zo"]);
    prop_oneof![
        (prop::sample::select(ONE.to_vec()), piece())
            .prop_map(|(matcher, value)| (matcher, value.to_owned())),
        (prop::sample::select(LIST.to_vec()), prop::collection::vec(piece(), 1..4))
            .prop_map(|(matcher, values)| (matcher, values.join(","))),
        (prop::sample::select(WHETHER.to_vec()), any::<bool>())
            .prop_map(|(matcher, flag)| (matcher, flag.to_string())),
    ]
}

/// In a pattern a lone backslash at the end is itself.
fn closed(matcher: &str, argument: &str) -> String {
    if !matcher.contains("match") {
        return argument.to_owned();
    }
    let close =
        |pattern: &str| if pattern.ends_with('\\') { format!("{pattern}\\") } else { pattern.to_owned() };
    argument.split(',').map(close).collect::<Vec<_>>().join(",")
}

#[test]
fn text_matchers_answer_as_the_model_does() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let guild = runtime.block_on(Guild::new());
    let ada = runtime.block_on(guild.user("ada"));
    let organization = runtime.block_on(ada.creates_organization("Filters"));
    let known = runtime.block_on(world(&organization));
    let mut runner = TestRunner::new(Config { cases: 1500, ..Config::default() });
    runner
        .run(&question(), |(matcher, argument)| {
            let expected: BTreeSet<&str> = known
                .iter()
                .filter(|record| holds(matcher, record.reference, &closed(matcher, &argument)))
                .map(|record| record.id.as_str())
                .collect();
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair(&format!("filter[q][reference_{matcher}]"), &argument)
                .append_pair("filter[q][kind_eq]", "webapp")
                .append_pair("page[size]", "25")
                .append_pair("fields[api_credentials]", "id")
                .finish();
            let found = runtime.block_on(ada.get(&format!("/api/api_credentials?{query}")));
            prop_assert_eq!(found.status, 200, "{}", found.text());
            let ids = found.ids();
            prop_assert_eq!(found.json()["meta"]["record_count"].as_u64(), Some(expected.len() as u64));
            prop_assert_eq!(
                ids.iter().map(String::as_str).collect::<BTreeSet<_>>(),
                expected,
                "{} {:?}",
                matcher,
                argument
            );
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn every_matcher_is_known() {
    let all: BTreeSet<&str> =
        ONE.into_iter().chain(LIST).chain(WHETHER).chain(["jcont", "true", "false"]).collect();
    assert_eq!(all.len(), 51);
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    for (attribute, value, matchers) in [
        (
            "reference",
            "true",
            all.iter().copied().filter(|name| !["jcont", "true", "false"].contains(name)).collect(),
        ),
        ("metadata", "{}", vec!["jcont"]),
        ("custom", "true", vec!["true", "false"]),
    ] {
        for matcher in matchers {
            let found =
                ada.get(&format!("/api/api_credentials?filter[q][{attribute}_{matcher}]={value}")).await;
            assert_eq!(found.status, 200, "{matcher}: {}", found.text());
        }
    }
}

#[tokio::test]
async fn numbers_moments_flags_and_objects_compare_as_such() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let organization = ada.creates_organization("Filters").await;
    let known = world(&organization).await;
    let role = organization.custom_role("Old").await;
    guild.pass(1000);
    ada.patch(&format!("/api/roles/{role}"), change("roles", &role, json!({ "name": "New" }))).await;
    let ask = async |path: String| {
        let found = ada.get(&path).await;
        assert_eq!(found.status, 200, "{path}: {}", found.text());
        found.ids().into_iter().collect::<BTreeSet<String>>()
    };
    let of = |holds: &dyn Fn(&Known) -> bool| -> BTreeSet<String> {
        known.iter().filter(|record| holds(record)).map(|record| record.id.clone()).collect()
    };
    let webapps = "page[size]=25&filter[q][kind_eq]=webapp&filter[q]";
    for (condition, expected) in [
        ("[expires_in_gt]=7203", of(&|record| record.number > 7203)),
        ("[expires_in_lteq]=7201", of(&|record| record.number <= 7201)),
        ("[expires_in_in]=7200,7205", of(&|record| [7200, 7205].contains(&record.number))),
        ("[metadata_jcont]=%7B%22a%22%3A1%7D", of(&|record| record.metadata["a"] == 1)),
        (
            "[metadata_jcont]=%7B%22b%22%3A%7B%22c%22%3A%5B2%5D%7D%7D",
            of(&|record| record.metadata["b"].is_object()),
        ),
        ("[metadata_jcont]=%7B%7D", of(&|_| true)),
        ("[metadata_present]=true", of(&|record| record.metadata != json!({}))),
        ("[metadata_blank]=true", of(&|record| record.metadata == json!({}))),
        ("[custom_true]=1", of(&|_| false)),
        ("[custom_false]=true", of(&|_| true)),
        ("[custom_eq]=false", of(&|_| true)),
        ("[created_at_gteq]=2026-01-01", of(&|_| true)),
        ("[created_at_lt]=2026-01-01T12:00:00Z", of(&|_| false)),
    ] {
        assert_eq!(ask(format!("/api/api_credentials?{webapps}{condition}")).await, expected, "{condition}");
    }
    let only = BTreeSet::from([role]);
    assert_eq!(ask("/api/roles?filter[q][updated_at_gt]=2026-01-01T12:00:00.999Z".to_owned()).await, only);
    assert_eq!(ask("/api/roles?filter[updated_at_from]=2026-01-01T12:00:01Z".to_owned()).await, only);
    assert_eq!(
        ask("/api/roles?filter[q][updated_at_or_created_at_gt]=2026-01-01T12:00:00Z".to_owned()).await,
        only
    );
    assert_eq!(
        ask("/api/roles?filter[q][updated_at_and_created_at_gt]=2026-01-01T12:00:00Z".to_owned()).await,
        BTreeSet::new()
    );
}

#[tokio::test]
async fn paths_cross_up_to_three_relationships() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let red = ada.creates_organization("Red").await;
    let member = blue.invites("bob@example.com", &blue.read_only).await;
    let ids = async |query: &str| ada.get(&format!("/api/memberships?{query}")).await.ids();
    assert_eq!(ids("filter[q][role_kind_eq]=read_only").await, [member.clone()]);
    assert_eq!(
        ids("filter[q][role_organization_slug_eq]=blue&filter[q][owner_false]=true").await,
        [member.clone()]
    );
    assert_eq!(ids("filter[q][role_organization_roles_kind_eq]=admin").await.len(), 3);
    assert_eq!(ids("filter[q][user_email_or_organization_name_start]=bob").await, [member.clone()]);
    assert_eq!(ids(&format!("filter[q][organization_id_eq]={}", red.id)).await.len(), 1);
    assert_eq!(ids(&format!("filter[organization_id]={}", blue.id)).await.len(), 2);
    assert_eq!(ids(&format!("filter[ids]={member},unknown")).await, [member.clone()]);
    assert_eq!(ids("filter[user_email]=BOB@EXAMPLE.COM").await, [member]);
    let to_many = ada.get("/api/organizations?filter[q][memberships_user_email_cont]=EXAMPLE").await;
    assert_eq!(to_many.ids(), [blue.id, red.id]);
    let deep = ada.get("/api/memberships?filter[q][role_organization_roles_organization_name_eq]=Blue").await;
    assert_eq!(
        deep.problems(),
        ["400 FILTER_NOT_ALLOWED: role_organization_roles_organization_name_eq is not allowed."]
    );
}

#[tokio::test]
async fn what_is_asked_of_one_organization_is_counted_for_every_caller() {
    let guild = Guild::new().await;
    let (ada, bob) = (guild.user("ada").await, guild.user("bob").await);
    let (blue, red) = (ada.creates_organization("Blue").await, ada.creates_organization("Red").await);
    let green = bob.creates_organization("Green").await;
    for email in ["bob@example.com", "carol@example.com"] {
        blue.invites(email, &blue.read_only).await;
    }
    let (blue, red, green) = (&blue.id, &red.id, &green.id);
    let counts = async |person: &Person<'_>, query: String| {
        let list = person.get(&format!("/api/memberships?{query}")).await;
        let count = list.json()["meta"]["record_count"].as_u64().unwrap();
        assert_eq!(list.ids().len(), usize::try_from(count).unwrap(), "{query}");
        count
    };
    for (query, to_ada, to_bob) in [
        (String::new(), 4, 2),
        (format!("filter[q][organization_id_eq]={blue}"), 3, 1),
        (format!("filter[q][organization_id_eq]={green}"), 0, 1),
        (format!("filter[q][organization_id_in]={blue},{red},{green}"), 4, 2),
        (format!("filter[organization_id]={blue}&filter[q][organization_id_eq]={red}"), 0, 0),
        (format!("filter[q][organization_id_not_eq]={blue}"), 1, 1),
        (format!("filter[q][organization_id_in_or_null]={blue}"), 3, 1),
        (format!("filter[q][organization_id_eq]={blue}&filter[q][user_email_start]=BOB@"), 1, 1),
        (format!("filter[q][organization_id_or_role_id_eq]={blue}"), 3, 1),
        ("filter[q][organization_id_eq]=unknown".to_owned(), 0, 0),
    ] {
        assert_eq!(
            (counts(&ada, query.clone()).await, counts(&bob, query.clone()).await),
            (to_ada, to_bob),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_filter_cannot_ask_about_what_the_caller_does_not_see() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let bob = guild.user("bob").await;
    blue.invites("bob@example.com", &blue.read_only).await;
    blue.invites("secret@example.com", &blue.read_only).await;
    let ask = async |email: &str| {
        bob.get(&format!("/api/organizations?filter[q][memberships_user_email_eq]={email}")).await.ids()
    };
    assert_eq!(ask("bob@example.com").await, [blue.id]);
    assert_eq!(ask("secret@example.com").await, [] as [&str; 0]);
    assert_eq!(ask("ada@example.com").await, [] as [&str; 0]);
}
