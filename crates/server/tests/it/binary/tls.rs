//! HTTPS: with the operator's own certificate, and what is told when it does not fit.

use super::process::{free_address, refusal, serve};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn certificate(folder: &Path, name: &str) -> (String, String, rustls::pki_types::CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed([name.to_owned()]).unwrap();
    let (chain, key) = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    std::fs::write(&chain, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    (chain.display().to_string(), key.display().to_string(), cert.der().clone())
}

#[test]
fn the_operators_certificate_is_served() {
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let (chain, key, der) = certificate(folder.path(), "auth.example.test");
    let secure = free_address();
    let mut server = serve(folder.path(), free_address())
        .args(["--tls-cert", &chain, "--tls-key", &key, "--tls-listen", &secure.to_string()])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(der).unwrap();
    let config = Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth());
    let began = Instant::now();
    let mut socket = loop {
        match TcpStream::connect(secure) {
            Ok(socket) => break socket,
            Err(_) => assert!(began.elapsed() < Duration::from_secs(20), "nothing listens"),
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    let mut client =
        ClientConnection::new(config, ServerName::try_from("auth.example.test").unwrap()).unwrap();
    let mut stream = Stream::new(&mut client, &mut socket);
    write!(
        stream,
        "GET /.well-known/jwks.json HTTP/1.1\r\nhost: auth.example.test\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    // The end of the connection may come without a goodbye.
    drop(stream.read_to_string(&mut answer));
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"RS512\""), "{answer}");
}

#[test]
fn a_certificate_that_cannot_be_served_is_told_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let (chain, key, _) = certificate(folder.path(), "one.test");
    let (_, other, _) = certificate(folder.path(), "other.test");
    let listen = free_address().to_string();
    let secure = free_address().to_string();
    let ask = |chain: &str, key: &str| {
        refusal(
            folder.path(),
            &[
                "serve",
                "--domain",
                "one.test",
                "--listen",
                &listen,
                "--tls-listen",
                &secure,
                "--tls-cert",
                chain,
                "--tls-key",
                key,
            ],
        )
    };
    assert!(ask(&chain, &other).starts_with("guildhall: the certificate and its key do not fit together"));
    assert!(ask(&key, &key).ends_with("holds no certificate\n"));
    assert!(ask(&chain, "nowhere.key").starts_with("guildhall: nowhere.key holds no private key"));
}
