//! The personal application: its client id, its secret at the one moment it is known, and how to use both.

use super::page::{Form, Page, Section, Style};
use super::visit::{Visit, go};
use crate::accounts::resets;
use crate::accounts::sessions::Session;
use crate::http::Answer;
use crate::resources::users;
use crate::work::Work;
use guildhall_jsonapi::{Problem, Result};
use std::path::PathBuf;

/// The page.
pub(super) async fn show(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let user = session.user.clone();
    let client_id = Work::look(visit.app, move |work| users::client_id(work, &user)).await?;
    Ok(page(visit, &client_id, None).answer(visit))
}

fn page(visit: &Visit<'_>, client_id: &str, secret: Option<&str>) -> Page {
    let say = &visit.say;
    let mut own = Section::new(say.of("api-own")).text(say.of("api-own.lead"));
    own = own.show(say.of("api-own.id"), client_id);
    if let Some(secret) = secret {
        own = own.show(say.of("api-own.secret"), secret).text(say.of("api-own.once"));
    } else {
        own = own.text(say.of("api-own.hidden"));
    }
    own = own.form(Form::new("/account/api", say.of("api-own.rotate")).style(Style::Danger));
    let shown = secret.unwrap_or("…");
    let use_it = Section::new(say.of("api-use"))
        .text(say.of("api-use.lead"))
        .show(say.of("api-use.curl"), curl(visit, client_id, shown))
        .show(say.of("api-use.sdk"), sdk(visit, client_id, shown));
    Page::wide(say.of("tab-api"), "api", vec![own, use_it])
}

fn curl(visit: &Visit<'_>, client_id: &str, secret: &str) -> String {
    let config = &visit.app.config;
    let ca = own_authority(visit).map_or_else(String::new, |file| format!(" --cacert {}", file.display()));
    format!(
        "curl{ca} {}/oauth/token \\\n  -d grant_type=client_credentials \\\n  -d client_id={client_id} \\\n  -d client_secret={secret}",
        config.url("auth")
    )
}

/// The certificate authority of a try-out, which nobody knows yet.
fn own_authority(visit: &Visit<'_>) -> Option<PathBuf> {
    let config = &visit.app.config;
    (config.dev && config.tls_cert.is_none()).then(|| config.data.join(crate::tls::DEV_CA))
}

fn sdk(visit: &Visit<'_>, client_id: &str, secret: &str) -> String {
    let domain = &visit.app.config.domain;
    let how = own_authority(visit).map_or_else(String::new, |file| {
        let file = file.display();
        format!("// NODE_EXTRA_CA_CERTS={file} node --import ./examples/localhost.mjs FILE.mjs\n")
    });
    format!(
        "{how}import {{ authenticate }} from '@commercelayer/js-auth'\n\
         import {{ CommerceLayerProvisioning }} from '@commercelayer/provisioning-sdk'\n\n\
         const {{ accessToken }} = await authenticate('client_credentials', {{\n  clientId: '{client_id}',\n  \
         clientSecret: '{secret}',\n  domain: '{domain}'\n}})\n\
         const guildhall = CommerceLayerProvisioning({{ accessToken, domain: '{domain}' }})\n\
         console.log(await guildhall.user.retrieve())"
    )
}

/// Makes a new secret and shows it this once; tokens of the old one end.
pub(super) async fn rotate(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    if !session.is_fresh(visit.app.clock.now()) {
        return Ok(go("/confirm?next=/account/api"));
    }
    let user = session.user.clone();
    let made = Work::run_as(visit.app, session, &visit.asked.id, move |work| {
        let user = users::by_id(work, &user)?.ok_or_else(Problem::not_found)?;
        resets::tell(work, &user.id, "secret")?;
        users::rotate_secret(work, &user)
    })
    .await?;
    visit.app.letters.notify_one();
    Ok(page(visit, &made.client_id, Some(&made.client_secret))
        .tell(visit.say.of("said-secret"))
        .answer(visit))
}
