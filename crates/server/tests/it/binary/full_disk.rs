//! A disk that runs full: nothing acknowledged is lost, reading goes on, and so does writing once there is room.

use super::process::{Server, free_address, request, token};
use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

/// A disk of its own for one server, which nobody else sees: its first argument is where, the second one where to put
/// the user who is made on it, the others are the server.
const ON_A_SMALL_DISK: &str = "mount -t tmpfs -o size=24m none \"$1\" && head -c 12000000 /dev/zero >\"$1/ballast\" \
     && mkdir -m 700 \"$1/house\" && \"$3\" users create --email ada@example.com --first-name Ada --last-name L \
     --json --data \"$1/house\" >\"$2\" && shift 2 && exec \"$@\"";

/// A world of its own for what is mounted. Whoever is not root is root there.
fn world() -> Command {
    let mut command = Command::new("unshare");
    let is_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    command.args(if is_root { &["--mount"][..] } else { &["--mount", "--map-root-user"] });
    command
}

fn start(disk: &Path, user: &Path, address: SocketAddr) -> Server {
    let mut command = world();
    command.args(["sh", "-c", ON_A_SMALL_DISK, "sh"]).arg(disk).arg(user);
    command.args([
        env!("CARGO_BIN_EXE_guildhall"),
        "serve",
        "--rate-limits",
        "off",
        "--domain",
        "example.test",
    ]);
    command.arg("--data").arg(disk.join("house")).args(["--listen", &address.to_string()]);
    Server::of(command.stderr(Stdio::null()), address)
}

#[test]
fn a_full_disk_loses_nothing_and_is_written_to_again_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, user) = (folder.path().join("disk"), folder.path().join("user.json"));
    std::fs::create_dir(&disk).unwrap();
    let mounted = world().args(["mount", "-t", "tmpfs", "none"]).arg(&disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("not tried: this machine lets nobody have a small disk");
        return;
    }
    let address = free_address();
    let server = start(&disk, &user, address);
    let user: Json = serde_json::from_slice(&std::fs::read(&user).unwrap()).unwrap();
    let token = token(address, &user);
    let mut made = 0_u32;
    let mut make = || {
        let attributes =
            json!({ "name": format!("Organization {made}"), "metadata": { "text": "x".repeat(4000) } });
        let body = json!({ "data": { "type": "organizations", "attributes": attributes } }).to_string();
        let (status, answer) = request(address, "POST", "/api/organizations", Some(&token), &body).unwrap();
        made += u32::from(status == 201);
        (status, answer, made)
    };
    let (status, answer, mut acknowledged) = loop {
        let (status, answer, made) = make();
        if status != 201 {
            break (status, answer, made);
        }
        assert!(made < 5000, "the disk does not run full");
    };
    assert!(acknowledged > 10);
    assert_eq!(
        (
            status,
            answer.contains("The disk of the database is full: nothing is written until there is room.")
        ),
        (503, true),
        "{answer}"
    );
    let count = || {
        let (status, answer) = request(address, "GET", "/api/organizations", Some(&token), "").unwrap();
        assert_eq!(status, 200, "{answer}");
        let answer: Json = serde_json::from_str(&answer).unwrap();
        answer["meta"]["record_count"].as_u64().unwrap()
    };
    for _ in 0..20 {
        let (status, answer, made) = make();
        assert!(matches!(status, 201 | 503), "{status}: {answer}");
        acknowledged = made;
    }
    assert_eq!(count(), u64::from(acknowledged));
    // Somebody makes room, as root may in anybody's world.
    let inside = format!("/proc/{}/root{}/ballast", server.child.id(), disk.display());
    std::fs::remove_file(inside).unwrap();
    for _ in 0..20 {
        let (status, answer, made) = make();
        assert_eq!(status, 201, "{answer}");
        acknowledged = made;
    }
    assert_eq!(count(), u64::from(acknowledged));
}
