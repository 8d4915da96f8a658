//! `guildhall memberships`.

use super::{print, work};
use crate::App;
use crate::invitations;
use anyhow::{Result, ensure};
use clap::Subcommand;
use guildhall_jsonapi::timestamp;
use guildhall_store::{Row, Sql};
use serde_json::{Value as Json, json};
use std::sync::Arc;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Show the memberships of an address, with the fate of every letter about them
    Show {
        /// The member's address
        #[arg(long)]
        email: String,
    },
}

pub(super) async fn run(app: &Arc<App>, command: Command, json: bool) -> Result<()> {
    let Command::Show { email } = command;
    let wanted = email.to_lowercase();
    let found = work(app, move |work| {
        let rows = work.tx.rows(&Sql::new(
            "select m.id, o.slug, r.name, m.status, m.owner, m.created_at from memberships m
             join organizations o on o.id = m.organization_id join roles r on r.id = m.role_id
             where m.user_email_key = ? order by m.created_at, m.id",
            [wanted.as_str().into()],
        ))?;
        let one = |row: Row<'_>| {
            json!({
                "id": row.text(0), "organization": row.text(1), "role": row.text(2), "status": row.text(3),
                "owner": row.flag(4), "created_at": timestamp(row.int(5)),
            })
        };
        let mut found: Vec<Json> = rows.iter().map(one).collect();
        for membership in &mut found {
            let id = membership["id"].as_str().unwrap_or_default().to_owned();
            membership["letters"] = json!(invitations::letters(work, &id)?);
        }
        Ok(found)
    })
    .await?;
    if json {
        return print(&Json::Array(found).to_string());
    }
    ensure!(!found.is_empty(), "{email} is nowhere a member, nor invited");
    for membership in &found {
        let text = |name: &str| membership[name].as_str().unwrap_or_default().to_owned();
        print(&format!(
            "{}  {}  {} ({}), since {}",
            text("id"),
            text("organization"),
            text("role"),
            text("status"),
            text("created_at")
        ))?;
        for letter in membership["letters"].as_array().into_iter().flatten() {
            print(&format!("    letter {}", letter.as_str().unwrap_or_default()))?;
        }
    }
    Ok(())
}
