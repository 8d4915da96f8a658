//! What an application asks of a person: read from the address their browser was sent to, and checked.
//!
//! As long as it is not known who asks and where the answer may go, what is wrong is told to the person. From
//! then on it is told to the application (RFC 6749, 4.1.2.1).

use super::applications::{self, Application};
use super::{pushed, redirects, scope};
use guildhall_store::{Result, Tx};
use std::collections::BTreeMap;

/// Parameters by name.
pub type Parameters = BTreeMap<String, String>;

/// A request that makes sense.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub application: Application,
    /// Where the answer goes.
    pub redirect_uri: String,
    /// What for.
    pub scope: String,
    /// What the application wants to see again in the answer.
    pub state: Option<String>,
    /// The hash of what only the application knows.
    pub challenge: Option<String>,
    /// What it wants to see again in the ID token.
    pub nonce: Option<String>,
    /// How it wants the person asked: `none`, or any of `login`, `consent` and `select_account`.
    pub prompt: String,
    /// How many seconds ago the person may have shown who they are.
    pub max_age: Option<i64>,
    /// Who it thinks the person is.
    pub login_hint: Option<String>,
    /// An ID token of the person it is about, unchecked.
    pub id_token_hint: Option<String>,
    /// The reference under which it was left here beforehand.
    pub pushed: Option<String>,
}

/// What is wrong with a request.
#[derive(Clone, Debug)]
pub enum Wrong {
    /// The person is told, on a page of this name.
    Here(&'static str),
    /// The application is told.
    Back(Back),
}

/// A refusal that goes back to the application.
#[derive(Clone, Debug)]
pub struct Back {
    redirect_uri: String,
    state: Option<String>,
    /// The name of the error, from RFC 6749 and `OpenID` Connect.
    pub error: &'static str,
    /// What is wrong, for a developer.
    pub description: &'static str,
}

impl Back {
    /// The address that carries it.
    pub fn address(&self, issuer: &str) -> String {
        let mut parameters = vec![("error", self.error), ("error_description", self.description)];
        parameters.extend(self.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", issuer));
        redirects::with(&self.redirect_uri, &parameters)
    }
}

impl Request {
    /// Whether the application wants the person asked in this way.
    pub fn prompts(&self, how: &str) -> bool {
        self.prompt.split(' ').any(|prompt| prompt == how)
    }

    /// A refusal of it.
    pub fn refuse(&self, error: &'static str, description: &'static str) -> Back {
        Back { redirect_uri: self.redirect_uri.clone(), state: self.state.clone(), error, description }
    }

    /// The address that carries a code. It names us, so that the application knows whose code it is (RFC 9207).
    pub fn answer(&self, code: &str, issuer: &str) -> String {
        let mut parameters = vec![("code", code)];
        parameters.extend(self.state.as_deref().map(|state| ("state", state)));
        parameters.push(("iss", issuer));
        redirects::with(&self.redirect_uri, &parameters)
    }
}

/// What a request can say. Nothing else of it is kept.
const KNOWN: [&str; 16] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "response_mode",
    "scope",
    "state",
    "code_challenge",
    "code_challenge_method",
    "nonce",
    "prompt",
    "max_age",
    "login_hint",
    "id_token_hint",
    "request",
    "request_uri",
    "ui_locales",
];
/// The longest of them, in bytes.
const LONGEST: usize = 4096;
/// The longest nonce, in bytes: it becomes part of every ID token.
const LONGEST_NONCE: usize = 512;

/// What of these parameters a request can say.
pub fn known(mut given: Parameters) -> Parameters {
    given.retain(|name, _| KNOWN.contains(&name.as_str()));
    given
}

/// The parameters of an address or of a form; `None` when one is there twice, or holds what no text holds.
pub fn parameters(query: &str) -> Option<Parameters> {
    let mut parameters = Parameters::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
        if value.contains('\0') || parameters.insert(name, value).is_some() {
            return None;
        }
    }
    Some(parameters)
}

/// Reads a request and finds who asks.
pub fn read(tx: &mut Tx<'_>, given: Parameters, now: i64) -> Result<std::result::Result<Request, Wrong>> {
    let client_id = given.get("client_id").cloned().unwrap_or_default();
    let reference = given.get("request_uri").filter(|uri| uri.starts_with(pushed::PREFIX)).cloned();
    let given = match &reference {
        None => given,
        Some(reference) => match pushed::find(tx, reference, now)? {
            // What is beside the reference counts for nothing.
            Some(pushed) if pushed.get("client_id") == Some(&client_id) => pushed,
            _ => return Ok(Err(Wrong::Here("request-over"))),
        },
    };
    let application = applications::by_client_id(tx, &client_id, now)?;
    let asks = |application: &Application| matches!(application.claim.kind.as_str(), "webapp" | "dashboard");
    let Some(application) = application.filter(asks) else { return Ok(Err(Wrong::Here("request-client"))) };
    Ok(check(application, &given, reference))
}

fn check(
    application: Application,
    given: &Parameters,
    pushed: Option<String>,
) -> std::result::Result<Request, Wrong> {
    let get = |name: &str| given.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let Some(registered) = application.redirect_uri.as_deref() else {
        return Err(Wrong::Here("request-redirect"));
    };
    let redirect_uri = match get("redirect_uri") {
        Some(asked) if redirects::matches(registered, asked, application.is_public()) => asked,
        None if !application.is_public() => registered,
        _ => return Err(Wrong::Here("request-redirect")),
    };
    if !redirects::is_safe(redirect_uri) {
        return Err(Wrong::Here("request-unsafe"));
    }
    let state = get("state").map(str::to_owned);
    let back = |error, description| {
        let (redirect_uri, state) = (redirect_uri.to_owned(), state.clone());
        Err(Wrong::Back(Back { redirect_uri, state, error, description }))
    };
    let too_long = |name: &&str| get(name).is_some_and(|value| value.len() > LONGEST);
    if KNOWN.iter().any(too_long) || get("nonce").is_some_and(|nonce| nonce.len() > LONGEST_NONCE) {
        return back("invalid_request", "a parameter is too long");
    }
    match get("response_type") {
        Some("code") => {}
        None => return back("invalid_request", "response_type is missing"),
        Some(_) => return back("unsupported_response_type", "response_type must be code"),
    }
    if get("request").is_some() {
        return back("request_not_supported", "request objects are not supported");
    }
    if pushed.is_none() && get("request_uri").is_some() {
        return back("request_uri_not_supported", "request_uri must come from the pushed request endpoint");
    }
    if get("response_mode").is_some_and(|mode| mode != "query") {
        return back("invalid_request", "response_mode must be query");
    }
    let challenge = get("code_challenge").map(str::to_owned);
    match (&challenge, get("code_challenge_method")) {
        (None, None) if application.is_public() => {
            return back("invalid_request", "a public client must send a code_challenge");
        }
        (None, None) => {}
        (Some(challenge), Some("S256")) if is_challenge(challenge) => {}
        _ => {
            return back(
                "invalid_request",
                "code_challenge must be the SHA-256 of a verifier, with the method S256",
            );
        }
    }
    let prompt = get("prompt").unwrap_or_default().to_owned();
    let known = |prompt: &str| matches!(prompt, "none" | "login" | "consent" | "select_account");
    if !prompt.is_empty()
        && (!prompt.split(' ').all(known) || (scope::has(&prompt, "none") && prompt != "none"))
    {
        return back("invalid_request", "prompt must be none, or any of login, consent and select_account");
    }
    let max_age = match get("max_age").map(str::parse::<i64>) {
        None => None,
        Some(Ok(seconds)) if seconds >= 0 => Some(seconds),
        Some(_) => return back("invalid_request", "max_age must be a number of seconds"),
    };
    let asked = get("scope").map(scope::known);
    let scope = match (asked.as_deref(), application.credential()) {
        (None, Some(_)) => scope::EVERYTHING,
        (None, None) => scope::DASHBOARD,
        (Some(asked), Some(_)) if scope::is_for_webapps(asked) => asked,
        (Some(asked), None) if scope::is_for_dashboard(asked) => asked,
        _ => return back("invalid_scope", "the scope is unknown or malformed"),
    };
    Ok(Request {
        redirect_uri: redirect_uri.to_owned(),
        scope: scope.to_owned(),
        state,
        challenge,
        nonce: get("nonce").map(str::to_owned),
        prompt,
        max_age,
        login_hint: get("login_hint").map(str::to_owned),
        id_token_hint: get("id_token_hint").map(str::to_owned),
        pushed,
        application,
    })
}

/// Whether a text can be the SHA-256 of something, as base64url.
fn is_challenge(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}
