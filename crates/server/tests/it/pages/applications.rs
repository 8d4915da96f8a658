//! `/account/applications`.

use crate::guild::Guild;
use crate::webapp::{Webapp, invalid_grant, refusal};

#[tokio::test]
async fn one_sees_what_one_let_applications_do_and_takes_it_back() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    assert!(ada.open("/account/applications").await.says("There are none."));
    let tokens = shop.is_let_in_for(&ada, "openid market:all").await;
    let page = ada.open("/account/applications").await;
    insta::assert_snapshot!(page.text(), @"
    Applications
    What you let applications do
    These applications may act for you in an organization, as long as you are a member there.
    Shop
    Test
    Blue
    know that it is you
    do everything in Blue that you may do there
    Since
    2026-01-01 12:00 UTC
    Last agreed to
    2026-01-01 12:00 UTC
    Take back
    Command lines
    Programs that are let in as you, on whichever computer.
    There are none.
    ");
    // What is not theirs stays.
    let bob = guild.signed_up("bob").await;
    bob.open("/account/applications").await;
    bob.send("/account/applications/withdraw", &[("id", &shop.id)]).await;
    assert!(shop.is_open_to(&tokens.access).await);
    ada.open("/account/applications").await;
    let page = ada.send("/account/applications/withdraw", &[("id", &shop.id)]).await;
    assert_eq!(page.path, "/account/applications?said=withdrawn");
    assert!(!shop.is_open_to(&tokens.access).await);
    assert_eq!(refusal(&shop.refreshes(&tokens.refresh).await), invalid_grant());
    assert_eq!(ada.open(&shop.asks(&[])).await.heading(), "Shop wants to act for you");
    assert_eq!(ada.send("/account/applications/other", &[]).await.status, 404);
}

#[tokio::test]
async fn a_code_that_waits_ends_with_the_yes() {
    let guild = Guild::new().await;
    let (shop, ada) = Webapp::new(&guild).await;
    let code = shop.code(&ada, &[]).await;
    ada.open("/account/applications").await;
    ada.send("/account/applications/withdraw", &[("id", &shop.id)]).await;
    assert_eq!(refusal(&shop.redeems(&code).await), invalid_grant());
}
