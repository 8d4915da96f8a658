use crate::browser::PASSWORD;
use crate::guild::{DAY, Guild, Organization, Person, at_once, link};
use guildhall::config::{SignUp, Switch};
use serde_json::json;

const JOIN: [(&str, &str); 2] = [("name", "Grace Hopper"), ("password", PASSWORD)];

async fn invited<'g>(guild: &'g Guild, ada: &Person<'g>) -> (Organization<'g>, String, String) {
    let blue = ada.creates_organization("Blue").await;
    let id = blue.invites("grace@example.com", &blue.read_only).await;
    let link = guild.link_for("grace@example.com").await;
    (blue, id, link)
}

async fn status(ada: &Person<'_>, id: &str) -> String {
    let reply = ada.get(&format!("/api/memberships/{id}")).await;
    if reply.status == 404 {
        "gone".to_owned()
    } else {
        reply.attribute("status").as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_new_person_becomes_a_member_on_one_page_with_two_fields() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (_, id, link) = invited(&guild, &ada).await;
    let browser = guild.browser();
    let page = browser.open(&link).await;
    assert_eq!(
        (page.heading().as_str(), page.fields()),
        ("Join Blue", vec!["name".to_owned(), "password".to_owned()])
    );
    assert!(page.says("Ada Example invites you to become a member of Blue with the role Read-only."));
    let page = browser.send(&format!("{link}/join"), &JOIN).await;
    assert_eq!(page.path, "/?said=joined");
    assert!(page.says("Blue"), "{}", page.text());
    let member = ada.get(&format!("/api/memberships/{id}")).await;
    let shown = ["status", "user_first_name", "user_last_name"].map(|name| member.attribute(name));
    assert_eq!(shown, ["active", "Grace", "Hopper"]);
    assert_eq!(guild.browser().signs_in("grace").await.path, "/");
}

#[tokio::test]
async fn somebody_with_an_account_signs_in_and_is_there() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    guild.signed_up("grace").await;
    asks_first(&guild, "blue").await;
    let id = blue.invites("grace@example.com", &blue.read_only).await;
    assert_eq!(status(&ada, &id).await, "pending");
    let link = guild.link_for("grace@example.com").await;
    let browser = guild.browser();
    let page = browser.open(&link).await;
    assert!(page.says("You have an account. Sign in, and you are a member."), "{}", page.text());
    let token = link.rsplit('/').next().unwrap();
    let with = |password| {
        [
            ("email", "grace@example.com"),
            ("password", password),
            ("invitation", token),
            ("next", "/?said=joined"),
        ]
    };
    let wrong = browser.send("/sign-in", &with("something-else")).await;
    assert_eq!((wrong.status, wrong.heading().as_str()), (422, "Join Blue"));
    let page = browser.send("/sign-in", &with(PASSWORD)).await;
    assert_eq!(page.path, "/?said=joined");
    assert!(page.says("Blue"), "{}", page.text());
    assert_eq!(status(&ada, &id).await, "active");
}

#[tokio::test]
async fn a_second_factor_on_the_way_does_not_lose_the_invitation() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let grace = guild.signed_up("grace").await;
    let (_, codes) = super::sign_in::sets_up_codes(&grace).await;
    asks_first(&guild, "blue").await;
    guild.pass(1);
    let id = blue.invites("grace@example.com", &blue.read_only).await;
    let link = guild.link_for("grace@example.com").await;
    let browser = guild.browser();
    browser.open(&link).await;
    let token = link.rsplit('/').next().unwrap();
    let fields = [("email", "grace@example.com"), ("password", PASSWORD), ("invitation", token)];
    assert_eq!(browser.send("/sign-in", &fields).await.path, "/sign-in/code");
    assert_eq!(status(&ada, &id).await, "pending");
    browser.send("/sign-in/code", &[("code", &codes[0])]).await;
    assert_eq!(status(&ada, &id).await, "active");
}

#[tokio::test]
async fn whoever_is_signed_in_with_the_address_presses_one_button() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let grace = guild.signed_up("grace").await;
    asks_first(&guild, "blue").await;
    guild.pass(1);
    let id = blue.invites("grace@example.com", &blue.read_only).await;
    let link = guild.link_for("grace@example.com").await;
    assert!(grace.open(&link).await.says("You are signed in as grace@example.com."));
    assert_eq!(grace.send(&format!("{link}/accept"), &[]).await.path, "/?said=joined");
    assert_eq!(status(&ada, &id).await, "active");
}

#[tokio::test]
async fn whoever_is_signed_in_with_another_address_is_told_and_can_switch() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (_, id, link) = invited(&guild, &ada).await;
    let bob = guild.signed_up("bob").await;
    let page = bob.open(&link).await;
    assert!(page.says("The invitation is for grace@example.com, and you are signed in as bob@example.com."));
    assert!(!page.html.contains(&format!("{link}/join")) && !page.html.contains(&format!("{link}/accept")));
    for deed in ["join", "accept"] {
        bob.open(&link).await;
        bob.send(&format!("{link}/{deed}"), &JOIN).await;
        assert_eq!(status(&ada, &id).await, "pending", "{deed}");
    }
    bob.open(&link).await;
    let page = bob.send("/sign-out", &[("next", &link)]).await;
    assert_eq!((page.path.as_str(), page.fields().len()), (link.as_str(), 2));
    bob.send(&format!("{link}/join"), &JOIN).await;
    assert_eq!(status(&ada, &id).await, "active");
}

#[tokio::test]
async fn opening_a_link_never_uses_it_up() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (_, id, link) = invited(&guild, &ada).await;
    for method in ["HEAD", "GET", "HEAD", "GET", "OPTIONS"] {
        guild.browser().ask(method, &link, &[]).await;
    }
    for path in ["accept", "join", "decline", "renew"] {
        // Neither does a scanner that follows what it finds.
        guild.browser().ask("GET", &format!("{link}/{path}"), &[]).await;
        guild.browser().ask("POST", &format!("{link}/{path}"), &JOIN).await;
    }
    assert_eq!(status(&ada, &id).await, "pending");
    let browser = guild.browser();
    browser.open(&link).await;
    assert_eq!(browser.send(&format!("{link}/join"), &JOIN).await.path, "/?said=joined");
}

#[tokio::test]
async fn a_button_press_uses_it_once_however_many_press_at_once() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (_, id, link) = invited(&guild, &ada).await;
    let mut browsers = Vec::new();
    for last in 0..8 {
        let browser = guild.browser_at(last);
        browser.open(&link).await;
        browsers.push(browser);
    }
    let path = format!("{link}/join");
    let replies = at_once(browsers.iter().map(|browser| browser.ask("POST", &path, &JOIN))).await;
    let joined = replies.iter().filter(|reply| reply.header("location") == "/?said=joined").count();
    assert_eq!(joined, 1);
    assert!(replies.iter().all(|reply| [303, 410].contains(&reply.status)), "{replies:?}");
    assert_eq!(status(&ada, &id).await, "active");
    assert_eq!(guild.number("select count(*) from users where email_key = 'grace@example.com'").await, 1);
}

#[tokio::test]
async fn an_expired_link_leads_to_a_fresh_one() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (_, id, link) = invited(&guild, &ada).await;
    guild.pass(30 * DAY);
    let browser = guild.browser();
    let page = browser.open(&link).await;
    assert_eq!((page.status, page.heading().as_str()), (410, "This invitation has expired"));
    assert!(page.says("Send a new link to grace@example.com"));
    browser.send(&format!("{link}/join"), &JOIN).await;
    let ada = guild.with_new_token("ada@example.com").await;
    assert_eq!(status(&ada, &id).await, "pending");
    browser.open(&link).await;
    let page = browser.send(&format!("{link}/renew"), &[]).await;
    assert_eq!(page.heading(), "A new e-mail is on its way");
    let letter = guild.letter_to("grace@example.com").await;
    assert!(letter.contains("“Ada Example” invites you"), "{letter}");
    let fresh = guild.link_for("grace@example.com").await;
    assert_ne!(fresh, link);
    assert_eq!(browser.open(&link).await.heading(), "There is a newer e-mail");
    browser.open(&fresh).await;
    assert_eq!(browser.send(&format!("{fresh}/join"), &JOIN).await.path, "/?said=joined");
}

#[tokio::test]
async fn how_long_it_lives_is_the_operators_to_say() {
    let guild = Guild::with(|config| config.invitation_days = 2).await;
    let ada = guild.user("ada").await;
    let (_, _, link) = invited(&guild, &ada).await;
    guild.pass(2 * DAY - 1);
    assert_eq!(guild.browser().open(&link).await.status, 200);
    guild.pass(1);
    assert_eq!(guild.browser().open(&link).await.status, 410);
}

#[tokio::test]
async fn every_ending_has_its_page() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let browser = guild.browser();
    let invite = async |name: &str| {
        let email = format!("{name}@example.com");
        let id = blue.invites(&email, &blue.read_only).await;
        (id, guild.link_for(&email).await)
    };
    let heading = async |link: &str| {
        let page = guild.browser().open(link).await;
        assert_eq!(page.status, 410);
        page.heading()
    };
    let (_, declined) = invite("declined").await;
    browser.open(&declined).await;
    let page = browser.send(&format!("{declined}/decline"), &[]).await;
    assert_eq!(page.heading(), "This invitation was declined");
    assert_eq!(guild.number("select count(*) from memberships where not owner").await, 0);

    let (id, revoked) = invite("revoked").await;
    ada.delete(&format!("/api/memberships/{id}")).await;
    assert_eq!(heading(&revoked).await, "This invitation was taken back");

    let (_, used) = invite("used").await;
    browser.open(&used).await;
    browser.send(&format!("{used}/join"), &JOIN).await;
    assert_eq!(heading(&used).await, "This invitation was accepted");

    let (id, renewed) = invite("renewed").await;
    guild.pass(1);
    ada.send("POST", &format!("/api/memberships/{id}/resend"), "").await;
    assert_eq!(heading(&renewed).await, "There is a newer e-mail");

    for unknown in ["/invitations/x".to_owned(), format!("/invitations/{}", "A".repeat(43))] {
        let page = guild.browser().open(&unknown).await;
        assert_eq!((page.status, page.heading().as_str()), (404, "We do not know this invitation"));
    }
}

#[tokio::test]
async fn what_was_chosen_at_invitation_is_there_on_arrival() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let role = blue.custom_role("Care").await;
    let credential =
        blue.makes("api_credentials", json!({ "name": "Orders", "kind": "orders" }), json!({})).await;
    let profile = blue
        .makes("membership_profiles", json!({ "name": "Team", "access_scope": "live_access" }), json!({}))
        .await;
    let access = json!({ "api_credential": link("api_credentials", &credential), "role": link("roles", &blue.read_only) });
    let access = blue.makes("application_memberships", json!({}), access).await;
    let mut document = blue.invitation("grace@example.com", &role);
    let relationships = &mut document["data"]["relationships"];
    relationships["membership_profile"] = link("membership_profiles", &profile);
    relationships["application_memberships"] =
        json!({ "data": [{ "type": "application_memberships", "id": access }] });
    let made = ada.post("/api/memberships", document).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let path = guild.link_for("grace@example.com").await;
    let browser = guild.browser();
    assert!(browser.open(&path).await.says("with the role Care"));
    browser.send(&format!("{path}/join"), &JOIN).await;
    let include = "include=role,membership_profile,application_memberships";
    let member = ada.get(&format!("/api/memberships/{}?{include}", made.id())).await.json();
    assert_eq!(member["data"]["attributes"]["status"], "active");
    let included = member["included"].as_array().unwrap();
    let mut ids: Vec<&str> = included.iter().map(|one| one["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let mut expected = [role.as_str(), &profile, &access];
    expected.sort_unstable();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn an_organization_can_be_set_to_ask_people_who_have_an_account() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    guild.signed_up("grace").await;
    asks_first(&guild, "blue").await;
    let id = blue.invites("grace@example.com", &blue.read_only).await;
    assert_eq!(status(&ada, &id).await, "pending");
    // Proving the address again, by a reset or another invitation, is no yes to this one.
    let green = ada.creates_organization("Green").await;
    guild.pass(1);
    green.invites("grace@example.com", &green.read_only).await;
    assert_eq!(status(&ada, &id).await, "pending");
    let browser = guild.browser();
    browser.signs_in("grace").await;
    assert_eq!(status(&ada, &id).await, "pending");
}

#[tokio::test]
async fn where_accounts_are_by_invitation_an_invitation_makes_one_and_where_they_are_closed_it_does_not() {
    for (sign_up, path) in [(SignUp::Invited, "/?said=joined"), (SignUp::Closed, "")] {
        let guild = Guild::with(|config| config.sign_up = sign_up).await;
        let ada = guild.user("ada").await;
        let (_, id, link) = invited(&guild, &ada).await;
        let browser = guild.browser();
        browser.open(&link).await;
        let page = browser.send(&format!("{link}/join"), &JOIN).await;
        if path.is_empty() {
            assert!(page.says("Only whoever runs this server makes accounts."), "{}", page.text());
            assert_eq!(status(&ada, &id).await, "pending");
        } else {
            assert_eq!(page.path, path);
        }
    }
}

#[tokio::test]
async fn an_address_is_not_flooded_nor_does_an_inviter_flood() {
    let guild = Guild::with(|config| {
        config.rate_limits = Switch::On;
        config.limits.writes_in_ten_seconds = 1000;
        config.limits.invitations_a_day_to_an_address = 3;
        config.limits.invitations_a_day_of_an_inviter = 5;
    })
    .await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let id = blue.invites("grace@example.com", &blue.read_only).await;
    let resend = async || ada.send("POST", &format!("/api/memberships/{id}/resend"), "").await;
    assert_eq!([resend().await.status, resend().await.status], [202, 202]);
    let refused = resend().await;
    assert_eq!(
        refused.problems(),
        [
            "429 TOO_MANY_REQUESTS: Today this address was invited 3 times, which is all that is allowed: try again tomorrow."
        ]
    );
    assert_eq!(refused.header("retry-after"), "43201");
    for name in ["a", "b"] {
        blue.invites(&format!("{name}@example.com"), &blue.read_only).await;
    }
    let refused = ada.post("/api/memberships", blue.invitation("c@example.com", &blue.read_only)).await;
    assert_eq!(
        refused.problems(),
        [
            "429 TOO_MANY_REQUESTS: Today you sent invitations 5 times, which is all that is allowed: try again tomorrow."
        ]
    );
    // What was refused left nothing, and tomorrow is another day.
    assert_eq!(guild.number("select count(*) from memberships where user_email = 'c@example.com'").await, 0);
    guild.pass(DAY);
    let ada = guild.with_new_token("ada@example.com").await;
    let made = ada.post("/api/memberships", blue.invitation("c@example.com", &blue.read_only)).await;
    assert_eq!(made.status, 201);
}

#[tokio::test]
async fn a_weak_password_is_told_on_the_same_page() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (_, id, link) = invited(&guild, &ada).await;
    let browser = guild.browser();
    browser.open(&link).await;
    let page = browser.send(&format!("{link}/join"), &[("name", ""), ("password", "grace123")]).await;
    assert_eq!((page.status, page.heading().as_str()), (422, "Join Blue"));
    assert!(page.says("Please fill this in.") && page.says("This is easy to guess."), "{}", page.text());
    assert_eq!(status(&ada, &id).await, "pending");
}

/// Sets an organization to ask people who have an account.
async fn asks_first(guild: &Guild, slug: &'static str) {
    guild
        .operate(move |work| {
            let organization = guildhall::resources::organizations::by_slug(work, slug)?.unwrap();
            guildhall::resources::organizations::ask_existing_users(work, &organization, true)
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn signing_in_with_another_account_on_the_way_leads_back_to_the_invitation() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let (_, id, link) = invited(&guild, &ada).await;
    guild.signed_up("bob").await;
    let browser = guild.browser();
    browser.open(&link).await;
    let token = link.rsplit('/').next().unwrap();
    let fields = [("email", "bob@example.com"), ("password", PASSWORD), ("invitation", token)];
    let page = browser.send("/sign-in", &fields).await;
    assert_eq!(page.path, link);
    assert!(page.says("you are signed in as bob@example.com"));
    assert_eq!(status(&ada, &id).await, "pending");
}
