//! One request for a page: who asks, in which language, from which browser, and with what form.

use crate::App;
use crate::accounts::sessions::{self, Browser, Session};
use crate::accounts::sign_in::{Attempt, Then};
use crate::crypto::{equal, hash};
use crate::http::{Answer, Asked};
use crate::say::Say;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::time::Duration;
use cookie::{Cookie, SameSite};
use guildhall_jsonapi::Result;
use http::Method;
use http::header::{LOCATION, SET_COOKIE};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use url::Url;

const SESSION: &str = "session";
const VISITOR: &str = "visitor";
const LANGUAGE: &str = "language";

/// One request for a page.
pub(super) struct Visit<'a> {
    pub(super) app: &'a Arc<App>,
    pub(super) asked: &'a Asked,
    pub(super) browser: Browser,
    pub(super) say: Say,
    pub(super) session: Option<Session>,
    /// What this browser is known by, signed in or not.
    visitor: String,
    /// The token of the session.
    token: Option<String>,
    is_new: bool,
    query: HashMap<String, String>,
    form: HashMap<String, String>,
}

impl<'a> Visit<'a> {
    pub(super) async fn read(app: &'a Arc<App>, address: IpAddr, asked: &'a Asked) -> Result<Self> {
        let cookies = cookies(asked);
        let cookie =
            |name: &str| cookies.get(&cookie_name(app, name)).filter(|value| value.len() == 43).cloned();
        let token = cookie(SESSION);
        let now = app.clock.now();
        let session = match token.clone() {
            Some(token) => app.db.read(move |tx| sessions::find(tx, &token, now)).await?,
            None => None,
        };
        if let Some(session) = session.as_ref().filter(|session| sessions::is_to_be_noted(session, now)) {
            let id = session.id.clone();
            // A page is worth more than knowing to the minute when it was looked at.
            if let Err(error) = app.db.write(move |tx| sessions::note(tx, &id, now)).await {
                tracing::warn!(request_id = asked.id, "a session could not be noted: {error}");
            }
        }
        let visitor = cookie(VISITOR);
        let is_new = visitor.is_none();
        let chosen = cookies.get(&cookie_name(app, LANGUAGE)).map(String::as_str);
        let own = session.as_ref().and_then(|session| session.language.as_deref());
        // Nobody types a character that is none.
        let fields = |text: &[u8]| {
            let typed = form_urlencoded::parse(text).into_owned();
            typed.map(|(name, value)| (name, value.replace('\0', ""))).collect()
        };
        Ok(Self {
            say: Say::choose(own.or(chosen), asked.header("accept-language")),
            browser: Browser { address, agent: asked.header("user-agent").unwrap_or_default().to_owned() },
            visitor: visitor.unwrap_or_else(|| app.chance.secret()),
            token: token.filter(|_| session.is_some()),
            is_new,
            query: fields(asked.query().as_bytes()),
            form: fields(&asked.body),
            session,
            app,
            asked,
        })
    }

    /// Whether it asks for a change.
    pub(super) fn is_post(&self) -> bool {
        self.asked.method == Method::POST
    }

    /// A parameter of the address; empty when it is missing.
    pub(super) fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }

    /// A field of the form; empty when it is missing.
    pub(super) fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    /// What a form must carry to be believed: known to pages of this browser in this session only.
    pub(super) fn csrf(&self) -> String {
        let session = self.token.as_deref().unwrap_or_default();
        URL_SAFE_NO_PAD.encode(self.app.vault.sign(&["csrf", &self.visitor, session]))
    }

    /// Whether a change was asked for by one of our own pages, in this browser and this session. What
    /// browsers say of where a request comes from must not contradict it.
    pub(super) fn is_believed(&self) -> bool {
        let origin = self.asked.header("origin");
        let from_here =
            origin.is_none_or(|origin| self.app.config.dashboards().iter().any(|own| own == origin));
        let same = self.asked.header("sec-fetch-site").is_none_or(|site| site == "same-origin");
        let shown = self.asked.header("x-csrf-token").unwrap_or_else(|| self.field("csrf"));
        from_here && same && !self.is_new && equal(shown, &self.csrf())
    }

    /// By what the browser is found where something waits for it.
    pub(super) fn visitor_hash(&self) -> String {
        hash(&format!("visitor:{}", self.visitor))
    }

    /// What it takes to try to sign in.
    pub(super) fn attempt(&self, then: Then) -> Attempt {
        Attempt {
            browser: self.browser.clone(),
            visitor: self.visitor_hash(),
            then,
            request: self.asked.id.clone(),
        }
    }

    /// Where to go afterwards: a page of ours, or the first one.
    pub(super) fn next(&self) -> String {
        let said = if self.is_post() { self.field("next") } else { self.query("next") };
        own_path(&self.app.config.dashboard(), said)
    }

    /// Signs this browser in with a session that was just begun or renewed. What it was known by before is
    /// forgotten: whoever knew that knows nothing now.
    pub(super) fn sign_in(&self, answer: Answer, token: &str) -> Answer {
        let days = Duration::days(60);
        let visitor = self.app.chance.secret();
        let answer = answer.header(SET_COOKIE, &self.cookie(SESSION, token, days));
        answer.header(SET_COOKIE, &self.cookie(VISITOR, &visitor, Duration::days(365)))
    }

    /// Signs this browser out.
    pub(super) fn sign_out(&self, answer: Answer) -> Answer {
        let visitor = self.app.chance.secret();
        let answer = answer.header(SET_COOKIE, &self.cookie(SESSION, "", Duration::ZERO));
        answer.header(SET_COOKIE, &self.cookie(VISITOR, &visitor, Duration::days(365)))
    }

    /// Notes the language in this browser.
    pub(super) fn speak(&self, answer: Answer, language: &str) -> Answer {
        answer.header(SET_COOKIE, &self.cookie(LANGUAGE, language, Duration::days(365)))
    }

    /// Lets a browser that came without a name keep the one it got, unless the answer gives it another.
    pub(super) fn remember(&self, answer: Answer) -> Answer {
        if !self.is_new || answer.sets(&SET_COOKIE) {
            return answer;
        }
        let visitor = self.cookie(VISITOR, &self.visitor, Duration::days(365));
        answer.header(SET_COOKIE, &visitor)
    }

    fn cookie(&self, name: &str, value: &str, life: Duration) -> String {
        Cookie::build((cookie_name(self.app, name), value))
            .path("/")
            .http_only(true)
            .secure(true)
            .same_site(SameSite::Lax)
            .max_age(life)
            .build()
            .to_string()
    }
}

/// Sends the browser to another page.
pub(super) fn go(path: &str) -> Answer {
    Answer::empty(303).header(LOCATION, path)
}

/// `__Host-` binds a cookie to this very host. Browsers know it with HTTPS only, which the pages of a try-out
/// do without.
fn cookie_name(app: &App, name: &str) -> String {
    let prefix = if app.config.dashboard().starts_with("https:") { "__Host-" } else { "" };
    format!("{prefix}{name}")
}

fn cookies(asked: &Asked) -> HashMap<String, String> {
    let lines = asked.headers.get_all("cookie").iter().filter_map(|line| line.to_str().ok());
    lines
        .flat_map(Cookie::split_parse)
        .filter_map(std::result::Result::ok)
        .map(|cookie| (cookie.name().to_owned(), cookie.value().to_owned()))
        .collect()
}

/// A path of the dashboard and nothing that leads elsewhere.
fn own_path(dashboard: &str, said: &str) -> String {
    let base = Url::parse(dashboard).ok();
    let joined = base.as_ref().and_then(|base| base.join(said).ok());
    let own = base.zip(joined).filter(|(base, joined)| {
        said.starts_with('/')
            && !said.starts_with("//")
            && !said.contains('\\')
            && base.origin() == joined.origin()
            // What is normalized may begin with two slashes, which lead elsewhere.
            && !joined.path().starts_with("//")
    });
    own.map_or_else(
        || "/".to_owned(),
        |(_, joined)| match joined.query() {
            Some(query) => format!("{}?{query}", joined.path()),
            None => joined.path().to_owned(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_redirect_is_impossible() {
        let own = |said: &str| own_path("https://dashboard.example.test", said);
        for (said, path) in [
            ("/account/security", "/account/security"),
            ("/invitations/x?a=b", "/invitations/x?a=b"),
            ("/a/../b#c", "/b"),
            ("", "/"),
            ("account", "/"),
            ("//evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/\t/evil.example", "/"),
            ("/.//evil.example", "/"),
            ("/a/..//evil.example", "/"),
            ("/%2e//evil.example", "/"),
            ("/\n//evil.example", "/"),
            ("https://evil.example", "/"),
            ("https://dashboard.example.test@evil.example/", "/"),
            ("javascript:alert(1)", "/"),
        ] {
            assert_eq!(own(said), path, "{said:?}");
        }
    }
}
