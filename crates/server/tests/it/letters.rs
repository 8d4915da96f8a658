//! Every letter, whole, as it leaves.

use guildhall::config::Config;
use guildhall::mail::{Brand, Envelope, Letter, Message, compose};
use insta::assert_snapshot;
use std::path::Path;

fn all() -> Vec<(&'static str, Letter)> {
    let link = || "https://dashboard.example.com/x".to_owned();
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
    for language in guildhall::say::languages() {
        for (name, letter) in all() {
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
