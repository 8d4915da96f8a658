//! Who a caller is, what they may do, and which rows they may see: the one funnel.

use crate::bearer::{ApplicationClaim, Bearer};
use crate::config::{Config, SecretReaders};
use crate::resources;
use guildhall_jsonapi::{Arm, Problem, Result, Scope, Spec, Values};
use guildhall_store::{Row, Rows, Sql, Tx};

/// The scope of tokens that open the Provisioning API.
pub const PROVISIONING: &str = "provisioning-api";

/// How many places of a caller are looked up with them. A list is read as a merge of that many parts, in the order of an
/// index; of whoever has more places the one at hand is looked up, so that a request costs as much in the thousandth
/// organization as in the first.
pub const FEW_PLACES: usize = 100;

/// What places fulfil in organizations that somebody administers, and in those they do not.
const ADMIN: &str =
    " and exists (select 1 from roles its where its.id = place.role_id and its.kind = 'admin')";
const PLAIN: &str =
    " and not exists (select 1 from roles its where its.id = place.role_id and its.kind = 'admin')";

/// What is read of a user: a row for each of their places, or one row without a place; none is looked up of whoever owns
/// more organizations than are few.
const PLACES: &str = "select m.organization_id, m.id, m.membership_profile_id, r.kind, m.owner, owned.size from enabled_users u";
const OWNED: &str = " left join sizes owned on owned.kind = 'organizations' and owned.owner = u.id
     left join live_memberships m on m.user_id = case when coalesce(owned.size, 0) <= ";
const ROLES: &str = " then u.id end left join roles r on r.id = m.role_id where ";

/// A user with a token, as the database knows them at this moment.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user's id.
    pub user: String,
    /// The application their token was given to; none for somebody signed in at a page.
    pub application: Option<ApplicationClaim>,
    /// Every organization they are an active member of; `None` when those are many.
    pub places: Option<Vec<Place>>,
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
    pub fn load(tx: &mut Tx<'_>, bearer: &Bearer, config: &Config) -> Result<Option<Self>> {
        let claims = &bearer.claims;
        let opens = claims.scope.split([' ', ',']).any(|scope| scope == PROVISIONING);
        let Some(user) = claims.user.as_ref().filter(|_| opens) else {
            return Ok(None);
        };
        // What the gate asks, and their places, in one statement.
        let mut sql = Sql::text(PLACES);
        if claims.is_of_chain() {
            sql.push(" join live_chains c on c.user_id = u.id join chain_tokens t on t.chain_id = c.id");
            places(&mut sql, config)
                .push("t.token_hash = ")
                .bind(&bearer.hash)
                .push(" and u.id = ")
                .bind(&user.id);
        } else {
            sql.push(" join user_applications a on a.user_id = u.id");
            places(&mut sql, config)
                .push("u.id = ")
                .bind(&user.id)
                .push(" and a.id = ")
                .bind(&claims.application.id);
            bearer.counts(&mut sql);
            sql.push(" and not exists (select 1 from revoked_tokens where token_hash = ");
            sql.bind(&bearer.hash).push(")");
        }
        let rows = tx.rows(limited(&mut sql, config))?;
        Ok(Self::with(&user.id, Some(claims.application.clone()), &rows, config))
    }

    /// Somebody who is signed in at a page; `None` when they are disabled or gone.
    pub fn signed_in(tx: &mut Tx<'_>, user: &str, config: &Config) -> Result<Option<Self>> {
        let mut sql = Sql::text(PLACES);
        places(&mut sql, config).push("u.id = ").bind(user);
        let rows = tx.rows(limited(&mut sql, config))?;
        Ok(Self::with(user, None, &rows, config))
    }

    /// Somebody who is about to have an account, and is nowhere a member yet.
    pub fn newcomer(user: &str, config: &Config) -> Self {
        Self {
            user: user.to_owned(),
            application: None,
            places: Some(Vec::new()),
            show_secrets: config.show_secrets,
            just_made: String::new(),
        }
    }

    /// From a row for each of their places, or one row without a place.
    fn with(user: &str, application: Option<ApplicationClaim>, rows: &Rows, config: &Config) -> Option<Self> {
        if rows.is_empty() {
            return None;
        }
        let read = |row: Row<'_>| Place {
            organization: row.text(0).to_owned(),
            membership: row.text(1).to_owned(),
            profile: row.maybe_text(2).map(str::to_owned),
            admin: row.text(3) == "admin",
            owner: row.flag(4),
        };
        let owned = rows.first().and_then(|row| row.maybe_int(5)).unwrap_or(0);
        let are_few = rows.len().max(usize::try_from(owned).unwrap_or(0)) <= config.few_places;
        Some(Self {
            user: user.to_owned(),
            application,
            places: are_few.then(|| rows.iter().filter(|row| !row.is_null(0)).map(read).collect()),
            show_secrets: config.show_secrets,
            just_made: String::new(),
        })
    }

    /// What they may see of a kind: as the kind's own file says.
    pub fn scope(&self, spec: &Spec) -> Scope {
        resources::get(spec.kind).map_or_else(Scope::nothing, |resource| (resource.sees)(self))
    }

    /// The organizations they are a member of.
    pub fn organizations(&self) -> Values {
        self.values("place.organization_id", "", |place| Some(&place.organization))
    }

    /// The organizations they administer.
    pub fn administered(&self) -> Values {
        self.values("place.organization_id", ADMIN, |place| place.admin.then_some(&place.organization))
    }

    /// Their memberships in organizations they do not administer.
    pub fn plain_memberships(&self) -> Values {
        self.values("place.id", PLAIN, |place| (!place.admin).then_some(&place.membership))
    }

    /// The profiles attached to their memberships in organizations they do not administer.
    pub fn plain_profiles(&self) -> Values {
        self.values("place.membership_profile_id", PLAIN, |place| {
            place.profile.as_ref().filter(|_| !place.admin)
        })
    }

    /// Something of each of their places: picked from those that are known, or selected from those that fulfil a condition.
    fn values(
        &self,
        value: &'static str,
        condition: &str,
        pick: impl Fn(&Place) -> Option<&String>,
    ) -> Values {
        match &self.places {
            Some(places) => places.iter().filter_map(pick).cloned().collect::<Vec<_>>().into(),
            None => {
                let mut from = Sql::text("live_memberships place where place.user_id = ");
                from.bind(&self.user).push(condition);
                Values::Selected { value, from }
            }
        }
    }

    /// Where they read client secrets; `None` is everywhere.
    pub fn secrets(&self) -> Option<Arm> {
        match self.show_secrets {
            SecretReaders::Members => None,
            SecretReaders::Admins => Some(Arm { column: "organization_id", values: self.administered() }),
            SecretReaders::Once => Some(Arm { column: "id", values: vec![self.just_made.clone()].into() }),
        }
    }

    /// Lets only admins of the organization pass.
    pub fn must_administer(&self, tx: &mut Tx<'_>, organization: &str) -> Result<()> {
        must_have(tx, &self.administered(), organization)
    }

    /// Lets only the owner of the organization pass.
    pub fn must_own(&self, tx: &mut Tx<'_>, organization: &str) -> Result<()> {
        let owned = self.values("place.organization_id", " and place.owner", |place| {
            place.owner.then_some(&place.organization)
        });
        must_have(tx, &owned, organization)
    }
}

fn must_have(tx: &mut Tx<'_>, organizations: &Values, organization: &str) -> Result<()> {
    let found = organizations.among(tx, &[organization.into()])?;
    if found.is_empty() { Err(Problem::forbidden().into()) } else { Ok(()) }
}

/// Adds the places of a user, as long as they may be few.
fn places<'a>(sql: &'a mut Sql, config: &Config) -> &'a mut Sql {
    sql.push(OWNED).bind(i64::try_from(config.few_places).unwrap_or(i64::MAX)).push(ROLES)
}

/// Adds that no more rows are wanted than tell whether places are few.
fn limited<'a>(sql: &'a mut Sql, config: &Config) -> &'a Sql {
    sql.push(" limit ").bind(i64::try_from(config.few_places + 1).unwrap_or(i64::MAX))
}
