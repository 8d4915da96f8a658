//! The error objects of the Auth API (contract 3.5), with the members of RFC 6749 beside them.

use super::MEDIA_TYPE;
use crate::http::Answer;
use http::header::RETRY_AFTER;
use serde_json::json;

/// A refusal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct OAuthError {
    status: u16,
    code: &'static str,
    name: &'static str,
    detail: String,
}

impl OAuthError {
    fn new(status: u16, code: &'static str, name: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, name, detail: detail.into() }
    }

    fn bad_request(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(400, "BAD_REQUEST", name, detail)
    }

    /// Unknown or missing client, wrong or missing secret.
    pub(super) fn invalid_client() -> Self {
        let detail = "Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.";
        Self::new(401, "UNAUTHORIZED", "invalid_client", detail)
    }

    /// A parameter that must be there.
    pub(super) fn missing(name: &str) -> Self {
        Self::bad_request("invalid_request", format!("Missing required parameter: {name}."))
    }

    /// A body that cannot be read.
    pub(super) fn unreadable(detail: &str) -> Self {
        Self::bad_request("invalid_request", detail)
    }

    /// A body that is too large or too slow.
    pub(super) fn did_not_arrive(status: u16, detail: &str) -> Self {
        let code = if status == 413 { "PAYLOAD_TOO_LARGE" } else { "REQUEST_TIMEOUT" };
        Self::new(status, if status == 400 { "BAD_REQUEST" } else { code }, "invalid_request", detail)
    }

    /// A grant nobody can use.
    pub(super) fn unsupported_grant_type() -> Self {
        let detail = "The authorization grant type is not supported by the authorization server.";
        Self::bad_request("unsupported_grant_type", detail)
    }

    /// A grant that is not for this kind of client.
    pub(super) fn unauthorized_client() -> Self {
        let detail = "The client is not authorized to perform this request using this method.";
        Self::new(401, "UNAUTHORIZED", "unauthorized_client", detail)
    }

    /// A code or a refresh token that is wrong, over, used, or another client's.
    pub(super) fn invalid_grant() -> Self {
        let detail = "The provided authorization grant is invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was issued to another client.";
        Self::bad_request("invalid_grant", detail)
    }

    /// An assertion that says nothing that could be believed.
    pub(super) fn invalid_assertion() -> Self {
        Self::bad_request("invalid_assertion", "The provided assertion is invalid.")
    }

    /// Nobody has typed in the device's code yet.
    pub(super) fn authorization_pending() -> Self {
        Self::bad_request(
            "authorization_pending",
            "The code was not confirmed yet: ask again after the interval.",
        )
    }

    /// A device that asks too often.
    pub(super) fn slow_down() -> Self {
        Self::bad_request("slow_down", "Ask less often: the interval is five seconds longer now.")
    }

    /// Somebody said no.
    pub(super) fn access_denied() -> Self {
        Self::bad_request("access_denied", "The person who was asked said no.")
    }

    /// A device's code that came too late.
    pub(super) fn expired_token() -> Self {
        Self::bad_request("expired_token", "The code has expired: begin anew.")
    }

    /// An authorization request that makes no sense.
    pub(super) fn of_request(name: &'static str, detail: &str) -> Self {
        Self::bad_request(name, detail)
    }

    /// A scope that cannot be given.
    pub(super) fn invalid_scope() -> Self {
        Self::bad_request("invalid_scope", "The requested scope is invalid, unknown, or malformed.")
    }

    /// Somebody else's token, or nobody's client.
    pub(super) fn cannot_revoke() -> Self {
        Self::new(403, "FORBIDDEN", "unauthorized_client", "You are not authorized to revoke this token")
    }

    /// The same refusal for whoever wants to revoke, unless it is our own failure.
    pub(super) fn or_cannot_revoke(self) -> Self {
        if self.status >= 500 { self } else { Self::cannot_revoke() }
    }

    /// The status it is answered with.
    pub(super) fn status(&self) -> u16 {
        self.status
    }

    /// The database has no time.
    fn busy() -> Self {
        Self::new(
            503,
            "SERVICE_UNAVAILABLE",
            "temporarily_unavailable",
            "The database is busy: try again in a moment.",
        )
    }

    /// Too many requests from one address.
    pub(super) fn too_many() -> Self {
        let detail = "Too many requests from this address: wait as Retry-After says.";
        Self::new(429, "TOO_MANY_REQUESTS", "too_many_requests", detail)
    }

    /// A path that the Auth API does not have.
    pub(super) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "invalid_request", "There is nothing at this path.")
    }

    /// A method that a path does not have.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(405, "METHOD_NOT_ALLOWED", "invalid_request", "This method is not allowed here.")
    }

    /// Something that is nobody's fault but ours.
    pub(super) fn broken(error: &dyn std::fmt::Display) -> Self {
        tracing::error!("{error}");
        Self::new(500, "INTERNAL_SERVER_ERROR", "server_error", "Internal Server Error")
    }

    /// The answer that says so.
    pub(super) fn answer(&self) -> Answer {
        let error = json!({
            "title": self.name, "detail": self.detail, "code": self.code, "status": self.status, "meta": {},
        });
        let body = json!({ "errors": [error], "error": self.name, "error_description": self.detail });
        let answer = Answer::new(self.status, MEDIA_TYPE, body.to_string());
        if self.status == 503 { answer.header(RETRY_AFTER, "1") } else { answer }
    }
}

impl From<guildhall_store::Error> for OAuthError {
    fn from(error: guildhall_store::Error) -> Self {
        match error {
            guildhall_store::Error::Busy | guildhall_store::Error::Down | guildhall_store::Error::TooSlow => {
                Self::busy()
            }
            error @ guildhall_store::Error::Disk(_) => {
                tracing::error!("{error}");
                Self::busy()
            }
            // What it was for was deleted meanwhile.
            guildhall_store::Error::ForeignKey => Self::invalid_grant(),
            error => Self::broken(&error),
        }
    }
}
