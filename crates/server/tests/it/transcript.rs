//! What every test was answered, word for word, where `GUILDHALL_TEST_TRANSCRIPT` names a folder for it: two runs on
//! two engines are compared by `tests/same-answers`.

use http::StatusCode;
use std::cell::Cell;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;

thread_local! {
    /// Whether the test of this thread has asked several things at once.
    static ENDED: Cell<bool> = const { Cell::new(false) };
}

/// Writes down nothing more of this test: it asks several things at once, and who is first is nobody's to say, nor what
/// follows from it.
pub(crate) fn end() {
    ENDED.set(true);
}

/// Writes down an answer.
pub(crate) fn note(asked: &str, status: StatusCode, body: &[u8]) {
    let (Ok(folder), false) = (std::env::var("GUILDHALL_TEST_TRANSCRIPT"), ENDED.get()) else { return };
    let thread = std::thread::current();
    // Tests are threads that are called like them.
    let Some(test) = thread.name().filter(|name| name.contains("::")) else { return };
    fs::create_dir_all(&folder).unwrap();
    let file = Path::new(&folder).join(test.replace("::", "."));
    let mut file = OpenOptions::new().create(true).append(true).open(file).unwrap();
    let body = String::from_utf8_lossy(body);
    writeln!(file, "{}\n{}\n{}\n", masked(asked), status.as_u16(), masked(&body)).unwrap();
}

/// The text without what is as long as a secret or a signature, which no two runs share.
fn masked(text: &str) -> String {
    let belongs = |letter: char| letter.is_ascii_alphanumeric() || "-_.%".contains(letter);
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest.find(|letter| !belongs(letter)).unwrap_or(rest.len());
        out.push_str(if word < LIKE_A_SECRET { &rest[..word] } else { "…" });
        rest = &rest[word..];
        let other = rest.find(belongs).unwrap_or(rest.len());
        out.push_str(&rest[..other]);
        rest = &rest[other..];
    }
    out
}

/// From how many characters on a word may be a secret.
const LIKE_A_SECRET: usize = 40;
