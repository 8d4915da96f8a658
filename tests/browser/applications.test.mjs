// What the README tells of applications, done with a real browser: a webapp, a person who agrees, a new secret, an end.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { binary } from '../clients/server.mjs'
import { until } from '../tools.mjs'
import { addPasskey, authenticator, folder, link, open, password } from './place.mjs'

const root = path.resolve(import.meta.dirname, '../..')
const readme = fs.readFileSync(path.join(root, 'README.md'), 'utf8')
const section = readme.split('\n## ').find((text) => text.startsWith('An application that acts for its people'))
const [register, start, replace, retire, remove] = [...section.matchAll(/```sh\n([^`]*)```/g)].map(([, text]) => text)
const token = readme.match(/export TOKEN=[^`]*?readFileSync\(0\)\)\.access_token'\)\n/)[0]

let place
let here
let ada
let grace
const env = { ...process.env }

before(async () => {
  // With limits, as whoever reads the README has them.
  place = await open('--rate-limits', 'on')
  const { domain, data, plain, settings } = place.guildhall
  here = folder()
  fs.cpSync(path.join(root, 'examples'), path.join(here, 'examples'), { recursive: true })
  fs.mkdirSync(path.join(here, 'target/release'), { recursive: true })
  fs.symlinkSync(binary, path.join(here, 'target/release/guildhall'))
  fs.symlinkSync(data, path.join(here, 'guildhall-data'))
  Object.assign(env, { DOMAIN: domain, DASHBOARD: place.home, ...settings, GUILDHALL_DEV: 'true' })
  env.PLAIN = plain
  ada = await place.person()
  await place.signUp(ada, 'Ada', 'The Blue Brand')
  await ada.goto('/organizations/the-blue-brand')
  await ada.fills({ user_email: 'grace@example.com' })
  await ada.press('Send invitation')
  grace = await place.person()
  await grace.goto(link(await place.mail.letter('grace@example.com')))
  await grace.fills({ name: 'Grace Hopper', password })
  await grace.press('Create account and join')
  await grace.waitForURL('**/?said=joined')
  await ada.goto('/account/api')
  await ada.press('Make a new secret')
  await ada.press('Yes')
  const [clientId, clientSecret] = await ada.locator('.shown .code code').allInnerTexts()
  Object.assign(env, { CLIENT_ID: clientId, CLIENT_SECRET: clientSecret })
  env.TOKEN = type(`${token}echo $TOKEN`).trim()
})

after(async () => {
  await place.close()
  fs.rmSync(here, { recursive: true })
})

// The server of this test listens elsewhere; nothing else is changed.
const type = (text) => execFileSync('bash', ['-euo', 'pipefail', '-c', text.replaceAll('http://127.0.0.1:8080', env.PLAIN)], { cwd: here, env, encoding: 'utf8' })

test('a webapp is let in, keeps working while its secret is replaced, and ends with the membership', async () => {
  type(register)
  const webapp = spawn('bash', ['-euo', 'pipefail', '-c', start], { cwd: here, env, stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  process.once('exit', () => { try { process.kill(-webapp.pid, 'SIGKILL') } catch {} })
  let said = ''
  webapp.stdout.on('data', (text) => { said += text })
  await until('the webapp', () => said.includes('open http://localhost:3000'), 60_000)

  // Signed out, so that the way leads over the sign-in page.
  await grace.press('Sign out')
  await grace.goto('http://localhost:3000/')
  assert.equal(await grace.heading(), 'Sign in')
  await grace.fills({ email: 'grace@example.com', password })
  await grace.press('Sign in')
  await grace.getByText('Shop wants to act for you').waitFor()
  const { broken, wide } = await place.look(grace, 'consent')
  assert.deepEqual([broken, wide], [[], false])
  await grace.press('Agree')
  await grace.getByText('let in by user').waitFor()
  await until('ten calls', () => said.includes('10 calls and 1 refreshes for The Blue Brand, none refused'))

  const secrets = type(replace)
  assert.equal(secrets.trim().split('\n').length, 2)
  const refreshes = () => Number(said.match(/.*calls and (\d+) refreshes(?![\s\S]*refreshes)/)?.[1] ?? 0)
  const before = refreshes()
  await until('refreshes with the new secret', () => refreshes() >= before + 2)
  env.SHOP = JSON.parse(fs.readFileSync(path.join(here, 'shop.json'), 'utf8')).data.attributes.client_id
  assert.match(type(retire), /is without that secret now/)
  const then = refreshes()
  await until('refreshes without the old one', () => refreshes() >= then + 2)
  assert.doesNotMatch(said, /refused after/)

  type(remove)
  await until('the end', () => /refused after \d+ calls and \d+ refreshes: The access token you provided is invalid\./.test(said))
  await new Promise((resolve) => (webapp.exitCode === null ? webapp.once('exit', resolve) : resolve()))
})

test('somebody who said yes before is taken back after signing in, by a page that leads on', async () => {
  const shop = JSON.parse(fs.readFileSync(path.join(here, 'shop.json'), 'utf8')).data.attributes
  const query = new URLSearchParams({ response_type: 'code', client_id: shop.client_id, redirect_uri: 'http://localhost:3000/callback' })
  await ada.route('http://localhost:3000/**', (route) => route.fulfill({ body: 'here' }))
  await ada.goto(`/oauth/authorize?${query}`)
  await ada.press('Agree')
  await ada.waitForURL('http://localhost:3000/callback?code=**')
  await ada.goto('/')
  await ada.press('Sign out')
  await ada.goto(`/oauth/authorize?${query}`)
  await ada.fills({ email: 'ada@example.com', password })
  await ada.press('Sign in')
  await ada.waitForURL('http://localhost:3000/callback?code=**')
})

test('a passkey on the way to the application leads on to it', async () => {
  const shop = JSON.parse(fs.readFileSync(path.join(here, 'shop.json'), 'utf8')).data.attributes
  const query = new URLSearchParams({ response_type: 'code', client_id: shop.client_id, redirect_uri: 'http://localhost:3000/callback', prompt: 'login' })
  await authenticator(ada)
  await addPasskey(ada)
  await ada.goto('/')
  await ada.press('Sign out')
  const shown = ada.waitForRequest((request) => request.method() === 'POST' && new URL(request.url()).pathname.startsWith('/sign-in'))
  // The page offers the passkey by itself; whoever is not offered one presses the button.
  await ada.goto(`/oauth/authorize?${query}`)
  await ada.getByRole('button', { name: 'Use a passkey' }).click({ timeout: 3000 }).catch(() => {})
  await ada.waitForURL('http://localhost:3000/callback?code=**')
  assert.match((await shown).url(), /passkey/)
})
