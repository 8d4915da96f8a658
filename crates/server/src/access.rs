//! Who a caller is, what they may do, and which rows they may see: the one funnel.

use crate::bearer::{ApplicationClaim, Bearer};
use crate::config::SecretReaders;
use crate::resources;
use guildhall_jsonapi::{Arm, Problem, Result, Scope, Spec};
use guildhall_store::{Rows, Sql, Tx};

/// The scope of tokens that open the Provisioning API.
pub const PROVISIONING: &str = "provisioning-api";

/// What is read of a user: a row for each of their places, or one row without a place.
const PLACES: &str =
    "select m.organization_id, m.id, m.membership_profile_id, r.kind, m.owner from enabled_users u ";
const JOINS: &str =
    " left join live_memberships m on m.user_id = u.id left join roles r on r.id = m.role_id where ";

/// A user with a token, as the database knows them at this moment.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user's id.
    pub user: String,
    /// The application their token was given to; none for somebody signed in at a page.
    pub application: Option<ApplicationClaim>,
    /// Every organization they are an active member of.
    pub places: Vec<Place>,
    /// Who reads client secrets.
    pub show_secrets: SecretReaders,
    /// The record they have just made, whose secret they see although it is shown but once.
    pub just_made: String,
}

/// A caller's place in an organization.
#[derive(Clone, Debug)]
pub struct Place {
    /// The organization's id.
    pub organization: String,
    /// The membership's id.
    pub membership: String,
    /// The profile attached to it.
    pub profile: Option<String>,
    /// Whether its role is of kind `admin`.
    pub admin: bool,
    /// Whether they own the organization.
    pub owner: bool,
}

impl Caller {
    /// The caller behind a token; `None` when it opens nothing any more: revoked, its user disabled or
    /// gone, its secret replaced, or not for this API.
    pub fn load(tx: &mut Tx<'_>, bearer: &Bearer, show_secrets: SecretReaders) -> Result<Option<Self>> {
        let claims = &bearer.claims;
        let opens = claims.scope.split([' ', ',']).any(|scope| scope == PROVISIONING);
        let Some(user) = claims.user.as_ref().filter(|_| opens) else {
            return Ok(None);
        };
        // What the gate asks, and their places, in one statement.
        let mut sql = Sql::text(PLACES);
        if claims.is_of_chain() {
            sql.push("join live_chains c on c.user_id = u.id join chain_tokens t on t.chain_id = c.id");
            sql.push(JOINS).push("t.token_hash = ").bind(&bearer.hash).push(" and u.id = ").bind(&user.id);
        } else {
            sql.push("join user_applications a on a.user_id = u.id").push(JOINS);
            sql.push("u.id = ").bind(&user.id).push(" and a.id = ").bind(&claims.application.id);
            bearer.counts(&mut sql);
            sql.push(" and not exists (select 1 from revoked_tokens where token_hash = ");
            sql.bind(&bearer.hash).push(")");
        }
        let rows = tx.rows(&sql)?;
        Ok(Self::with(&user.id, Some(claims.application.clone()), &rows, show_secrets))
    }

    /// Somebody who is signed in at a page; `None` when they are disabled or gone.
    pub fn signed_in(tx: &mut Tx<'_>, user: &str, show_secrets: SecretReaders) -> Result<Option<Self>> {
        let mut sql = Sql::text(PLACES);
        sql.push(JOINS).push("u.id = ").bind(user);
        let rows = tx.rows(&sql)?;
        Ok(Self::with(user, None, &rows, show_secrets))
    }

    /// Somebody who is about to have an account, and is nowhere a member yet.
    pub fn newcomer(user: &str, show_secrets: SecretReaders) -> Self {
        Self {
            user: user.to_owned(),
            application: None,
            places: Vec::new(),
            show_secrets,
            just_made: String::new(),
        }
    }

    /// From a row for each of their places, or one row without a place.
    fn with(
        user: &str,
        application: Option<ApplicationClaim>,
        rows: &Rows,
        show_secrets: SecretReaders,
    ) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let places = rows
            .iter()
            .filter(|row| !row.is_null(0))
            .map(|row| Place {
                organization: row.text(0).to_owned(),
                membership: row.text(1).to_owned(),
                profile: row.maybe_text(2).map(str::to_owned),
                admin: row.text(3) == "admin",
                owner: row.flag(4),
            })
            .collect();
        Some(Self { user: user.to_owned(), application, places, show_secrets, just_made: String::new() })
    }

    /// What they may see of a kind: as the kind's own file says.
    pub fn scope(&self, spec: &Spec) -> Scope {
        resources::get(spec.kind).map_or_else(Scope::nothing, |resource| (resource.sees)(self))
    }

    /// The organizations they are a member of.
    pub fn organizations(&self) -> Vec<String> {
        self.places.iter().map(|place| place.organization.clone()).collect()
    }

    /// The organizations they administer.
    pub fn administered(&self) -> Vec<String> {
        self.places.iter().filter(|place| place.admin).map(|place| place.organization.clone()).collect()
    }

    /// Their memberships in organizations they do not administer.
    pub fn plain_memberships(&self) -> Vec<String> {
        self.places.iter().filter(|place| !place.admin).map(|place| place.membership.clone()).collect()
    }

    /// The profiles attached to their memberships in organizations they do not administer.
    pub fn plain_profiles(&self) -> Vec<String> {
        self.places.iter().filter(|place| !place.admin).filter_map(|place| place.profile.clone()).collect()
    }

    /// Where they read client secrets; `None` is everywhere.
    pub fn secrets(&self) -> Option<Arm> {
        match self.show_secrets {
            SecretReaders::Members => None,
            SecretReaders::Admins => Some(Arm::In("organization_id", self.administered())),
            SecretReaders::Once => Some(Arm::In("id", vec![self.just_made.clone()])),
        }
    }

    /// Lets only admins of the organization pass.
    pub fn must_administer(&self, organization: &str) -> Result<()> {
        let admin = self.places.iter().any(|place| place.admin && place.organization == organization);
        if admin { Ok(()) } else { Err(Problem::forbidden().into()) }
    }

    /// Lets only the owner of the organization pass.
    pub fn must_own(&self, organization: &str) -> Result<()> {
        let owner = self.places.iter().any(|place| place.owner && place.organization == organization);
        if owner { Ok(()) } else { Err(Problem::forbidden().into()) }
    }
}
