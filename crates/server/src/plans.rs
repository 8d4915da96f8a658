//! Plans: what the operator lets a user and their organizations have.

use crate::config::PlanSetting;
use crate::work::Work;
use guildhall_jsonapi::{Error, Problem, Result};
use guildhall_store::{Sql, Tx};
use std::collections::BTreeMap;

/// Writes the plans of a server's settings to the database, where rules and answers read them.
pub fn store(tx: &mut Tx<'_>, plans: &BTreeMap<String, PlanSetting>) -> Result<(), guildhall_store::Error> {
    for (name, plan) in plans {
        tx.execute(&Sql::new(
            "insert into plans (name, enterprise, organizations, memberships) values (?, ?, ?, ?)
             on conflict (name) do update set enterprise = excluded.enterprise,
             organizations = excluded.organizations, memberships = excluded.memberships",
            [name.into(), plan.enterprise.into(), plan.organizations.into(), plan.memberships.into()],
        ))?;
    }
    Ok(())
}

/// Writes only the plans that the database does not have: a command may run without the server's settings.
pub fn complete(
    tx: &mut Tx<'_>,
    plans: &BTreeMap<String, PlanSetting>,
) -> Result<(), guildhall_store::Error> {
    let rows = tx.rows(&Sql::text("select name from plans"))?;
    let known: Vec<&str> = rows.iter().map(|row| row.text(0)).collect();
    let missing = plans.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    store(tx, &missing.map(|(name, plan)| (name.clone(), *plan)).collect())
}

/// Whether an organization is Enterprise: its owner's plan says so.
pub fn is_enterprise(tx: &mut Tx<'_>, organization: &str) -> Result<bool> {
    let rows = tx.rows(&Sql::new(
        "select p.enterprise from memberships m join users u on u.id = m.user_id join plans p on p.name = u.plan
         where m.organization_id = ? and m.owner",
        [organization.into()],
    ))?;
    Ok(rows.first().is_some_and(|row| row.flag(0)))
}

/// Refuses when an organization now has more memberships than its owner's plan allows. It is asked after
/// the insert, in the same transaction, so that two at once cannot both be the last.
pub fn check_memberships(work: &mut Work<'_, '_>, organization: &str) -> Result<()> {
    let rows = work.tx.rows(&Sql::new(
        "select p.memberships, coalesce(s.size, 0) from memberships m join users u on u.id = m.user_id
         join plans p on p.name = u.plan
         left join sizes s on s.kind = 'memberships' and s.owner = m.organization_id
         where m.organization_id = ? and m.owner",
        [organization.into()],
    ))?;
    let more = work.unsettled("memberships", organization);
    check(rows.first().and_then(|row| Some((row.maybe_int(0)?, row.int(1) + more))))
}

/// Refuses when a user now owns more organizations than the plan allows.
pub fn check_organizations(work: &mut Work<'_, '_>, user: &str) -> Result<()> {
    let rows = work.tx.rows(&Sql::new(
        "select p.organizations, coalesce(s.size, 0) from users u join plans p on p.name = u.plan
         left join sizes s on s.kind = 'organizations' and s.owner = u.id where u.id = ?",
        [user.into()],
    ))?;
    let more = work.unsettled("organizations", user);
    check(rows.first().and_then(|row| Some((row.maybe_int(0)?, row.int(1) + more))))
}

fn check(limit_and_count: Option<(i64, i64)>) -> Result<()> {
    match limit_and_count {
        Some((limit, count)) if count > limit => {
            Err(Error::from(Problem::document("limit_reached", "plan limit reached").count(limit)))
        }
        _ => Ok(()),
    }
}
