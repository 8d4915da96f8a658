//! What accounts and letters cost: ratios to what they cannot do without, the hash and the mail server,
//! measured in one run against the program itself.

mod browser;
mod sink;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use browser::Browser;
use serde_json::{Value as Json, json};
use sink::Sink;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const PASSWORD: &str = "orchid-tram-lantern";
const LETTERS: u64 = 10_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    sign_ins(&runtime);
    letters(&runtime);
}

fn say(line: &str) {
    // Nobody may be looking.
    drop(writeln!(std::io::stdout(), "{line}"));
}

/// The program, serving in a folder of its own.
struct Server {
    child: Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Server {
    fn start(folder: tempfile::TempDir, flags: &[&str]) -> Self {
        let free =
            || std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
        let (address, secure) = (free(), free());
        let child = guildhall(folder.path())
            .args(["serve", "--dev", "--rate-limits", "off", "--listen", &address.to_string()])
            .args(["--tls-listen", &secure.to_string()])
            .args(flags)
            .env("GUILDHALL_LOG_FILTER", "warn")
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        while std::net::TcpStream::connect(address).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, address, folder }
    }

    fn user(&self, email: &str) -> Json {
        let made = guildhall(self.folder.path())
            .args(["--json", "users", "create", "--email", email, "--first-name", "A", "--last-name", "B"])
            .output()
            .expect("it runs");
        serde_json::from_slice(&made.stdout).expect("a user")
    }
}

fn guildhall(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_guildhall"));
    command.arg("--data").arg(data);
    command
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

/// Sign-ins a second, of what the hash alone allows; and what a flood of them does to everybody else.
fn sign_ins(runtime: &tokio::runtime::Runtime) {
    let server = Server::start(folder(), &["--hashers", "1"]);
    let made = server.user("ada@example.com");
    runtime.block_on(async {
        let browser = Browser::new(server.address);
        browser.choose_password(&server.folder.path().join("mail"), "ada@example.com", PASSWORD).await;
        let token = browser.token(&made).await;
        let raw = raw_hashes();
        let quiet = latency(&browser, &token).await;
        let sign_in = browser.sign_in_request("ada@example.com", PASSWORD).await;
        let flood = Flood::start(server.address, &sign_in, 8);
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (before, began) = (flood.count(), Instant::now());
        tokio::time::sleep(Duration::from_secs(8)).await;
        #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 sign-ins")]
        let rate = (flood.count() - before) as f64 / began.elapsed().as_secs_f64();
        let busy = latency(&browser, &token).await;
        flood.stop().await;
        say(&format!(
            "sign-ins with one hashing thread: {rate:.1} a second, of the raw Argon2 rate ({raw:.1} a second): {:.2}",
            rate / raw
        ));
        say(&format!(
            "API reads, 200 a second: p50 {:.2} ms, p99 {:.2} ms; under the flood p50 {:.2} ms, p99 {:.2} ms: {:.2} times",
            quiet.0,
            quiet.1,
            busy.0,
            busy.1,
            busy.1 / quiet.1
        ));
    });
}

/// Argon2id with the program's parameters on one thread, nothing else, a second.
fn raw_hashes() -> f64 {
    let params = Params::new(19 * 1024, 2, 1, None).expect("parameters");
    let mut memory = vec![Block::default(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_secs(5) {
        let mut output = [0; 32];
        argon2
            .hash_password_into_with_memory(PASSWORD.as_bytes(), &[1; 16], &mut output, &mut memory)
            .expect("it hashes");
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

/// Half and all but a hundredth of paced reads took less, in milliseconds.
async fn latency(browser: &Browser, token: &str) -> (f64, f64) {
    let request =
        format!("GET /api/user HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut stream = browser.connect().await;
    let mut times = Vec::new();
    let mut next = Instant::now();
    for _ in 0..1600 {
        next += Duration::from_millis(5);
        tokio::time::sleep_until(next.into()).await;
        let asked = Instant::now();
        browser::exchange(&mut stream, request.as_bytes()).await;
        times.push(asked.elapsed());
    }
    times.sort_unstable();
    let at = |part: usize| times[times.len() * part / 100].as_secs_f64() * 1000.0;
    (at(50), at(99))
}

/// Browsers that sign in over and over.
struct Flood {
    count: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Flood {
    fn start(address: SocketAddr, request: &[u8], browsers: usize) -> Self {
        let (count, stopped) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let tasks = (0..browsers)
            .map(|_| {
                let (request, count, stopped) = (request.to_vec(), count.clone(), stopped.clone());
                tokio::spawn(async move {
                    let mut stream = Browser::new(address).connect().await;
                    while !stopped.load(Ordering::Relaxed) {
                        let answer = browser::exchange(&mut stream, &request).await;
                        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        Self { count, stopped, tasks }
    }

    fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    async fn stop(self) {
        self.stopped.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("signing in does not fail");
        }
    }
}

/// Ten thousand invitations through the API, then out to a mail server, of what a plain client does.
fn letters(runtime: &tokio::runtime::Runtime) {
    let sink = runtime.block_on(Sink::start());
    let mail = format!("smtp://127.0.0.1:{}", sink.port);
    let server = Server::start(folder(), &["--worker", "off", "--mail", &mail]);
    let made = server.user("owner@example.com");
    let queued = runtime.block_on(async {
        let browser = Browser::new(server.address);
        let token = browser.token(&made).await;
        let organization = browser
            .api(
                &token,
                "POST",
                "/api/organizations",
                &json!({ "data": { "type": "organizations", "attributes": { "name": "Blue" } } }),
            )
            .await;
        let id = organization["data"]["id"].as_str().expect("an id").to_owned();
        let roles = browser.api(&token, "GET", &format!("/api/organizations/{id}/roles"), &Json::Null).await;
        let role = roles["data"][0]["id"].as_str().expect("an id").to_owned();
        let began = Instant::now();
        let next = Arc::new(AtomicU64::new(0));
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let (token, id, role, next, address) =
                    (token.clone(), id.clone(), role.clone(), next.clone(), server.address);
                tokio::spawn(async move {
                    let mut stream = Browser::new(address).connect().await;
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= LETTERS {
                            break;
                        }
                        let document = json!({ "data": {
                            "type": "memberships",
                            "attributes": { "user_email": format!("new{number}@example.com") },
                            "relationships": {
                                "organization": { "data": { "type": "organizations", "id": id } },
                                "role": { "data": { "type": "roles", "id": role } },
                            },
                        } });
                        let request = browser::api_request(&token, "POST", "/api/memberships", &document);
                        let answer = browser::exchange(&mut stream, &request).await;
                        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("inviting does not fail");
        }
        began.elapsed()
    });
    let worker = guildhall(server.folder.path())
        .args(["work", "--domain", "guildhall.localhost", "--mail", &mail])
        .env("GUILDHALL_LOG_FILTER", "warn")
        .stdout(Stdio::null())
        .spawn()
        .expect("it starts");
    let worker = Mutex::new(worker);
    while sink.count() < 100 {
        std::thread::sleep(Duration::from_millis(2));
    }
    let (began, from, first) = (Instant::now(), sink.count(), resident(&worker));
    while sink.count() < LETTERS {
        std::thread::sleep(Duration::from_millis(2));
    }
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 letters")]
    let drained = (LETTERS - from) as f64 / began.elapsed().as_secs_f64();
    let last = resident(&worker);
    drop(worker.lock().expect("a lock").kill());
    let sample = sink.sample();
    let plain = runtime.block_on(sink::plain_rate(sink.port, &sample, false));
    let fastest = runtime.block_on(sink::plain_rate(sink.port, &sample, true));
    say(&format!(
        "{LETTERS} invitations queued through the API in {:.1} s; drained {drained:.0} a second, each noted durably before the next",
        queued.as_secs_f64()
    ));
    say(&format!("of the plain client's rate ({plain:.0} a second): {:.2}", drained / plain));
    say(&format!(
        "of the same conversation without an outbox ({fastest:.0} a second): {:.2}",
        drained / fastest
    ));
    say(&format!("memory of the worker: {first:.1} MB after a hundred letters, {last:.1} MB after all"));
}

/// Resident memory of a process, in megabytes.
fn resident(process: &Mutex<Child>) -> f64 {
    let id = process.lock().expect("a lock").id();
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux tells");
    line.trim().trim_end_matches(" kB").parse::<f64>().expect("a number") / 1024.0
}
