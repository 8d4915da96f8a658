//! How much of a bare server's speed is left once a request does its work: ratios, measured in one run.
//!
//! The server runs on one core and whoever asks on another, so that a ratio of throughputs is a ratio of
//! work. The floor is a bare handler of the same HTTP stack that answers the same bytes.

mod load;
mod serving;

use load::{Load, Measured};
use serde_json::{Value as Json, json};
use serving::Serving;
use std::io::Write as _;
use std::process::Command;

const SIZES: [u64; 2] = [100, 1_000_000];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.first().map(String::as_str) {
        Some("--serve") => serving::serve(&words[1], words[2].parse().expect("a number of memberships")),
        Some("--units") => serving::units(&words[1]),
        Some("--signatures") => serving::signatures(&words[1]),
        Some("--ask") => ask(),
        _ => {
            // Half of the machine asks, the other half answers.
            let exe = std::env::current_exe().expect("this program has a path");
            let status = Command::new("taskset").args(["-c", "1"]).arg(exe).arg("--ask").status();
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
        let server = Serving::start(&data, size);
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
        let signed = measured.iter().find(|one| one.name == "token, signed").expect("it was measured");
        let (tokens, signatures) = (signed.rate, server.signatures);
        say(&format!(
            "token, signed, of the raw signing rate of one core ({signatures:.0} a second): {:.2}\n",
            tokens / signatures
        ));
        if small.is_empty() {
            small = measured;
        }
    }
}

fn measure(server: &Serving) -> Vec<Measured> {
    let Serving { organization, role, membership, email, client_id, client_secret, .. } = server;
    let get = |path: String| Load::get(server.address, &path, &server.token);
    let (organization, role) = (organization.clone(), role.clone());
    let create = move |number: u64| {
        json!({ "data": {
            "type": "memberships",
            "attributes": { "user_email": format!("new{number}@example.com") },
            "relationships": {
                "organization": { "data": { "type": "organizations", "id": organization } },
                "role": { "data": { "type": "roles", "id": role } },
            },
        } })
        .to_string()
    };
    let grant =
        json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret });
    let again: Json = grant;
    let (id, secret) = server.integration.clone();
    // Whoever asks for something else gets another token, which has to be signed.
    let signed = {
        let (id, secret) = (id.clone(), secret.clone());
        move |number: u64| {
            let scope = format!("market:id:m{number}");
            json!({ "grant_type": "client_credentials", "client_id": id, "client_secret": secret, "scope": scope })
                .to_string()
        }
    };
    let own = Load::granted(server.address, &id, &secret);
    let introspect =
        move |_: u64| json!({ "client_id": id, "client_secret": secret, "token": own }).to_string();
    vec![
        get(format!("/api/memberships/{membership}")).measure("show membership", server.floor),
        get("/api/memberships?page[size]=25&include=role,organization".to_owned())
            .measure("list of 25 with 2 includes", server.floor),
        get(format!("/api/memberships?filter[q][user_email_eq]={email}"))
            .measure("list by address", server.floor),
        Load::post(server.address, "/api/memberships", &server.token, create)
            .measure("create membership", server.floor),
        Load::post(server.address, "/oauth/token", "", move |_| again.to_string())
            .measure("token, given again", server.floor),
        Load::post(server.address, "/oauth/introspect", "", introspect)
            .measure("introspection", server.floor),
        Load::post(server.address, "/oauth/token", "", signed).measure("token, signed", server.floor),
    ]
}
