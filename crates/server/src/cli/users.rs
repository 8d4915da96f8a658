//! `guildhall users`.

use super::{look, print, work};
use crate::App;
use crate::accounts;
use crate::resources::users::{self, Application, New};
use crate::work::Work;
use anyhow::{Result, ensure};
use clap::Subcommand;
use guildhall_jsonapi::{Error, Record, timestamp};
use guildhall_store::Sql;
use serde_json::{Value as Json, json};
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make a user and print the id, client id and secret
    Create {
        /// The address they will sign in with; you vouch that it is theirs
        #[arg(long)]
        email: String,
        /// The first name
        #[arg(long)]
        first_name: String,
        /// The last name
        #[arg(long)]
        last_name: String,
        /// The plan [default: that of the settings]
        #[arg(long)]
        plan: Option<String>,
    },
    /// List all users
    List,
    /// Show a user and their organizations
    Show {
        /// The user's address
        #[arg(long)]
        email: String,
    },
    /// Put a user on a plan
    SetPlan {
        /// The user's address
        #[arg(long)]
        email: String,
        /// The plan
        #[arg(long)]
        plan: String,
    },
    /// Give a user's personal application a new secret; its tokens end
    RotateSecret {
        /// The user's address
        #[arg(long)]
        email: String,
    },
    /// Shut every way in for a user: sessions end, tokens are refused
    Disable {
        /// The user's address
        #[arg(long)]
        email: String,
    },
    /// Let a disabled user in again
    Enable {
        /// The user's address
        #[arg(long)]
        email: String,
    },
    /// Remove the one-time codes and passkeys of a user who lost them; sessions end
    ResetSecondFactor {
        /// The user's address
        #[arg(long)]
        email: String,
    },
    /// Erase a user with their memberships; owners hand their organizations over first
    Delete {
        /// The user's address
        #[arg(long)]
        email: String,
    },
}

pub(super) async fn run(app: &Arc<App>, command: Command, json: bool) -> Result<()> {
    match command {
        Command::Create { email, first_name, last_name, plan } => {
            let plan = plan.unwrap_or_else(|| app.config.default_plan.clone());
            check_plan(app, &plan)?;
            let new = New { email, first_name, last_name, plan };
            let made = work(app, move |work| users::register(work, &new)).await?;
            tell_secret(&made, json)
        }
        Command::List => list(app, json).await,
        Command::Show { email } => show(app, email, json).await,
        Command::SetPlan { email, plan } => {
            check_plan(app, &plan)?;
            let (address, wanted) = (email.clone(), plan.clone());
            work(app, move |work| {
                let user = find(work, &address)?;
                users::set_plan(work, &user, &wanted)
            })
            .await?;
            print(&if json {
                json!({ "email": email, "plan": plan }).to_string()
            } else {
                format!("{email} is on {plan}")
            })
        }
        Command::RotateSecret { email } => {
            let made = work(app, move |work| {
                let user = find(work, &email)?;
                users::rotate_secret(work, &user)
            })
            .await?;
            tell_secret(&made, json)
        }
        Command::Disable { email } => {
            act(app, email, json, "disabled", |work, user| users::set_disabled(work, user, true)).await
        }
        Command::Enable { email } => {
            act(app, email, json, "enabled", |work, user| users::set_disabled(work, user, false)).await
        }
        Command::ResetSecondFactor { email } => {
            act(app, email, json, "without a second factor", accounts::reset_second_factor).await
        }
        Command::Delete { email } => act(app, email, json, "deleted", users::erase).await,
    }
}

/// Does something to a user and says what they are now.
async fn act(
    app: &Arc<App>,
    email: String,
    json: bool,
    state: &str,
    deed: impl Fn(&mut Work<'_, '_>, &Record) -> Result<(), Error> + Send + 'static,
) -> Result<()> {
    let address = email.clone();
    work(app, move |work| {
        let user = find(work, &address)?;
        deed(work, &user)
    })
    .await?;
    print(&if json {
        json!({ "email": email, "state": state }).to_string()
    } else {
        format!("{email} is {state} now")
    })
}

fn check_plan(app: &App, plan: &str) -> Result<()> {
    let known: Vec<&str> = app.config.plans.keys().map(String::as_str).collect();
    ensure!(known.contains(&plan), "there is no plan {plan}: choose one of {}", known.join(", "));
    Ok(())
}

fn find(work: &mut Work<'_, '_>, email: &str) -> Result<Record, Error> {
    users::by_email(work, email)?.ok_or_else(|| {
        let detail = format!("there is no user {email}: see guildhall users list");
        guildhall_jsonapi::Problem { detail, ..guildhall_jsonapi::Problem::not_found() }.into()
    })
}

fn tell_secret(made: &Application, json: bool) -> Result<()> {
    let Application { user, client_id, client_secret } = made;
    if json {
        return print(
            &json!({ "id": user, "client_id": client_id, "client_secret": client_secret }).to_string(),
        );
    }
    print(&format!(
        "id             {user}\nclient_id      {client_id}\nclient_secret  {client_secret}\n\nThe secret is shown this once; keep it safe."
    ))
}

async fn list(app: &Arc<App>, json: bool) -> Result<()> {
    let users = look(app, |work| {
        let rows = work.tx.rows(&Sql::text(
            "select id, proved_email, first_name, last_name, plan, created_at, email, disabled_at from users
             order by created_at, id",
        ))?;
        let user = |row: guildhall_store::Row<'_>| {
            json!({
                "id": row.text(0), "email": row.text(1), "first_name": row.text(2), "last_name": row.text(3),
                "plan": row.text(4), "created_at": timestamp(row.int(5)),
                // Claimed through the API, and not proved.
                "claims": Some(row.text(6)).filter(|claimed| *claimed != row.text(1)),
                "disabled": !row.is_null(7),
            })
        };
        Ok(rows.iter().map(user).collect::<Vec<Json>>())
    })
    .await?;
    if json {
        return print(&Json::Array(users).to_string());
    }
    for user in &users {
        let text = |name: &str| user[name].as_str().unwrap_or_default().to_owned();
        let claims = user["claims"].as_str().map(|claims| format!(", claims {claims}")).unwrap_or_default();
        let disabled = if user["disabled"] == json!(true) { ", disabled" } else { "" };
        print(&format!(
            "{}  {:<12}  {} ({} {}){claims}{disabled}",
            text("id"),
            text("plan"),
            text("email"),
            text("first_name"),
            text("last_name")
        ))?;
    }
    if users.is_empty() { print("There are no users yet: see guildhall users create --help") } else { Ok(()) }
}

async fn show(app: &Arc<App>, email: String, json: bool) -> Result<()> {
    let (user, organizations) = work(app, move |work| {
        let user = find(work, &email)?;
        let rows = work.tx.rows(&Sql::new(
            "select o.slug, r.name, m.owner from memberships m join organizations o on o.id = m.organization_id
             join roles r on r.id = m.role_id where m.user_id = ? order by m.created_at, m.id",
            [(&user.id).into()],
        ))?;
        let place = |row: guildhall_store::Row<'_>| json!({ "slug": row.text(0), "role": row.text(1), "owner": row.flag(2) });
        Ok((user, rows.iter().map(place).collect::<Vec<Json>>()))
    })
    .await?;
    let created = timestamp(user.column("created_at").as_i64().unwrap_or(0));
    if json {
        let mut shown = json!({ "id": user.id, "created_at": created, "organizations": organizations });
        shown["email"] = user.column("proved_email").clone();
        for name in ["first_name", "last_name", "plan", "time_zone"] {
            shown[name] = user.column(name).clone();
        }
        return print(&shown.to_string());
    }
    print(&format!(
        "id       {}\nemail    {}\nname     {} {}\nplan     {}\nsince    {created}",
        user.id,
        user.text("proved_email"),
        user.text("first_name"),
        user.text("last_name"),
        user.text("plan")
    ))?;
    for place in organizations {
        let owner = if place["owner"] == json!(true) { ", owner" } else { "" };
        let text = |name: &str| place[name].as_str().unwrap_or_default().to_owned();
        print(&format!("member   {} ({}{owner})", text("slug"), text("role")))?;
    }
    Ok(())
}
