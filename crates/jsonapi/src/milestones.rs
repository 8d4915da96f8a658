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

/// A bound of a range of moments.
struct Bound {
    /// How what is within compares with it.
    operator: &'static str,
    at: Value,
}

/// A range of moments, of which one end may be open.
#[derive(Default)]
struct Range {
    from: Option<Bound>,
    until: Option<Bound>,
}

impl Range {
    /// What the filters of a collection ask, if all of them together are a range of moments at which rows were made.
    fn of(collection: &Collection<'_>) -> Option<Self> {
        let mut range = Self::default();
        for filter in collection.filters() {
            let (term, attribute) = filter.own()?;
            let (matcher, [at @ Value::Int(_)]) = (term.matcher, term.values.as_slice()) else { return None };
            let is_plain = !matcher.negated && !matcher.or_null && matcher.values == Taken::One;
            if attribute.name != "created_at" || !is_plain {
                return None;
            }
            let (end, operator) = match matcher.test {
                Test::Greater => (&mut range.from, " > "),
                Test::GreaterOrEq => (&mut range.from, " >= "),
                Test::Less => (&mut range.until, " < "),
                Test::LessOrEq => (&mut range.until, " <= "),
                _ => return None,
            };
            if end.replace(Bound { operator, at: at.clone() }).is_some() {
                return None;
            }
        }
        (range.from.is_some() || range.until.is_some()).then_some(range)
    }

    /// Adds that a column is within it.
    fn holds(&self, sql: &mut Sql, column: &str) {
        for (index, Bound { operator, at }) in self.from.iter().chain(&self.until).enumerate() {
            sql.push(if index == 0 { "" } else { " and " }).push(column).push(operator).bind(at.clone());
        }
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
    /// Adds how many there are: what is in the part in which the range begins, the parts that are wholly within, and what
    /// is in the part in which it ends. If that is one part, the first count has all.
    fn count(&self, sql: &mut Sql) {
        let Range { from, until } = self.range;
        if let Some(from) = from {
            self.rows(sql);
            sql.push(" and t.created_at < coalesce(");
            self.milestone(sql, "min", from);
            sql.push(", ").bind(i64::MAX).push(")) + ");
        }
        sql.push("coalesce((select sum(m.size) from milestones m where m.kind = ").bind(self.kind);
        sql.push(" and m.owner = ").bind(self.owner);
        if let Some(Bound { operator, at }) = from {
            sql.push(" and m.since").push(operator).bind(at.clone());
        }
        if let Some(until) = until {
            sql.push(" and m.since < ");
            self.milestone(sql, "max", until);
        }
        sql.push("), 0)");
        if let Some(until) = until {
            sql.push(" + ");
            self.rows(sql);
            sql.push(" and t.created_at >= ");
            match from {
                None => self.milestone(sql, "max", until),
                Some(from) => {
                    sql.push("case when ");
                    self.milestone(sql, "min", from);
                    sql.push(" <= ");
                    self.milestone(sql, "max", until);
                    sql.push(" then ");
                    self.milestone(sql, "max", until);
                    sql.push(" else ").bind(i64::MAX).push(" end");
                }
            }
            sql.push(")");
        }
    }

    /// Adds a count of rows within the range, to which more may be added.
    fn rows(&self, sql: &mut Sql) {
        sql.push("(select count(*) from ").push(self.kind).push(" t where t.").push(self.column).push(" = ");
        sql.bind(self.owner).push(" and ");
        self.range.holds(sql, "t.created_at");
    }

    /// Adds the first or the last milestone that is on the inner side of a bound.
    fn milestone(&self, sql: &mut Sql, which: &str, bound: &Bound) {
        sql.push("(select ").push(which).push("(b.since) from milestones b where b.kind = ").bind(self.kind);
        sql.push(" and b.owner = ").bind(self.owner);
        sql.push(" and b.since").push(bound.operator).bind(bound.at.clone()).push(")");
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
