//! A unit of work: one transaction, one moment, one author; what changes, its history and its letters go
//! with it or not at all.

use crate::App;
use crate::access::Caller;
use crate::accounts::sessions::{self, Session};
use crate::resources::{self, Versions};
use guildhall_jsonapi::spec::{Kind, Source};
use guildhall_jsonapi::{Error, Input, Problem, Record, Result, Spec, milestones, size_name, timestamp};
use guildhall_store::{Sql, Tx, Value};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who changes things.
#[derive(Clone, Debug)]
pub enum Author {
    /// Somebody with a token, or signed in at a page.
    Caller(Caller),
    /// Somebody at a page of whom it is not known who they are.
    Nobody,
    /// The operator, by a command.
    Operator,
}

/// A unit of work that writes.
pub struct Work<'a, 't> {
    /// Its transaction.
    pub tx: &'a mut Tx<'t>,
    /// The installation.
    pub app: &'a App,
    /// The moment at which all of it happens, in milliseconds.
    pub now: i64,
    /// Who does it.
    pub author: &'a Author,
    /// The request it belongs to.
    pub request: Option<&'a str>,
    /// What the table `sizes` is to count besides, by owner and name.
    sizes: BTreeMap<(String, String), i64>,
    /// The same for the table `milestones`, by owner, kind and moment.
    milestones: BTreeMap<(String, &'static str, i64), i64>,
    /// Statements that are not run yet.
    late: Vec<Sql>,
    /// Rows of history that are not written yet.
    history: Vec<[Value; HISTORY.len()]>,
    /// Whether what decides about the caller may be another by now.
    changes_caller: bool,
}

/// The columns of the table `history`.
const HISTORY: [&str; 11] = [
    "id",
    "organization_id",
    "resource_type",
    "resource_id",
    "event",
    "changes",
    "who",
    "origin",
    "request_id",
    "published",
    "created_at",
];
/// How many rows of history are written in one statement at most.
const ROWS_AT_ONCE: usize = 200;

impl<'a> Work<'a, '_> {
    /// The caller; an operator is none.
    pub fn caller(&self) -> Result<&'a Caller> {
        match self.author {
            Author::Caller(caller) => Ok(caller),
            Author::Nobody | Author::Operator => Err(Problem::forbidden().into()),
        }
    }

    /// Does a unit within a transaction.
    pub fn within<'t, T>(
        tx: &mut Tx<'t>,
        app: &App,
        author: &Author,
        request: Option<&str>,
        unit: impl FnOnce(&mut Work<'_, 't>) -> Result<T>,
    ) -> Result<T> {
        let mut work = Work {
            tx,
            app,
            now: app.clock.now(),
            author,
            request,
            sizes: BTreeMap::new(),
            milestones: BTreeMap::new(),
            late: Vec::new(),
            history: Vec::new(),
            changes_caller: false,
        };
        let done = unit(&mut work)?;
        work.settle()?;
        Ok(done)
    }

    /// Runs a unit of work.
    pub async fn run<T: Send + 'static>(
        app: &Arc<App>,
        author: Author,
        request: Option<String>,
        mut unit: impl FnMut(&mut Work<'_, '_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = app.clone();
        app.db
            .clone()
            .write(move |tx| {
                let app = &*app;
                let request = request.as_deref();
                Work::within(tx, app, &author, request, &mut unit)
            })
            .await
    }

    /// Looks at things without changing any: beside whatever is written at that moment, not behind it.
    pub async fn look<T: Send + 'static>(
        app: &Arc<App>,
        unit: impl FnOnce(&mut Work<'_, '_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = app.clone();
        app.db.clone().read(move |tx| Work::within(tx, &app, &Author::Nobody, None, unit)).await
    }

    /// Runs a unit of work of somebody who is signed in at a page, as they are known at that moment. Whoever
    /// is disabled meanwhile is refused, and so is a session that has ended.
    pub async fn run_as<T: Send + 'static>(
        app: &Arc<App>,
        session: &Session,
        request: &str,
        mut unit: impl FnMut(&mut Work<'_, '_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = app.clone();
        let (user, session, request) = (session.user.clone(), session.id.clone(), request.to_owned());
        app.db
            .clone()
            .write(move |tx| {
                let app = &*app;
                let open = sessions::is_open(tx, &user, &session)?;
                let caller = Caller::signed_in(tx, &user, &app.config)?.filter(|_| open);
                let author = Author::Caller(caller.ok_or_else(Problem::forbidden)?);
                let request = Some(request.as_str());
                Work::within(tx, app, &author, request, &mut unit)
            })
            .await
    }

    /// Lets only admins of the organization that a document names pass. A document that names none is
    /// refused later, for that.
    pub fn must_administer_its(&mut self, input: &Input) -> Result<()> {
        match input.one("organization") {
            Some(organization) => self.must_administer(organization),
            None => Ok(()),
        }
    }

    /// Lets only admins of an organization pass.
    pub fn must_administer(&mut self, organization: &str) -> Result<()> {
        self.caller()?.must_administer(self.tx, organization)
    }

    /// An id for something that is made now.
    pub fn new_id(&self) -> String {
        self.app.chance.id(self.now)
    }

    /// Makes a record; answers its id.
    pub fn insert(&mut self, spec: &'static Spec, columns: Map<String, Json>) -> Result<String> {
        let id = self.new_id();
        self.insert_as(spec, &id, columns)?;
        Ok(id)
    }

    /// Makes a record with an id of its own.
    pub fn insert_as(&mut self, spec: &'static Spec, id: &str, mut columns: Map<String, Json>) -> Result<()> {
        columns.insert("id".to_owned(), json!(id));
        columns.insert("created_at".to_owned(), json!(self.now));
        columns.insert("updated_at".to_owned(), json!(self.now));
        let mut sql = Sql::text("insert into ");
        sql.push(spec.kind).push(" (");
        for (index, name) in columns.keys().enumerate() {
            sql.push(if index == 0 { "" } else { ", " }).push(name);
        }
        sql.push(") values (").bind_all(columns.values().map(value)).push(")");
        self.tx.execute(&sql).map_err(|error| refusal(spec, &columns, error))?;
        self.resize(spec, &columns, 1);
        self.changes_caller |= spec.kind == "memberships" && self.is_caller(columns.get("user_id"));
        let before = Map::new();
        self.record_change(spec, id, "create", &before, &columns)
    }

    /// Changes a record; columns that stay as they are change nothing.
    pub fn update(&mut self, record: &Record, columns: Map<String, Json>) -> Result<()> {
        let spec = record.spec;
        let mut after: Map<String, Json> =
            columns.into_iter().filter(|(name, value)| record.column(name) != value).collect();
        if after.is_empty() {
            return Ok(());
        }
        let mut before: Map<String, Json> =
            after.keys().map(|name| (name.clone(), record.column(name).clone())).collect();
        after.insert("updated_at".to_owned(), json!(self.now));
        let mut sql = Sql::text("update ");
        sql.push(spec.kind).push(" set ");
        for (index, (name, new)) in after.iter().enumerate() {
            sql.push(if index == 0 { "" } else { ", " }).push(name).push(" = ").bind(value(new));
        }
        sql.push(" where id = ").bind(&record.id);
        self.tx.execute(&sql).map_err(|error| refusal(spec, &after, error))?;
        // The organization a record is in never changes, but its history needs it.
        let organization = record.column("organization_id").clone();
        after.insert("organization_id".to_owned(), organization.clone());
        before.insert("organization_id".to_owned(), organization);
        let changes = valued(spec, &before, -1).into_iter().chain(valued(spec, &after, 1));
        self.count(owner(spec, &after), changes);
        self.note_change(record, after.get("user_id"));
        self.record_change(spec, &record.id, "update", &before, &after)
    }

    /// Deletes a record.
    pub fn delete(&mut self, record: &Record) -> Result<()> {
        let spec = record.spec;
        let mut sql = Sql::text("delete from ");
        sql.push(spec.kind).push(" where id = ").bind(&record.id);
        self.tx.execute(&sql)?;
        let before = record.columns().clone();
        self.resize(spec, &before, -1);
        self.note_change(record, None);
        self.record_change(spec, &record.id, "destroy", &before, &Map::new())
    }

    /// Finds what the related records of a document have in common with the organization: nothing, for the
    /// odd ones, each of which is a problem.
    pub fn check_organization(&mut self, spec: &Spec, input: &Input, organization: &str) -> Result<()> {
        if organization.is_empty() {
            // That it is missing is a problem of its own.
            return Ok(());
        }
        let mut problems = Vec::new();
        for relationship in
            spec.relationships.iter().filter(|relationship| relationship.name != "organization")
        {
            let ids = input.ids(relationship.name);
            if ids.is_empty() {
                continue;
            }
            let mut sql = Sql::text("select count(*) from ");
            sql.push(relationship.kind)
                .push(" where id in (")
                .bind_list(ids)
                .push(") and organization_id <> ");
            sql.bind(organization);
            if self.tx.rows(&sql)?.first().is_some_and(|row| row.int(0) > 0) {
                problems.push(Problem::relationship(relationship.name, "invalid", "is invalid"));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Error::Refused(problems)) }
    }

    /// One column of one record, for rules.
    pub fn text(&mut self, table: &str, id: &str, column: &str) -> Result<Option<String>> {
        let mut sql = Sql::text("select ");
        sql.push(column).push(" from ").push(table).push(" where id = ").bind(id);
        let rows = self.tx.rows(&sql)?;
        Ok(rows.first().and_then(|row| row.maybe_text(0)).map(str::to_owned))
    }

    /// Whether who the caller is and what they may do have to be looked up again, after what was changed so far.
    pub fn changes_caller(&self) -> bool {
        self.changes_caller
    }

    /// Notes that a record is not what it was; a membership may be somebody else's by now.
    fn note_change(&mut self, record: &Record, user: Option<&Json>) {
        self.changes_caller |= match record.spec.kind {
            "memberships" => self.is_caller(Some(record.column("user_id"))) || self.is_caller(user),
            kind => matches!(kind, "organizations" | "roles" | "users"),
        };
    }

    fn is_caller(&self, user: Option<&Json>) -> bool {
        let user = user.and_then(Json::as_str);
        matches!(self.author, Author::Caller(caller) if user == Some(&caller.user))
    }

    /// Counts a record that has come or gone in the tables `sizes` and `milestones`.
    fn resize(&mut self, spec: &Spec, columns: &Map<String, Json>, by: i64) {
        let changes = valued(spec, columns, by).into_iter().chain([(spec.kind.to_owned(), by)]);
        self.count(owner(spec, columns), changes);
        let made_at = columns.get("created_at").and_then(Json::as_i64);
        if let (true, Some(owner), Some(at)) = (spec.milestones, owner(spec, columns), made_at) {
            *self.milestones.entry((owner.to_owned(), spec.kind, at)).or_default() += by;
        }
    }

    /// Counts something that somebody has in the table `sizes`.
    pub fn size(&mut self, owner: &str, name: &str, by: i64) {
        self.count(Some(owner), [(name.to_owned(), by)]);
    }

    fn count(&mut self, owner: Option<&str>, changes: impl IntoIterator<Item = (String, i64)>) {
        let Some(owner) = owner else { return };
        for (name, by) in changes {
            *self.sizes.entry((owner.to_owned(), name)).or_default() += by;
        }
    }

    /// How many rows of a kind an organization has, as far as the table `sizes` has not been told yet.
    pub fn unsettled(&self, kind: &str, owner: &str) -> i64 {
        self.sizes.get(&(owner.to_owned(), kind.to_owned())).copied().unwrap_or(0)
    }

    /// Has a statement run at the end, together with all others of which nothing in the unit needs to know.
    pub fn later(&mut self, sql: Sql) {
        self.late.push(sql);
    }

    /// Runs what was left for later, and writes the history and what the tables `sizes` and `milestones` are to count.
    /// That comes at the end and in one order, so that those who change the same organization at once wait for each
    /// other as shortly as can be, and never in a circle.
    pub fn settle(&mut self) -> Result<()> {
        let mut statements = std::mem::take(&mut self.late);
        statements.extend(self.history());
        statements.extend(self.sizes());
        let moments = std::mem::take(&mut self.milestones).into_iter().filter(|(_, by)| *by != 0);
        statements.extend(moments.map(|((owner, kind, at), by)| milestones::note(kind, &owner, at, by)));
        if !statements.is_empty() {
            self.tx.all(&statements)?;
        }
        Ok(())
    }

    fn history(&mut self) -> Option<Sql> {
        let rows = std::mem::take(&mut self.history);
        if rows.is_empty() {
            return None;
        }
        let mut sql = Sql::text("insert into history (");
        sql.push(&HISTORY.join(", ")).push(") values (");
        for (index, row) in rows.into_iter().enumerate() {
            sql.push(if index == 0 { "" } else { "), (" }).bind_all(row);
        }
        sql.push(")");
        Some(sql)
    }

    fn sizes(&mut self) -> Option<Sql> {
        let mut changes = std::mem::take(&mut self.sizes);
        changes.retain(|_, by| *by != 0);
        if changes.is_empty() {
            return None;
        }
        let mut sql = Sql::text("insert into sizes (kind, owner, size) values (");
        for (index, ((owner, name), by)) in changes.into_iter().enumerate() {
            sql.push(if index == 0 { "" } else { "), (" });
            sql.bind_all([Value::from(name), owner.into(), by.into()]);
        }
        sql.push(") on conflict (kind, owner) do update set size = sizes.size + excluded.size");
        Some(sql)
    }

    /// Writes the row of history of something that was done to a record without changing it.
    pub fn record_deed(&mut self, record: &Record, deed: &str) -> Result<()> {
        let columns =
            Map::from_iter([("organization_id".to_owned(), record.column("organization_id").clone())]);
        self.record_change(record.spec, &record.id, deed, &columns, &columns)
    }

    fn record_change(
        &mut self,
        spec: &'static Spec,
        id: &str,
        event: &str,
        before: &Map<String, Json>,
        after: &Map<String, Json>,
    ) -> Result<()> {
        let own = (spec.kind == "organizations").then_some(id);
        let owner = |columns: &Map<String, Json>| {
            columns.get("organization_id").and_then(Json::as_str).map(str::to_owned)
        };
        let organization = own.map(str::to_owned).or_else(|| owner(after)).or_else(|| owner(before));
        let versions = resources::get(spec.kind).map_or(Versions::None, |resource| resource.versions);
        let published = match versions {
            Versions::None => false,
            Versions::Changes => matches!(event, "update" | "destroy"),
            Versions::All => matches!(event, "create" | "update" | "destroy"),
        };
        let (who, origin) = match self.author {
            Author::Caller(caller) => match &caller.application {
                Some(application) => {
                    let application = json!({
                        "id": application.id, "kind": application.kind, "public": application.public,
                    });
                    (json!({ "application": application, "user": { "id": caller.user } }), "api")
                }
                None => (json!({ "user": { "id": caller.user } }), "page"),
            },
            Author::Nobody => (json!({}), "page"),
            Author::Operator => (json!({}), "command"),
        };
        self.history.push([
            self.new_id().into(),
            organization.as_deref().into(),
            spec.kind.into(),
            id.into(),
            event.into(),
            changes(spec, event, before, after).to_string().into(),
            who.to_string().into(),
            origin.into(),
            self.request.into(),
            published.into(),
            self.now.into(),
        ]);
        if published {
            self.count(organization.as_deref(), [("versions".to_owned(), 1)]);
        }
        // Whoever erases very much does not keep all of that in memory.
        if self.history.len() >= ROWS_AT_ONCE
            && let Some(sql) = self.history()
        {
            self.tx.execute(&sql)?;
        }
        Ok(())
    }
}

/// Whose record it is, as far as the table `sizes` is concerned.
fn owner<'a>(spec: &Spec, columns: &'a Map<String, Json>) -> Option<&'a str> {
    spec.sized_by.and_then(|column| columns.get(column)).and_then(Json::as_str)
}

/// What the table `sizes` counts of the values and links a record has.
fn valued(spec: &Spec, columns: &Map<String, Json>, by: i64) -> Vec<(String, i64)> {
    let attributes = spec.attributes.iter().filter(|one| one.sized).map(|one| (one.name, one.name));
    let links = spec.relationships.iter().filter(|one| one.sized).map(|one| (one.name, one.column));
    attributes
        .chain(links)
        .filter_map(|(name, column)| Some((name, columns.get(column)?.as_str()?)))
        .map(|(name, value)| (size_name(spec.kind, name, value), by))
        .collect()
}

/// A JSON value as the database stores it.
fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Flag(*flag),
        Json::Number(number) => number.as_i64().map_or_else(|| number.to_string().into(), Value::Int),
        Json::String(text) => Value::Text(text.clone()),
        object => Value::Text(object.to_string()),
    }
}

/// What a constraint refused, in the words of the document.
fn refusal(spec: &Spec, columns: &Map<String, Json>, error: guildhall_store::Error) -> Error {
    let guildhall_store::Error::Unique { table, attribute } = &error else {
        return error.into();
    };
    if table != spec.kind {
        return Problem::not_unique().into();
    }
    let related = spec.relationships.iter().find(|relationship| relationship.column == attribute);
    match (spec.attribute(attribute), related) {
        (Some(attribute), _) => {
            let sent = columns.get(attribute.name).and_then(Json::as_str).unwrap_or_default();
            Problem::taken(attribute.name, sent).into()
        }
        (None, Some(relationship)) => {
            Problem::relationship(relationship.name, "taken", "has already been taken").into()
        }
        (None, None) => Problem::not_unique().into(),
    }
}

/// What changed, as `{name: [before, after]}`: attributes and the ids of relationships as they are, and what
/// no document shows without its value.
fn changes(spec: &Spec, event: &str, before: &Map<String, Json>, after: &Map<String, Json>) -> Json {
    let mut changes = Map::new();
    let names = if event == "destroy" { before.keys() } else { after.keys() };
    for name in names {
        if matches!(name.as_str(), "id" | "created_at" | "updated_at") || name.ends_with("_key") {
            continue;
        }
        let old = before.get(name).unwrap_or(&Json::Null);
        let new = after.get(name).unwrap_or(&Json::Null);
        if old == new {
            continue;
        }
        let shown = match spec.attribute(name) {
            Some(attribute) if attribute.kind == Kind::Secret || attribute.source != Source::Column => None,
            Some(attribute) if attribute.kind == Kind::Time => Some(json!([moment(old), moment(new)])),
            Some(_) => Some(json!([old, new])),
            None if spec
                .relationships
                .iter()
                .any(|relationship| !relationship.many && relationship.column == name) =>
            {
                Some(json!([old, new]))
            }
            None => None,
        };
        changes.insert(name.clone(), shown.unwrap_or_else(|| json!(["[hidden]", "[hidden]"])));
    }
    Json::Object(changes)
}

fn moment(value: &Json) -> Json {
    value.as_i64().map_or(Json::Null, |millis| json!(timestamp(millis)))
}
