use crate::browser::{Browser, PASSWORD};
use crate::guild::{DAY, Guild, SECOND};
use guildhall::resources::users;
use totp_rs::{Builder, Secret};

/// What an authenticator shows.
pub(crate) fn shown(guild: &Guild, seed: &str) -> String {
    let totp = Builder::new()
        .with_secret(Secret::try_from_base32(seed).unwrap())
        .with_account_name("x")
        .build()
        .unwrap();
    let seconds = u64::try_from(guild.app.clock.now() / SECOND).unwrap();
    totp.generate(seconds).to_string()
}

/// Turns one-time codes on; answers the seed and the recovery codes.
pub(crate) async fn sets_up_codes(browser: &Browser<'_>) -> (String, Vec<String>) {
    let page = browser.open("/account/codes").await;
    let text = page.text();
    let seed = text.lines().skip_while(|line| *line != "Key").nth(1).unwrap().to_owned();
    let code = shown(browser.guild, &seed);
    let page = browser.send("/account/security/confirm-code", &[("code", &code)]).await;
    let codes: Vec<String> = page
        .text()
        .lines()
        .filter(|line| line.len() == 14 && line.contains('-'))
        .map(str::to_owned)
        .collect();
    assert_eq!((page.heading().as_str(), codes.len()), ("Your recovery codes", 10), "{}", page.text());
    (seed, codes)
}

#[tokio::test]
async fn a_password_lets_in_and_leads_where_they_wanted_to_go() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    let browser = guild.browser();
    let asked = browser.open("/account/security").await;
    assert_eq!(asked.path, "/sign-in?next=%2Faccount%2Fsecurity");
    let fields = [("email", " ADA@example.com "), ("password", PASSWORD), ("next", "/account/security")];
    let page = browser.send("/sign-in", &fields).await;
    assert_eq!((page.path.as_str(), page.heading().as_str()), ("/account/security", "Security"));
    assert_eq!(browser.open("/sign-in").await.path, "/");
}

#[tokio::test]
async fn a_wrong_password_does_not() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    let browser = guild.browser();
    browser.open("/sign-in").await;
    let page = browser.send("/sign-in", &[("email", "ada@example.com"), ("password", "orchid")]).await;
    assert_eq!(page.status, 422);
    assert!(page.says("That address and password do not go together."));
    assert!(page.html.contains("value=\"ada@example.com\"") && !page.html.contains("value=\"orchid\""));
    assert_eq!(browser.open("/").await.path, "/sign-in");
}

#[tokio::test]
async fn one_time_codes_are_asked_for_once_they_are_on() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (seed, _) = sets_up_codes(&ada).await;
    assert_eq!(guild.number("select count(*) from users where otp_required_for_login").await, 1);
    guild.pass(60 * SECOND);
    let browser = guild.browser();
    let page = browser.signs_in("ada").await;
    assert_eq!((page.path.as_str(), page.heading().as_str()), ("/sign-in/code", "One more step"));
    assert_eq!(browser.open("/account").await.path, "/sign-in?next=%2Faccount");
    assert_eq!(browser.open("/sign-in/code").await.status, 200);
    let wrong = browser.send("/sign-in/code", &[("code", "000000")]).await;
    assert_eq!(wrong.status, 422);
    let page = browser.send("/sign-in/code", &[("code", &shown(&guild, &seed))]).await;
    assert_eq!((page.status, page.heading().as_str()), (200, "Your organizations"));
}

#[tokio::test]
async fn a_recovery_code_stands_in_for_the_device_once() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (_, codes) = sets_up_codes(&ada).await;
    let code = codes[0].to_uppercase().replace('-', " ");
    for (attempt, path) in ["/", "/sign-in/code"].into_iter().enumerate() {
        let browser = guild.browser();
        browser.signs_in("ada").await;
        let page = browser.send("/sign-in/code", &[("code", &code)]).await;
        assert_eq!(page.path, path, "attempt {attempt}");
    }
    assert!(ada.open("/account/security").await.says("9 recovery codes are left."));
}

#[tokio::test]
async fn five_wrong_codes_lead_back_to_the_password() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (seed, _) = sets_up_codes(&ada).await;
    guild.pass(60 * SECOND);
    let browser = guild.browser();
    browser.signs_in("ada").await;
    for _ in 0..4 {
        assert_eq!(browser.send("/sign-in/code", &[("code", "000000")]).await.status, 422);
    }
    let page = browser.send("/sign-in/code", &[("code", "000000")]).await;
    assert_eq!(page.path, "/sign-in?said=start-again");
    let page = browser.send("/sign-in/code", &[("code", &shown(&guild, &seed))]).await;
    assert_eq!(page.path, "/sign-in?said=start-again");
}

#[tokio::test]
async fn whoever_is_disabled_stays_out_and_those_who_are_in_are_out() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let set = async |disabled: bool| {
        guild
            .operate(move |work| {
                let user = users::by_email(work, "ada@example.com")?.unwrap();
                users::set_disabled(work, &user, disabled)
            })
            .await
            .unwrap();
    };
    set(true).await;
    assert_eq!(ada.open("/").await.path, "/sign-in");
    let refused = guild.browser().signs_in("ada").await;
    assert_eq!(refused.status, 422);
    assert!(refused.says("That address and password do not go together."));
    set(false).await;
    assert_eq!(ada.open("/").await.path, "/sign-in");
    assert_eq!(guild.browser().signs_in("ada").await.path, "/");
}

#[tokio::test]
async fn a_session_ends_by_itself_and_a_used_one_lives_on() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    for _ in 0..5 {
        guild.pass(10 * DAY);
        assert_eq!(ada.open("/account").await.path, "/account");
    }
    guild.pass(10 * DAY);
    assert_eq!(ada.open("/account").await.status, 200);
    assert_eq!(ada.open("/account").await.path, "/sign-in?next=%2Faccount");
    let bob = guild.signed_up("bob").await;
    guild.pass(14 * DAY + 1);
    assert_eq!(bob.open("/account").await.path, "/sign-in?next=%2Faccount");
    guildhall::sweep::sweep(&guild.app).await.unwrap();
    assert_eq!(guild.number("select count(*) from sessions").await, 0);
}

#[tokio::test]
async fn signing_out_ends_the_session_on_the_server_too() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let kept = ada.cookies.borrow().clone();
    ada.open("/").await;
    assert_eq!(ada.send("/sign-out", &[]).await.path, "/sign-in?said=signed-out");
    *ada.cookies.borrow_mut() = kept;
    assert_eq!(ada.open("/account").await.path, "/sign-in?next=%2Faccount");
}

#[tokio::test]
async fn a_hash_with_smaller_parameters_is_made_anew_on_the_way_in() {
    let guild = Guild::new().await;
    guild.signed_up("ada").await;
    let old = weak_hash();
    let stored = old.clone();
    guild
        .operate(move |work| {
            let user = users::by_email(work, "ada@example.com")?.unwrap();
            guildhall::accounts::passwords::set(work, &user.id, &stored)
        })
        .await
        .unwrap();
    assert_eq!(guild.browser().signs_in("ada").await.path, "/");
    let kept = guild.number_of("select count(*) from passwords where hash = ?", [old.into()]).await;
    assert_eq!(kept, 0);
    assert_eq!(guild.browser().signs_in("ada").await.path, "/");
}

/// A hash as an earlier version with smaller parameters would have made it.
fn weak_hash() -> String {
    use argon2::password_hash::PasswordHasher as _;
    let params = argon2::Params::new(8 * 1024, 1, 1, None).unwrap();
    let argon2 = argon2::Argon2::from(params);
    argon2.hash_password_with_salt(PASSWORD.as_bytes(), &[5; 16]).unwrap().to_string()
}

#[tokio::test]
async fn who_signs_out_at_one_node_is_signed_out_at_all_of_them() {
    let guild = Guild::new().await;
    let here = guild.signed_up("ada").await;
    let there = here.elsewhere();
    assert_eq!(there.open("/account").await.path, "/account");
    assert_eq!(here.send("/sign-out", &[]).await.path, "/sign-in?said=signed-out");
    assert_eq!(there.open("/account").await.path, "/sign-in?next=%2Faccount");
    // All of them, from one browser at one node.
    let (here, lost) = (guild.browser(), guild.browser_at(8));
    here.signs_in("ada").await;
    lost.signs_in("ada").await;
    assert_eq!(lost.elsewhere().open("/account").await.path, "/account");
    here.open("/account/security").await;
    assert_eq!(here.send("/account/security/end-all", &[]).await.path, "/sign-in?said=signed-out-everywhere");
    assert_eq!(lost.elsewhere().open("/account").await.path, "/sign-in?next=%2Faccount");
}
