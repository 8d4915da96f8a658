//! Documents that cannot be read: each has its exact answer, and changes nothing.

use crate::guild::{Guild, Person};
use axum::body::Body;
use serde_json::{Value as Json, json};

async fn post(person: &Person<'_>, body: impl Into<Body>) -> Vec<String> {
    person.send("POST", "/api/organizations", body).await.problems()
}

#[tokio::test]
async fn what_is_no_json_is_refused_in_the_parsers_words() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    for (body, words) in [
        (b"".to_vec(), "EOF while parsing a value at line 1 column 0"),
        (b"{".to_vec(), "EOF while parsing an object at line 1 column 1"),
        (b"{\"data\":}".to_vec(), "expected value at line 1 column 9"),
        (b"{} {}".to_vec(), "trailing characters at line 1 column 4"),
        (b"{\"data\":\"\xff\"}".to_vec(), "invalid unicode code point at line 1 column 10"),
        ("[".repeat(200).into_bytes(), "recursion limit exceeded at line 1 column 128"),
    ] {
        assert_eq!(
            post(&ada, body).await,
            [format!("400 BAD_REQUEST: The body is not valid JSON: {words}.")]
        );
    }
}

#[tokio::test]
async fn what_is_no_document_is_refused() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let name = json!({ "name": "X" });
    for (body, problem) in [
        (json!([]), "400 INVALID_DATA_FORMAT: Data must be a hash."),
        (json!("x"), "400 INVALID_DATA_FORMAT: Data must be a hash."),
        (json!({}), "400 PARAM_MISSING: The required parameter, data, is missing."),
        (json!({ "data": null }), "400 INVALID_DATA_FORMAT: Data must be a hash."),
        (json!({ "data": [] }), "400 INVALID_DATA_FORMAT: Data must be a hash."),
        (json!({ "data": {}, "extra": 1 }), "400 PARAM_NOT_ALLOWED: extra is not allowed."),
        (
            json!({ "data": { "attributes": name } }),
            "400 PARAM_MISSING: The required parameter, type, is missing.",
        ),
        (
            json!({ "data": { "type": 1, "attributes": name } }),
            "400 INVALID_DATA_FORMAT: Data must be a hash.",
        ),
        (
            json!({ "data": { "type": "roles", "attributes": name } }),
            "400 TYPE_MISMATCH: roles is not a valid type for this operation.",
        ),
        (
            json!({ "data": { "type": "organizations", "id": "x", "attributes": name } }),
            "400 PARAM_NOT_ALLOWED: id is not allowed.",
        ),
        (
            json!({ "data": { "type": "organizations", "attributes": [] } }),
            "400 INVALID_DATA_FORMAT: Data must be a hash.",
        ),
        (
            json!({ "data": { "type": "organizations", "attributes": name, "relationships": [] } }),
            "400 INVALID_LINKS_OBJECT: Data is not a valid Links Object.",
        ),
        (
            json!({ "data": { "type": "organizations", "attributes": name, "name": "X" } }),
            "400 PARAM_NOT_ALLOWED: name is not allowed.",
        ),
    ] {
        assert_eq!(post(&ada, body.to_string()).await, [problem], "{body}");
    }
    assert_eq!(guild.number("select count(*) from organizations").await, 0);
}

#[tokio::test]
async fn relationships_must_be_linkage_of_the_right_type() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let links = "400 INVALID_LINKS_OBJECT: Data is not a valid Links Object.";
    for (organization, problem) in [
        (json!(null), links),
        (json!({}), links),
        (json!("x"), links),
        (json!({ "data": [] }), links),
        (json!({ "data": "x" }), links),
        (json!({ "data": { "type": "organizations" } }), links),
        (json!({ "data": { "type": "organizations", "id": 7 } }), links),
        (
            json!({ "data": { "type": "roles", "id": blue.id } }),
            "400 TYPE_MISMATCH: roles is not a valid type for this operation.",
        ),
        (
            json!({ "data": null }),
            "422 VALIDATION_ERROR /data/relationships/organization: organization - can't be blank",
        ),
        (
            json!({ "data": { "type": "organizations", "id": "" } }),
            "422 VALIDATION_ERROR /data/relationships/organization: organization - can't be blank",
        ),
        (
            json!({ "data": { "type": "organizations", "id": "' or 1=1" } }),
            "422 VALIDATION_ERROR /data/relationships/organization: organization - can't be blank",
        ),
    ] {
        let body = json!({ "data": { "type": "roles", "attributes": { "name": "X" }, "relationships": { "organization": organization } } });
        assert_eq!(ada.post("/api/roles", body).await.problems(), [problem], "{organization}");
    }
}

#[tokio::test]
async fn an_update_names_the_record_of_its_url() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let path = format!("/api/organizations/{}", blue.id);
    let ask = async |body: Json| ada.patch(&path, body).await;
    let missing = ask(json!({ "data": { "type": "organizations", "attributes": {} } })).await;
    assert_eq!(missing.problems(), ["400 PARAM_MISSING: The required parameter, id, is missing."]);
    let other = ask(json!({ "data": { "type": "organizations", "id": "other", "attributes": {} } })).await;
    assert_eq!(other.problems(), ["400 KEY_NOT_INCLUDED_IN_URL: The URL does not support the key other"]);
    assert_eq!(ask(json!({ "data": { "type": "organizations", "id": blue.id } })).await.status, 200);
}

#[tokio::test]
async fn unknown_and_read_only_members_are_each_told() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let body = json!({ "data": { "type": "organizations",
        "attributes": { "name": "X", "slug": "x", "created_at": "2026-01-01", "unicorn": 1 },
        "relationships": { "roles": { "data": [] }, "unicorns": { "data": null } } } });
    assert_eq!(
        post(&ada, body.to_string()).await,
        [
            "400 PARAM_NOT_ALLOWED: slug is not allowed.",
            "400 PARAM_NOT_ALLOWED: created_at is not allowed.",
            "400 PARAM_NOT_ALLOWED: unicorn is not allowed.",
            "400 PARAM_NOT_ALLOWED: roles is not allowed.",
            "400 PARAM_NOT_ALLOWED: unicorns is not allowed.",
        ]
    );
}

#[tokio::test]
async fn a_body_can_be_too_large_and_an_object_too() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let huge = json!({ "data": { "type": "organizations", "attributes": { "name": "x".repeat(300_000) } } });
    assert_eq!(
        post(&ada, huge.to_string()).await,
        ["413 PAYLOAD_TOO_LARGE: The body is larger than 262144 bytes."]
    );
    let large = json!({ "data": { "type": "organizations", "attributes": { "name": "X", "metadata": { "a": "x".repeat(70_000) } } } });
    assert_eq!(
        post(&ada, large.to_string()).await,
        ["422 VALIDATION_ERROR /data/attributes/metadata: metadata - is invalid"]
    );
}

#[tokio::test]
async fn media_types_are_asked_for() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let body = json!({ "data": { "type": "organizations", "attributes": { "name": "X" } } }).to_string();
    for (content_type, status) in [
        ("application/vnd.api+json", 201),
        ("application/vnd.api+json; charset=utf-8", 201),
        ("application/json", 415),
        ("text/plain", 415),
    ] {
        let request = ada.request("POST", "/api/organizations").header("content-type", content_type);
        assert_eq!(
            ada.ask(request.body(body.clone().into()).unwrap()).await.status,
            status,
            "{content_type}"
        );
    }
    for (accept, status) in [
        ("application/vnd.api+json", 200),
        ("*/*", 200),
        ("application/*", 406),
        ("application/vnd.api+json;q=0", 406),
        ("text/html, application/vnd.api+json;q=0.5", 200),
        ("application/json", 406),
        ("text/html", 406),
    ] {
        let request = ada.request("GET", "/api/organizations").header("accept", accept);
        assert_eq!(ada.ask(request.body(Body::empty()).unwrap()).await.status, status, "{accept}");
    }
}

#[tokio::test]
async fn paths_that_do_not_exist_are_404_and_methods_405() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    for path in [
        "/api/unicorns",
        "/api/organizations/x/y/z",
        "/api/organizations/fake-id",
        "/api/",
        "/api/user/x",
        "/api/organizations/%00",
        "/api/organizations/..",
        "/unknown",
        "/api/organizations//",
    ] {
        assert_eq!(ada.get(path).await.status, 404, "{path}");
    }
    assert_eq!(ada.get(&format!("/api/organizations/{}/", blue.id)).await.status, 200);
    for (method, path, allow) in [
        ("PUT", format!("/api/organizations/{}", blue.id), "GET, PATCH"),
        ("DELETE", "/api/organizations".to_owned(), "GET, POST"),
        ("POST", format!("/api/organizations/{}/roles", blue.id), "GET"),
        ("PATCH", format!("/api/organizations/{}/relationships/roles", blue.id), "GET"),
        ("GET", format!("/api/organizations/{}/transfer_ownership", blue.id), "PATCH"),
    ] {
        let refused = ada.send(method, &path, "{}").await;
        assert_eq!((refused.status, refused.header("allow")), (405, allow), "{method} {path}");
    }
}
