//! How much of a bare server's speed is left once a request does its work: ratios, measured in one run.
//!
//! The server runs on one core and whoever asks on another, so that a ratio of throughputs is a ratio of
//! work. The floor is a bare handler of the same HTTP stack that answers the same bytes.

mod house;
mod load;
mod nodes;
mod operations;
mod peer;
mod scale;
mod serving;

use guildhall_store::throw_away::ThrowAway;
use load::{Load, Measured};
use serde_json::json;
use serving::Serving;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

const SIZES: [u64; 2] = [100, 1_000_000];
/// How many requests whoever asks sends one behind the other where both cores answer.
const BEHIND: u32 = 16;
/// How many memberships there are in the houses that are asked everything.
const HOUSES: [u64; 2] = [1000, 3_000_000];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("--fill") => serving::fill_it(&words[1], words[2].parse().expect("a number of memberships")),
        Some("--fill-house") => {
            serving::fill_house(&words[1], words[2].parse().expect("a number of memberships"));
        }
        Some("--serve") => serving::serve(&words[1], words[2].parse().expect("a number of threads")),
        Some("--units") => serving::units(&words[1]),
        Some("--signatures") => {
            serving::signatures(&words[1], words[2].parse().expect("a number of threads"));
        }
        Some("--ask") => ask(),
        Some("--ask-peer") => peer::run(),
        Some("--ask-for-tokens") => ask_for_tokens(),
        Some("--ask-all") => {
            let sizes: Vec<u64> = words.iter().filter_map(|word| word.parse().ok()).collect();
            let only: Vec<&String> =
                words.iter().skip(1).filter(|word| word.parse::<u64>().is_err()).collect();
            scale::run(if sizes.is_empty() { &HOUSES } else { &sizes }, &only);
        }
        first => {
            // Half of the machine asks, the other half answers.
            let what = match first {
                Some("scale") => "--ask-all",
                Some("peer") => "--ask-peer",
                Some("tokens") => "--ask-for-tokens",
                _ => "--ask",
            };
            let exe = std::env::current_exe().expect("this program has a path");
            let status = Command::new("taskset")
                .args(["-c", "1"])
                .arg(exe)
                .arg(what)
                .args(words.iter().skip(1))
                .status();
            assert!(status.expect("taskset is there").success());
        }
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout();
    // Nobody may be looking.
    drop(writeln!(out, "{line}"));
    drop(out.flush());
}

fn ask() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the databases");
    let units = serving::run_units(folder.path());
    say(&format!("bare unit of three durable statements, 64 callers: {units:.0} a second\n"));
    let mut small: Vec<Measured> = Vec::new();
    for size in SIZES {
        let data = folder.path().join(size.to_string());
        // A file in the folder, or a database of the server that `tests/with-postgres` has started.
        let database = ThrowAway::new(&data);
        let url = database.url();
        let server = Serving::start(&data, size, url);
        say(&format!(
            "{size} memberships: loaded in {:.1} s, first answer {:.0} ms after the start, {:.1} MB resident when idle",
            server.loaded, server.first_answer, server.resident
        ));
        let measured = measure(&server);
        say(&format!(
            "{:<28}{:>12}{:>12}{:>10}{:>10}{:>10}{:>12}",
            "operation", "a second", "floor", "of floor", "p50 ms", "p99 ms", "to small"
        ));
        for (index, one) in measured.iter().enumerate() {
            let growth = small
                .get(index)
                .map_or_else(|| "-".to_owned(), |small| format!("{:.2}", small.rate / one.rate));
            say(&format!(
                "{:<28}{:>12.0}{:>12.0}{:>10.2}{:>10.2}{:>10.2}{growth:>12}",
                one.name,
                one.rate,
                one.floor,
                one.rate / one.floor,
                one.p50,
                one.p99
            ));
        }
        let create = measured.iter().find(|one| one.name == "create membership").expect("it was measured");
        say(&format!("create membership, of the bare unit: {:.2}", create.rate / units));
        let fresh = measured.iter().find(|one| one.name == "token, signed").expect("it was measured");
        let (tokens, signatures) = (fresh.rate, server.signatures);
        say(&format!(
            "token, signed, of the raw signing rate of one core ({signatures:.0} a second): {:.2}",
            tokens / signatures
        ));
        let path = format!("/row/{}", server.membership);
        let row = Load::get(server.floor, &path, "").measure("bare point read", server.floor);
        let of = |name: &str| {
            let one = measured.iter().find(|one| one.name == name).expect("it was measured");
            one.rate / row.rate
        };
        say(&format!(
            "of a bare handler that reads one row of the same database ({:.0} a second): show {:.2}, list of 25 with 2 includes {:.2}",
            row.rate,
            of("show membership"),
            of("list of 25 with 2 includes")
        ));
        count_costs(&server);
        say("");
        if small.is_empty() {
            small = measured;
            let sign = signed(&server.integration);
            let questions = shared(&server);
            drop(server);
            // Nodes share a server, not a file.
            for shared in url.map(|url| nodes::measure(&data, url, &questions)).into_iter().flatten() {
                say(&format!(
                    "{}, two nodes with a thread each: {:.0} a second, of one with two threads ({:.0}) {:.2}",
                    shared.name,
                    shared.two,
                    shared.one,
                    shared.two / shared.one
                ));
            }
            say_signed(&data, url, sign);
        }
    }
}

/// What both cores sign.
fn say_signed(data: &Path, url: Option<&str>, sign: impl Fn(u64) -> String + Clone + Send + Sync + 'static) {
    let ask = |path, address| Load::post(address, path, "", sign.clone()).at_once(BEHIND).rate();
    let signed = serving::signed_by_both(
        data,
        url,
        |address| ask("/oauth/token", address),
        |floor| ask("/signed", floor),
    );
    say(&format!(
        "token, signed by both cores: {:.0} a second, of their raw signing rate ({:.0}) {:.2}, of a bare handler that signs ({:.0}) {:.2}\n",
        signed.tokens,
        signed.raw,
        signed.tokens / signed.raw,
        signed.bare,
        signed.tokens / signed.bare
    ));
}

/// Tokens alone.
fn ask_for_tokens() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the databases");
    let data = folder.path().join("tokens");
    let database = ThrowAway::new(&data);
    let server = Serving::start(&data, SIZES[0], database.url());
    let sign = signed(&server.integration);
    let alone = Load::post(server.address, "/oauth/token", "", sign.clone()).rate();
    say(&format!(
        "token, signed by one core: {alone:.0} a second, of its raw signing rate ({:.0}) {:.2}",
        server.signatures,
        alone / server.signatures
    ));
    drop(server);
    say_signed(&data, database.url(), sign);
}

/// Whoever asks for something else gets another token, which has to be signed.
fn signed((id, secret): &(String, String)) -> impl Fn(u64) -> String + Clone + Send + Sync + 'static {
    let (id, secret) = (id.clone(), secret.clone());
    move |number: u64| {
        let scope = format!("market:id:m{number}");
        json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret, "scope": scope })
            .to_string()
    }
}

/// What one node and two are asked.
fn shared(server: &Serving) -> Vec<nodes::Question> {
    let get = |path: String| -> Box<dyn Fn(SocketAddr) -> Load> {
        let token = server.token.clone();
        Box::new(move |address| Load::get(address, &path, &token))
    };
    let (token, invitations) = (server.token.clone(), Arc::new(server.invitations()));
    let invite = move |address| {
        let invitations = invitations.clone();
        Load::post(address, "/api/memberships", &token, move |number| invitations(number))
    };
    vec![
        ("show membership", get(format!("/api/memberships/{}", server.membership))),
        (
            "list of 25 with 2 includes",
            get("/api/memberships?page[size]=25&include=role,organization".to_owned()),
        ),
        ("create membership", Box::new(invite)),
    ]
}

/// What a request with a token seen before costs, counted.
fn count_costs(server: &Serving) {
    let load = Load::get(server.address, &format!("/api/memberships/{}", server.membership), &server.token);
    load.once();
    let before = serving::counts(server.floor);
    let requests = 100;
    for _ in 0..requests {
        load.once();
    }
    let after = serving::counts(server.floor);
    say(&format!(
        "{requests} requests with a token seen before: {} RSA operations, {} statements, half of them for the document",
        after.1 - before.1,
        after.0 - before.0
    ));
}

fn measure(server: &Serving) -> Vec<Measured> {
    let Serving { membership, email, .. } = server;
    let get = |path: String| Load::get(server.address, &path, &server.token);
    let (id, secret) = server.integration.clone();
    let again = json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret });
    let own = Load::granted(server.address, &id, &secret);
    let introspect =
        move |_: u64| json!({ "client_id": id, "client_secret": secret, "token": own }).to_string();
    vec![
        get(format!("/api/memberships/{membership}")).measure("show membership", server.floor),
        get("/api/memberships?page[size]=25&include=role,organization".to_owned())
            .measure("list of 25 with 2 includes", server.floor),
        get(format!("/api/memberships?filter[q][user_email_eq]={email}"))
            .measure("list by address", server.floor),
        Load::post(server.address, "/api/memberships", &server.token, server.invitations())
            .measure("create membership", server.floor),
        Load::post(server.address, "/oauth/token", "", move |_| again.to_string())
            .measure("token, given again", server.floor),
        Load::post(server.address, "/oauth/introspect", "", introspect)
            .measure("introspection", server.floor),
        Load::post(server.address, "/oauth/token", "", signed(&server.integration))
            .measure("token, signed", server.floor),
    ]
}
