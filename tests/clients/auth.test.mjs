// The official auth library, as it comes from npm.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as auth from '@commercelayer/js-auth'
import { CommerceLayerProvisioning } from '@commercelayer/provisioning-sdk'
import { start } from './server.mjs'

const MEMBERS = ['accessToken', 'createdAt', 'expires', 'expiresIn', 'scope', 'tokenType']

let guildhall
let ada

before(async () => {
  guildhall = await start('--rate-limits', 'off')
  ada = guildhall.user('ada')
})

after(() => guildhall.stop())

const credentials = async (kind, attributes = {}) => {
  const { accessToken } = await personal()
  const clp = CommerceLayerProvisioning({ accessToken, domain: guildhall.domain })
  const organization = await clp.organizations.create({ name: 'The Blue Brand' })
  const role = kind === 'integration' ? (await clp.organizations.roles(organization))[0] : undefined
  return { organization, ...(await clp.api_credentials.create({ name: 'X', kind, organization, ...(role && { role }), ...attributes })) }
}

const personal = () => auth.authenticate('client_credentials', {
  domain: guildhall.domain, clientId: ada.client_id, clientSecret: ada.client_secret
})

test('a personal application gets exactly these members and claims', async () => {
  const granted = await personal()
  assert.deepEqual(Object.keys(granted).sort(), MEMBERS)
  assert.deepEqual([granted.tokenType, granted.expiresIn, granted.scope], ['bearer', 7200, 'provisioning-api'])
  const { header, payload } = auth.jwtDecode(granted.accessToken)
  assert.deepEqual([header.alg, header.typ, header.kid.length], ['RS512', 'JWT', 64])
  assert.deepEqual(Object.keys(payload).sort(), ['application', 'exp', 'iat', 'iss', 'rand', 'scope', 'test', 'user'])
  assert.deepEqual([payload.application.kind, payload.user.id, payload.iss], ['user', ada.id, `https://auth.${guildhall.domain}`])
  assert.equal(auth.jwtIsUser(payload), true)
  assert.equal(auth.getProvisioningApiBaseEndpoint(granted.accessToken), `https://provisioning.${guildhall.domain}`)
})

test('the published keys verify it', async () => {
  const { accessToken } = await personal()
  const verified = await auth.jwtVerify(accessToken)
  assert.equal(verified.payload.user.id, ada.id)
  const [header, payload, signature] = accessToken.split('.')
  const forged = [header, payload.replace(/^./, (first) => (first === 'e' ? 'f' : 'e')), signature].join('.')
  await assert.rejects(auth.jwtVerify(forged))
})

test('a sales channel gets a guest token', async () => {
  const channel = await credentials('sales_channel')
  const granted = await auth.authenticate('client_credentials', { domain: guildhall.domain, clientId: channel.client_id, scope: 'market:code:europe' })
  assert.deepEqual(Object.keys(granted).sort(), MEMBERS)
  assert.deepEqual([granted.scope, granted.expiresIn], ['market:code:europe', 14400])
  const whole = await auth.authenticate('client_credentials', { domain: guildhall.domain, clientId: channel.client_id })
  assert.equal(whole.scope, 'market:all')
  const { payload } = auth.jwtDecode(granted.accessToken)
  assert.deepEqual(payload.organization, { id: channel.organization.id, slug: channel.organization.slug, enterprise: true, region: 'eu-west-1' })
  assert.deepEqual(Object.keys(payload).sort(), ['application', 'exp', 'iat', 'iss', 'organization', 'rand', 'scope', 'test'])
  assert.deepEqual([payload.application.public, payload.application.confidential, payload.test], [true, false, true])
  assert.equal(auth.jwtIsSalesChannel(payload), true)
  // Who shows the secret is told from who does not.
  const shown = await auth.authenticate('client_credentials', { domain: guildhall.domain, clientId: channel.client_id, clientSecret: channel.client_secret })
  const { application } = auth.jwtDecode(shown.accessToken).payload
  assert.deepEqual([application.public, application.confidential], [true, true])
  assert.equal(auth.getCoreApiBaseEndpoint(granted.accessToken), `https://${channel.organization.slug}.${guildhall.domain}`)
})

test('an integration gets a token for everything', async () => {
  const integration = await credentials('integration', { mode: 'live' })
  const client = { domain: guildhall.domain, clientId: integration.client_id, clientSecret: integration.client_secret }
  const granted = await auth.authenticate('client_credentials', client)
  assert.deepEqual(Object.keys(granted).sort(), MEMBERS)
  assert.equal(granted.scope, 'market:all')
  const { payload } = auth.jwtDecode(granted.accessToken)
  assert.deepEqual(Object.keys(payload).sort(), ['application', 'exp', 'iat', 'iss', 'organization', 'rand', 'scope', 'test'])
  assert.equal(auth.jwtIsIntegration(payload), true)
  assert.deepEqual([payload.test, payload.application.kind, payload.application.confidential], [false, 'integration', true])
  for (const wrong of [{ clientSecret: 'wrong' }, { clientId: 'unknown' }]) {
    const refused = await auth.authenticate('client_credentials', { ...client, ...wrong })
    assert.deepEqual(refused.errors, [{
      title: 'invalid_client',
      detail: 'Client authentication failed due to unknown client, no client authentication included, or unsupported authentication method.',
      code: 'UNAUTHORIZED',
      status: 401,
      meta: {}
    }])
  }
})

test('a revoked token is refused', async () => {
  const { accessToken } = await personal()
  const client = { clientId: ada.client_id, clientSecret: ada.client_secret }
  const stranger = await auth.revoke({ clientId: 'x', clientSecret: 'y', token: accessToken })
  assert.deepEqual([stranger.errors[0].status, stranger.errors[0].title], [403, 'unauthorized_client'])
  assert.deepEqual(await auth.revoke({ ...client, token: accessToken }), {})
  const clp = CommerceLayerProvisioning({ accessToken, domain: guildhall.domain })
  await assert.rejects(clp.user.retrieve(), (error) => error.status === 401)
})
