//! The server under test, in a process of its own on one core, and the floors beside it.

use crate::load::once;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::get;
use guildhall::App;
use guildhall::chance::Chance;
use guildhall::clock::Clock;
use guildhall::config::{Config, Switch};
use guildhall::keys::Use;
use guildhall::resources::users::{self, New};
use guildhall::work::{Author, Work};
use guildhall_store::{Migration, Options, Result, Sql, Value};
use serde_json::{Value as Json, json};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How many rows one unit of the loader writes.
const BATCH: u64 = 10_000;

/// A server in another process.
pub(crate) struct Serving {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) floor: SocketAddr,
    pub(crate) token: String,
    pub(crate) organization: String,
    pub(crate) role: String,
    pub(crate) membership: String,
    pub(crate) email: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    /// An integration of the organization: its client id and its secret.
    pub(crate) integration: (String, String),
    /// Seconds it took to fill the database.
    pub(crate) loaded: f64,
    /// Milliseconds from the start of the process on the filled database to its first answer.
    pub(crate) first_answer: f64,
    /// Megabytes, before anybody asked.
    pub(crate) resident: f64,
    /// Signatures a second of one core.
    pub(crate) signatures: f64,
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn pinned(words: &[&str]) -> Child {
    let exe = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(exe).args(words).stdout(Stdio::piped());
    command.spawn().expect("taskset is there")
}

fn told(child: &mut Child) -> Json {
    let mut line = String::new();
    let out = child.stdout.as_mut().expect("its output is ours");
    BufReader::new(out).read_line(&mut line).expect("it tells");
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("it told {line:?}"))
}

impl Serving {
    pub(crate) fn start(data: &Path, size: u64) -> Self {
        let path = data.to_str().expect("a path of text");
        // Once to fill the database, then as a new process on it.
        let filled = told(&mut pinned(&["--serve", path, &size.to_string()]));
        let began = Instant::now();
        let mut child = pinned(&["--serve", path, "0"]);
        let told = told(&mut child);
        let port = |name: &str| {
            SocketAddr::from((
                Ipv4Addr::LOCALHOST,
                u16::try_from(told[name].as_u64().expect("a port")).expect("a port"),
            ))
        };
        let (address, floor) = (port("address"), port("floor"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(once(address, b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n"));
        let first_answer = began.elapsed().as_secs_f64() * 1000.0;
        std::thread::sleep(Duration::from_millis(500));
        let resident = resident(child.id());
        let text = |name: &str| filled[name].as_str().expect("a text").to_owned();
        let body = json!({ "grant_type": "client_credentials", "client_id": text("client_id"), "client_secret": text("client_secret") }).to_string();
        let request = format!(
            "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let granted: Json =
            serde_json::from_slice(&runtime.block_on(once(address, request.as_bytes()))).expect("a token");
        Self {
            child,
            address,
            floor,
            token: granted["access_token"].as_str().expect("a token").to_owned(),
            organization: text("organization"),
            role: text("role"),
            membership: text("membership"),
            email: text("email"),
            client_id: text("client_id"),
            client_secret: text("client_secret"),
            integration: (text("integration_id"), text("integration_secret")),
            loaded: filled["loaded"].as_f64().expect("a number"),
            signatures: self::told(&mut pinned(&["--signatures", path]))["signatures"]
                .as_f64()
                .expect("a number"),
            first_answer,
            resident,
        }
    }
}

/// Resident memory of a process, in megabytes.
fn resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

/// Fills a database, or serves one that is filled, telling what there is in a line.
pub(crate) fn serve(data: &str, size: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut config = Config::try_out(Path::new(data)).expect("settings");
        config.rate_limits = Switch::Off;
        let app = App::open(config, Clock::system(), Chance::system()).await.expect("it opens");
        if size > 0 {
            let line = fill(&app, size).await;
            crate::say(&line.to_string());
            return;
        }
        let bare: Arc<Mutex<Bytes>> = Arc::default();
        let answer =
            |State(bare): State<Arc<Mutex<Bytes>>>| async move { bare.lock().expect("a lock").clone() };
        let floor = Router::new()
            .route(
                "/",
                get(answer).post(answer).put(
                    |State(bare): State<Arc<Mutex<Bytes>>>, body: Bytes| async move {
                        *bare.lock().expect("a lock") = body;
                    },
                ),
            )
            .with_state(bare);
        let listen = || {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.set_nonblocking(true).expect("a socket option");
            (
                listener.local_addr().expect("an address").port(),
                axum_server::from_tcp(listener).expect("a listener"),
            )
        };
        let ((address, api), (floor_port, bare)) = (listen(), listen());
        tokio::spawn(bare.serve(floor.into_make_service()));
        let service =
            guildhall::http::router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(api.serve(service));
        crate::say(&json!({ "address": address, "floor": floor_port }).to_string());
        drop(serving.await);
    });
}

/// Fills the database through the store: one organization with all the memberships.
async fn fill(app: &Arc<App>, size: u64) -> Json {
    let new = New {
        email: "owner@example.com".into(),
        first_name: "The".into(),
        last_name: "Owner".into(),
        plan: "enterprise".into(),
    };
    let unit_app = app.clone();
    let made = app
        .db
        .write(move |tx| {
            let mut work = Work {
                tx,
                app: &unit_app,
                now: unit_app.clock.now(),
                author: &Author::Operator,
                request: None,
            };
            users::register(&mut work, &new)
        })
        .await
        .unwrap_or_else(|error| panic!("{error:?}"));
    let router = guildhall::http::router(app.clone());
    let ask = async |path: &str, token: &str, body: Json| -> Json {
        use http_body_util::BodyExt as _;
        use tower::ServiceExt as _;
        let media_type =
            if path.starts_with("/oauth") { "application/json" } else { "application/vnd.api+json" };
        let request = http::Request::post(path)
            .header("content-type", media_type)
            .header("authorization", format!("Bearer {token}"));
        let response = router
            .clone()
            .oneshot(request.body(axum::body::Body::from(body.to_string())).expect("a request"))
            .await
            .expect("an answer");
        serde_json::from_slice(&response.into_body().collect().await.expect("a body").to_bytes())
            .expect("a document")
    };
    let body = json!({ "grant_type": "client_credentials", "client_id": made.client_id, "client_secret": made.client_secret });
    let token = ask("/oauth/token", "", body).await["access_token"].as_str().expect("a token").to_owned();
    let body = json!({ "data": { "type": "organizations", "attributes": { "name": "Large" } } });
    let organization = ask("/api/organizations?include=roles", &token, body).await;
    let role = organization["included"][1]["id"].as_str().expect("a role").to_owned();
    let admin = organization["included"][0]["id"].clone();
    let organization = organization["data"]["id"].as_str().expect("an id").to_owned();
    let link = |kind: &str, id: &Json| json!({ "data": { "type": kind, "id": id } });
    let body = json!({ "data": {
        "type": "api_credentials", "attributes": { "name": "Integration", "kind": "integration" },
        "relationships": { "organization": link("organizations", &json!(organization)), "role": link("roles", &admin) },
    } });
    let integration = ask("/api/api_credentials", &token, body).await["data"]["attributes"].take();
    let began = Instant::now();
    let mut membership = String::new();
    let mut first = 0;
    while first < size {
        let (organization, role) = (organization.clone(), role.clone());
        let last = (first + BATCH).min(size);
        let ids: Vec<String> = (first..last).map(|_| app.chance.id()).collect();
        membership.clone_from(&ids[ids.len() / 2]);
        app.db.write(move |tx| insert(tx, &organization, &role, first, &ids)).await.expect("it is written");
        first = last;
    }
    json!({
        "organization": organization, "role": role, "membership": membership, "email": format!("member{}@example.com", size / 2),
        "integration_id": integration["client_id"], "integration_secret": integration["client_secret"],
        "client_id": made.client_id, "client_secret": made.client_secret, "loaded": began.elapsed().as_secs_f64(),
    })
}

fn insert(
    tx: &mut guildhall_store::Tx<'_>,
    organization: &str,
    role: &str,
    first: u64,
    ids: &[String],
) -> Result<()> {
    for (number, id) in (first..).zip(ids) {
        let email = format!("member{number}@example.com");
        let moment = 1_767_268_800_000 + i64::try_from(number).unwrap_or(0);
        tx.execute(&Sql::new(
            "insert into memberships (id, organization_id, role_id, user_email, user_email_key, status, owner, access_scope,
             created_at, updated_at) values (?, ?, ?, ?, ?, 'pending', false, 'live_access', ?, ?)",
            [id.into(), organization.into(), role.into(), (&email).into(), (&email).into(), moment.into(), moment.into()],
        ))?;
    }
    let added = i64::try_from(ids.len()).unwrap_or(0);
    let sql = "update sizes set size = size + ? where kind = 'memberships' and owner = ?";
    tx.execute(&Sql::new(sql, [added.into(), organization.into()]))?;
    Ok(())
}

/// Signs with the key of an installation for a while, telling how many signatures that makes a second.
pub(crate) fn signatures(data: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let config = Config::try_out(Path::new(data)).expect("settings");
    let app = runtime.block_on(App::open(config, Clock::system(), Chance::system())).expect("it opens");
    let claims = json!({ "claims": "x".repeat(400) });
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_secs(2) {
        app.keys.sign(Use::Access, &claims, app.clock.now()).expect("it signs");
        count += 1;
    }
    let rate = f64::from(count) / began.elapsed().as_secs_f64();
    crate::say(&json!({ "signatures": rate }).to_string());
}

/// How many bare units of three durable statements one core runs a second.
pub(crate) fn run_units(folder: &Path) -> f64 {
    let path = folder.join("units.db");
    told(&mut pinned(&["--units", path.to_str().expect("a path of text")]))["units"]
        .as_f64()
        .expect("a number")
}

/// Runs them: insert, update, insert, from 64 callers at once.
pub(crate) fn units(file: &str) {
    let schema = Migration {
        version: 1,
        title: "units",
        sql: "create table units (id text primary key, note text not null);
              create table notes (id bigint primary key, note text not null);
              create table totals (id bigint primary key, total bigint not null);
              insert into totals values (1, 0);",
    };
    let options = Options { file: file.into(), readers: 1, durable: true };
    let db = options.open(&[schema]).expect("it opens");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let seconds = 4;
    let count = runtime.block_on(async {
        let began = Instant::now();
        let callers: Vec<_> = (0..64_i64)
            .map(|caller| {
                let db = db.clone();
                tokio::spawn(async move {
                    let mut count = 0_i64;
                    while began.elapsed() < Duration::from_secs(seconds) {
                        let id = caller * 10_000_000 + count;
                        db.write(move |tx| -> Result<()> {
                            let note = || Value::from("a few words, as long as a short sentence is");
                            tx.execute(&Sql::new(
                                "insert into units (id, note) values (?, ?)",
                                [id.to_string().into(), note()],
                            ))?;
                            tx.execute(&Sql::text("update totals set total = total + 1 where id = 1"))?;
                            tx.execute(&Sql::new(
                                "insert into notes (id, note) values (?, ?)",
                                [id.into(), note()],
                            ))?;
                            Ok(())
                        })
                        .await
                        .expect("it is written");
                        count += 1;
                    }
                    count
                })
            })
            .collect();
        let mut total = 0;
        for caller in callers {
            total += caller.await.expect("writing does not fail");
        }
        total
    });
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 units")]
    let rate = count as f64 / f64::from(u32::try_from(seconds).unwrap_or(1));
    crate::say(&json!({ "units": rate }).to_string());
}
