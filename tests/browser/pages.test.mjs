// Every page, looked at: both themes, three widths, both languages, and no rule of accessibility broken.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import * as OTPAuth from 'otpauth'
import { link, open, password, screenshots } from './place.mjs'

// Lets a program believe in another time.
const faketime = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib', '/usr/local/lib']
  .map((folder) => `${folder}/faketime/libfaketime.so.1`).find((file) => fs.existsSync(file))

let place
let ada
let nobody
const looks = [['light', 1280], ['dark', 1280], ['light', 768], ['dark', 320], ['light', 320]]

before(async () => {
  place = await open()
  ada = await place.person()
  nobody = await place.person()
  await place.signUp(ada, 'Ada', 'The Blue Brand')
})
after(() => place.close())

// Looks at the page at hand from every side; answers nothing, and fails with all that is wrong.
const look = async (page, name) => {
  const wrong = []
  for (const [colorScheme, width] of looks) {
    await page.emulateMedia({ colorScheme })
    await page.setViewportSize({ width, height: 800 })
    const found = await place.look(page, `${name}-${colorScheme}-${width}`)
    if (found.broken.length || found.wide || found.strays.length) wrong.push(found)
  }
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize({ width: 1100, height: 800 })
  assert.deepEqual(wrong, [])
}

const invite = async (email) => {
  await ada.goto('/organizations/the-blue-brand')
  await ada.fills({ user_email: email })
  await ada.press('Send invitation')
  await ada.getByText('The invitation is on its way.').waitFor()
  return link(await place.mail.letter(email))
}

for (const [name, at] of [
  ['sign-in', '/sign-in'], ['sign-up', '/sign-up'], ['reset', '/reset'], ['nowhere', '/nowhere'],
  ['unknown-invitation', '/invitations/x'], ['dead-proof', '/sign-up/x'], ['dead-reset', '/reset/x'], ['dead-address', '/address/x']
]) {
  test(`${name}, to nobody in particular`, async () => {
    await nobody.goto(at)
    await look(nobody, name)
  })
}

test('forms with everything wrong', async () => {
  await nobody.goto('/sign-up')
  await nobody.evaluate(() => { document.querySelector('main form').noValidate = true })
  await nobody.press('Create account')
  await look(nobody, 'sign-up-wrong')
  await nobody.goto('/sign-in')
  await nobody.fills({ email: 'ada@example.com', password: 'wrong' })
  await nobody.press('Sign in')
  await look(nobody, 'sign-in-wrong')
})

test('signing up: the code and the link', async () => {
  const page = await place.person()
  await page.goto('/sign-up')
  await page.fills({ email: 'new@example.com', password, first_name: 'New', last_name: 'Person' })
  await page.press('Create account')
  await look(page, 'sign-up-check')
  const to = link(await place.mail.letter('new@example.com'))
  await page.goto(to)
  await look(page, 'sign-up-confirm')
  await nobody.goto(to)
  await look(nobody, 'sign-up-confirm-elsewhere')
})

for (const [name, at] of [
  ['organizations', '/'], ['organization', '/organizations/the-blue-brand'], ['account', '/account'], ['security', '/account/security'],
  ['codes', '/account/codes'], ['api', '/account/api'], ['confirm', '/confirm'], ['address-new', '/account/address/x']
]) {
  test(`${name}, to somebody who is signed in`, async () => {
    await ada.goto(at)
    await look(ada, name)
  })
}

test('a secret at the one moment it is shown, and the question before', async () => {
  await ada.goto('/account/api')
  await ada.press('Make a new secret')
  await look(ada, 'sure')
  await ada.press('Yes')
  await ada.getByText('Client secret', { exact: true }).waitFor()
  await look(ada, 'secret')
})

test('an invitation, as each of those it may concern sees it', async () => {
  const to = await invite('grace@example.com')
  await ada.goto('/organizations/the-blue-brand')
  await look(ada, 'organization-invited')
  await nobody.goto(to)
  await look(nobody, 'invitation')
  await ada.goto(to)
  await look(ada, 'invitation-other')
  const second = await place.person()
  await place.signUp(second, 'Second')
  await ada.goto('/organizations/the-blue-brand')
  await ada.press('Ask them first')
  const asked = await invite('second@example.com').catch(() => null) ?? link(await place.mail.letter('second@example.com', 2))
  await nobody.goto(asked)
  await look(nobody, 'invitation-sign-in')
  await second.goto(asked)
  await look(second, 'invitation-own')
})

test('every invitation that leads no further says why', async () => {
  const renewed = await invite('renewed@example.com')
  await ada.getByRole('button', { name: 'Send again: renewed@example.com' }).click()
  await nobody.goto(renewed)
  await look(nobody, 'invitation-renewed')
  await nobody.press('Send a new link to renewed@example.com')
  await look(nobody, 'invitation-sent')
  const declined = await invite('declined@example.com')
  await nobody.goto(declined)
  await nobody.press('No, thank you')
  await nobody.press('Yes')
  await look(nobody, 'invitation-declined')
  const revoked = await invite('revoked@example.com')
  await ada.getByRole('button', { name: 'Take back: revoked@example.com' }).click()
  await ada.press('Yes')
  await nobody.goto(revoked)
  await look(nobody, 'invitation-revoked')
  const accepted = await invite('accepted@example.com')
  const joined = await place.person()
  await joined.goto(accepted)
  await joined.fills({ name: 'Accepted Person', password })
  await joined.press('Create account and join')
  await joined.waitForURL('**/?said=joined')
  await nobody.goto(accepted)
  await look(nobody, 'invitation-accepted')
})

test('one more step, and what comes with it', async () => {
  const page = await place.person()
  const email = await place.signUp(page, 'Otto')
  await page.goto('/account/codes')
  const secret = OTPAuth.Secret.fromBase32(await page.locator('.shown .code code').innerText())
  await page.fills({ code: new OTPAuth.TOTP({ secret }).generate() })
  await page.press('Turn on')
  await look(page, 'recovery-codes')
  await page.goto('/account/security')
  await look(page, 'security-codes')
  await page.press('Sign out')
  await page.fills({ email, password })
  await page.press('Sign in')
  await look(page, 'sign-in-code')
  await page.getByRole('link', { name: 'I do not have the device' }).click()
  await look(page, 'sign-in-recovery-code')
})

test('a forgotten password and a moved address', async () => {
  const page = await place.person()
  const email = await place.signUp(page, 'Moved')
  await page.goto('/account')
  await page.locator('form:has([name=form][value=address]) [name=email]').fill('moved2@example.com')
  await page.press('Change address')
  await page.goto(link(await place.mail.letter('moved2@example.com')))
  await look(page, 'address-new')
  await page.press('This address is mine')
  await page.getByText('Your address is proved.').waitFor()
  const back = await place.mail.letter(email, 2)
  await nobody.goto(link(back))
  await look(nobody, 'address-old')
  await nobody.goto('/reset')
  await nobody.fills({ email: 'moved2@example.com' })
  await nobody.press('Send the link')
  await look(nobody, 'reset-sent')
  await nobody.goto(link(await place.mail.letter('moved2@example.com', 2)))
  await look(nobody, 'reset-choose')
})

test('applications that ask to act for somebody', async () => {
  const { client_id, client_secret } = place.guildhall.command('users', 'rotate-secret', '--email', 'ada@example.com')
  const post = async (at, body, headers) => (await fetch(`${place.guildhall.plain}${at}`, { method: 'POST', body, headers })).json()
  const granted = await post('/oauth/token', new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret }))
  const headers = { authorization: `Bearer ${granted.access_token}`, 'content-type': 'application/vnd.api+json' }
  const { data: [organization] } = await (await fetch(`${place.guildhall.plain}/api/organizations`, { headers })).json()
  const redirect_uri = 'https://shop.example.com/callback'
  const shop = await post('/api/api_credentials', JSON.stringify({
    data: {
      type: 'api_credentials',
      attributes: { name: 'Shop', kind: 'webapp', redirect_uri },
      relationships: { organization: { data: { type: 'organizations', id: organization.id } } }
    }
  }), headers)
  const ask = (more = {}) => `/oauth/authorize?${new URLSearchParams({ response_type: 'code', client_id: shop.data.attributes.client_id, redirect_uri, ...more })}`
  for (const [language, tag] of [['Italiano', '-it'], ['English', '']]) {
    await ada.goto(ask({ scope: 'openid profile email market:id:a store:code:b' }))
    await ada.press(language)
    await ada.getByText(language === 'English' ? 'Shop wants to act for you' : 'Shop vuole agire per te').waitFor()
    await look(ada, `consent${tag}`)
    await ada.goto(ask({ scope: 'openid email' }))
    await look(ada, `consent-know${tag}`)
  }
  const stranger = await place.person()
  await place.signUp(stranger, 'Stranger')
  await stranger.goto(ask())
  await look(stranger, 'consent-stranger')
  for (const [name, more] of [['redirect', { redirect_uri: 'https://evil.example' }], ['client', { client_id: 'x' }], ['over', { request_uri: 'urn:ietf:params:oauth:request_uri:x' }]]) {
    await ada.goto(ask(more))
    await look(ada, `request-${name}`)
  }
  await ada.goto('/account/applications')
  await look(ada, 'applications-none')
  await ada.route('https://shop.example.com/**', (route) => route.fulfill({ body: 'here' }))
  await ada.goto(ask({ scope: 'openid market:all' }))
  await ada.press('Agree')
  await ada.waitForURL('https://shop.example.com/**')
  ada.strays.length = 0
  const begun = await post('/oauth/device_authorization', new URLSearchParams({ client_id: 'dashboard' }))
  await ada.goto('/device')
  await look(ada, 'device')
  await ada.fills({ code: 'ZZZZ-ZZZZ' })
  await ada.press('Go on')
  await look(ada, 'device-wrong')
  await ada.fills({ code: begun.user_code })
  await ada.press('Go on')
  await look(ada, 'device-consent')
  await ada.press('Agree')
  await look(ada, 'device-allowed')
  const body = new URLSearchParams({ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'dashboard', device_code: begun.device_code })
  assert.ok((await post('/oauth/token', body)).access_token)
  await ada.goto('/account/applications')
  await look(ada, 'applications')
  await ada.getByRole('button', { name: /Take back/ }).click()
  await look(ada, 'applications-sure')
})

test('refusals', async () => {
  await nobody.goto('/sign-in')
  await nobody.evaluate(() => { document.querySelector('main [name=csrf]').value = 'forged' })
  await nobody.fills({ email: 'ada@example.com', password: 'wrong' })
  await nobody.press('Sign in')
  assert.equal(await nobody.heading(), 'That form cannot be accepted')
  await look(nobody, 'forged')
  await nobody.goto('/sign-in')
  for (let tries = 0; tries < 12; tries++) {
    await nobody.fills({ email: 'ada@example.com', password: 'wrong' })
    await nobody.press('Sign in')
    await nobody.locator('[role=alert].notice').waitFor()
  }
  await nobody.getByText('Too many tries.').waitFor()
  await look(nobody, 'too-many')
})

test('in Italian', async () => {
  const page = await place.person({ locale: 'it-IT' })
  await page.goto('/sign-up')
  assert.equal(await page.heading(), 'Crea il tuo account')
  await look(page, 'sign-up-it')
  await page.goto('/sign-in')
  await look(page, 'sign-in-it')
})

test('letters, light and dark', async () => {
  const page = await place.person()
  for (const letter of place.mail.letters.slice(0, 2)) {
    for (const colorScheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme })
      await page.setContent(letter.html)
      await page.screenshot({ path: path.join(screenshots, `letter-${letter.subject.replaceAll(' ', '-')}-${colorScheme}.png`) })
    }
  }
  assert.ok(fs.readdirSync(screenshots).length > 150)
})

test('a month later, with accounts closed meanwhile', async () => {
  const late = await invite('late@example.com')
  // Another server on the same data, whose clock is a month ahead.
  await place.guildhall.end()
  const env = { LD_PRELOAD: faketime, FAKETIME: '+31d', FAKETIME_DONT_FAKE_MONOTONIC: '1' }
  await place.guildhall.again(env, '--sign-up', 'closed')
  await nobody.context().clearCookies()
  await nobody.goto(late)
  assert.equal(await nobody.heading(), 'This invitation has expired')
  await look(nobody, 'invitation-expired')
  await nobody.press('Send a new link to late@example.com')
  await nobody.goto(link(await place.mail.letter('late@example.com', 2)))
  await look(nobody, 'invitation-closed')
  await nobody.goto('/sign-up')
  assert.equal(await nobody.heading(), 'No new accounts here')
  await look(nobody, 'sign-up-closed')
})
