//! Asking over many connections at once, cheaply, and timing the answers.

use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CONNECTIONS: usize = 64;
const WARM_UP: Duration = Duration::from_millis(250);
const MEASURED: Duration = Duration::from_secs(1);
/// How often something and its floor are measured, in turns: a machine is not the same from one second to the next.
const TURNS: u32 = 4;

/// A request to be made over and over, each time with the next number.
#[derive(Clone)]
pub(crate) struct Load {
    address: SocketAddr,
    method: &'static str,
    /// How many requests are sent over a connection before the first of them is answered.
    at_once: u32,
    make: Arc<dyn Fn(u64) -> Vec<u8> + Send + Sync>,
}

/// What came out.
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    /// Answers a second.
    pub(crate) rate: f64,
    /// Answers a second of the bare handler with the same bytes.
    pub(crate) floor: f64,
    /// Half of the answers took less, in milliseconds.
    pub(crate) p50: f64,
    /// One in a hundred took more, in milliseconds.
    pub(crate) p99: f64,
}

/// Numbers that no two requests of a run share.
static NEXT: AtomicU64 = AtomicU64::new(0);

impl Load {
    pub(crate) fn get(address: SocketAddr, path: &str, token: &str) -> Self {
        let request =
            format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\n\r\n");
        Self { address, method: "GET", at_once: 1, make: Arc::new(move |_| request.clone().into_bytes()) }
    }

    pub(crate) fn post(
        address: SocketAddr,
        path: &str,
        token: &str,
        body: impl Fn(u64) -> String + Send + Sync + 'static,
    ) -> Self {
        let media_type =
            if path.starts_with("/oauth") { "application/json" } else { "application/vnd.api+json" };
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer {token}\r\ncontent-type: {media_type}\r\n"
        );
        let make = move |number| {
            let body = body(number);
            format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
        };
        Self { address, method: "POST", at_once: 1, make: Arc::new(make) }
    }

    /// Requests that somebody else writes.
    pub(crate) fn made(
        address: SocketAddr,
        method: &'static str,
        make: impl Fn(u64) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        Self { address, method, at_once: 1, make: Arc::new(make) }
    }

    /// A token for an application itself.
    pub(crate) fn granted(address: SocketAddr, client_id: &str, client_secret: &str) -> String {
        let body = json!({ "grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret });
        let answer = Self::post(address, "/oauth/token", "", move |_| body.to_string()).once();
        let granted: Json = serde_json::from_slice(&answer).expect("a document");
        granted["access_token"].as_str().expect("a token").to_owned()
    }

    /// Several requests one behind the other, so that asking takes less of a core that answers as well.
    pub(crate) fn at_once(self, at_once: u32) -> Self {
        Self { at_once, ..self }
    }

    /// Asks once.
    pub(crate) fn once(&self) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(once(self.address, &(self.make)(NEXT.fetch_add(1, Ordering::Relaxed))))
    }

    /// Measures it, and the bare handler at `floor` with the same bytes, in turns.
    pub(crate) fn measure(self, name: &'static str, floor: SocketAddr) -> Measured {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let answer = once(self.address, &(self.make)(NEXT.fetch_add(1, Ordering::Relaxed))).await;
            let put = format!("PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", answer.len());
            once(floor, &[put.as_bytes(), &answer].concat()).await;
            let bare = Self { address: floor, ..self.clone() };
            let (mut floor, mut rate, mut times) = (0.0, 0.0, Vec::new());
            for _ in 0..TURNS {
                floor += bare.run(true, MEASURED).await.0;
                let (answers, took) = self.run(false, MEASURED).await;
                rate += answers;
                times.extend(took);
            }
            times.sort_unstable();
            let (floor, rate) = (floor / f64::from(TURNS), rate / f64::from(TURNS));
            Measured { name, rate, floor, p50: percentile(&times, 50), p99: percentile(&times, 99) }
        })
    }

    /// Measures how many answers there are a second.
    pub(crate) fn rate(self) -> f64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(self.run(false, MEASURED * TURNS)).0
    }

    async fn run(&self, bare: bool, measured: Duration) -> (f64, Vec<Duration>) {
        let load = self.clone();
        let ask = move |mut connection: Connection| {
            let load = load.clone();
            async move {
                let mut requests = Vec::new();
                for _ in 0..load.at_once {
                    let request = (load.make)(NEXT.fetch_add(1, Ordering::Relaxed));
                    requests.extend(if bare { bared(request, load.method) } else { request });
                }
                let asked = Instant::now();
                connection.send(&requests).await;
                let mut times = Vec::new();
                for _ in 0..load.at_once {
                    connection.answer().await;
                    times.push(asked.elapsed());
                }
                (connection, times)
            }
        };
        over_and_over(self.address, CONNECTIONS, WARM_UP, measured, ask).await
    }
}

/// Does something over and over, over so many connections at once: how often a second, and how long each took, the
/// shortest first.
pub(crate) async fn over_and_over<A>(
    address: SocketAddr,
    connections: usize,
    warm_up: Duration,
    measured: Duration,
    act: impl Fn(Connection) -> A + Clone + Send + 'static,
) -> (f64, Vec<Duration>)
where
    A: Future<Output = (Connection, Vec<Duration>)> + Send,
{
    let began = Instant::now();
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let act = act.clone();
            tokio::spawn(async move {
                let mut connection = Connection::open(address).await;
                let mut all = Vec::new();
                while began.elapsed() < warm_up + measured {
                    let (same, times) = act(connection).await;
                    connection = same;
                    if began.elapsed() > warm_up {
                        all.extend(times);
                    }
                }
                all
            })
        })
        .collect();
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.expect("asking does not fail"));
    }
    times.sort_unstable();
    #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 requests")]
    let count = times.len() as f64;
    (count / began.elapsed().saturating_sub(warm_up).as_secs_f64(), times)
}

/// The same request, to the one path of the bare handler.
fn bared(request: Vec<u8>, method: &str) -> Vec<u8> {
    let text = String::from_utf8(request).expect("requests are text");
    let (_, rest) = text.split_once(" HTTP/1.1").expect("a request line");
    format!("{method} / HTTP/1.1{rest}").into_bytes()
}

/// One request over a connection of its own; answers the body.
pub(crate) async fn once(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    Connection::open(address).await.ask(request).await.to_vec()
}

/// A connection that is kept open.
pub(crate) struct Connection {
    stream: TcpStream,
    /// What has arrived.
    buffer: Vec<u8>,
    /// Where in it the next answer begins.
    next: usize,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).expect("a socket option");
        Self { stream, buffer: Vec::with_capacity(64 * 1024), next: 0 }
    }

    /// Sends a request that has to be answered well; answers the body.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.send(request).await;
        self.answer().await
    }

    /// Sends requests, one behind the other.
    async fn send(&mut self, requests: &[u8]) {
        self.stream.write_all(requests).await.expect("the server reads");
    }

    /// The body of the next answer.
    async fn answer(&mut self) -> &[u8] {
        if self.next == self.buffer.len() {
            self.buffer.clear();
            self.next = 0;
        }
        loop {
            if let Some((body, end)) = whole(&self.buffer[self.next..]) {
                let begin = self.next;
                self.next += end;
                return &self.buffer[begin + body..begin + end];
            }
            let read = self.stream.read_buf(&mut self.buffer).await.expect("the server answers");
            assert!(read > 0, "the server hung up: {}", String::from_utf8_lossy(&self.buffer));
        }
    }
}

/// The part of all that took no longer, in milliseconds; `times` are in order.
pub(crate) fn percentile(times: &[Duration], part: usize) -> f64 {
    times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1000.0
}

/// Where the body of a good answer begins and ends, once all of it is there.
fn whole(buffer: &[u8]) -> Option<(usize, usize)> {
    const LAST: &[u8] = b"\r\n0\r\n\r\n";
    let end = buffer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&buffer[..end]);
    assert!(head.starts_with("HTTP/1.1 2"), "{head} {}", String::from_utf8_lossy(&buffer[end..]));
    let field = |name: &str| {
        let fields = head.lines().filter_map(|line| line.split_once(": "));
        fields.into_iter().find(|(other, _)| other.eq_ignore_ascii_case(name))
    };
    let body = end + 4;
    let length = if field("transfer-encoding").is_some() {
        buffer[body..].windows(LAST.len()).position(|window| window == LAST)? + LAST.len()
    } else {
        field("content-length").map_or(0, |(_, length)| length.parse().expect("a number"))
    };
    (buffer.len() >= body + length).then_some((body, body + length))
}
