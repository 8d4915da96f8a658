use crate::guild::Guild;

#[tokio::test]
async fn every_page_is_small_and_asks_nobody_else_for_anything() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    let nobody = guild.browser();
    let mut pages = Vec::new();
    for path in ["/sign-in", "/sign-up", "/reset", "/nowhere", "/invitations/x"] {
        pages.push(nobody.open(path).await);
    }
    for path in ["/", "/account", "/account/security", "/account/api", "/account/codes", "/confirm"] {
        pages.push(ada.open(path).await);
    }
    for page in pages {
        let (style, script) = (asset(&page.html, "stylesheet\" href=\""), asset(&page.html, "script src=\""));
        let mut whole = page.html.len();
        for path in [style, script] {
            let asset = ada.open(&path).await;
            assert_eq!(asset.status, 200);
            assert_eq!(asset.reply.header("cache-control"), "public, max-age=31536000, immutable");
            whole += asset.html.len();
        }
        assert!(whole < 50_000, "{}: {whole}", page.path);
        for from_elsewhere in ["src=\"http", "href=\"http", "style=\"", "<style", "onclick"] {
            assert!(!page.html.contains(from_elsewhere), "{}: {from_elsewhere}", page.path);
        }
    }
}

fn asset(html: &str, before: &str) -> String {
    html.split(before).nth(1).unwrap().split('"').next().unwrap().to_owned()
}

#[tokio::test]
async fn what_there_is_not_is_told_on_a_page() {
    let guild = Guild::new().await;
    let browser = guild.browser();
    let page = browser.open("/nowhere").await;
    assert_eq!((page.status, page.heading().as_str()), (404, "There is nothing here"));
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let reply = browser.ask(method, "/sign-in", &[]).await;
        assert_eq!((reply.status, reply.header("allow")), (405, "GET, POST"), "{method}");
    }
    let head = browser.ask("HEAD", "/sign-in", &[]).await;
    assert_eq!(head.status, 200);
}

#[tokio::test]
async fn whoever_opens_the_address_of_the_server_is_led_to_the_pages() {
    let guild = Guild::new().await;
    let request = guild.nobody().request("GET", "/").header("host", "127.0.0.1:8080");
    let reply = guild.answer(request.body(axum::body::Body::empty()).unwrap(), [127, 0, 0, 1].into()).await;
    assert_eq!((reply.status, reply.header("location")), (302, crate::browser::HOME));
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_asked_about_first() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    ada.open("/").await;
    ada.send("/organizations", &[("name", "Blue")]).await;
    for (path, back) in [
        ("/organizations/blue/remove", "/organizations/blue"),
        ("/organizations/blue/leave", "/organizations/blue"),
        ("/organizations/blue/revoke", "/organizations/blue"),
        ("/invitations/x/decline", "/invitations/x"),
        ("/account/api", "/account/api"),
        ("/account/security/remove-code", "/account/security"),
        ("/account/security/remove-passkey", "/account/security"),
        ("/account/security/forget-password", "/account/security"),
        ("/account/security/recovery-codes", "/account/security"),
    ] {
        let reply = ada.ask("POST", path, &[("membership", "AAAAAAAAAA"), ("id", "BBBBBBBBBB")]).await;
        assert_eq!(reply.status, 200, "{path}");
        let html = reply.text();
        for part in
            ["Are you sure?", "value=\"AAAAAAAAAA\"", "value=\"BBBBBBBBBB\"", "name=\"sure\" value=\"yes\""]
        {
            assert!(html.contains(part), "{path}: {part}");
        }
        assert!(html.contains(&format!("<a href=\"{back}\">No, go back</a>")), "{path}");
    }
}

#[tokio::test]
async fn another_language_leads_back_to_the_page_a_form_was_on() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    ada.open("/").await;
    ada.send("/organizations", &[("name", "Blue")]).await;
    for (path, page) in [
        ("/organizations/blue/invite", "/organizations/blue"),
        ("/organizations", "/"),
        ("/account/address", "/account"),
        ("/account/security/password", "/account/security"),
    ] {
        let html = ada.send(path, &[]).await.html;
        assert!(html.contains(&format!("name=\"next\" value=\"{page}\"")), "{path}");
    }
}

#[tokio::test]
async fn a_form_that_is_too_large_is_refused_on_a_page() {
    let guild = Guild::new().await;
    let browser = guild.browser();
    browser.open("/sign-in").await;
    let reply = browser.ask("POST", "/sign-in", &[("email", &"x".repeat(300_000))]).await;
    assert_eq!((reply.status, reply.header("content-type")), (413, "text/html; charset=utf-8"));
    assert!(reply.header("content-security-policy").contains("default-src 'none'"));
}
