//! What each operation costs in a small house and in one of millions, in a small organization and in the largest one.

use crate::load::{Connection, over_and_over, percentile};
use crate::operations::{Operation, Step, operations, request};
use crate::serving::{BOTH, ONE, begin, pinned, told};
use guildhall_store::throw_away::ThrowAway;
use serde_json::Value as Json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(300);
const MEASURED: Duration = Duration::from_secs(1);

/// How it went.
struct Measured {
    rate: f64,
    p50: f64,
    p99: f64,
}

/// Numbers that no two requests of a run share.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Fills a house of each size, asks it everything that has one of these words in its name (no word: everything), and tells
/// how much dearer it is in the large one.
pub(crate) fn run(sizes: &[u64], only: &[&String]) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the databases");
    let mut first: Vec<Measured> = Vec::new();
    for size in sizes {
        let data = folder.path().join(size.to_string());
        let database = ThrowAway::new(&data);
        let url = database.url();
        let path = data.to_str().expect("a path of text");
        let filled = told(&mut pinned(BOTH, &["--fill-house", path, &size.to_string()], url));
        tidy(&data, url);
        crate::say(&format!(
            "{} memberships of {} users in {} organizations, loaded in {:.0} s",
            filled["memberships"],
            filled["users"],
            filled["organizations"],
            filled["loaded"].as_f64().unwrap_or(0.0)
        ));
        let (server, address, _) = begin(path, ONE, "1", url);
        let operations: Vec<Operation> = ["small", "largest"]
            .iter()
            .flat_map(|place| operations(address, place, &filled[*place]))
            .filter(|operation| {
                only.is_empty() || only.iter().any(|word| operation.name.contains(word.as_str()))
            })
            .collect();
        let heading = ["operation", "a second", "p50 ms", "p99 ms", "dearer"];
        crate::say(&format!(
            "{:<84}{:>10}{:>10}{:>10}{:>10}",
            heading[0], heading[1], heading[2], heading[3], heading[4]
        ));
        let mut all = Vec::new();
        for (index, operation) in operations.iter().enumerate() {
            let one = measure(address, operation);
            let dearer = first
                .get(index)
                .map_or_else(|| "-".to_owned(), |first| format!("{:.2}", first.rate / one.rate));
            crate::say(&format!(
                "{:<84}{:>10.0}{:>10.2}{:>10.2}{dearer:>10}",
                operation.name, one.rate, one.p50, one.p99
            ));
            all.push(one);
        }
        crate::say("");
        drop(server);
        if first.is_empty() {
            first = all;
        }
    }
}

/// What a database does by itself after a while: PostgreSQL looks what is in it, a file takes in what was written.
fn tidy(data: &Path, url: Option<&str>) {
    if let Some(url) = url {
        let done = std::process::Command::new("psql").args([url, "-qc", "vacuum analyze"]).status();
        assert!(done.expect("psql is there").success());
    } else {
        let file = rusqlite::Connection::open(data.join("guildhall.db")).expect("the file is there");
        file.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())).expect("it is taken in");
    }
}

fn measure(address: SocketAddr, operation: &Operation) -> Measured {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (step, token) = (operation.step.clone(), operation.token.clone());
    let act = move |mut connection: Connection| {
        let (step, token) = (step.clone(), token.clone());
        async move {
            let asked = Instant::now();
            take(&mut connection, &step, &token).await;
            (connection, vec![asked.elapsed()])
        }
    };
    let (rate, times) = runtime.block_on(over_and_over(address, operation.at_once, WARM_UP, MEASURED, act));
    Measured { rate, p50: percentile(&times, 50), p99: percentile(&times, 99) }
}

async fn take(connection: &mut Connection, step: &Step, token: &str) {
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    match step {
        Step::Ask(method, path, body) => {
            let body = body.as_ref().map(|body| body(number));
            connection.ask(&request(method, path, token, body.as_ref())).await;
        }
        Step::Come(path, body, deed) => {
            let path = format!("{path}/{}", made(connection, path, token, &body(number)).await);
            if let Some(deed) = deed {
                connection.ask(&request("POST", &format!("{path}/{deed}"), token, None)).await;
            }
            connection.ask(&request("DELETE", &path, token, None)).await;
        }
        Step::Both([path, then], body, part) => {
            let id = made(connection, path, token, &body(number)).await;
            made(connection, then, token, &part(&id)).await;
        }
        Step::Pass(path, [there, back], other) => {
            connection.ask(&request("PATCH", path, token, Some(there))).await;
            connection.ask(&request("PATCH", path, other, Some(back))).await;
        }
    }
}

/// Makes something; answers its id.
async fn made(connection: &mut Connection, path: &str, token: &str, body: &Json) -> String {
    let made = connection.ask(&request("POST", path, token, Some(body))).await;
    let made: Json = serde_json::from_slice(made).expect("a document");
    made["data"]["id"].as_str().expect("an id").to_owned()
}
