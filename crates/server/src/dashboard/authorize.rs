//! The authorization page: an application sends somebody's browser here and gets a code back, or a no.

use super::page::{Page, Section};
use super::visit::{Visit, go};
use super::{POLICY, consent, dead_end};
use crate::accounts::sessions::Session;
use crate::authorizations::request::{self, Request, Wrong};
use crate::authorizations::{codes, consents, pushed, redirects, scope};
use crate::clock::MINUTE;
use crate::crypto::equal;
use crate::http::Answer;
use crate::oauth::identity;
use crate::work::Work;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_jsonapi::Result;
use http::Method;
use http::header::{ALLOW, CONTENT_SECURITY_POLICY, REFRESH};

/// How long signing in may take, in milliseconds.
const LONGEST_SIGN_IN: i64 = 10 * MINUTE;
/// The longest request, in bytes.
const LONGEST: usize = 16 * 1024;
/// Where it is.
const PATH: &str = "/oauth/authorize";

/// The page, or what an application may know without anybody being asked.
pub(super) async fn show(visit: &Visit<'_>) -> Result<Answer> {
    if visit.asked.method == Method::HEAD {
        // Whoever only wants to know whether there is a page gets no code.
        return Ok(dead_end(visit, 405, "method").answer(visit).header(ALLOW, "GET, POST"));
    }
    let request = match read(visit).await? {
        Ok(request) => request,
        Err(answer) => return Ok(answer),
    };
    let silent = request.prompts("none");
    let meant = meant(visit, &request);
    if meant == Meant::Nobody {
        return Ok(back(visit, &request, "invalid_request", "id_token_hint is no ID token of yours"));
    }
    let Some(session) = &visit.session else {
        if silent {
            return Ok(back(visit, &request, "login_required", "nobody is signed in"));
        }
        return Ok(sign_in(visit, request.login_hint.as_deref()));
    };
    if !meant.is(&session.user) {
        return Ok(back(visit, &request, "login_required", "somebody else is signed in"));
    }
    if is_stale(visit, session, &request) {
        if silent {
            return Ok(back(visit, &request, "login_required", "they showed who they are too long ago"));
        }
        let since = session.proved_at.to_string();
        let next = here(visit, Some(&format!("{since}.{}", signed_since(visit, &session.id, &since))));
        let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", &next).finish();
        return Ok(go(&format!("/confirm?{query}")));
    }
    let (role, remembered) = known(visit, session, &request).await?;
    let Some(role) = role else {
        if silent {
            return Ok(back(
                visit,
                &request,
                "interaction_required",
                "they are no member of the organization",
            ));
        }
        return Ok(stranger(visit, session, &request).answer(visit));
    };
    let asks_again = request.prompts("consent")
        || request.prompts("select_account")
        // Anybody could say that they are an application which cannot show that it is itself.
        || request.application.is_public();
    if !asks_again && !remembered.is_empty() && scope::covers(&remembered, &request.scope) {
        return allow(visit, session, request, Yes::Remembered).await;
    }
    if silent {
        return Ok(back(visit, &request, "consent_required", "they have not said yes to this"));
    }
    Ok(ask(visit, session, &request, &role))
}

/// Takes the answer; without one it is an application that sends a browser by a form.
pub(super) async fn decide(visit: &Visit<'_>) -> Result<Answer> {
    let request = match read(visit).await? {
        Ok(request) => request,
        Err(answer) => return Ok(answer),
    };
    let Some(session) = &visit.session else { return Ok(go(&here(visit, None))) };
    let (role, _) = known(visit, session, &request).await?;
    let is_odd = is_stale(visit, session, &request) || !meant(visit, &request).is(&session.user);
    if role.is_none() || is_odd {
        return Ok(go(&here(visit, None)));
    }
    match visit.field("decision") {
        "allow" => allow(visit, session, request, Yes::Said).await,
        _ => Ok(back(visit, &request, "access_denied", "they said no")),
    }
}

/// An application that sends the browser with a form: its cookies come with the next request only.
pub(super) fn forward(visit: &Visit<'_>) -> Answer {
    let form = String::from_utf8_lossy(&visit.asked.body);
    let all = [form.as_ref(), visit.asked.query()].join("&");
    let Some(parameters) = request::parameters(&all).filter(|_| all.len() <= LONGEST) else {
        return dead_end(visit, 400, "request-twice").answer(visit);
    };
    let mut query = form_urlencoded::Serializer::new(String::new());
    go(&format!("{PATH}?{}", query.extend_pairs(parameters).finish()))
}

/// The request, or what is told instead.
async fn read(visit: &Visit<'_>) -> Result<std::result::Result<Request, Answer>> {
    let Some(given) = request::parameters(visit.asked.query()) else {
        return Ok(Err(dead_end(visit, 400, "request-twice").answer(visit)));
    };
    let read =
        Work::look(visit.app, move |work| Ok(request::read(work.tx, given.clone(), work.now)?)).await?;
    Ok(read.map_err(|wrong| match wrong {
        Wrong::Here(name) => dead_end(visit, 400, name).answer(visit),
        // Nobody is led on by a link alone: anybody can register an application (RFC 9700, 4.11.2).
        Wrong::Back(_) if visit.session.is_none() && visit.query("prompt") != "none" => sign_in(visit, None),
        Wrong::Back(back) => leave(visit, &back.address(&visit.app.issuer)),
    }))
}

/// Whom a request is about.
#[derive(PartialEq)]
enum Meant {
    Anybody,
    User(String),
    /// Nobody that the application can know.
    Nobody,
}

impl Meant {
    fn is(&self, user: &str) -> bool {
        match self {
            Self::Anybody => true,
            Self::User(meant) => meant == user,
            Self::Nobody => false,
        }
    }
}

fn meant(visit: &Visit<'_>, request: &Request) -> Meant {
    match &request.id_token_hint {
        None => Meant::Anybody,
        Some(hint) => {
            identity::whom(visit.app, hint, &request.application).map_or(Meant::Nobody, Meant::User)
        }
    }
}

/// The name of their role, if they are a member, and to what they said yes before.
async fn known(visit: &Visit<'_>, session: &Session, request: &Request) -> Result<(Option<String>, String)> {
    let (user, application) = (session.user.clone(), request.application.clone());
    Work::look(visit.app, move |work| {
        let role = consent::role_of(work.tx, &application, &user)?;
        Ok((role, consents::remembered(work.tx, &user, application.credential())?))
    })
    .await
}

/// The page to sign in, which leads back.
fn sign_in(visit: &Visit<'_>, hint: Option<&str>) -> Answer {
    // Whoever signs in now shows who they are now.
    let now = visit.app.clock.now().to_string();
    let since = format!("{now}.{}", signed_since(visit, "", &now));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", &here(visit, Some(&since)));
    if let Some(hint) = hint {
        query.append_pair("email", hint);
    }
    go(&format!("/sign-in?{}", query.finish()))
}

/// When they had shown who they are before they were asked to do so again: signed, since it travels in the
/// address, and whoever could make it up need not show anything.
fn since(visit: &Visit<'_>, session: &Session) -> Option<i64> {
    let (text, signature) = visit.query("since").split_once('.')?;
    let since = text.parse().ok()?;
    let of_session = equal(signature, &signed_since(visit, &session.id, text));
    // One from before there was a session is good for as long as it takes to sign in.
    let of_nobody = equal(signature, &signed_since(visit, "", text));
    let is_recent = visit.app.clock.now().saturating_sub(since) <= LONGEST_SIGN_IN;
    (of_session || of_nobody && is_recent).then_some(since)
}

/// A moment, signed for a session and for this request alone.
fn signed_since(visit: &Visit<'_>, session: &str, since: &str) -> String {
    URL_SAFE_NO_PAD.encode(visit.app.vault.sign(&["since", session, since, &here(visit, None)]))
}

/// Whether they are to show once more who they are.
fn is_stale(visit: &Visit<'_>, session: &Session, request: &Request) -> bool {
    let age = visit.app.clock.now() - session.proved_at;
    let done = since(visit, session).is_some_and(|since| session.proved_at > since && age <= LONGEST_SIGN_IN);
    let too_old = |seconds: i64| age > seconds.saturating_mul(1000);
    !done && (request.prompts("login") || request.max_age.is_some_and(too_old))
}

/// This page again, perhaps after they have shown who they are.
fn here(visit: &Visit<'_>, since: Option<&str>) -> String {
    let parameters =
        form_urlencoded::parse(visit.asked.query().as_bytes()).filter(|(name, _)| name != "since");
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    if let Some(since) = since {
        query.append_pair("since", since);
    }
    format!("{PATH}?{}", query.finish())
}

/// The question.
fn ask(visit: &Visit<'_>, session: &Session, request: &Request, role: &str) -> Answer {
    let action = here(visit, Some(visit.query("since")).filter(|since| !since.is_empty()));
    let origin = redirects::origin(&request.redirect_uri).unwrap_or_default();
    let asked = consent::section(visit, &request.application, &request.scope, role);
    let mut answers = Section::default().text(visit.say.with("consent-where", &[("place", &origin)]));
    for form in consent::forms(visit, &action, &[]) {
        answers = answers.form(form);
    }
    answers = consent::whoever(visit, session, answers, &action);
    let answer = Page::narrow(asked.heading.clone(), asked).and(answers).answer(visit);
    // Browsers hold where a form leads against this, and an answer to it leads back to the application.
    answer.header(
        CONTENT_SECURITY_POLICY,
        &POLICY.replace("form-action 'self'", &format!("form-action 'self' {origin}")),
    )
}

/// The page for somebody who is no member.
fn stranger(visit: &Visit<'_>, session: &Session, request: &Request) -> Page {
    let say = &visit.say;
    let args = [("organization", request.application.organization_name.as_str())];
    let heading = say.with("consent-stranger", &args);
    let no = request.refuse("access_denied", "they are no member of the organization");
    let section = Section::new(heading.clone()).text(say.with("consent-stranger.lead", &args)).link(
        no.address(&visit.app.issuer),
        say.with("consent-back", &[("application", &request.application.name)]),
    );
    Page::narrow(heading, consent::whoever(visit, session, section, &here(visit, None))).status(403)
}

/// How they say yes.
#[derive(Clone, Copy, PartialEq)]
enum Yes {
    /// Now.
    Said,
    /// They did before.
    Remembered,
}

/// What came of it.
enum Outcome {
    Given,
    /// The request that was left here is used up.
    Spent,
    /// They are no member any more, or have taken their yes back.
    Withdrawn,
}

/// Remembers the yes and sends the browser back with a code, if what it rests on is still so.
async fn allow(visit: &Visit<'_>, session: &Session, request: Request, yes: Yes) -> Result<Answer> {
    let code = visit.app.chance.secret();
    let (kept, user, proved_at, unit) =
        (code.clone(), session.user.clone(), session.proved_at, request.clone());
    let outcome = Work::run_as(visit.app, session, &visit.asked.id, move |work| {
        let credential = unit.application.credential();
        let stands = yes == Yes::Said || consents::stands(work.tx, &user, credential, &unit.scope)?;
        if !stands || consent::role_of(work.tx, &unit.application, &user)?.is_none() {
            return Ok(Outcome::Withdrawn);
        }
        if let Some(reference) = &unit.pushed
            && !pushed::spend(work.tx, reference)?
        {
            return Ok(Outcome::Spent);
        }
        consents::remember(work, &user, credential, &unit.scope)?;
        codes::keep(work.tx, &kept, &unit, &user, proved_at / 1000, work.now)?;
        Ok(Outcome::Given)
    })
    .await?;
    Ok(match outcome {
        Outcome::Given => leave(visit, &request.answer(&code, &visit.app.issuer)),
        Outcome::Spent => dead_end(visit, 400, "request-over").answer(visit),
        Outcome::Withdrawn if request.prompts("none") => {
            back(visit, &request, "consent_required", "they have just taken it back")
        }
        // The page has something else to say now.
        Outcome::Withdrawn => go(&here(visit, None)),
    })
}

fn back(visit: &Visit<'_>, request: &Request, error: &'static str, description: &'static str) -> Answer {
    leave(visit, &request.refuse(error, description).address(&visit.app.issuer))
}

/// Sends the browser to the application. After a form of another page of ours, such as the one to sign in, a
/// redirection would be held against that form's policy: then the page itself leads on.
fn leave(visit: &Visit<'_>, address: &str) -> Answer {
    let from_here = visit.asked.header("sec-fetch-site").is_some_and(|site| site == "same-origin");
    if visit.is_post() || !from_here {
        return go(address);
    }
    let heading = visit.say.of("consent-leaving");
    let section = Section::new(heading.clone()).link(address, visit.say.of("consent-leaving.link"));
    Page::narrow(heading, section).answer(visit).header(REFRESH, &format!("0; url={address}"))
}
