// Moving house between a file and a server and back, and backups that prove themselves, while servers go on.
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { until, wait } from '../tools.mjs'
import { binary, link, membership, openHouse, organization } from './house.mjs'

let house
let node
let ada
let token
let folder

const run = (...words) => spawnSync(binary, ['--json', ...words], { encoding: 'utf8', env: { ...process.env, GUILDHALL_DOMAIN: 'example.test' } })
const told = (...words) => {
  const { status, stdout, stderr } = run(...words)
  assert.equal(status, 0, stderr)
  return JSON.parse(stdout)
}

// Everything that is in a database, table by table, as text.
const everything = async () => {
  const tables = await house.query("select table_name as name from information_schema.tables where table_schema = 'public' and table_type = 'BASE TABLE' and table_name not like 'refinery%' order by 1")
  const all = {}
  for (const { name } of tables) all[name] = (await house.query(`select t::text as row from ${name} t order by 1`)).map(({ row }) => row)
  return all
}

before(async () => {
  house = await openHouse()
  node = await house.node(['--rate-limits', 'off'])
  ada = house.user(node, 'ada')
  token = await node.token(ada)
  folder = fs.mkdtempSync('/tmp/guildhall-moving-')
  for (let number = 0; number < 12; number += 1) {
    const made = await node.ask('POST', '/api/organizations?include=roles', { token, body: organization(`Città ${number} "x" \\ 'y'`) })
    const [id, role] = [made.json.data.id, made.json.included[0].id]
    for (let member = 0; member < 60; member += 1) await node.ask('POST', '/api/memberships', { token, body: membership(`m${member}@example.com`, id, role) })
    await node.ask('PATCH', `/api/organizations/${id}`, { token, body: { data: { type: 'organizations', id, attributes: { metadata: { number, nested: { list: [1, null, 'zwölf'] } } } } } })
    await node.ask('POST', '/api/api_credentials', { token, body: { data: { type: 'api_credentials', attributes: { name: `Shop ${number}`, kind: 'integration' }, relationships: { organization: link('organizations', id), role: link('roles', role) } } } })
  }
})

after(async () => {
  await house.close()
  fs.rmSync(folder, { recursive: true })
})

test('a house moves from a server to a file and back, row for row, with its ids and secrets', async () => {
  await node.end()
  const before = await everything()
  const file = `sqlite:${path.join(folder, 'there.db')}`
  const there = told('copy', '--from', house.url, '--to', file)
  assert.deepEqual([there.written, there.deleted, there.passes], [there.rows, 0, 2])
  // Once more finds nothing to do.
  assert.deepEqual(told('copy', '--from', house.url, '--to', file), { rows: there.rows, written: 0, deleted: 0, passes: 1, settled: true })
  const other = await openHouse()
  const back = told('copy', '--from', file, '--to', other.url)
  assert.equal(back.rows, there.rows)
  // What is too much goes, what differs is mended.
  await house.query("update organizations set name = 'spoiled' where slug = (select min(slug) from organizations)")
  await house.query("insert into users (id, email, email_key, plan, created_at, updated_at) values ('zzzzzzzzzz', 'z', 'z', 'enterprise', 1, 1)")
  const mended = told('copy', '--from', file, '--to', house.url)
  assert.deepEqual([mended.written, mended.deleted, mended.settled], [1, 1, true])
  assert.deepEqual(await everything(), before)
  // The file serves with the same key: tokens and secrets are what they were.
  const data = path.join(folder, 'there')
  fs.mkdirSync(data, { mode: 0o700 })
  fs.copyFileSync(path.join(node.data, 'secret.key'), path.join(data, 'secret.key'))
  const users = told('users', 'list', '--data', data, '--database', file)
  assert.deepEqual(users.map(({ email }) => email), ['ada@example.com'])
  await other.close()
  node.begin()
  await until('the node', () => node.isReady())
})

test('whoever looks sees how far it is, and nobody else', () => {
  const words = [binary, 'copy', '--from', house.url, '--to', `sqlite:${path.join(folder, 'looked-at.db')}`]
  const looked = spawnSync('script', ['-qec', words.map((word) => `'${word}'`).join(' '), '/dev/null'], { encoding: 'utf8' })
  assert.equal(looked.status, 0, looked.stdout)
  const bars = looked.stdout.split('\r').filter((line) => line.startsWith('pass 1 '))
  assert.ok(bars.length > 2, looked.stdout)
  const shown = bars.map((line) => line.match(/^pass 1 \[(#*) *\] +(\d+) % (\d+) of (\d+) rows/).slice(1).map((part, index) => index ? Number(part) : part.length))
  for (const [filled, percent, done, total] of shown) assert.deepEqual([filled, percent], [Math.floor(percent / 4), Math.floor(done * 100 / total)])
  assert.deepEqual(shown.map(([, percent]) => percent), shown.map(([, percent]) => percent).sort((one, other) => one - other))
  assert.equal(shown.at(-1)[1], 100)
  const unlooked = spawnSync(words[0], words.slice(1), { encoding: 'utf8' })
  assert.deepEqual([unlooked.status, unlooked.stderr], [0, ''])
})

test('a move that is broken off is gone on with', async () => {
  const file = `sqlite:${path.join(folder, 'broken.db')}`
  for (const millis of [150, 300, 450]) {
    const child = spawn(binary, ['copy', '--from', house.url, '--to', file], { stdio: 'ignore' })
    await wait(millis)
    child.kill('SIGKILL')
    await new Promise((resolve) => (child.exitCode === null && child.signalCode === null ? child.once('exit', resolve) : resolve()))
  }
  const moved = told('copy', '--from', house.url, '--to', file)
  assert.ok(moved.rows > 1000 && moved.written < moved.rows * 1.5, JSON.stringify(moved))
})

test('a house that is lived in moves all the same', async () => {
  let going = true
  const writing = (async () => {
    for (let number = 0; going; number += 1) {
      const made = await node.ask('POST', '/api/organizations', { token, body: organization(`Meanwhile ${number}`) })
      assert.equal(made.status, 201)
      if (number === 20) going = false
    }
  })()
  const file = `sqlite:${path.join(folder, 'lived.db')}`
  const moving = new Promise((resolve) => {
    const child = spawn(binary, ['--json', 'copy', '--from', house.url, '--to', file])
    let out = ''
    child.stdout.on('data', (text) => { out += text })
    child.once('exit', (code) => resolve([code, out]))
  })
  await writing
  const [code, out] = await moving
  // Whether people went on while the last pass was made, it says, and by its status too.
  assert.equal(code, JSON.parse(out).settled ? 0 : 1)
  const last = told('copy', '--from', house.url, '--to', file)
  assert.ok(last.settled, JSON.stringify(last))
})

test('what moved from one row to another since the last time is no obstacle', async () => {
  const server = await openHouse()
  const targets = [`sqlite:${path.join(folder, 'swapped.db')}`, server.url]
  for (const target of targets) told('copy', '--from', house.url, '--to', target)
  const [one, other] = await house.query('select id, slug from organizations order by id limit 2')
  await house.query("update organizations set slug = 'for-a-moment' where id = $1", [one.id])
  await house.query('update organizations set slug = $2 where id = $1', [other.id, one.slug])
  await house.query('update organizations set slug = $2 where id = $1', [one.id, other.slug])
  const [{ id }] = await house.query("select id from memberships where not owner order by id limit 1")
  await house.query("update memberships set id = 'zzzzzzzzzz' where id = $1", [id])
  // An organization has another owner.
  const [heir] = await house.query('select id, organization_id from memberships where not owner and organization_id = $1 order by id limit 1', [one.id])
  await house.query('update memberships set owner = false where owner and organization_id = $1', [one.id])
  await house.query('update memberships set owner = true where id = $1', [heir.id])
  for (const target of targets) {
    assert.ok(told('copy', '--from', house.url, '--to', target).settled)
    assert.equal(told('copy', '--from', house.url, '--to', target).written, 0)
  }
  await server.close()
})

test('nobody loses a house by a slip', async () => {
  const before = await everything()
  const lose = (...words) => {
    const { status, stderr } = run('copy', ...words)
    assert.equal(status, 1)
    assert.equal(stderr.trim().split('\n').length, 1)
    return stderr
  }
  const typo = path.join(folder, 'typo.db')
  assert.match(lose('--from', `sqlite:${typo}`, '--to', house.url), /there is no house in the database of --from/)
  assert.ok(!fs.existsSync(typo))
  // Another spelling of the same place.
  assert.match(lose('--from', house.url, '--to', house.url.replace('127.0.0.1', 'localhost')), /are the same database/)
  // The wrong way round, after people went on living in the new one.
  const file = `sqlite:${path.join(folder, 'old.db')}`
  told('copy', '--from', house.url, '--to', file)
  await node.ask('POST', '/api/organizations', { token, body: organization('Since then') })
  assert.match(lose('--from', file, '--to', house.url), /was lived in since it was copied/)
  // Somebody else's.
  const other = await openHouse()
  const stranger = await other.node()
  other.user(stranger, 'eve')
  assert.match(lose('--from', other.url, '--to', house.url), /there is another house/)
  await stranger.end()
  await other.close()
  const after = await everything()
  for (const table of ['users', 'memberships', 'roles', 'signing_keys']) assert.deepEqual(after[table], before[table].length ? after[table] : [], table)
  assert.equal(after.organizations.length, before.organizations.length + 1)
})

test('a backup is made while people work, of one moment', async () => {
  let going = true
  let made = 0
  const working = Promise.all(Array.from({ length: 4 }, async (_, writer) => {
    while (going) {
      const answer = await node.ask('POST', '/api/organizations', { token, body: organization(`Busy ${writer} ${made}`) })
      assert.equal(answer.status, 201)
      made += 1
    }
  }))
  await until('the first ones', () => made > 10)
  const backup = path.join(folder, 'busy')
  const child = spawn(binary, ['--json', 'backup', backup, '--data', node.data, '--database', house.url], { env: { ...process.env, GUILDHALL_DOMAIN: 'example.test' }, stdio: ['ignore', 'ignore', 'inherit'] })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  going = false
  await working
  assert.equal(code, 0)
  // All of an organization or nothing: each has its owner, two roles and two credentials.
  const listed = told('organizations', 'list', '--data', backup)
  assert.ok(listed.length > 10)
})

test('a backup is made while serving, checked before it is called one, and comes back', async () => {
  const backup = path.join(folder, 'backup')
  const made = told('backup', backup, '--data', node.data, '--database', house.url)
  assert.deepEqual(fs.readdirSync(backup).sort(), ['guildhall.db', 'secret.key'])
  assert.ok(made.rows > 1000)
  // It is a data folder as well.
  assert.deepEqual(told('users', 'list', '--data', backup).map(({ email }) => email), ['ada@example.com'])
  // Something is lost, and comes back.
  const before = await everything()
  const shown = await node.ask('GET', '/api/organizations?page[size]=1', { token })
  await node.end()
  await house.query('delete from memberships')
  const refused = run('restore', backup, '--data', node.data, '--database', house.url)
  assert.match(refused.stderr, /there are users in the database: say --replace/)
  const key = path.join(node.data, 'secret.key')
  const kept = fs.readFileSync(key)
  told('restore', backup, '--replace', '--data', node.data, '--database', house.url)
  assert.deepEqual(fs.readFileSync(key), kept)
  const after = await everything()
  for (const table of ['users', 'organizations', 'memberships', 'roles', 'api_credentials', 'client_secrets', 'history', 'sizes']) assert.deepEqual(after[table], before[table], table)
  node.begin()
  await until('the node', () => node.isReady())
  assert.deepEqual((await node.ask('GET', '/api/organizations?page[size]=1', { token })).json, shown.json)
})

test('the key of a backup takes the place of another one, which stays beside it, and belongs to whomever that belonged to', async () => {
  const other = await openHouse()
  const server = await other.node()
  await server.end()
  const key = path.join(server.data, 'secret.key')
  const own = fs.readFileSync(key)
  const somebody = process.getuid() === 0 ? 65534 : process.getuid()
  fs.chownSync(key, somebody, process.getgid())
  const backup = path.join(folder, 'of-another')
  told('backup', backup, '--data', node.data, '--database', house.url)
  const restore = (...words) => run('restore', backup, ...words, '--data', server.data, '--database', other.url)
  assert.match(restore().stderr, /is another key than that of the backup/)
  for (const name of ['before-restore', 'before-restore-2']) {
    assert.equal(restore('--replace').status, 0)
    assert.deepEqual(fs.readFileSync(`${key}.${name}`), own)
    assert.deepEqual(fs.readFileSync(key), fs.readFileSync(path.join(backup, 'secret.key')))
    const { uid, mode } = fs.statSync(key)
    assert.deepEqual([uid, mode & 0o777], [somebody, 0o600])
    fs.writeFileSync(key, own)
  }
  await other.close()
})

test('a file is backed up while people work in it, and comes back', async () => {
  const served = await house.node(['--rate-limits', 'off'], { database: '' })
  const bea = served.command('users', 'create', '--email', 'bea@example.com', '--first-name', 'Bea', '--last-name', 'E')
  const hers = await served.token(bea)
  const acknowledged = []
  let going = true
  const working = Promise.all(Array.from({ length: 4 }, async (_, writer) => {
    while (going) {
      const answer = await served.ask('POST', '/api/organizations', { token: hers, body: organization(`File ${writer} ${acknowledged.length}`) })
      assert.equal(answer.status, 201)
      acknowledged.push(answer.json.data)
    }
  }))
  await until('the first ones', () => acknowledged.length > 50)
  const before = acknowledged.map(({ id }) => id)
  const backup = path.join(folder, 'of-a-file')
  const child = spawn(binary, ['--json', 'backup', backup, '--data', served.data], { env: { ...process.env, GUILDHALL_DATABASE: '', GUILDHALL_DOMAIN: 'example.test' }, stdio: ['ignore', 'ignore', 'inherit'] })
  const code = await new Promise((resolve) => child.once('exit', resolve))
  const during = acknowledged.length
  going = false
  await working
  assert.equal(code, 0)
  assert.ok(during > before.length, 'nobody waited for it')
  await served.end()
  // Everything is lost. What was acknowledged before it was begun is in it.
  for (const name of fs.readdirSync(served.data)) if (name.startsWith('guildhall.db')) fs.rmSync(path.join(served.data, name))
  told('restore', backup, '--data', served.data)
  served.begin()
  await until('the node', () => served.isReady())
  for (const id of [before[0], before.at(-1)]) {
    const shown = await served.ask('GET', `/api/organizations/${id}`, { token: hers })
    // All but how many there are by now.
    const of = ({ attributes: { subscription_info, ...rest } }) => rest
    assert.deepEqual(of(shown.json.data), of(acknowledged.find((one) => one.id === id)))
  }
  const [all, kept] = [told('organizations', 'list', '--data', backup), told('organizations', 'list', '--data', served.data)]
  assert.deepEqual(all, kept)
  const there = new Set(all.map(({ id }) => id))
  assert.deepEqual(before.filter((id) => !there.has(id)), [])
  await served.end()
})

test('what is no backup is not called one', async () => {
  const backup = path.join(folder, 'second')
  told('backup', backup, '--data', node.data, '--database', house.url)
  assert.match(run('backup', backup, '--data', node.data, '--database', house.url).stderr, /already there/)
  // Of another house: the key does not fit.
  const key = path.join(backup, 'secret.key')
  const kept = fs.readFileSync(key)
  fs.chmodSync(key, 0o600)
  fs.writeFileSync(key, Buffer.from(kept.toString().trim().split('').reverse().join('')).toString())
  assert.match(run('restore', backup, '--replace', '--data', path.join(folder, 'new'), '--database', house.url).stderr, /key/)
  fs.writeFileSync(key, kept)
  // Something is sealed with a key that is not there any more, though it is no signing key.
  const third = path.join(folder, 'third')
  const [{ id, secret }] = await house.query('select id, secret from client_secrets order by id limit 1')
  await house.query('update client_secrets set secret = $1 where id = $2', [`v2.0badc0de.${secret.split('.')[2]}`, id])
  const refused = run('backup', third, '--data', node.data, '--database', house.url)
  assert.match(refused.stderr, /there is no key for some of client_secrets\.secret/)
  assert.ok(!fs.existsSync(third))
  await house.query('update client_secrets set secret = $1 where id = $2', [secret, id])
  // A page that is broken.
  const file = path.join(backup, 'guildhall.db')
  execFileSync('dd', ['if=/dev/urandom', `of=${file}`, 'bs=4096', 'seek=20', 'count=40', 'conv=notrunc'], { stdio: 'ignore' })
  assert.notEqual(run('restore', backup, '--replace', '--data', path.join(folder, 'new'), '--database', house.url).status, 0)
  assert.equal((await node.ask('GET', '/api/user', { token })).status, 200)
})
