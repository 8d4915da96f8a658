"""A standard client from another language: discovery, code with PKCE, refresh, introspection, revocation.

Says one JSON object a line what it needs (an address to open) and reads the address that was led back to.
"""

import json
import socket
import sys
import warnings

import requests

warnings.simplefilter("ignore")
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from authlib.jose import JsonWebKey, jwt

# The hosts of the server are on this machine, whatever the resolver knows.
resolve = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: resolve("127.0.0.1" if host.endswith(".localhost") else host, *rest, **more)

issuer, client_id, client_secret, callback, method = sys.argv[1:]
metadata = requests.get(f"{issuer}/.well-known/openid-configuration").json()
assert metadata["issuer"] == issuer
session = OAuth2Session(
    client_id,
    client_secret,
    scope="openid profile email",
    redirect_uri=callback,
    code_challenge_method="S256",
    token_endpoint_auth_method=method,
)
verifier, nonce = generate_token(48), generate_token(20)
address, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce)
print(json.dumps({"open": address}), flush=True)
back = json.loads(sys.stdin.readline())["back"]
token = session.fetch_token(metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier)
keys = JsonWebKey.import_key_set(requests.get(metadata["jwks_uri"]).json())
claims = jwt.decode(
    token["id_token"],
    keys,
    claims_options={"iss": {"value": issuer}, "aud": {"value": client_id}, "nonce": {"value": nonce}},
)
claims.validate()
info = session.get(metadata["userinfo_endpoint"]).json()
assert info["sub"] == claims["sub"]
token = session.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
told = session.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
assert told["active"] and told["sub"] == claims["sub"], told
assert session.revoke_token(metadata["revocation_endpoint"], token=token["refresh_token"]).status_code == 200
told = session.introspect_token(metadata["introspection_endpoint"], token=token["access_token"]).json()
assert told == {"active": False}, told
print(json.dumps({"sub": claims["sub"], "email": info["email"]}), flush=True)
