//! People who use an installation of their own: `let ada = guild.user("ada").await; ada.get("/api/user").await`.
//!
//! Every answer they get is checked against the API description before they see it.

use crate::browser::PASSWORD;
use crate::contract;
use crate::transcript;
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use guildhall::App;
use guildhall::access::PROVISIONING;
use guildhall::chance::Chance;
use guildhall::clock::Clock;
use guildhall::config::{Config, Switch};
use guildhall::crypto::Vault;
use guildhall::mail::transport::{Lane, Way};
use guildhall::mail::worker;
use guildhall::resources::users::{self, New};
use guildhall::work::{Author, Work};
use guildhall_jsonapi::Error;
use guildhall_store::throw_away::ThrowAway;
use guildhall_store::{Options, Sql, Value as Cell};
use http::{HeaderMap, Request};
use http_body_util::BodyExt as _;
use serde_json::{Value as Json, json};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

/// 2026-01-01T12:00:00Z.
pub(crate) const NOON: i64 = 1_767_268_800_000;
pub(crate) const SECOND: i64 = 1000;
pub(crate) const HOUR: i64 = 60 * 60 * SECOND;
pub(crate) const DAY: i64 = 24 * 60 * 60 * SECOND;

/// What is answered to somebody who may see a thing and not do this to it.
pub(crate) const FORBIDDEN: &str =
    "401 UNAUTHORIZED: You are not authorized to perform this action on the requested resource.";
/// What is answered to somebody who may not know of a thing.
pub(crate) const MISSING: &str =
    "404 RECORD_NOT_FOUND: The requested resource was not found. Please double-check the resource id.";

/// What all installations of a test run have logged.
static LOG: Log = Log(Mutex::new(Vec::new()));

/// Where log lines go in tests.
struct Log(Mutex<Vec<u8>>);

impl std::io::Write for &Log {
    fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(text);
        Ok(text.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Guild {
    /// No line that was logged meanwhile may hold a secret: none that is made has fewer than forty characters,
    /// and no test knows but one password.
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let lines = self.log();
        let is_secret = |word: &str| word.len() >= 40 || word.contains(PASSWORD) || word.contains("argon2id");
        let kept = |one: char| one.is_ascii_alphanumeric() || "-_$".contains(one);
        let found = lines.lines().find(|line| line.split(|one| !kept(one)).any(is_secret));
        assert_eq!(found, None, "a secret is in the log");
    }
}

/// An installation with a clock that stands still and ids that count.
pub(crate) struct Guild {
    pub(crate) app: Arc<App>,
    pub(crate) folder: Arc<TempDir>,
    database: Arc<ThrowAway>,
    /// Another node on the same database, where there can be one: it gets what is asked while something else is.
    other: Option<Router>,
    /// How much is asked at this moment.
    asking: AtomicUsize,
    router: Router,
    now: Arc<AtomicI64>,
    /// How far the clock moves each time somebody looks at it.
    step: Arc<AtomicI64>,
    /// Where its lines in the log begin.
    logged: usize,
}

/// The schema and signing keys take a while to make, so all installations of a test run begin as copies of one.
static TEMPLATE: OnceCell<(ThrowAway, TempDir)> = OnceCell::const_new();

impl Guild {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// With settings of one's own.
    pub(crate) async fn with(settle: impl FnOnce(&mut Config)) -> Self {
        let log = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_env_filter("guildhall=trace,guildhall::spans=off,info");
        // The first test of a run sets it up for all of them.
        log.with_writer(|| &LOG).try_init().ok();
        let logged = LOG.0.lock().unwrap().len();
        let template = TEMPLATE.get_or_init(make_template).await;
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let database = Arc::new(ThrowAway::like(&template.0, folder.path()));
        let now = Arc::new(AtomicI64::new(NOON));
        let mut config = settings(folder.path());
        settle(&mut config);
        let (ticking, step) = (now.clone(), Arc::<AtomicI64>::default());
        let stepping = step.clone();
        let clock =
            Clock::new(move || ticking.fetch_add(stepping.load(Ordering::Relaxed), Ordering::Relaxed));
        let open = async |chance: Chance| {
            App::with(config.clone(), database.options(), vault(), clock.clone(), chance).await.unwrap()
        };
        let app = open(Chance::counting()).await;
        let other = if app.db.is_server() {
            Some(guildhall::http::router(open(Chance::system()).await))
        } else {
            None
        };
        let router = guildhall::http::router(app.clone());
        Self { app, folder, database, other, asking: AtomicUsize::new(0), router, now, step, logged }
    }

    /// The same installation in a process that knows nothing but what is on disk.
    pub(crate) async fn restarted(&self) -> Self {
        let config = self.app.config.clone();
        let (clock, options) = (self.app.clock.clone(), self.database.options());
        let app = App::with(config, options, vault(), clock, Chance::system()).await.unwrap();
        let router = guildhall::http::router(app.clone());
        let (folder, database) = (self.folder.clone(), self.database.clone());
        Self {
            router,
            app,
            other: None,
            asking: AtomicUsize::new(0),
            folder,
            database,
            now: self.now.clone(),
            step: self.step.clone(),
            logged: self.logged,
        }
    }

    /// The database.
    pub(crate) fn options(&self) -> &Options {
        self.database.options()
    }

    /// What was logged since it was made, by whichever installation.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&LOG.0.lock().unwrap()[self.logged..]).into_owned()
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, millis: i64) {
        self.now.fetch_add(millis, Ordering::Relaxed);
    }

    /// Lets so much time pass whenever somebody looks at the clock.
    pub(crate) fn tick(&self, millis: i64) {
        self.step.store(millis, Ordering::Relaxed);
    }

    /// A user of the default plan, signed up with `<name>@example.com`.
    pub(crate) async fn user(&self, name: &str) -> Person<'_> {
        self.user_on(name, &self.app.config.default_plan).await
    }

    /// A user of another plan.
    pub(crate) async fn user_on(&self, name: &str, plan: &str) -> Person<'_> {
        let new = New {
            email: format!("{name}@example.com"),
            first_name: capitalized(name),
            last_name: "Example".to_owned(),
            plan: plan.to_owned(),
        };
        let email = new.email.clone();
        let made = self.operate(move |work| users::register(work, &new)).await.unwrap();
        let mut person = Person { guild: self, id: made.user, email, token: None, address: address(1) };
        let granted = person
            .post(
                "/oauth/token",
                json!({
                    "grant_type": "client_credentials",
                    "client_id": made.client_id,
                    "client_secret": made.client_secret,
                    "scope": PROVISIONING,
                }),
            )
            .await;
        person.token = granted.json()["access_token"].as_str().map(str::to_owned);
        person
    }

    /// A user with a new token: those of before have ended.
    pub(crate) async fn with_new_token(&self, email: &'static str) -> Person<'_> {
        let made = self
            .operate(move |work| {
                let user = users::by_email(work, email)?.unwrap();
                users::rotate_secret(work, &user)
            })
            .await
            .unwrap();
        let credentials = json!({
            "grant_type": "client_credentials", "client_id": made.client_id, "client_secret": made.client_secret,
        });
        let granted = self.nobody().post("/oauth/token", credentials).await.json();
        let token = granted["access_token"].as_str().map(str::to_owned);
        Person { id: made.user, email: email.to_owned(), token, ..self.nobody() }
    }

    /// Somebody without a token.
    pub(crate) fn nobody(&self) -> Person<'_> {
        Person { guild: self, id: String::new(), email: String::new(), token: None, address: address(1) }
    }

    /// Somebody with this token.
    pub(crate) fn bearer(&self, token: &str) -> Person<'_> {
        Person { token: Some(token.to_owned()), ..self.nobody() }
    }

    /// Answers a request from an address.
    pub(crate) async fn answer(&self, request: Request<Body>, address: IpAddr) -> Reply {
        self.answer_at(request, address, false).await
    }

    /// The same at the other node, where there is one.
    pub(crate) async fn answer_at(
        &self,
        mut request: Request<Body>,
        address: IpAddr,
        elsewhere: bool,
    ) -> Reply {
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((address, 4711))));
        let others = self.asking.fetch_add(1, Ordering::Relaxed);
        if others > 0 {
            // Before anything of it is answered: whether the one before it is answered first is nobody's to say either.
            transcript::end();
        }
        let router = self.other.as_ref().filter(|_| elsewhere || others % 2 == 1).unwrap_or(&self.router);
        let asked = format!("{} {}", request.method(), request.uri());
        let response = router.clone().oneshot(request).await.unwrap();
        self.asking.fetch_sub(1, Ordering::Relaxed);
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        transcript::note(&asked, parts.status, &body);
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }

    /// Does something as the operator.
    pub(crate) async fn operate<T: Send + 'static>(
        &self,
        mut unit: impl FnMut(&mut Work<'_, '_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let app = self.app.clone();
        self.app.db.write(move |tx| Work::within(tx, &app, &Author::Operator, None, &mut unit)).await
    }

    /// Commits something that changes nothing: whatever was remembered for as long as nothing was, is looked up again.
    pub(crate) async fn touch(&self) {
        let touched = self.app.db.write(|tx| tx.execute(&Sql::text("update plans set name = name")));
        assert_ne!(touched.await.unwrap(), 0);
    }

    /// A number from the database.
    pub(crate) async fn number(&self, sql: &'static str) -> i64 {
        self.number_of(sql, []).await
    }

    /// A number from the database, for some arguments.
    pub(crate) async fn number_of<const N: usize>(&self, sql: &'static str, args: [Cell; N]) -> i64 {
        self.app
            .db
            .read(move |tx| -> Result<i64, guildhall_store::Error> {
                Ok(tx.rows(&Sql::new(sql, args))?.first().map_or(0, |row| row.int(0)))
            })
            .await
            .unwrap()
    }

    /// The letters that were written, as they would arrive, oldest first.
    pub(crate) async fn letters(&self) -> Vec<String> {
        let folder = self.folder.path().join("mail");
        let mut lane = Lane::new("0", Way::Folder(folder.clone()));
        let (_going, stop) = tokio::sync::watch::channel(false);
        while worker::send_some(&self.app, &mut lane, &stop).await.unwrap().settled > 0 {}
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .map(|files| files.map(|file| file.unwrap().path()).collect())
            .unwrap_or_default();
        files.sort();
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
    }
}

async fn make_template() -> (ThrowAway, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let database = ThrowAway::new(folder.path());
    let clock = Clock::new(|| NOON);
    App::with(settings(folder.path()), database.options(), vault(), clock, Chance::system()).await.unwrap();
    (database, folder)
}

fn settings(folder: &Path) -> Config {
    let mut config = Config::try_out(folder).unwrap();
    "example.test".clone_into(&mut config.domain);
    config.rate_limits = Switch::Off;
    config.few_places = few_places().unwrap_or(config.few_places);
    config
}

/// From how many organizations on a caller's are many, where a run is about that.
pub(crate) fn few_places() -> Option<usize> {
    std::env::var("GUILDHALL_TEST_FEW_PLACES").ok()?.parse().ok()
}

fn vault() -> Vault {
    Vault::new(&[7; 32]).unwrap()
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn address(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

/// Somebody who asks.
#[derive(Clone)]
pub(crate) struct Person<'g> {
    guild: &'g Guild,
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) token: Option<String>,
    pub(crate) address: IpAddr,
}

impl<'g> Person<'g> {
    /// Where they are.
    pub(crate) fn guild(&self) -> &'g Guild {
        self.guild
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask(self.request("GET", path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: Json) -> Reply {
        self.send("POST", path, body.to_string()).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Json) -> Reply {
        self.send("PATCH", path, body.to_string()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send("DELETE", path, String::new()).await
    }

    /// Sends any body with any method.
    pub(crate) async fn send(&self, method: &str, path: &str, body: impl Into<Body>) -> Reply {
        let media_type =
            if path.starts_with("/oauth") { "application/json" } else { "application/vnd.api+json" };
        self.ask(self.request(method, path).header("content-type", media_type).body(body.into()).unwrap())
            .await
    }

    /// A request with this person's token, to be completed.
    pub(crate) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let request = Request::builder().method(method).uri(path).header("x-request-id", "test");
        match &self.token {
            Some(token) => request.header("authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    /// Sends a request as it is.
    pub(crate) async fn ask(&self, request: Request<Body>) -> Reply {
        let host = request.headers().get("host").and_then(|host| host.to_str().ok());
        let is_page = host.is_some_and(|host| host.starts_with("dashboard."));
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let reply = self.guild.answer(request, self.address).await;
        if !is_page {
            contract::check(&method, &path, &reply);
        }
        reply
    }

    /// Makes an organization.
    pub(crate) async fn creates_organization(&self, name: &str) -> Organization<'g> {
        let made = self
            .post(
                "/api/organizations",
                json!({ "data": { "type": "organizations", "attributes": { "name": name } } }),
            )
            .await;
        assert_eq!(made.status, 201, "{}", made.text());
        let id = made.id();
        let roles = self.get(&format!("/api/organizations/{id}/roles")).await.json();
        let role = |kind: &str| {
            let roles = roles["data"].as_array().unwrap();
            let role = roles.iter().find(|role| role["attributes"]["kind"] == kind).unwrap();
            role["id"].as_str().unwrap().to_owned()
        };
        Organization { owner: self.clone(), admin: role("admin"), read_only: role("read_only"), id }
    }
}

/// An organization, as its owner knows it.
#[derive(Clone)]
pub(crate) struct Organization<'g> {
    pub(crate) owner: Person<'g>,
    pub(crate) id: String,
    /// The id of the Admin role.
    pub(crate) admin: String,
    /// The id of the Read-only role.
    pub(crate) read_only: String,
}

impl Organization<'_> {
    /// Its linkage.
    pub(crate) fn link(&self) -> Json {
        link("organizations", &self.id)
    }

    /// Invites an address; answers the membership's id.
    pub(crate) async fn invites(&self, email: &str, role: &str) -> String {
        let made = self.owner.post("/api/memberships", self.invitation(email, role)).await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.id()
    }

    /// The document that invites an address.
    pub(crate) fn invitation(&self, email: &str, role: &str) -> Json {
        json!({ "data": {
            "type": "memberships",
            "attributes": { "user_email": email },
            "relationships": { "organization": self.link(), "role": link("roles", role) },
        } })
    }

    /// Makes something in it with these attributes and further relationships; answers its id.
    pub(crate) async fn makes(&self, kind: &str, attributes: Json, relationships: Json) -> String {
        let mut relationships = relationships;
        relationships["organization"] = self.link();
        if kind == "permissions" {
            relationships.as_object_mut().unwrap().remove("organization");
        }
        let document =
            json!({ "data": { "type": kind, "attributes": attributes, "relationships": relationships } });
        let made = self.owner.post(&format!("/api/{kind}"), document).await;
        assert_eq!(made.status, 201, "{}", made.text());
        made.id()
    }

    /// Makes a custom role.
    pub(crate) async fn custom_role(&self, name: &str) -> String {
        self.makes("roles", json!({ "name": name }), json!({})).await
    }
}

/// A to-one relationship as it is sent.
pub(crate) fn link(kind: &str, id: &str) -> Json {
    json!({ "data": { "type": kind, "id": id } })
}

/// An update as it is sent.
pub(crate) fn change(kind: &str, id: &str, attributes: Json) -> Json {
    json!({ "data": { "type": kind, "id": id, "attributes": attributes } })
}

/// Runs everything at once and waits for all of it.
pub(crate) async fn at_once<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    transcript::end();
    let mut running: Vec<_> = all.map(Box::pin).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        running.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => {
                done.push(output);
                false
            }
            std::task::Poll::Pending => true,
        });
        if running.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    done
}

/// A document to look at, without the values of the top-level members that are never twice the same.
pub(crate) fn pretty(document: &Json, hidden: &[&str]) -> String {
    let mut document = document.clone();
    for name in hidden {
        document[*name] = json!("…");
    }
    format!("{document:#}")
}

/// What somebody was answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    pub(crate) fn json(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {}", self.text()))
    }

    /// The document, or null when there is none.
    pub(crate) fn json_or_null(&self) -> Json {
        serde_json::from_slice(&self.body).unwrap_or(Json::Null)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The id of the one resource.
    pub(crate) fn id(&self) -> String {
        self.json()["data"]["id"].as_str().unwrap().to_owned()
    }

    /// An attribute of the one resource.
    pub(crate) fn attribute(&self, name: &str) -> Json {
        self.json()["data"]["attributes"][name].clone()
    }

    /// The ids of a collection.
    pub(crate) fn ids(&self) -> Vec<String> {
        let json = self.json();
        let data = json["data"].as_array().unwrap_or_else(|| panic!("{json}"));
        data.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Every problem in a line: status, code, pointer if there is one, detail.
    pub(crate) fn problems(&self) -> Vec<String> {
        let json = self.json();
        let errors = json["errors"].as_array().unwrap_or_else(|| panic!("{json}"));
        let text = |value: &Json| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        errors
            .iter()
            .map(|error| {
                let pointer = error["source"]["pointer"]
                    .as_str()
                    .map(|pointer| format!(" {pointer}"))
                    .unwrap_or_default();
                format!(
                    "{} {}{pointer}: {}",
                    text(&error["status"]),
                    text(&error["code"]),
                    text(&error["detail"])
                )
            })
            .collect()
    }
}
