//! The dashboard: pages that work without a script, in the reader's language, for signing up and in, for
//! invitations, and for one's account and organizations.

mod account;
mod address;
mod api_access;
mod applications;
mod assets;
mod authorize;
mod confirm;
mod consent;
mod device;
mod invitations;
mod organizations;
mod page;
mod passkeys;
mod people;
mod reset;
mod security;
mod sign_in;
mod sign_up;
mod sure;
mod visit;

use crate::App;
use crate::accounts::sessions::Session;
use crate::accounts::sign_in::Refusal;
use crate::http::{Answer, Asked, log};
use guildhall_jsonapi::{Error, Problem, Result};
use guildhall_store::Error as Stored;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, RETRY_AFTER};
use http::{HeaderName, Method};
use page::{Page, Section};
use std::net::IpAddr;
use std::sync::Arc;
use visit::{Visit, go};

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Answers a request for the dashboard.
pub async fn answer(app: &Arc<App>, address: IpAddr, asked: &Asked) -> Answer {
    let path = asked.uri.path();
    if let Some(answer) = assets::answer(path) {
        return secured(app, answer);
    }
    let visit = match Visit::read(app, address, asked).await {
        Ok(visit) => visit,
        Err(error) => return secured(app, broken(asked, &error)),
    };
    let answer = match asked.method {
        Method::GET | Method::HEAD | Method::POST => respond(&visit, path).await.unwrap_or_else(|error| {
            let answer = excuse(&visit, &error).answer(&visit);
            match retry_after(&error) {
                Some(seconds) => answer.header(RETRY_AFTER, &seconds.to_string()),
                None => answer,
            }
        }),
        _ => dead_end(&visit, 405, "method").answer(&visit).header(ALLOW, "GET, POST"),
    };
    secured(app, visit.remember(answer))
}

/// After how many seconds it makes sense to come back.
fn retry_after(error: &Error) -> Option<u64> {
    match error {
        Error::Refused(problems) => problems.iter().find_map(Problem::retry_after),
        Error::Store(Stored::Busy | Stored::Down | Stored::TooSlow | Stored::Disk(_)) => Some(2),
        Error::Store(_) => None,
    }
}

/// The page for a request that did not arrive whole, or came too often.
pub async fn refuse(app: &Arc<App>, address: IpAddr, asked: &Asked, status: u16) -> Answer {
    let name = match status {
        413 => "large",
        429 => "often",
        _ => "broken-off",
    };
    match Visit::read(app, address, asked).await {
        Ok(visit) => secured(app, dead_end(&visit, status, name).answer(&visit)),
        Err(error) => secured(app, broken(asked, &error)),
    }
}

/// Every page there is.
async fn respond(visit: &Visit<'_>, path: &str) -> Result<Answer> {
    let path = path.trim_matches('/');
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let post = visit.is_post();
    if post && segments == ["oauth", "authorize"] && visit.field("decision").is_empty() {
        return Ok(authorize::forward(visit));
    }
    if post && !visit.is_believed() {
        return Ok(dead_end(visit, 403, "forged").answer(visit));
    }
    if post && sure::is_needed(&segments) && visit.field("sure") != "yes" {
        return Ok(sure::page(visit, &segments).answer(visit));
    }
    match (post, segments.as_slice()) {
        (false, ["sign-up"]) => Ok(sign_up::show(visit)),
        (true, ["sign-up"]) => sign_up::ask(visit).await,
        (false, ["sign-up", "check"]) => sign_up::check(visit).await,
        (true, ["sign-up", "check"]) => sign_up::code(visit).await,
        (false, ["sign-up", token]) => sign_up::link(visit, token).await,
        (true, ["sign-up", token]) => sign_up::confirm(visit, token).await,
        (false, ["sign-in"]) => Ok(sign_in::show(visit)),
        (true, ["sign-in"]) => sign_in::password(visit).await,
        (false, ["sign-in", "code"]) => sign_in::code(visit).await,
        (true, ["sign-in", "code"]) => sign_in::confirm(visit).await,
        (true, ["sign-in", "passkey"]) => sign_in::passkey(visit).await,
        (true, ["passkey", "options"]) => passkeys::ask(visit).await,
        (true, ["sign-out"]) => sign_in::sign_out(visit).await,
        (false, ["reset"]) => Ok(reset::show(visit)),
        (true, ["reset"]) => reset::ask(visit).await,
        (false, ["reset", token]) => reset::link(visit, token).await,
        (true, ["reset", token]) => reset::choose(visit, token).await,
        (false, ["address", token]) => address::old(visit, token).await,
        (true, ["address", token]) => address::take_back(visit, token).await,
        (false, ["invitations", token]) => invitations::show(visit, token).await,
        (true, ["invitations", token, deed]) => invitations::act(visit, token, deed).await,
        (true, ["language"]) => account::language(visit).await,
        (false, ["oauth", "authorize"]) => authorize::show(visit).await,
        (true, ["oauth", "authorize"]) => authorize::decide(visit).await,
        (false, ["device", done @ ("allowed" | "denied")]) => Ok(device::done(visit, done)),
        _ => match &visit.session {
            Some(session) => within(visit, session, post, &segments).await,
            None if is_behind_the_door(&segments) => Ok(ask_to_sign_in(visit)),
            None => Ok(dead_end(visit, 404, "missing").answer(visit)),
        },
    }
}

/// The pages of somebody who is signed in.
async fn within(visit: &Visit<'_>, session: &Session, post: bool, segments: &[&str]) -> Result<Answer> {
    match (post, segments) {
        (false, []) => organizations::list(visit, session).await,
        (true, ["organizations"]) => organizations::create(visit, session).await,
        (false, ["organizations", slug]) => people::show(visit, session, slug).await,
        (true, ["organizations", slug, deed]) => people::act(visit, session, slug, deed).await,
        (false, ["account"]) => account::show(visit, session).await,
        (true, ["account"]) => account::change(visit, session).await,
        (true, ["account", "address"]) => account::address(visit, session).await,
        (false, ["account", "address", token]) => Ok(address::new(visit, token)),
        (true, ["account", "address", token]) => address::confirm(visit, session, token).await,
        (false, ["account", "security"]) => security::show(visit, session).await,
        (true, ["account", "security", deed]) => security::act(visit, session, deed).await,
        (false, ["account", "codes"]) => security::codes(visit, session).await,
        (false, ["account", "applications"]) => applications::show(visit, session).await,
        (true, ["account", "applications", deed]) => applications::act(visit, session, deed).await,
        (false, ["device"]) => Ok(device::show(visit)),
        (true, ["device"]) => device::act(visit, session).await,
        (false, ["account", "api"]) => api_access::show(visit, session).await,
        (true, ["account", "api"]) => api_access::rotate(visit, session).await,
        (false, ["confirm"]) => Ok(confirm::show(visit, session)),
        (true, ["confirm"]) => confirm::password(visit, session).await,
        (true, ["confirm", "passkey"]) => confirm::passkey(visit, session).await,
        _ => Ok(dead_end(visit, 404, "missing").answer(visit)),
    }
}

fn is_behind_the_door(segments: &[&str]) -> bool {
    matches!(segments.first(), None | Some(&"organizations" | &"account" | &"confirm" | &"device"))
}

/// The sign-in page, which leads back.
fn ask_to_sign_in(visit: &Visit<'_>) -> Answer {
    let uri = &visit.asked.uri;
    let here = uri.path_and_query().map_or(uri.path(), http::uri::PathAndQuery::as_str);
    if visit.is_post() || here == "/" {
        return go("/sign-in");
    }
    let query = form_urlencoded::Serializer::new(String::new()).append_pair("next", here).finish();
    go(&format!("/sign-in?{query}"))
}

/// A page that says why there is nothing here, and leads on.
fn dead_end(visit: &Visit<'_>, status: u16, name: &str) -> Page {
    let say = &visit.say;
    let heading = say.of(&format!("dead-{name}"));
    let section = Section::new(heading.clone())
        .text(say.of(&format!("dead-{name}.lead")))
        .link("/", say.of("frame-home"));
    Page::narrow(heading, section).status(status)
}

/// The page for somebody who did not get through a form: said above it, or instead of it.
fn refused(visit: &Visit<'_>, page: Page, refusal: Refusal, wrong: &str) -> Result<Answer> {
    Ok(match refusal {
        Refusal::Wrong => page.refuse(visit.say.of(wrong)).answer(visit),
        Refusal::Wait(seconds) => {
            let minutes = i64::try_from(seconds.div_ceil(60)).unwrap_or(i64::MAX);
            let page = page.status(429).refuse(visit.say.count("wrong-wait", minutes));
            page.answer(visit).header(RETRY_AFTER, &seconds.to_string())
        }
        Refusal::Busy => {
            page.status(503).refuse(visit.say.of("wrong-busy")).answer(visit).header(RETRY_AFTER, "2")
        }
        Refusal::Failed(error) => return Err(error),
    })
}

/// What is wrong with a password somebody chose. Who comes while everybody does may come again.
async fn judge(visit: &Visit<'_>, password: &str, about: &[&str]) -> Result<Option<&'static str>> {
    let judged = visit.app.hasher.weakness(password, about).await;
    judged.map_err(|_| Stored::Busy.into())
}

/// What is told of an error that no form is about.
fn excuse(visit: &Visit<'_>, error: &Error) -> Page {
    match error {
        Error::Refused(problems) => {
            let status = problems.first().map_or(500, |problem| problem.status);
            match status {
                404 => dead_end(visit, 404, "missing"),
                429 => dead_end(visit, 429, "many"),
                400..=422 if status != 401 && status != 403 => dead_end(visit, 409, "changed"),
                _ => dead_end(visit, 403, "forbidden"),
            }
        }
        Error::Store(Stored::Busy | Stored::Down | Stored::TooSlow) => dead_end(visit, 503, "busy"),
        Error::Store(error @ Stored::Disk(_)) => {
            tracing::error!("{error}");
            dead_end(visit, 503, "busy")
        }
        Error::Store(Stored::ForeignKey | Stored::Unique { .. }) => dead_end(visit, 409, "changed"),
        Error::Store(error) => {
            log(visit.asked, error);
            dead_end(visit, 500, "broken")
        }
    }
}

fn broken(asked: &Asked, error: &Error) -> Answer {
    if let Some(seconds) = retry_after(error) {
        let answer = Answer::new(503, "text/plain; charset=utf-8", "Service Unavailable\n");
        return answer.header(RETRY_AFTER, &seconds.to_string());
    }
    if let Error::Store(error) = error {
        log(asked, error);
    }
    Answer::new(500, "text/plain; charset=utf-8", "Internal Server Error\n")
}

/// What every answer carries, whatever it is.
fn secured(app: &App, answer: Answer) -> Answer {
    let answer = if answer.sets(&CONTENT_SECURITY_POLICY) {
        answer
    } else {
        answer.header(CONTENT_SECURITY_POLICY, POLICY)
    };
    let answer = answer
        // The path may hold a secret; without the origin browsers would send forms from nowhere.
        .header(REFERRER_POLICY, "strict-origin")
        .header(HeaderName::from_static("x-frame-options"), "DENY")
        .header(HeaderName::from_static("cross-origin-opener-policy"), "same-origin")
        .header(HeaderName::from_static("cross-origin-resource-policy"), "same-origin")
        .header(
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), publickey-credentials-get=(self), \
             publickey-credentials-create=(self)",
        );
    let answer = if answer.sets(&CACHE_CONTROL) { answer } else { answer.header(CACHE_CONTROL, "no-store") };
    if app.config.dashboard().starts_with("https:") {
        return answer.header(HeaderName::from_static("strict-transport-security"), "max-age=31536000");
    }
    answer
}
