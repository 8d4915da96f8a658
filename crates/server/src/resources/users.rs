//! A person with an account: the way in. Everyone sees and changes only themselves.

use super::{Resource, Versions};
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
    inner: &[text("email_key"), text("plan"), time("disabled_at")],
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

fn update(work: &mut Work<'_, '_>, user: &Record, input: &Input) -> Result<()> {
    input.finish()?;
    work.update(user, input.columns())?;
    if ["email", "first_name", "last_name"].iter().any(|name| input.has(name)) {
        show_on_memberships(work, user)?;
    }
    Ok(())
}

/// Memberships carry their user's address and name, so that a list of members is one query.
fn show_on_memberships(work: &mut Work<'_, '_>, user: &Record) -> Result<()> {
    let result = work.tx.execute(&Sql::new(
        "update memberships set
         user_email = (select email from users where id = memberships.user_id),
         user_email_key = (select email_key from users where id = memberships.user_id),
         user_first_name = (select first_name from users where id = memberships.user_id),
         user_last_name = (select last_name from users where id = memberships.user_id)
         where user_id = ?",
        [(&user.id).into()],
    ));
    match result {
        // Somebody else was invited by that address to an organization this user is in.
        Err(guildhall_store::Error::Unique { .. }) => Err(Problem::taken("email", user.text("email")).into()),
        other => Ok(other.map(drop)?),
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
    super::memberships::activate(work, &application.user, new)?;
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
