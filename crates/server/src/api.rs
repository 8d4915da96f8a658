//! How a JSON:API request is answered: the whole life of one on a page.

use crate::App;
use crate::access::Caller;
use crate::bearer::{self, Bearer};
use crate::http::{Answer, Asked, log};
use crate::resources::{self, Deed, Resource};
use crate::work::{Author, Work};
use guildhall_jsonapi::spec::Relationship;
use guildhall_jsonapi::{Action, Error, Input, Listing, Problem, Query, Reader, Result, Spec, Verb};
use guildhall_store::Tx;
use http::header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE};
use std::sync::Arc;

/// The media type of every document.
pub const MEDIA_TYPE: &str = "application/vnd.api+json";

/// What a path names.
#[derive(Clone)]
enum Target {
    Collection(&'static Resource),
    /// A record; the caller's own, when there is no id in the path.
    Record(&'static Resource, Option<String>),
    Related(&'static Resource, String, &'static Relationship),
    Linkage(&'static Resource, String, &'static Relationship),
    Deed(&'static Resource, String, &'static Deed),
}

/// Answers a request for `/api/<path>`.
pub async fn answer(app: &Arc<App>, asked: &Asked, path: &str) -> Answer {
    route(app, asked, path).await.unwrap_or_else(|error| refusal(asked, error))
}

/// What is answered to a request that failed.
pub(crate) fn refusal(asked: &Asked, error: Error) -> Answer {
    let is_about_token = matches!(&error, Error::Refused(problems) if problems.iter().any(|problem| problem.title == "Invalid token"));
    let answer = match error {
        Error::Refused(problems) => refuse(&problems),
        Error::Store(guildhall_store::Error::Unique { .. }) => refuse(&[Problem::not_unique()]),
        Error::Store(guildhall_store::Error::TooSlow) if asked.method.is_safe() => {
            let detail = "This query takes too long: filter by an organization, an id or an address as well.";
            refuse(&[Problem::new(503, "SERVICE_UNAVAILABLE", "Service unavailable", detail)])
        }
        Error::Store(
            // What it was for was deleted meanwhile, or what was to be deleted was needed: the next time is told so.
            error @ (guildhall_store::Error::Busy
            | guildhall_store::Error::ForeignKey
            | guildhall_store::Error::TooSlow
            | guildhall_store::Error::Down
            | guildhall_store::Error::Disk(_)),
        ) => {
            let detail = match error {
                guildhall_store::Error::ForeignKey => {
                    log(asked, &error);
                    "What this is about is changing: try again in a moment."
                }
                guildhall_store::Error::Disk(_) => {
                    tracing::error!("{error}");
                    "The disk of the database is full: nothing is written until there is room."
                }
                guildhall_store::Error::Down => "The database cannot be reached: try again in a moment.",
                _ => "The database is busy: try again in a moment.",
            };
            refuse(&[Problem::new(503, "SERVICE_UNAVAILABLE", "Service unavailable", detail)])
                .header(RETRY_AFTER, "1")
        }
        Error::Store(error) => {
            log(asked, &error);
            let title = "Internal Server Error";
            refuse(&[Problem::new(500, "INTERNAL_SERVER_ERROR", title, title)])
        }
    };
    match answer.status {
        // RFC 6750, 3: who has shown a token is told that it is the token.
        401 if is_about_token && asked.authorization().is_some() => {
            answer.header(WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")
        }
        401 => answer.header(WWW_AUTHENTICATE, "Bearer"),
        _ => answer,
    }
}

/// The document that tells what was wrong.
pub fn refuse(problems: &[Problem]) -> Answer {
    let status = problems.first().map_or(500, |problem| problem.status);
    let answer = Answer::new(status, MEDIA_TYPE, Problem::render(problems));
    match problems.iter().find_map(Problem::retry_after) {
        Some(seconds) => answer.header(RETRY_AFTER, &seconds.to_string()),
        None => answer,
    }
}

/// 405, with the methods that there are.
pub fn method_not_allowed(method: &str, allowed: &[&str]) -> Answer {
    let detail = format!("{method} is not allowed here, only {}.", allowed.join(", "));
    let problem = Problem::new(405, "METHOD_NOT_ALLOWED", "Method not allowed", detail);
    refuse(&[problem]).header(ALLOW, &allowed.join(", "))
}

async fn route(app: &Arc<App>, asked: &Asked, path: &str) -> Result<Answer> {
    let target = Target::find(path).ok_or_else(Problem::not_found)?;
    let allowed = target.methods();
    let method = if asked.method == "HEAD" { "GET" } else { asked.method.as_str() };
    if !allowed.contains(&method) {
        return Ok(method_not_allowed(method, &allowed));
    }
    let bearer = bearer::read(app, asked.authorization()).await.ok_or_else(invalid_token)?;
    check_media_types(asked, method)?;
    let query = Query::parse(&app.catalog, target.answers_with(app), asked.query())?;
    carry_out(app, &asked.id, Who::Bearer(bearer), method, target, query, &asked.body).await
}

/// Does for somebody who is signed in at a page what a request with their token would do: `path` is what
/// follows `/api/`.
pub async fn ask_as(
    app: &Arc<App>,
    request: &str,
    user: &str,
    method: &str,
    path: &str,
    body: &[u8],
) -> Result<Answer> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let target = Target::find(path).filter(|target| target.methods().contains(&method));
    let target = target.ok_or_else(Problem::not_found)?;
    let query = Query::parse(&app.catalog, target.answers_with(app), query)?;
    carry_out(app, request, Who::User(user.to_owned()), method, target, query, body).await
}

/// Who asks.
enum Who {
    /// Whoever has this token.
    Bearer(Arc<Bearer>),
    /// This user, signed in at a page.
    User(String),
}

async fn carry_out(
    app: &Arc<App>,
    request: &str,
    who: Who,
    method: &str,
    target: Target,
    query: Query,
    body: &[u8],
) -> Result<Answer> {
    match method {
        "GET" => read(app, who, target, query).await,
        "DELETE" => write(app, request, who, target, Change::Delete, query).await,
        _ => {
            let change = Change::read(&target, body)?;
            write(app, request, who, target, change, query).await
        }
    }
}

/// 401 for a token that is missing, malformed, forged, expired or revoked: always the same words.
fn invalid_token() -> Problem {
    Problem::new(401, "UNAUTHORIZED", "Invalid token", "The access token you provided is invalid.")
}

async fn read(app: &Arc<App>, who: Who, target: Target, query: Query) -> Result<Answer> {
    let db = app.db.clone();
    // One record is as soon read as looked for elsewhere.
    let is_list = match &target {
        Target::Collection(_) => true,
        Target::Related(_, _, relationship) => relationship.many,
        Target::Record(..) | Target::Linkage(..) | Target::Deed(..) => false,
    };
    let apps = (app.clone(), app.clone());
    let first = move |tx: &mut Tx<'_>| load(&apps.0, tx, &who);
    let second = move |tx: &mut Tx<'_>, caller: &Arc<Caller>| {
        with_reader(&apps.1, caller, |reader| show(reader, tx, caller, &target, &query))
    };
    let document = if is_list {
        db.read_both(first, second).await
    } else {
        db.read(move |tx| first(tx).and_then(|caller| second(tx, &caller))).await
    };
    Ok(Answer::new(200, MEDIA_TYPE, document?))
}

fn show(
    reader: &Reader<'_>,
    tx: &mut Tx<'_>,
    caller: &Caller,
    target: &Target,
    query: &Query,
) -> Result<Vec<u8>> {
    match target {
        Target::Collection(resource) => reader.list(tx, Listing::All(resource.spec), query),
        Target::Record(resource, id) => {
            reader.show(tx, resource.spec, id.as_deref().unwrap_or(&caller.user), query)
        }
        Target::Related(resource, id, relationship) if relationship.many => {
            reader.list(tx, Listing::Related(resource.spec, id, relationship), query)
        }
        Target::Related(resource, id, relationship) => {
            reader.related(tx, resource.spec, id, relationship, query)
        }
        Target::Linkage(resource, id, relationship) => reader.linkage(tx, resource.spec, id, relationship),
        Target::Deed(..) => Err(Problem::not_found().into()),
    }
}

/// What a request changes, as far as it can be read without the database.
enum Change {
    Create(Input),
    Update(Input),
    Delete,
    Act(Action),
}

impl Change {
    fn read(target: &Target, body: &[u8]) -> Result<Self> {
        Ok(match target {
            Target::Collection(resource) => {
                Self::Create(Input::read(resource.spec, Verb::Create, None, body)?)
            }
            Target::Record(resource, id) => {
                Self::Update(Input::read(resource.spec, Verb::Update, id.as_deref(), body)?)
            }
            Target::Deed(resource, id, deed) => {
                let names: Vec<&str> = deed.takes.iter().map(|(name, ..)| *name).collect();
                Self::Act(Action::read(resource.spec, id, &names, body)?)
            }
            Target::Related(..) | Target::Linkage(..) => return Err(Problem::not_found().into()),
        })
    }
}

/// One write is one unit of work: it is checked, done, written down and read back in one transaction.
async fn write(
    app: &Arc<App>,
    request: &str,
    who: Who,
    target: Target,
    change: Change,
    query: Query,
) -> Result<Answer> {
    let request = request.to_owned();
    let unit_app = app.clone();
    let answer = app
        .db
        .write(move |tx| {
            let app = &*unit_app;
            let caller = load(app, tx, &who)?;
            let author = Author::Caller((*caller).clone());
            with_reader(app, &caller, |reader| {
                Work::within(tx, app, &author, Some(&request), |work| {
                    change_one(work, reader, &target, &change, &query, &who)
                })
            })
        })
        .await?;
    app.letters.notify_one();
    Ok(answer)
}

fn change_one(
    work: &mut Work<'_, '_>,
    reader: &Reader<'_>,
    target: &Target,
    change: &Change,
    query: &Query,
    who: &Who,
) -> Result<Answer> {
    let caller = work.caller()?;
    let record = match target {
        Target::Collection(_) => None,
        Target::Record(resource, id) => {
            Some(reader.record(work.tx, resource.spec, id.as_deref().unwrap_or(&caller.user))?)
        }
        Target::Deed(resource, id, _) => Some(reader.record(work.tx, resource.spec, id)?),
        Target::Related(..) | Target::Linkage(..) => return Err(Problem::not_found().into()),
    };
    let resource = target.resource();
    match (change, record) {
        (Change::Create(input), None) => {
            let create = resource.create.ok_or_else(Problem::not_found)?;
            let mut input = input.clone();
            input.references(work.tx, reader)?;
            let id = create(work, &mut input)?;
            Ok(Answer::new(201, MEDIA_TYPE, read_back(work, who, resource.spec, (&id, &id), query)?))
        }
        (Change::Update(input), Some(record)) => {
            let update = resource.update.ok_or_else(Problem::not_found)?;
            input.names(&record.id)?;
            let mut input = input.clone();
            input.references(work.tx, reader)?;
            update(work, &record, &mut input)?;
            Ok(Answer::new(200, MEDIA_TYPE, read_back(work, who, resource.spec, (&record.id, ""), query)?))
        }
        (Change::Delete, Some(record)) => {
            let delete = resource.delete.ok_or_else(Problem::not_found)?;
            delete(work, &record)?;
            Ok(Answer::empty(204))
        }
        (Change::Act(action), Some(record)) => {
            let Target::Deed(_, _, deed) = target else { return Err(Problem::not_found().into()) };
            (deed.run)(work, &record, action)?;
            Ok(Answer::empty(202))
        }
        _ => Err(Problem::not_found().into()),
    }
}

/// The answer to a write, through the caller's own scope as it is afterwards: what they could not see, they
/// cannot have made. `just_made` is the record whose secret they see although it is shown but once.
fn read_back(
    work: &mut Work<'_, '_>,
    who: &Who,
    spec: &'static Spec,
    (id, just_made): (&str, &str),
    query: &Query,
) -> Result<Vec<u8>> {
    work.settle()?;
    let caller = if work.changes_caller() {
        Arc::unwrap_or_clone(load(work.app, work.tx, who)?)
    } else {
        work.caller()?.clone()
    };
    let caller = Caller { just_made: just_made.to_owned(), ..caller };
    with_reader(work.app, &caller, |reader| reader.show(work.tx, spec, id, query))
}

fn load(app: &App, tx: &mut Tx<'_>, who: &Who) -> Result<Arc<Caller>> {
    let caller = match who {
        Who::Bearer(bearer) => app.callers.load(tx, bearer, &app.config)?,
        Who::User(user) => Caller::signed_in(tx, user, &app.config)?.map(Arc::new),
    };
    caller.ok_or_else(|| invalid_token().into())
}

fn with_reader<T>(app: &App, caller: &Caller, read: impl FnOnce(&Reader<'_>) -> T) -> T {
    let scope = |spec: &'static Spec| caller.scope(spec);
    read(&Reader { catalog: &app.catalog, base: &app.base, scope: &scope, secrets: &app.vault })
}

impl Target {
    /// What a path below `/api/` names; a slash at its end is harmless.
    fn find(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        let resource = resources::at(segments.first()?)?;
        if resource.spec.singleton.is_some() {
            return (segments.len() == 1).then_some(Self::Record(resource, None));
        }
        let id = || segments.get(1).map(|id| (*id).to_owned());
        match segments.as_slice() {
            [_] => Some(Self::Collection(resource)),
            [_, _] => Some(Self::Record(resource, id())),
            [_, _, "relationships", name] => {
                Some(Self::Linkage(resource, id()?, resource.spec.relationship(name)?))
            }
            [_, _, name] => match resource.spec.relationship(name) {
                Some(relationship) => Some(Self::Related(resource, id()?, relationship)),
                None => {
                    let named = |deed: &&Deed| deed.name == *name || deed.alias == Some(name);
                    Some(Self::Deed(resource, id()?, resource.actions.iter().find(named)?))
                }
            },
            _ => None,
        }
    }

    fn resource(&self) -> &'static Resource {
        match self {
            Self::Collection(resource)
            | Self::Record(resource, _)
            | Self::Related(resource, ..)
            | Self::Linkage(resource, ..)
            | Self::Deed(resource, ..) => resource,
        }
    }

    /// The methods it answers to.
    fn methods(&self) -> Vec<&'static str> {
        match self {
            Self::Collection(resource) => {
                ["GET"].into_iter().chain(resource.create.map(|_| "POST")).collect()
            }
            Self::Record(resource, _) => ["GET"]
                .into_iter()
                .chain(resource.update.map(|_| "PATCH"))
                .chain(resource.delete.map(|_| "DELETE"))
                .collect(),
            Self::Related(..) | Self::Linkage(..) => vec!["GET"],
            Self::Deed(_, _, deed) => vec![deed.method],
        }
    }

    /// The kind of its answer's resources, which the query is about.
    fn answers_with(&self, app: &App) -> &'static Spec {
        let own = self.resource().spec;
        match self {
            Self::Related(_, _, relationship) => app.catalog.spec(relationship.kind).unwrap_or(own),
            _ => own,
        }
    }
}

pub(crate) fn check_media_types(asked: &Asked, method: &str) -> Result<()> {
    let accept = asked.header("accept").unwrap_or("*/*");
    let accepted = accept.split(',').any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let refused = parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"));
        !refused && (matches!(media_type, "" | "*/*") || media_type.eq_ignore_ascii_case(MEDIA_TYPE))
    });
    if !accepted {
        let detail = format!("All requests must accept {MEDIA_TYPE}; this one accepts {accept}.");
        return Err(Problem::new(406, "NOT_ACCEPTABLE", "Not acceptable", detail).into());
    }
    let sent = asked.header("content-type");
    // An action may come without a body, and then needs no type for it.
    let sends = matches!(method, "POST" | "PATCH") && (sent.is_some() || !asked.body.is_empty());
    let sent = sent.unwrap_or("none");
    let essence = sent.split(';').next().unwrap_or_default().trim();
    if sends && !essence.eq_ignore_ascii_case(MEDIA_TYPE) {
        let detail = format!(
            "All requests that send a document must use the {MEDIA_TYPE} content type; this one uses {sent}."
        );
        return Err(Problem::new(415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported media type", detail).into());
    }
    Ok(())
}
