// The ways to a database: encrypted, through a pooler, to the first of several hosts that will do.
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { after, before, test } from 'node:test'
import { freePort, until } from '../tools.mjs'
import { binary, openHouse, organization } from './house.mjs'

const authority = process.env.GUILDHALL_TEST_POSTGRES_CA

let house
let first
let ada

before(async () => {
  house = await openHouse()
  first = await house.node(['--rate-limits', 'off'])
  ada = house.user(first, 'ada')
})

after(() => house.close())

// The same database by other words.
const way = (host, query = {}) => {
  const url = new URL(house.url)
  url.hostname = host
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url.href
}

const list = (url) => {
  const said = spawnSync(binary, ['--json', 'users', 'list', '--data', first.data, '--database', url], { encoding: 'utf8', timeout: 30_000 })
  return said.status === 0 ? { users: JSON.parse(said.stdout).length } : { error: said.stderr }
}

test('sslmode means what it means everywhere', () => {
  for (const [url, passes] of [
    [way('localhost', { sslmode: 'verify-full', sslrootcert: authority }), true],
    [way('127.0.0.1', { sslmode: 'verify-full', sslrootcert: authority }), false],
    [way('127.0.0.1', { sslmode: 'verify-ca', sslrootcert: authority }), true],
    // Nobody whom the system believes has signed it.
    [way('localhost', { sslmode: 'verify-full' }), false],
    [way('127.0.0.1', { sslmode: 'require' }), true],
    [way('127.0.0.1', { sslmode: 'prefer' }), true],
    [way('127.0.0.1', { sslmode: 'disable' }), true]
  ]) {
    const { users, error } = list(url)
    if (passes) assert.equal(users, 1, `${url}: ${error}`)
    else assert.match(error ?? 'passed', /^guildhall: the database at (localhost|127\.0\.0\.1):\d+ cannot be reached: .*certificate.*\n$/i, url)
  }
})

test('what is encrypted is encrypted', async () => {
  const node = await house.node([], { database: way('localhost', { sslmode: 'verify-full', sslrootcert: authority, application_name: 'sealed' }) })
  await node.ask('GET', '/readyz')
  const seen = await house.query("select distinct s.ssl, s.version from pg_stat_ssl s join pg_stat_activity a using (pid) where a.application_name = 'sealed'")
  assert.deepEqual(seen, [{ ssl: true, version: 'TLSv1.3' }])
  await node.end()
})

test('what is not understood is told in one line, without the password', () => {
  for (const [query, word] of [[{ sslmode: 'sometimes' }, /sslmode/], [{ sslmode: 'verify-ca' }, /needs the authority's sslrootcert/], [{ sslmode: 'require', sslrootcert: 'system' }, /verify-full alone/], [{ sslmode: 'verify-full', sslrootcert: '/nowhere.pem' }, /nowhere\.pem/], [{ nonsense: '1' }, /nonsense/]]) {
    const url = new URL(way('localhost', query))
    url.password = 'hunter2'
    const { error } = list(url.href)
    assert.match(error, word)
    assert.equal(error.trim().split('\n').length, 1, error)
    assert.doesNotMatch(error, /hunter2/)
  }
})

test('of several hosts the first is taken that may be written to', async () => {
  const url = new URL(house.url)
  const nobody = await freePort()
  const several = house.url.replace(url.host, `127.0.0.1:${nobody},${url.host}`) + '?target_session_attrs=read-write'
  const node = await house.node(['--rate-limits', 'off'], { database: several })
  const token = await node.token(ada)
  assert.equal((await node.ask('POST', '/api/organizations', { token, body: organization('Several') })).status, 201)
  await node.end()
})

test('a pooler in transaction mode is noticed, and everything works through it', async () => {
  const [port, url] = [await freePort(), new URL(house.url)]
  const folder = fs.mkdtempSync('/tmp/guildhall-pooler-')

  fs.writeFileSync(`${folder}/pgbouncer.ini`, `[databases]
* = host=${url.hostname} port=${url.port} user=${url.username}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
`)
  fs.chmodSync(folder, 0o755)
  const isRoot = process.getuid() === 0
  if (isRoot) execFileSync('chown', ['-R', 'postgres', folder])
  const words = isRoot ? ['runuser', '-u', 'postgres', '--', 'pgbouncer', `${folder}/pgbouncer.ini`] : ['pgbouncer', `${folder}/pgbouncer.ini`]
  const pooler = spawn(words[0], words.slice(1), { stdio: 'ignore', detached: true })
  // It and whoever it runs as.
  const end = () => { try { process.kill(-pooler.pid, 'SIGKILL') } catch {} }
  process.once('exit', end)
  const pooled = new URL(house.url)
  pooled.port = port
  const open = () => house.node(['--rate-limits', 'off', '--readers', '12', '--writers', '8'], { database: pooled.href })
  await until('the pooler', () => list(pooled.href).users === 1)
  // As many as it has connections, all at once: none keeps one that another needs to begin.
  const nodes = await Promise.all([open(), open(), open(), open()])
  const token = await nodes[0].token(ada)
  const made = await Promise.all(Array.from({ length: 80 }, (_, number) => nodes[number % 2].ask('POST', '/api/organizations', { token, body: organization(`Pooled ${number}`) })))
  assert.deepEqual([...new Set(made.map(({ status }) => status))], [201])
  const read = await Promise.all(made.map(({ json }, number) => nodes[(number + 1) % 2].ask('GET', `/api/organizations/${json.data.id}?include=memberships,roles`, { token })))
  assert.deepEqual([...new Set(read.map(({ status, json }) => `${status} ${json.included.length}`))], ['200 3'])
  const [{ sessions }] = await house.query("select count(*)::int as sessions from pg_stat_activity where datname = current_database() and application_name = 'guildhall'")
  assert.ok(sessions > 0)
  // Whoever listens through it may hear nothing: what a node has to know it looks up.
  nodes[0].command('keys', 'rotate', '--signing', '--now')
  await until('the refusal', async () => (await nodes[1].ask('GET', '/api/user', { token })).status === 401)
  await Promise.all(nodes.map((node) => node.end()))
  end()
  fs.rmSync(folder, { recursive: true })
})

test('the doctor tells what a database lacks', async () => {
  const poor = await openHouse()
  const role = `role_${Math.random().toString(36).slice(2)}`
  await poor.query(`create role ${role} login`)
  await poor.query(`create schema mine authorization ${role}`)
  await poor.query(`alter role ${role} set search_path = mine`)
  const url = new URL(poor.url)
  url.username = role
  // Somebody who may not make extensions is served all the same.
  const node = await poor.node(['--rate-limits', 'off'], { database: url.href })
  const grace = poor.user(node, 'grace')
  const token = await node.token(grace)
  assert.equal((await node.ask('POST', '/api/organizations', { token, body: organization('Blue') })).status, 201)
  const found = await node.ask('GET', '/api/memberships?filter[q][user_email_cont]=race@', { token })
  assert.equal(found.json.meta.record_count, 1)
  const checks = () => {
    const { stdout } = spawnSync(binary, ['--json', 'doctor', '--data', node.data, '--database', url.href, '--domain', 'example.test'], { encoding: 'utf8' })
    return Object.fromEntries(JSON.parse(stdout).checks.map(({ check, ok, found }) => [check, [ok, found]]))
  }
  assert.match(checks()['index of addresses'][1], /^none, .*create extension pg_trgm; create index memberships_search on memberships using gin \(user_email_key gin_trgm_ops\)$/)
  assert.match(checks()['index of names'][1], /^none, .*create index organizations_search on organizations using gin \(folded\(name\) gin_trgm_ops\)$/)
  // The server of these tests never waits for its disk.
  assert.deepEqual(checks()['database writes'], [false, 'a crash loses what was acknowledged: turn on fsync'])
  // What it says is what helps.
  await poor.query('create extension pg_trgm')
  await poor.query('create index memberships_search on mine.memberships using gin (user_email_key gin_trgm_ops)')
  await poor.query('create index organizations_search on mine.organizations using gin (mine.folded(name) gin_trgm_ops)')
  assert.deepEqual(checks()['index of addresses'], [true, 'there is one'])
  assert.deepEqual(checks()['index of names'], [true, 'there is one'])
  await poor.query(`alter role ${role} set synchronous_commit = off`)
  assert.deepEqual(checks()['database writes'], [false, 'a crash loses what was acknowledged: turn on fsync and synchronous_commit'])
  await node.end()
  await poor.query(`reassign owned by ${role} to current_user`)
  await poor.close()
})
