//! `guildhall organizations`.

use super::{look, print, work};
use crate::App;
use crate::config::Switch;
use crate::resources::organizations;
use crate::work::Work;
use anyhow::{Result, ensure};
use clap::Subcommand;
use guildhall_jsonapi::{Error, Problem, Record};
use guildhall_store::Sql;
use serde_json::{Value as Json, json};
use std::io::{BufRead as _, Write as _};
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List all organizations
    List,
    /// Say whether people who have an account are asked before they become members
    AskExistingUsers {
        /// Its slug
        #[arg(long)]
        slug: String,
        /// Whether they are asked
        #[arg(value_name = "on|off")]
        asks: Switch,
    },
    /// Take an organization out of use: its tokens end, its members do not find it
    Disable {
        /// Its slug
        #[arg(long)]
        slug: String,
    },
    /// Take a disabled organization back into use
    Enable {
        /// Its slug
        #[arg(long)]
        slug: String,
    },
    /// Erase an organization with everything in it
    Delete {
        /// Its slug
        #[arg(long)]
        slug: String,
        /// Do not ask for the slug again
        #[arg(long)]
        yes: bool,
    },
}

pub(super) async fn run(app: &Arc<App>, command: Command, json: bool) -> Result<()> {
    match command {
        Command::List => list(app, json).await,
        Command::AskExistingUsers { slug, asks } => ask_existing_users(app, slug, asks, json).await,
        Command::Disable { slug } => set_disabled(app, slug, true, json).await,
        Command::Enable { slug } => set_disabled(app, slug, false, json).await,
        Command::Delete { slug, yes } => delete(app, slug, yes, json).await,
    }
}

async fn ask_existing_users(app: &Arc<App>, slug: String, asks: Switch, json: bool) -> Result<()> {
    let wanted = slug.clone();
    work(app, move |work| {
        let organization = find(work, &wanted)?;
        organizations::ask_existing_users(work, &organization, asks == Switch::On)
    })
    .await?;
    print(&if json {
        json!({ "slug": slug, "ask_existing_users": asks == Switch::On }).to_string()
    } else {
        format!(
            "{slug} {}",
            if asks == Switch::On {
                "asks people who have an account"
            } else {
                "adds people who have an account at once"
            }
        )
    })
}

async fn set_disabled(app: &Arc<App>, slug: String, disabled: bool, json: bool) -> Result<()> {
    let wanted = slug.clone();
    work(app, move |work| {
        let organization = find(work, &wanted)?;
        organizations::set_disabled(work, &organization, disabled)
    })
    .await?;
    let state = if disabled { "disabled" } else { "enabled" };
    print(&if json {
        json!({ "slug": slug, "state": state }).to_string()
    } else {
        format!("{slug} is {state} now")
    })
}

fn find(work: &mut Work<'_, '_>, slug: &str) -> Result<Record, Error> {
    let detail = format!("there is no organization {slug}: see guildhall organizations list");
    let missing = || Problem { detail, ..Problem::not_found() };
    Ok(organizations::by_slug(work, slug)?.ok_or_else(missing)?)
}

async fn list(app: &Arc<App>, json: bool) -> Result<()> {
    let all = look(app, |work| {
        let rows = work.tx.rows(&Sql::text(
            "select o.id, o.slug, o.name, m.user_email, coalesce(s.size, 0), o.disabled_at is null from organizations o
             left join memberships m on m.organization_id = o.id and m.owner
             left join sizes s on s.kind = 'memberships' and s.owner = o.id order by o.created_at, o.id",
        ))?;
        let one = |row: guildhall_store::Row<'_>| {
            json!({
                "id": row.text(0), "slug": row.text(1), "name": row.text(2), "owner": row.maybe_text(3),
                "memberships": row.int(4), "enabled": row.flag(5),
            })
        };
        Ok(rows.iter().map(one).collect::<Vec<Json>>())
    })
    .await?;
    if json {
        return print(&Json::Array(all).to_string());
    }
    for one in &all {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        let state = if one["enabled"] == json!(true) { "" } else { "  (disabled)" };
        print(&format!(
            "{}  {}  {} members, owned by {}{state}",
            text("id"),
            text("slug"),
            one["memberships"],
            text("owner")
        ))?;
    }
    if all.is_empty() { print("There are no organizations yet.") } else { Ok(()) }
}

async fn delete(app: &Arc<App>, slug: String, yes: bool, json: bool) -> Result<()> {
    let wanted = slug.clone();
    let found = work(app, move |work| organizations::by_slug(work, &wanted)).await?;
    ensure!(found.is_some(), "there is no organization {slug}: see guildhall organizations list");
    if !yes {
        write!(std::io::stderr(), "Everything in {slug} will be gone. Type its slug to go on: ")?;
        let mut typed = String::new();
        std::io::stdin().lock().read_line(&mut typed)?;
        ensure!(typed.trim() == slug, "nothing was erased");
    }
    let wanted = slug.clone();
    let mut gone = false;
    while !gone {
        let wanted = wanted.clone();
        gone = work(app, move |work| match organizations::by_slug(work, &wanted)? {
            Some(organization) => organizations::erase(work, &organization),
            None => Ok(true),
        })
        .await?;
    }
    print(&if json { json!({ "erased": slug }).to_string() } else { format!("{slug} is erased") })
}
