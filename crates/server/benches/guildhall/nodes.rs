//! Whether nodes share the work: one node with two threads, and two nodes with one each, are asked the same.

use crate::load::Load;
use crate::serving::{BOTH, ROUNDS, Running, begin};
use std::fs;
use std::net::SocketAddr;
use std::path::Path;

/// What is asked, at an address.
pub(crate) type Question = (&'static str, Box<dyn Fn(SocketAddr) -> Load>);

/// Answers a second of one node and of two.
pub(crate) struct Shared {
    pub(crate) name: &'static str,
    pub(crate) one: f64,
    pub(crate) two: f64,
}

/// Asks both, on the database at this URL; `data` is the folder of a node on it.
pub(crate) fn measure(data: &Path, url: &str, questions: &[Question]) -> Vec<Shared> {
    let other = data.with_extension("other");
    fs::create_dir_all(&other).expect("a folder for the second node");
    fs::copy(data.join("secret.key"), other.join("secret.key")).expect("the key is there");
    let start = |data: &Path, workers: &str| -> (Running, SocketAddr) {
        let (node, address, _) = begin(data.to_str().expect("a path of text"), BOTH, workers, Some(url));
        (node, address)
    };
    questions
        .iter()
        .map(|(name, ask)| {
            let (mut one, mut two) = (0.0, 0.0);
            for _ in 0..ROUNDS {
                {
                    let (_node, address) = start(data, "2");
                    one += together([ask(address), ask(address)]);
                }
                let ((_first, here), (_second, there)) = (start(data, "1"), start(&other, "1"));
                two += together([ask(here), ask(there)]);
            }
            Shared { name, one: one / f64::from(ROUNDS), two: two / f64::from(ROUNDS) }
        })
        .collect()
}

/// Asks both at once; answers how many answers there were a second.
fn together(loads: [Load; 2]) -> f64 {
    std::thread::scope(|scope| {
        let asking = loads.map(|load| scope.spawn(|| load.rate()));
        asking.map(|one| one.join().expect("asking does not fail")).iter().sum()
    })
}
