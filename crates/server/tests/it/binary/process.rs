//! A `guildhall` process in a folder, and plain HTTP to it.

use serde_json::Value as Json;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_guildhall");

/// A server; it is killed when it goes out of scope.
pub(crate) struct Server {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn start(data: &Path) -> Self {
        let address = free_address();
        Self::of(&mut serve(data, address), address)
    }

    /// The server that a command starts, once it answers there.
    pub(crate) fn of(command: &mut Command, address: SocketAddr) -> Self {
        let mut child = command.stdout(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while request(address, "GET", "/readyz", None, "").is_none_or(|(status, _)| status != 200) {
            assert!(child.try_wait().unwrap().is_none(), "the server ended");
            assert!(began.elapsed() < Duration::from_secs(20), "the server does not answer");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

pub(crate) fn serve(data: &Path, address: SocketAddr) -> Command {
    let mut command = Command::new(BINARY);
    command.args(["serve", "--rate-limits", "off", "--domain", "example.test", "--data"]).arg(data);
    command.arg("--listen").arg(address.to_string());
    command
}

/// Runs a command on a data folder.
pub(crate) fn run(data: &Path, words: &[&str]) -> Output {
    Command::new(BINARY).args(words).arg("--data").arg(data).stdin(Stdio::null()).output().unwrap()
}

/// Runs a command that answers with JSON.
pub(crate) fn json(data: &Path, words: &[&str]) -> Json {
    let output = run(data, &[words, &["--json", "--domain", "example.test"]].concat());
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a command that fails says.
pub(crate) fn refusal(data: &Path, words: &[&str]) -> String {
    let output = run(data, words);
    assert!(!output.status.success(), "{words:?} passed");
    String::from_utf8(output.stderr).unwrap()
}

/// One request over a connection of its own; `None` when it was not answered whole.
pub(crate) fn request(
    address: SocketAddr,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: &str,
) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    let authorization = token.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let media_type = if path.starts_with("/oauth") { "application/json" } else { "application/vnd.api+json" };
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{authorization}content-type: {media_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
    (body.len() == length).then_some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// A token for a user that a command made.
pub(crate) fn token(address: SocketAddr, user: &Json) -> String {
    let body = serde_json::json!({
        "grant_type": "client_credentials", "client_id": user["client_id"], "client_secret": user["client_secret"],
    });
    let (status, answer) = request(address, "POST", "/oauth/token", None, &body.to_string()).unwrap();
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str::<Json>(&answer).unwrap()["access_token"].as_str().unwrap().to_owned()
}
