// What the README tells people to type, typed.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { binary, start } from './server.mjs'

const root = path.resolve(import.meta.dirname, '../..')
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8')
const blocks = (language, text = read('README.md')) => [...text.matchAll(new RegExp('```' + language + '\n([^`]*)```', 'g'))].map(([, text]) => text)

let guildhall
let folder

before(async () => {
  guildhall = await start()
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'readme-'))
  fs.cpSync(path.join(root, 'examples'), path.join(folder, 'examples'), { recursive: true })
  fs.mkdirSync(path.join(folder, 'target/release'), { recursive: true })
  fs.symlinkSync(binary, path.join(folder, 'target/release/guildhall'))
  fs.symlinkSync(guildhall.data, path.join(folder, 'guildhall-data'))
})

after(async () => {
  await guildhall.stop()
  fs.rmSync(folder, { recursive: true })
})

// The server of this test listens elsewhere; nothing else is changed.
const type = (text) => {
  const here = text.replaceAll('http://127.0.0.1:8080', guildhall.plain)
  const env = { ...process.env, DOMAIN: guildhall.domain, ...guildhall.settings, GUILDHALL_DEV: 'true' }
  return execFileSync('bash', ['-euo', 'pipefail', '-c', here], { cwd: folder, env, encoding: 'utf8' })
}

const section = (title) => read('README.md').split('\n## ').find((text) => text.startsWith(title))
const beyond = () => blocks('sh', section('Beyond trying it out'))

test('the two commands are the ones that exist', () => {
  const [run, check] = blocks('sh')
  assert.equal(run, 'cargo run --release -- serve --dev\n')
  assert.equal(check, './test\n')
  assert.ok(fs.statSync(path.join(root, 'test')).mode & 0o100)
})

test('five minutes lead to the first invited members', () => {
  const [user, curl, sdk] = blocks('sh').slice(2)
  // In one terminal, from the first line to the last.
  const answered = type(`${user}${curl}echo\n${sdk}`).trim().split('\n')
  const [made, listed] = answered[0].replace('}{"data"', '}\n{"data"').split('\n').map((line) => JSON.parse(line))
  assert.equal(made.data.attributes.slug, 'my-first')
  assert.deepEqual(listed.included.map((one) => one.type).sort(), ['api_credentials', 'api_credentials', 'memberships', 'roles', 'roles'])
  assert.deepEqual(answered.slice(-3), ['you@example.com Admin active', 'grace@example.com Admin pending', 'alan@example.com Read-only pending'])
  assert.equal(fs.readdirSync(path.join(guildhall.data, 'mail')).length, 2)
})

test('the script in the README is the one in the examples', () => {
  assert.deepEqual(blocks('js'), [fs.readFileSync(path.join(root, 'examples/first-organization.mjs'), 'utf8')])
})

test('help, doctor and the settings are as told', () => {
  const printed = type(beyond().at(-2))
  assert.match(printed, /Usage: guildhall/)
  assert.match(printed, /ok {4}database reads: /)
  const [settings] = blocks('toml')
  fs.writeFileSync(path.join(folder, 'guildhall.toml'), settings)
  const found = execFileSync(binary, ['doctor', '--json', '--data', guildhall.data], { cwd: folder, encoding: 'utf8' })
  const { plans, limits } = JSON.parse(found).settings
  assert.deepEqual(plans.growth, { enterprise: false, organizations: 3, memberships: 25 })
  assert.deepEqual([limits['tokens-a-minute'], limits['reads-a-minute']], [60, 1000])
})

test('the mail can be tried out', () => {
  const printed = type(beyond().at(-1)).trim().split('\n')
  assert.equal(printed[0], 'sent to you@example.com')
  assert.match(printed.at(-1), /^\d+ letters wait, 0 were refused$/)
  assert.equal(fs.readdirSync(path.join(folder, 'test-letters')).length, 1)
})

test('what the pages about accounts say to type, works', () => {
  guildhall.user('alan')
  const [commands] = blocks('sh', read('docs/accounts.md'))
  assert.deepEqual(type(commands).trim().split('\n'), ['alan@example.com is disabled now', 'alan@example.com is enabled now'])
})

test('what the pages about applications say to type, works', () => {
  const [device, credentials, keys] = blocks('sh', read('docs/applications.md'))
  assert.match(JSON.parse(type(device)).user_code, /^[A-Z]{4}-[A-Z]{4}$/)
  const listed = type(credentials).trim().split('\n')
  assert.match(listed[0], /^[\w-]{43} {2}resources/)
  assert.deepEqual(listed.slice(-2), ['my-first is disabled now', 'my-first is enabled now'])
  const printed = type(keys)
  assert.match(printed, /RS512 {2}signs$/m)
  assert.match(printed, /RS512 {2}signs from /)
})

test('the pictures are there', () => {
  for (const [, picture] of read('README.md').matchAll(/!\[[^\]]*\]\(([^)]+)\)/g)) assert.ok(fs.statSync(path.join(root, picture)).size > 0, picture)
})
