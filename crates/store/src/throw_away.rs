//! Databases for one test each, gone afterwards: a file in a folder, or, when `GUILDHALL_TEST_POSTGRES` names a
//! server, a database of that.

use crate::{Options, Postgres, Sqlite};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio_postgres::NoTls;

/// Where the server is on which tests may do as they like.
const SERVER: &str = "GUILDHALL_TEST_POSTGRES";

static MADE: AtomicU64 = AtomicU64::new(0);

/// A database of a test.
#[derive(Debug)]
pub struct ThrowAway {
    options: Options,
    /// What is to be dropped, at which server.
    name: Option<(String, String)>,
}

impl ThrowAway {
    /// An empty one; a file is made in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self::made(folder, None)
    }

    /// One that begins as a copy of another one, which nobody uses.
    ///
    /// # Panics
    /// When it cannot be copied: the test has not begun well.
    pub fn like(template: &Self, folder: &Path) -> Self {
        let copy = Self::made(folder, template.name.as_ref().map(|(name, _)| name.as_str()));
        if let (Options::Sqlite(from), Options::Sqlite(to)) = (&template.options, &copy.options) {
            let from = rusqlite::Connection::open(&from.file).expect("the template is there");
            from.execute("vacuum into ?", [to.file.to_str()]).expect("it can be copied");
        }
        copy
    }

    fn made(folder: &Path, template: Option<&str>) -> Self {
        let Ok(server) = std::env::var(SERVER) else {
            let options = Sqlite { file: folder.join("guildhall.db"), readers: 1, durable: false };
            return Self { options: Options::Sqlite(options), name: None };
        };
        let name = format!("test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        // As a database is that knows nothing of us: sorted by the rules of a language.
        let template = template.map_or_else(
            || {
                "template template0 encoding 'UTF8' locale_provider icu icu_locale 'en-US' locale 'C'"
                    .to_owned()
            },
            |template| format!("template {template}"),
        );
        run(&server, &format!("create database {name} {template}"));
        let (before, after) = server.rsplit_once('/').expect("a server's address ends in a database's name");
        let query = after.split_once('?').map_or(String::new(), |(_, query)| format!("?{query}"));
        let url = format!("{before}/{name}{query}");
        let options =
            Options::Postgres(Postgres { url, readers: 2, writers: 4, waits: false, replica: None });
        Self { options, name: Some((name, server)) }
    }

    /// Its address, if it is one of a server.
    pub fn url(&self) -> Option<&str> {
        match &self.options {
            Options::Postgres(options) => Some(&options.url),
            Options::Sqlite(_) => None,
        }
    }

    /// How it is opened.
    pub fn options(&self) -> &Options {
        &self.options
    }
}

impl Drop for ThrowAway {
    fn drop(&mut self) {
        if let Some((name, server)) = &self.name {
            run(server, &format!("drop database if exists {name} with (force)"));
        }
    }
}

/// Has a server do something, on a thread of its own since the caller's may be one of an asynchronous runtime. A
/// template that somebody is still leaving is waited for.
fn run(server: &str, sql: &str) {
    let work = async {
        let (client, connection) =
            tokio_postgres::connect(server, NoTls).await.expect("the test server is there");
        tokio::spawn(connection);
        for attempt in 0.. {
            match client.batch_execute(sql).await {
                Ok(()) => return,
                Err(error) if attempt == 500 => panic!("{sql}: {error:?}"),
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(work);
        });
    });
}
