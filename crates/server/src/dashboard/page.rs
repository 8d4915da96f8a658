//! What a page consists of: sections with texts, lists and forms, in one frame for all of them.

use super::assets;
use super::visit::Visit;
use crate::http::Answer;
use crate::mail::brand::Brand;
use crate::say;
use askama::Template;

/// A page.
pub(super) struct Page {
    pub(super) title: String,
    pub(super) sections: Vec<Section>,
    status: u16,
    /// Whether there is one thing to do on it.
    narrow: bool,
    /// Which entry of the menu it belongs to.
    tab: &'static str,
    notice: Option<Notice>,
}

/// What is said above everything else.
struct Notice {
    is_error: bool,
    text: String,
}

/// A part of a page.
#[derive(Default)]
pub(super) struct Section {
    pub(super) heading: String,
    pub(super) texts: Vec<String>,
    pub(super) mark: Option<Mark>,
    pub(super) picture: Option<String>,
    pub(super) shown: Vec<Shown>,
    pub(super) list: Vec<Item>,
    pub(super) forms: Vec<Form>,
    pub(super) links: Vec<Link>,
}

/// An organization's colour with the first letter of its name.
pub(super) struct Mark {
    pub(super) letter: String,
    pub(super) ground: String,
    pub(super) ink: String,
}

/// Something to copy.
pub(super) struct Shown {
    pub(super) label: String,
    pub(super) text: String,
    pub(super) lines: bool,
}

/// An entry of a list.
#[derive(Default)]
pub(super) struct Item {
    pub(super) title: String,
    pub(super) href: String,
    pub(super) badge: String,
    pub(super) details: Vec<String>,
    /// A sentence about a moment, and the moment, in milliseconds.
    pub(super) moments: Vec<(String, i64)>,
    pub(super) forms: Vec<Form>,
}

/// A link to another page.
pub(super) struct Link {
    pub(super) href: String,
    pub(super) text: String,
}

/// A form with one button.
#[derive(Default)]
pub(super) struct Form {
    pub(super) action: String,
    pub(super) button: String,
    pub(super) style: Style,
    pub(super) fields: Vec<Field>,
    pub(super) hidden: Vec<(String, String)>,
    /// What a script does with it before it is sent: makes (`create`) or shows (`get`) a passkey.
    pub(super) passkey: &'static str,
    /// What tells this button from others with the same words.
    pub(super) about: String,
}

/// How much a button wants to be pressed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Style {
    #[default]
    Main,
    Quiet,
    Danger,
}

impl Style {
    fn class(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Quiet => "quiet",
            Self::Danger => "danger",
        }
    }
}

/// A field of a form.
#[derive(Clone, Default)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) label: String,
    pub(super) kind: &'static str,
    pub(super) value: String,
    pub(super) autocomplete: &'static str,
    pub(super) hint: String,
    pub(super) error: String,
    pub(super) optional: bool,
    pub(super) fixed: bool,
    /// What can be chosen: value and words.
    pub(super) choices: Vec<(String, String)>,
}

impl Mark {
    /// That of an organization of this name, in its colour.
    pub(super) fn of(name: &str, brand: &Brand) -> Self {
        let (ground, ink) = brand.colors();
        let letter = name.chars().find(|one| one.is_alphanumeric()).unwrap_or('·');
        Self { letter: letter.to_uppercase().to_string(), ground, ink }
    }
}

impl Page {
    /// A page with one thing to do.
    pub(super) fn narrow(title: impl Into<String>, section: Section) -> Self {
        Self { narrow: true, ..Self::wide(title, "", vec![section]) }
    }

    /// A page with several parts, under an entry of the menu.
    pub(super) fn wide(title: impl Into<String>, tab: &'static str, sections: Vec<Section>) -> Self {
        Self { title: title.into(), sections, status: 200, narrow: false, tab, notice: None }
    }

    /// With another part below.
    pub(super) fn and(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// With another status than 200.
    pub(super) fn status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// With something said above it.
    pub(super) fn tell(self, text: impl Into<String>) -> Self {
        Self { notice: Some(Notice { is_error: false, text: text.into() }), ..self }
    }

    /// With an error said above it: the status says so too.
    pub(super) fn refuse(self, text: impl Into<String>) -> Self {
        let status = if self.status == 200 { 422 } else { self.status };
        Self { notice: Some(Notice { is_error: true, text: text.into() }), status, ..self }
    }

    /// As it is answered.
    pub(super) fn answer(mut self, visit: &Visit<'_>) -> Answer {
        let fields = || self.sections.iter().flat_map(|section| &section.forms).flat_map(|form| &form.fields);
        let wrong = fields().any(|field| !field.error.is_empty());
        if wrong && self.notice.is_none() {
            self = self.refuse(visit.say.of("form-wrong"));
        }
        if self.notice.is_none() {
            let said = visit.query("said");
            let known =
                !said.is_empty() && said.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            let name = format!("said-{said}");
            let text = visit.say.of(&name);
            if known && text != name {
                self = self.tell(text);
            }
        }
        let page = Rendered {
            language: &visit.say.tag(),
            csrf: &visit.csrf(),
            here: &here(visit),
            languages: say::languages().into_iter().map(|tag| (visit.say.tag() == tag, tag)).collect(),
            style: assets::path("guildhall.css"),
            script: assets::path("guildhall.js"),
            icon: assets::path("icon.svg"),
            page: &self,
            visit,
        };
        match page.render() {
            Ok(html) => Answer::new(self.status, "text/html; charset=utf-8", html),
            Err(error) => {
                tracing::error!(request_id = visit.asked.id, "a page could not be written: {error}");
                Answer::new(500, "text/plain; charset=utf-8", "Internal Server Error\n")
            }
        }
    }
}

/// The address of the page at hand.
fn here(visit: &Visit<'_>) -> String {
    let uri = &visit.asked.uri;
    if !visit.is_post() {
        return uri.path_and_query().map_or_else(|| uri.path().to_owned(), ToString::to_string);
    }
    if let Some(token) = Some(visit.field("invitation")).filter(|token| !token.is_empty()) {
        return format!("/invitations/{token}");
    }
    let address = address_of(uri.path());
    match (visit.next().as_str(), uri.query()) {
        ("/", None) => address,
        ("/", Some(query)) => format!("{address}?{query}"),
        (next, _) => {
            let mut query = form_urlencoded::Serializer::new(String::new());
            format!("{address}?{}", query.append_pair("next", next).finish())
        }
    }
}

/// The address of the page on which a form was: where whoever only wants another language goes.
pub(super) fn address_of(path: &str) -> String {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    let kept = match segments.as_slice() {
        ["organizations"] => 0,
        ["account", "security" | "applications", _] | ["invitations" | "organizations", _, _] => 2,
        ["account", "address"] | ["sign-in" | "confirm", "passkey"] => 1,
        all => all.len(),
    };
    format!("/{}", segments[..kept].join("/"))
}

#[derive(Template)]
#[template(path = "pages/page.html")]
struct Rendered<'a> {
    page: &'a Page,
    visit: &'a Visit<'a>,
    language: &'a str,
    csrf: &'a str,
    here: &'a str,
    languages: Vec<(bool, String)>,
    style: &'a str,
    script: &'a str,
    icon: &'a str,
}

impl Rendered<'_> {
    fn say(&self, name: &str) -> String {
        self.visit.say.of(name)
    }

    /// The name of a language in that language.
    fn own_name(tag: &str) -> String {
        say::Say::in_language(tag).of("language-name")
    }

    /// A moment for machines and, without a script, for people.
    fn moment(millis: i64) -> (String, String) {
        let exact = guildhall_jsonapi::timestamp(millis);
        let plain = format!("{} {} UTC", &exact[..10], &exact[11..16]);
        (exact, plain)
    }
}

impl Field {
    /// A field to write into.
    pub(super) fn new(
        name: &'static str,
        label: String,
        kind: &'static str,
        autocomplete: &'static str,
    ) -> Self {
        Self { name, label, kind, autocomplete, ..Self::default() }
    }

    pub(super) fn value(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    pub(super) fn optional(self) -> Self {
        Self { optional: true, ..self }
    }

    /// That cannot be changed, and is there for people and for password managers to see.
    pub(super) fn fixed(self) -> Self {
        Self { fixed: true, ..self }
    }

    /// With what is wrong with it, from a list of field and name of the message.
    pub(super) fn check(self, visit: &Visit<'_>, wrong: &[(String, String)]) -> Self {
        let found = wrong.iter().find(|(name, _)| name == self.name);
        let error = found.map(|(_, rule)| {
            let name = format!("wrong-{rule}");
            let told = visit.say.of(&name);
            if told == name { visit.say.of("wrong-invalid") } else { told }
        });
        Self { error: error.unwrap_or_default(), ..self }
    }
}

impl Form {
    /// A form with this button.
    pub(super) fn new(action: impl Into<String>, button: String) -> Self {
        Self { action: action.into(), button, ..Self::default() }
    }

    pub(super) fn style(self, style: Style) -> Self {
        Self { style, ..self }
    }

    pub(super) fn field(mut self, field: Field) -> Self {
        self.fields.push(field);
        self
    }

    pub(super) fn hidden(mut self, name: &str, value: impl Into<String>) -> Self {
        self.hidden.push((name.to_owned(), value.into()));
        self
    }

    pub(super) fn passkey(self, passkey: &'static str) -> Self {
        Self { passkey, ..self }
    }

    pub(super) fn about(self, about: impl Into<String>) -> Self {
        Self { about: about.into(), ..self }
    }
}

impl Section {
    /// A section with a heading.
    pub(super) fn new(heading: impl Into<String>) -> Self {
        Self { heading: heading.into(), ..Self::default() }
    }

    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.texts.push(text.into());
        self
    }

    pub(super) fn show(mut self, label: String, text: impl Into<String>) -> Self {
        let text = text.into();
        self.shown.push(Shown { label, lines: text.contains('\n'), text });
        self
    }

    pub(super) fn item(mut self, item: Item) -> Self {
        self.list.push(item);
        self
    }

    pub(super) fn form(mut self, form: Form) -> Self {
        self.forms.push(form);
        self
    }

    pub(super) fn link(mut self, href: impl Into<String>, text: String) -> Self {
        self.links.push(Link { href: href.into(), text });
        self
    }
}
