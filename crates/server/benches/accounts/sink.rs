//! A mail server on this machine that takes every letter and keeps none, and a plain client to compare with.

use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

pub(crate) struct Sink {
    pub(crate) port: u16,
    count: Arc<AtomicU64>,
    sample: Arc<Mutex<Vec<u8>>>,
}

impl Sink {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (count, sample) = (Arc::<AtomicU64>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let (counted, sampled) = (count.clone(), sample.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(take(stream, counted.clone(), sampled.clone()));
            }
        });
        Self { port, count, sample }
    }

    /// How many letters came.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// The latest of them.
    pub(crate) fn sample(&self) -> Vec<u8> {
        self.sample.lock().expect("a lock").clone()
    }
}

async fn take(stream: TcpStream, count: Arc<AtomicU64>, sample: Arc<Mutex<Vec<u8>>>) {
    stream.set_nodelay(true).expect("a socket option");
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    write.write_all(b"220 sink\r\n").await.ok();
    let mut line = Vec::new();
    loop {
        line.clear();
        if read.read_until(b'\n', &mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let answer: &[u8] = match line.get(..4) {
            Some(b"EHLO") => b"250-sink\r\n250 8BITMIME\r\n",
            Some(b"QUIT") => b"221 bye\r\n",
            Some(b"DATA") => {
                write.write_all(b"354 go on\r\n").await.ok();
                let mut letter = Vec::new();
                while !letter.ends_with(b"\r\n.\r\n") {
                    if read.read_until(b'\n', &mut letter).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                letter.truncate(letter.len() - 3);
                *sample.lock().expect("a lock") = letter;
                count.fetch_add(1, Ordering::Relaxed);
                b"250 taken\r\n"
            }
            _ => b"250 fine\r\n",
        };
        write.write_all(answer).await.ok();
    }
}

/// How many letters a second a client sends over one connection, as the library does it or, `in_one_piece`,
/// as the program does: the library's way waits for an acknowledgement in the middle of each letter.
pub(crate) async fn plain_rate(port: u16, letter: &[u8], in_one_piece: bool) -> f64 {
    let hello = ClientId::Domain("localhost".to_owned());
    let mut client = AsyncSmtpConnection::connect_tokio1(("127.0.0.1", port), None, &hello, None, None)
        .await
        .expect("it connects");
    let whole = format!("{}.\r\n", String::from_utf8_lossy(letter));
    let from: Address = "a@example.com".parse().expect("an address");
    let to: Address = "b@example.com".parse().expect("an address");
    let envelope = Envelope::new(Some(from.clone()), vec![to.clone()]).expect("an envelope");
    let (began, mut count) = (Instant::now(), 0_u32);
    while began.elapsed() < Duration::from_secs(4) {
        if in_one_piece {
            client.command(Mail::new(Some(from.clone()), Vec::new())).await.expect("it is taken");
            client.command(Rcpt::new(to.clone(), Vec::new())).await.expect("it is taken");
            client.command(Data).await.expect("it is taken");
            client.command(&whole).await.expect("it is taken");
        } else {
            client.send(&envelope, letter).await.expect("it is taken");
        }
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}
