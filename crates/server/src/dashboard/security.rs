//! The ways into one's account: password, second factor, passkeys, sessions.

use super::judge;
use super::page::{Field, Form, Item, Page, Section, Style};
use super::visit::{Visit, go};
use crate::accounts::sessions::{self, Session};
use crate::accounts::{note, passkeys, passwords, second_factor};
use crate::http::Answer;
use crate::work::Work;
use guildhall_jsonapi::{Problem, Result};
use qrcode::QrCode;
use qrcode::render::svg;

/// What the page tells.
struct Facts {
    has_password: bool,
    codes_left: i64,
    passkeys: Vec<passkeys::Listed>,
    sessions: Vec<sessions::Listed>,
}

/// The page.
pub(super) async fn show(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    Ok(page(visit, session, &[]).await?.answer(visit))
}

async fn facts(visit: &Visit<'_>, session: &Session) -> Result<Facts> {
    let user = session.user.clone();
    Work::look(visit.app, move |work| {
        Ok(Facts {
            has_password: passwords::hash_of(work.tx, &user)?.is_some(),
            codes_left: second_factor::recovery_codes_left(work, &user)?,
            passkeys: passkeys::list(work, &user)?,
            sessions: sessions::list(work.tx, &user, work.now)?,
        })
    })
    .await
}

async fn page(visit: &Visit<'_>, session: &Session, wrong: &[(String, String)]) -> Result<Page> {
    let say = &visit.say;
    let facts = facts(visit, session).await?;
    let sections = vec![
        password_section(visit, session, &facts, wrong),
        factor_section(visit, session, &facts),
        passkey_section(visit, &facts),
        session_section(visit, session, &facts),
    ];
    Ok(Page::wide(say.of("tab-security"), "security", sections))
}

fn password_section(
    visit: &Visit<'_>,
    session: &Session,
    facts: &Facts,
    wrong: &[(String, String)],
) -> Section {
    let say = &visit.say;
    let new = Field::new("password", say.of("field-new-password"), "password", "new-password")
        .hint(say.of("field-password.hint"))
        .check(visit, wrong);
    let email = Field::new("email", say.of("field-email"), "email", "username").value(&session.email).fixed();
    let form = Form::new("/account/security/password", say.of("security-password.button"));
    let mut section = Section::new(say.of("security-password"));
    section = section.text(say.of(if facts.has_password {
        "security-password.lead"
    } else {
        "security-password.none"
    }));
    section = section.form(form.field(email).field(new));
    if facts.has_password && !facts.passkeys.is_empty() {
        let remove = Form::new("/account/security/forget-password", say.of("security-password.remove"));
        section = section.form(remove.style(Style::Danger));
    }
    section
}

fn factor_section(visit: &Visit<'_>, session: &Session, facts: &Facts) -> Section {
    let say = &visit.say;
    let section = Section::new(say.of("security-code"));
    if !session.otp {
        let form = Form::new("/account/security/begin-code", say.of("security-code.begin"));
        return section.text(say.of("security-code.off")).form(form);
    }
    let renew =
        Form::new("/account/security/recovery-codes", say.of("security-code.renew")).style(Style::Quiet);
    let remove =
        Form::new("/account/security/remove-code", say.of("security-code.remove")).style(Style::Danger);
    section
        .text(say.of("security-code.on"))
        .text(say.count("security-code.left", facts.codes_left))
        .form(renew)
        .form(remove)
}

fn passkey_section(visit: &Visit<'_>, facts: &Facts) -> Section {
    let say = &visit.say;
    let mut section = Section::new(say.of("security-passkeys")).text(say.of("security-passkeys.lead"));
    for passkey in &facts.passkeys {
        let mut moments = vec![(say.of("security-passkeys.made"), passkey.created_at)];
        moments.extend(passkey.used_at.map(|used| (say.of("security-passkeys.used"), used)));
        let remove = Form::new("/account/security/remove-passkey", say.of("security-passkeys.remove"))
            .style(Style::Danger)
            .hidden("id", passkey.id.as_str())
            .about(passkey.name.as_str());
        section = section.item(Item {
            title: passkey.name.clone(),
            moments,
            forms: vec![remove],
            ..Item::default()
        });
    }
    let name = Field::new("name", say.of("field-passkey"), "text", "off").hint(say.of("field-passkey.hint"));
    let form = Form::new("/account/security/add-passkey", say.of("security-passkeys.add")).passkey("create");
    section.form(form.field(name))
}

fn session_section(visit: &Visit<'_>, session: &Session, facts: &Facts) -> Section {
    let say = &visit.say;
    let mut section = Section::new(say.of("security-sessions")).text(say.of("security-sessions.lead"));
    for one in &facts.sessions {
        let own = one.id == session.id;
        let end = Form::new("/account/security/end-session", say.of("security-sessions.end"))
            .style(Style::Quiet)
            .hidden("id", one.id.as_str())
            .about(format!("{} {}", browser_name(&one.agent), one.address));
        section = section.item(Item {
            title: browser_name(&one.agent),
            badge: if own { say.of("security-sessions.this") } else { String::new() },
            details: vec![format!("{} · {}", one.address, say.of(&format!("factor-{}", one.factor)))],
            moments: vec![
                (say.of("security-sessions.began"), one.created_at),
                (say.of("security-sessions.seen"), one.seen_at),
            ],
            forms: if own { Vec::new() } else { vec![end] },
            ..Item::default()
        });
    }
    let everywhere = Form::new("/account/security/end-all", say.of("security-sessions.everywhere"));
    section.form(everywhere.style(Style::Danger))
}

/// A browser and a system, as far as they say what they are.
fn browser_name(agent: &str) -> String {
    let find = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name)
    };
    let browser = find(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = find(&[
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Android", "Android"),
        ("Windows", "Windows"),
        ("Mac OS", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser}, {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "?".to_owned(),
    }
}

/// Does what a button says. Every one of these wants a session that is fresh, except ending sessions.
pub(super) async fn act(visit: &Visit<'_>, session: &Session, deed: &str) -> Result<Answer> {
    let done = |said: &str| Ok(go(&format!("/account/security?said={said}")));
    let user = session.user.clone();
    match deed {
        "end-session" => {
            let id = visit.field("id").to_owned();
            run(visit, session, move |work| sessions::end(work, &user, &id)).await?;
            return done("session-ended");
        }
        "end-all" => {
            run(visit, session, move |work| sessions::end_others(work, &user, None)).await?;
            return Ok(visit.sign_out(go("/sign-in?said=signed-out-everywhere")));
        }
        // Nothing is on that could be turned off or renewed.
        "remove-code" | "recovery-codes" if !session.otp => return Ok(go("/account/security")),
        _ if !session.is_fresh(visit.app.clock.now()) => {
            return Ok(go("/confirm?next=/account/security"));
        }
        _ => {}
    }
    match deed {
        "password" => password(visit, session).await,
        "forget-password" => {
            let done_so = run(visit, session, move |work| {
                // A way in must be left.
                if passkeys::list(work, &user)?.is_empty() {
                    return Ok(false);
                }
                passwords::remove(work, &user)?;
                note(work, &user, "forget_password", "password-removed")?;
                Ok(true)
            });
            if done_so.await? { done("password-removed") } else { done("no-way-in") }
        }
        "begin-code" => Ok(go("/account/codes")),
        "confirm-code" => confirm_code(visit, session).await,
        "recovery-codes" => {
            let codes = run(visit, session, move |work| {
                note(work, &user, "renew_recovery_codes", "recovery-codes")?;
                second_factor::new_recovery_codes(work, &user)
            })
            .await?;
            Ok(recovery_page(visit, &codes).answer(visit))
        }
        "remove-code" => {
            run(visit, session, move |work| {
                second_factor::remove(work, &user)?;
                note(work, &user, "remove_second_factor", "code-off")
            })
            .await?;
            done("code-off")
        }
        "add-passkey" => add_passkey(visit, session).await,
        "remove-passkey" => {
            let id = visit.field("id").to_owned();
            let removed = run(visit, session, move |work| {
                // A way in must be left.
                let last = passkeys::list(work, &user)?.len() == 1;
                if last && passwords::hash_of(work.tx, &user)?.is_none() {
                    return Ok(false);
                }
                if !passkeys::remove(work, &user, &id)? {
                    return Err(Problem::not_found().into());
                }
                note(work, &user, "remove_passkey", "passkey-removed")?;
                Ok(true)
            });
            if removed.await? { done("passkey-removed") } else { done("no-way-in") }
        }
        _ => Err(Problem::not_found().into()),
    }
}

async fn run<T: Send + 'static>(
    visit: &Visit<'_>,
    session: &Session,
    unit: impl FnMut(&mut Work<'_, '_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = Work::run_as(visit.app, session, &visit.asked.id, unit).await?;
    visit.app.letters.notify_one();
    Ok(done)
}

async fn password(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let password = visit.field("password");
    let about = [session.email.as_str(), &session.first_name, &session.last_name];
    if let Some(weakness) = judge(visit, password, &about).await? {
        let wrong = [("password".to_owned(), weakness.to_owned())];
        return Ok(page(visit, session, &wrong).await?.answer(visit));
    }
    let Ok(hash) = visit.app.hasher.hash(password, visit.app.chance.bytes()).await else {
        let page = page(visit, session, &[]).await?.status(503);
        return Ok(page.refuse(visit.say.of("wrong-busy")).answer(visit));
    };
    let (user, id) = (session.user.clone(), session.id.clone());
    run(visit, session, move |work| {
        passwords::set(work, &user, &hash)?;
        sessions::end_others(work, &user, Some(&id))?;
        note(work, &user, "change_password", "password")
    })
    .await?;
    Ok(go("/account/security?said=password-changed"))
}

/// The page with the seed of a second factor, made when it is looked at and good only once it is confirmed.
pub(super) async fn codes(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    if session.otp {
        return Ok(go("/account/security"));
    }
    if !session.is_fresh(visit.app.clock.now()) {
        return Ok(go("/confirm?next=/account/codes"));
    }
    seed_page(visit, session, &[]).await
}

async fn seed_page(visit: &Visit<'_>, session: &Session, wrong: &[(String, String)]) -> Result<Answer> {
    let say = &visit.say;
    let (user, email) = (session.user.clone(), session.email.clone());
    let seed = run(visit, session, move |work| second_factor::begin(work, &user, &email)).await?;
    // They are on already: a form was sent twice, or from another window.
    let Some(seed) = seed else { return Ok(go("/account/security")) };
    let picture = QrCode::new(seed.url.as_bytes()).ok().map(|code| {
        let svg = code.render::<svg::Color<'_>>().min_dimensions(200, 200).build();
        // A page takes the element, not the document around it.
        svg.find("<svg").map(|from| svg[from..].to_owned()).unwrap_or_default()
    });
    let code = Field::new("code", say.of("field-code"), "code", "one-time-code").check(visit, wrong);
    let form = Form::new("/account/security/confirm-code", say.of("codes.button")).field(code);
    let mut section = Section::new(say.of("codes")).text(say.of("codes.lead"));
    section.picture = picture;
    let section = section.show(say.of("codes.seed"), seed.text).form(form);
    let page = Page::narrow(say.of("codes"), section.link("/account/security", say.of("codes.back")));
    Ok(page.answer(visit))
}

async fn confirm_code(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let (user, code) = (session.user.clone(), visit.field("code").to_owned());
    let codes = run(visit, session, move |work| {
        let codes = second_factor::confirm(work, &user, &code)?;
        if codes.is_some() {
            note(work, &user, "add_second_factor", "code-on")?;
        }
        Ok(codes)
    })
    .await?;
    match codes {
        Some(codes) => Ok(recovery_page(visit, &codes).answer(visit)),
        None => {
            let wrong = [("code".to_owned(), "code".to_owned())];
            seed_page(visit, session, &wrong).await
        }
    }
}

fn recovery_page(visit: &Visit<'_>, codes: &[String]) -> Page {
    let say = &visit.say;
    let section = Section::new(say.of("recovery"))
        .text(say.of("recovery.lead"))
        .show(say.of("recovery.codes"), codes.join("\n"))
        .link("/account/security", say.of("recovery.done"));
    Page::narrow(say.of("recovery"), section)
}

async fn add_passkey(visit: &Visit<'_>, session: &Session) -> Result<Answer> {
    let Ok(made) = serde_json::from_str(visit.field("credential")) else {
        return Ok(go("/account/security?said=passkey-failed"));
    };
    let (user, visitor) = (session.user.clone(), visit.visitor_hash());
    let (name, question) = (visit.field("name").to_owned(), visit.field("question").to_owned());
    let added = run(visit, session, move |work| {
        let added = passkeys::finish_new(work, &visitor, &user, &name, (&question, &made))?;
        if added {
            note(work, &user, "add_passkey", "passkey-added")?;
        }
        Ok(added)
    })
    .await?;
    let said = if added { "passkey-added" } else { "passkey-failed" };
    Ok(go(&format!("/account/security?said={said}")))
}
