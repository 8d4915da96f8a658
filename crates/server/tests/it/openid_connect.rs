//! The `openidconnect` crate, which knows nothing of this server but its issuer.

use crate::guild::Guild;
use crate::webapp::{CALLBACK, Webapp, parameter};
use axum::body::Body;
use openidconnect::core::{CoreClient, CoreProviderMetadata, CoreResponseType, CoreUserInfoClaims};
use openidconnect::{
    AuthenticationFlow, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse,
    IntrospectionUrl, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, RedirectUrl,
    RevocationUrl, Scope, TokenIntrospectionResponse as _, TokenResponse as _,
};
use std::convert::Infallible;

/// Sends its requests through the router, whichever host they are for.
async fn send(guild: &Guild, request: HttpRequest) -> Result<HttpResponse, Infallible> {
    let (mut parts, body) = request.into_parts();
    let host = parts.uri.host().unwrap().to_owned();
    parts.headers.insert("host", host.parse().unwrap());
    parts.uri = parts.uri.path_and_query().unwrap().as_str().parse().unwrap();
    let reply =
        guild.answer(http::Request::from_parts(parts, Body::from(body)), guild.nobody().address).await;
    let mut response = http::Response::new(reply.body);
    *response.status_mut() = reply.status.try_into().unwrap();
    *response.headers_mut() = reply.headers;
    Ok(response)
}

#[tokio::test]
async fn discovery_code_with_pkce_refresh_introspection_and_revocation() {
    let guild = Guild::new().await;
    // It goes by the machine's clock.
    let machine = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    guild.pass(i64::try_from(machine).unwrap() - guild.app.clock.now());
    let (shop, ada) = Webapp::new(&guild).await;
    let client = |request: HttpRequest| send(&guild, request);
    let issuer = IssuerUrl::new("https://auth.example.test".to_owned()).unwrap();
    let metadata = CoreProviderMetadata::discover_async(issuer, &client).await.unwrap();
    // What OpenID Connect has no name for, its users take from the same document (RFC 8414).
    let document = guild.nobody().get("/.well-known/openid-configuration").await.json();
    let url = |name: &str| document[name].as_str().unwrap().to_owned();
    let known = CoreClient::from_provider_metadata(
        metadata,
        ClientId::new(shop.client_id.clone()),
        Some(ClientSecret::new(shop.client_secret.clone())),
    )
    .set_redirect_uri(RedirectUrl::new(CALLBACK.to_owned()).unwrap())
    .set_introspection_url(IntrospectionUrl::new(url("introspection_endpoint")).unwrap())
    .set_revocation_url(RevocationUrl::new(url("revocation_endpoint")).unwrap());
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let (address, state, nonce) = known
        .authorize_url(
            AuthenticationFlow::<CoreResponseType>::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        )
        .add_scopes(["profile", "email"].map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let path = format!("{}?{}", address.path(), address.query().unwrap());
    assert_eq!(ada.open(&path).await.heading(), "Shop wants to know who you are");
    let back = ada.send(&path, &[("decision", "allow")]).await.path;
    assert_eq!(parameter(&back, "state").as_ref(), Some(state.secret()));
    let code = AuthorizationCode::new(parameter(&back, "code").unwrap());
    let tokens =
        known.exchange_code(code).unwrap().set_pkce_verifier(verifier).request_async(&client).await.unwrap();
    let id_token = tokens.id_token().unwrap();
    let other = Nonce::new_random();
    assert!(id_token.claims(&known.id_token_verifier(), &other).is_err(), "the nonce is another one");
    let claims = id_token.claims(&known.id_token_verifier(), &nonce).unwrap();
    assert_eq!(claims.email().map(|email| email.as_str()), Some("ada@example.com"));
    let info: CoreUserInfoClaims = known
        .user_info(tokens.access_token().clone(), Some(claims.subject().clone()))
        .unwrap()
        .request_async(&client)
        .await
        .unwrap();
    assert_eq!(info.subject(), claims.subject());
    let fresh = known
        .exchange_refresh_token(tokens.refresh_token().unwrap())
        .unwrap()
        .request_async(&client)
        .await
        .unwrap();
    let is_active = async || {
        let told = known.introspect(fresh.access_token()).request_async(&client).await;
        told.unwrap().active()
    };
    assert!(is_active().await);
    let revoked = known.revoke_token(fresh.refresh_token().unwrap().clone().into()).unwrap();
    revoked.request_async(&client).await.unwrap();
    assert!(!is_active().await);
}
