//! Reading: single resources, collections, what is related to them and what comes along.
//!
//! One query a step, never one a row, and every step through the caller's scope.

use crate::condition::Conditions;
use crate::include::Include;
use crate::render::{Linkage, Renderer};
use crate::select::{Collection, Columns};
use crate::spec::Relationship;
use crate::{Arm, Catalog, Problem, Query, Record, Result, Scope, Spec};
use guildhall_store::{Row, Rows, Sql, Tx};
use std::collections::{HashMap, HashSet};

/// How many resources may come along with an answer.
const MOST_INCLUDED: usize = 10_000;

/// Opens what is encrypted in the database.
pub trait Secrets {
    /// The secret behind stored text; `None` when the key does not fit.
    fn open(&self, sealed: &str) -> Option<String>;
}

/// Reads as one caller sees it.
pub struct Reader<'a> {
    /// All declarations.
    pub catalog: &'a Catalog,
    /// What links begin with, such as `https://provisioning.example.com/api`.
    pub base: &'a str,
    /// What the caller may see of each kind.
    pub scope: &'a dyn Fn(&'static Spec) -> Scope,
    /// Opens the secrets that are shown.
    pub secrets: &'a dyn Secrets,
}

/// Which collection is listed.
#[derive(Clone, Copy)]
pub enum Listing<'a> {
    /// Everything of a kind.
    All(&'static Spec),
    /// What is related to one record.
    Related(&'static Spec, &'a str, &'static Relationship),
}

impl Reader<'_> {
    /// The document of one resource.
    pub fn show(&self, tx: &mut Tx<'_>, spec: &'static Spec, id: &str, query: &Query) -> Result<Vec<u8>> {
        let columns = self.columns(query, spec, &query.include);
        let rows = self.rows_by_id(tx, &columns, &[id])?;
        if rows.is_empty() {
            return Err(Problem::not_found().into());
        }
        self.single(tx, columns, rows, query)
    }

    /// A page of a collection, with its counts and links.
    pub fn list(&self, tx: &mut Tx<'_>, listing: Listing<'_>, query: &Query) -> Result<Vec<u8>> {
        let (spec, path, within) = match listing {
            Listing::All(spec) => (spec, spec.kind.to_owned(), None),
            Listing::Related(parent, id, relationship) => {
                self.must_see(tx, parent, id)?;
                let mut within = Sql::text("");
                within.push(&format!("t.{} = ", relationship.column)).bind(id);
                if let Some(column) = relationship.kind_column {
                    within.push(&format!(" and t.{column} = ")).bind(parent.kind);
                }
                let spec = self.catalog.target(relationship.kind);
                (
                    spec,
                    format!("{}/{id}/{}", parent.kind, relationship.name),
                    Some((relationship, id, within)),
                )
            }
        };
        let columns = self.columns(query, spec, &query.include);
        let tie = within.as_ref().map(|(relationship, id, _)| (relationship.column, *id));
        let collection = Collection {
            conditions: Conditions { catalog: self.catalog, scope: self.scope },
            spec,
            scope: (self.scope)(spec),
            within: within.map(|(_, _, sql)| sql),
            query,
        };
        let count = count(tx, &collection, tie)?;
        let rows =
            if query.page.offset() < count { tx.rows(&collection.page(&columns))? } else { Rows::default() };
        let loaded = self.load(tx, columns, rows, query)?;
        let mut out = Renderer::new(self.base, self.secrets, query);
        out.push("{\"data\":[");
        for entry in 0..loaded.primary {
            out.push(if entry == 0 { "" } else { "," });
            loaded.render(&mut out, entry);
        }
        out.push("]");
        loaded.render_included(&mut out);
        let pages = query.page.pages(count);
        out.push(&format!(",\"meta\":{{\"record_count\":{count},\"page_count\":{pages}}}"));
        out.push(",\"links\":{");
        let number = query.page.number;
        let all = [
            ("first", Some(1)),
            ("prev", (number > 1).then_some(number - 1)),
            ("next", (number < pages).then(|| number.saturating_add(1))),
            ("last", Some(pages.max(1))),
        ];
        for (name, page) in all {
            let Some(page) = page else { continue };
            out.push(if name == "first" { "\"" } else { ",\"" });
            out.push(&format!("{name}\":\"{}/{path}?{}\"", self.base, query.page.link(page, &query.kept)));
        }
        out.push("}}");
        Ok(out.out)
    }

    /// The document of the one resource at the other end of a relationship, or of none.
    pub fn related(
        &self,
        tx: &mut Tx<'_>,
        spec: &'static Spec,
        id: &str,
        relationship: &'static Relationship,
        query: &Query,
    ) -> Result<Vec<u8>> {
        let columns = self.columns(query, self.catalog.target(relationship.kind), &query.include);
        let link = self.link(tx, spec, id, relationship)?;
        let rows = match &link {
            Some(id) => self.rows_by_id(tx, &columns, &[id.as_str()])?,
            None => Rows::default(),
        };
        self.single(tx, columns, rows, query)
    }

    /// The linkage document of a relationship.
    pub fn linkage(
        &self,
        tx: &mut Tx<'_>,
        spec: &'static Spec,
        id: &str,
        relationship: &'static Relationship,
    ) -> Result<Vec<u8>> {
        let query = Query::default();
        let target = self.catalog.target(relationship.kind);
        let ids: Vec<String> = if relationship.many {
            self.must_see(tx, spec, id)?;
            let mut sql = Sql::text("select t.id from ");
            sql.push(target.kind).push(&format!(" t where t.{} = ", relationship.column)).bind(id);
            if let Some(column) = relationship.kind_column {
                sql.push(&format!(" and t.{column} = ")).bind(spec.kind);
            }
            sql.push(" and ");
            (self.scope)(target).condition(&mut sql, "t");
            sql.push(" order by t.created_at, t.id limit ").bind(LIMIT);
            let rows = tx.rows(&sql)?;
            refuse_too_many(rows.len(), relationship.name)?;
            rows.iter().map(|row| row.text(0).to_owned()).collect()
        } else {
            let link = self.link(tx, spec, id, relationship)?;
            let seen = self.visible(tx, target, &link.into_iter().collect::<Vec<_>>())?;
            seen.into_iter().collect()
        };
        let mut out = Renderer::new(self.base, self.secrets, &query);
        out.push("{\"links\":{");
        out.relationship_links(spec, id, relationship.name);
        out.push("},\"data\":");
        let linkage = if relationship.many {
            Linkage::Many(&ids)
        } else {
            Linkage::One(ids.first().map(String::as_str))
        };
        out.linkage(target.kind, &linkage);
        out.push("}");
        Ok(out.out)
    }

    /// Which of these ids the caller can see.
    pub fn visible(&self, tx: &mut Tx<'_>, spec: &'static Spec, ids: &[String]) -> Result<HashSet<String>> {
        if ids.is_empty() {
            return Ok(HashSet::new());
        }
        let mut sql = Sql::text("select t.id from ");
        sql.push(spec.kind).push(" t where t.id in (").bind_all(ids).push(") and ");
        (self.scope)(spec).condition(&mut sql, "t");
        Ok(tx.rows(&sql)?.iter().map(|row| row.text(0).to_owned()).collect())
    }

    /// A whole row, if the caller can see it.
    pub fn record(&self, tx: &mut Tx<'_>, spec: &'static Spec, id: &str) -> Result<Record> {
        let mut sql = Record::select(spec);
        sql.push("t.id = ").bind(id).push(" and ");
        (self.scope)(spec).condition(&mut sql, "t");
        let rows = tx.rows(&sql)?;
        let row = rows.first().ok_or_else(Problem::not_found)?;
        Ok(Record::read(spec, row))
    }

    fn must_see(&self, tx: &mut Tx<'_>, spec: &'static Spec, id: &str) -> Result<()> {
        let seen = self.visible(tx, spec, &[id.to_owned()])?;
        if seen.is_empty() { Err(Problem::not_found().into()) } else { Ok(()) }
    }

    fn link(
        &self,
        tx: &mut Tx<'_>,
        spec: &'static Spec,
        id: &str,
        relationship: &Relationship,
    ) -> Result<Option<String>> {
        let mut sql = Sql::text("select t.");
        sql.push(relationship.column).push(" from ").push(spec.kind).push(" t where t.id = ").bind(id);
        sql.push(" and ");
        (self.scope)(spec).condition(&mut sql, "t");
        let rows = tx.rows(&sql)?;
        let row = rows.first().ok_or_else(Problem::not_found)?;
        Ok(row.maybe_text(0).map(str::to_owned))
    }

    fn columns(&self, query: &Query, spec: &'static Spec, include: &Include) -> Columns {
        let mut links = Vec::new();
        linked(self.catalog, include, spec, spec, &mut links);
        self.columns_linking(query, spec, links)
    }

    fn columns_linking(
        &self,
        query: &Query,
        spec: &'static Spec,
        links: Vec<&'static Relationship>,
    ) -> Columns {
        let secrets: Option<Arm> = (self.scope)(spec).secrets;
        Columns::new(self.catalog, query, spec, links, secrets.as_ref())
    }

    fn rows_by_id(&self, tx: &mut Tx<'_>, columns: &Columns, ids: &[&str]) -> Result<Rows> {
        let mut sql = columns.select(None);
        sql.push("t.id in (").bind_all(ids.iter().copied()).push(") and ");
        (self.scope)(columns.spec).condition(&mut sql, "t");
        Ok(tx.rows(&sql)?)
    }

    fn single(&self, tx: &mut Tx<'_>, columns: Columns, rows: Rows, query: &Query) -> Result<Vec<u8>> {
        let loaded = self.load(tx, columns, rows, query)?;
        let mut out = Renderer::new(self.base, self.secrets, query);
        out.push("{\"data\":");
        if loaded.primary == 0 {
            out.push("null");
        } else {
            loaded.render(&mut out, 0);
        }
        loaded.render_included(&mut out);
        out.push("}");
        Ok(out.out)
    }

    fn load(&self, tx: &mut Tx<'_>, columns: Columns, rows: Rows, query: &Query) -> Result<Loaded> {
        let spec = columns.spec;
        let mut loaded = Loaded { includes: !query.include.steps.is_empty(), ..Loaded::default() };
        let primary = loaded.add(columns, rows);
        loaded.primary = primary.len();
        self.follow(tx, &mut loaded, spec, &primary, query, &query.include)?;
        Ok(loaded)
    }

    /// Loads what the steps lead to from these entries, all of one kind.
    fn follow(
        &self,
        tx: &mut Tx<'_>,
        loaded: &mut Loaded,
        spec: &'static Spec,
        from: &[usize],
        query: &Query,
        include: &Include,
    ) -> Result<()> {
        for step in &include.steps {
            let relationship = step.relationship;
            let target = self.catalog.target(relationship.kind);
            let mut links = Vec::new();
            linked(self.catalog, &query.include, loaded.root(), target, &mut links);
            let columns = self.columns_linking(query, target, links);
            let found = if relationship.many {
                self.follow_many(tx, loaded, spec, from, relationship, columns)?
            } else {
                self.follow_one(tx, loaded, from, relationship, columns)?
            };
            refuse_too_many(loaded.entries.len(), relationship.name)?;
            self.follow(tx, loaded, target, &found, query, &step.then)?;
        }
        Ok(())
    }

    fn follow_one(
        &self,
        tx: &mut Tx<'_>,
        loaded: &mut Loaded,
        from: &[usize],
        relationship: &'static Relationship,
        columns: Columns,
    ) -> Result<Vec<usize>> {
        let kind = relationship.kind;
        let mut ids: Vec<String> = Vec::new();
        let mut wanted = HashSet::new();
        for &entry in from {
            loaded.entries[entry].followed.push(relationship.name);
            let link = loaded.link(entry, relationship).map(str::to_owned);
            ids.extend(link.filter(|id| wanted.insert(id.clone())));
        }
        let missing: Vec<&str> =
            ids.iter().map(String::as_str).filter(|id| loaded.find(kind, id).is_none()).collect();
        if !missing.is_empty() {
            let rows = self.rows_by_id(tx, &columns, &missing)?;
            loaded.add(columns, rows);
        }
        Ok(ids.iter().filter_map(|id| loaded.find(kind, id)).collect())
    }

    fn follow_many(
        &self,
        tx: &mut Tx<'_>,
        loaded: &mut Loaded,
        spec: &'static Spec,
        from: &[usize],
        relationship: &'static Relationship,
        columns: Columns,
    ) -> Result<Vec<usize>> {
        let parents: HashMap<String, usize> =
            from.iter().map(|&entry| (loaded.row(entry).text(0).to_owned(), entry)).collect();
        for &entry in from {
            loaded.entries[entry].followed.push(relationship.name);
        }
        if parents.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = columns.select(Some(relationship.column));
        sql.push(&format!("t.{} in (", relationship.column)).bind_all(parents.keys()).push(")");
        if let Some(column) = relationship.kind_column {
            sql.push(&format!(" and t.{column} = ")).bind(spec.kind);
        }
        sql.push(" and ");
        (self.scope)(columns.spec).condition(&mut sql, "t");
        sql.push(" order by t.created_at, t.id limit ").bind(LIMIT);
        let rows = tx.rows(&sql)?;
        let back = columns.len();
        let mut children: Vec<String> = Vec::new();
        for row in rows.iter() {
            if let Some(&parent) = parents.get(row.text(back)) {
                let of_parent = loaded.children.entry((parent, relationship.name)).or_default();
                of_parent.push(row.text(0).to_owned());
                children.push(row.text(0).to_owned());
            }
        }
        loaded.add(columns, rows);
        Ok(children.iter().filter_map(|id| loaded.find(relationship.kind, id)).collect())
    }
}

/// One more than may be answered, to see that there are too many.
#[expect(clippy::cast_possible_wrap, reason = "a small constant")]
const LIMIT: i64 = MOST_INCLUDED as i64 + 1;

fn refuse_too_many(count: usize, name: &str) -> Result<()> {
    if count <= MOST_INCLUDED {
        return Ok(());
    }
    let detail = format!("{name} has more than {MOST_INCLUDED} records here: ask for its pages instead");
    Err(Problem::new(400, "INVALID_INCLUDE", "Invalid include", detail).into())
}

/// How many records a collection has. The table `sizes` knows most of them; only rows that are visible
/// for another reason than their owner are counted.
fn count(tx: &mut Tx<'_>, collection: &Collection<'_>, tie: Option<(&'static str, &str)>) -> Result<u64> {
    let spec = collection.spec;
    let owners = match (collection.scope.arms.first(), spec.sized_by) {
        (Some(Arm::In(column, values)), Some(sized_by)) if *column == sized_by => values,
        _ => return number(tx, &collection.count(0)),
    };
    let owners: Vec<&String> = match tie {
        _ if !collection.query.filters.is_empty() => return number(tx, &collection.count(0)),
        None => owners.iter().collect(),
        Some((column, id)) if Some(column) == spec.sized_by => {
            owners.iter().filter(|owner| *owner == id).collect()
        }
        Some(_) => return number(tx, &collection.count(0)),
    };
    let mut sizes = Sql::new(
        "select coalesce(sum(size), 0) from sizes where kind = ? and owner in (",
        [spec.kind.into()],
    );
    sizes.bind_all(owners).push(")");
    let sized = number(tx, &sizes)?;
    let others = if collection.scope.arms.len() > 1 { number(tx, &collection.count(1))? } else { 0 };
    Ok(sized + others)
}

fn number(tx: &mut Tx<'_>, sql: &Sql) -> Result<u64> {
    let rows = tx.rows(sql)?;
    Ok(rows.first().map_or(0, |row| u64::try_from(row.int(0)).unwrap_or(0)))
}

/// The links to one that the tree follows from `wanted`, wherever in the tree that kind occurs.
fn linked(
    catalog: &Catalog,
    include: &Include,
    at: &'static Spec,
    wanted: &'static Spec,
    links: &mut Vec<&'static Relationship>,
) {
    for step in &include.steps {
        let known = links.iter().any(|link| link.name == step.relationship.name);
        if at.kind == wanted.kind && !step.relationship.many && !known {
            links.push(step.relationship);
        }
        linked(catalog, &step.then, catalog.target(step.relationship.kind), wanted, links);
    }
}

/// Everything an answer is made of.
#[derive(Default)]
struct Loaded {
    batches: Vec<(Columns, Rows)>,
    entries: Vec<Entry>,
    index: HashMap<(&'static str, String), usize>,
    children: HashMap<(usize, &'static str), Vec<String>>,
    /// How many of the entries were asked for; the others came along.
    primary: usize,
    includes: bool,
}

/// A resource of the answer: where its row is, and which relationships were followed from it.
struct Entry {
    batch: usize,
    row: usize,
    followed: Vec<&'static str>,
}

impl Loaded {
    /// Adds rows; answers the entries that are new.
    fn add(&mut self, columns: Columns, rows: Rows) -> Vec<usize> {
        let batch = self.batches.len();
        let mut added = Vec::with_capacity(rows.len());
        for (row, found) in rows.iter().enumerate() {
            let entry = self.entries.len();
            if self.includes {
                let key = (columns.spec.kind, found.text(0).to_owned());
                if self.index.contains_key(&key) {
                    continue;
                }
                self.index.insert(key, entry);
            }
            self.entries.push(Entry { batch, row, followed: Vec::new() });
            added.push(entry);
        }
        self.batches.push((columns, rows));
        added
    }

    fn root(&self) -> &'static Spec {
        self.batches[0].0.spec
    }

    fn find(&self, kind: &'static str, id: &str) -> Option<usize> {
        self.index.get(&(kind, id.to_owned())).copied()
    }

    fn row(&self, entry: usize) -> Row<'_> {
        let Entry { batch, row, .. } = self.entries[entry];
        self.batches[batch].1.get(row).expect("entries point at rows")
    }

    fn link(&self, entry: usize, relationship: &Relationship) -> Option<&str> {
        let column = self.batches[self.entries[entry].batch].0.link(relationship)?;
        self.row(entry).maybe_text(column)
    }

    fn render(&self, out: &mut Renderer<'_>, entry: usize) {
        let columns = &self.batches[self.entries[entry].batch].0;
        out.resource(columns, self.row(entry), |relationship| {
            if !self.entries[entry].followed.contains(&relationship.name) {
                return None;
            }
            Some(if relationship.many {
                let children = self.children.get(&(entry, relationship.name));
                Linkage::Many(children.map_or(&[], Vec::as_slice))
            } else {
                let id = self.link(entry, relationship);
                Linkage::One(id.filter(|id| self.find(relationship.kind, id).is_some()))
            })
        });
    }

    fn render_included(&self, out: &mut Renderer<'_>) {
        if !self.includes {
            return;
        }
        out.push(",\"included\":[");
        for entry in self.primary..self.entries.len() {
            out.push(if entry == self.primary { "" } else { "," });
            self.render(out, entry);
        }
        out.push("]");
    }
}
