// A standard client of OAuth and OpenID Connect that knows nothing of this server but its issuer.
import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { after, before, test } from 'node:test'
import * as client from 'openid-client'
import { start } from './server.mjs'
import { CALLBACK, openShop } from './shop.mjs'

let guildhall
let grace

before(async () => {
  guildhall = await start('--rate-limits', 'off')
  grace = await openShop(guildhall, 'grace')
})

after(() => guildhall.stop())

const discover = (credential, how) => client.discovery(new URL(guildhall.issuer), credential.client_id, how ? undefined : credential.client_secret, how)

const begin = async (config, more = {}) => {
  const verifier = client.randomPKCECodeVerifier()
  const [state, nonce] = [client.randomState(), client.randomNonce()]
  const parameters = {
    redirect_uri: CALLBACK, scope: 'openid profile email market:all', code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256', state, nonce, ...more
  }
  return { parameters, checks: { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true } }
}

test('discovery, code with PKCE, ID token, userinfo, refresh, introspection, revocation', async () => {
  for (const algorithm of ['oidc', 'oauth2']) {
    const config = await client.discovery(new URL(guildhall.issuer), grace.shop.client_id, grace.shop.client_secret, undefined, { algorithm })
    assert.equal(config.serverMetadata().issuer, guildhall.issuer)
    const { parameters, checks } = await begin(config)
    const back = await grace.browser.agree(client.buildAuthorizationUrl(config, parameters).href)
    const tokens = await client.authorizationCodeGrant(config, back, checks)
    const claims = tokens.claims()
    assert.deepEqual([claims.sub, claims.email, claims.aud], [grace.user.id, 'grace@example.com', grace.shop.client_id])
    const info = await client.fetchUserInfo(config, tokens.access_token, claims.sub)
    assert.deepEqual([info.email, info.email_verified, info.given_name], ['grace@example.com', true, 'grace'])
    const refreshed = await client.refreshTokenGrant(config, tokens.refresh_token)
    assert.equal(refreshed.claims().sub, claims.sub)
    const told = await client.tokenIntrospection(config, refreshed.access_token)
    assert.deepEqual([told.active, told.sub, told.client_id], [true, grace.user.id, grace.shop.client_id])
    await client.tokenRevocation(config, refreshed.refresh_token)
    assert.equal((await client.tokenIntrospection(config, refreshed.access_token)).active, false)
    await assert.rejects(client.refreshTokenGrant(config, refreshed.refresh_token), { error: 'invalid_grant' })
  }
})

test('every way to show who one is', async () => {
  for (const how of [client.ClientSecretBasic, client.ClientSecretPost]) {
    const integration = await grace.make('integration')
    const config = await discover(integration, how(integration.client_secret))
    assert.equal((await client.clientCredentialsGrant(config)).scope, 'market:all')
  }
  for (const [kind, options] of [['ec', { namedCurve: 'P-256' }], ['rsa', { modulusLength: 2048 }]]) {
    const pair = crypto.generateKeyPairSync(kind, options)
    const algorithm = { ec: { name: 'ECDSA', namedCurve: 'P-256' }, rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } }[kind]
    const key = await crypto.subtle.importKey('pkcs8', pair.privateKey.export({ type: 'pkcs8', format: 'der' }), algorithm, false, ['sign'])
    const jwk = { ...pair.publicKey.export({ format: 'jwk' }), kid: kind }
    const integration = await grace.make('integration', { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [jwk] } })
    const config = await discover(integration, client.PrivateKeyJwt({ key, kid: kind }))
    for (let time = 0; time < 2; time++) assert.equal((await client.clientCredentialsGrant(config)).scope, 'market:all')
  }
  const wrong = await discover(await grace.make('integration'), client.ClientSecretBasic('wrong'))
  // It reads the challenge instead of the body where there is one.
  await assert.rejects(client.clientCredentialsGrant(wrong), (error) => error.cause?.[0]?.scheme === 'basic')
})

test('a public client on the own machine, with another port', async () => {
  const command = await grace.make('webapp', { token_endpoint_auth_method: 'none', redirect_uri: 'http://127.0.0.1/callback' })
  const config = await discover(command, client.None())
  const { parameters, checks } = await begin(config, { redirect_uri: 'http://127.0.0.1:49152/callback' })
  const back = await grace.browser.agree(client.buildAuthorizationUrl(config, parameters).href)
  const tokens = await client.authorizationCodeGrant(config, back, checks)
  assert.equal(tokens.claims().sub, grace.user.id)
})

test('a request that is left with the server beforehand', async () => {
  const config = await discover(grace.shop)
  const { parameters, checks } = await begin(config)
  const url = await client.buildAuthorizationUrlWithPAR(config, parameters)
  assert.deepEqual([...url.searchParams.keys()].sort(), ['client_id', 'request_uri'])
  const tokens = await client.authorizationCodeGrant(config, await grace.browser.agree(url.href), checks)
  assert.equal(tokens.claims().sub, grace.user.id)
})

test('a command line that has no browser', async () => {
  const config = await discover({ client_id: 'dashboard' }, client.None())
  const begun = await client.initiateDeviceAuthorization(config, {})
  await grace.browser.open('/device')
  await grace.browser.open('/device', { code: begun.user_code, decision: 'allow' })
  const tokens = await client.pollDeviceAuthorizationGrant(config, begun)
  const answer = await fetch(`https://provisioning.${guildhall.domain}/api/user`, { headers: { authorization: `Bearer ${tokens.access_token}` } })
  assert.equal((await answer.json()).data.attributes.email, 'grace@example.com')
})

test('what another issuer sent is not taken for ours', async () => {
  const config = await discover(grace.shop)
  const { parameters, checks } = await begin(config)
  const back = await grace.browser.agree(client.buildAuthorizationUrl(config, parameters).href)
  back.searchParams.set('iss', 'https://evil.example')
  const isAboutIssuer = (error) => /"iss"/.test(error.cause.message)
  await assert.rejects(client.authorizationCodeGrant(config, back, checks), isAboutIssuer)
  back.searchParams.delete('iss')
  await assert.rejects(client.authorizationCodeGrant(config, back, checks), isAboutIssuer)
})
