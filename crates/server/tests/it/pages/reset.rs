use crate::browser::PASSWORD;
use crate::guild::{Guild, HOUR};

const NEW: &str = "velvet-anchor-thistle";

#[tokio::test]
async fn a_letter_lets_them_choose_a_new_password_and_ends_every_session() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let browser = guild.browser();
    browser.open("/reset").await;
    let page = browser.send("/reset", &[("email", "ADA@example.com")]).await;
    assert_eq!(page.heading(), "Check your e-mail");
    let link = guild.link_for("ADA@example.com").await;
    assert_eq!(browser.open(&link).await.fields(), ["password"]);
    let page = browser.send(&link, &[("password", NEW)]).await;
    assert_eq!(page.path, "/sign-in?said=password-changed");
    assert_eq!(ada.open("/").await.path, "/sign-in");
    assert_eq!(browser.signs_in("ada").await.status, 422);
    let page = browser.send("/sign-in", &[("email", "ada@example.com"), ("password", NEW)]).await;
    assert_eq!(page.path, "/");
    assert!(guild.letter_to("ada@example.com").await.contains("The password of your account was changed."));
}

#[tokio::test]
async fn a_link_works_once_for_an_hour_and_ends_all_others() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    let browser = guild.browser();
    let ask = async || browser.asks_for_reset("ada@example.com").await;
    let first = ask().await;
    assert_eq!(browser.ask("HEAD", &first, &[]).await.status, 200);
    guild.pass(HOUR);
    let dead = browser.open(&first).await;
    assert_eq!((dead.status, dead.heading().as_str()), (404, "This link no longer works"));
    assert!(dead.says("Send a new link"));
    // Whoever asks for another one does not take the first away from its owner.
    let (second, third) = (ask().await, ask().await);
    browser.open(&second).await;
    assert_eq!(browser.send(&second, &[("password", NEW)]).await.path, "/sign-in?said=password-changed");
    for used in [second, third] {
        browser.open("/sign-in").await;
        assert_eq!(browser.send(&used, &[("password", PASSWORD)]).await.status, 404);
    }
}

#[tokio::test]
async fn a_weak_password_is_refused_and_the_link_is_not_used_up() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    let browser = guild.browser();
    let link = browser.asks_for_reset("ada@example.com").await;
    browser.open(&link).await;
    let page = browser.send(&link, &[("password", "Example2026")]).await;
    assert_eq!(page.status, 422);
    assert!(page.says("This is easy to guess."));
    assert_eq!(browser.send(&link, &[("password", NEW)]).await.path, "/sign-in?said=password-changed");
}

#[tokio::test]
async fn it_gives_somebody_the_operator_made_their_first_password() {
    let guild = Guild::new().await;
    guild.user("ada").await;
    let browser = guild.browser();
    browser.resets_password("ada@example.com", PASSWORD).await;
    assert_eq!(browser.signs_in("ada").await.path, "/");
}

#[tokio::test]
async fn the_second_factor_stays() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    super::sign_in::sets_up_codes(&ada).await;
    let browser = guild.browser();
    browser.resets_password("ada@example.com", NEW).await;
    let page = browser.send("/sign-in", &[("email", "ada@example.com"), ("password", NEW)]).await;
    assert_eq!(page.path, "/sign-in/code");
}
