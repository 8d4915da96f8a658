use crate::guild::Guild;
use serde_json::json;

#[tokio::test]
async fn a_new_secret_is_shown_once_and_opens_the_api() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let page = ada.open("/account/api").await;
    let text = page.text();
    let shown =
        |label: &str, text: &str| text.lines().skip_while(|line| *line != label).nth(1).unwrap().to_owned();
    let client_id = shown("Client id", &text);
    assert!(text.contains(&format!("client_id={client_id}")) && text.contains("client_secret=…"), "{text}");
    let rotated = ada.send("/account/api", &[]).await;
    let secret = shown("Client secret", &rotated.text());
    assert!(rotated.says(&format!("clientSecret: '{secret}'")));
    assert_eq!(rotated.reply.header("cache-control"), "no-store");
    let granted = guild
        .nobody()
        .post(
            "/oauth/token",
            json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": secret }),
        )
        .await;
    assert_eq!(granted.status, 200);
    let token = granted.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(guild.bearer(&token).get("/api/user").await.attribute("email"), "ada@example.com");
    assert!(!ada.open("/account/api").await.html.contains(&secret));
    let stored = guild
        .number_of("select count(*) from user_applications where secret_hash = ?", [secret.as_str().into()])
        .await;
    assert_eq!(stored, 0);
    // A second one ends the first with its tokens.
    guild.pass(1000);
    ada.open("/account/api").await;
    ada.send("/account/api", &[]).await;
    assert_eq!(guild.bearer(&token).get("/api/user").await.status, 401);
}

#[tokio::test]
async fn it_takes_somebody_who_has_just_shown_who_they_are() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    guild.pass(10 * 60 * 1000);
    ada.open("/account/api").await;
    let page = ada.send("/account/api", &[]).await;
    assert_eq!(page.path, "/confirm?next=/account/api");
    let fields = [("password", crate::browser::PASSWORD), ("next", "/account/api")];
    assert_eq!(ada.send("/confirm", &fields).await.path, "/account/api");
    assert!(ada.send("/account/api", &[]).await.says("Client secret"));
}
