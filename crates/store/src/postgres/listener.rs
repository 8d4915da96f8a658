//! Hearing what other programs on the same database say.

use super::target::Target;
use crate::{Error, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_postgres::AsyncMessage;

/// How soon it is listened again after a connection broke.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens as long as somebody wants to hear: what is heard is that there was something.
pub(super) fn listen(target: &Arc<Target>) -> Result<watch::Receiver<u64>> {
    let (heard, notices) = watch::channel(0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::Other(format!("no runtime for the database: {error}")))?;
    let target = target.clone();
    let listening = move || {
        runtime.block_on(async {
            tokio::select! {
                () = keep_listening(&target, &heard) => {}
                () = heard.closed() => {}
            }
        });
    };
    std::thread::Builder::new()
        .name("postgres-notices".to_owned())
        .spawn(listening)
        .map_err(|error| Error::Other(format!("no thread for the database: {error}")))?;
    Ok(notices)
}

async fn keep_listening(target: &Target, heard: &watch::Sender<u64>) {
    loop {
        // Nobody hears anything through a pooler, where the session is somebody else's a moment later.
        let listened = target.listen(|message| {
            if matches!(message, AsyncMessage::Notification(_)) {
                heard.send_modify(|number| *number += 1);
            }
        });
        if let Err(why) = listened.await {
            tracing::debug!("nothing is heard of other programs: {why}");
        }
        tokio::time::sleep(PAUSE).await;
        // Something may have been missed.
        heard.send_modify(|number| *number += 1);
    }
}
