//! Applications that have shown who they are, as long as nothing at all was committed since: whoever asks again with the
//! same secret is who they were, and the database has nothing new to say about them.
//!
//! Who shows anything else is looked up, so that it takes as long whether or not somebody else was here before.

use super::params::Params;
use crate::App;
use crate::authorizations::applications::Application;
use crate::crypto::{equal, hash};
use quick_cache::sync::Cache;
use std::sync::Arc;

/// How many are kept.
const MOST_KNOWN: usize = 1000;

/// Those who have shown who they are, by their client id.
pub(crate) struct Known(Cache<String, Arc<Entry>>);

struct Entry {
    /// What the database was at before it was asked.
    version: i64,
    /// The hash of the secret that was shown.
    shown: String,
    application: Arc<Application>,
    /// The id of that secret, and when it was used last.
    used: (String, Option<i64>),
}

impl Known {
    /// Nobody yet.
    pub(crate) fn new() -> Self {
        Self(Cache::new(MOST_KNOWN))
    }

    /// Who asks, if they are known at this version of the database, which is no older than the moment `now`.
    pub(super) fn get(
        &self,
        app: &App,
        params: &Params,
        version: Option<i64>,
        now: i64,
    ) -> Option<Arc<Application>> {
        let (client_id, secret, version) = (params.get("client_id")?, params.get("client_secret")?, version?);
        if params.has_two_methods() || params.get("client_assertion").is_some() {
            return None;
        }
        let shown = hash(secret);
        let entry = self.0.get(client_id).filter(|entry| entry.version == version)?;
        let ends = entry.application.until.is_some_and(|until| until <= now);
        if !equal(&shown, &entry.shown) || ends {
            return None;
        }
        let (used, last_used_at) = &entry.used;
        if !used.is_empty() {
            app.uses.note(used, *last_used_at, now);
        }
        Some(entry.application.clone())
    }

    /// Keeps who has shown who they are by a secret, as the database knew them at this version or a later one.
    pub(super) fn keep(&self, app: &App, params: &Params, version: Option<i64>, application: &Application) {
        let (Some(client_id), Some(secret)) = (params.get("client_id"), params.get("client_secret")) else {
            return;
        };
        let Some(version) = version.filter(|_| application.claim.confidential) else { return };
        let Some((used, last_used_at)) = application.secret(secret, &app.vault) else { return };
        let used = (used.to_owned(), last_used_at);
        let application = Arc::new(application.clone());
        let entry = Entry { version, shown: hash(secret), application, used };
        self.0.insert(client_id.to_owned(), Arc::new(entry));
    }
}
