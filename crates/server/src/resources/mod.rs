//! What there is: a file for each resource, with everything that is true of it.
//!
//! A file declares its resource, says who sees it, and has an ordinary function for each change that it
//! allows. A verb without a function is answered with 405.

mod access_scope;
pub mod api_credentials;
pub mod application_memberships;
pub mod client_secrets;
pub mod identity_providers;
pub mod membership_profiles;
pub mod memberships;
pub mod organizations;
pub mod permissions;
pub mod roles;
mod settings;
mod subjects;
mod switches;
pub mod users;
pub mod versions;

pub(crate) use subjects::SUBJECTS;

use crate::access::Caller;
use crate::work::Work;
use guildhall_jsonapi::{Action, Catalog, Input, Record, Result, Scope, Spec};

/// A resource: its declaration, who sees it, and what can be done to it.
pub struct Resource {
    /// What it says of itself.
    pub spec: &'static Spec,
    /// Which of its changes the API publishes as versions.
    pub versions: Versions,
    /// Which rows a caller may see.
    pub sees: fn(&Caller) -> Scope,
    /// Makes one; answers its id.
    pub create: Option<Create>,
    /// Changes one.
    pub update: Option<Update>,
    /// Deletes one.
    pub delete: Option<Delete>,
    /// What else can be done to one.
    pub actions: &'static [Deed],
}

/// Makes a record of what was sent; answers its id.
pub type Create = fn(&mut Work<'_, '_>, &mut Input) -> Result<String>;
/// Changes a record as was sent.
pub type Update = fn(&mut Work<'_, '_>, &Record, &mut Input) -> Result<()>;
/// Deletes a record.
pub type Delete = fn(&mut Work<'_, '_>, &Record) -> Result<()>;

/// Which changes are published as versions; all of them are history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// None.
    None,
    /// Updates and deletions.
    Changes,
    /// Creation as well.
    All,
}

/// An action of a resource: it answers 202 and no body.
pub struct Deed {
    /// The last segment of its path.
    pub name: &'static str,
    /// Another spelling of it that clients use.
    pub alias: Option<&'static str>,
    /// Its HTTP method.
    pub method: &'static str,
    /// The attributes it takes, all of them required texts: name, sentence, example as JSON.
    pub takes: &'static [(&'static str, &'static str, &'static str)],
    /// One sentence about it.
    pub about: &'static str,
    /// Does it.
    pub run: fn(&mut Work<'_, '_>, &Record, &Action) -> Result<()>,
}

/// Every resource, in the order of the API description.
pub static ALL: [&Resource; 11] = [
    &api_credentials::API_CREDENTIALS,
    &application_memberships::APPLICATION_MEMBERSHIPS,
    &client_secrets::CLIENT_SECRETS,
    &identity_providers::IDENTITY_PROVIDERS,
    &membership_profiles::MEMBERSHIP_PROFILES,
    &memberships::MEMBERSHIPS,
    &organizations::ORGANIZATIONS,
    &permissions::PERMISSIONS,
    &roles::ROLES,
    &users::USERS,
    &versions::VERSIONS,
];

/// The resource of a kind.
pub fn get(kind: &str) -> Option<&'static Resource> {
    ALL.into_iter().find(|resource| resource.spec.kind == kind)
}

/// The resource that answers under a path segment.
pub fn at(path: &str) -> Option<&'static Resource> {
    ALL.into_iter().find(|resource| resource.spec.path() == path)
}

/// All declarations, for an installation at this domain.
pub fn catalog(domain: &str) -> Catalog {
    Catalog::new(ALL.iter().map(|resource| resource.spec).collect(), domain)
}
