//! An organization's own host: what an application learns there of the organization, of itself and of its
//! token (contract 5). Everything else of the commerce API is somebody else's.

mod documents;
mod tokeninfo;

pub(crate) use documents::catalog;

use crate::App;
use crate::api;
use crate::authorizations::scope;
use crate::bearer::{self, Bearer};
use crate::gate::{self, Standing};
use crate::http::{Answer, Asked};
use crate::limits::Class;
use guildhall_jsonapi::{Error, Problem, Result};
use guildhall_store::Tx;
use std::sync::Arc;

/// Somebody with a token for this host: what it says, and what stands behind it.
struct Visitor {
    bearer: Arc<Bearer>,
    standing: Standing,
}

/// What is answered here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Organization,
    Application,
    Tokeninfo,
}

impl Target {
    fn find(path: &str) -> Option<Self> {
        let path = path.strip_suffix('/').unwrap_or(path);
        if path == "/oauth/tokeninfo" {
            return Some(Self::Tokeninfo);
        }
        let path = path.strip_prefix("/api/")?;
        // A version, such as 2026-05, may stand before it and changes nothing (contract C-55).
        match path.split_once('/').map_or(path, |(first, rest)| if is_version(first) { rest } else { path }) {
            "organization" => Some(Self::Organization),
            "application" => Some(Self::Application),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Application => "application",
            Self::Tokeninfo => "tokeninfo",
        }
    }
}

fn is_version(segment: &str) -> bool {
    let is_number =
        |text: &str, digits: usize| text.len() == digits && text.bytes().all(|one| one.is_ascii_digit());
    segment.split_once('-').is_some_and(|(year, month)| is_number(year, 4) && is_number(month, 2))
}

/// Whether a path is one of an organization's own host.
pub fn is_here(path: &str) -> bool {
    Target::find(path).is_some()
}

/// As what a request here is counted, and as which endpoint's.
///
/// A token that nobody has seen yet is counted as a live one: its signature is looked at after it was counted.
pub fn class(app: &App, asked: &Asked) -> (Class, Option<&'static str>) {
    let bearer = bearer::seen_in(app, asked.authorization());
    let is_test = bearer.is_some_and(|bearer| bearer.claims.test);
    let class = if is_test { Class::CoreTest } else { Class::CoreLive };
    (class, Target::find(asked.uri.path()).map(Target::name))
}

/// Answers a request for the host of an organization, or, where hosts are not told apart, of the token's.
pub async fn answer(app: &Arc<App>, slug: Option<&str>, asked: &Asked) -> Answer {
    match respond(app, slug, asked).await {
        Ok(answer) => answer,
        Err(error) => api::refusal(asked, error),
    }
}

async fn respond(app: &Arc<App>, slug: Option<&str>, asked: &Asked) -> Result<Answer> {
    let target = Target::find(asked.uri.path()).ok_or_else(Problem::not_found)?;
    let method = if asked.method == "HEAD" { "GET" } else { asked.method.as_str() };
    if method != "GET" {
        return Ok(api::method_not_allowed(method, &["GET"]));
    }
    let bearer = bearer::read(app, asked.authorization()).await;
    let fits = |bearer: &Arc<Bearer>| {
        let claims = &bearer.claims;
        let own = claims.organization.as_ref().map(|organization| organization.slug.as_str());
        own.is_some() && slug.is_none_or(|slug| own == Some(slug)) && scope::opens_commerce(&claims.scope)
    };
    let bearer = bearer.filter(fits).ok_or_else(invalid_token)?;
    if target != Target::Tokeninfo {
        api::check_media_types(asked, method)?;
    }
    let (unit_app, query, trace) = (app.clone(), asked.query().to_owned(), asked.id.clone());
    app.db
        .read(move |tx| {
            let standing = gate::standing(tx, &bearer)?.ok_or_else(invalid_token)?;
            let visitor = Visitor { bearer, standing };
            show(&unit_app, tx, target, &visitor, &query, &trace)
        })
        .await
}

fn show(
    app: &App,
    tx: &mut Tx<'_>,
    target: Target,
    visitor: &Visitor,
    query: &str,
    trace: &str,
) -> Result<Answer> {
    match target {
        Target::Organization => documents::organization(app, tx, visitor, query, trace),
        Target::Application => documents::application(app, tx, visitor, query, trace),
        Target::Tokeninfo => tokeninfo::show(app, tx, visitor),
    }
}

/// 401 for whatever is no token for this host (contract C-04).
fn invalid_token() -> Error {
    Problem::new(401, "INVALID_TOKEN", "Invalid token", "The access token you provided is invalid.").into()
}
