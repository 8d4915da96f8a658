//! `/device`.

use crate::guild::Guild;
use crate::webapp::Webapp;
use serde_json::json;

async fn code(guild: &Guild) -> String {
    let begun =
        guild.nobody().post("/oauth/device_authorization", json!({ "client_id": "dashboard" })).await.json();
    begun["user_code"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_in_the_address_still_has_to_be_sent() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let code = code(&guild).await;
    let page = ada.open(&format!("/device?code={code}")).await;
    assert_eq!((page.heading().as_str(), page.fields()), ("Let a device in", vec!["code".to_owned()]));
    assert!(page.html.contains(&code));
    assert!(ada.open(&format!("/device?user_code={code}")).await.html.contains(&code));
    let asked = ada.send("/device", &[("code", &code.to_lowercase())]).await;
    insta::assert_snapshot!(asked.text(), @"
    A command line wants to act for you
    A program on somebody’s computer asks to be let in as you.
    If you agree, it may:
    do everything in Guildhall that you may do: see and change your organizations and their members
    see the figures of your organizations
    Agree only if you have begun this yourself and your device shows this code. Nobody else may ask you for it.
    You are signed in as ada@example.com.
    Code on your device
    WBBB-BBBB
    Copy
    Agree
    Do not agree
    Use another account
    ");
}

#[tokio::test]
async fn who_is_not_signed_in_signs_in_first() {
    let guild = Guild::new().await;
    let page = guild.browser().open("/device?code=BCDF-GHJK").await;
    assert_eq!(page.path, "/sign-in?next=%2Fdevice%3Fcode%3DBCDF-GHJK");
}

#[tokio::test]
async fn guessing_codes_is_hopeless() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let code = code(&guild).await;
    ada.open("/device").await;
    for _ in 0..10 {
        let wrong = ada.send("/device", &[("code", "ZZZZ-ZZZZ")]).await;
        assert_eq!(wrong.status, 422);
        assert!(wrong.says("That code is not known, or no longer."));
    }
    let wait = ada.send("/device", &[("code", &code)]).await;
    assert_eq!(wait.status, 429);
}

#[tokio::test]
async fn a_code_is_decided_once_and_ends() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (first, second) = (code(&guild).await, code(&guild).await);
    ada.open("/device").await;
    assert_eq!(ada.send("/device", &[("code", &first), ("decision", "allow")]).await.status, 200);
    assert_eq!(ada.send("/device", &[("code", &first), ("decision", "deny")]).await.status, 422);
    guild.pass(600_000);
    assert_eq!(ada.send("/device", &[("code", &second)]).await.status, 422);
}

#[tokio::test]
async fn only_members_let_a_device_into_an_organization() {
    let guild = Guild::new().await;
    let (shop, _) = Webapp::new(&guild).await;
    let body = json!({ "client_id": shop.client_id, "client_secret": shop.client_secret });
    let begun = guild.nobody().post("/oauth/device_authorization", body).await.json();
    let bob = guild.signed_up("bob").await;
    bob.open("/device").await;
    let fields = [("code", begun["user_code"].as_str().unwrap()), ("decision", "allow")];
    let page = bob.send("/device", &fields).await;
    assert_eq!((page.status, page.heading().as_str()), (403, "You are not a member of Blue"));
}
