// What goes wrong between nodes and their database, or with either of them: clear answers, and nothing acknowledged is lost.
import assert from 'node:assert/strict'
import { execSync } from 'node:child_process'
import { after, afterEach, before, test } from 'node:test'
import pg from 'pg'
import { until, wait } from '../tools.mjs'
import { openHouse, openProxy, organization } from './house.mjs'

let house
let proxy
let direct
let node
let ada
let token

before(async () => {
  house = await openHouse()
  proxy = await openProxy(house.url)
  direct = await house.node(['--rate-limits', 'off'])
  ada = house.user(direct, 'ada')
  node = await house.node(['--rate-limits', 'off'], { database: proxy.url })
  token = await node.token(ada)
})

afterEach(() => proxy.mend())

after(async () => {
  await house.close()
  await proxy.close()
})

test('a database that is not there yet is waited for, and the log says so', async () => {
  const early = await openProxy(house.url)
  early.cut()
  const waiting = await house.node([], { database: early.url, ready: false })
  await until('a word about it', () => /waiting for the database at 127\.0\.0\.1/.test(waiting.log()))
  assert.ok(waiting.running())
  early.mend()
  await until('the node', () => waiting.isReady())
  await waiting.end()
  await early.close()
})

test('a database that is gone is a 503 that says when to come back, and nobody has to restart anything', async () => {
  proxy.cut()
  const read = await node.ask('GET', '/api/user', { token })
  assert.deepEqual([read.status, read.headers.get('retry-after'), read.headers.get('content-type')], [503, '1', 'application/vnd.api+json'])
  assert.deepEqual(read.json, { errors: [{ title: 'Service unavailable', detail: 'The database cannot be reached: try again in a moment.', code: 'SERVICE_UNAVAILABLE', status: '503' }] })
  const write = await node.ask('POST', '/api/organizations', { token, body: organization('Lost') })
  assert.deepEqual([write.status, write.headers.get('retry-after')], [503, '1'])
  const grant = await node.ask('POST', '/oauth/token', { body: { grant_type: 'client_credentials', client_id: ada.client_id, client_secret: ada.client_secret } })
  assert.deepEqual([grant.status, grant.headers.get('retry-after')], [503, '1'])
  const page = await node.page('/account/security')
  assert.ok([200, 303, 503].includes(page.status), `${page.status}`)
  const ready = await node.ask('GET', '/readyz')
  assert.equal(ready.status, 503)
  assert.equal((await node.ask('GET', '/healthz')).status, 200)
  proxy.mend()
  await until('the recovery', () => node.isReady())
  assert.equal((await node.ask('GET', '/api/user', { token })).status, 200)
})

test('a connection that broke while nobody used it is not noticed', async () => {
  for (let round = 0; round < 5; round += 1) {
    assert.equal((await node.ask('GET', '/api/user', { token })).status, 200)
    proxy.cut()
    proxy.mend()
    assert.equal((await node.ask('GET', '/api/user', { token })).status, 200)
    assert.equal((await node.ask('POST', '/api/organizations', { token, body: organization('Idle') })).status, 201)
  }
})

test('connections that break under writes lose nothing that was acknowledged', async () => {
  const load = house.writing([node, direct], token)
  for (let round = 0; round < 8; round += 1) {
    await wait(250)
    proxy.cut()
    await wait(100)
    proxy.mend()
  }
  await load.more(20)
  await load.stop()
})

test('connections that end in one direction, and slow ones, lose nothing', async () => {
  const load = house.writing([node], token)
  for (let round = 0; round < 12; round += 1) {
    await wait(100)
    proxy.delay(round % 4 * 50)
    // Between two statements of a unit as well as in the middle of one.
    proxy.halfClose()
    await wait(100)
  }
  proxy.delay(0)
  await load.more(20)
  await load.stop()
})

test('a network that swallows everything is noticed, other nodes are not harmed, and nothing acknowledged is lost', async (t) => {
  const load = house.writing([node, direct], token)
  await load.more(20)
  proxy.swallow()
  const began = Date.now()
  // The network swallows until all have answered: twenty seconds at most, and the machine's own time.
  const asked = [
    direct.ask('GET', '/api/user', { token }), node.ask('GET', '/api/user', { token }), node.ask('GET', '/readyz'),
    ...[1, 2, 3, 4, 5, 6].map((number) => node.ask('POST', '/api/organizations', { token, body: organization(`Swallowed ${number}`) }))
  ]
  const [fine, ...stuck] = await Promise.race([Promise.all(asked), wait(30_000).then(() => [])])
  t.diagnostic(`all had answered after ${Date.now() - began} ms`)
  assert.equal(fine?.status, 200)
  assert.deepEqual(stuck.map(({ status }) => status), [503, 503, 503, 503, 503, 503, 503, 503])
  proxy.mend()
  await until('the recovery', () => node.isReady())
  assert.equal((await node.ask('GET', '/api/user', { token })).status, 200)
  await load.more(20)
  await load.stop()
})

test('writes that wait for each other make nobody take the node for dead', async () => {
  const client = new pg.Client({ connectionString: house.url })
  await client.connect()
  await client.query('begin')
  await client.query('lock table organizations in exclusive mode')
  const writes = Array.from({ length: 12 }, (_, number) => direct.ask('POST', '/api/organizations', { token, body: organization(`Patient ${number}`) }))
  await until('writes that wait', async () => {
    const [{ waiting }] = await house.query("select count(*)::int as waiting from pg_stat_activity where wait_event_type = 'Lock'")
    return waiting >= 4
  })
  for (let time = 0; time < 10; time += 1) assert.equal((await direct.ask('GET', '/readyz')).status, 200)
  assert.equal((await direct.ask('GET', '/api/user', { token })).status, 200)
  await client.query('commit')
  await client.end()
  for (const { status } of await Promise.all(writes)) assert.equal(status, 201)
})

test('a server that only reads is none to write to, and it is said at once', async () => {
  const name = new URL(house.url).pathname.slice(1)
  await house.query(`alter database ${name} set default_transaction_read_only = on`)
  await house.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()")
  const before = await house.query('select sum(sessions)::int as sessions from pg_stat_database')
  const refused = await direct.ask('POST', '/api/organizations', { token, body: organization('Read only') })
  assert.deepEqual([refused.status, refused.headers.get('retry-after')], [503, '1'])
  const after = await house.query('select sum(sessions)::int as sessions from pg_stat_database')
  assert.ok(after[0].sessions - before[0].sessions < 30, `${after[0].sessions - before[0].sessions} sessions`)
  assert.equal((await direct.ask('GET', '/api/user', { token })).status, 200)
  await house.query(`set default_transaction_read_only = off`)
  await house.query(`alter database ${name} set default_transaction_read_only = off`)
  await until('the recovery', async () => (await direct.ask('POST', '/api/organizations', { token, body: organization('Again') })).status === 201)
  await until('the other one', () => node.isReady())
})

test('a node that is killed again and again under writes loses nothing that was acknowledged', async () => {
  const victim = await house.node(['--rate-limits', 'off'])
  const load = house.writing([victim, direct], token)
  for (let round = 0; round < 5; round += 1) {
    await wait(400)
    await victim.end('SIGKILL')
    victim.begin()
    await until('the node', () => victim.isReady())
  }
  await load.more(20)
  await load.stop()
  await victim.end()
})

test('a database that crashes under writes loses nothing that was acknowledged', async () => {
  const load = house.writing([node, direct], token)
  for (let round = 0; round < 3; round += 1) {
    await wait(700)
    execSync(process.env.GUILDHALL_TEST_POSTGRES_CRASH, { stdio: 'ignore' })
  }
  await until('the recovery', async () => (await node.isReady()) && (await direct.isReady()))
  await load.more(20)
  await load.stop()
})
