//! The same asked of better-auth with its organization plugin: on the same engine, the same core, in the same run.

use crate::load::Load;
use crate::serving::{ONE, Serving, started, told};
use guildhall_store::throw_away::ThrowAway;
use serde_json::{Value as Json, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many members the organization has.
const MEMBERS: u64 = 1000;

/// Measures both, and tells how many times as much Guildhall does.
pub(crate) fn run() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peer");
    install(&sources);
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder for the databases");
    let place = |name: &str| {
        let data = folder.path().join(name);
        std::fs::create_dir(&data).expect("a folder");
        let database = ThrowAway::new(&data);
        (data, database)
    };
    let (data, database) = place("peer");
    let at = database.url().map_or_else(|| data.join("peer.db").display().to_string(), str::to_owned);
    let program = sources.join("peer.mjs").into_os_string();
    let mut peer = started(ONE, &["node".into(), program, at.into(), MEMBERS.to_string().into()], None);
    let said = told(&mut peer);
    let theirs = theirs(&said);
    let their_memory = peer.memory();
    drop(peer);

    let (data, database) = place("guildhall");
    let server = Serving::start(&data, MEMBERS, database.url());
    let ours = ours(&server);
    let our_memory = server.server.memory();
    crate::say(&format!(
        "{:<34}{:>12}{:>12}{:>10}",
        "a second, on one core", "better-auth", "guildhall", "times"
    ));
    for ((name, theirs), (_, ours)) in theirs.iter().zip(&ours) {
        crate::say(&format!("{name:<34}{theirs:>12.0}{ours:>12.0}{:>10.0}", ours / theirs));
    }
    crate::say(&format!(
        "{:<34}{their_memory:>12.0}{our_memory:>12.0}{:>10.2}",
        "megabytes resident afterwards",
        our_memory / their_memory
    ));
}

/// Installs it as its lock file says. What is compiled is compiled against the headers of this Node.
fn install(sources: &Path) {
    let node = Command::new("node").args(["-p", "process.execPath"]).output().expect("node is there");
    let node = PathBuf::from(String::from_utf8_lossy(&node.stdout).trim().to_owned());
    let headers = node.ancestors().nth(2).unwrap_or(Path::new("/usr"));
    let installed = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"])
        .arg(sources)
        .env("npm_config_nodedir", headers)
        .status();
    assert!(installed.expect("npm is there").success());
}

/// What better-auth answers a second.
fn theirs(said: &Json) -> Vec<(&'static str, f64)> {
    let text = |name: &str| said[name].as_str().expect("a text").to_owned();
    let port = u16::try_from(said["port"].as_u64().expect("a port")).expect("a port");
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let (cookie, organization) = (text("cookie"), text("organization"));
    let head = format!(
        "host: 127.0.0.1:{port}\r\norigin: http://127.0.0.1:{port}\r\ncookie: {cookie}\r\ncontent-type: application/json\r\n"
    );
    let ask = |method: &'static str, path: String, body: Box<dyn Fn(u64) -> Option<Json> + Send + Sync>| {
        let head = head.clone();
        Load::made(address, method, move |number| {
            let body = body(number).map(|body| body.to_string()).unwrap_or_default();
            let length = body.len();
            format!("{method} /api/auth{path} HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{body}")
                .into_bytes()
        })
        .rate()
    };
    let permission = json!({ "organizationId": organization, "permissions": { "member": ["create"] } });
    let here = organization.clone();
    vec![
        ("who am I", ask("GET", "/get-session".to_owned(), Box::new(|_| None))),
        (
            "may I, and what is it",
            ask(
                "POST",
                "/organization/has-permission".to_owned(),
                Box::new(move |_| Some(permission.clone())),
            ),
        ),
        (
            "list of 25 members",
            ask(
                "GET",
                format!("/organization/list-members?organizationId={organization}&limit=25"),
                Box::new(|_| None),
            ),
        ),
        (
            "invite a member",
            ask(
                "POST",
                "/organization/invite-member".to_owned(),
                Box::new(move |number| {
                    Some(
                        json!({ "organizationId": here, "email": format!("new{number}@example.com"), "role": "member" }),
                    )
                }),
            ),
        ),
        (
            "create an organization",
            ask(
                "POST",
                "/organization/create".to_owned(),
                Box::new(|number| {
                    Some(json!({ "name": format!("Brand {number}"), "slug": format!("brand-{number}") }))
                }),
            ),
        ),
    ]
}

/// What Guildhall answers a second when it is asked the same.
fn ours(server: &Serving) -> Vec<(&'static str, f64)> {
    let Serving { address, token, membership, .. } = server;
    let get = |path: &str| Load::get(*address, path, token).rate();
    let create = |number: u64| {
        json!({ "data": { "type": "organizations", "attributes": { "name": format!("Brand {number}") } } })
            .to_string()
    };
    vec![
        ("who am I", get("/api/user")),
        ("may I, and what is it", get(&format!("/api/memberships/{membership}"))),
        ("list of 25 members", get("/api/memberships?page[size]=25")),
        ("invite a member", Load::post(*address, "/api/memberships", token, server.invitations()).rate()),
        // Last, at both: whoever owns thousands of organizations is another one to ask.
        ("create an organization", Load::post(*address, "/api/organizations", token, create).rate()),
    ]
}
