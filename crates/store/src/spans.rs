//! What a tracer is told of the work in a database: units, and the statements in them.

use crate::Sql;
use tracing::{Level, Span, span_enabled, trace_span};

/// What marks the spans of Guildhall, in both crates, as for a tracer and not for the log.
pub const SPANS: &str = "guildhall::spans";

/// A unit of work on its way: it waits for a thread, runs, perhaps more than once, and is committed.
pub(crate) fn unit(name: &'static str, system: &'static str) -> Span {
    if !is_traced() {
        return Span::none();
    }
    trace_span!(target: SPANS, "unit", otel.name = name, otel.kind = "client", db.system.name = system)
}

/// One statement. Its text holds no values: they travel beside it.
pub(crate) fn statement(sql: &Sql) -> Span {
    if !is_traced() {
        return Span::none();
    }
    trace_span!(target: SPANS, "statement", otel.kind = "client", db.query.text = sql.as_str())
}

/// Whether anybody listens, and this is a part of something: what is done every second on its own says nothing.
fn is_traced() -> bool {
    span_enabled!(target: SPANS, Level::TRACE) && !Span::current().is_none()
}
