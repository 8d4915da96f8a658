//! The resources of one answer, each once, with what was followed from it.

use crate::Spec;
use crate::render::{Linkage, Renderer};
use crate::select::Columns;
use crate::spec::Relationship;
use guildhall_store::{Row, Rows};
use std::collections::HashMap;

/// Everything an answer is made of.
#[derive(Default)]
pub(crate) struct Loaded {
    batches: Vec<(Columns, Rows)>,
    pub(crate) entries: Vec<Entry>,
    index: HashMap<(&'static str, String), usize>,
    pub(crate) children: HashMap<(usize, &'static str), Vec<String>>,
    /// How many of the entries were asked for; the others came along.
    pub(crate) primary: usize,
    includes: bool,
}

/// A resource of the answer: where its row is, and which relationships were followed from it.
pub(crate) struct Entry {
    batch: usize,
    row: usize,
    pub(crate) followed: Vec<&'static str>,
}

impl Loaded {
    /// Nothing yet. Only what is included has to be found again.
    pub(crate) fn new(includes: bool) -> Self {
        Self { includes, ..Self::default() }
    }

    /// Adds rows; answers the entries that are new.
    pub(crate) fn add(&mut self, columns: Columns, rows: Rows) -> Vec<usize> {
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

    pub(crate) fn root(&self) -> &'static Spec {
        self.batches[0].0.spec
    }

    pub(crate) fn find(&self, kind: &'static str, id: &str) -> Option<usize> {
        self.index.get(&(kind, id.to_owned())).copied()
    }

    pub(crate) fn row(&self, entry: usize) -> Row<'_> {
        let Entry { batch, row, .. } = self.entries[entry];
        self.batches[batch].1.get(row).expect("entries point at rows")
    }

    pub(crate) fn link(&self, entry: usize, relationship: &Relationship) -> Option<&str> {
        let column = self.batches[self.entries[entry].batch].0.link(relationship)?;
        self.row(entry).maybe_text(column)
    }

    pub(crate) fn render(&self, out: &mut Renderer<'_>, entry: usize) {
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

    pub(crate) fn render_included(&self, out: &mut Renderer<'_>) {
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
