//! What a script asks before it asks the browser for a passkey.

use super::visit::Visit;
use crate::accounts::passkeys;
use crate::http::Answer;
use crate::work::Work;
use guildhall_jsonapi::{Problem, Result};

/// Answers the question for the browser: to show a passkey, or, in a session that is fresh, to make one.
pub(super) async fn ask(visit: &Visit<'_>) -> Result<Answer> {
    let visitor = visit.visitor_hash();
    let options = match (visit.field("kind"), &visit.session) {
        ("create", Some(session)) if session.is_fresh(visit.app.clock.now()) => {
            let (user, email) = (session.user.clone(), session.email.clone());
            Work::look(visit.app, move |work| passkeys::begin_new(work, &visitor, &user, &email)).await?
        }
        ("create", _) => return Err(Problem::forbidden().into()),
        _ => Work::look(visit.app, move |work| passkeys::begin(work, &visitor)).await?,
    };
    Ok(Answer::new(200, "application/json", options.to_string()))
}
