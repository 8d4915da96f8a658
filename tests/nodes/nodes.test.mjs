// Several nodes on one database behave as one.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { freePort, until, wait } from '../tools.mjs'
import { membership, openHouse, organization } from './house.mjs'

let house
let here
let there
let ada

before(async () => {
  house = await openHouse()
  // Started together on an empty database: one makes the schema and the keys, the others wait.
  const started = await Promise.all([house.node(['--rate-limits', 'off']), house.node(['--rate-limits', 'off']), house.node(['--rate-limits', 'off'])])
  ;[here, there] = started
  ada = house.user(here, 'ada')
})

after(() => house.close())

test('nodes that start together on an empty database make one schema and one pair of keys', async () => {
  const [{ steps }] = await house.query('select count(*)::int as steps from refinery_schema_history')
  const [{ keys }] = await house.query('select count(*)::int as keys from signing_keys')
  assert.equal(steps, fs.readdirSync(new URL('../../migrations', import.meta.url)).filter((name) => !name.includes('.postgres.')).length)
  assert.equal(keys, 2)
  const sets = await Promise.all([here, there].map(async (node) => (await node.ask('GET', '/.well-known/jwks.json')).text))
  assert.equal(sets[0], sets[1])
})

test('every text is sorted by its bytes, whatever the database thinks', async () => {
  const other = await house.query(`select table_name, column_name from information_schema.columns
    where table_schema = 'public' and data_type = 'text' and table_name not like 'refinery%'
    and coalesce(collation_name, '') <> 'C' and table_name in (select table_name from information_schema.tables where table_type = 'BASE TABLE')`)
  assert.deepEqual(other, [])
})

test('what is written at one node is read at the other at once', async () => {
  const token = await here.token(ada)
  const made = await here.ask('POST', '/api/organizations', { token, body: organization('Blue') })
  assert.equal(made.status, 201)
  const found = await there.ask('GET', `/api/organizations/${made.json.data.id}`, { token })
  assert.deepEqual(found.json, made.json)
})

test('what is ended at one node is refused at the other on the next request', async () => {
  const token = await here.token(ada)
  assert.equal((await there.ask('GET', '/api/user', { token })).status, 200)
  await here.ask('POST', '/oauth/revoke', { body: { client_id: ada.client_id, client_secret: ada.client_secret, token } })
  assert.equal((await there.ask('GET', '/api/user', { token })).status, 401)

  const grace = house.user(here, 'grace')
  const hers = await there.token(grace)
  assert.equal((await there.ask('GET', '/api/user', { token: hers })).status, 200)
  here.command('users', 'disable', '--email', 'grace@example.com')
  assert.equal((await there.ask('GET', '/api/user', { token: hers })).status, 401)
  assert.equal((await there.ask('POST', '/oauth/token', { body: { grant_type: 'client_credentials', client_id: grace.client_id, client_secret: grace.client_secret } })).status, 401)
})

// Whether the node here signs with a key that the other one accepts: it may have heard of the new one a moment later.
const tokenCounts = async () => (await there.ask('GET', '/api/user', { token: await here.token(ada) })).status === 200

test('a new signing key is known everywhere within a second, and so is that the old ones are refused', async (t) => {
  const old = await here.token(ada)
  assert.equal((await there.ask('GET', '/api/user', { token: old })).status, 200)
  here.command('keys', 'rotate', '--signing', '--now')
  const began = Date.now()
  await until('the refusal', async () => (await there.ask('GET', '/api/user', { token: old })).status === 401)
  t.diagnostic(`the other node knew after ${Date.now() - began} ms`)
  await until('a token that counts', tokenCounts)
})

test('a notice that nobody could hear is made up for within a second', async (t) => {
  const old = await here.token(ada)
  assert.equal((await there.ask('GET', '/api/user', { token: old })).status, 200)
  let deafened = 0
  let going = true
  const deafening = (async () => {
    while (going) {
      const ended = await house.query(`select pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and query ilike 'listen guildhall%' and pid <> pg_backend_pid()`)
      deafened += ended.length
    }
  })()
  await until('nobody to listen', () => deafened >= 3)
  here.command('keys', 'rotate', '--signing', '--now')
  const began = Date.now()
  await until('the refusal', async () => (await there.ask('GET', '/api/user', { token: old })).status === 401)
  t.diagnostic(`the other node knew after ${Date.now() - began} ms`)
  going = false
  await deafening
  await until('a token that counts', tokenCounts)
})

test('a plan is not exceeded, however many nodes are asked at once', async () => {
  here.command('users', 'create', '--email', 'tim@example.com', '--first-name', 'Tim', '--last-name', 'E', '--plan', 'growth')
  const tim = here.command('users', 'rotate-secret', '--email', 'tim@example.com')
  const token = await here.token(tim)
  const made = await Promise.all(Array.from({ length: 20 }, (_, number) => [here, there][number % 2].ask('POST', '/api/organizations', { token, body: organization(`Tim ${number}`) })))
  const statuses = made.map(({ status }) => status).sort()
  assert.equal(statuses.filter((status) => status === 201).length, 2, `${statuses}`)
  assert.deepEqual([...new Set(statuses)].sort(), [201, 422])
  const listed = await there.ask('GET', '/api/organizations', { token })
  assert.equal(listed.json.meta.record_count, 2)
})

test('of many invitations of one address at once one is made', async () => {
  const token = await here.token(ada)
  const { json } = await here.ask('POST', '/api/organizations?include=roles', { token, body: organization('Race') })
  const role = json.included[0].id
  const made = await Promise.all(Array.from({ length: 16 }, (_, number) =>
    [here, there][number % 2].ask('POST', '/api/memberships', { token, body: membership('race@example.com', json.data.id, role) })))
  const statuses = made.map(({ status }) => status)
  assert.equal(statuses.filter((status) => status === 201).length, 1, `${statuses}`)
  assert.ok(statuses.every((status) => [201, 422].includes(status)), `${statuses}`)
  const [{ letters }] = await house.query('select count(*)::int as letters from letters where recipient = $1', ['race@example.com'])
  assert.equal(letters, 1)
})

test('one organization that everybody writes to at once loses and invents nothing', async () => {
  const token = await here.token(ada)
  const { json } = await here.ask('POST', '/api/organizations?include=roles', { token, body: organization('Busy') })
  const [id, role] = [json.data.id, json.included[0].id]
  const made = await Promise.all(Array.from({ length: 120 }, (_, number) =>
    [here, there][number % 2].ask('POST', '/api/memberships', { token, body: membership(`busy${number}@example.com`, id, role) })))
  assert.deepEqual([...new Set(made.map(({ status }) => status))], [201])
  const listed = await there.ask('GET', `/api/organizations/${id}/memberships?page[size]=1`, { token })
  assert.equal(listed.json.meta.record_count, 121)
  const [{ real }] = await house.query('select count(*)::int as real from memberships where organization_id = $1', [id])
  assert.equal(real, 121)
})

test('a limit that is used up at one node is used up at the other within a second', async () => {
  const [one, two] = [await house.node(), await house.node()]
  // At the beginning of a minute, so that none ends in between.
  const left = 60_000 - Date.now() % 60_000
  if (left < 6000) await wait(left)
  const ask = (node) => node.ask('POST', '/oauth/token', { body: {}, headers: { 'x-request-id': 'limits' } })
  for (let asked = 0; asked < 30; asked += 1) assert.equal((await ask(one)).status, 400)
  assert.equal((await ask(one)).status, 429)
  await wait(1500)
  // Once, and never before: it knows by what it was told alone.
  const refused = await ask(two)
  assert.deepEqual([refused.status, refused.json.error], [429, 'too_many_requests'])
  await Promise.all([one.end(), two.end()])
})

test('letters are sent once, however many nodes send them', async () => {
  const token = await here.token(ada)
  const { json } = await here.ask('POST', '/api/organizations?include=roles', { token, body: organization('Post') })
  const [id, role] = [json.data.id, json.included[0].id]
  const addresses = Array.from({ length: 60 }, (_, number) => `post${number}@example.com`)
  const asked = await Promise.all(addresses.map((address, number) => [here, there][number % 2].ask('POST', '/api/memberships', { token, body: membership(address, id, role) })))
  assert.ok(asked.every(({ status }) => status === 201))
  const letters = fs.mkdtempSync('/tmp/guildhall-letters-')
  const workers = await Promise.all([1, 2, 3].map(() => house.node(['--mail', `dir:${letters}`, '--mail-lanes', '2'])))
  await until('all letters', async () => {
    const [{ waiting }] = await house.query('select count(*)::int as waiting from letters where due_at is not null')
    return waiting === 0
  })
  const sent = fs.readdirSync(letters).map((file) => fs.readFileSync(`${letters}/${file}`, 'utf8').match(/^To: (?:.*<)?([^>\r\n]+)/m)[1]).filter((to) => to.startsWith('post'))
  assert.deepEqual(sent.sort(), addresses.sort())
  const attempts = await house.query("select distinct attempts::int from letters where recipient like 'post%'")
  assert.deepEqual(attempts, [{ attempts: 1 }])
  await Promise.all(workers.map((worker) => worker.end()))
  fs.rmSync(letters, { recursive: true })
})

test('a node with another key does not start, and says what to do', async () => {
  const data = fs.mkdtempSync('/tmp/guildhall-stranger-')
  const { spawnSync } = await import('node:child_process')
  const { binary } = await import('./house.mjs')
  const said = spawnSync(binary, ['users', 'list', '--data', data, '--database', house.url], { encoding: 'utf8' })
  assert.notEqual(said.status, 0)
  assert.match(said.stderr, /^guildhall: .*secret\.key.*\n$/)
  fs.rmSync(data, { recursive: true })
})

test('the key of the secrets is replaced on nodes with files of their own, while all of them go on', async () => {
  const other = await openHouse()
  const nodes = [await other.node(['--rate-limits', 'off']), await other.node(['--rate-limits', 'off'])]
  const file = (node) => path.join(node.data, 'secret.key')
  const copy = () => {
    const [from, to] = nodes.map(file)
    fs.copyFileSync(from, `${to}.new`)
    fs.renameSync(`${to}.new`, to)
  }
  const token = await nodes[0].token(other.user(nodes[0], 'ada'))
  let going = true
  let read = 0
  // What one seals the other opens, all the time.
  const living = Promise.all(nodes.map(async (node, number) => {
    for (let round = 0; going; round += 1) {
      const made = await node.ask('POST', '/api/organizations?include=api_credentials', { token, body: organization(`Sealed ${number} ${round}`) })
      assert.equal(made.status, 201, made.text)
      for (const { id, attributes } of made.json.included) {
        const shown = await nodes[1 - number].ask('GET', `/api/api_credentials/${id}`, { token })
        assert.equal(shown.json.data.attributes.client_secret, attributes.client_secret)
        assert.match(attributes.client_secret, /.{20}/)
        read += 1
      }
    }
  }))
  const more = () => { const wanted = read + 10; return until('more secrets', () => read > wanted, 60_000) }
  for (const step of ['prepare', 'rotate', 'forget']) {
    await more()
    nodes[0].command('keys', step)
    await more()
    copy()
    // They look once a second.
    await wait(1500)
  }
  await more()
  going = false
  await living
  assert.equal(fs.readFileSync(file(nodes[0]), 'utf8').trim().split('\n').length, 2)
  const [{ seals }] = await other.query("select count(distinct split_part(secret, '.', 2))::int as seals from client_secrets where secret <> ''")
  assert.equal(seals, 1)
  await other.close()
})

test('nodes may share one file with the key, which the first of them makes', async () => {
  const other = await openHouse()
  const folder = fs.mkdtempSync('/tmp/guildhall-key-')
  const env = { GUILDHALL_SECRET_KEY: path.join(folder, 'secret.key') }
  const nodes = await Promise.all([1, 2].map(() => other.node([], { env })))
  const tim = other.user(nodes[0], 'tim')
  nodes[0].command('keys', 'rotate')
  const token = await nodes[1].token(tim)
  const { json } = await nodes[0].ask('POST', '/api/organizations?include=api_credentials', { token, body: organization('Shared') })
  const { id, attributes } = json.included[0]
  const shown = await nodes[1].ask('GET', `/api/api_credentials/${id}`, { token })
  assert.equal(shown.json.data.attributes.client_secret, attributes.client_secret)
  nodes[1].command('backup', path.join(folder, 'backup'))
  assert.equal(fs.readFileSync(path.join(folder, 'backup', 'secret.key'), 'utf8'), fs.readFileSync(env.GUILDHALL_SECRET_KEY, 'utf8'))
  await other.close()
  fs.rmSync(folder, { recursive: true })
})

test('metrics are told on a listener of their own, and nobody makes up a label', async () => {
  const port = await freePort()
  const node = await house.node(['--rate-limits', 'off', '--metrics-listen', `127.0.0.1:${port}`])
  const token = await node.token(ada)
  for (let asked = 0; asked < 5; asked += 1) await node.ask('GET', '/api/user', { token })
  for (let made = 0; made < 20; made += 1) await node.ask('GET', `/api/${Math.random()}?x=${Math.random()}`)
  await fetch(`${node.plain}/api/user`, { method: 'BREW' }).catch(() => {})
  assert.equal((await node.ask('GET', '/metrics')).status, 404)
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`)
  assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  const text = await answer.text()
  assert.match(text, /^guildhall_requests_total\{host="any",method="GET",status="200"\} [5-9]\d*$/m)
  assert.match(text, /^guildhall_requests_total\{host="any",method="GET",status="404"\} 2\d$/m)
  assert.match(text, /^guildhall_request_seconds_bucket\{host="any",le="0.05"\} \d+$/m)
  assert.match(text, /^guildhall_database_up 1$/m)
  assert.match(text, /^guildhall_database_statements_total \d+$/m)
  const labels = new Set([...text.matchAll(/(\w+)="/g)].map(([, label]) => label))
  assert.deepEqual([...labels].sort(), ['fate', 'host', 'le', 'method', 'status'])
  const watched = fs.readFileSync(new URL('../../deploy/grafana.json', import.meta.url), 'utf8')
  // The dashboard asks for nothing that is not there.
  const named = new Set([...watched.matchAll(/guildhall_\w+/g)].map(([name]) => name.replace(/_bucket$/, '')))
  for (const name of named) assert.match(text, new RegExp(`^# TYPE ${name} `, 'm'))
  await node.end()
})

test('nodes of before go on while the schema grows under them, and no more of them start', async () => {
  const grown = await openHouse()
  const nodes = [await grown.node(['--rate-limits', 'off']), await grown.node(['--rate-limits', 'off'])]
  const token = await nodes[0].token(grown.user(nodes[0], 'ada'))
  const load = grown.writing(nodes, token)
  await wait(500)
  // What a step of the next release does, in one transaction as it is done.
  const [{ version }] = await grown.query('select max(version) as version from refinery_schema_history')
  await grown.query(`begin;
    alter table memberships add column nickname text;
    alter table organizations add column motto text not null default 'none';
    create table badges (id text primary key, membership_id text not null references memberships (id) on delete cascade);
    create index memberships_nickname on memberships (organization_id, nickname) where nickname is not null;
    insert into refinery_schema_history (version, name, applied_on, checksum)
    select version + 1, 'badges', applied_on, '1' from refinery_schema_history where version = ${version};
    commit`)
  await load.more(100)
  await load.stop()
  assert.deepEqual([...load.others], [])
  const late = await grown.node([], { ready: false })
  await until('the refusal', () => !late.running())
  assert.match(late.log(), new RegExp(`the database is at version ${Number(version) + 1}, newer than this program, which knows ${version}: start the newer program`))
  await grown.close()
})
