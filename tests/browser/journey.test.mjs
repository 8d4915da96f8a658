// From an address to a member: a real browser, a real mail server, the official SDK.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { authenticate } from '@commercelayer/js-auth'
import { CommerceLayerProvisioning } from '@commercelayer/provisioning-sdk'
import * as OTPAuth from 'otpauth'
import { addPasskey, authenticator, code, link, open, password } from './place.mjs'

let place

before(async () => { place = await open() })
after(() => place.close())

const sdk = async (clientId, clientSecret) => {
  const { domain } = place.guildhall
  const { accessToken, errors } = await authenticate('client_credentials', { clientId, clientSecret, domain })
  assert.equal(errors, undefined)
  return CommerceLayerProvisioning({ accessToken, domain })
}

// Takes new credentials from the page that makes them.
const credentials = async (page) => {
  await page.goto('/account/api')
  await page.press('Make a new secret')
  await page.press('Yes')
  await page.getByText('Client secret', { exact: true }).waitFor()
  const [clientId, clientSecret] = await page.locator('.shown .code code').allInnerTexts()
  return sdk(clientId, clientSecret)
}

test('a person signs up, invites a friend who joins elsewhere, and the SDK lists both', async () => {
  const ada = await place.person()
  await ada.goto('/')
  assert.equal(await ada.heading(), 'Sign in')
  await ada.getByRole('link', { name: 'I have no account yet' }).click()
  await place.signUp(ada, 'Ada', 'The Blue Brand')
  await ada.getByRole('link', { name: 'The Blue Brand' }).click()
  await ada.fills({ user_email: 'grace@example.com' })
  await ada.press('Send invitation')
  await ada.getByText('The invitation is on its way.').waitFor()

  const letter = await place.mail.letter('grace@example.com')
  assert.equal(letter.subject, 'Join The Blue Brand')
  assert.equal(letter.from.name, 'The Blue Brand')
  const grace = await place.person()
  await grace.goto(link(letter))
  assert.equal(await grace.heading(), 'Join The Blue Brand')
  await grace.fills({ name: 'Grace Hopper', password })
  await grace.press('Create account and join')
  await grace.waitForURL('**/?said=joined')
  await grace.getByRole('link', { name: 'The Blue Brand' }).waitFor()

  const guildhall = await credentials(ada)
  const members = await guildhall.memberships.list({ sort: { created_at: 'asc' } })
  assert.deepEqual([...members].map((one) => [one.user_email, one.user_first_name, one.status, one.owner]), [
    ['ada@example.com', 'Ada', 'active', true],
    ['grace@example.com', 'Grace', 'active', false]
  ])
})

test('an invitation by the SDK reaches its person through a letter, and ends access when it is removed', async () => {
  const owner = place.guildhall.user('owner')
  const guildhall = await sdk(owner.client_id, owner.client_secret)
  const organization = await guildhall.organizations.create({ name: 'Green' })
  const role = (await guildhall.organizations.roles(organization)).find((one) => one.kind === 'read_only')
  const membership = await guildhall.memberships.create({ user_email: 'alan@example.com', organization, role })
  assert.equal(membership.status, 'pending')
  const alan = await place.person()
  await alan.goto(link(await place.mail.letter('alan@example.com')))
  await alan.fills({ name: 'Alan Turing', password })
  await alan.press('Create account and join')
  await alan.waitForURL('**/?said=joined')
  assert.equal((await guildhall.memberships.retrieve(membership.id)).status, 'active')
  const own = await credentials(alan)
  assert.deepEqual([...await own.organizations.list()].map((one) => one.slug), ['green'])
  await guildhall.memberships.delete(membership.id)
  assert.deepEqual((await own.organizations.list()).length, 0)
  await alan.goto('/organizations/green')
  assert.equal(await alan.heading(), 'There is nothing here')
})

test('the lines of the page about API access do what they say', async () => {
  const page = await place.person()
  const email = await place.signUp(page, 'Carl')
  await page.goto('/account/api')
  await page.press('Make a new secret')
  await page.press('Yes')
  await page.getByText('Client secret', { exact: true }).waitFor()
  const [curl, script] = await page.locator('.shown pre code').allInnerTexts()
  const granted = JSON.parse(execFileSync('bash', ['-c', curl.replace('curl ', 'curl -s ')], { encoding: 'utf8' }))
  assert.deepEqual([granted.token_type, granted.scope], ['bearer', 'provisioning-api'])
  const file = path.join(import.meta.dirname, 'lines.mjs')
  fs.writeFileSync(file, script)
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: path.join(place.guildhall.data, 'dev-ca.pem') }
  const localhost = path.resolve(import.meta.dirname, '../../examples/localhost.mjs')
  const printed = execFileSync('node', ['--import', localhost, file], { env, encoding: 'utf8' })
  fs.rmSync(file)
  assert.match(printed, new RegExp(`email: '${email}'`))
})

test('one-time codes of an independent authenticator let in', async () => {
  const page = await place.person()
  const email = await place.signUp(page, 'Otto')
  await page.goto('/account/security')
  await page.press('Set up')
  const secret = OTPAuth.Secret.fromBase32(await page.locator('.shown .code code').innerText())
  const totp = new OTPAuth.TOTP({ secret, digits: 6, period: 30 })
  await page.fills({ code: totp.generate() })
  await page.press('Turn on')
  assert.equal(await page.heading(), 'Your recovery codes')
  const codes = (await page.locator('.shown pre code').innerText()).split('\n')
  assert.equal(codes.length, 10)
  await page.press('Sign out')
  await page.fills({ email, password })
  await page.press('Sign in')
  assert.equal(await page.heading(), 'One more step')
  // The code that turned them on is used; the next one, which a device half a minute ahead shows, is not.
  await page.fills({ code: totp.generate() })
  await page.press('Sign in')
  await page.getByText('That code is not right, or no longer.').waitFor()
  await page.fills({ code: totp.generate({ timestamp: Date.now() + 30_000 }) })
  await page.press('Sign in')
  assert.equal(await page.heading(), 'Your organizations')
})

test('a passkey lets in, also as the only way in', async () => {
  const page = await place.person()
  const { client, authenticatorId } = await authenticator(page)
  await place.signUp(page, 'Petra')
  await addPasskey(page)
  await page.press('Remove the password and use passkeys only')
  await page.press('Yes')
  await page.getByText('The password is removed.').waitFor()
  await page.press('Sign out')
  // The sign-in page offers the passkey by itself; whoever is not offered one presses the button.
  await page.waitForURL((url) => url.pathname === '/' || url.pathname === '/sign-in')
  if (new URL(page.url()).pathname === '/sign-in') {
    await page.getByRole('button', { name: 'Use a passkey' }).click({ timeout: 3000 }).catch(() => {})
  }
  await page.waitForURL((url) => url.pathname === '/')
  assert.equal(await page.heading(), 'Your organizations')
  await page.goto('/account/security')
  await page.getByText('You have no password.').waitFor()
  await page.getByRole('button', { name: 'Remove: This laptop' }).click()
  await page.press('Yes')
  await page.getByText('That is your last way in, so it stays.').waitFor()
  const { credentials } = await client.send('WebAuthn.getCredentials', { authenticatorId })
  assert.equal(credentials.length, 1)
  assert.equal(credentials[0].rpId, 'dashboard.guildhall.localhost')
})

test('a copied passkey, whose counter has fallen behind, does not', async () => {
  const page = await place.person()
  const { client, authenticatorId } = await authenticator(page)
  await place.signUp(page, 'Clara')
  await addPasskey(page)
  const { credentials: [copy] } = await client.send('WebAuthn.getCredentials', { authenticatorId })
  const usePasskey = async () => {
    await page.goto('/confirm')
    await page.press('Use a passkey')
  }
  await usePasskey()
  await page.waitForURL((url) => url.pathname === '/')
  await client.send('WebAuthn.removeCredential', { authenticatorId, credentialId: copy.credentialId })
  await client.send('WebAuthn.addCredential', { authenticatorId, credential: { ...copy, signCount: 0 } })
  await usePasskey()
  await page.getByText('That passkey was not accepted.').waitFor()
})

test('a passkey shown to a page of another origin is not accepted', async () => {
  const page = await place.person()
  const { client, authenticatorId } = await authenticator(page)
  await place.signUp(page, 'Olga')
  await addPasskey(page)
  await page.goto('/confirm')
  const csrf = await page.locator('form[data-passkey] [name=csrf]').inputValue()
  const options = await page.evaluate(async (csrf) => (await fetch('/passkey/options', { method: 'POST', body: new URLSearchParams({ csrf, kind: 'get' }) })).json(), csrf)
  // A host below ours may ask the browser for our passkeys; the server sees where it was asked.
  const evil = await page.context().newPage()
  const session = await page.context().newCDPSession(evil)
  await session.send('WebAuthn.enable')
  const { authenticatorId: other } = await session.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true }
  })
  const { credentials: [own] } = await client.send('WebAuthn.getCredentials', { authenticatorId })
  await session.send('WebAuthn.addCredential', { authenticatorId: other, credential: { ...own, signCount: own.signCount + 5 } })
  await evil.goto(place.home.replace('dashboard.', 'evil.dashboard.') + '/healthz')
  const shown = await evil.evaluate(async ({ publicKey }) => {
    const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (one) => one.charCodeAt(0))
    const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
    publicKey.challenge = bytes(publicKey.challenge)
    const { id, rawId, type, response } = await navigator.credentials.get({ publicKey })
    const parts = Object.fromEntries(['clientDataJSON', 'authenticatorData', 'signature', 'userHandle'].map((name) => [name, text(response[name])]))
    return JSON.stringify({ id, rawId: text(rawId), type, response: parts, extensions: {} })
  }, options)
  await page.evaluate((shown) => {
    const form = document.querySelector('form[data-passkey]')
    form.elements.credential.value = shown
    HTMLFormElement.prototype.submit.call(form)
  }, shown)
  await page.getByText('That passkey was not accepted.').waitFor()
})

test('without a script everything but passkeys works', async () => {
  const page = await place.person({ javaScriptEnabled: false })
  const email = await place.signUp(page, 'Nora', 'Quiet')
  await page.goto('/account/security')
  assert.equal(await page.getByRole('button', { name: 'Add a passkey' }).count(), 0)
  await page.press('Sign out')
  await page.getByRole('link', { name: 'I forgot my password' }).click()
  await page.fills({ email })
  await page.press('Send the link')
  await page.goto(link(await place.mail.letter(email, 2)))
  await page.fills({ password: 'velvet-anchor-thistle' })
  await page.press('Change password')
  await page.fills({ email, password: 'velvet-anchor-thistle' })
  await page.press('Sign in')
  await page.getByRole('link', { name: 'Quiet' }).waitFor()
  await page.press('Italiano')
  assert.equal(await page.heading(), 'Le tue organizzazioni')
})

test('everything is done with the keyboard alone', async () => {
  const page = await place.person()
  await page.goto('/sign-up')
  await page.keyboard.press('Tab')
  assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content')
  await page.keyboard.press('Enter')
  const write = async (text) => {
    await page.keyboard.press('Tab')
    // The button that shows a password lies between.
    if (await page.evaluate(() => document.activeElement.tagName) === 'BUTTON') await page.keyboard.press('Tab')
    await page.keyboard.type(text)
  }
  for (const text of ['kay@example.com', password, 'Kay', 'Board', 'Keys']) await write(text)
  await page.keyboard.press('Enter')
  await page.waitForURL('**/sign-up/check')
  await page.locator('[name=code]').focus()
  await page.keyboard.type(code(await place.mail.letter('kay@example.com')))
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: 'Keys' }).waitFor()
})
