//! Callers that were looked up before, for as long as nothing at all was committed since: the database has nothing new to
//! say about them.

use crate::access::Caller;
use crate::bearer::Bearer;
use crate::config::Config;
use guildhall_jsonapi::Result;
use guildhall_store::Tx;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use std::sync::Arc;

/// Of how many callers it is expected that they ask at about the same time.
const CALLERS: usize = 256;
/// How many places those that are kept may have in all, themselves included: one has a few hundred bytes.
const MOST_PLACES: u64 = 50_000;

/// Those that are kept, by the token they have shown and by who of the database's readers has looked.
pub(crate) struct Callers(Cache<(usize, [u8; 32]), Entry, Places>);

#[derive(Clone)]
struct Entry {
    /// What the database was at.
    version: i64,
    caller: Arc<Caller>,
}

#[derive(Clone)]
struct Places;

impl Weighter<(usize, [u8; 32]), Entry> for Places {
    fn weight(&self, _: &(usize, [u8; 32]), entry: &Entry) -> u64 {
        entry.caller.places.as_ref().map_or(0, Vec::len) as u64 + 1
    }
}

impl Callers {
    /// Nobody yet.
    pub(crate) fn new() -> Self {
        Self(Cache::with_weighter(CALLERS, MOST_PLACES, Places))
    }

    /// The caller behind a token, as [`Caller::load`] finds them in what this unit sees.
    pub(crate) fn load(
        &self,
        tx: &mut Tx<'_>,
        bearer: &Bearer,
        config: &Config,
    ) -> Result<Option<Arc<Caller>>> {
        // Whether one that is dated later counts depends on the clock.
        let Some(snapshot) = tx.snapshot().filter(|_| !bearer.is_ahead) else {
            return Ok(Caller::load(tx, bearer, config)?.map(Arc::new));
        };
        let key = (snapshot.reader, bearer.key);
        if let Some(entry) = self.0.get(&key).filter(|entry| entry.version == snapshot.version) {
            return Ok(Some(entry.caller));
        }
        let caller = Caller::load(tx, bearer, config)?.map(Arc::new);
        if let Some(caller) = &caller {
            self.0.insert(key, Entry { version: snapshot.version, caller: caller.clone() });
        }
        Ok(caller)
    }
}
