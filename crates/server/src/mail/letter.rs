//! What a letter says, in the language of whoever gets it.

use super::{Brand, clean};
use crate::say::Say;
use serde::{Deserialize, Serialize};

/// A letter.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Letter {
    /// The address.
    pub to: String,
    /// The tag of the language.
    pub language: String,
    /// The membership it is about.
    pub membership: Option<String>,
    /// In whose name it is written.
    pub brand: Brand,
    /// What it says.
    pub message: Message,
    /// Whether it is to leave. One that is not is as much work to queue, and is thrown away by the worker.
    pub meant: bool,
}

/// What a letter says.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "message", rename_all = "snake_case")]
pub enum Message {
    /// To somebody who is not a member yet: become one.
    Invitation {
        /// Who invites; empty when the operator does.
        inviter: String,
        /// The link that leads there.
        link: String,
        /// How many days the link lives.
        days: i64,
    },
    /// To somebody with an account: you are a member now.
    Welcome {
        /// Who added them; empty when the operator did.
        inviter: String,
        /// Where to sign in.
        link: String,
    },
    /// To somebody who signs up: prove that the address is yours.
    SignUp {
        /// The link that proves it.
        link: String,
        /// The code that proves it in the browser that asked.
        code: String,
    },
    /// To somebody who has an account and signs up: you have one.
    AlreadyRegistered {
        /// Where to sign in.
        link: String,
    },
    /// Choose a new password.
    Reset {
        /// The link that lets them.
        link: String,
    },
    /// To a new address: prove that it is yours.
    NewAddress {
        /// The link that proves it.
        link: String,
    },
    /// To the old address: it is no longer the one of the account.
    AddressChanged {
        /// The new one.
        address: String,
        /// The link that takes it back.
        link: String,
    },
    /// To the address of an account: another one was claimed through the API, and is not proved.
    AddressClaimed {
        /// The other one.
        address: String,
        /// The link that undoes it.
        link: String,
    },
    /// Something changed about the ways into the account.
    Changed {
        /// What: the end of the message's name.
        what: String,
        /// Where to look at it.
        link: String,
    },
    /// The operator tries out the mail.
    Test {
        /// The dashboard.
        link: String,
    },
}

/// A letter before it has a form.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// The subject.
    pub subject: String,
    /// What happened.
    pub lead: String,
    /// A code to type.
    pub code: Option<String>,
    /// What the button says.
    pub action: String,
    /// Where the button leads.
    pub link: String,
    /// What else there is to know.
    pub note: String,
}

impl Letter {
    /// A letter in the installation's own name.
    pub fn to(address: &str, language: &str, message: Message) -> Self {
        Self {
            to: address.to_owned(),
            language: language.to_owned(),
            membership: None,
            brand: Brand::default(),
            message,
            meant: true,
        }
    }

    /// What it says.
    pub fn words(&self) -> Words {
        let say = Say::in_language(&self.language);
        let organization = match clean(&self.brand.name) {
            nothing if nothing.is_empty() => say.of("letter-organization"),
            name => name,
        };
        let mut args = vec![("organization", organization)];
        let mut code = None;
        let (name, link) = match &self.message {
            Message::Invitation { inviter, link, days } => {
                args.push(("inviter", clean(inviter)));
                args.push(("days", days.to_string()));
                (if inviter.is_empty() { "letter-invitation" } else { "letter-invitation-by" }, link)
            }
            Message::Welcome { inviter, link } => {
                args.push(("inviter", clean(inviter)));
                (if inviter.is_empty() { "letter-welcome" } else { "letter-welcome-by" }, link)
            }
            Message::SignUp { link, code: digits } => {
                code = Some(digits.clone());
                ("letter-sign-up", link)
            }
            Message::AlreadyRegistered { link } => ("letter-already-registered", link),
            Message::Reset { link } => ("letter-reset", link),
            Message::NewAddress { link } => ("letter-new-address", link),
            Message::AddressChanged { address, link } => {
                args.push(("address", address.clone()));
                ("letter-address-changed", link)
            }
            Message::AddressClaimed { address, link } => {
                args.push(("address", address.clone()));
                ("letter-address-claimed", link)
            }
            Message::Changed { what, link } => {
                args.push(("what", say.of(&format!("letter-changed-{what}"))));
                ("letter-changed", link)
            }
            Message::Test { link } => ("letter-test", link),
        };
        let args: Vec<(&'static str, &str)> =
            args.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let part = |part: &str| say.with(&format!("{name}.{part}"), &args);
        Words {
            subject: part("subject"),
            lead: part("lead"),
            code,
            action: part("action"),
            link: link.clone(),
            note: part("note"),
        }
    }
}
