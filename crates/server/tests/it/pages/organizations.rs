use crate::guild::Guild;

#[tokio::test]
async fn an_owner_makes_one_and_invites_resends_and_takes_back() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    ada.open("/").await;
    let page = ada.send("/organizations", &[("name", "The Blue Brand")]).await;
    assert_eq!(
        (page.path.as_str(), page.heading().as_str()),
        ("/organizations/the-blue-brand", "The Blue Brand")
    );
    let role = page.html.split("<option value=\"").nth(2).unwrap()[..10].to_owned();
    guild.pass(1);
    let invite = "/organizations/the-blue-brand/invite";
    let page = ada.send(invite, &[("user_email", " grace@example.com "), ("role", &role)]).await;
    assert_eq!(page.path, "/organizations/the-blue-brand?said=invited");
    assert!(page.says("grace@example.com") && page.says("invited"));
    let first = guild.link_for("grace@example.com").await;
    let id = page.html.split("name=\"membership\" value=\"").nth(1).unwrap()[..10].to_owned();
    guild.pass(1);
    let page = ada.send("/organizations/the-blue-brand/resend", &[("membership", &id)]).await;
    assert_eq!(page.path, "/organizations/the-blue-brand?said=resent");
    assert_ne!(guild.link_for("grace@example.com").await, first);
    let twice = ada.send(invite, &[("user_email", "grace@example.com"), ("role", &role)]).await;
    assert_eq!(twice.status, 422);
    assert!(twice.says("This has been invited or is a member already."));
    let page = ada.send("/organizations/the-blue-brand/revoke", &[("membership", &id)]).await;
    assert!(!page.says("grace@example.com"));
}

#[tokio::test]
async fn a_plain_member_sees_themselves_and_leaves() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let grace = guild.signed_up("grace").await;
    let id = blue.invites("grace@example.com", &blue.read_only).await;
    let page = grace.open("/organizations/blue").await;
    assert!(page.says("grace@example.com") && !page.says("ada@example.com") && !page.says("Invite somebody"));
    let owners =
        guild.number_of("select count(*) from memberships where id <> ?", [id.as_str().into()]).await;
    assert_eq!(owners, 1);
    let refused = grace
        .send("/organizations/blue/invite", &[("user_email", "x@example.com"), ("role", &blue.admin)])
        .await;
    assert_eq!(refused.status, 403);
    assert_eq!(grace.send("/organizations/blue/settings", &[("ask", "on")]).await.status, 403);
    grace.open("/organizations/blue").await;
    assert_eq!(grace.send("/organizations/blue/leave", &[("membership", &id)]).await.path, "/?said=left");
    assert_eq!(grace.open("/organizations/blue").await.status, 404);
}

#[tokio::test]
async fn another_organizations_things_are_not_there() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let id = blue.invites("bob@example.com", &blue.read_only).await;
    let grace = guild.signed_up("grace").await;
    grace.open("/").await;
    grace.send("/organizations", &[("name", "Green")]).await;
    assert_eq!(grace.open("/organizations/blue").await.status, 404);
    for deed in ["invite", "resend", "revoke", "remove", "settings", "nonsense"] {
        for slug in ["blue", "green"] {
            let fields =
                [("membership", id.as_str()), ("user_email", "x@example.com"), ("role", &blue.admin)];
            grace.open("/").await;
            let page = grace.send(&format!("/organizations/{slug}/{deed}"), &fields).await;
            let own = slug == "green" && ["invite", "settings"].contains(&deed);
            assert_eq!(page.status, if own { page.status } else { 404 }, "{slug} {deed}");
            assert_ne!(page.status, 500);
        }
    }
    assert_eq!(guild.number("select count(*) from memberships where user_email = 'x@example.com'").await, 0);
    assert_eq!(ada.get(&format!("/api/memberships/{id}")).await.status, 200);
}

#[tokio::test]
async fn an_admin_says_whether_people_with_an_account_are_asked() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    ada.open("/").await;
    ada.send("/organizations", &[("name", "Blue")]).await;
    let page = ada.send("/organizations/blue/settings", &[("ask", "on")]).await;
    assert!(page.says("They are asked first and become members when they accept."));
    let page = ada.send("/organizations/blue/settings", &[("ask", "off")]).await;
    assert!(page.says("They become members at once and get an e-mail that says so."));
}

#[tokio::test]
async fn a_nameless_one_is_refused_beside_its_field() {
    let guild = Guild::new().await;
    let ada = guild.signed_up("ada").await;
    ada.open("/").await;
    let page = ada.send("/organizations", &[("name", "  ")]).await;
    assert_eq!(page.status, 422);
    assert!(page.says("Please fill this in."), "{}", page.text());
}
