//! Whatever happens to an invitation in whatever order: one membership at most, no member who should not be
//! one, no dead link that opens anything.

use crate::browser::Browser;
use crate::guild::{DAY, Guild, Organization};
use guildhall::invitations::{self, Newcomer, State};
use guildhall::resources::{memberships, users};
use guildhall_jsonapi::Record;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const EMAIL: &str = "grace@example.com";

/// What can happen.
#[derive(Clone, Debug)]
enum Step {
    Invite,
    Resend,
    Revoke,
    Expire,
    /// With one of the links there ever were.
    Join(usize),
    Accept(usize),
    Decline(usize),
    Renew(usize),
    SignUp,
    AskFirst(bool),
    DeleteUser,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Invite),
        2 => Just(Step::Resend),
        2 => Just(Step::Revoke),
        1 => Just(Step::Expire),
        3 => (0..4_usize).prop_map(Step::Join),
        3 => (0..4_usize).prop_map(Step::Accept),
        1 => (0..4_usize).prop_map(Step::Decline),
        2 => (0..4_usize).prop_map(Step::Renew),
        2 => Just(Step::SignUp),
        1 => any::<bool>().prop_map(Step::AskFirst),
        1 => Just(Step::DeleteUser),
    ];
    prop::collection::vec(step, 1..14)
}

/// What must be true, told from what happened.
#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Model {
    /// Whether there is an account, and a membership, and whether that is active.
    account: bool,
    place: Option<bool>,
    /// Whether the account was asked.
    asked: bool,
    asks: bool,
    /// The one link that works, among all there were; it may have expired.
    open: Option<usize>,
    expired: bool,
}

#[test]
fn no_sequence_of_events_breaks_an_invitation() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut runner = TestRunner::new(Config { cases: 48, failure_persistence: None, ..Config::default() });
    runner
        .run(&steps(), |steps| {
            runtime.block_on(play(&steps));
            Ok(())
        })
        .unwrap();
}

async fn play(steps: &[Step]) {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let blue = ada.creates_organization("Blue").await;
    let mut model = Model::default();
    let mut links: Vec<String> = Vec::new();
    for step in steps {
        // Letters are told apart by when they were queued, and tokens end: everybody gets a new one.
        guild.pass(1000);
        let ada = guild.with_new_token("ada@example.com").await;
        let blue = Organization {
            owner: ada,
            id: blue.id.clone(),
            admin: blue.admin.clone(),
            read_only: blue.read_only.clone(),
        };
        happen(&guild, &blue, &mut model, &mut links, step).await;
        check(&guild, &model, &links, steps).await;
    }
}

async fn happen(
    guild: &Guild,
    blue: &Organization<'_>,
    model: &mut Model,
    links: &mut Vec<String>,
    step: &Step,
) {
    let before = letters_with_links(guild).await.len();
    match step {
        Step::Invite => {
            let made = blue.owner.post("/api/memberships", blue.invitation(EMAIL, &blue.read_only)).await;
            assert_eq!(made.status, if model.place.is_some() { 422 } else { 201 });
            if model.place.is_none() {
                model.asked = model.account && model.asks;
                model.place = Some(model.account && !model.asks);
                model.expired = false;
            }
        }
        Step::Resend => {
            if let Some(id) = place(guild).await {
                let sent = blue.owner.send("POST", &format!("/api/memberships/{id}/resend"), "").await;
                assert_eq!(sent.status, if model.place == Some(false) { 202 } else { 422 });
                model.expired &= model.place != Some(false);
            }
        }
        Step::Revoke => {
            if let Some(id) = place(guild).await {
                assert_eq!(blue.owner.delete(&format!("/api/memberships/{id}")).await.status, 204);
            }
            model.place = None;
            model.open = None;
        }
        Step::Expire => {
            guild.pass(31 * DAY);
            model.expired = true;
        }
        Step::Join(index) => {
            let works = model.open == Some(*index) && !model.expired && !model.account;
            assert_eq!(join(guild, links.get(*index)).await, works);
            if works {
                model.account = true;
                model.place = Some(true);
                model.open = None;
            }
        }
        Step::Accept(index) => {
            let works = model.open == Some(*index) && !model.expired && model.account;
            assert_eq!(accept(guild, links.get(*index)).await, works);
            if works {
                model.place = Some(true);
                model.open = None;
            }
        }
        Step::Decline(index) => {
            let works = model.open == Some(*index) && !model.expired;
            assert_eq!(decline(guild, links.get(*index)).await, works);
            if works {
                model.place = None;
                model.open = None;
            }
        }
        Step::Renew(index) => {
            let waits = model.place == Some(false) && links.get(*index).is_some();
            let old = model.open != Some(*index) || model.expired;
            let done = renew(guild, links.get(*index)).await;
            // A link of an earlier invitation, which was revoked or declined, is nobody's to renew.
            assert!(!done || waits && old, "{model:?}");
            model.expired &= !done;
        }
        Step::SignUp => {
            if !model.account {
                sign_up(guild).await;
                model.account = true;
                if model.place == Some(false) && !model.asked {
                    model.place = Some(true);
                    model.open = None;
                }
            }
        }
        Step::AskFirst(asks) => {
            let asks = *asks;
            guild
                .operate(move |work| {
                    let blue = guildhall::resources::organizations::by_slug(work, "blue")?.unwrap();
                    guildhall::resources::organizations::ask_existing_users(work, &blue, asks)
                })
                .await
                .unwrap();
            model.asks = asks;
        }
        Step::DeleteUser => {
            if model.account {
                guild
                    .operate(|work| {
                        let user = users::by_email(work, EMAIL)?.unwrap();
                        users::erase(work, &user)
                    })
                    .await
                    .unwrap();
                model.account = false;
                // Whoever was asked is gone; the next one with the address signs up because of the invitation.
                model.asked = false;
                if model.place == Some(true) {
                    model.place = None;
                }
            }
        }
    }
    let after = letters_with_links(guild).await;
    for link in &after[before..] {
        links.push(link.clone());
        model.open = Some(links.len() - 1);
    }
}

async fn check(guild: &Guild, model: &Model, links: &[String], steps: &[Step]) {
    let places = guild.number("select count(*) from memberships where not owner").await;
    assert_eq!(places, i64::from(model.place.is_some()), "{steps:?} {model:?}");
    let active = guild.number("select count(*) from memberships where not owner and status = 'active'").await;
    assert_eq!(active, i64::from(model.place == Some(true)), "{steps:?} {model:?}");
    let lost = "select count(*) from memberships where (status = 'active') <> (user_id is not null)";
    assert_eq!(guild.number(lost).await, 0, "{steps:?}");
    let usable = model.open.filter(|_| !model.expired);
    for (index, link) in links.iter().enumerate() {
        let status = guild.browser().open(link).await.status;
        assert_eq!(status == 200, usable == Some(index), "{steps:?} link {index} {model:?}");
    }
}

async fn place(guild: &Guild) -> Option<String> {
    let found = guild
        .operate(|work| Record::find(work.tx, memberships::MEMBERSHIPS.spec, "user_email_key", EMAIL))
        .await
        .unwrap();
    found.first().map(|record| record.id.clone())
}

async fn letters_with_links(guild: &Guild) -> Vec<String> {
    let letters = guild.letters().await;
    let link = |letter: &String| {
        let letter = letter.replace("=\r\n", "");
        let token = letter.split("/invitations/").nth(1)?.get(..43)?.to_owned();
        Some(format!("/invitations/{token}"))
    };
    letters.iter().filter_map(link).collect()
}

fn token(link: Option<&String>) -> String {
    link.map_or_else(String::new, |link| link.trim_start_matches("/invitations/").to_owned())
}

/// Past the page, which shows no form that does not fit: the rule itself must refuse.
async fn join(guild: &Guild, link: Option<&String>) -> bool {
    let (token, browser) = (token(link), guild.browser());
    let newcomer = Newcomer {
        user: guild.app.chance.id(guild.app.clock.now()),
        first_name: "Grace".to_owned(),
        last_name: "Hopper".to_owned(),
        password_hash: "none".to_owned(),
        language: "en".to_owned(),
    };
    let at = guildhall::accounts::sessions::Browser { address: browser.address, agent: String::new() };
    guild.operate(move |work| invitations::join(work, &token, &newcomer, &at)).await.unwrap().is_some()
}

async fn accept(guild: &Guild, link: Option<&String>) -> bool {
    let token = token(link);
    guild
        .operate(move |work| match users::by_email(work, EMAIL)? {
            Some(user) => invitations::accept(work, &token, &user.id),
            None => Ok(false),
        })
        .await
        .unwrap()
}

async fn decline(guild: &Guild, link: Option<&String>) -> bool {
    let token = token(link);
    guild.operate(move |work| invitations::decline(work, &token)).await.unwrap()
}

async fn renew(guild: &Guild, link: Option<&String>) -> bool {
    let token = token(link);
    guild.operate(move |work| invitations::renew(work, &token)).await.unwrap()
}

async fn sign_up(guild: &Guild) {
    let browser: Browser<'_> = guild.browser();
    browser.asks_to_sign_up("grace").await;
    let code = guild.code_for(EMAIL).await;
    browser.send("/sign-up/check", &[("code", &code)]).await;
    assert_eq!(guild.number("select count(*) from users where email_key = 'grace@example.com'").await, 1);
}

#[test]
fn the_states_have_the_names_of_their_pages() {
    for state in [State::Expired, State::Accepted, State::Declined, State::Revoked, State::Renewed] {
        let name = format!("invitation-{}", state.name());
        assert_ne!(guildhall::say::Say::in_language("en").of(&name), name);
    }
}
