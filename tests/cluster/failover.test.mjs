// The primary of a replicated PostgreSQL loses power under writes, again and again: nothing acknowledged is lost, writes
// go on by themselves, and how long they did not is measured.
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import pg from '../nodes/node_modules/pg/lib/index.js'
import { freePort, until, wait } from '../tools.mjs'

const rounds = Number(process.env.ROUNDS ?? 2)
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'guildhall-failover-'))
fs.chmodSync(folder, 0o755)
const base = 20_000 + (process.pid % 300) * 20
const environment = { ...process.env, CLUSTER: path.join(folder, 'cluster'), BASE: `${base}` }
const cluster = (word) => execFileSync(path.resolve(import.meta.dirname, 'cluster'), [word], { env: environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
const servers = [1, 2].map((number) => `127.0.0.1:${base + number}`)

let house
let front

before(async () => {
  cluster('up')
  process.env.GUILDHALL_TEST_POSTGRES = `postgres://postgres@127.0.0.1:${base}/postgres`
  const { openHouse } = await import('../nodes/house.mjs')
  house = await openHouse()
})

after(async () => {
  front?.kill()
  await house?.close()
  cluster('down')
  fs.rmSync(folder, { recursive: true })
})

// The proxy that we ship, in front of these nodes.
const openFront = async (nodes) => {
  const port = await freePort()
  const shipped = fs.readFileSync(path.resolve(import.meta.dirname, '../../deploy/haproxy.cfg'), 'utf8')
  const here = shipped.replace('bind :8080', `bind 127.0.0.1:${port}`)
    .replace('10.99.0.11:8080', new URL(nodes[0].plain).host).replace('10.99.0.12:8080', new URL(nodes[1].plain).host)
  fs.writeFileSync(path.join(folder, 'front.cfg'), here)
  front = spawn('haproxy', ['-f', path.join(folder, 'front.cfg')], { stdio: 'ignore' })
  const address = `http://127.0.0.1:${port}`
  await until('the proxy', () => fetch(`${address}/readyz`).then(({ ok }) => ok, () => false))
  return address
}

test('the primary is killed under writes, and nothing acknowledged is lost', { timeout: 600_000 }, async (t) => {
  const { asking } = await import('../nodes/house.mjs')
  // One finds the primary through a proxy, the other one by itself.
  const both = new URL(house.url.replace(`127.0.0.1:${base}/`, '127.0.0.1/'))
  const direct = `postgres://postgres@${servers.join(',')}${both.pathname}?target_session_attrs=read-write`
  const flags = ['--rate-limits', 'off', '--trusted-proxies', '127.0.0.1']
  const nodes = [await house.node(flags), await house.node(flags, { database: direct })]
  const address = await openFront(nodes)
  const ada = house.user(nodes[0], 'ada')
  const token = await nodes[0].token(ada)
  const ways = { 'through both proxies': asking(address), 'a node behind a proxy': nodes[0].ask, 'a node that knows both servers': nodes[1].ask }
  const loads = Object.entries(ways).map(([name, ask]) => ({ name, load: house.writing([{ ask }], token, 3) }))
  for (let round = 1; round <= rounds; round += 1) {
    await wait(3000)
    for (const one of loads) one.before = one.load.acknowledged.length
    const killed = Date.now()
    cluster('kill')
    // What was on its way when it was killed may still be answered; nothing after that before there is a new primary.
    await wait(1000)
    for (const one of loads) one.sent = one.load.acknowledged.length
    for (const one of loads) {
      await until(`a write ${one.name}`, () => one.load.acknowledged.length > one.sent, 90_000)
      one.outage = Date.now() - killed
    }
    t.diagnostic(`round ${round}: ${loads.map(({ name, outage, before }) => `${name} ${(outage / 1000).toFixed(1)} s (${before} writes before)`).join(', ')}`)
    await wait(2000)
    cluster('revive')
  }
  await wait(2000)
  for (const { load } of loads) await load.stop()
  t.diagnostic(`${loads.reduce((sum, { load }) => sum + load.acknowledged.length, 0)} acknowledged, refused ${JSON.stringify(loads.map(({ load }) => Object.fromEntries(load.others)))}`)
  // Both servers hold the same in the end.
  const all = loads.flatMap(({ load }) => load.acknowledged)
  for (const server of servers) {
    const client = new pg.Client({ connectionString: `postgres://postgres@${server}${both.pathname}` })
    await client.connect()
    const count = () => client.query('select id from organizations where id = any($1)', [all]).then(({ rows }) => rows.length)
    // A replica has everything before a commit is answered, and shows it a moment later.
    await until(`all of them at ${server}`, async () => (await count()) === all.length, 10_000)
    await client.end()
  }
})
