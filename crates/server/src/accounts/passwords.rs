//! Passwords: strong enough, hashed with Argon2id on threads of their own, and hashed anew when the
//! parameters have grown.

use super::owed_codes;
use crate::work::Work;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use guildhall_jsonapi::Result;
use guildhall_store::{Rows, Sql, Tx};
use tokio::sync::oneshot;
use zxcvbn::{Score, zxcvbn};

/// Memory in KiB, passes and lanes: the OWASP minimum for Argon2id.
const PARAMS: (u32, u32, u32) = (19 * 1024, 2, 1);
/// How many passwords may wait for a thread; who comes then is told to come back.
const MOST_WAITING: usize = 64;
/// The longest password in characters; a longer one would only keep the threads busy.
const LONGEST: usize = 128;

/// How much of a password is judged: the rest cannot make it weaker, and judging takes ever longer.
const JUDGED: usize = 40;

/// Too many passwords wait already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Overloaded;

/// What a comparison found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Another password, or none to compare with.
    Wrong,
    /// The password.
    Right,
    /// The password, and a hash with parameters that are no longer ours.
    Outdated,
}

type Job = Box<dyn FnOnce(&mut Vec<Block>) + Send>;

/// The threads that hash. Each keeps its memory, so that a flood of sign-ins takes no more of it.
#[derive(Clone, Debug)]
pub struct Hasher {
    jobs: Sender<Job>,
    decoy: String,
}

impl Hasher {
    /// Starts so many threads, which give way to everything else the machine does.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let (jobs, waiting) = bounded::<Job>(MOST_WAITING);
        for _ in 0..threads.max(1) {
            let waiting = waiting.clone();
            std::thread::Builder::new().name("hasher".to_owned()).spawn(move || work_through(&waiting))?;
        }
        // What stands in for an account that does not exist: no password has this hash.
        let decoy = phc(&params(), &[0; 16], &[0; Params::DEFAULT_OUTPUT_LEN]).unwrap_or_default();
        Ok(Self { jobs, decoy })
    }

    /// Hashes a new password.
    pub async fn hash(&self, password: &str, salt: [u8; 16]) -> std::result::Result<String, Overloaded> {
        let password = password.to_owned();
        self.run(move |memory| {
            let params = params();
            let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
            fill(&params, &password, &salt, &mut output, memory)?;
            phc(&params, &salt, &output)
        })
        .await?
        .ok_or(Overloaded)
    }

    /// Compares a password with a hash. Without a hash it takes as long and finds it wrong.
    pub async fn verify(
        &self,
        password: &str,
        hash: Option<String>,
    ) -> std::result::Result<Verdict, Overloaded> {
        let password = password.to_owned();
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let verdict = self.run(move |memory| compare(&password, &hash, memory)).await?;
        Ok(if known { verdict.unwrap_or(Verdict::Wrong) } else { Verdict::Wrong })
    }

    /// What is wrong with a password somebody chose, by the name of the message that says so. It must not be
    /// made of what is known `about` them.
    pub async fn weakness(
        &self,
        password: &str,
        about: &[&str],
    ) -> std::result::Result<Option<&'static str>, Overloaded> {
        let password = password.to_owned();
        let about: Vec<String> = about.iter().map(|word| (*word).to_owned()).collect();
        self.run(move |_| {
            let about: Vec<&str> = about.iter().map(String::as_str).collect();
            weakness(&password, &about)
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static,
    ) -> std::result::Result<T, Overloaded> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |memory| drop(reply.send(work(memory))));
        match self.jobs.try_send(job) {
            Ok(()) => answer.await.map_err(|_| Overloaded),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Overloaded),
        }
    }
}

fn work_through(waiting: &Receiver<Job>) {
    // Requests go first. Where the system does not let us step back, they only wait a little longer.
    if let Err(error) = rustix::process::nice(10) {
        tracing::debug!("hashing does not give way: {error}");
    }
    let mut memory = Vec::new();
    for job in waiting {
        job(&mut memory);
    }
}

fn params() -> Params {
    let (memory, passes, lanes) = PARAMS;
    Params::new(memory, passes, lanes, None).unwrap_or(Params::DEFAULT)
}

fn fill(
    params: &Params,
    password: &str,
    salt: &[u8],
    output: &mut [u8],
    memory: &mut Vec<Block>,
) -> Option<()> {
    if memory.len() < params.block_count() {
        memory.resize(params.block_count(), Block::default());
    }
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(password.as_bytes(), salt, output, memory)
        .ok()
}

fn phc(params: &Params, salt: &[u8], output: &[u8]) -> Option<String> {
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).ok()?,
        salt: Some(Salt::new(salt).ok()?),
        hash: Some(Output::new(output).ok()?),
    };
    Some(hash.to_string())
}

fn compare(password: &str, hash: &str, memory: &mut Vec<Block>) -> Option<Verdict> {
    let hash = PasswordHash::new(hash).ok()?;
    let used = Params::try_from(&hash).ok()?;
    let (salt, expected) = (hash.salt?, hash.hash?);
    let mut output = vec![0; expected.len()];
    fill(&used, password, &salt, &mut output, memory)?;
    if constant_time::verify_slices_are_equal(&output, expected.as_bytes()).is_err() {
        return Some(Verdict::Wrong);
    }
    let current = (used.m_cost(), used.t_cost(), used.p_cost()) == PARAMS;
    Some(if current { Verdict::Right } else { Verdict::Outdated })
}

/// What is wrong with a password somebody chose, by the name of the message that says so.
fn weakness(password: &str, about: &[&str]) -> Option<&'static str> {
    let length = password.chars().count();
    let judged: String = password.chars().take(JUDGED).collect();
    let about: Vec<String> = about.iter().map(|word| word.chars().take(JUDGED).collect()).collect();
    let about: Vec<&str> = about.iter().map(String::as_str).collect();
    if length < 8 {
        Some("password-short")
    } else if length > LONGEST {
        Some("password-long")
    } else if zxcvbn(&judged, &about).score() < Score::Three {
        Some("password-weak")
    } else {
        None
    }
}

/// The hash of a user's password, if they have one.
pub fn hash_of(tx: &mut Tx<'_>, user: &str) -> guildhall_store::Result<Option<String>> {
    let rows: Rows = tx.rows(&Sql::new("select hash from passwords where user_id = ?", [user.into()]))?;
    Ok(rows.first().map(|row| row.text(0).to_owned()))
}

/// Gives a user a password. Whoever has shown the old one and owes a code begins anew.
pub fn set(work: &mut Work<'_, '_>, user: &str, hash: &str) -> Result<()> {
    work.tx.execute(&Sql::new(
        "insert into passwords (user_id, hash, changed_at) values (?, ?, ?)
         on conflict (user_id) do update set hash = excluded.hash, changed_at = excluded.changed_at",
        [user.into(), hash.into(), work.now.into()],
    ))?;
    owed_codes::end_all(work, user)
}

/// Takes a user's password away: a passkey is their way in.
pub fn remove(work: &mut Work<'_, '_>, user: &str) -> Result<()> {
    work.tx.execute(&Sql::new("delete from passwords where user_id = ?", [user.into()]))?;
    owed_codes::end_all(work, user)
}

/// Keeps a hash with today's parameters for the same password, unless it was changed meanwhile.
pub fn upgrade(work: &mut Work<'_, '_>, user: &str, old: &str, new: &str) -> Result<()> {
    let sql = "update passwords set hash = ? where user_id = ? and hash = ?";
    work.tx.execute(&Sql::new(sql, [new.into(), user.into(), old.into()]))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_hash_knows_its_password_and_no_other() {
        let hasher = Hasher::new(1).unwrap();
        let hash = hasher.hash("correct horse", [2; 16]).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_eq!(hasher.verify("correct horse", Some(hash.clone())).await, Ok(Verdict::Right));
        assert_eq!(hasher.verify("battery staple", Some(hash)).await, Ok(Verdict::Wrong));
        assert_eq!(hasher.verify("correct horse", None).await, Ok(Verdict::Wrong));
        assert_eq!(hasher.verify("correct horse", Some("nonsense".to_owned())).await, Ok(Verdict::Wrong));
    }

    #[tokio::test]
    async fn a_hash_with_smaller_parameters_is_outdated() {
        let params = Params::new(8 * 1024, 1, 1, None).unwrap();
        let mut output = [0; 32];
        fill(&params, "correct horse", &[3; 16], &mut output, &mut Vec::new()).unwrap();
        let old = phc(&params, &[3; 16], &output).unwrap();
        let hasher = Hasher::new(1).unwrap();
        assert_eq!(hasher.verify("correct horse", Some(old)).await, Ok(Verdict::Outdated));
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_instead_of_queued() {
        let hasher = Hasher::new(1).unwrap();
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (begin, begun) = oneshot::channel();
        let holding = tokio::spawn({
            let hasher = hasher.clone();
            async move {
                let hold = move |_: &mut Vec<Block>| {
                    begin.send(()).ok();
                    held.recv().is_err()
                };
                hasher.run(hold).await
            }
        });
        // The one thread has its job: whatever comes now waits behind it.
        begun.await.unwrap();
        let mut waiting = Vec::new();
        while waiting.len() < MOST_WAITING {
            let hasher = hasher.clone();
            waiting.push(tokio::spawn(async move { hasher.run(|_| ()).await }));
        }
        while hasher.jobs.len() < MOST_WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(hasher.verify("x", None).await, Err(Overloaded));
        drop(release);
        holding.await.unwrap().unwrap();
        for job in waiting {
            job.await.unwrap().ok();
        }
    }

    #[test]
    fn easy_passwords_are_refused() {
        let about = ["ada.lovelace@example.com", "Ada", "Lovelace"];
        assert_eq!(weakness("1234567", &about), Some("password-short"));
        assert_eq!(weakness("password1", &about), Some("password-weak"));
        assert_eq!(weakness("Lovelace1815", &about), Some("password-weak"));
        assert_eq!(weakness("orchid-tram-lantern", &about), None);
        assert_eq!(weakness(&"orchid-tram ".repeat(11), &about), Some("password-long"));
    }
}
