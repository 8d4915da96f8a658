// What the README tells of outgrowing one machine, and docs/operating.md of running it, typed.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { freePort, until } from '../tools.mjs'

const binary = process.env.GUILDHALL ?? path.resolve(import.meta.dirname, '../../target/debug/guildhall')
const root = path.resolve(import.meta.dirname, '../..')
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8')
const blocks = (text) => [...text.matchAll(/```sh\n([^`]*)```/g)].map(([, text]) => text)

test('a house outgrows one machine as the README tells, and survives the loss of its primary', { timeout: 300_000 }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'guildhall-readme-'))
  fs.chmodSync(folder, 0o755)
  fs.mkdirSync(path.join(folder, 'target/release'), { recursive: true })
  fs.symlinkSync(binary, path.join(folder, 'target/release/guildhall'))
  for (const name of ['examples', 'tests/cluster']) fs.cpSync(path.join(root, name), path.join(folder, name), { recursive: true })
  const base = 26_000 + (process.pid % 300) * 20
  const ports = Object.fromEntries(await Promise.all(['8080', '8081', '8082', '8443', '8444', '8445'].map(async (port) => [port, await freePort()])))
  // The ports of this test are others, and what ./test has installed is there; nothing else is changed.
  const here = (text) => text.replace(/^sudo apt-get .*\n/m, '').replaceAll('guildhall:password@localhost/', 'guildhall@127.0.0.1:5500/').replaceAll('5500', base).replaceAll(/\b8(08[012]|44[345])\b/g, (port) => ports[port])
  const proxy = path.join(folder, 'tests/cluster/nodes.cfg')
  fs.writeFileSync(proxy, here(fs.readFileSync(proxy, 'utf8')))
  const env = { ...process.env, BASE: `${base}`, CLUSTER: path.join(folder, 'cluster'), npm_config_audit: 'false' }
  const words = (text) => ['-euo', 'pipefail', '-c', here(text)]
  // What is to end by itself and does not is not waited for.
  const type = (text) => execFileSync('bash', words(text), { cwd: folder, env, encoding: 'utf8', timeout: 150_000 })
  const running = (text) => {
    const child = spawn('bash', words(text), { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { said += text })
    const end = (signal) => { try { process.kill(-child.pid, signal) } catch {} }
    process.once('exit', () => end('SIGKILL'))
    return { said: () => said, end: async () => { end('SIGTERM'); await new Promise((resolve) => child.once('exit', resolve)) } }
  }
  process.once('exit', () => { try { type('tests/cluster/cluster down'); fs.rmSync(folder, { recursive: true }) } catch {} })

  // A house on one machine.
  const first = running('target/release/guildhall serve --dev --listen 127.0.0.1:8080 --tls-listen 127.0.0.1:8443')
  const isReady = (port) => () => fetch(`http://127.0.0.1:${port}/readyz`).then(({ ok }) => ok, () => false)
  await until('the first server', isReady(ports[8080]))
  type('target/release/guildhall users create --email you@example.com --first-name You --last-name There --json > me.json')
  const me = JSON.parse(fs.readFileSync(path.join(folder, 'me.json')))

  const section = read('README.md').split('\n## ').find((text) => text.startsWith('Outgrowing one machine'))
  const [cluster, move, start, example, failover, backup] = blocks(section)
  const [database, domain] = [move.split('\n')[0], start.split('\n')[1]]
  type(cluster)
  assert.match(type(move), /the last one found both the same/)
  await first.end()
  assert.match(type(move), /the last one found both the same/)
  // It ends when all that it has started has ended.
  const nodes = running(`trap : TERM\n${database}\n${start}wait || wait`)
  for (const port of [8081, 8082, 8080]) await until('the nodes', isReady(ports[port]))
  const { client_id: id, client_secret: secret } = me
  const client = running(`export CLIENT_ID=${id} CLIENT_SECRET=${secret} DOMAIN=guildhall.localhost:8443\n${example}`)
  const made = () => [...client.said().matchAll(/(\d+) made, the last one is (\w+)/g)]
  await until(`the first ones: ${client.said()}`, () => made().length > 5, 60_000)
  const [kill, revive, status] = failover.trim().split('\n')
  type(kill)
  await until('the client to go on', () => /back after [\d.]+ s/.test(client.said()), 60_000)
  type(revive)
  assert.match(type(status), /sync_standby/)
  await client.end()
  const all = made().map(([, , id]) => id)
  assert.ok(all.length > 7)
  const found = type(`psql -qAtX postgres://guildhall@127.0.0.1:5500/guildhall -c "select id from organizations"`).split('\n')
  assert.deepEqual(all.filter((id) => !found.includes(id)), [], 'acknowledged and gone')
  assert.match(type(`${database}\n${domain}\n${backup}`), /guildhall-backup was opened and checked/)
  await nodes.end()

  // The page for who runs it, on this test's database, and with a port for metrics that nobody has.
  const [serve, lists, keep, copy, watch, trace] = blocks(read('docs/operating.md'))
  const port = await freePort()
  const metrics = `127.0.0.1:${await freePort()}`
  const own = (text) => text.trim().replace('guildhall:password@primary/', `guildhall@127.0.0.1:${base}/`).replace('guildhall:password@replica/', `guildhall@127.0.0.1:${base + 2}/`).replace('127.0.0.1:9090', metrics)
  for (const [text, flag] of [[serve, '--database'], [lists, '--database-replica'], [watch, '--metrics-listen'], [trace, '--traces']]) {
    assert.match(text, new RegExp(`${flag} `))
    const node = running(`${database}\n${domain}\n${own(text)} --listen 127.0.0.1:${port}`)
    await until(`a node with ${flag}`, isReady(port)).catch((error) => { throw new Error(`${error.message}: ${node.said()}`) })
    if (text === watch) assert.match(await fetch(`http://${metrics}/metrics`).then((answer) => answer.text()), /^guildhall_database_up 1$/m)
    await node.end()
  }
  fs.rmSync(path.join(folder, 'guildhall-backup'), { recursive: true })
  assert.match(type(`${database}\n${keep}`), /guildhall-backup is in the database/)
  // A new one, as whoever moves out has it.
  type('psql -qAtX postgres://postgres@127.0.0.1:5500/postgres -c "create database elsewhere owner guildhall"')
  assert.match(type(copy.replaceAll('localhost/guildhall', 'localhost/elsewhere')), /the last one found both the same/)
})
