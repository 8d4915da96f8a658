//! Which related resources come along: the paths of `include`, as a tree.

use crate::spec::Relationship;
use crate::{Catalog, Problem, Spec};

/// How many relationships a path may cross.
const DEEPEST: usize = 3;

/// The relationships to follow from one kind, each with what to follow from there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Include {
    pub(crate) steps: Vec<Step>,
}

/// One relationship to follow.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) relationship: &'static Relationship,
    pub(crate) then: Include,
}

impl Include {
    /// Adds a path such as `role.organization`.
    pub(crate) fn add(&mut self, catalog: &Catalog, spec: &'static Spec, path: &str) -> Result<(), Problem> {
        let invalid = || {
            let detail = format!("{path} is not a valid includable relationship of {}", spec.kind);
            Problem::new(400, "INVALID_INCLUDE", "Invalid include", detail)
        };
        let names: Vec<&str> = path.split('.').collect();
        if names.len() > DEEPEST {
            return Err(invalid());
        }
        let mut at = self;
        let mut kind = spec;
        for name in names {
            let relationship = kind.relationship(name).ok_or_else(invalid)?;
            kind = catalog.target(relationship.kind);
            at = at.step(relationship);
        }
        Ok(())
    }

    fn step(&mut self, relationship: &'static Relationship) -> &mut Include {
        let known = self.steps.iter().position(|step| step.relationship.name == relationship.name);
        let index = known.unwrap_or_else(|| {
            self.steps.push(Step { relationship, then: Self::default() });
            self.steps.len() - 1
        });
        &mut self.steps[index].then
    }
}
