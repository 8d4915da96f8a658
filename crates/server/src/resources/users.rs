//! A person with an account: the way in. Everyone sees and changes only themselves.

use super::{Resource, Versions, memberships};
use crate::accounts::{addresses, owed_codes, sessions};
use crate::authorizations::{applications, chains};
use crate::crypto::hash;
use crate::work::Work;
use guildhall_jsonapi::spec::{Format, PLAIN, flag, text, time};
use guildhall_jsonapi::{Error, Input, Problem, Record, Result, Scope, Spec, check_email};
use guildhall_store::Sql;
use serde::Deserialize;
use serde_json::{Map, json};

static SPEC: Spec = Spec {
    kind: "users",
    singular: "user",
    about: "A person with an account, who can be a member of any number of organizations.",
    singleton: Some("user"),
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
    inner: &[
        text("email_key"),
        flag("email_proved"),
        text("proved_email"),
        text("proved_email_key"),
        text("language"),
        text("plan"),
        time("disabled_at"),
    ],
    ..PLAIN
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
    let moved = columns.get("email_key").is_some_and(|key| key != user.column("email_key"));
    if moved {
        // Whose it is, nobody knows yet: invitations to it wait until it is proved.
        columns.insert("email_proved".to_owned(), json!(false));
    }
    work.update(user, columns)?;
    if ["email", "first_name", "last_name"].iter().any(|name| input.has(name)) {
        let sent = input.text("email").unwrap_or_default();
        memberships::show_user(work, &user.id).map_err(|error| taken(error, sent))?;
    }
    if moved {
        addresses::tell_of_claim(work, user, input.text("email").unwrap_or_default())?;
    }
    Ok(())
}

/// Gives a user an address that was proved to be theirs. Whoever only claimed it goes back to their own.
pub fn move_to(work: &mut Work<'_, '_>, user: &Record, email: &str) -> Result<()> {
    evict(work, email, &user.id)?;
    memberships::absorb(work, &user.id, email)?;
    if user.text("proved_email_key") != email.to_lowercase() {
        memberships::stop_asking(work, user.text("proved_email_key"))?;
    }
    let columns = [
        ("email".to_owned(), json!(email)),
        ("email_key".to_owned(), json!(email.to_lowercase())),
        ("email_proved".to_owned(), json!(true)),
        ("proved_email".to_owned(), json!(email)),
        ("proved_email_key".to_owned(), json!(email.to_lowercase())),
    ];
    work.update(user, Map::from_iter(columns))?;
    memberships::show_user(work, &user.id).map_err(|error| taken(error, email))?;
    let moved = by_id(work, &user.id)?.ok_or_else(Problem::not_found)?;
    memberships::activate(work, &moved)
}

/// Sends whoever claims an address without having proved it back to their own: it is somebody else's.
fn evict(work: &mut Work<'_, '_>, email: &str, owner: &str) -> Result<()> {
    let claims = Record::find(work.tx, &SPEC, "email_key", &email.to_lowercase())?;
    for squatter in
        claims.iter().filter(|user| user.id != owner && user.column("email_proved") != &json!(true))
    {
        let own = squatter.text("proved_email").to_owned();
        let columns = [
            ("email".to_owned(), json!(own)),
            ("email_key".to_owned(), json!(own.to_lowercase())),
            ("email_proved".to_owned(), json!(true)),
        ];
        work.update(squatter, Map::from_iter(columns))?;
        memberships::show_user(work, &squatter.id)?;
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

/// What is wrong with it.
pub fn check(new: &New) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !check_email(&new.email) {
        problems.push(Problem::invalid("email", new.email.as_str()));
    }
    if new.first_name.trim().is_empty() {
        problems.push(Problem::blank("first_name"));
    }
    for (name, text) in [("first_name", &new.first_name), ("last_name", &new.last_name)] {
        if text.chars().any(char::is_control) || text.chars().count() > 255 {
            problems.push(Problem::invalid(name, text.as_str()));
        }
    }
    problems
}

/// Makes a user with the personal application, and activates what waits for the address.
///
/// The caller vouches for the address: an operator does, a proof by mail does.
pub fn register(work: &mut Work<'_, '_>, new: &New) -> Result<Application> {
    let id = work.new_id();
    register_as(work, &id, new)
}

/// The same with an id of its own, so that the user can be the author of it all.
pub fn register_as(work: &mut Work<'_, '_>, id: &str, new: &New) -> Result<Application> {
    let problems = check(new);
    if !problems.is_empty() {
        return Err(Error::Refused(problems));
    }
    let columns = json!({
        "email": new.email,
        "email_key": new.email.to_lowercase(),
        "first_name": new.first_name.trim(),
        "last_name": new.last_name.trim(),
        "email_proved": true,
        "proved_email": new.email,
        "proved_email_key": new.email.to_lowercase(),
        "plan": new.plan,
    });
    let columns: Map<_, _> = columns.as_object().cloned().unwrap_or_default();
    evict(work, &new.email, id)?;
    work.insert_as(&SPEC, id, columns).map_err(|error| match error {
        // Whichever of its forms is the one that somebody has.
        Error::Refused(_) => Problem::taken("email", &new.email).into(),
        other @ Error::Store(_) => other,
    })?;
    let application = Application {
        client_id: work.app.chance.secret(),
        client_secret: work.app.chance.secret(),
        user: id.to_owned(),
    };
    work.tx.execute(&Sql::new(
        "insert into user_applications (id, user_id, client_id, secret_hash, created_at) values (?, ?, ?, ?, ?)",
        [
            work.new_id().into(),
            id.into(),
            (&application.client_id).into(),
            hash(&application.client_secret).into(),
            work.now.into(),
        ],
    ))?;
    let user = by_id(work, id)?.ok_or_else(Problem::not_found)?;
    memberships::activate(work, &user)?;
    Ok(application)
}

/// The client id of the personal application, which is no secret.
pub fn client_id(work: &mut Work<'_, '_>, user: &str) -> Result<String> {
    let sql = "select client_id from user_applications where user_id = ?";
    Ok(work
        .tx
        .rows(&Sql::new(sql, [user.into()]))?
        .first()
        .map(|row| row.text(0).to_owned())
        .unwrap_or_default())
}

/// Gives the personal application a new secret; tokens made with the old one end.
pub fn rotate_secret(work: &mut Work<'_, '_>, user: &Record) -> Result<Application> {
    let secret = work.app.chance.secret();
    let mut sql = Sql::text("update user_applications set secret_hash = ");
    sql.bind(hash(&secret)).push(", valid_from = ").append(&applications::ended(work.app, work.now));
    sql.push(" where user_id = ").bind(&user.id);
    work.tx.execute(&sql)?;
    let client_id = client_id(work, &user.id)?;
    work.record_deed(user, "rotate_secret")?;
    Ok(Application { user: user.id.clone(), client_id, client_secret: secret })
}

/// Puts a user on a plan.
pub fn set_plan(work: &mut Work<'_, '_>, user: &Record, plan: &str) -> Result<()> {
    let columns = Map::from_iter([("plan".to_owned(), json!(plan))]);
    work.update(user, columns)
}

/// The user whose address this is, proved to be: for operators and rules.
pub fn by_email(work: &mut Work<'_, '_>, email: &str) -> Result<Option<Record>> {
    Ok(Record::find(work.tx, &SPEC, "proved_email_key", &email.to_lowercase())?.pop())
}

/// The user with this id, for operators and rules.
pub fn by_id(work: &mut Work<'_, '_>, id: &str) -> Result<Option<Record>> {
    Ok(Record::find(work.tx, &SPEC, "id", id)?.pop())
}

/// Notes the language they read.
pub fn set_language(work: &mut Work<'_, '_>, user: &str, language: &str) -> Result<()> {
    let language = crate::say::is_known(language).then_some(language);
    let sql = "update users set language = ? where id = ?";
    work.tx.execute(&Sql::new(sql, [language.into(), user.into()]))?;
    Ok(())
}

/// Notes whether they sign in with a second factor.
pub fn require_otp(work: &mut Work<'_, '_>, user: &str, required: bool) -> Result<()> {
    let Some(user) = by_id(work, user)? else { return Ok(()) };
    work.update(&user, Map::from_iter([("otp_required_for_login".to_owned(), json!(required))]))
}

/// Shuts every way in, or opens them again. Sessions end, and tokens of before stay useless for good.
pub fn set_disabled(work: &mut Work<'_, '_>, user: &Record, disabled: bool) -> Result<()> {
    let at = if disabled { json!(work.now) } else { json!(null) };
    work.update(user, Map::from_iter([("disabled_at".to_owned(), at)]))?;
    if disabled {
        sessions::end_others(work, &user.id, None)?;
        owed_codes::end_all(work, &user.id)?;
        end_tokens(work, &user.id)?;
    }
    Ok(())
}

/// Ends every token that was given to a user's personal application or on their behalf so far.
pub fn end_tokens(work: &mut Work<'_, '_>, user: &str) -> Result<()> {
    let mut sql = Sql::text("update user_applications set valid_from = ");
    sql.append(&applications::ended(work.app, work.now)).push(" where user_id = ").bind(user);
    work.tx.execute(&sql)?;
    chains::end_of_user(work.tx, user, work.now)?;
    for sql in
        ["delete from authorization_codes where user_id = ?", "delete from device_codes where user_id = ?"]
    {
        work.tx.execute(&Sql::new(sql, [user.into()]))?;
    }
    Ok(())
}

/// Erases a user with their memberships; history stays. An owner hands the organization over first.
pub fn erase(work: &mut Work<'_, '_>, user: &Record) -> Result<()> {
    for membership in memberships::of_user_id(work, &user.id)? {
        if membership.column("owner") == &json!(true) {
            let slug = work.text("organizations", membership.text("organization_id"), "slug")?;
            let detail = format!("{} owns {}", user.text("email"), slug.unwrap_or_default());
            return Err(Problem {
                detail,
                ..Problem::attribute("owner", "owner", "must be transferred first")
            }
            .into());
        }
        memberships::remove(work, &membership)?;
    }
    for provider in
        Record::find(work.tx, super::identity_providers::IDENTITY_PROVIDERS.spec, "user_id", &user.id)?
    {
        work.delete(&provider)?;
    }
    memberships::stop_asking(work, user.text("proved_email_key"))?;
    work.later(Sql::new("delete from sizes where owner = ?", [(&user.id).into()]));
    work.delete(user)
}
