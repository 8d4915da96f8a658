//! Reading: single resources, collections, what is related to them and what comes along.
//!
//! One query a step, never one a row, and every step through the caller's scope.

use crate::condition::{Conditions, of_kind};
use crate::count::{Count, number};
use crate::follow::{LIMIT, linked, refuse_too_many};
use crate::include::Include;
use crate::lead;
use crate::milestones;
use crate::render::{Linkage, Renderer};
use crate::select::{Collection, Columns};
use crate::spec::Relationship;
use crate::{Arm, Catalog, Problem, Query, Record, Result, Scope, Spec};
use guildhall_store::{Rows, Sql, Tx};
use std::collections::HashSet;

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
        let mut owner = None;
        let (spec, path, within) = match listing {
            Listing::All(spec) => (spec, spec.kind.to_owned(), None),
            Listing::Related(parent, id, relationship) => {
                // What is related to a record is the same one's as that: an organization is its own.
                owner = self.column(tx, parent, id, parent.sized_by.unwrap_or("id"))?;
                let mut within = Sql::text("");
                within.push(&format!("t.{} = ", relationship.column)).bind(id);
                of_kind(&mut within, parent, relationship, "t");
                let spec = self.catalog.target(relationship.kind);
                (
                    spec,
                    format!("{}/{id}/{}", parent.kind, relationship.name),
                    Some((relationship, id, within)),
                )
            }
        };
        let columns = self.columns(query, spec, &query.include);
        // What is asked of some organizations only costs as much as those.
        let mut scope = (self.scope)(spec);
        if let Some(column) = spec.sized_by {
            for values in query.filters.iter().filter_map(|filter| filter.links(column)) {
                scope.narrow(tx, column, values)?;
            }
            if let Some(owner) = owner {
                scope.narrow(tx, column, &[owner.into()])?;
            }
        }
        let tie = within.as_ref().map(|(relationship, id, _)| (relationship.column, *id));
        let mut collection = Collection {
            conditions: Conditions { catalog: self.catalog, scope: self.scope },
            spec,
            scope,
            within: within.map(|(_, _, sql)| sql),
            lead: None,
            query,
        };
        collection.check()?;
        collection.lead = lead::find(tx, &collection, tie)?;
        let (count, rows) = counted_page(tx, &collection, tie, &columns)?;
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
        let link = self.column(tx, spec, id, relationship.column)?;
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
            of_kind(&mut sql, spec, relationship, "t");
            sql.push(" and ");
            // Of the few that are linked, not of all that can be seen.
            lead::hidden(&mut sql, &(self.scope)(target));
            sql.push(" order by t.created_at, t.id limit ").bind(LIMIT);
            let rows = tx.rows(&sql)?;
            refuse_too_many(rows.len(), relationship.name)?;
            rows.iter().map(|row| row.text(0).to_owned()).collect()
        } else {
            let link = self.column(tx, spec, id, relationship.column)?;
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
        sql.push(spec.kind).push(" t where t.id in (").bind_list(ids).push(") and ");
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

    /// One column of a record that the caller can see: a link, or whose it is.
    fn column(&self, tx: &mut Tx<'_>, spec: &'static Spec, id: &str, column: &str) -> Result<Option<String>> {
        let mut sql = Sql::text("select t.");
        sql.push(column).push(" from ").push(spec.kind).push(" t where t.id = ").bind(id);
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

    pub(crate) fn columns_linking(
        &self,
        query: &Query,
        spec: &'static Spec,
        links: Vec<&'static Relationship>,
    ) -> Columns {
        let secrets: Option<Arm> = (self.scope)(spec).secrets;
        Columns::new(self.catalog, query, spec, links, secrets.as_ref())
    }

    fn rows_by_id(&self, tx: &mut Tx<'_>, columns: &Columns, ids: &[&str]) -> Result<Rows> {
        Ok(tx.rows(&self.by_id(columns, ids))?)
    }

    /// What asks for the records with these ids, as far as the caller can see them.
    pub(crate) fn by_id(&self, columns: &Columns, ids: &[&str]) -> Sql {
        let mut sql = columns.select(None);
        sql.push("t.id in (").bind_list(ids.iter().copied()).push(") and ");
        (self.scope)(columns.spec).condition(&mut sql, "t");
        sql
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
}

/// How many records a collection has, and those of the page.
fn counted_page(
    tx: &mut Tx<'_>,
    collection: &Collection<'_>,
    tie: Option<(&'static str, &str)>,
    columns: &Columns,
) -> Result<(u64, Rows)> {
    let offset = collection.query.page.offset();
    let count = match Count::of(collection, tie) {
        // The first page is asked for with it: if there is nothing on it, that is soon found.
        Count::Known(mut queries) if offset == 0 => {
            queries.push(collection.page(columns, None));
            let mut found = tx.all(&queries)?;
            let rows = found.pop().unwrap_or_default();
            return Ok((found.iter().map(number).sum(), rows));
        }
        Count::Known(queries) => tx.all(&queries)?.iter().map(number).sum(),
        Count::Made(query) => number(&tx.rows(&query)?),
    };
    if offset >= count {
        return Ok((count, Rows::default()));
    }
    let start = milestones::start(tx, collection, tie, count)?;
    Ok((count, tx.rows(&collection.page(columns, start.as_ref()))?))
}
