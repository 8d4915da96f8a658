//! `GET /.well-known/openid-configuration` and `GET /.well-known/oauth-authorization-server`.

use crate::guild::{Guild, pretty};
use insta::assert_snapshot;

#[tokio::test]
async fn clients_learn_where_everything_is() {
    let guild = Guild::new().await;
    let nobody = guild.nobody();
    let openid = nobody.get("/.well-known/openid-configuration").await;
    assert_snapshot!(pretty(&openid.json(), &[]), @r#"
    {
      "issuer": "https://auth.example.test",
      "authorization_endpoint": "https://dashboard.example.test/oauth/authorize",
      "token_endpoint": "https://auth.example.test/oauth/token",
      "userinfo_endpoint": "https://auth.example.test/oauth/userinfo",
      "jwks_uri": "https://auth.example.test/.well-known/jwks.json",
      "revocation_endpoint": "https://auth.example.test/oauth/revoke",
      "introspection_endpoint": "https://auth.example.test/oauth/introspect",
      "pushed_authorization_request_endpoint": "https://auth.example.test/oauth/par",
      "device_authorization_endpoint": "https://auth.example.test/oauth/device_authorization",
      "grant_types_supported": [
        "client_credentials",
        "authorization_code",
        "refresh_token",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:device_code"
      ],
      "response_types_supported": [
        "code"
      ],
      "response_modes_supported": [
        "query"
      ],
      "scopes_supported": [
        "openid",
        "profile",
        "email",
        "market:all",
        "provisioning-api"
      ],
      "claims_supported": [
        "sub",
        "iss",
        "aud",
        "exp",
        "iat",
        "auth_time",
        "nonce",
        "at_hash",
        "organization",
        "email",
        "email_verified",
        "name",
        "given_name",
        "family_name",
        "zoneinfo",
        "locale"
      ],
      "subject_types_supported": [
        "public"
      ],
      "id_token_signing_alg_values_supported": [
        "RS256"
      ],
      "code_challenge_methods_supported": [
        "S256"
      ],
      "token_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none"
      ],
      "token_endpoint_auth_signing_alg_values_supported": [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "EdDSA"
      ],
      "introspection_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt"
      ],
      "introspection_endpoint_auth_signing_alg_values_supported": [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "EdDSA"
      ],
      "revocation_endpoint_auth_methods_supported": [
        "client_secret_basic",
        "client_secret_post",
        "private_key_jwt",
        "none"
      ],
      "revocation_endpoint_auth_signing_alg_values_supported": [
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "EdDSA"
      ],
      "prompt_values_supported": [
        "none",
        "login",
        "consent",
        "select_account"
      ],
      "authorization_response_iss_parameter_supported": true,
      "claims_parameter_supported": false,
      "request_parameter_supported": false,
      "request_uri_parameter_supported": false,
      "require_pushed_authorization_requests": false
    }
    "#);
    let oauth = nobody.get("/.well-known/oauth-authorization-server").await;
    assert_eq!(openid.text(), oauth.text());
    // Whatever it names under the auth host is there.
    for (_, address) in openid.json().as_object().unwrap() {
        let Some(path) =
            address.as_str().and_then(|address| address.strip_prefix("https://auth.example.test/"))
        else {
            continue;
        };
        assert_ne!(nobody.get(&format!("/{path}")).await.status, 404, "{path}");
    }
}
