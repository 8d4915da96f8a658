use super::sign_in::{sets_up_codes, shown};
use crate::browser::PASSWORD;
use crate::guild::{Guild, SECOND};

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let phone = guild.browser();
    phone.signs_in("ada").await;
    ada.open("/account/security").await;
    let weak = ada.send("/account/security/password", &[("password", "Example2026")]).await;
    assert_eq!(weak.status, 422);
    let page = ada.send("/account/security/password", &[("password", "velvet-anchor-thistle")]).await;
    assert_eq!(page.path, "/account/security?said=password-changed");
    assert_eq!(phone.open("/").await.path, "/sign-in");
    assert_eq!(ada.open("/account").await.path, "/account");
    assert_eq!(guild.browser().signs_in("ada").await.status, 422);
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let phone = guild.browser_at(9);
    phone.signs_in("ada").await;
    let page = ada.open("/account/security").await;
    assert!(
        page.says("this one") && page.says("198.51.100.9 · password") && page.says("198.51.100.7 · e-mail")
    );
    let id = page.html.split("name=\"id\" value=\"").nth(1).unwrap()[..10].to_owned();
    let page = ada.send("/account/security/end-session", &[("id", &id)]).await;
    assert_eq!(page.path, "/account/security?said=session-ended");
    assert_eq!(phone.open("/").await.path, "/sign-in");
    // Somebody else's is not theirs to end.
    let bob = guild.signed_up("bob").await;
    bob.open("/account/security").await;
    let own: String = {
        let page = ada.open("/account/security").await;
        assert!(!page.html.contains("name=\"id\""));
        guild
            .app
            .db
            .read(|tx| -> Result<_, guildhall_store::Error> {
                let sql = "select s.id from sessions s join users u on u.id = s.user_id where u.email_key = 'ada@example.com'";
                Ok(tx.rows(&guildhall_store::Sql::text(sql))?.first().unwrap().text(0).to_owned())
            })
            .await
            .unwrap()
    };
    bob.send("/account/security/end-session", &[("id", &own)]).await;
    assert_eq!(ada.open("/account").await.path, "/account");
}

#[tokio::test]
async fn signing_out_everywhere_means_everywhere() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let phone = guild.browser();
    phone.signs_in("ada").await;
    ada.open("/account/security").await;
    let page = ada.send("/account/security/end-all", &[]).await;
    assert_eq!(page.path, "/sign-in?said=signed-out-everywhere");
    assert_eq!([ada.open("/").await.path, phone.open("/").await.path], ["/sign-in", "/sign-in"]);
}

#[tokio::test]
async fn what_is_sensitive_wants_to_know_who_it_is_once_more() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (_, codes) = sets_up_codes(&ada).await;
    guild.pass(10 * 60 * SECOND);
    ada.open("/account/security").await;
    for deed in [
        "password",
        "forget-password",
        "recovery-codes",
        "remove-code",
        "add-passkey",
        "remove-passkey",
        "begin-code",
        "confirm-code",
    ] {
        let page =
            ada.send(&format!("/account/security/{deed}"), &[("password", "velvet-anchor-thistle")]).await;
        assert_eq!(page.path, "/confirm?next=/account/security", "{deed}");
    }
    assert_eq!(ada.ask("POST", "/passkey/options", &[("kind", "create")]).await.status, 403);
    let wrong = ada.send("/confirm", &[("password", "wrong"), ("next", "/account/security")]).await;
    assert_eq!(wrong.status, 422);
    let before = ada.cookies.borrow()["session"].clone();
    let fields = [("password", PASSWORD), ("code", codes[0].as_str()), ("next", "/account/security")];
    let page = ada.send("/confirm", &fields).await;
    assert_eq!(page.path, "/account/security");
    assert_ne!(ada.cookies.borrow()["session"], before);
    let page = ada.send("/account/security/recovery-codes", &[]).await;
    assert_eq!(page.heading(), "Your recovery codes");
}

#[tokio::test]
async fn one_time_codes_are_on_only_once_the_device_has_shown_one() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let page = ada.open("/account/codes").await;
    assert!(page.html.contains("<svg"));
    let wrong = ada.send("/account/security/confirm-code", &[("code", "000000")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.says("That code is not right, or no longer."));
    assert_eq!(guild.browser().signs_in("ada").await.path, "/");
    let (seed, _) = sets_up_codes(&ada).await;
    assert_eq!(guild.browser().signs_in("ada").await.path, "/sign-in/code");
    // The seed is sealed, and no page shows it again.
    let stored = guild.number_of(
        "select count(*) from otp_seeds where sealed like '%' || ? || '%'",
        [seed.as_str().into()],
    );
    assert_eq!(stored.await, 0);
    assert_eq!(ada.open("/account/codes").await.path, "/account/security");
    let page = ada.send("/account/security/remove-code", &[]).await;
    assert_eq!(page.path, "/account/security?said=code-off");
    assert_eq!(guild.browser().signs_in("ada").await.path, "/");
    assert_eq!(guild.number("select count(*) from recovery_codes").await, 0);
}

#[tokio::test]
async fn new_recovery_codes_end_the_old_ones() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (_, old) = sets_up_codes(&ada).await;
    ada.open("/account/security").await;
    ada.send("/account/security/recovery-codes", &[]).await;
    let browser = guild.browser();
    browser.signs_in("ada").await;
    assert_eq!(browser.send("/sign-in/code", &[("code", &old[0])]).await.status, 422);
}

#[tokio::test]
async fn the_operator_helps_whoever_lost_the_second_factor() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let (seed, _) = sets_up_codes(&ada).await;
    guild
        .operate(|work| {
            let user = guildhall::resources::users::by_email(work, "ada@example.com")?.unwrap();
            guildhall::accounts::reset_second_factor(work, &user)
        })
        .await
        .unwrap();
    assert_eq!(ada.open("/").await.path, "/sign-in");
    assert_eq!(guild.browser().signs_in("ada").await.path, "/");
    assert_eq!(guild.number("select count(*) from users where otp_required_for_login").await, 0);
    assert!(guild.letter_to("ada@example.com").await.contains("has removed the one-time codes and passkeys"));
    drop(shown(&guild, &seed));
}

#[tokio::test]
async fn the_last_way_in_stays() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    ada.open("/account/security").await;
    let page = ada.send("/account/security/forget-password", &[]).await;
    assert_eq!(page.path, "/account/security?said=no-way-in");
    assert_eq!(guild.browser().signs_in("ada").await.path, "/");
}
