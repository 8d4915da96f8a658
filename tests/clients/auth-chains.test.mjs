// The official auth library with everything that is given for somebody: codes, refreshes, assertions, their end.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import * as auth from '@commercelayer/js-auth'
import { start } from './server.mjs'
import { CALLBACK, openShop } from './shop.mjs'

const MEMBERS = ['accessToken', 'createdAt', 'expires', 'expiresIn', 'scope', 'tokenType']
const WITH_OWNER = [...MEMBERS, 'ownerId', 'ownerType', 'refreshToken'].sort()

let guildhall
let ada

before(async () => {
  guildhall = await start('--rate-limits', 'off')
  ada = await openShop(guildhall, 'ada')
})

after(() => guildhall.stop())

const client = (credential, more = {}) => ({ domain: guildhall.domain, clientId: credential.client_id, clientSecret: credential.client_secret, ...more })

const letIn = async (scope) => {
  const query = new URLSearchParams({ response_type: 'code', client_id: ada.shop.client_id, redirect_uri: CALLBACK, state: 'x', ...(scope && { scope }) })
  const back = await ada.browser.agree(`/oauth/authorize?${query}`)
  return auth.authenticate('authorization_code', client(ada.shop, { code: back.searchParams.get('code'), redirectUri: CALLBACK, ...(scope && { scope }) }))
}

const core = (accessToken, path) => fetch(`${auth.getCoreApiBaseEndpoint(accessToken)}${path}`, { headers: { authorization: `Bearer ${accessToken}` } })

test('an authorization code gives exactly these members and claims', async () => {
  const granted = await letIn('market:id:xYZkjABcde')
  assert.deepEqual(Object.keys(granted).sort(), WITH_OWNER)
  assert.deepEqual([granted.ownerType, granted.ownerId, granted.scope, granted.expiresIn], ['user', ada.user.id, 'market:id:xYZkjABcde', 7200])
  const { payload } = await auth.jwtVerify(granted.accessToken)
  assert.equal(auth.jwtIsWebApp(payload), true)
  assert.deepEqual(payload.owner, { id: ada.user.id, type: 'User' })
  assert.deepEqual(payload.market, { id: ['xYZkjABcde'], stock_location_ids: [], geocoder_id: null, allows_external_prices: false })
  assert.equal((await core(granted.accessToken, '/api/organization')).status, 200)
})

test('a refresh gives a new pair', async () => {
  const before = await letIn()
  const after = await auth.authenticate('refresh_token', client(ada.shop, { refreshToken: before.refreshToken }))
  assert.deepEqual(Object.keys(after).sort(), WITH_OWNER)
  assert.notEqual(after.refreshToken, before.refreshToken)
  const claims = ({ accessToken }) => ({ ...auth.jwtDecode(accessToken).payload, iat: 0, exp: 0, rand: 0 })
  assert.deepEqual(claims(after), claims(before))
  assert.equal((await core(after.accessToken, '/api/application')).status, 200)
})

test('an assertion by the library is taken, and an empty one is not', async () => {
  const channel = await ada.make('sales_channel')
  const integration = await ada.make('integration')
  for (const credential of [ada.shop, channel, integration]) {
    const assertion = await auth.createAssertion({
      payload: { 'https://commercelayer.io/claims': { owner: { type: 'User', id: ada.user.id }, custom_claim: { città: 'Forlì' } } }
    })
    const granted = await auth.authenticate('urn:ietf:params:oauth:grant-type:jwt-bearer', client(credential, { assertion }))
    assert.deepEqual(Object.keys(granted).sort(), WITH_OWNER)
    const { payload } = auth.jwtDecode(granted.accessToken)
    assert.deepEqual([payload.owner, payload.custom_claim], [{ id: ada.user.id, type: 'User' }, { città: 'Forlì' }])
  }
  for (const credential of [ada.shop, channel, integration]) {
    const asked = async (claims, more) => {
      const assertion = await auth.createAssertion({ payload: { 'https://commercelayer.io/claims': claims } })
      return auth.authenticate('urn:ietf:params:oauth:grant-type:jwt-bearer', client(credential, { assertion, ...more }))
    }
    const custom = await asked({ custom_claim: { name: 'Jürgen Ø' } }, { scope: 'market:code:europe' })
    assert.deepEqual(Object.keys(custom).sort(), [...MEMBERS, 'refreshToken'].sort())
    assert.equal(custom.scope, 'market:code:europe')
    // Whatever letters there are in it, it is verified as it is.
    const { payload } = await auth.jwtVerify(custom.accessToken)
    assert.deepEqual([payload.owner, payload.custom_claim], [undefined, { name: 'Jürgen Ø' }])
    const owner = await asked({ owner: { type: 'User', id: ada.user.id } })
    assert.deepEqual(Object.keys(owner).sort(), WITH_OWNER)
    const said = auth.jwtDecode(owner.accessToken).payload
    assert.deepEqual([said.owner, 'custom_claim' in said], [{ id: ada.user.id, type: 'User' }, false])
    const refused = await asked({})
    assert.deepEqual(refused.errors, [{ title: 'invalid_assertion', detail: 'The provided assertion is invalid.', code: 'BAD_REQUEST', status: 400, meta: {} }])
  }
})

test('an access token and a refresh token end on the next request', async () => {
  const { clientId, clientSecret } = client(ada.shop)
  const one = await letIn()
  assert.deepEqual(await auth.revoke({ clientId, clientSecret, token: one.accessToken }), {})
  const refused = await core(one.accessToken, '/api/organization')
  assert.deepEqual([refused.status, (await refused.json()).errors[0].code], [401, 'INVALID_TOKEN'])
  const other = await letIn()
  assert.deepEqual(await auth.revoke({ clientId, clientSecret, token: other.refreshToken }), {})
  assert.equal((await core(other.accessToken, '/api/organization')).status, 401)
  const again = await auth.authenticate('refresh_token', client(ada.shop, { refreshToken: other.refreshToken }))
  assert.deepEqual([again.errors[0].title, again.errors[0].status], ['invalid_grant', 400])
  const wrong = await auth.revoke({ clientId, clientSecret: 'wrong', token: one.refreshToken })
  assert.deepEqual(wrong.errors[0], { title: 'unauthorized_client', detail: 'You are not authorized to revoke this token', code: 'FORBIDDEN', status: 403, meta: {} })
})

test('the token of a guest is ended by who has the secret, and by nobody else', async () => {
  const channel = await ada.make('sales_channel')
  const { accessToken: token } = await auth.authenticate('client_credentials', { domain: guildhall.domain, clientId: channel.client_id, clientSecret: channel.client_secret })
  for (const other of [{}, { clientId: channel.client_id }, { clientId: channel.client_id, clientSecret: 'wrong' }, { clientId: ada.shop.client_id, clientSecret: ada.shop.client_secret }]) {
    const refused = await auth.revoke({ ...other, token })
    assert.deepEqual([refused.errors[0].title, refused.errors[0].status], ['unauthorized_client', 403])
    assert.equal((await core(token, '/api/organization')).status, 200)
  }
  assert.deepEqual(await auth.revoke({ clientId: channel.client_id, clientSecret: channel.client_secret, token }), {})
  assert.equal((await core(token, '/api/organization')).status, 401)
})

test('passwords of customers are refused as long as there are none', async () => {
  const channel = await ada.make('sales_channel')
  const refused = await auth.authenticate('password', { domain: guildhall.domain, clientId: channel.client_id, username: 'a@example.com', password: 'x' })
  assert.deepEqual([refused.errors[0].title, refused.errors[0].status], ['unsupported_grant_type', 400])
})

const memory = () => {
  const kept = new Map()
  return {
    kept,
    getItem: async (key) => kept.get(key) ?? null,
    setItem: async (key, value) => { kept.set(key, value) },
    removeItem: async (key) => { kept.delete(key) }
  }
}

// The same token as one that ends in so many seconds, as its holder reads it.
const ending = (token, seconds) => {
  const [header, payload, signature] = token.split('.')
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url')), exp: Math.floor(Date.now() / 1000) + seconds }
  return [header, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.')
}

test('makeSalesChannel keeps a guest, and asks anew once that has ended', async () => {
  const channel = await ada.make('sales_channel')
  const storage = memory()
  const made = auth.makeSalesChannel({ domain: guildhall.domain, clientId: channel.client_id, scope: 'market:code:europe' }, { storage })
  const first = await made.getAuthorization()
  assert.deepEqual([first.ownerType, first.scope, storage.kept.size], ['guest', 'market:code:europe', 1])
  assert.equal((await made.getAuthorization()).accessToken, first.accessToken)
  assert.equal((await core(first.accessToken, '/api/organization')).status, 200)
  const asked = () => guildhall.log().split('\n').filter((line) => line.includes('/oauth/token')).length
  // One that is about to end is as good as ended, and the server is asked. It gives the same one until shortly before its end.
  const before = asked()
  const [[key, kept]] = storage.kept
  storage.kept.set(key, { ...kept, accessToken: ending(first.accessToken, 300) })
  assert.equal((await made.getAuthorization()).accessToken, first.accessToken)
  assert.equal(asked(), before + 1)
  assert.equal((await made.getAuthorization()).accessToken, first.accessToken)
  assert.equal(asked(), before + 1)
  await made.removeAuthorization('guest')
  assert.equal(storage.kept.size, 0)
})

test('makeIntegration keeps its token, and revokes it', async () => {
  const integration = await ada.make('integration')
  const storage = memory()
  const made = auth.makeIntegration(client(integration), { storage })
  const first = await made.getAuthorization()
  assert.deepEqual([first.scope, storage.kept.size], ['market:all', 1])
  assert.equal((await made.getAuthorization()).accessToken, first.accessToken)
  await made.revokeAuthorization()
  assert.equal((await core(first.accessToken, '/api/organization')).status, 401)
  const second = await made.getAuthorization()
  assert.notEqual(second.accessToken, first.accessToken)
  assert.equal((await core(second.accessToken, '/api/organization')).status, 200)
})
