//! Every letter, whole, as it leaves.

use crate::guild::{DAY, Guild};
use guildhall::config::Config;
use guildhall::mail::transport::{Lane, Way};
use guildhall::mail::{Brand, Envelope, Letter, Message, compose};
use guildhall::mail::{outbox, worker};
use insta::assert_snapshot;
use std::path::Path;

const LINK: &str = "https://dashboard.example.com/x";
/// As long as those with a secret in them.
const LONG_LINK: &str =
    "http://dashboard.guildhall.localhost:8080/invitations/AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB4";

fn all(link: &str) -> Vec<(&'static str, Letter)> {
    let link = || link.to_owned();
    let letter = |message| Letter::to("grace@example.com", "en", message);
    let brand = Brand {
        name: "The Blue Brand".to_owned(),
        logo: Some("https://blue.example/logo.svg".to_owned()),
        color: Some("#000080".to_owned()),
        contrast: Some("#ffff00".to_owned()),
    };
    let branded = |message| Letter { brand: brand.clone(), ..letter(message) };
    let plain =
        |message| Letter { brand: Brand { name: "Green".to_owned(), ..Brand::default() }, ..letter(message) };
    let (ada, nobody) = ("Ada Lovelace".to_owned(), String::new());
    vec![
        ("invitation-by", branded(Message::Invitation { inviter: ada.clone(), link: link(), days: 30 })),
        ("invitation", plain(Message::Invitation { inviter: nobody.clone(), link: link(), days: 30 })),
        ("welcome-by", branded(Message::Welcome { inviter: ada, link: link() })),
        ("welcome", plain(Message::Welcome { inviter: nobody, link: link() })),
        ("sign-up", letter(Message::SignUp { link: link(), code: "012345".to_owned() })),
        ("already-registered", letter(Message::AlreadyRegistered { link: link() })),
        ("reset", letter(Message::Reset { link: link() })),
        ("new-address", letter(Message::NewAddress { link: link() })),
        (
            "address-changed",
            letter(Message::AddressChanged { address: "new@example.com".to_owned(), link: link() }),
        ),
        (
            "address-claimed",
            letter(Message::AddressClaimed { address: "new@example.com".to_owned(), link: link() }),
        ),
        ("changed", letter(Message::Changed { what: "password".to_owned(), link: link() })),
        ("test", letter(Message::Test { link: link() })),
    ]
}

#[test]
fn each_one_in_each_language() {
    let mut config = Config::try_out(Path::new("unused")).unwrap();
    "example.com".clone_into(&mut config.domain);
    config.mail = Some("smtp://127.0.0.1".to_owned());
    for language in guildhall::say::languages() {
        for (name, letter) in all(LINK) {
            let letter = Letter { language: language.clone(), ..letter };
            let envelope = Envelope { id: "AAAAAAAAAA", created_at: crate::guild::NOON };
            let whole = String::from_utf8(compose(&config, &envelope, &letter).unwrap().formatted()).unwrap();
            // The border between the parts is a new one each time.
            let border = whole.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
            let whole = whole.replace(&border, "BORDER").replace("\r\n", "\n");
            assert_snapshot!(format!("{language}-{name}"), whole);
        }
    }
}

#[test]
fn as_files_they_have_their_links_in_one_piece() {
    let config = Config::try_out(Path::new("unused")).unwrap();
    for language in guildhall::say::languages() {
        for (name, letter) in all(LONG_LINK) {
            let letter = Letter { language: language.clone(), ..letter };
            let envelope = Envelope { id: "AAAAAAAAAA", created_at: crate::guild::NOON };
            let whole = String::from_utf8(compose(&config, &envelope, &letter).unwrap().formatted()).unwrap();
            assert!(whole.lines().any(|line| line == letter.words().link), "{language}-{name}");
        }
    }
}

#[tokio::test]
async fn a_letter_nobody_takes_is_given_up_after_three_days() {
    let guild = Guild::with(|config| config.mail = Some("smtp://127.0.0.1:1".to_owned())).await;
    let blue = guild.user("ada").await.creates_organization("Blue").await;
    blue.invites("grace@example.com", &blue.read_only).await;
    let mut lane = Lane::new("0", Way::of(&guild.app.config).unwrap().unwrap());
    let (_going, stop) = tokio::sync::watch::channel(false);
    for (passed, waiting, refused) in [(0, 1, 0), (3 * DAY - 1, 1, 0), (1, 0, 1)] {
        guild.pass(passed);
        let done = worker::send_some(&guild.app, &mut lane, &stop).await.unwrap();
        assert!(done.trouble.unwrap().contains("onnection"), "it says why");
        let numbers = guild.app.db.read(outbox::numbers).await.unwrap();
        assert_eq!(numbers, (waiting, refused));
    }
    // Nothing of what it said is kept.
    assert_eq!(guild.number("select count(*) from letters where sealed <> ''").await, 0);
}

#[tokio::test]
async fn what_a_worker_that_died_had_taken_is_taken_again() {
    let guild = Guild::new().await;
    let blue = guild.user("ada").await.creates_organization("Blue").await;
    blue.invites("grace@example.com", &blue.read_only).await;
    let lease = async |lane: &'static str| {
        let now = guild.app.clock.now();
        guild.app.db.write(move |tx| outbox::lease(tx, lane, now, 10)).await.unwrap().len()
    };
    assert_eq!([lease("here/0").await, lease("here/1").await], [1, 0]);
    guild.pass(outbox::LEASE + 1);
    assert_eq!([lease("here/1").await, lease("here/0").await], [1, 0]);
    // A lane that was not told that it has one takes it at once.
    assert_eq!(lease("here/1").await, 1);
    // One that begins on the same folder need not wait for that.
    // Another node has no say in it.
    guild.app.db.write(|tx| outbox::free(tx, "there")).await.unwrap();
    assert_eq!(lease("here/0").await, 0);
    guild.app.db.write(|tx| outbox::free(tx, "here")).await.unwrap();
    assert_eq!(lease("here/0").await, 1);
}
