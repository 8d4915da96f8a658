//! Keys and secrets that are replaced while a server is busy.

use super::process::{Server, json, refusal, request, run, token};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

const ADA: [&str; 8] =
    ["users", "create", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "L"];

/// Ada's integration: its client id and its secret.
fn integration(server: &Server, ada: &Json) -> (String, String) {
    let token = token(server.address, ada);
    let post = |path: &str, body: Json| -> Json {
        let (status, text) = request(server.address, "POST", path, Some(&token), &body.to_string()).unwrap();
        assert_eq!(status, 201, "{text}");
        serde_json::from_str(&text).unwrap()
    };
    let body = json!({ "data": { "type": "organizations", "attributes": { "name": "Blue" } } });
    let organization = post("/api/organizations?include=roles", body);
    let link = |kind: &str, id: &Json| json!({ "data": { "type": kind, "id": id } });
    let body = json!({ "data": {
        "type": "api_credentials", "attributes": { "name": "X", "kind": "integration" },
        "relationships": {
            "organization": link("organizations", &organization["data"]["id"]),
            "role": link("roles", &organization["included"][0]["id"]),
        },
    } });
    let made = post("/api/api_credentials", body)["data"]["attributes"].take();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("client_id"), text("client_secret"))
}

/// Asks for tokens and uses them until it is told to stop; answers how often that went well.
fn load(server: &Server, client_id: &str, client_secret: &str, stop: &Arc<AtomicBool>) -> JoinHandle<usize> {
    let (address, stop) = (server.address, stop.clone());
    let client = (client_id.to_owned(), client_secret.to_owned());
    let scopes = AtomicUsize::new(0);
    std::thread::spawn(move || {
        let mut count = 0;
        while !stop.load(Ordering::Relaxed) {
            // Another scope is another token, which has to be signed.
            let scope = format!("market:id:m{}", scopes.fetch_add(1, Ordering::Relaxed));
            let body = json!({
                "grant_type": "client_credentials", "client_id": client.0, "client_secret": client.1, "scope": scope,
            });
            let (status, text) = request(address, "POST", "/oauth/token", None, &body.to_string()).unwrap();
            assert_eq!(status, 200, "{text}");
            let token: Json = serde_json::from_str(&text).unwrap();
            let (status, text) =
                request(address, "GET", "/api/organization", token["access_token"].as_str(), "").unwrap();
            assert_eq!(status, 200, "{text}");
            count += 1;
        }
        count
    })
}

fn key_file(data: &Path) -> String {
    std::fs::read_to_string(data.join("secret.key")).unwrap()
}

#[test]
fn the_key_of_the_secrets_is_replaced_under_load() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    let ada = json(data, &ADA);
    let (client_id, client_secret) = integration(&server, &ada);
    let before = key_file(data);
    let stop = Arc::new(AtomicBool::new(false));
    let loads: Vec<_> = (0..2).map(|_| load(&server, &client_id, &client_secret, &stop)).collect();
    let done = json(data, &["keys", "rotate"]);
    assert!(done["sealed"].as_u64().unwrap() >= 5, "{done}");
    stop.store(true, Ordering::Relaxed);
    for load in loads {
        assert!(load.join().unwrap() > 0);
    }
    // The key of before only opens, until it is forgotten.
    let after = key_file(data);
    assert!(after.contains(before.trim()) && !after.starts_with(before.trim()));
    assert_eq!(json(data, &["keys", "list"])["sealing"], json!(2));
    assert_eq!(json(data, &["keys", "forget"])["sealing"], json!(1));
    assert!(!key_file(data).contains(before.trim()));
    let credentials = json(data, &["credentials", "list", "--slug", "blue"]);
    assert_eq!(credentials.as_array().unwrap().len(), 3);
    drop(server);
    let server = Server::start(data);
    let shown =
        request(server.address, "GET", "/api/api_credentials", Some(&token(server.address, &ada)), "")
            .unwrap()
            .1;
    assert!(shown.contains(&client_secret));
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(data.join("secret.key")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_rotation_that_broke_off_is_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let ada = json(data, &ADA);
    let old = key_file(data);
    // As if it had been stopped right after it began: the new key is in the file, and nothing is sealed with it.
    let other = tempfile::tempdir().unwrap();
    json(other.path(), &ADA);
    let begun = format!("{}\n{}\n", key_file(other.path()).trim(), old.trim());
    std::fs::write(data.join("secret.key"), begun).unwrap();
    let both = key_file(data);
    assert!(both.contains(old.trim()));
    let listed = String::from_utf8(run(data, &["keys", "list"]).stdout).unwrap();
    assert!(listed.contains("another one is kept to open what was sealed before"), "{listed}");
    json(data, &["keys", "rotate"]);
    // It was gone on with: no third key was made, and all is sealed with the second.
    assert_eq!(key_file(data).lines().next(), both.lines().next());
    json(data, &["keys", "rotate"]);
    assert!(!key_file(data).contains(old.trim()), "the next rotation forgets it");
    let server = Server::start(data);
    token(server.address, &ada);
}

#[test]
fn new_signing_keys_are_known_to_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    let ada = json(data, &ADA);
    let old = token(server.address, &ada);
    let ask = |token: &str| request(server.address, "GET", "/api/user", Some(token), "").unwrap().0;
    let listed = json(data, &["keys", "rotate", "--signing"]);
    assert_eq!(listed["signing"].as_array().unwrap().len(), 4);
    assert_eq!(ask(&old), 200);
    json(data, &["keys", "rotate", "--signing", "--now"]);
    // The server looks once a second.
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(ask(&old), 401);
    let new = token(server.address, &ada);
    assert_eq!(ask(&new), 200);
    let text = String::from_utf8(run(data, &["keys", "list"]).stdout).unwrap();
    assert_eq!(text.matches("  signs\n").count(), 2, "{text}");
    assert!(!text.contains("is believed"), "{text}");
    let usage = refusal(data, &["keys", "rotate", "--now"]);
    assert!(usage.contains("--signing"), "{usage}");
}

#[test]
fn a_secret_is_replaced_under_load_and_seen_to_be_unused() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    let ada = json(data, &ADA);
    let (client_id, old) = integration(&server, &ada);
    let id = ["--client-id", client_id.as_str()];
    let command = |words: &[&str]| json(data, &[&["credentials"], words, &id[..]].concat());
    let stop = Arc::new(AtomicBool::new(false));
    let first = load(&server, &client_id, &old, &stop);
    let made = command(&["rotate", "--overlap", "1"]);
    let new = made["client_secret"].as_str().unwrap();
    let second = load(&server, &client_id, new, &stop);
    std::thread::sleep(Duration::from_millis(500));
    stop.store(true, Ordering::Relaxed);
    assert!(first.join().unwrap() > 5 && second.join().unwrap() > 5);
    std::thread::sleep(Duration::from_millis(1500));
    let secrets = command(&["secrets"]);
    assert_eq!(secrets.as_array().unwrap().len(), 2);
    for secret in secrets.as_array().unwrap() {
        assert!(secret["last_used_at"].is_string(), "{secret}");
    }
    assert!(secrets[0]["expires_at"].is_string() && secrets[1]["expires_at"].is_null());
    let text =
        String::from_utf8(run(data, &["credentials", "secrets", "--client-id", &client_id]).stdout).unwrap();
    assert_eq!(text.matches("in use").count(), 2, "{text}");
    let first = secrets[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(command(&["retire", "--secret", &first])["state"], json!("without that secret"));
    let ask = |secret: &str| {
        let body =
            json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": secret });
        request(server.address, "POST", "/oauth/token", None, &body.to_string()).unwrap().0
    };
    assert_eq!((ask(&old), ask(new)), (401, 200));
    assert_eq!(command(&["disable"])["state"], json!("disabled"));
    assert_eq!(ask(new), 401);
    assert_eq!(command(&["enable"])["state"], json!("enabled"));
    assert_eq!(ask(new), 200);
    let slug = ["--slug", "blue"];
    assert_eq!(json(data, &[&["organizations", "disable"], &slug[..]].concat())["state"], json!("disabled"));
    assert_eq!(ask(new), 401);
    assert_eq!(json(data, &[&["organizations", "enable"], &slug[..]].concat())["state"], json!("enabled"));
    assert_eq!(ask(new), 200);
    let last = made["secret_id"].as_str().unwrap();
    for (words, line) in [
        (
            &["credentials", "retire", "--client-id", &client_id, "--secret", last][..],
            "The only secret of a credential cannot be removed: add another one first.",
        ),
        (
            &["credentials", "rotate", "--client-id", "x"],
            "there is no credential x: see guildhall credentials list --slug SLUG",
        ),
        (
            &["credentials", "secrets", "--client-id", "x"],
            "there is no credential x: see guildhall credentials list --slug SLUG",
        ),
        (
            &["organizations", "disable", "--slug", "x"],
            "there is no organization x: see guildhall organizations list",
        ),
        (
            &["credentials", "list", "--slug", "x"],
            "there is no organization x: see guildhall organizations list",
        ),
    ] {
        assert_eq!(refusal(data, words), format!("guildhall: {line}\n"), "{words:?}");
    }
}

#[test]
fn a_client_id_that_begins_with_a_dash_is_one() {
    let folder = tempfile::tempdir().unwrap();
    json(folder.path(), &ADA);
    let said = refusal(folder.path(), &["credentials", "rotate", "--client-id", "-KdjLFamru46"]);
    assert!(said.starts_with("guildhall: ") && said.contains("-KdjLFamru46"), "{said}");
}
