//! What clients that know the standards need to know of us (RFC 8414, `OpenID` Connect Discovery).

use super::grants::Grant;
use crate::config::Config;
use serde_json::{Value as Json, json};

/// Where clients of `OpenID` Connect look.
pub(super) const OPENID: &str = "/.well-known/openid-configuration";
/// Where clients of OAuth look.
pub(super) const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// How a client may show who it is.
const METHODS: [&str; 4] = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"];
/// With what it may sign an assertion.
const ALGORITHMS: [&str; 9] =
    ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// The document, which is the same for both.
pub(super) fn document(config: &Config) -> Json {
    let issuer = config.url("auth");
    let at = |path: &str| format!("{issuer}{path}");
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{}/oauth/authorize", config.url("dashboard")),
        "token_endpoint": at("/oauth/token"),
        "userinfo_endpoint": at("/oauth/userinfo"),
        "jwks_uri": at("/.well-known/jwks.json"),
        "revocation_endpoint": at("/oauth/revoke"),
        "introspection_endpoint": at("/oauth/introspect"),
        "pushed_authorization_request_endpoint": at("/oauth/par"),
        "device_authorization_endpoint": at("/oauth/device_authorization"),
        "grant_types_supported": Grant::ALL.map(Grant::name),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "scopes_supported": ["openid", "profile", "email", "market:all", "provisioning-api"],
        "claims_supported": [
            "sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "organization", "email", "email_verified",
            "name", "given_name", "family_name", "zoneinfo", "locale",
        ],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": METHODS,
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "introspection_endpoint_auth_methods_supported": METHODS[..3],
        "introspection_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": METHODS,
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "require_pushed_authorization_requests": false,
    })
}
