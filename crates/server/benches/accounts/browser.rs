//! Just enough of a browser and of an API client to ask over one connection.

use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The host of the pages, as a try-out has it.
const PAGES: &str = "dashboard.guildhall.localhost";

pub(crate) struct Browser {
    address: SocketAddr,
}

impl Browser {
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket option");
        stream
    }

    /// Opens a page; answers the cookie and what its forms carry.
    async fn open(&self, path: &str) -> (String, String) {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {PAGES}\r\n\r\n");
        let answer = exchange(&mut self.connect().await, request.as_bytes()).await;
        let between = |from: &str, to: &str| {
            let rest = answer.split(from).nth(1).unwrap_or_else(|| panic!("no {from} in {answer}"));
            rest.split(to).next().expect("a part").to_owned()
        };
        (between("set-cookie: ", ";"), between("name=\"csrf\" value=\"", "\""))
    }

    async fn form(&self, path: &str, open: &str, fields: &[(&str, &str)]) -> Vec<u8> {
        let (cookie, csrf) = self.open(open).await;
        let mut body = form_urlencoded::Serializer::new(String::new());
        let body = body.append_pair("csrf", &csrf).extend_pairs(fields).finish();
        format!(
            "POST {path} HTTP/1.1\r\nhost: {PAGES}\r\ncookie: {cookie}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// A request that signs in, as often as it is sent.
    pub(crate) async fn sign_in_request(&self, email: &str, password: &str) -> Vec<u8> {
        self.form("/sign-in", "/sign-in", &[("email", email), ("password", password)]).await
    }

    /// Gives somebody the operator made a password, by the letter they get.
    pub(crate) async fn choose_password(&self, mail: &Path, email: &str, password: &str) {
        let request = self.form("/reset", "/reset", &[("email", email)]).await;
        exchange(&mut self.connect().await, &request).await;
        let letter = loop {
            let letter = std::fs::read_dir(mail).ok().and_then(|mut files| files.next());
            if let Some(Ok(letter)) = letter {
                break std::fs::read_to_string(letter.path()).expect("a letter");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let letter = letter.replace("=\r\n", "");
        let path = format!("/reset/{}", &letter.split("/reset/").nth(1).expect("a link")[..43]);
        let request = self.form(&path, &path, &[("password", password)]).await;
        let answer = exchange(&mut self.connect().await, &request).await;
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        // What was given before this second has ended with the old password.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    /// A token of somebody's personal application.
    pub(crate) async fn token(&self, made: &Json) -> String {
        let document = json!({
            "grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"],
        });
        let body = document.to_string();
        let request = format!(
            "POST /oauth/token HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let answer = exchange(&mut self.connect().await, request.as_bytes()).await;
        document_of(&answer)["access_token"].as_str().expect("a token").to_owned()
    }

    /// Asks the API once.
    pub(crate) async fn api(&self, token: &str, method: &str, path: &str, document: &Json) -> Json {
        let request = api_request(token, method, path, document);
        document_of(&exchange(&mut self.connect().await, &request).await)
    }
}

pub(crate) fn api_request(token: &str, method: &str, path: &str, document: &Json) -> Vec<u8> {
    let body = if document.is_null() { String::new() } else { document.to_string() };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-type: application/vnd.api+json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn document_of(answer: &str) -> Json {
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"))
}

/// Sends a request and reads its whole answer.
pub(crate) async fn exchange(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.expect("the server reads");
    let mut buffer = Vec::with_capacity(16 * 1024);
    loop {
        assert!(stream.read_buf(&mut buffer).await.expect("the server answers") > 0, "the server hung up");
        let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let head = String::from_utf8_lossy(&buffer[..end]);
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse::<usize>().expect("a number"));
        if buffer.len() >= end + 4 + length {
            return String::from_utf8(buffer).expect("text");
        }
    }
}
