//! What a token lets its bearer do, as the dashboard's applications ask for it (contract 5.3).

use super::Visitor;
use crate::App;
use crate::gate::Standing;
use crate::http::Answer;
use crate::resources::SUBJECTS;
use guildhall_jsonapi::{Problem, Result};
use guildhall_store::{Row, Sql, Tx};
use serde_json::{Map, Value as Json, json};

/// The kinds that are no application of the dashboard.
const COMMERCE: [&str; 3] = ["sales_channel", "integration", "webapp"];

pub(super) fn show(app: &App, tx: &mut Tx<'_>, visitor: &Visitor) -> Result<Answer> {
    let claims = &visitor.bearer.claims;
    let organization = claims.organization.as_ref().map_or("", |organization| organization.id.as_str());
    let rows = tx.rows(&Sql::new(
        "select name, kind, custom, role_id from api_credentials where id = ?",
        [(&claims.application.id).into()],
    ))?;
    let credential = rows.first().ok_or_else(Problem::not_found)?;
    let user = match &visitor.standing {
        Standing::Chain(chain) => chain.user.clone(),
        _ => None,
    };
    let (owner, own_role, membership) = match &user {
        Some(user) => member(tx, organization, user)?,
        None => (Json::Null, None, None),
    };
    // Each kind has rights of its own (contract 7.8): a sales channel none that are told here, an integration those of
    // its role, whomever it acts for; what acts for somebody otherwise has theirs, and nobody's else.
    let of_credential = credential.maybe_text(3).map(str::to_owned);
    let (role_id, membership) = match credential.text(1) {
        "sales_channel" => (None, None),
        "integration" | "resources" => (of_credential, None),
        _ if user.is_some() => (own_role, membership),
        _ => (of_credential, None),
    };
    let (role, permissions) = role(tx, role_id.as_deref())?;
    let is_admin = role["kind"] == json!("admin");
    let apps = match &membership {
        Some(membership) => accessible(tx, organization, membership, is_admin, claims.test)?,
        None => Vec::new(),
    };
    let market = |name: &str| claims.market.as_ref().map_or_else(|| json!([]), |market| market[name].clone());
    let body = json!({
        "token": {
            "test": claims.test,
            "market_ids": market("id"),
            "stock_location_ids": market("stock_location_ids"),
            "lifespan": claims.exp - app.clock.now() / 1000,
        },
        "role": role,
        "application": {
            "id": claims.application.id,
            "kind": credential.text(1),
            "name": credential.text(0),
            "core": is_hosted(credential.text(1), credential.flag(2)),
        },
        "owner": owner,
        "permissions": permissions,
        "accessible_apps": apps,
    });
    Ok(Answer::new(200, "application/json", body.to_string()))
}

/// The person, the id of their role, and their membership.
fn member(tx: &mut Tx<'_>, organization: &str, user: &str) -> Result<(Json, Option<String>, Option<String>)> {
    let rows = tx.rows(&Sql::new(
        "select u.id, u.first_name, u.last_name, u.proved_email, u.time_zone, m.owner, m.role_id, m.id
         from enabled_users u join live_memberships m on m.user_id = u.id and m.organization_id = ? where u.id = ?",
        [organization.into(), user.into()],
    ))?;
    let Some(row) = rows.first() else { return Ok((Json::Null, None, None)) };
    let person = json!({
        "id": row.text(0), "type": "User", "first_name": row.text(1), "last_name": row.text(2), "email": row.text(3),
        "owner": row.flag(5), "time_zone": row.maybe_text(4),
    });
    Ok((person, Some(row.text(6).to_owned()), Some(row.text(7).to_owned())))
}

/// A role and what it lets one do, by the plural names of the commerce API.
fn role(tx: &mut Tx<'_>, id: Option<&str>) -> Result<(Json, Json)> {
    let Some(id) = id else { return Ok((Json::Null, json!({}))) };
    let rows = tx.rows(&Sql::new("select kind, name from roles where id = ?", [id.into()]))?;
    let Some(row) = rows.first() else { return Ok((Json::Null, json!({}))) };
    let role = json!({ "id": id, "kind": row.text(0), "name": row.text(1) });
    let all = |actions: Json| {
        let every = SUBJECTS.iter().map(|subject| ((*subject).to_owned(), json!({ "actions": actions })));
        Json::Object(every.collect())
    };
    let permissions = match row.text(0) {
        "admin" => all(json!(["create", "destroy", "read", "update"])),
        "read_only" => all(json!(["read"])),
        _ => {
            let rows = tx.rows(&Sql::new(
                "select subject, can_create, can_destroy, can_read, can_update from permissions where role_id = ? order by subject",
                [id.into()],
            ))?;
            let allowed = rows.iter().map(|row| (row.text(0).to_owned(), json!({ "actions": actions(row) })));
            Json::Object(allowed.collect::<Map<_, _>>())
        }
    };
    Ok((role, permissions))
}

fn actions(row: Row<'_>) -> Vec<&'static str> {
    let all = ["create", "destroy", "read", "update"];
    all.into_iter().enumerate().filter(|(index, _)| row.flag(index + 1)).map(|(_, action)| action).collect()
}

/// The applications of the dashboard that a member may open: those granted to them or to their profile, and
/// for admins all that are not of somebody's own making. Those must be of a mode that the member's access is for,
/// which their profile decides if they have one (contract 7.4.4); what is of somebody's own making is of every mode.
fn accessible(
    tx: &mut Tx<'_>,
    organization: &str,
    membership: &str,
    is_admin: bool,
    test: bool,
) -> Result<Vec<Json>> {
    let (mode, access) = if test { ("test", "test_access") } else { ("live", "live_access") };
    let rows = tx.rows(&Sql::new(
        "select distinct c.name, c.kind, c.custom from enabled_credentials e join api_credentials c on c.id = e.id
         where c.organization_id = ? and c.mode = ? and c.kind not in ('sales_channel', 'integration', 'webapp', 'resources')
         and ((? and not coalesce(c.custom, false)) or exists (
             select 1 from application_memberships a join live_memberships m on m.id = ?
             where a.api_credential_id = c.id and (a.membership_id = m.id or a.membership_profile_id = m.membership_profile_id)
         )) and (coalesce(c.custom, false) or exists (
             select 1 from live_memberships m left join membership_profiles p on p.id = m.membership_profile_id
             where m.id = ? and coalesce(p.access_scope, m.access_scope, 'live_access') in (?, 'all_access')
         )) order by c.kind, c.name limit 200",
        [
            organization.into(),
            mode.into(),
            is_admin.into(),
            membership.into(),
            membership.into(),
            access.into(),
        ],
    ))?;
    let app = |row: Row<'_>| json!({ "name": row.text(0), "kind": row.text(1), "core": is_hosted(row.text(1), row.flag(2)) });
    Ok(rows.iter().map(app).collect())
}

fn is_hosted(kind: &str, custom: bool) -> bool {
    !custom && !COMMERCE.contains(&kind)
}
