//! The door: hosts and paths, request ids, limits, and what every answer carries.

use crate::App;
use crate::api;
use crate::chance::spell;
use crate::core;
use crate::dashboard;
use crate::hosts::{Host, Origin};
use crate::limits::{Class, Verdict};
use crate::metrics;
use crate::oauth;
use crate::resources;
use crate::traces;
use axum::Router;
use axum::body::{Body, HttpBody as _};
use axum::extract::{ConnectInfo, State};
use bytes::Bytes;
use guildhall_jsonapi::Problem;
use guildhall_store::Sql;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, LOCATION,
    RETRY_AFTER, SET_COOKIE, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use http_body_util::{BodyExt as _, Limited};
use std::borrow::Cow;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tracing::Instrument as _;

/// The largest body that is read, in bytes.
const LARGEST_BODY: usize = 256 * 1024;
/// How long a body may take to arrive.
const SLOWEST_BODY: Duration = Duration::from_secs(30);

/// From how many characters on a part of a path may be a secret.
const LIKE_A_SECRET: usize = 40;

/// A request that has arrived whole.
#[derive(Debug)]
pub struct Asked {
    /// Its id, in the answer and in every line of the log about it.
    pub id: String,
    /// Its method.
    pub method: Method,
    /// Its target.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Asked {
    /// A header that is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The `Authorization` header.
    pub fn authorization(&self) -> Option<&str> {
        self.header("authorization")
    }

    /// The query string, without its question mark.
    pub fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }
}

/// What is answered.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    content_type: Option<&'static str>,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Answer {
    /// An answer with a body.
    pub fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: Some(content_type), headers: Vec::new(), body: body.into() }
    }

    /// An answer without a body.
    pub fn empty(status: u16) -> Self {
        Self { status, content_type: None, headers: Vec::new(), body: Bytes::new() }
    }

    /// Adds a header; one that cannot be sent is left out.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((name, value));
        }
        self
    }

    /// Whether it has such a header of its own.
    pub fn sets(&self, name: &HeaderName) -> bool {
        self.headers.iter().any(|(set, _)| set == name)
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    fn into_response(self, id: &str) -> Response<Body> {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Some(content_type) = self.content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        if let Ok(id) = HeaderValue::from_str(id) {
            headers.insert("x-request-id", id);
        }
        for (name, value) in self.headers {
            if name == SET_COOKIE {
                headers.append(name, value);
            } else {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Everything that answers over HTTP.
pub fn router(app: Arc<App>) -> Router {
    Router::new().fallback(enter).with_state(app)
}

async fn enter(State(app): State<Arc<App>>, request: Request<Body>) -> Response<Body> {
    let began = Instant::now();
    let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map_or(local, |ConnectInfo(peer)| *peer);
    let (parts, body) = request.into_parts();
    let id = request_id(&app, &parts.headers);
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    let origin = Origin::read(&app.config, peer.ip(), authority, &parts.headers);
    let asked = Asked {
        id: id.clone(),
        method: parts.method.clone(),
        uri: parts.uri.clone(),
        headers: parts.headers,
        body: Bytes::new(),
    };
    let path = parts.uri.path();
    let span = traces::request(&id, &parts.method, path, &asked.headers);
    let answer = limited(&app, &origin, asked, body).instrument(span.clone()).await;
    traces::answered(&span, &parts.method, path, answer.status);
    metrics::note(&origin.host, &parts.method, answer.status, began.elapsed());
    tracing::info!(
        request_id = id,
        method = %parts.method,
        path = &*harmless(path),
        status = answer.status,
        micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        "answered"
    );
    let mut response = answer.into_response(&id);
    if app.stopping.load(Ordering::Relaxed) && parts.version <= Version::HTTP_11 {
        // Whoever asks next asks another node.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// A path as it may be logged: what is as long as a secret may be one.
pub(crate) fn harmless(path: &str) -> Cow<'_, str> {
    if path.split('/').all(|segment| segment.len() < LIKE_A_SECRET) {
        return Cow::Borrowed(path);
    }
    let shown = |segment| if str::len(segment) < LIKE_A_SECRET { segment } else { "…" };
    Cow::Owned(path.split('/').map(shown).collect::<Vec<_>>().join("/"))
}

/// The caller's own request id, if it is a harmless one, or a new one.
fn request_id(app: &App, headers: &HeaderMap) -> String {
    let sent = headers.get("x-request-id").and_then(|id| id.to_str().ok());
    let harmless = |id: &&str| {
        (1..=64).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    sent.filter(harmless).map_or_else(|| spell(app.requests.fetch_add(1, Ordering::Relaxed)), str::to_owned)
}

async fn arrive(body: Body) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    match tokio::time::timeout(SLOWEST_BODY, Limited::new(body, LARGEST_BODY).collect()).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let detail = format!("The body is larger than {LARGEST_BODY} bytes.");
            Err(Problem::new(413, "PAYLOAD_TOO_LARGE", "Payload too large", detail))
        }
        Ok(Err(_)) => Err(Problem::bad_request("The body broke off.")),
        Err(_) => {
            Err(Problem::new(408, "REQUEST_TIMEOUT", "Request timeout", "The body took too long to arrive."))
        }
    }
}

/// Counts the request and, unless there were too many, lets its body arrive and answers it.
async fn limited(app: &Arc<App>, origin: &Origin, mut asked: Asked, body: Body) -> Answer {
    let verdict = count(app, origin, &asked);
    let at_dashboard = origin.host == Host::Dashboard;
    let at_auth = asked.uri.path().starts_with("/oauth/") && !is_core(origin, &asked);
    let answer = if let Some(seconds) = verdict.and_then(|verdict| verdict.retry_after) {
        let answer = if at_dashboard {
            dashboard::refuse(app, origin.address, &asked, 429).await
        } else if at_auth {
            oauth::too_many()
        } else {
            api::refuse(&[too_many()])
        };
        answer.header(RETRY_AFTER, &seconds.to_string())
    } else {
        match arrive(body).await {
            Ok(body) => {
                asked.body = body;
                answer(app, origin, &asked).await
            }
            Err(problem) if at_dashboard => {
                dashboard::refuse(app, origin.address, &asked, problem.status).await
            }
            Err(problem) if at_auth => oauth::unreadable(problem.status, &problem.detail),
            Err(problem) => api::refuse(&[problem]),
        }
    };
    let Some(verdict) = verdict.filter(|_| !at_dashboard) else { return answer };
    answer
        .header(HeaderName::from_static("x-ratelimit-limit"), &verdict.limit.to_string())
        .header(HeaderName::from_static("x-ratelimit-interval"), "60")
        .header(HeaderName::from_static("x-ratelimit-remaining"), &verdict.remaining.to_string())
}

/// Counts a request of a limited kind. A browser's question whether it may ask is none.
fn count(app: &App, origin: &Origin, asked: &Asked) -> Option<Verdict> {
    let limiter = app.limiter.as_ref().filter(|_| asked.method != Method::OPTIONS)?;
    let path = asked.uri.path();
    if origin.host == Host::Dashboard {
        return Some(limiter.ask(origin.address, Class::Page, None, app.clock.now()));
    }
    let reads = matches!(asked.method, Method::GET | Method::HEAD);
    if is_core(origin, asked) {
        let (class, endpoint) = core::class(app, asked);
        return Some(limiter.ask(origin.address, class, endpoint, app.clock.now()));
    }
    let (class, endpoint) = match path.strip_prefix("/api/") {
        Some(path) => {
            let resource = resources::at(path.split('/').next().unwrap_or_default());
            (if reads { Class::Read } else { Class::Write }, resource.map(|resource| resource.spec.kind))
        }
        None => match path.strip_suffix('/').unwrap_or(path) {
            "/oauth/token" => (Class::Token, None),
            "/oauth/par" => (Class::Write, Some("par")),
            "/oauth/device_authorization" => (Class::Write, Some("device_authorization")),
            "/oauth/revoke" => (Class::Write, Some("revoke")),
            "/oauth/introspect" => (Class::Read, Some("introspect")),
            "/oauth/userinfo" => (Class::Read, Some("userinfo")),
            _ => return None,
        },
    };
    Some(limiter.ask(origin.address, class, endpoint, app.clock.now()))
}

fn too_many() -> Problem {
    let detail = "Too many requests from this address: wait as Retry-After says.";
    Problem::new(429, "TOO_MANY_REQUESTS", "Too many requests", detail)
}

/// Writes down what failed. A statement can be long; its beginning tells which one it is.
pub fn log(asked: &Asked, error: &guildhall_store::Error) {
    let told: String = error.to_string().chars().take(500).collect();
    tracing::error!(request_id = asked.id, "{told}");
}

/// Whether a request is for an organization's own host.
fn is_core(origin: &Origin, asked: &Asked) -> bool {
    match &origin.host {
        Host::Organization(_) => true,
        Host::Any => core::is_here(asked.uri.path()),
        _ => false,
    }
}

/// Documents that anybody may read, as long as they only read.
async fn page(app: &Arc<App>, path: &str) -> Option<Answer> {
    Some(match path {
        "/healthz" => Answer::new(200, "text/plain; charset=utf-8", "alive\n"),
        "/readyz" => ready(app).await,
        "/openapi.json" => Answer::new(200, "application/json", crate::openapi::text()),
        "/api/public/schemas/organization_config" => {
            Answer::new(200, "application/schema+json", include_str!("../schemas/organization_config.json"))
        }
        _ => return None,
    })
}

/// By host, then by path. On a name that is none of ours, everything answers by its path.
async fn answer(app: &Arc<App>, origin: &Origin, asked: &Asked) -> Answer {
    let path = asked.uri.path();
    let at = |host: &Host| origin.host == *host || origin.host == Host::Any;
    let everywhere = matches!(path, "/healthz" | "/readyz");
    if is_core(origin, asked) && !everywhere {
        let slug = match &origin.host {
            Host::Organization(slug) => Some(slug.as_str()),
            _ => None,
        };
        // Sales channels live in browsers: unless the operator names origins, anybody's page may ask.
        let any = ["*".to_owned()];
        let origins = if app.config.cors_origins.is_empty() { &any[..] } else { &app.config.cors_origins };
        return cors(origins, "GET", asked, core::answer(app, slug, asked).await);
    }
    if everywhere || at(&Host::Provisioning) {
        if let Some(answer) = page(app, path).await {
            let reads = matches!(asked.method, Method::GET | Method::HEAD);
            return if reads { answer } else { api::method_not_allowed(asked.method.as_str(), &["GET"]) };
        }
        if let Some(path) = path.strip_prefix("/api/") {
            return cors(&app.config.cors_origins, METHODS, asked, api::answer(app, asked, path).await);
        }
    }
    if origin.host == Host::Dashboard {
        return dashboard::answer(app, origin.address, asked).await;
    }
    if origin.host == Host::Any && path == "/" {
        return Answer::empty(302).header(LOCATION, &app.config.dashboard());
    }
    if at(&Host::Auth) && !path.starts_with("/api/") {
        return oauth::answer(app, asked).await;
    }
    api::refuse(&[Problem::not_found()])
}

/// What pages of other origins may use at the Provisioning API.
const METHODS: &str = "GET, POST, PATCH, DELETE";
/// The headers of an answer that a page of another origin may read.
pub const EXPOSED: &str = "retry-after, www-authenticate, x-ratelimit-limit, x-ratelimit-interval, x-ratelimit-remaining, x-request-id";

/// Lets pages of these origins read the answer; a page's question beforehand gets its own.
fn cors(origins: &[String], methods: &str, asked: &Asked, answer: Answer) -> Answer {
    let Some(origin) = asked.header("origin").filter(|_| !origins.is_empty()) else { return answer };
    if !origins.iter().any(|allowed| allowed == "*" || allowed == origin) {
        return answer;
    }
    let answer = if asked.method == Method::OPTIONS {
        Answer::empty(204)
            .header(ACCESS_CONTROL_ALLOW_METHODS, methods)
            .header(ACCESS_CONTROL_ALLOW_HEADERS, "authorization, content-type, accept")
            .header(ACCESS_CONTROL_MAX_AGE, "600")
    } else {
        answer.header(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED)
    };
    answer.header(ACCESS_CONTROL_ALLOW_ORIGIN, origin).header(VARY, "origin")
}

/// Whether requests that need the database would be answered. It was migrated before anything listened.
async fn ready(app: &Arc<App>) -> Answer {
    let look =
        |tx: &mut guildhall_store::Tx<'_>| tx.rows(&Sql::text("select 1 from plans limit 1")).map(drop);
    let text = "text/plain; charset=utf-8";
    if app.stopping.load(Ordering::Relaxed) {
        return Answer::new(503, text, "not ready: the server stops\n");
    }
    match app.db.probe(look).await {
        Ok(()) => Answer::new(200, text, "ready\n"),
        Err(error) => {
            tracing::error!("not ready: {error}");
            Answer::new(503, text, "not ready: the database does not answer\n")
        }
    }
}
