//! What each operation costs in a small house and in one of millions, in a small organization and in the largest one.

use crate::load::{Connection, over_and_over, percentile};
use crate::operations::{Operation, Step, operations, request};
use crate::serving::{BOTH, ONE, Running, begin, pinned, told};
use guildhall_store::throw_away::ThrowAway;
use serde_json::Value as Json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const WARM_UP: Duration = Duration::from_millis(200);
const MEASURED: Duration = Duration::from_millis(500);
/// How often each house is asked, in turns: a machine is not the same from one minute to the next.
const TURNS: u32 = 2;

/// How it went: answers a second, and how long each took, the shortest first.
struct Measured {
    rate: f64,
    times: Vec<Duration>,
}

impl Measured {
    /// What several turns say together.
    fn of(turns: Vec<Self>) -> Self {
        let rate = turns.iter().map(|turn| turn.rate).sum::<f64>() / f64::from(TURNS);
        let mut times: Vec<Duration> = turns.into_iter().flat_map(|turn| turn.times).collect();
        times.sort_unstable();
        Self { rate, times }
    }
}

/// Numbers that no two requests of a run share.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A house that is asked.
struct House {
    /// It ends with this, and so does its database.
    _server: Running,
    _database: ThrowAway,
    address: SocketAddr,
    operations: Vec<Operation>,
}

/// Fills a house of each size, asks all of them everything that has one of these words in its name (no word: everything), and
/// tells how much dearer it is in each than in the first one.
pub(crate) fn run(sizes: &[u64], only: &[&String]) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the databases");
    let houses: Vec<House> = sizes.iter().map(|size| open(folder.path(), *size, only)).collect();
    let heading = ["operation", "memberships", "a second", "p50 ms", "p99 ms", "dearer"];
    crate::say(&format!(
        "{:<84}{:>12}{:>10}{:>10}{:>10}{:>10}",
        heading[0], heading[1], heading[2], heading[3], heading[4], heading[5]
    ));
    for (index, operation) in houses.first().map(|house| &house.operations).into_iter().flatten().enumerate()
    {
        let mut all: Vec<Vec<Measured>> = sizes.iter().map(|_| Vec::new()).collect();
        for _ in 0..TURNS {
            for (house, measured) in houses.iter().zip(&mut all) {
                measured.push(measure(house.address, &house.operations[index]));
            }
        }
        let all: Vec<Measured> = all.into_iter().map(Measured::of).collect();
        for (size, one) in sizes.iter().zip(&all) {
            let dearer = all[0].rate / one.rate;
            crate::say(&format!(
                "{:<84}{size:>12}{:>10.0}{:>10.2}{:>10.2}{dearer:>10.2}",
                operation.name,
                one.rate,
                percentile(&one.times, 50),
                percentile(&one.times, 99)
            ));
        }
    }
    crate::say("");
}

/// Fills a house and serves it.
fn open(folder: &Path, size: u64, only: &[&String]) -> House {
    let data = folder.join(size.to_string());
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
    let is_wanted = |operation: &Operation| {
        only.is_empty() || only.iter().any(|word| operation.name.contains(word.as_str()))
    };
    let all = ["small", "largest"].iter().flat_map(|place| operations(address, place, &filled[*place]));
    let operations = all.filter(is_wanted).collect();
    House { _server: server, _database: database, address, operations }
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
    Measured { rate, times }
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
