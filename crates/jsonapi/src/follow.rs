//! Includes: what the steps of a query lead to, one query a step; those that begin at the same place are asked at once.

use crate::condition::of_kind;
use crate::include::Include;
use crate::loaded::Loaded;
use crate::select::Columns;
use crate::spec::Relationship;
use crate::{Catalog, Problem, Query, Reader, Result, Spec};
use guildhall_store::{Rows, Sql, Tx};
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
        // No step from here needs what another one finds.
        let mut queries = Vec::new();
        let mut asked = Vec::with_capacity(include.steps.len());
        for step in &include.steps {
            let relationship = step.relationship;
            let target = self.catalog.target(relationship.kind);
            let mut links = Vec::new();
            linked(self.catalog, &query.include, loaded.root(), target, &mut links);
            let columns = self.columns_linking(query, target, links);
            let (asks, wanted) = if relationship.many {
                self.ask_many(loaded, spec, from, relationship, &columns)
            } else {
                self.ask_one(loaded, from, relationship, &columns)
            };
            asked.push((step, target, columns, wanted, asks.is_some()));
            queries.extend(asks);
        }
        let mut answers = if queries.is_empty() { Vec::new() } else { tx.all(&queries)? }.into_iter();
        for (step, target, columns, wanted, has_asked) in asked {
            let rows = if has_asked { answers.next() } else { None };
            let found = wanted.take(loaded, step.relationship, columns, rows.unwrap_or_default());
            refuse_too_many(loaded.entries.len(), step.relationship.name)?;
            self.follow(tx, loaded, target, &found, query, &step.then)?;
        }
        Ok(())
    }

    /// Asks for the records at the other ends of links to one, unless they are there already.
    fn ask_one(
        &self,
        loaded: &mut Loaded,
        from: &[usize],
        relationship: &'static Relationship,
        columns: &Columns,
    ) -> (Option<Sql>, Wanted) {
        let kind = relationship.kind;
        let mut ids: Vec<String> = Vec::new();
        let mut known = HashSet::new();
        for &entry in from {
            loaded.entries[entry].followed.push(relationship.name);
            let link = loaded.link(entry, relationship).map(str::to_owned);
            ids.extend(link.filter(|id| known.insert(id.clone())));
        }
        let missing: Vec<&str> =
            ids.iter().map(String::as_str).filter(|id| loaded.find(kind, id).is_none()).collect();
        let asks = (!missing.is_empty()).then(|| self.by_id(columns, &missing));
        (asks, Wanted::One(ids))
    }

    /// Asks for the records whose links lead back.
    fn ask_many(
        &self,
        loaded: &mut Loaded,
        spec: &'static Spec,
        from: &[usize],
        relationship: &'static Relationship,
        columns: &Columns,
    ) -> (Option<Sql>, Wanted) {
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
        let asks = (!parents.is_empty()).then(|| {
            let mut sql = columns.select(Some(relationship.column));
            sql.push(&format!("t.{} in (", relationship.column)).bind_list(parents.keys()).push(")");
            of_kind(&mut sql, spec, relationship, "t");
            sql.push(" and ");
            (self.scope)(columns.spec).condition(&mut sql, "t");
            sql.push(" order by t.created_at, t.id limit ").bind(LIMIT);
            sql
        });
        (asks, Wanted::Many { parents, listed })
    }
}

/// What a step has asked for.
enum Wanted {
    /// These records.
    One(Vec<String>),
    /// Those that link back to one of these; some have their list already.
    Many { parents: HashMap<String, usize>, listed: HashSet<usize> },
}

impl Wanted {
    /// Takes what was found; answers the entries that the step leads to.
    fn take(
        self,
        loaded: &mut Loaded,
        relationship: &'static Relationship,
        columns: Columns,
        rows: Rows,
    ) -> Vec<usize> {
        let ids = match self {
            Self::One(ids) => ids,
            Self::Many { parents, listed } => {
                let back = columns.len();
                let mut children: Vec<String> = Vec::new();
                for row in rows.iter() {
                    let Some(&parent) = parents.get(row.text(back)) else { continue };
                    if !listed.contains(&parent) {
                        let of_parent = loaded.children.entry((parent, relationship.name)).or_default();
                        of_parent.push(row.text(0).to_owned());
                    }
                    children.push(row.text(0).to_owned());
                }
                children
            }
        };
        if !rows.is_empty() {
            loaded.add(columns, rows);
        }
        ids.iter().filter_map(|id| loaded.find(relationship.kind, id)).collect()
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
