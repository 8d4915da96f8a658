//! Passkeys (WebAuthn): made in a session, then all that is needed to sign in.

use crate::App;
use crate::clock::MINUTE;
use crate::crypto::hash;
use crate::work::Work;
use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use guildhall_jsonapi::{Result, Secrets as _};
use guildhall_store::{Error, Sql};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use url::Url;
use webauthn_rs::prelude::{
    CredentialID, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Uuid, Webauthn, WebauthnBuilder,
};

/// How many passkeys one may have.
const MOST: usize = 20;

/// How long a question may take to be answered.
const LIFE: i64 = 10 * MINUTE;

/// A question to a browser. Its page carries it, sealed, so that nothing is kept of the many that are never
/// answered; each is answered once.
#[derive(Debug, Deserialize, Serialize)]
struct Question<T> {
    visitor: String,
    user: Option<String>,
    expires_at: i64,
    state: T,
}

/// A passkey as its owner sees it in a list.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// When it was made.
    pub created_at: i64,
    /// When it was used last.
    pub used_at: Option<i64>,
}

/// What knows the origins that passkeys belong to.
pub fn relying_party(dashboards: &[String]) -> anyhow::Result<Webauthn> {
    let origins = dashboards.iter().map(|url| Url::parse(url)).collect::<Result<Vec<_>, _>>()?;
    let first = origins.first().context("there is no dashboard")?;
    let host = first.host_str().unwrap_or_default();
    let builder = WebauthnBuilder::new(host, first)?.rp_name("Guildhall");
    Ok(origins.iter().fold(builder, WebauthnBuilder::append_allowed_origin).build()?)
}

/// Begins to make a passkey; answers what the browser is to be asked.
pub fn begin_new(work: &mut Work<'_, '_>, visitor: &str, user: &str, email: &str) -> Result<Json> {
    let known: Vec<CredentialID> = all(work, user)?.iter().map(|key| key.cred_id().clone()).collect();
    let (options, state) = work
        .app
        .webauthn
        .start_passkey_registration(handle(work.app, user), email, email, Some(known))
        .map_err(|error| broken(&error))?;
    let mut options = json(&options)?;
    options["question"] = json!(seal(work, visitor, Some(user), state)?);
    // Without this some devices keep no passkey of their own, and could not offer it when signing in.
    options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("required");
    options["publicKey"]["authenticatorSelection"]["requireResidentKey"] = json!(true);
    Ok(options)
}

/// Keeps the passkey the browser made, if it is what was asked for.
pub fn finish_new(
    work: &mut Work<'_, '_>,
    visitor: &str,
    user: &str,
    name: &str,
    (question, made): (&str, &RegisterPublicKeyCredential),
) -> Result<bool> {
    let state: Option<PasskeyRegistration> = answer(work, visitor, Some(user), question)?;
    let passkey = state.and_then(|state| work.app.webauthn.finish_passkey_registration(made, &state).ok());
    let Some(passkey) = passkey else { return Ok(false) };
    if all(work, user)?.len() >= MOST {
        return Ok(false);
    }
    let name: String = name.trim().chars().filter(|one| !one.is_control()).take(60).collect();
    let made = work.tx.execute(&Sql::new(
        "insert into passkeys (id, user_id, name, credential_id, credential, created_at) values (?, ?, ?, ?, ?, ?)
         on conflict (credential_id) do nothing",
        [
            work.new_id().into(),
            user.into(),
            name.into(),
            URL_SAFE_NO_PAD.encode(passkey.cred_id()).into(),
            json(&passkey)?.to_string().into(),
            work.now.into(),
        ],
    ))?;
    Ok(made == 1)
}

/// Begins to ask for any passkey of this origin; answers what the browser is to be asked.
pub fn begin(work: &mut Work<'_, '_>, visitor: &str) -> Result<Json> {
    let (options, state) =
        work.app.webauthn.start_discoverable_authentication().map_err(|error| broken(&error))?;
    let mut options = json(&options)?;
    options["question"] = json!(seal(work, visitor, None, state)?);
    // Whether it is offered in a field or behind a button is for the page to say.
    options.as_object_mut().map(|options| options.remove("mediation"));
    Ok(options)
}

/// Whose passkey the browser showed: a known one, for this very question, whose counter went on.
pub fn finish(
    work: &mut Work<'_, '_>,
    visitor: &str,
    (question, shown): (&str, &PublicKeyCredential),
) -> Result<Option<String>> {
    let state: Option<DiscoverableAuthentication> = answer(work, visitor, None, question)?;
    let Ok((_, credential)) = work.app.webauthn.identify_discoverable_authentication(shown) else {
        return Ok(None);
    };
    let credential = URL_SAFE_NO_PAD.encode(credential);
    let rows = work.tx.rows(&Sql::new(
        "select p.user_id, p.credential from passkeys p join enabled_users u on u.id = p.user_id
         where p.credential_id = ?",
        [credential.as_str().into()],
    ))?;
    let Some((row, state)) = rows.first().zip(state) else { return Ok(None) };
    let Ok(mut passkey) = serde_json::from_str::<Passkey>(row.text(1)) else { return Ok(None) };
    let Ok(result) = work.app.webauthn.finish_discoverable_authentication_v2(shown, state, &passkey) else {
        return Ok(None);
    };
    passkey.update_credential(&result);
    work.tx.execute(&Sql::new(
        "update passkeys set credential = ?, used_at = ? where credential_id = ?",
        [json(&passkey)?.to_string().into(), work.now.into(), credential.into()],
    ))?;
    Ok(Some(row.text(0).to_owned()))
}

/// The passkeys of a user.
pub fn list(work: &mut Work<'_, '_>, user: &str) -> Result<Vec<Listed>> {
    let rows = work.tx.rows(&Sql::new(
        "select id, name, created_at, used_at from passkeys where user_id = ? order by created_at, id",
        [user.into()],
    ))?;
    let listed = |row: guildhall_store::Row<'_>| Listed {
        id: row.text(0).to_owned(),
        name: row.text(1).to_owned(),
        created_at: row.int(2),
        used_at: row.maybe_int(3),
    };
    Ok(rows.iter().map(listed).collect())
}

/// Forgets a passkey of a user.
pub fn remove(work: &mut Work<'_, '_>, user: &str, id: &str) -> Result<bool> {
    let sql = "delete from passkeys where id = ? and user_id = ?";
    Ok(work.tx.execute(&Sql::new(sql, [id.into(), user.into()]))? == 1)
}

/// Forgets all passkeys of a user.
pub fn remove_all(work: &mut Work<'_, '_>, user: &str) -> Result<()> {
    work.tx.execute(&Sql::new("delete from passkeys where user_id = ?", [user.into()]))?;
    Ok(())
}

fn seal<T: Serialize>(work: &Work<'_, '_>, visitor: &str, user: Option<&str>, state: T) -> Result<String> {
    let question = Question {
        visitor: visitor.to_owned(),
        user: user.map(str::to_owned),
        expires_at: work.now + LIFE,
        state,
    };
    Ok(work.app.vault.seal_row(&json(&question)?.to_string())?)
}

/// The state of a question this browser was asked, at the first answer only.
fn answer<T: DeserializeOwned>(
    work: &mut Work<'_, '_>,
    visitor: &str,
    user: Option<&str>,
    sealed: &str,
) -> Result<Option<T>> {
    let text = work.app.vault.open(sealed);
    let question: Option<Question<T>> = text.and_then(|text| serde_json::from_str(&text).ok());
    let asked = |question: &Question<T>| {
        question.visitor == visitor && question.user.as_deref() == user && question.expires_at > work.now
    };
    let Some(question) = question.filter(asked) else { return Ok(None) };
    let sql =
        "insert into spent_challenges (challenge_hash, expires_at) values (?, ?) on conflict do nothing";
    let spent = work.tx.execute(&Sql::new(sql, [hash(sealed).into(), question.expires_at.into()]))?;
    Ok((spent == 1).then_some(question.state))
}

fn all(work: &mut Work<'_, '_>, user: &str) -> Result<Vec<Passkey>> {
    let rows = work.tx.rows(&Sql::new("select credential from passkeys where user_id = ?", [user.into()]))?;
    Ok(rows.iter().filter_map(|row| serde_json::from_str(row.text(0)).ok()).collect())
}

/// What a device knows a user by: always the same, and no name of ours.
fn handle(app: &App, user: &str) -> Uuid {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&app.vault.sign(&["passkey handle", user])[..16]);
    Uuid::from_bytes(bytes)
}

fn json<T: serde::Serialize>(value: &T) -> Result<Json> {
    Ok(serde_json::to_value(value).map_err(|error| broken(&error))?)
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::Other(error.to_string())
}
