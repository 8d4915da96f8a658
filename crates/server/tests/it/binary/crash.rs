//! What was acknowledged survives: the server is killed in the middle of writes, again and again.

use super::process::{Server, json, request, token};
use serde_json::{Value as Json, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ROUNDS: usize = 5;
const WRITERS: usize = 8;

#[test]
fn every_acknowledged_write_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let user = json(
        data,
        &["users", "create", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "L"],
    );
    let acknowledged: Arc<Mutex<Vec<String>>> = Arc::default();
    for round in 0..ROUNDS {
        let mut server = Server::start(data);
        let (address, token) = (server.address, token(server.address, &user));
        let stop = Arc::new(AtomicBool::new(false));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let (stop, acknowledged, token) = (stop.clone(), acknowledged.clone(), token.clone());
                std::thread::spawn(move || {
                    for number in 0.. {
                        if stop.load(Ordering::Relaxed) {
                            break;
                        }
                        let name = format!("Organization {round} {writer} {number}");
                        let body =
                            json!({ "data": { "type": "organizations", "attributes": { "name": name } } })
                                .to_string();
                        match request(address, "POST", "/api/organizations", Some(&token), &body) {
                            Some((201, answer)) => {
                                let made: Json = serde_json::from_str(&answer).unwrap();
                                acknowledged
                                    .lock()
                                    .unwrap()
                                    .push(made["data"]["id"].as_str().unwrap().to_owned());
                            }
                            Some((status, answer)) => panic!("{status}: {answer}"),
                            // The server is gone: nobody said that this one was written.
                            None => break,
                        }
                    }
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        // SIGKILL: no handler runs, nothing is flushed that was not.
        server.child.kill().unwrap();
        server.child.wait().unwrap();
        stop.store(true, Ordering::Relaxed);
        for writer in writers {
            writer.join().unwrap();
        }
    }
    let acknowledged = acknowledged.lock().unwrap().clone();
    assert!(acknowledged.len() > ROUNDS * WRITERS, "only {} writes were acknowledged", acknowledged.len());
    let server = Server::start(data);
    let token = token(server.address, &user);
    for id in &acknowledged {
        let path = format!("/api/organizations/{id}?include=memberships,roles,api_credentials");
        let (status, answer) = request(server.address, "GET", &path, Some(&token), "").unwrap();
        assert_eq!(status, 200, "{id} was acknowledged and is gone");
        // All of it or nothing: two roles, one owner, two credentials.
        let found: Json = serde_json::from_str(&answer).unwrap();
        assert_eq!(found["included"].as_array().unwrap().len(), 5, "{id} is there in part");
    }
    let checks = json(data, &["doctor"]);
    assert!(checks["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true), "{checks}");
}
