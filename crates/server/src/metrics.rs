//! What an operator watches: numbers for Prometheus, on a listener of their own.
//!
//! No label says anything that a caller may choose: there are so many series and no more, whatever is asked.

use crate::App;
use crate::hosts::Host;
use crate::mail::outbox;
use anyhow::{Context, Result};
use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::Arc;
use std::time::Duration;

const REQUESTS: &str = "guildhall_requests_total";
const SECONDS: &str = "guildhall_request_seconds";
const STATEMENTS: &str = "guildhall_database_statements_total";
const LISTS: &str = "guildhall_database_replica_lists_total";
const DATABASE_UP: &str = "guildhall_database_up";
const SIGNATURES: &str = "guildhall_signatures_total";
const VERIFICATIONS: &str = "guildhall_verifications_total";
const LETTERS: &str = "guildhall_letters";
/// Where the times of requests are told apart, in seconds.
const BUCKETS: [f64; 10] = [0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0];
/// How long the database may take to answer and still count as up.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the recorder tidies up what it has collected.
const UPKEEP: Duration = Duration::from_secs(10);

/// Begins to collect; what was counted before is lost.
pub(crate) fn begin() -> Result<PrometheusHandle> {
    let builder =
        PrometheusBuilder::new().set_buckets_for_metric(Matcher::Full(SECONDS.to_owned()), &BUCKETS);
    let handle = builder
        .context("buckets are missing")?
        .install_recorder()
        .context("metrics are collected already")?;
    describe_counter!(REQUESTS, "Requests that were answered, by host, method and status.");
    describe_histogram!(SECONDS, Unit::Seconds, "How long requests took, from their head to the answer.");
    describe_counter!(STATEMENTS, "Statements that were run.");
    describe_counter!(LISTS, "Lists with a replica, by whether that or the primary has answered.");
    describe_gauge!(DATABASE_UP, "Whether the database answered just now.");
    describe_counter!(SIGNATURES, "Tokens that were signed.");
    describe_counter!(VERIFICATIONS, "Tokens whose signature was checked.");
    describe_gauge!(LETTERS, "Letters by what became of them: waiting, or refused in the last thirty days.");
    Ok(handle)
}

/// Notes that a request was answered.
pub(crate) fn note(host: &Host, method: &Method, status: u16, took: Duration) {
    let host = match host {
        Host::Provisioning => "provisioning",
        Host::Auth => "auth",
        Host::Dashboard => "dashboard",
        Host::Organization(_) => "organization",
        Host::Any => "any",
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    counter!(REQUESTS, "host" => host, "method" => known(method), "status" => status.as_str().to_owned())
        .increment(1);
    histogram!(SECONDS, "host" => host).record(took.as_secs_f64());
}

/// A method by its name. Anybody may make up another one.
pub(crate) fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// What the listener answers.
pub(crate) fn router(app: Arc<App>, handle: PrometheusHandle) -> Router {
    let upkeep = handle.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    Router::new().route("/metrics", get(tell)).with_state((app, handle))
}

async fn tell(
    State((app, handle)): State<(Arc<App>, PrometheusHandle)>,
) -> ([(http::HeaderName, &'static str); 1], String) {
    // Whoever asks does not wait for ever either.
    let letters = tokio::time::timeout(PATIENCE, app.db.read(outbox::numbers)).await;
    gauge!(DATABASE_UP).set(if matches!(letters, Ok(Ok(_))) { 1.0 } else { 0.0 });
    if let Ok(Ok((waiting, refused))) = letters {
        for (fate, number) in [("waiting", waiting), ("refused", refused)] {
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52 letters")]
            gauge!(LETTERS, "fate" => fate).set(number as f64);
        }
    }
    let (signed, verified) = app.keys.operations();
    counter!(STATEMENTS).absolute(app.db.statements());
    if let Some((answered, passed_on)) = app.db.replica() {
        counter!(LISTS, "by" => "replica").absolute(answered);
        counter!(LISTS, "by" => "primary").absolute(passed_on);
    }
    counter!(SIGNATURES).absolute(signed);
    counter!(VERIFICATIONS).absolute(verified);
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render())
}
