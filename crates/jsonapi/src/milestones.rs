//! How many rows were made within a range of moments, without counting all of them.
//!
//! The table `milestones` parts the rows that somebody owns by when they were made, about [`FULL`] to a part. So a range of
//! moments is whole parts and what is at its ends, and a page far behind begins within a part.

use crate::Result;
use crate::count::owners;
use crate::predicate::{Test, Values as Taken};
use crate::scope::Values;
use crate::select::Collection;
use guildhall_store::{Sql, Tx, Value};

/// How many rows a part has before the next one begins.
const FULL: i64 = 1000;
/// Of how many owners the parts are added up; more of them are counted together.
const MOST_OWNERS: usize = 20;
/// Passing by so many rows takes as long as adding up a part: how many rows come before a page for it to be far behind, in
/// a small collection and as a part of a large one.
const FAR: u64 = 2000;
const FAR_OF: u64 = 32;

/// What notes that so many more rows of a kind, or fewer, were made at a moment, in milliseconds.
pub fn note(kind: &str, owner: &str, at: i64, by: i64) -> Sql {
    if by < 0 {
        let mut sql = Sql::text("update milestones set size = size - ");
        sql.bind(-by).push(" where kind = ").bind(kind).push(" and owner = ").bind(owner);
        sql.push(" and since = (select max(m.since) from milestones m where m.kind = ").bind(kind);
        sql.push(" and m.owner = ").bind(owner).push(" and m.since <= ").bind(at).push(")");
        return sql;
    }
    let mut sql = Sql::text("insert into milestones (kind, owner, since, latest, size) values (");
    sql.bind(kind).push(", ").bind(owner);
    // A part that is full ends before what is later than all that is in it, so that rows of one moment stay together.
    sql.push(", coalesce((select case when m.size >= ").bind(FULL).push(" and m.latest < ").bind(at);
    sql.push(" then ").bind(at).push(" else m.since end from milestones m where m.kind = ").bind(kind);
    sql.push(" and m.owner = ").bind(owner).push(" and m.since <= ").bind(at);
    sql.push(" order by m.since desc limit 1), 0), ").bind(at).push(", ").bind(by);
    sql.push(") on conflict (kind, owner, since) do update set size = milestones.size + excluded.size, ");
    sql.push("latest = case when excluded.latest > milestones.latest then excluded.latest else milestones.latest end");
    sql
}

/// A range of moments, in milliseconds: from the first one on and until before the other one.
struct Range {
    from: i64,
    until: i64,
}

impl Range {
    /// What the filters of a collection ask, if all of them together are a range of moments at which rows were made.
    fn of(collection: &Collection<'_>) -> Option<Self> {
        let mut range = Self { from: i64::MIN, until: i64::MAX };
        let filters = collection.filters();
        for filter in &filters {
            let (term, attribute) = filter.own()?;
            let (matcher, [Value::Int(at)]) = (term.matcher, term.values.as_slice()) else { return None };
            let is_plain = !matcher.negated && !matcher.or_null && matcher.values == Taken::One;
            if attribute.name != "created_at" || !is_plain {
                return None;
            }
            match matcher.test {
                Test::Greater => range.from = range.from.max(at.saturating_add(1)),
                Test::GreaterOrEq => range.from = range.from.max(*at),
                Test::Less => range.until = range.until.min(*at),
                Test::LessOrEq => range.until = range.until.min(at.saturating_add(1)),
                _ => return None,
            }
        }
        (!filters.is_empty()).then_some(range)
    }
}

/// What counts a collection that is filtered by a range of moments, as far as its rows are visible because of their owner.
pub(crate) fn count(collection: &Collection<'_>, tie: Option<(&'static str, &str)>) -> Option<Sql> {
    let spec = collection.spec;
    let column = spec.sized_by.filter(|_| spec.milestones)?;
    let range = Range::of(collection)?;
    let Values::These(owners) = owners(collection, tie)? else { return None };
    if owners.is_empty() || owners.len() > MOST_OWNERS {
        return None;
    }
    let mut sql = Sql::text("select cast(sum(n) as bigint) from (");
    for (index, owner) in owners.iter().enumerate() {
        sql.push(if index == 0 { "select " } else { " union all select " });
        Owned { kind: spec.kind, column, owner, range: &range }.count(&mut sql);
        sql.push(" as n");
    }
    sql.push(") c");
    Some(sql)
}

/// The rows of one owner within a range of moments.
struct Owned<'a> {
    kind: &'a str,
    column: &'a str,
    owner: &'a str,
    range: &'a Range,
}

impl Owned<'_> {
    /// Adds how many there are: those before the first milestone within the range, or all if there is none, the parts that
    /// are wholly within, and those from the last milestone on.
    fn count(&self, sql: &mut Sql) {
        let Range { from, until } = *self.range;
        self.rows(sql);
        sql.push(">= ").bind(from).push(" and t.created_at < coalesce(");
        self.milestone(sql, "min");
        sql.push(", ")
            .bind(until)
            .push(")) + coalesce((select sum(m.size) from milestones m where m.kind = ");
        sql.bind(self.kind).push(" and m.owner = ").bind(self.owner).push(" and m.since >= ").bind(from);
        sql.push(" and m.since < ");
        self.milestone(sql, "max");
        sql.push("), 0) + ");
        self.rows(sql);
        sql.push(">= ");
        self.milestone(sql, "max");
        sql.push(" and t.created_at < ").bind(until).push(")");
    }

    /// Adds a count of the owner's rows that were made at a moment that is yet to be compared.
    fn rows(&self, sql: &mut Sql) {
        sql.push("(select count(*) from ").push(self.kind).push(" t where t.").push(self.column).push(" = ");
        sql.bind(self.owner).push(" and t.created_at ");
    }

    /// Adds the first or the last milestone within the range, which is null if there is none.
    fn milestone(&self, sql: &mut Sql, which: &str) {
        sql.push("(select ").push(which).push("(b.since) from milestones b where b.kind = ").bind(self.kind);
        sql.push(" and b.owner = ").bind(self.owner).push(" and b.since >= ").bind(self.range.from);
        sql.push(" and b.since < ").bind(self.range.until).push(")");
    }
}

/// Where a page far behind begins: in a part that so many rows come before.
pub(crate) struct Start {
    /// The rows that are left.
    pub(crate) condition: Sql,
    /// How many rows are not.
    pub(crate) skipped: u64,
}

/// Finds the part of a collection in which its page begins, if that is far behind and everything is in the order in which it
/// was made, or the other way round.
pub(crate) fn start(
    tx: &mut Tx<'_>,
    collection: &Collection<'_>,
    tie: Option<(&'static str, &str)>,
    count: u64,
) -> Result<Option<Start>> {
    let (spec, query) = (collection.spec, collection.query);
    let offset = query.page.offset();
    let descending = match query.sort.as_slice() {
        [] => Some(false),
        [only] if only.attribute.is_some_and(|attribute| attribute.name == "created_at") => {
            Some(only.descending)
        }
        _ => None,
    };
    let is_plain = spec.milestones && collection.scope.arms.len() == 1 && collection.filters().is_empty();
    let is_far = offset >= FAR.max(count / FAR_OF);
    let (Some(descending), true, None) = (descending, is_plain && is_far, &collection.lead) else {
        return Ok(None);
    };
    let Some(Values::These(owners)) = owners(collection, tie) else { return Ok(None) };
    let [owner] = owners.as_slice() else { return Ok(None) };
    // The later ones come first: those from the next milestone on are before the page.
    let (bound, order, operator) =
        if descending { ("lag(since) over w", "since desc", "<") } else { ("since", "since", ">=") };
    let mut sql = Sql::text("select bound, skipped from (select ");
    sql.push(bound)
        .push(" as bound, cast(sum(size) over w - size as bigint) as skipped from milestones where kind = ");
    sql.bind(spec.kind).push(" and owner = ").bind(owner).push(" window w as (order by ").push(order);
    sql.push(")) m where skipped <= ").bind(i64::try_from(offset).unwrap_or(i64::MAX));
    sql.push(" and bound is not null order by skipped desc, bound ");
    sql.push(if descending { "" } else { "desc " }).push("limit 1");
    let found = tx.rows(&sql)?;
    Ok(found.first().and_then(|row| {
        let mut condition = Sql::text("t.created_at ");
        condition.push(operator).push(" ").bind(row.int(0));
        Some(Start { condition, skipped: u64::try_from(row.int(1)).ok()? })
    }))
}
