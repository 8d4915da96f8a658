// A replica answers lists, and nobody can tell by what they say.
import assert from 'node:assert/strict'
import { execSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { freePort, until, wait } from '../tools.mjs'
import { binary, openHouse, openProxy, organization } from './house.mjs'

const primary = process.env.GUILDHALL_TEST_POSTGRES
const programs = process.env.GUILDHALL_TEST_POSTGRES_PROGRAMS
const run = (words) => execSync(programs.trim() + words, { stdio: 'ignore' })

let house
let folder
let port
let replica
let nodes
let token

// What happens to the replica: it starts, ends without a word, stops following and goes on.
const start = () => run(`pg_ctl -D ${folder}/data -l ${folder}/log -w -o "-p ${port} -k ${folder} -c listen_addresses=127.0.0.1 -c max_connections=400 -c fsync=off" start`)
const crash = () => run(`pg_ctl -D ${folder}/data -m immediate stop`)
const tell = async (sql) => {
  const client = new pg.Client({ connectionString: replica })
  await client.connect()
  await client.query(sql)
  await client.end()
}

before(async () => {
  house = await openHouse()
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'guildhall-replica-'))
  fs.chmodSync(folder, 0o755)
  if (process.getuid() === 0) execSync(`chown postgres ${folder}`)
  port = await freePort()
  run(`pg_basebackup -d ${primary} -D ${folder}/data -R -X stream --checkpoint=fast --no-sync`)
  start()
  replica = house.url.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`)
  nodes = []
  for (let number = 0; number < 2; number += 1) {
    const metrics = await freePort()
    const node = await house.node(['--rate-limits', 'off', '--database-replica', replica, '--metrics-listen', `127.0.0.1:${metrics}`])
    nodes.push({
      ...node,
      // How many lists the replica and the primary have answered.
      lists: async () => {
        const text = await fetch(`http://127.0.0.1:${metrics}/metrics`).then((answer) => answer.text())
        return ['replica', 'primary'].map((by) => Number(text.match(new RegExp(`replica_lists_total{by="${by}"} (\\d+)`))?.[1] ?? 0))
      }
    })
  }
  token = await nodes[0].token(house.user(nodes[0], 'ada'))
})

after(async () => {
  try { crash() } catch {}
  await house?.close()
  fs.rmSync(folder, { recursive: true })
})

let made = 0
// What is made at one node is in the list of the other one.
const makesAndLists = async () => {
  const name = `Organization ${(made += 1)}`
  const created = await nodes[0].ask('POST', '/api/organizations', { token, body: organization(name) })
  assert.equal(created.status, 201, created.text)
  const list = await nodes[1].ask('GET', '/api/organizations?sort=-created_at&page[size]=1', { token })
  assert.equal(list.status, 200, list.text)
  assert.equal(list.json.data[0].attributes.name, name)
  assert.equal(list.json.meta.record_count, made)
}

test('a list holds what was acknowledged before, whoever answers it', async () => {
  for (let round = 0; round < 60; round += 1) await makesAndLists()
  const [answered, passed] = await nodes[1].lists()
  assert.equal(answered + passed, 60)
  assert.ok(answered > 30, `the replica has answered ${answered} of 60`)
})

test('the doctor says whether it answers, and never its password', async () => {
  const asked = (url) => {
    const { stdout } = spawnSync(binary, ['--json', 'doctor', '--data', nodes[0].data, '--database', house.url, '--database-replica', url, '--domain', 'example.test'], { encoding: 'utf8' })
    const { checks, settings } = JSON.parse(stdout)
    assert.doesNotMatch(stdout, /geheim/)
    return [settings.database_replica, checks.find(({ check }) => check === 'replica').found]
  }
  assert.deepEqual(asked(replica), [replica, 'it has everything and answers lists'])
  const nowhere = replica.replace(`:${port}/`, ':1/').replace('guildhall@', 'guildhall:geheim@')
  assert.deepEqual(asked(nowhere), [nowhere.replace('geheim', '***'), 'it is away or late, so that the primary answers lists: look at its log'])
  const { status, stderr } = spawnSync(binary, ['doctor', '--data', nodes[0].data, '--database-replica', replica], { encoding: 'utf8' })
  assert.deepEqual([status, stderr], [1, 'guildhall: --database-replica is for PostgreSQL: a file has no replica\n'])
})

test('a replica that has fallen behind is not asked', async () => {
  const [before] = await nodes[1].lists()
  await tell('select pg_wal_replay_pause()')
  for (let round = 0; round < 10; round += 1) await makesAndLists()
  assert.equal((await nodes[1].lists())[0], before)
  await tell('select pg_wal_replay_resume()')
  await until('a list by the replica', async () => {
    await nodes[1].ask('GET', '/api/organizations', { token })
    return (await nodes[1].lists())[0] > before
  })
})

test('a membership that ends is at an end at once, though the replica does not know', async () => {
  const grace = await nodes[0].token(house.user(nodes[0], 'grace'))
  const blue = (await nodes[0].ask('POST', '/api/organizations?include=roles', { token, body: organization('Blue') })).json
  made += 1
  const invited = await nodes[0].ask('POST', '/api/memberships', {
    token,
    body: { data: { type: 'memberships', attributes: { user_email: 'grace@example.com' }, relationships: { organization: { data: { type: 'organizations', id: blue.data.id } }, role: { data: { type: 'roles', id: blue.included[0].id } } } } }
  })
  assert.equal(invited.status, 201, invited.text)
  const sees = async () => (await nodes[1].ask('GET', '/api/organizations', { token: grace })).json.meta.record_count
  assert.equal(await sees(), 1)
  await until('the replica to know', async () => {
    const [before] = await nodes[1].lists()
    await sees()
    return (await nodes[1].lists())[0] > before
  })
  await tell('select pg_wal_replay_pause()')
  assert.equal((await nodes[0].ask('DELETE', `/api/memberships/${invited.json.data.id}`, { token })).status, 204)
  assert.equal(await sees(), 0)
  await tell('select pg_wal_replay_resume()')
})

test('a replica that is gone is missed by nobody, and found again', async () => {
  crash()
  for (let round = 0; round < 5; round += 1) await makesAndLists()
  const [before] = await nodes[1].lists()
  start()
  await until('a list by the replica', async () => {
    await makesAndLists()
    await wait(50)
    await nodes[1].ask('GET', '/api/organizations', { token })
    return (await nodes[1].lists())[0] > before
  })
})

test('one that hangs in the middle of a list holds up nobody else', async () => {
  const proxy = await openProxy(replica)
  const node = await house.node(['--rate-limits', 'off', '--readers', '1', '--database-replica', proxy.url])
  const list = () => node.ask('GET', '/api/organizations', { token }).then(({ status }) => status)
  // It says how far it is, and when it is asked for the list it is never heard of again.
  proxy.swallowFrom('from organizations')
  let answered = false
  const hanging = list().finally(() => { answered = true })
  await until('the list', proxy.hasSwallowed)
  assert.deepEqual(await Promise.all(Array.from({ length: 10 }, list)), Array(10).fill(200))
  assert.equal(answered, false)
  assert.equal(await hanging, 200)
  await node.end()
  await proxy.close()
})

test('one that has gone its own way and is further there is not asked', async () => {
  await makesAndLists()
  const [before] = await nodes[1].lists()
  // It becomes a primary of its own, goes far ahead, and follows nobody afterwards.
  run(`pg_ctl -D ${folder}/data -w promote`)
  await tell('create table elsewhere as select repeat(n::text, 100) as text from generate_series(1, 20000) n')
  crash()
  for (const [name, text] of [['standby.signal', ''], ['postgresql.auto.conf', "primary_conninfo = ''\n"]]) {
    fs.appendFileSync(`${folder}/data/${name}`, text)
    if (process.getuid() === 0) execSync(`chown postgres ${folder}/data/${name}`)
  }
  start()
  const client = new pg.Client({ connectionString: replica })
  await client.connect()
  const asked = async (sql) => Object.values((await client.query(sql)).rows[0])[0]
  const [{ position }] = await house.query('select pg_current_wal_insert_lsn() as position')
  assert.equal(await asked(`select pg_is_in_recovery() and pg_last_wal_replay_lsn() >= '${position}'`), true)
  for (let round = 0; round < 10; round += 1) await makesAndLists()
  assert.equal(await asked(`select pg_last_wal_replay_lsn() >= '${position}'`), true)
  await client.end()
  assert.equal((await nodes[1].lists())[0], before)
})
