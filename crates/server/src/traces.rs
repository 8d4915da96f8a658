//! Where requests and letters spend their time, told to an OpenTelemetry collector.
//!
//! What the collector's protocol leaves to the environment stays there: `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
//! `OTEL_TRACES_SAMPLER`, `OTEL_EXPORTER_OTLP_HEADERS` and the like mean what they mean everywhere.

use crate::{core, http, metrics, resources};
use ::http::{HeaderMap, Method};
use anyhow::{Context, Result};
use guildhall_store::SPANS;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{TraceContextExt as _, TracerProvider as _};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Span, Subscriber, trace_span};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

/// What gathers spans and sends them, from a thread of its own.
pub(crate) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// To the collector at this URL.
    pub(crate) fn to(url: &str) -> Result<Self> {
        let url = collector(url)?;
        let exporter = SpanExporter::builder().with_http().with_endpoint(url.as_str()).build();
        let exporter = exporter.context("no traces can be sent")?;
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("guildhall");
        }
        let provider = SdkTracerProvider::builder()
            .with_batch_exporter(exporter)
            .with_resource(resource.build())
            .build();
        Ok(Self { provider })
    }

    /// What takes the spans of this program, and no line of its log.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("guildhall"))
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|about| about.target() == SPANS))
    }

    /// Sends what is left.
    pub(crate) fn end(&self) {
        if let Err(error) = self.provider.shutdown() {
            tracing::warn!("the last traces were not sent: {error}");
        }
    }
}

/// Where a collector takes traces, of what the operator says; without a path it is the usual one.
pub(crate) fn collector(said: &str) -> Result<Url> {
    let url = Url::parse(said).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let mut url = url.context("--traces must be http://HOST:PORT or https://HOST:PORT")?;
    if url.path() == "/" {
        url.set_path("/v1/traces");
    }
    Ok(url)
}

/// A request, as a part of what its caller traces, if it does. Nothing in it is a secret.
pub(crate) fn request(id: &str, method: &Method, path: &str, headers: &HeaderMap) -> Span {
    let method = metrics::known(method);
    let span = trace_span!(
        target: SPANS,
        "request",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = tracing::field::Empty,
        http.request.method = method,
        http.route = tracing::field::Empty,
        http.response.status_code = tracing::field::Empty,
        url.path = &*http::harmless(path),
        guildhall.request_id = id,
    );
    if !span.is_disabled() {
        // Only a span that has begun already refuses one.
        drop(span.set_parent(TraceContextPropagator::new().extract(&HeaderExtractor(headers))));
    }
    span
}

/// Notes in the span of a request what was answered.
pub(crate) fn answered(span: &Span, method: &Method, path: &str, status: u16) {
    if span.is_disabled() {
        return;
    }
    span.record("http.response.status_code", status);
    if status >= 500 {
        span.record("otel.status_code", "ERROR");
    }
    if let Some(route) = route(path, status) {
        // The span has begun, so that its name is no field any more.
        span.context().span().update_name(format!("{} {route}", metrics::known(method)));
        span.record("http.route", route);
    }
}

/// A letter on its way to the mail server.
pub(crate) fn letter(id: &str) -> Span {
    trace_span!(target: SPANS, "letter", otel.kind = "client", guildhall.letter_id = id)
}

/// A path with its ids left out; `None` for one that anybody could have made up.
fn route(path: &str, status: u16) -> Option<String> {
    let path = path.strip_suffix('/').unwrap_or(path);
    if core::is_here(path) {
        return Some(path.to_owned());
    }
    if let Some(rest) = path.strip_prefix("/api/") {
        let mut segments = rest.split('/');
        let kind = resources::at(segments.next()?)?.spec.path();
        return match (segments.next(), segments.next()) {
            (None, _) => Some(format!("/api/{kind}")),
            (Some(_), None) => Some(format!("/api/{kind}/{{id}}")),
            (Some(_), Some(more)) => (status < 400).then(|| format!("/api/{kind}/{{id}}/{more}")),
        };
    }
    if path.starts_with("/oauth/") {
        return (!matches!(status, 404 | 405)).then(|| path.to_owned());
    }
    // A page: its first word says which; what follows is an organization or a link's token.
    let page = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    (status < 400).then(|| format!("/{page}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_has_no_ids_and_nothing_made_up() {
        for (path, status, expected) in [
            ("/api/memberships", 401, Some("/api/memberships")),
            ("/api/memberships/abc", 404, Some("/api/memberships/{id}")),
            ("/api/memberships/abc/role", 200, Some("/api/memberships/{id}/role")),
            ("/api/memberships/abc/anything", 404, None),
            ("/api/anything", 404, None),
            ("/api/organization", 200, Some("/api/organization")),
            ("/oauth/token", 400, Some("/oauth/token")),
            ("/oauth/anything", 404, None),
            ("/organizations/acme/invite", 303, Some("/organizations")),
            ("/anything", 403, None),
        ] {
            assert_eq!(route(path, status).as_deref(), expected, "{path}");
        }
    }
}
