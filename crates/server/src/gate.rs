//! The one gate: what stands behind an access token at this moment, or that nothing does any more.
//!
//! Its views `enabled_users`, `enabled_organizations`, `enabled_credentials`, `live_memberships` and
//! `live_chains` are what every grant, every API and every page passes. Whatever is disabled, deleted or ended
//! is not in them.

use crate::authorizations::chains::{self, Chain};
use crate::bearer::Bearer;
use guildhall_store::{Result, Sql, Tx};

/// What stands behind a token.
#[derive(Clone, Debug)]
pub enum Standing {
    /// Somebody's own application.
    Personal(String),
    /// An application that acts for itself.
    Application,
    /// An application that acts because of somebody's yes or of an assertion.
    Chain(Box<Chain>),
}

impl Standing {
    /// Whom it is about.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Personal(user) => Some(user),
            Self::Application => None,
            Self::Chain(chain) => chain.user.as_deref(),
        }
    }
}

/// What stands behind a token that was checked: one statement.
pub fn standing(tx: &mut Tx<'_>, bearer: &Bearer) -> Result<Option<Standing>> {
    let claims = &bearer.claims;
    if claims.is_of_chain() {
        return Ok(chains::of_access(tx, &bearer.hash)?.map(|chain| Standing::Chain(Box::new(chain))));
    }
    let (table, standing) = match &claims.user {
        Some(user) => (
            "user_applications a join enabled_users u on u.id = a.user_id",
            Standing::Personal(user.id.clone()),
        ),
        None => ("enabled_credentials a", Standing::Application),
    };
    let mut sql = Sql::text("select 1 from ");
    sql.push(table).push(" where a.id = ").bind(&claims.application.id);
    bearer.counts(&mut sql);
    if let Some(user) = &claims.user {
        sql.push(" and u.id = ").bind(&user.id);
    }
    sql.push(" and not exists (select 1 from revoked_tokens where token_hash = ")
        .bind(&bearer.hash)
        .push(")");
    Ok((!tx.rows(&sql)?.is_empty()).then_some(standing))
}

/// Ends one access token before its time.
pub fn revoke(tx: &mut Tx<'_>, bearer: &Bearer) -> Result<()> {
    let hash = &bearer.hash;
    if bearer.claims.is_of_chain() {
        return tx
            .execute(&Sql::new("delete from chain_tokens where token_hash = ?", [hash.into()]))
            .map(drop);
    }
    tx.execute(&Sql::new(
        "insert into revoked_tokens (token_hash, expires_at) values (?, ?) on conflict (token_hash) do nothing",
        [hash.into(), (bearer.claims.exp * 1000).into()],
    ))
    .map(drop)
}
