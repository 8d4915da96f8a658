use crate::browser::PASSWORD;
use crate::guild::{DAY, Guild};
use guildhall::config::SignUp;

const GRACE: [(&str, &str); 5] = [
    ("email", "grace@example.com"),
    ("password", PASSWORD),
    ("first_name", "Grace"),
    ("last_name", "Hopper"),
    ("organization", "The Blue Brand"),
];

#[tokio::test]
async fn a_code_proves_the_address_and_makes_the_account_with_its_first_organization() {
    let guild = Guild::new().await;
    let browser = guild.browser();
    browser.open("/sign-up").await;
    let sent = browser.send("/sign-up", &GRACE).await;
    assert_eq!((sent.path.as_str(), sent.heading().as_str()), ("/sign-up/check", "Check your e-mail"));
    assert_eq!(guild.number("select count(*) from users").await, 0);
    let code = guild.code_for("grace@example.com").await;
    let page = browser.send("/sign-up/check", &[("code", &format!(" {} {} ", &code[..3], &code[3..]))]).await;
    assert_eq!(page.path, "/?said=welcome");
    assert!(page.says("The Blue Brand") && page.says("owner"), "{}", page.text());
    for (what, sql) in [
        ("user", "select count(*) from users where email_proved and first_name = 'Grace'"),
        ("owner", "select count(*) from memberships where owner and status = 'active'"),
    ] {
        assert_eq!(guild.number(sql).await, 1, "{what}");
    }
    for sql in ["select count(*) from roles", "select count(*) from api_credentials"] {
        assert_eq!(guild.number(sql).await, 2, "{sql}");
    }
    assert_eq!(guild.number("select count(*) from sign_ups").await, 0);
}

#[tokio::test]
async fn the_link_does_the_same_where_they_signed_up() {
    let guild = Guild::new().await;
    let browser = guild.browser();
    browser.asks_to_sign_up("grace").await;
    let link = guild.link_for("grace@example.com").await;
    let page = browser.open(&link).await;
    assert_eq!((page.heading().as_str(), page.fields().len()), ("Prove your address", 0));
    assert_eq!(browser.send(&link, &[]).await.path, "/?said=welcome");
    assert_eq!(browser.open(&link).await.path, "/");
    let again = guild.browser().open(&link).await;
    assert_eq!((again.status, again.heading().as_str()), (404, "This link or code no longer works"));
}

#[tokio::test]
async fn elsewhere_the_link_wants_the_password_too() {
    let guild = Guild::new().await;
    guild.browser().asks_to_sign_up("grace").await;
    let link = guild.link_for("grace@example.com").await;
    let phone = guild.browser();
    assert_eq!(phone.open(&link).await.fields(), ["password"]);
    let wrong = phone.send(&link, &[("password", "something-else-x")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.says("That is not the password."));
    assert_eq!(guild.number("select count(*) from users").await, 0);
    assert_eq!(phone.send(&link, &[("password", PASSWORD)]).await.path, "/?said=welcome");
}

#[tokio::test]
async fn opening_the_link_changes_nothing() {
    let guild = Guild::new().await;
    let browser = guild.browser();
    browser.asks_to_sign_up("grace").await;
    let link = guild.link_for("grace@example.com").await;
    let scanner = guild.browser();
    for method in ["HEAD", "GET", "GET"] {
        assert_eq!(scanner.ask(method, &link, &[]).await.status, 200, "{method}");
    }
    assert_eq!(guild.number("select count(*) from users").await, 0);
    assert_eq!(browser.send(&link, &[]).await.path, "/?said=welcome");
}

#[tokio::test]
async fn the_code_counts_in_the_browser_that_asked_only() {
    let guild = Guild::new().await;
    guild.browser().asks_to_sign_up("grace").await;
    let code = guild.code_for("grace@example.com").await;
    let elsewhere = guild.browser();
    elsewhere.open("/sign-up/check").await;
    assert_eq!(elsewhere.send("/sign-up/check", &[("code", &code)]).await.status, 404);
}

#[tokio::test]
async fn five_wrong_codes_end_it() {
    let guild = Guild::new().await;
    let browser = guild.browser();
    browser.asks_to_sign_up("grace").await;
    let code = guild.code_for("grace@example.com").await;
    for _ in 0..5 {
        assert_eq!(browser.send("/sign-up/check", &[("code", "999999")]).await.status, 422);
    }
    assert_eq!(browser.send("/sign-up/check", &[("code", &code)]).await.status, 404);
}

#[tokio::test]
async fn after_a_day_it_is_too_late() {
    let guild = Guild::new().await;
    let browser = guild.browser();
    browser.asks_to_sign_up("grace").await;
    let code = guild.code_for("grace@example.com").await;
    guild.pass(DAY);
    assert_eq!(browser.send("/sign-up/check", &[("code", &code)]).await.status, 404);
}

#[tokio::test]
async fn everything_wrong_is_told_beside_its_field_and_nothing_typed_is_lost() {
    let guild = Guild::new().await;
    let browser = guild.browser();
    browser.open("/sign-up").await;
    let fields =
        [("email", "grace@"), ("password", "password1"), ("first_name", " "), ("organization", "Blue <&>")];
    let page = browser.send("/sign-up", &fields).await;
    assert_eq!(page.status, 422);
    insta::assert_snapshot!(page.text(), @"
    Something is not right yet: see below.
    Create your account
    One account for every organization you make or join.
    E-mail address
    This does not look right.
    Password
    At least 8 characters and hard to guess: a few unusual words do well.
    This is easy to guess. Try a few unusual words.
    Show
    First name
    Please fill this in.
    Last name
    Please fill this in.
    Name of your organization
    (optional)
    You can make or join organizations later, too.
    Create account
    I have an account
    ");
    assert!(page.html.contains("value=\"grace@\"") && page.html.contains("value=\"Blue &#60;&#38;&#62;\""));
    assert!(!page.html.contains("password1"));
    assert_eq!(guild.letters().await.len(), 0);
}

#[tokio::test]
async fn the_operator_can_close_it() {
    for (sign_up, heading) in
        [(SignUp::Invited, "Accounts are by invitation"), (SignUp::Closed, "No new accounts here")]
    {
        let guild = Guild::with(|config| config.sign_up = sign_up).await;
        let browser = guild.browser();
        browser.open("/sign-in").await;
        let page = browser.open("/sign-up").await;
        assert_eq!((page.status, page.heading().as_str()), (403, heading));
        assert_eq!(browser.send("/sign-up", &GRACE).await.status, 403);
        assert_eq!(guild.number("select count(*) from sign_ups").await, 0);
    }
}

#[tokio::test]
async fn what_waits_for_the_address_is_active_once_it_is_proved_and_only_then() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let green = ada.creates_organization("Green").await;
    blue.invites("Grace@Example.com", &blue.read_only).await;
    green.invites("grace@example.com", &green.admin).await;
    let browser = guild.browser();
    browser.asks_to_sign_up("grace").await;
    let active = "select count(*) from memberships where status = 'active' and not owner";
    assert_eq!(guild.number(active).await, 0);
    let code = guild.code_for("grace@example.com").await;
    let page = browser.send("/sign-up/check", &[("code", &code)]).await;
    assert!(page.says("Blue") && page.says("Green"), "{}", page.text());
    assert_eq!(guild.number(active).await, 2);
}

#[tokio::test]
async fn a_second_try_replaces_the_first() {
    let guild = Guild::new().await;
    let browser = guild.browser();
    browser.asks_to_sign_up("grace").await;
    let first = guild.link_for("grace@example.com").await;
    guild.pass(1);
    browser.asks_to_sign_up("grace").await;
    let second = guild.link_for("grace@example.com").await;
    assert_eq!(browser.open(&first).await.status, 404);
    assert_eq!(browser.send(&second, &[]).await.path, "/?said=welcome");
}
