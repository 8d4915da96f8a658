//! The operator's commands, beside a running server.

use super::process::{Server, free_address, json, refusal, request, run, serve, token};
use guildhall_store::{Migration, Sqlite};
use serde_json::json;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

const ADA: [&str; 8] =
    ["users", "create", "--email", "ada@example.com", "--first-name", "Ada", "--last-name", "Lovelace"];

#[test]
fn users_are_made_listed_shown_and_changed_while_the_server_runs() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    assert_eq!(json(data, &["users", "list"]), json!([]));
    let user = json(data, &ADA);
    let first = token(server.address, &user);
    let ask = |token: &str| request(server.address, "GET", "/api/user", Some(token), "").unwrap().0;
    assert_eq!(ask(&first), 200);
    assert_eq!(refusal(data, &ADA), "guildhall: email - has already been taken\n");
    let body = json!({ "data": { "type": "organizations", "attributes": { "name": "Blue" } } }).to_string();
    assert_eq!(request(server.address, "POST", "/api/organizations", Some(&first), &body).unwrap().0, 201);
    let shown = json(data, &["users", "show", "--email", "ADA@example.com"]);
    assert_eq!(
        (&shown["plan"], &shown["organizations"]),
        (&json!("enterprise"), &json!([{ "slug": "blue", "role": "Admin", "owner": true }]))
    );
    assert_eq!(
        json(data, &["users", "set-plan", "--email", "ada@example.com", "--plan", "developer"])["plan"],
        json!("developer")
    );
    let over = request(server.address, "POST", "/api/organizations", Some(&first), &body).unwrap();
    assert_eq!(over.0, 422);
    let rotated = json(data, &["users", "rotate-secret", "--email", "ada@example.com"]);
    assert_eq!(ask(&first), 401);
    assert_eq!(ask(&token(server.address, &rotated)), 200);
    let listed = String::from_utf8(run(data, &["users", "list"]).stdout).unwrap();
    assert!(listed.contains("developer     ada@example.com (Ada Lovelace)"), "{listed}");
}

#[test]
fn users_are_disabled_enabled_helped_and_deleted_and_their_tokens_end() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    let user = json(data, &ADA);
    let token_of = || token(server.address, &user);
    let ask = |token: &str| request(server.address, "GET", "/api/user", Some(token), "").unwrap().0;
    let first = token_of();
    let email = ["--email", "ada@example.com"];
    let act = |deed: &str| json(data, &[&["users", deed], &email[..]].concat())["state"].clone();
    assert_eq!((act("disable"), ask(&first)), (json!("disabled"), 401));
    assert_eq!((act("enable"), ask(&first)), (json!("enabled"), 401));
    let second = token_of();
    assert_eq!(ask(&second), 200);
    assert_eq!(act("reset-second-factor"), json!("without a second factor"));
    let body = json!({ "data": { "type": "organizations", "attributes": { "name": "Blue" } } }).to_string();
    assert_eq!(request(server.address, "POST", "/api/organizations", Some(&second), &body).unwrap().0, 201);
    let asks = json(data, &["organizations", "ask-existing-users", "--slug", "blue", "on"]);
    assert_eq!(asks, json!({ "slug": "blue", "ask_existing_users": true }));
    assert_eq!(
        refusal(data, &["users", "delete", email[0], email[1]]),
        "guildhall: ada@example.com owns blue\n"
    );
    json(data, &["organizations", "delete", "--slug", "blue", "--yes"]);
    assert_eq!((act("delete"), ask(&second)), (json!("deleted"), 401));
    assert_eq!(json(data, &["users", "list"]), json!([]));
    let nobody = refusal(data, &["users", "disable", email[0], email[1]]);
    assert_eq!(nobody, "guildhall: there is no user ada@example.com: see guildhall users list\n");
    let nowhere = refusal(data, &["memberships", "show", email[0], email[1]]);
    assert_eq!(nowhere, "guildhall: ada@example.com is nowhere a member, nor invited\n");
}

#[test]
fn letters_without_a_way_out_and_ways_that_cannot_be_meant_are_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    json(data, &ADA);
    let test = ["mail", "test", "--to", "ada@example.com"];
    for (mail, line) in [
        ("", "guildhall: letters have no way out: say which with --mail\n"),
        ("mail.example.com", "guildhall: --mail must be smtp://HOST, smtps://HOST or dir:PATH\n"),
        (
            "dir:/proc/nowhere",
            "guildhall: the mail server cannot be talked to: no letter can be written to /proc/nowhere: ",
        ),
        ("smtp://127.0.0.1:1", "guildhall: the mail server cannot be talked to: "),
    ] {
        let told = refusal(data, &[&test[..], &["--mail", mail]].concat());
        assert!(told.starts_with(line), "{mail}: {told}");
        assert_eq!(told.lines().count(), 1);
    }
    let unknown = refusal(data, &["mail", "test", "--to", "nobody", "--mail", "dir:/tmp"]);
    assert!(unknown.starts_with("guildhall: the address cannot be written to"), "{unknown}");
}

#[test]
fn an_empty_folder_can_be_opened_by_many_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let makers: Vec<_> = (0..6)
        .map(|number| {
            let data = data.clone();
            std::thread::spawn(move || {
                let email = format!("user{number}@example.com");
                json(&data, &["users", "create", "--email", &email, "--first-name", "A", "--last-name", "B"])
            })
        })
        .collect();
    let users: Vec<_> = makers.into_iter().map(|maker| maker.join().unwrap()).collect();
    assert_eq!(json(&data, &["users", "list"]).as_array().unwrap().len(), users.len());
    let checks = json(&data, &["doctor"]);
    assert!(checks["checks"].as_array().unwrap().iter().all(|check| check["ok"] == true), "{checks}");
}

#[test]
fn a_command_without_the_servers_settings_leaves_its_plans() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    std::fs::write(data.join("guildhall.toml"), "[plans.developer]\norganizations = 3").unwrap();
    let server = Server::start(data);
    let made = json(data, &[&ADA[..], &["--plan", "developer"]].concat());
    std::fs::remove_file(data.join("guildhall.toml")).unwrap();
    json(data, &["users", "list"]);
    let token = token(server.address, &made);
    let body = json!({ "data": { "type": "organizations", "attributes": { "name": "Blue" } } }).to_string();
    let make = || request(server.address, "POST", "/api/organizations", Some(&token), &body).unwrap().0;
    assert_eq!([make(), make(), make(), make()], [201, 201, 201, 422]);
}

#[test]
fn a_server_needs_to_be_told_its_domain() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        refusal(folder.path(), &["serve", "--listen", &free_address().to_string()]),
        "guildhall: say under which domain to serve, with --domain, or try it out with --dev\n"
    );
}

#[test]
fn organizations_are_listed_and_erased() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    let token = token(server.address, &json(data, &ADA));
    let body = json!({ "data": { "type": "organizations", "attributes": { "name": "Blue" } } }).to_string();
    let ask = |method: &str, body: &str| {
        request(server.address, method, "/api/organizations", Some(&token), body).unwrap()
    };
    assert_eq!(ask("POST", &body).0, 201);
    let listed = json(data, &["organizations", "list"]);
    assert_eq!(
        (&listed[0]["slug"], &listed[0]["owner"], &listed[0]["memberships"]),
        (&json!("blue"), &json!("ada@example.com"), &json!(1))
    );
    // The slug is asked for again, and nothing happens when it is not typed.
    assert!(refusal(data, &["organizations", "delete", "--slug", "blue"]).ends_with("nothing was erased\n"));
    let mut asked = Command::new(env!("CARGO_BIN_EXE_guildhall"))
        .args(["organizations", "delete", "--slug", "blue", "--data"])
        .arg(data)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    asked.stdin.take().unwrap().write_all(b"blue\n").unwrap();
    assert!(asked.wait().unwrap().success());
    assert!(ask("GET", "").1.starts_with("{\"data\":[]"));
    assert_eq!(ask("POST", &body).0, 201);
    assert_eq!(
        json(data, &["organizations", "delete", "--slug", "blue", "--yes"]),
        json!({ "erased": "blue" })
    );
    assert_eq!(
        refusal(data, &["organizations", "delete", "--slug", "blue", "--yes"]),
        "guildhall: there is no organization blue: see guildhall organizations list\n"
    );
}

#[test]
fn what_an_operator_does_wrong_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    json(data, &ADA);
    for (words, line) in [
        (
            &["users", "show", "--email", "nobody@example.com"][..],
            "there is no user nobody@example.com: see guildhall users list",
        ),
        (
            &["users", "set-plan", "--email", "x@example.com", "--plan", "free"],
            "there is no plan free: choose one of developer, enterprise, growth",
        ),
        (
            &["users", "create", "--email", "ada", "--first-name", " ", "--last-name", "L"],
            "email - is invalid; first_name - can't be blank",
        ),
        (
            &["serve", "--domain", "http://x"],
            "--domain must be a host name with an optional port, such as example.com or example.test:8443, not \"http://x\"",
        ),
        (
            &["serve", "--tls-cert", "cert.pem"],
            "--tls-cert and --tls-key belong together: give both or neither",
        ),
        (
            &["doctor", "--signing-key-bits", "1024"],
            "--signing-key-bits must be 2048, 3072 or 4096, not 1024",
        ),
    ] {
        assert_eq!(refusal(data, words), format!("guildhall: {line}\n"), "{words:?}");
    }
}

#[test]
fn a_wrong_folder_is_told_rather_than_lived_in() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("elsewhere");
    for words in [&["users", "list"][..], &["organizations", "list"], &["mail", "queue"], &["keys", "list"]] {
        let line = format!(
            "guildhall: {} holds nothing: say with --data where the data folder is, or start guildhall serve there\n",
            data.display()
        );
        assert_eq!(refusal(&data, words), line);
    }
    assert!(refusal(&data, &["doctor", "--dev"]).ends_with("1 of 3 checks failed\n"));
    assert!(!data.exists());
}

#[test]
fn a_letter_can_be_tried_before_there_is_a_house() {
    let folder = tempfile::tempdir().unwrap();
    let (data, letters) = (folder.path().join("house"), folder.path().join("letters"));
    let way = format!("dir:{}", letters.display());
    let told = run(&data, &["mail", "test", "--dev", "--to", "ada@example.com", "--mail", &way]);
    assert_eq!(String::from_utf8(told.stdout).unwrap(), "sent to ada@example.com\n");
    assert_eq!(std::fs::read_dir(letters).unwrap().count(), 1);
    assert!(!data.exists());
}

#[test]
fn a_server_without_a_domain_has_something_to_learn_from_the_doctor() {
    let folder = tempfile::tempdir().unwrap();
    json(folder.path(), &ADA);
    let printed = String::from_utf8(run(folder.path(), &["doctor"]).stdout).unwrap();
    assert!(
        printed
            .contains("\nFAIL  domain: say with --domain under which to serve, or try it out with --dev\n")
    );
    let database = "postgres://ada:secret@127.0.0.1:1/guildhall";
    let printed =
        String::from_utf8(run(folder.path(), &["doctor", "--dev", "--database", database]).stdout).unwrap();
    assert!(
        printed.contains("database            \"postgres://ada:***@127.0.0.1:1/guildhall\"\n"),
        "{printed}"
    );
    assert!(printed.contains("\nFAIL  database: the database at 127.0.0.1:1 cannot be reached"), "{printed}");
}

#[test]
fn a_folder_has_one_server() {
    let folder = tempfile::tempdir().unwrap();
    let _server = Server::start(folder.path());
    let second = serve(folder.path(), free_address()).output().unwrap();
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(said.starts_with("guildhall: another server already uses "), "{said}");
}

#[test]
fn a_newer_database_is_refused_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    json(folder.path(), &ADA);
    let future = Migration::new(9999, "future", "create table future (id text);");
    let migrations = [guildhall::schema::MIGRATIONS, &[future]].concat();
    let options = Sqlite { file: folder.path().join("guildhall.db"), readers: 1, durable: true };
    drop(options.open(&migrations).unwrap());
    let line = refusal(folder.path(), &["users", "list"]);
    let newest = guildhall::schema::MIGRATIONS.len();
    assert_eq!(
        line,
        format!(
            "guildhall: the database is at version 9999, newer than this program, which knows {newest}: start the newer program\n"
        )
    );
}

#[test]
fn a_key_that_does_not_fit_the_database_is_told() {
    let folder = tempfile::tempdir().unwrap();
    json(folder.path(), &ADA);
    std::fs::remove_file(folder.path().join("secret.key")).unwrap();
    let line = refusal(folder.path(), &["users", "list"]);
    assert_eq!(
        line,
        "guildhall: the signing key cannot be opened with secret.key: the two files of a backup belong together\n"
    );
}

#[test]
fn a_request_that_was_accepted_is_answered_before_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::start(folder.path());
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    // Half a request is on its way when the server is told to stop.
    stream.write_all(b"POST /oauth/token HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{").unwrap();
    std::thread::sleep(Duration::from_millis(200));
    let told = Command::new("kill").arg(server.child.id().to_string()).status().unwrap();
    assert!(told.success());
    std::thread::sleep(Duration::from_millis(200));
    stream.write_all(b"}").unwrap();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn everything_has_help() {
    let folder = tempfile::tempdir().unwrap();
    for words in [
        &["--help"][..],
        &["serve", "--help"],
        &["users", "--help"],
        &["users", "create", "--help"],
        &["users", "list", "--help"],
        &["users", "show", "--help"],
        &["users", "set-plan", "--help"],
        &["users", "rotate-secret", "--help"],
        &["organizations", "list", "--help"],
        &["organizations", "delete", "--help"],
        &["organizations", "disable", "--help"],
        &["credentials", "list", "--help"],
        &["credentials", "rotate", "--help"],
        &["keys", "list", "--help"],
        &["keys", "rotate", "--help"],
        &["openapi", "--help"],
        &["doctor", "--help"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_guildhall"))
            .args(words)
            .current_dir(folder.path())
            .output()
            .unwrap();
        assert!(output.status.success() && output.stdout.starts_with(b""), "{words:?}");
        assert!(String::from_utf8(output.stdout).unwrap().contains("Usage: guildhall"), "{words:?}");
    }
    let described = run(folder.path(), &["openapi"]).stdout;
    assert_eq!(String::from_utf8(described).unwrap(), guildhall::openapi::text());
}
