//! How many rows were made until a moment, without counting all of them.
//!
//! The table `milestones` parts the rows that somebody owns by when they were made, about [`FULL`] to a part. So what comes
//! before a moment is the sum of whole parts and a count within one of them, and a page far behind begins within one.

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
/// From how many rows on that come before a page it is worth it to look for its part.
const FAR: u64 = 2000;

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

/// A bound of a range of moments: everything before it is on one side.
struct Bound {
    at: Value,
    /// Whether the moment itself is before the bound.
    includes: bool,
}

/// Both ends of a range; none is open.
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
            if attribute.name != "created_at"
                || matcher.negated
                || matcher.or_null
                || matcher.values != Taken::One
            {
                return None;
            }
            let (end, includes) = match matcher.test {
                Test::Greater => (&mut range.from, true),
                Test::GreaterOrEq => (&mut range.from, false),
                Test::Less => (&mut range.until, false),
                Test::LessOrEq => (&mut range.until, true),
                _ => return None,
            };
            if end.replace(Bound { at: at.clone(), includes }).is_some() {
                return None;
            }
        }
        (range.from.is_some() || range.until.is_some()).then_some(range)
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
    let mut sql =
        Sql::text("select cast(coalesce(sum(case when n > 0 then n else 0 end), 0) as bigint) from (");
    for (index, owner) in owners.iter().enumerate() {
        sql.push(if index == 0 { "select " } else { " union all select " });
        match &range.until {
            Some(until) => before(&mut sql, spec.kind, column, owner, until),
            None => {
                sql.push("coalesce((select s.size from sizes s where s.kind = ").bind(spec.kind);
                sql.push(" and s.owner = ").bind(owner).push("), 0)");
            }
        }
        if let Some(from) = &range.from {
            sql.push(" - (");
            before(&mut sql, spec.kind, column, owner, from);
            sql.push(")");
        }
        sql.push(" as n");
    }
    sql.push(") c");
    Some(sql)
}

/// Adds how many rows of an owner come before a bound: whole parts, and some of the part in which it lies.
fn before(sql: &mut Sql, kind: &str, column: &str, owner: &str, bound: &Bound) {
    let operator = if bound.includes { " <= " } else { " < " };
    let part = |sql: &mut Sql| {
        sql.push("coalesce((select max(b.since) from milestones b where b.kind = ").bind(kind);
        sql.push(" and b.owner = ").bind(owner).push(" and b.since").push(operator).bind(bound.at.clone());
        sql.push("), 0)");
    };
    sql.push("coalesce((select sum(m.size) from milestones m where m.kind = ").bind(kind);
    sql.push(" and m.owner = ").bind(owner).push(" and m.since < ");
    part(sql);
    sql.push("), 0) + (select count(*) from ").push(kind).push(" t where t.").push(column).push(" = ");
    sql.bind(owner).push(" and t.created_at >= ");
    part(sql);
    sql.push(" and t.created_at").push(operator).bind(bound.at.clone()).push(")");
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
    let (Some(descending), true, None) = (descending, is_plain && offset >= FAR, &collection.lead) else {
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
    Ok(found.first().map(|row| {
        let mut condition = Sql::text("t.created_at ");
        condition.push(operator).push(" ").bind(row.int(0));
        Start { condition, skipped: u64::try_from(row.int(1)).unwrap_or(0) }
    }))
}
