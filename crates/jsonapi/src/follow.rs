//! Includes: what the steps of a query lead to, one query a step.

use crate::condition::of_kind;
use crate::include::Include;
use crate::loaded::Loaded;
use crate::select::Columns;
use crate::spec::Relationship;
use crate::{Catalog, Problem, Query, Reader, Result, Spec};
use guildhall_store::{Rows, Tx};
use std::collections::{HashMap, HashSet};

/// How many resources may come along with an answer.
const MOST_INCLUDED: usize = 10_000;

impl Reader<'_> {
    /// The rows that were asked for, with everything that comes along.
    pub(crate) fn load(
        &self,
        tx: &mut Tx<'_>,
        columns: Columns,
        rows: Rows,
        query: &Query,
    ) -> Result<Loaded> {
        let spec = columns.spec;
        let mut loaded = Loaded::new(!query.include.steps.is_empty());
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
        // One that was followed before, on another path, has its list already.
        let mut listed = HashSet::new();
        for &entry in from {
            if loaded.entries[entry].followed.contains(&relationship.name) {
                listed.insert(entry);
            } else {
                loaded.entries[entry].followed.push(relationship.name);
            }
        }
        if parents.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = columns.select(Some(relationship.column));
        sql.push(&format!("t.{} in (", relationship.column)).bind_list(parents.keys()).push(")");
        of_kind(&mut sql, spec, relationship, "t");
        sql.push(" and ");
        (self.scope)(columns.spec).condition(&mut sql, "t");
        sql.push(" order by t.created_at, t.id limit ").bind(LIMIT);
        let rows = tx.rows(&sql)?;
        let back = columns.len();
        let mut children: Vec<String> = Vec::new();
        for row in rows.iter() {
            if let Some(&parent) = parents.get(row.text(back)) {
                if !listed.contains(&parent) {
                    let of_parent = loaded.children.entry((parent, relationship.name)).or_default();
                    of_parent.push(row.text(0).to_owned());
                }
                children.push(row.text(0).to_owned());
            }
        }
        loaded.add(columns, rows);
        Ok(children.iter().filter_map(|id| loaded.find(relationship.kind, id)).collect())
    }
}

/// One more than may be answered, to see that there are too many.
#[expect(clippy::cast_possible_wrap, reason = "a small constant")]
pub(crate) const LIMIT: i64 = MOST_INCLUDED as i64 + 1;

/// Refuses an answer that would be larger than anybody reads.
pub(crate) fn refuse_too_many(count: usize, name: &str) -> Result<()> {
    if count <= MOST_INCLUDED {
        return Ok(());
    }
    let detail = format!("{name} has more than {MOST_INCLUDED} records here: ask for its pages instead");
    Err(Problem::new(400, "INVALID_INCLUDE", "Invalid include", detail).into())
}

/// The links to one that the tree follows from `wanted`, wherever in the tree that kind occurs.
pub(crate) fn linked(
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
