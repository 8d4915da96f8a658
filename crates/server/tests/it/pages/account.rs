use crate::browser::Browser;
use crate::guild::{DAY, Guild, change};
use serde_json::json;

#[tokio::test]
async fn names_and_language_change_and_memberships_show_it() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let grace = guild.signed_up("grace").await;
    guild.pass(1);
    let id = blue.invites("grace@example.com", &blue.read_only).await;
    grace.open("/account").await;
    let fields = [("form", "names"), ("first_name", " Gràce "), ("last_name", ""), ("language", "it")];
    let page = grace.send("/account", &fields).await;
    assert_eq!((page.path.as_str(), page.heading().as_str()), ("/account?said=saved", "Il tuo account"));
    let member = ada.get(&format!("/api/memberships/{id}")).await;
    assert_eq!([member.attribute("user_first_name"), member.attribute("user_last_name")], ["Gràce", ""]);
    let page = grace.send("/account", &[("form", "names"), ("first_name", " ")]).await;
    assert_eq!(page.status, 422);
    assert!(page.says("Compila questo campo."));
}

/// Asks for another address; answers the link of the letter.
async fn wants(ada: &Browser<'_>, email: &str) -> String {
    ada.open("/account").await;
    ada.guild.pass(1);
    let page = ada.send("/account/address", &[("form", "address"), ("email", email)]).await;
    assert_eq!(page.path, "/account?said=address-letter", "{}", page.text());
    ada.guild.link_for(email).await
}

#[tokio::test]
async fn another_address_is_proved_at_the_new_one_and_told_to_the_old_one() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let link = wants(&ada, "countess@example.com").await;
    assert!(ada.open("/account").await.says("You sign in with ada@example.com."));
    assert_eq!(ada.open(&link).await.heading(), "Prove your new address");
    guild.pass(1);
    assert_eq!(ada.send(&link, &[]).await.path, "/account?said=address-changed");
    assert!(ada.open("/account").await.says("You sign in with countess@example.com."));
    let notice = guild.letter_to("ada@example.com").await;
    assert!(notice.contains("The new address is countess@example.com."), "{notice}");
    assert_eq!(guild.browser().signs_in("countess").await.path, "/");
    assert_eq!(guild.browser().signs_in("ada").await.status, 422);
}

#[tokio::test]
async fn the_old_address_can_have_it_back_for_a_week_even_after_two_moves() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    for email in ["one@example.com", "two@example.com"] {
        let link = wants(&ada, email).await;
        ada.open(&link).await;
        ada.send(&link, &[]).await;
    }
    guild.pass(7 * DAY - 10);
    let link = guild.link_for("ada@example.com").await;
    let browser = guild.browser();
    let page = browser.open(&link).await;
    assert_eq!(page.heading(), "Take your address back");
    assert_eq!(browser.send(&link, &[]).await.path, "/reset?said=address-back");
    assert_eq!(ada.open("/").await.path, "/sign-in");
    assert_eq!(
        guild.number("select count(*) from users where email = 'ada@example.com' and email_proved").await,
        1
    );
    assert_eq!(browser.open(&link).await.status, 404);
    let between = guild.link_for("one@example.com").await;
    assert_eq!(browser.open(&between).await.status, 404);
}

#[tokio::test]
async fn an_address_changed_through_the_api_is_proved_in_a_session_only() {
    let guild = Guild::new().await;
    let page = guild.signed_up("ada").await;
    let ada = guild.with_new_token("ada@example.com").await;
    let id = ada.get("/api/user").await.id();
    guild.pass(1);
    assert_eq!(
        ada.patch("/api/user", change("users", &id, json!({ "email": "new@example.com" }))).await.status,
        200
    );
    let link = guild.link_for("new@example.com").await;
    let thief = guild.browser();
    assert_eq!(thief.open(&link).await.heading(), "Sign in");
    thief.open("/reset").await;
    thief.send("/reset", &[("email", "new@example.com")]).await;
    assert_eq!(guild.letters_to("new@example.com").await, 1);
    assert!(page.open("/account").await.says("new@example.com is to take its place and is not proved yet."));
    page.open(&link).await;
    assert_eq!(page.send(&link, &[]).await.path, "/account?said=address-changed");
    assert_eq!(guild.number("select count(*) from users where email_proved").await, 1);
    assert!(guild.letter_to("ada@example.com").await.contains("The new address is new@example.com."));
}

#[tokio::test]
async fn an_address_somebody_else_has_gets_no_letter_and_nobody_is_told_why() {
    let guild = Guild::new().await;
    guild.signed_up("bob").await;
    let ada = guild.signed_up("ada").await;
    ada.open("/account").await;
    let before = guild.letters_to("bob@example.com").await;
    let page = ada.send("/account/address", &[("form", "address"), ("email", "bob@example.com")]).await;
    assert_eq!(page.path, "/account?said=address-letter");
    assert_eq!(guild.letters_to("bob@example.com").await, before);
}

#[tokio::test]
async fn it_takes_somebody_who_has_just_shown_who_they_are() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    ada.open("/account").await;
    guild.pass(10 * 60 * 1000);
    let page = ada.send("/account/address", &[("form", "address"), ("email", "new@example.com")]).await;
    assert_eq!((page.path.as_str(), page.heading().as_str()), ("/confirm?next=/account", "Is it you?"));
    assert_eq!(guild.letters_to("new@example.com").await, 0);
}

#[tokio::test]
async fn the_language_follows_the_browser_until_one_is_chosen() {
    let guild = Guild::new().await;
    let mut browser = guild.browser();
    for (accept, heading) in [
        ("it-IT,it;q=0.9,en;q=0.5", "Accedi"),
        ("it-CH", "Accedi"),
        ("de,en;q=0.2,it;q=0.9", "Accedi"),
        ("de,fr;q=0.5", "Sign in"),
        ("", "Sign in"),
        ("*;q=x", "Sign in"),
    ] {
        browser.language = accept;
        assert_eq!(browser.open("/sign-in").await.heading(), heading, "{accept}");
    }
    let page = browser.send("/language", &[("language", "it"), ("next", "/sign-in")]).await;
    assert_eq!(page.heading(), "Accedi");
    assert!(page.html.starts_with("<!doctype html>\n<html lang=\"it\">"));
    let page = browser.send("/language", &[("language", "tlh"), ("next", "//evil.example")]).await;
    assert_eq!(page.path, "/sign-in");
}
