//! The server under test, in a process of its own on one core, and the floors beside it.

use crate::house::{self, Size};
use crate::load::once;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use guildhall::App;
use guildhall::chance::Chance;
use guildhall::clock::Clock;
use guildhall::config::{Config, Switch};
use guildhall::keys::Use;
use guildhall::resources::users::{self, New};
use guildhall::work::{Author, Work};
use guildhall_store::{Migration, Result, Sql, Sqlite, Value};
use serde_json::{Value as Json, json};
use std::ffi::OsString;
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
    /// It ends with this.
    pub(crate) server: Running,
    pub(crate) address: SocketAddr,
    pub(crate) floor: SocketAddr,
    pub(crate) token: String,
    pub(crate) organization: String,
    pub(crate) role: String,
    pub(crate) membership: String,
    pub(crate) email: String,
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

/// A process of a run; it is killed when it goes out of scope.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

impl Running {
    /// Megabytes of memory it has at this moment.
    pub(crate) fn memory(&self) -> f64 {
        resident(self.0.id())
    }
}

/// How often what is compared is measured, in turns.
pub(crate) const ROUNDS: u32 = 3;

/// The core that works while the other one asks, and both of them.
pub(crate) const ONE: &str = "0";
pub(crate) const BOTH: &str = "0,1";

/// What says where the database is, to the processes of a run.
const DATABASE: &str = "GUILDHALL_BENCH_DATABASE";

/// This program with other words, on some cores.
pub(crate) fn pinned(cores: &str, words: &[&str], database: Option<&str>) -> Running {
    let exe = std::env::current_exe().expect("this program has a path");
    let mut all = vec![exe.into_os_string()];
    all.extend(words.iter().map(OsString::from));
    started(cores, &all, database)
}

/// A program on some cores.
pub(crate) fn started(cores: &str, words: &[OsString], database: Option<&str>) -> Running {
    let mut command = Command::new("taskset");
    command.args(["-c", cores]).args(words).stdout(Stdio::piped());
    if let Some(url) = database {
        command.env(DATABASE, url);
    }
    Running(command.spawn().expect("taskset is there"))
}

pub(crate) fn told(Running(child): &mut Running) -> Json {
    let mut line = String::new();
    let out = child.stdout.as_mut().expect("its output is ours");
    BufReader::new(out).read_line(&mut line).expect("it tells");
    serde_json::from_str(&line).unwrap_or_else(|_| panic!("it told {line:?}"))
}

impl Serving {
    /// On a database at a server, or on a file in the folder.
    pub(crate) fn start(data: &Path, size: u64, database: Option<&str>) -> Self {
        let path = data.to_str().expect("a path of text");
        // Once to fill the database, then as a new process on it.
        let filled = told(&mut pinned(ONE, &["--fill", path, &size.to_string()], database));
        let began = Instant::now();
        let (child, address, floor) = begin(path, ONE, "1", database);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(once(address, b"GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n"));
        let first_answer = began.elapsed().as_secs_f64() * 1000.0;
        std::thread::sleep(Duration::from_millis(500));
        let resident = child.memory();
        let text = |name: &str| filled[name].as_str().expect("a text").to_owned();
        let body = json!({ "grant_type": "client_credentials", "client_id": text("client_id"), "client_secret": text("client_secret") }).to_string();
        let request = format!(
            "POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let granted: Json =
            serde_json::from_slice(&runtime.block_on(once(address, request.as_bytes()))).expect("a token");
        Self {
            server: child,
            address,
            floor,
            token: granted["access_token"].as_str().expect("a token").to_owned(),
            organization: text("organization"),
            role: text("role"),
            membership: text("membership"),
            email: text("email"),
            integration: (text("integration_id"), text("integration_secret")),
            loaded: filled["loaded"].as_f64().expect("a number"),
            signatures: run_signatures(path, ONE, "1", database),
            first_answer,
            resident,
        }
    }
}

impl Serving {
    /// Documents that invite somebody else each.
    pub(crate) fn invitations(&self) -> impl Fn(u64) -> String + Send + Sync + 'static {
        let (organization, role) = (self.organization.clone(), self.role.clone());
        move |number: u64| {
            json!({ "data": {
                "type": "memberships",
                "attributes": { "user_email": format!("new{number}@example.com") },
                "relationships": {
                    "organization": { "data": { "type": "organizations", "id": organization } },
                    "role": { "data": { "type": "roles", "id": role } },
                },
            } })
            .to_string()
        }
    }
}

/// A server on a filled database: its process, its address and that of the floor.
pub(crate) fn begin(
    path: &str,
    cores: &str,
    workers: &str,
    database: Option<&str>,
) -> (Running, SocketAddr, SocketAddr) {
    let mut child = pinned(cores, &["--serve", path, workers], database);
    let told = told(&mut child);
    let port = |name: &str| {
        let port = u16::try_from(told[name].as_u64().expect("a port")).expect("a port");
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    };
    (child, port("address"), port("floor"))
}

/// What a server signs that has both cores, and whoever asks on one of them, a second.
pub(crate) struct Signed {
    /// Tokens.
    pub(crate) tokens: f64,
    /// Answers of a bare handler that does nothing but sign.
    pub(crate) bare: f64,
    /// Signatures of both cores that do nothing else, and nobody asks.
    pub(crate) raw: f64,
}

/// The three in turns, on the average of some rounds: a machine is not the same from one second to the next.
pub(crate) fn signed_by_both(
    data: &Path,
    database: Option<&str>,
    tokens: impl Fn(SocketAddr) -> f64,
    bare: impl Fn(SocketAddr) -> f64,
) -> Signed {
    let path = data.to_str().expect("a path of text");
    let mut sum = Signed { tokens: 0.0, bare: 0.0, raw: 0.0 };
    for _ in 0..ROUNDS {
        sum.raw += run_signatures(path, BOTH, "2", database);
        let (_server, address, floor) = begin(path, BOTH, "2", database);
        sum.bare += bare(floor);
        sum.tokens += tokens(address);
    }
    let mean = |sum: f64| sum / f64::from(ROUNDS);
    Signed { tokens: mean(sum.tokens), bare: mean(sum.bare), raw: mean(sum.raw) }
}

fn run_signatures(path: &str, cores: &str, threads: &str, database: Option<&str>) -> f64 {
    told(&mut pinned(cores, &["--signatures", path, threads], database))["signatures"]
        .as_f64()
        .expect("a number")
}

/// What statements and RSA operations a server has counted so far.
pub(crate) fn counts(floor: SocketAddr) -> (u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let told = runtime.block_on(once(floor, b"GET /counts HTTP/1.1\r\nhost: x\r\n\r\n"));
    let told: Json = serde_json::from_slice(&told).expect("a document");
    (told["statements"].as_u64().expect("a number"), told["rsa"].as_u64().expect("a number"))
}

/// Resident memory of a process, in megabytes.
fn resident(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}

async fn open(data: &str) -> Arc<App> {
    let mut config = Config::try_out(Path::new(data)).expect("settings");
    config.rate_limits = Switch::Off;
    if let Ok(url) = std::env::var(DATABASE) {
        config.database = Some(url);
        config.readers = 8;
    }
    App::open(config, Clock::system(), Chance::system()).await.expect("it opens")
}

/// Fills a database, telling what is in it in a line.
pub(crate) fn fill_it(data: &str, size: u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let line = runtime.block_on(async { fill(&open(data).await, size).await });
    crate::say(&line.to_string());
}

/// Fills a database with a house of many organizations, telling what is in it in a line.
pub(crate) fn fill_house(data: &str, memberships: u64) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let line = runtime.block_on(async { house::fill(&open(data).await, Size::of(memberships)).await });
    crate::say(&line.to_string());
}

/// Serves a database that is filled, telling in a line where.
pub(crate) fn serve(data: &str, workers: usize) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let app = open(data).await;
        let bare = Arc::<Mutex<Bytes>>::default();
        let (counted, one, signing) = (app.clone(), app.clone(), app.clone());
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
            .with_state(bare)
            .route(
                "/row/{id}",
                get(move |axum::extract::Path(id): axum::extract::Path<String>| async move {
                    let row = one.db.read(move |tx| -> Result<_> {
                        let sql = Sql::new("select * from memberships where id = ?", [id.into()]);
                        Ok(tx.rows(&sql)?.first().map(|row| row.text(0).to_owned()))
                    });
                    row.await.expect("it reads").unwrap_or_default()
                }),
            )
            .route("/signed", post(move || async move { sign(&signing) }))
            .route(
                "/counts",
                get(move || async move {
                    let (signed, verified) = counted.keys.operations();
                    json!({ "statements": counted.db.statements(), "rsa": signed + verified }).to_string()
                }),
            );
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
            Work::within(tx, &unit_app, &Author::Operator, None, |work| users::register(work, &new))
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
        let ids: Vec<String> = (first..last).map(|_| app.chance.id(app.clock.now())).collect();
        membership.clone_from(&ids[ids.len() / 2]);
        app.db.write(move |tx| insert(tx, &organization, &role, first, &ids)).await.expect("it is written");
        first = last;
    }
    app.db.write(house::milestones).await.expect("they are counted");
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
pub(crate) fn signatures(data: &str, threads: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let app = runtime.block_on(open(data));
    let began = Instant::now();
    let count = || {
        let mut count = 0_u32;
        while began.elapsed() < Duration::from_secs(2) {
            sign(&app);
            count += 1;
        }
        f64::from(count) / began.elapsed().as_secs_f64()
    };
    let rate: f64 = std::thread::scope(|scope| {
        let signing: Vec<_> = (0..threads).map(|_| scope.spawn(count)).collect();
        signing.into_iter().map(|one| one.join().expect("signing does not fail")).sum()
    });
    crate::say(&json!({ "signatures": rate }).to_string());
}

/// A signature of a token's size.
fn sign(app: &App) -> String {
    app.keys.sign(Use::Access, &json!({ "claims": "x".repeat(400) }), app.clock.now()).expect("it signs")
}

/// How many bare units of three durable statements one core runs a second.
pub(crate) fn run_units(folder: &Path) -> f64 {
    let path = folder.join("units.db");
    told(&mut pinned(ONE, &["--units", path.to_str().expect("a path of text")], None))["units"]
        .as_f64()
        .expect("a number")
}

/// Runs them: insert, update, insert, from 64 callers at once.
pub(crate) fn units(file: &str) {
    let schema = Migration::new(
        1,
        "units",
        "create table units (id text primary key, note text not null);
              create table notes (id bigint primary key, note text not null);
              create table totals (id bigint primary key, total bigint not null);
              insert into totals values (1, 0);",
    );
    let options = Sqlite { file: file.into(), readers: 1, durable: true };
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
