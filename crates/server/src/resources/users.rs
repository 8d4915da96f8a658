//! A person with an account: the way in. Everyone sees and changes only themselves.

use super::{Resource, Versions, memberships};
use crate::crypto::hash;
use crate::work::Work;
use guildhall_jsonapi::spec::{Format, flag, text, time};
use guildhall_jsonapi::{Error, Input, Problem, Record, Result, Scope, Spec, check_email};
use guildhall_store::Sql;
use serde::Deserialize;
use serde_json::{Map, json};

static SPEC: Spec = Spec {
    kind: "users",
    singular: "user",
    about: "A person with an account, who can be a member of any number of organizations.",
    singleton: Some("user"),
    sized_by: None,
    attributes: &[
        text("email")
            .on_update()
            .filled()
            .format(Format::Email)
            .folded("email_key")
            .filter()
            .sort()
            .doc("The address they sign in with; no two users share one, whatever its case.")
            .example("\"ada@example.com\""),
        text("first_name").on_update().filter().sort().doc("Their first name.").example("\"Ada\""),
        text("last_name").on_update().filter().sort().doc("Their last name.").example("\"Lovelace\""),
        text("time_zone")
            .on_update()
            .nullable()
            .format(Format::TimeZone)
            .filter()
            .doc("Their time zone, by its IANA name.")
            .example("\"Europe/Rome\""),
        flag("otp_required_for_login")
            .derived()
            .doc("Whether they sign in with a second factor.")
            .example("false"),
    ],
    relationships: &[],
    inner: &[text("email_key"), flag("email_proved"), text("plan"), time("disabled_at")],
};

/// See the file.
pub static USERS: Resource = Resource {
    spec: &SPEC,
    versions: Versions::None,
    sees: |caller| Scope::within("id", vec![caller.user.clone()]),
    create: None,
    update: Some(update),
    delete: None,
    actions: &[],
};

fn update(work: &mut Work<'_, '_>, user: &Record, input: &mut Input) -> Result<()> {
    input.finish()?;
    let mut columns = input.columns();
    if columns.get("email_key").is_some_and(|key| key != user.column("email_key")) {
        // Whose it is, nobody knows yet: invitations to it wait until it is proved.
        columns.insert("email_proved".to_owned(), json!(false));
    }
    work.update(user, columns)?;
    if ["email", "first_name", "last_name"].iter().any(|name| input.has(name)) {
        let sent = input.text("email").unwrap_or_default();
        memberships::show_user(work, &user.id).map_err(|error| taken(error, sent))?;
    }
    Ok(())
}

/// Somebody else was invited by that address to an organization this user is in.
fn taken(error: Error, email: &str) -> Error {
    match error {
        Error::Refused(problems) if problems.iter().all(|problem| problem.status == 422) => {
            Problem::taken("email", email).into()
        }
        other => other,
    }
}

/// Who is to become a user.
#[derive(Clone, Debug, Deserialize)]
pub struct New {
    /// The address.
    pub email: String,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// The plan.
    pub plan: String,
}

/// The personal application of a user, at the only moment its secret is known.
#[derive(Clone, Debug)]
pub struct Application {
    /// The user's id.
    pub user: String,
    /// Its public name.
    pub client_id: String,
    /// Its secret.
    pub client_secret: String,
}

/// Makes a user with the personal application, and activates what waits for the address.
///
/// The caller vouches for the address: an operator does, a proof by mail does.
pub fn register(work: &mut Work<'_, '_>, new: &New) -> Result<Application> {
    let mut problems = Vec::new();
    if !check_email(&new.email) {
        problems.push(Problem::invalid("email", new.email.as_str()));
    }
    for (name, text) in [("first_name", &new.first_name), ("last_name", &new.last_name)] {
        if text.trim().is_empty() {
            problems.push(Problem::blank(name));
        } else if text.chars().any(char::is_control) || text.chars().count() > 255 {
            problems.push(Problem::invalid(name, text.as_str()));
        }
    }
    if !problems.is_empty() {
        return Err(Error::Refused(problems));
    }
    let columns = json!({
        "email": new.email,
        "email_key": new.email.to_lowercase(),
        "first_name": new.first_name,
        "last_name": new.last_name,
        "email_proved": true,
        "plan": new.plan,
    });
    let columns: Map<_, _> = columns.as_object().cloned().unwrap_or_default();
    let user = work.insert(&SPEC, columns)?;
    let application =
        Application { client_id: work.app.chance.secret(), client_secret: work.app.chance.secret(), user };
    work.tx.execute(&Sql::new(
        "insert into user_applications (id, user_id, client_id, secret_hash, created_at) values (?, ?, ?, ?, ?)",
        [
            work.app.chance.id().into(),
            (&application.user).into(),
            (&application.client_id).into(),
            hash(&application.client_secret).into(),
            work.now.into(),
        ],
    ))?;
    memberships::activate(work, &application.user, new)?;
    Ok(application)
}

/// Gives the personal application a new secret; tokens made with the old one end.
pub fn rotate_secret(work: &mut Work<'_, '_>, user: &Record) -> Result<Application> {
    let secret = work.app.chance.secret();
    // Tokens carry whole seconds: what is made from the next second on is new, and `oauth` dates it so.
    let valid_from = work.now / 1000 + 1;
    work.tx.execute(&Sql::new(
        "update user_applications set secret_hash = ?, valid_from = ? where user_id = ?",
        [hash(&secret).into(), valid_from.into(), (&user.id).into()],
    ))?;
    let rows = work
        .tx
        .rows(&Sql::new("select client_id from user_applications where user_id = ?", [(&user.id).into()]))?;
    let client_id = rows.first().map(|row| row.text(0).to_owned()).unwrap_or_default();
    work.record_deed(user, "rotate_secret")?;
    Ok(Application { user: user.id.clone(), client_id, client_secret: secret })
}

/// Puts a user on a plan.
pub fn set_plan(work: &mut Work<'_, '_>, user: &Record, plan: &str) -> Result<()> {
    let columns = Map::from_iter([("plan".to_owned(), json!(plan))]);
    work.update(user, columns)
}

/// The user with this address, for operators and rules.
pub fn by_email(work: &mut Work<'_, '_>, email: &str) -> Result<Option<Record>> {
    Ok(Record::find(work.tx, &SPEC, "email_key", &email.to_lowercase())?.pop())
}

/// The user with this address, if it is proved to be theirs.
pub fn proved(work: &mut Work<'_, '_>, email: &str) -> Result<Option<Record>> {
    Ok(by_email(work, email)?.filter(|user| user.column("email_proved") == &json!(true)))
}
