// Several real servers on one real PostgreSQL, and what may come between them.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import crypto from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import pg from 'pg'
import { freePort, until, wait } from '../tools.mjs'

export const binary = process.env.GUILDHALL ?? path.resolve(import.meta.dirname, '../../target/debug/guildhall')
const server = process.env.GUILDHALL_TEST_POSTGRES
if (!server) throw new Error('these tests need a PostgreSQL server: run them with tests/with-postgres')

// What may come between a server and its database: it passes everything on until it is told otherwise.
export const openProxy = async (to) => {
  const { hostname, port } = new URL(to)
  const pairs = new Set()
  const state = { mode: 'pass', delay: 0, last: undefined, swallowed: false }
  const listener = net.createServer({ allowHalfOpen: true }, (inner) => {
    if (state.mode === 'refuse') return inner.destroy()
    const outer = net.connect({ host: hostname, port: Number(port), allowHalfOpen: true })
    const pair = { inner, outer }
    pairs.add(pair)
    for (const [from, into] of [[inner, outer], [outer, inner]]) {
      // However slow, what was sent first arrives first.
      let last = Promise.resolve()
      const pass = (act) => {
        const due = Date.now() + state.delay
        last = last.then(async () => {
          if (due > Date.now()) await wait(due - Date.now())
          if (!into.destroyed) act()
        })
      }
      from.on('data', (data) => {
        if (state.last && from === inner && data.includes(state.last)) { pair.isSilent = state.swallowed = true }
        if (state.mode !== 'swallow' && !pair.isSilent) pass(() => into.write(data))
      })
      from.on('end', () => pass(() => into.end()))
      from.on('error', () => into.destroy())
      from.on('close', () => { into.destroy(); pairs.delete(pair) })
    }
  })
  await new Promise((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const url = new URL(to)
  url.port = listener.address().port
  return {
    url: url.href,
    // Breaks every connection, and lets no new one in.
    cut: () => {
      state.mode = 'refuse'
      for (const { inner, outer } of pairs) { inner.destroy(); outer.destroy() }
    },
    // Takes everything and passes nothing on, as when a cable is pulled.
    swallow: () => { state.mode = 'swallow' },
    // Swallows everything on a connection from the moment on that this was said there.
    swallowFrom: (text) => { state.last = text },
    hasSwallowed: () => state.swallowed,
    // Ends its own half of every connection.
    halfClose: () => { for (const { inner } of pairs) inner.end() },
    delay: (millis) => { state.delay = millis },
    // What was swallowed never arrives.
    mend: () => {
      if (state.mode === 'swallow') for (const { inner, outer } of pairs) { inner.destroy(); outer.destroy() }
      state.mode = 'pass'
      state.delay = 0
    },
    close: () => {
      for (const { inner, outer } of pairs) { inner.destroy(); outer.destroy() }
      return new Promise((resolve) => listener.close(resolve))
    }
  }
}

// Asks a server at an address, and answers what came back.
export const asking = (address) => async (method, path, { token, body, type, headers } = {}) => {
  const answer = await fetch(address + path, {
    method,
    redirect: 'manual',
    headers: {
      ...(token && { authorization: `Bearer ${token}` }),
      ...(body !== undefined && { 'content-type': type ?? (path.startsWith('/oauth') ? 'application/json' : 'application/vnd.api+json') }),
      ...headers
    },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) })
  })
  const text = await answer.text()
  let json
  try { json = JSON.parse(text) } catch {}
  return { status: answer.status, headers: answer.headers, text, json }
}

export const openHouse = async () => {
  const name = `house_${crypto.randomBytes(6).toString('hex')}`
  const admin = new pg.Pool({ connectionString: server, max: 1 })
  admin.on('error', () => {})
  await admin.query(`create database ${name}`)
  // What is acknowledged is to survive a crash here, unlike in other tests.
  await admin.query(`alter database ${name} set synchronous_commit = on`)
  const url = new URL(server)
  url.pathname = `/${name}`
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'guildhall-nodes-'))
  const key = path.join(folder, 'secret.key')
  const nodes = []
  let count = 0

  // A server with a data folder of its own; `database` may lead through something else, and `program` may be an earlier one.
  const node = async (flags = [], { database = url.href, ready = true, env: more = {}, program = binary } = {}) => {
    const data = path.join(folder, `node-${(count += 1)}`)
    fs.mkdirSync(data, { mode: 0o700 })
    if (fs.existsSync(key)) fs.copyFileSync(key, path.join(data, 'secret.key'))
    const port = await freePort()
    const plain = `http://127.0.0.1:${port}`
    const env = { ...process.env, GUILDHALL_DATA: data, GUILDHALL_DATABASE: database, GUILDHALL_DOMAIN: 'example.test', GUILDHALL_LOG: 'text', ...more }
    let child
    let log = ''
    const begin = () => {
      child = spawn(program, ['serve', '--listen', `127.0.0.1:${port}`, ...flags], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { log += text })
    }
    process.once('exit', () => child?.kill('SIGKILL'))
    const ask = asking(plain)
    // A page, which is at another host.
    const page = (path) => new Promise((resolve, reject) => {
      const request = http.get({ host: '127.0.0.1', port, path, headers: { host: 'dashboard.example.test' } }, (answer) => {
        answer.resume()
        answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers }))
      })
      request.on('error', reject)
    })
    const self = {
      page,
      data,
      plain,
      ask,
      log: () => log,
      begin,
      // From the next beginning on it is this program.
      upgrade: () => { program = binary },
      isReady: () => ask('GET', '/readyz').then((answer) => answer.status === 200, () => false),
      running: () => child.exitCode === null && child.signalCode === null,
      command: (...words) => JSON.parse(execFileSync(program, ['--json', ...words], { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })),
      end: async (signal = 'SIGTERM') => {
        if (!self.running()) return
        const ended = new Promise((resolve) => child.once('exit', resolve))
        child.kill(signal)
        await ended
      },
      token: async ({ client_id, client_secret }) => {
        const granted = await ask('POST', '/oauth/token', { body: { grant_type: 'client_credentials', client_id, client_secret } })
        if (granted.status !== 200) throw new Error(granted.text)
        return granted.json.access_token
      }
    }
    nodes.push(self)
    begin()
    if (ready) await until('the node', () => { if (!self.running()) throw new Error(log); return self.isReady() })
    if (!fs.existsSync(key) && fs.existsSync(path.join(data, 'secret.key'))) fs.copyFileSync(path.join(data, 'secret.key'), key)
    return self
  }

  fs.writeFileSync(key, crypto.randomBytes(32).toString('base64url'), { mode: 0o600 })
  // One that breaks is replaced by the next question.
  const database = new pg.Pool({ connectionString: url.href, max: 1 })
  database.on('error', () => {})
  const query = async (sql, args) => (await database.query(sql, args)).rows

  // Makes organizations through some nodes until it is told to stop; keeps what was acknowledged.
  const writing = (nodes, token, writers = 8) => {
    const acknowledged = []
    const others = new Map()
    let going = true
    const write = async (writer) => {
      for (let number = 0; going; number += 1) {
        const at = nodes[(writer + number) % nodes.length]
        try {
          const made = await at.ask('POST', '/api/organizations', { token, body: organization(`O ${writer} ${number} ${Math.random()}`) })
          if (made.status === 201) acknowledged.push(made.json.data.id)
          else others.set(made.status, made.status === 503 ? (others.get(503) ?? 0) + 1 : made.text)
          if (made.status === 503) {
            // Thrown here it would be taken for no answer.
            if (!(Number(made.headers.get('retry-after')) >= 1)) others.set('503 without Retry-After', made.text)
            await wait(50)
          }
        } catch {
          // Whoever was not answered was not told that anything was written.
          await wait(20)
        }
      }
    }
    const all = Array.from({ length: writers }, (_, writer) => write(writer))
    return {
      acknowledged,
      others,
      // Waits until as many more were acknowledged, however slow the machine is.
      more: (count) => {
        const wanted = acknowledged.length + count
        return until(`the next ${count} writes`, () => acknowledged.length >= wanted, 60_000)
      },
      stop: async () => {
        going = false
        await Promise.all(all)
        // A refusal is a 503 that says when to come back, never a 500.
        assert.deepEqual([...others.keys()].filter((status) => status !== 503), [], JSON.stringify([...others]))
        const rows = await query('select id from organizations')
        const there = new Set(rows.map(({ id }) => id))
        assert.deepEqual(acknowledged.filter((id) => !there.has(id)), [], 'acknowledged and gone')
        // All of it or nothing: each with its owner, two roles and two credentials.
        const [{ odd }] = await query(`select count(*)::int as odd from organizations o where
          (select count(*) from memberships m where m.organization_id = o.id) <> 1 or
          (select count(*) from roles r where r.organization_id = o.id) <> 2 or
          (select count(*) from api_credentials c where c.organization_id = o.id) <> 2 or
          (select size from sizes s where s.owner = o.id and s.kind = 'memberships') <> 1`)
        assert.equal(odd, 0)
      }
    }
  }

  return {
    url: url.href,
    node,
    query,
    writing,
    user: (node, name) => node.command('users', 'create', '--email', `${name}@example.com`, '--first-name', name, '--last-name', 'Example'),
    close: async () => {
      await Promise.all(nodes.map((node) => node.end('SIGKILL')))
      await database.end()
      await admin.query(`drop database ${name} with (force)`)
      await admin.end()
      fs.rmSync(folder, { recursive: true })
    }
  }
}

// Documents as they are sent.
export const organization = (name) => ({ data: { type: 'organizations', attributes: { name } } })
export const link = (type, id) => ({ data: { type, id } })
export const membership = (email, organization, role) => ({
  data: { type: 'memberships', attributes: { user_email: email }, relationships: { organization: link('organizations', organization), role: link('roles', role) } }
})
