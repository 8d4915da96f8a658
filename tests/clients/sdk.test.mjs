// Every operation of the API by the official SDK, as it comes from npm.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { authenticate } from '@commercelayer/js-auth'
import { CommerceLayerProvisioning } from '@commercelayer/provisioning-sdk'
import { start } from './server.mjs'

const official = JSON.parse(fs.readFileSync(new URL('../../crates/server/tests/fixtures/provisioning-api.json', import.meta.url)))

let guildhall
let ada
let grace

const signIn = async (person) => {
  const { client_id: clientId, client_secret: clientSecret } = person
  const { accessToken } = await authenticate('client_credentials', { clientId, clientSecret, domain: guildhall.domain })
  return CommerceLayerProvisioning({ accessToken, domain: guildhall.domain })
}

before(async () => {
  guildhall = await start('--rate-limits', 'off')
  ada = await signIn(guildhall.user('ada'))
  grace = await signIn(guildhall.user('grace'))
})

after(() => guildhall.stop())

test('the SDK runs every operation', async () => {
  const organization = await ada.organizations.create({ name: 'The Blue Brand' })
  assert.equal(organization.slug, 'the-blue-brand')
  assert.equal((await ada.organizations.list({ filters: { slug_eq: 'the-blue-brand' } })).length, 1)
  assert.equal((await ada.organizations.retrieve(organization.id)).name, 'The Blue Brand')
  assert.equal((await ada.organizations.update({ id: organization.id, support_phone: '+39' })).support_phone, '+39')

  const roles = await ada.organizations.roles(organization)
  const admin = roles.find((role) => role.kind === 'admin')
  const readOnly = roles.find((role) => role.kind === 'read_only')
  const role = await ada.roles.create({ name: 'Care', organization })
  assert.equal((await ada.roles.list()).recordCount, 3)
  assert.equal((await ada.roles.retrieve(role.id)).kind, 'custom')
  assert.equal((await ada.roles.update({ id: role.id, name: 'Customer care' })).name, 'Customer care')
  await ada.roles._add_missing_base_permissions((await ada.roles.create({ name: 'Base', organization })).id)

  const rights = { can_create: false, can_read: true, can_update: false, can_destroy: false, subject: 'orders', role }
  const permission = await ada.permissions.create(rights)
  assert.equal(await ada.permissions.count(), 132)
  assert.equal((await ada.permissions.retrieve(permission.id)).subject, 'orders')
  assert.equal((await ada.permissions.update({ id: permission.id, can_update: true })).can_update, true)
  assert.equal((await ada.permissions.organization(permission)).id, organization.id)
  assert.equal((await ada.permissions.role(permission)).id, role.id)
  assert.equal((await ada.permissions.versions(permission))[0].event, 'update')
  assert.equal((await ada.organizations.permissions(organization)).recordCount, 132)
  assert.equal((await ada.roles.permissions(role)).length, 1)

  const credential = await ada.api_credentials.create({ name: 'Orders', kind: 'orders', organization })
  assert.equal(await ada.api_credentials.count(), 3)
  assert.equal((await ada.api_credentials.retrieve(credential.id)).client_id, credential.client_id)
  assert.equal((await ada.api_credentials.update({ id: credential.id, name: 'My orders' })).name, 'My orders')
  assert.equal((await ada.api_credentials.organization(credential)).id, organization.id)
  assert.equal(await ada.api_credentials.role(credential), null)
  assert.equal((await ada.organizations.api_credentials(organization)).length, 3)
  assert.equal((await ada.roles.api_credentials(admin)).length, 2)

  const profile = await ada.membership_profiles.create({ name: 'Marketing', access_scope: 'all_access', organization })
  assert.equal((await ada.membership_profiles.list()).length, 1)
  assert.equal((await ada.membership_profiles.retrieve(profile.id)).test_enabled, true)
  assert.equal((await ada.membership_profiles.update({ id: profile.id, name: 'Sales' })).name, 'Sales')
  assert.equal((await ada.membership_profiles.organization(profile)).id, organization.id)

  const access = await ada.application_memberships.create({ api_credential: credential, organization, role: readOnly, membership_profile: profile, filters: { market_id_in: [1] } })
  assert.equal((await ada.application_memberships.list()).length, 1)
  assert.deepEqual((await ada.application_memberships.retrieve(access.id)).filters, { market_id_in: [1] })
  assert.equal((await ada.application_memberships.update({ id: access.id, role, reference: 'R' })).reference, 'R')
  assert.equal((await ada.application_memberships.api_credential(access)).id, credential.id)
  assert.equal(await ada.application_memberships.membership(access), null)
  assert.equal((await ada.application_memberships.membership_profile(access)).id, profile.id)
  assert.equal((await ada.application_memberships.organization(access)).id, organization.id)
  assert.equal((await ada.application_memberships.role(access)).id, role.id)
  assert.equal((await ada.membership_profiles.application_memberships(profile)).length, 1)

  const membership = await ada.memberships.create({ user_email: 'new@example.com', organization, role: readOnly, membership_profile: profile }, { include: ['membership_profile', 'role'] })
  assert.deepEqual([membership.status, membership.role.kind, membership.membership_profile.name], ['pending', 'read_only', 'Sales'])
  assert.equal((await ada.memberships.list({ include: ['organization', 'role'] }))[1].organization.slug, 'the-blue-brand')
  assert.equal((await ada.memberships.retrieve(membership.id)).user_email, 'new@example.com')
  await ada.memberships.resend(membership)
  const changed = await ada.memberships.update({ id: membership.id, reference: 'R', membership_profile: { id: null, type: 'membership_profiles' } })
  assert.equal(changed.reference, 'R')
  assert.equal((await ada.memberships.organization(membership)).id, organization.id)
  assert.equal((await ada.memberships.role(membership)).id, readOnly.id)
  assert.equal((await ada.memberships.application_memberships(membership)).length, 0)
  assert.equal(await ada.memberships.membership_profile(membership), null)
  assert.equal((await ada.memberships.versions(membership))[0].event, 'update')
  assert.equal((await ada.organizations.memberships(organization)).length, 2)
  assert.equal((await ada.roles.memberships(readOnly)).length, 1)
  assert.equal((await ada.roles.organization(role)).id, organization.id)
  assert.equal((await ada.roles.versions(role)).length, 2)

  const url = 'https://id.example.com/'
  const provider = await ada.identity_providers.create({ name: 'Staff', client_id: 'id', client_secret: 's', issuer: url, domains: 'example.com', token_url: url, authorize_url: url, jwks_url: url })
  assert.equal((await ada.identity_providers.list()).length, 1)
  assert.equal((await ada.identity_providers.retrieve(provider.id)).status, 'pending')
  assert.equal((await ada.identity_providers.update({ id: provider.id, name: 'People' })).name, 'People')
  assert.notEqual((await ada.identity_providers._disable(provider.id)).disabled_at, null)
  assert.equal((await ada.identity_providers._enable(provider.id)).disabled_at, null)
  assert.equal((await ada.identity_providers.user(provider)).email, 'ada@example.com')
  await ada.identity_providers.delete(provider.id)

  const user = await ada.user.retrieve()
  assert.equal(user.email, 'ada@example.com')
  assert.equal((await ada.user.update({ id: user.id, time_zone: 'Europe/Rome' })).time_zone, 'Europe/Rome')

  const versions = await ada.versions.list({ sort: { created_at: 'desc' } })
  assert.equal((await ada.versions.retrieve(versions[0].id)).id, versions[0].id)

  await ada.memberships.create({ user_email: 'grace@example.com', organization, role: admin })
  await ada.organizations.transfer_ownership(organization, { type: 'organizations', id: organization.id, new_owner_email: 'grace@example.com' })
  const owner = await grace.memberships.list({ filters: { owner_true: true } })
  assert.equal(owner[0].user_email, 'grace@example.com')

  await ada.memberships.delete(membership.id)
  await assert.rejects(ada.memberships.retrieve(membership.id), (error) => error.status === 404)
  await ada.application_memberships.delete(access.id)
  await ada.membership_profiles.delete(profile.id)
  await ada.api_credentials.delete(credential.id)

  const asked = new Set([...guildhall.log().matchAll(/method=(\w+) path="\/api([^"]+)" status=2/g)].map(([, method, path]) => {
    const shape = path.replace(/\/[A-Za-z]{10}(?=\/|$)/, '/{}')
    return `${method} ${shape}`
  }))
  const missing = official.operations
    .map(({ method, path }) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/, '{}')}`)
    .filter((operation) => !asked.has(operation))
  assert.deepEqual(missing, [])
  assert.equal(official.operations.length, 70)
})

test('errors arrive as the SDK expects them', async () => {
  const organization = { type: 'organizations', id: '' }
  await assert.rejects(ada.roles.create({ name: '', organization }), (error) => error.errors.length >= 1)
  await assert.rejects(ada.memberships.retrieve('fake-id'), (error) => error.status === 404 && error.first().code === 'RECORD_NOT_FOUND')
  const bad = CommerceLayerProvisioning({ accessToken: 'a.b.c', domain: guildhall.domain })
  await assert.rejects(bad.user.retrieve(), (error) => error.status === 401 && error.first().code === 'UNAUTHORIZED')
})

test('a refused token is renewed once its end has passed', async () => {
  const expired = `${btoa('{"alg":"none"}')}.${btoa(JSON.stringify({ exp: 1 }))}.x`
  const fresh = ada.currentAccessToken
  const client = CommerceLayerProvisioning({ accessToken: expired, domain: guildhall.domain, refreshToken: async () => fresh })
  assert.equal((await client.user.retrieve()).email, 'ada@example.com')
})

test('pages, order, fields and filters travel as the SDK writes them', async () => {
  const organization = await ada.organizations.create({ name: 'Pages & Co, Ltd' })
  const page = await ada.roles.list({ pageSize: 1, pageNumber: 2, sort: { created_at: 'asc', id: 'asc' }, fields: ['id', 'name'], filters: { organization_name_eq: 'Pages & Co, Ltd' } })
  assert.deepEqual([page.length, page.recordCount, page.pageCount, page[0].kind], [1, 2, 2, undefined])
  const found = await ada.api_credentials.list({ filters: { mode_in: ['test', 'live'], organization_id_eq: organization.id, metadata_jcont: {} } })
  assert.equal(found.length, 2)
})
