//! `GET /.well-known/jwks.json`.

use crate::guild::Guild;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA512, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

#[tokio::test]
async fn the_published_key_verifies_a_token() {
    let guild = Guild::new().await;
    let ada = guild.user("ada").await;
    let set = guild.nobody().get("/.well-known/jwks.json").await.json();
    let keys = set["keys"].as_array().unwrap();
    let key = keys.iter().find(|key| key["alg"] == "RS512").unwrap();
    assert_eq!(
        (&key["kty"], &key["alg"], &key["use"], &key["e"]),
        (&json!("RSA"), &json!("RS512"), &json!("sig"), &json!("AQAB"))
    );
    assert_eq!(key["kid"].as_str().unwrap().len(), 64);
    let token = ada.token.clone().unwrap();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    let public = RsaPublicKeyComponents { n: bytes(key["n"].as_str().unwrap()), e: bytes("AQAB") };
    public.verify(&RSA_PKCS1_2048_8192_SHA512, signed.as_bytes(), &bytes(signature)).unwrap();
    assert_eq!(public.n.len(), 256);
    let header: serde_json::Value =
        serde_json::from_slice(&bytes(signed.split('.').next().unwrap())).unwrap();
    assert_eq!(header, json!({ "alg": "RS512", "typ": "JWT", "kid": key["kid"] }));
}
