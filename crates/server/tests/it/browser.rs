//! Browsers, as far as pages without a script need one: cookies, forms, redirects.
//!
//! `let ada = guild.browser(); ada.open("/sign-in").await; ada.send("/sign-in", &[("email", ..)]).await`.

use crate::guild::{Guild, Reply};
use axum::body::Body;
use http::Request;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The host of the pages.
pub(crate) const HOST: &str = "dashboard.example.test";
/// The pages of a try-out.
pub(crate) const HOME: &str = "http://dashboard.example.test:8080";
/// A password that is good enough.
pub(crate) const PASSWORD: &str = "orchid-tram-lantern";

/// One browser.
pub(crate) struct Browser<'g> {
    pub(crate) guild: &'g Guild,
    pub(crate) address: IpAddr,
    pub(crate) language: &'static str,
    pub(crate) cookies: RefCell<BTreeMap<String, String>>,
    /// What the forms of the page at hand carry.
    pub(crate) csrf: RefCell<String>,
    /// Whether it asks the other node, where there is one.
    pub(crate) elsewhere: bool,
}

/// A page somebody looks at.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: u16,
    /// Its path with its query.
    pub(crate) path: String,
    pub(crate) html: String,
    pub(crate) reply: Reply,
}

impl Guild {
    /// A browser nobody has used yet, at an address of its own.
    pub(crate) fn browser(&self) -> Browser<'_> {
        self.browser_at(7)
    }

    /// A browser at another address.
    pub(crate) fn browser_at(&self, last: u8) -> Browser<'_> {
        Browser {
            guild: self,
            address: IpAddr::from([198, 51, 100, last]),
            language: "en",
            cookies: RefCell::default(),
            csrf: RefCell::default(),
            elsewhere: false,
        }
    }

    /// Somebody who signed up, in the browser in which they are signed in.
    pub(crate) async fn signed_up(&self, name: &str) -> Browser<'_> {
        let browser = self.browser();
        browser.asks_to_sign_up(name).await;
        let code = self.code_for(&format!("{name}@example.com")).await;
        let page = browser.send("/sign-up/check", &[("code", &code)]).await;
        assert_eq!(page.path, "/?said=welcome", "{}", page.text());
        browser
    }

    /// The text of the latest letter to an address, as it reads.
    pub(crate) async fn letter_to(&self, email: &str) -> String {
        let letters = self.letters().await;
        let wanted = format!("\r\nTo: {email}\r\n");
        let letter = letters.iter().rev().find(|letter| letter.contains(&wanted));
        plain(letter.unwrap_or_else(|| panic!("no letter to {email} in {letters:?}")))
    }

    /// How many letters there were to an address.
    pub(crate) async fn letters_to(&self, email: &str) -> usize {
        let wanted = format!("\r\nTo: {email}\r\n");
        self.letters().await.iter().filter(|letter| letter.contains(&wanted)).count()
    }

    /// The code in the latest letter to an address.
    pub(crate) async fn code_for(&self, email: &str) -> String {
        let letter = self.letter_to(email).await;
        let code = letter
            .lines()
            .map(str::trim)
            .find(|line| line.len() == 6 && line.bytes().all(|digit| digit.is_ascii_digit()));
        code.unwrap_or_else(|| panic!("no code in {letter}")).to_owned()
    }

    /// The path of the link in the latest letter to an address.
    pub(crate) async fn link_for(&self, email: &str) -> String {
        let letter = self.letter_to(email).await;
        let link = letter.lines().find_map(|line| line.strip_prefix(HOME));
        link.unwrap_or_else(|| panic!("no link in {letter}")).to_owned()
    }
}

/// The text part of a letter, decoded.
fn plain(letter: &str) -> String {
    let soft = letter.replace("=\r\n", "");
    let text = soft.split("\r\n\r\n").skip(2).collect::<Vec<_>>().join("\n");
    let text = text.split("\r\n--").next().unwrap_or_default().replace('\r', "");
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(|_| *first == b'=') {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}

impl Browser<'_> {
    /// The same browser once more, with the cookies it has by now.
    pub(crate) fn again(&self) -> Self {
        let (cookies, csrf) = (self.cookies.clone(), self.csrf.clone());
        let Self { guild, address, language, elsewhere, .. } = *self;
        Self { guild, address, language, cookies, csrf, elsewhere }
    }

    /// The same, where it asks the other node.
    pub(crate) fn elsewhere(&self) -> Self {
        Self { elsewhere: true, ..self.again() }
    }
}

impl Browser<'_> {
    /// Opens a page, and follows where it leads.
    pub(crate) async fn open(&self, path: &str) -> Page {
        self.follow("GET", path, &[]).await
    }

    /// Sends a form of the page at hand, and follows where that leads.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        self.follow("POST", path, fields).await
    }

    /// Fills in the form of the sign-up page and sends it.
    pub(crate) async fn asks_to_sign_up(&self, name: &str) -> Page {
        self.open("/sign-up").await;
        let email = format!("{name}@example.com");
        let fields = [
            ("email", email.as_str()),
            ("password", PASSWORD),
            ("first_name", name),
            ("last_name", "Example"),
            ("organization", ""),
        ];
        self.send("/sign-up", &fields).await
    }

    /// Signs in with the password of all these tests.
    pub(crate) async fn signs_in(&self, name: &str) -> Page {
        self.open("/sign-in").await;
        self.send("/sign-in", &[("email", &format!("{name}@example.com")), ("password", PASSWORD)]).await
    }

    /// Chooses a new password by the letter for whoever forgot theirs; answers the page that follows.
    pub(crate) async fn resets_password(&self, email: &str, password: &str) -> Page {
        let link = self.asks_for_reset(email).await;
        self.open(&link).await;
        self.send(&link, &[("password", password)]).await
    }

    /// Asks for that letter; answers its link.
    pub(crate) async fn asks_for_reset(&self, email: &str) -> String {
        // Letters are told apart by when they were queued.
        self.guild.pass(1);
        self.open("/reset").await;
        self.send("/reset", &[("email", email)]).await;
        self.guild.link_for(email).await
    }

    async fn follow(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Page {
        // Whoever presses a button here is sure; see `pages::frame` for the question.
        let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("sure", "yes")]).collect();
        let mut reply = self.ask(method, path, &fields).await;
        let mut path = path.to_owned();
        for _ in 0..5 {
            if reply.status != 303 {
                break;
            }
            path = reply.header("location").to_owned();
            // What is elsewhere is somebody else's.
            if path.starts_with("http") && !path.starts_with(HOME) {
                break;
            }
            reply = self.ask("GET", &path, &[]).await;
        }
        let html = reply.text();
        if let Some(csrf) =
            html.split("name=\"csrf\" value=\"").nth(1).and_then(|rest| rest.split('"').next())
        {
            csrf.clone_into(&mut self.csrf.borrow_mut());
        }
        Page { status: reply.status, path, html, reply }
    }

    /// Asks once, with the cookies at hand.
    pub(crate) async fn ask(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Reply {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let csrf = self.csrf.borrow().clone();
        if !fields.iter().any(|(name, _)| *name == "csrf") {
            form.append_pair("csrf", &csrf);
        }
        for (name, value) in fields {
            form.append_pair(name, value);
        }
        let body = if method == "POST" { Body::from(form.finish()) } else { Body::empty() };
        self.send_as_is(self.request(method, path).body(body).unwrap()).await
    }

    /// A request with what this browser always sends, to be completed.
    pub(crate) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let cookies = self.cookies.borrow();
        let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Request::builder()
            .method(method)
            .uri(path)
            .header("host", HOST)
            .header("accept-language", self.language)
            .header("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", cookies.join("; "))
    }

    pub(crate) async fn send_as_is(&self, request: Request<Body>) -> Reply {
        let reply = self.guild.answer_at(request, self.address, self.elsewhere).await;
        for line in reply.headers.get_all("set-cookie") {
            let line = line.to_str().unwrap();
            let (name, value) = line.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
        }
        reply
    }
}

impl Page {
    /// What stands in the largest letters.
    pub(crate) fn heading(&self) -> String {
        let heading =
            self.html.split("<h1").nth(1).and_then(|rest| rest.split_once('>')).unwrap_or_default().1;
        readable(heading.split("</h1>").next().unwrap_or_default())
    }

    /// What there is to read between head and foot, a line for each piece.
    pub(crate) fn text(&self) -> String {
        let main = self.html.split("<main").nth(1).and_then(|rest| rest.split("</main>").next());
        readable(&format!("<main{}", main.unwrap_or(&self.html)))
    }

    /// Whether something stands there.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    /// The names of the fields one fills in.
    pub(crate) fn fields(&self) -> Vec<String> {
        let inputs =
            self.html.split("<input").skip(1).map(|input| input.split('>').next().unwrap_or_default());
        let shown = inputs.filter(|input| !input.contains("type=\"hidden\"") && !input.contains(" readonly"));
        shown.filter_map(|input| Some(input.split("name=\"").nth(1)?.split('"').next()?.to_owned())).collect()
    }
}

/// A piece of HTML without its tags.
fn readable(html: &str) -> String {
    let mut lines = Vec::new();
    for piece in html.split('<').skip(usize::from(html.starts_with('<'))) {
        let text = piece.split_once('>').map_or(piece, |(_, text)| text).trim();
        if !text.is_empty() {
            lines.push(
                text.replace("&#38;", "&").replace("&#39;", "'").replace("&#34;", "\"").replace("&#60;", "<"),
            );
        }
    }
    lines.join("\n")
}
