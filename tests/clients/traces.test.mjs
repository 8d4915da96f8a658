// Traces, as a collector that speaks OTLP takes them: whose request it was, where its time went, and no secret.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import crypto from 'node:crypto'
import { after, before, test } from 'node:test'
import { freePort, until } from '../tools.mjs'
import { start } from './server.mjs'

let collector
let said = ''
let server
const python = process.env.GUILDHALL_PYTHON ?? 'python3'

before(async () => {
  const agent = execFileSync(python, ['-c', 'import os, rotel; print(os.path.join(os.path.dirname(rotel.__file__), "rotel-agent"))'], { encoding: 'utf8' }).trim()
  const [http, grpc] = [await freePort(), await freePort()]
  const words = ['start', '--exporter', 'blackhole', '--debug-log', 'traces', '--debug-log-verbosity', 'detailed']
  collector = spawn(agent, [...words, '--otlp-http-endpoint', `127.0.0.1:${http}`, '--otlp-grpc-endpoint', `127.0.0.1:${grpc}`], { stdio: ['ignore', 'pipe', 'inherit'] })
  process.once('exit', () => collector.kill('SIGKILL'))
  collector.stdout.on('data', (text) => { said += text })
  await until('the collector', () => fetch(`http://127.0.0.1:${http}`).then(() => true, () => false))
  server = await start('--traces', `http://127.0.0.1:${http}`)
})

after(() => collector.kill())

// What the collector was told, a span each.
const spans = () => said.split(/^Span #\d+$/m).slice(1).map((text) => {
  const field = (name) => text.match(new RegExp(`^ +${name} *: (.*)$`, 'm'))?.[1]
  const attributes = Object.fromEntries([...text.matchAll(/^ +-> ([\w.]+): \w+\(([^)]*)\)$/gm)].map(([, name, value]) => [name, value]))
  return { trace: field('Trace ID'), parent: field('Parent ID'), id: field('ID'), name: field('Name'), kind: field('Kind'), status: field('Status code'), attributes }
})

test('a request is a part of what its caller traces, with its units and their statements', async () => {
  const ada = server.user('ada')
  const [trace, parent] = [crypto.randomBytes(16).toString('hex'), crypto.randomBytes(8).toString('hex')]
  const headers = { traceparent: `00-${trace}-${parent}-01`, 'x-request-id': 'traced' }
  const granted = await fetch(`${server.plain}/oauth/token`, { method: 'POST', headers: { ...headers, 'content-type': 'application/json' }, body: JSON.stringify({ grant_type: 'client_credentials', client_id: ada.client_id, client_secret: ada.client_secret }) })
  const { access_token: token } = await granted.json()
  const authorized = { ...headers, authorization: `Bearer ${token}` }
  const body = JSON.stringify({ data: { type: 'organizations', attributes: { name: 'Traced' } } })
  const made = await fetch(`${server.plain}/api/organizations`, { method: 'POST', headers: { ...authorized, 'content-type': 'application/vnd.api+json' }, body })
  assert.equal(made.status, 201)
  const { data } = await made.json()
  assert.equal((await fetch(`${server.plain}/api/organizations/${data.id}`, { headers: authorized })).status, 200)
  assert.equal((await fetch(`${server.plain}/anything/at/all`, { headers })).status, 404)
  await server.end()
  await until('the last spans', () => spans().some(({ attributes }) => attributes['url.path'] === '/anything/at/all'))

  const mine = spans().filter((span) => span.trace === trace)
  const requests = mine.filter(({ kind }) => kind === 'SPAN_KIND_SERVER')
  assert.ok(requests.every((span) => span.parent === parent))
  assert.deepEqual(requests.map(({ name, attributes }) => [name, attributes['http.response.status_code'], attributes['guildhall.request_id']]), [
    ['POST /oauth/token', '200', 'traced'],
    ['POST /api/organizations', '201', 'traced'],
    ['GET /api/organizations/{id}', '200', 'traced'],
    ['GET', '404', 'traced']
  ])
  const within = ({ id }) => mine.filter((span) => span.parent === id)
  const [unit] = within(requests[1]).filter(({ name }) => name === 'write')
  assert.equal(unit.attributes['db.system.name'], server.settings.GUILDHALL_DATABASE ? 'postgresql' : 'sqlite')
  const statements = within(unit)
  assert.ok(statements.length > 10)
  assert.ok(statements.every(({ name, attributes }) => name === 'statement' && attributes['db.query.text'] !== ''))
  assert.match(said, /-> service\.name: Str\(guildhall\)/)
  // What nobody has asked for is no part of anything.
  assert.deepEqual(spans().filter((span) => span.parent === '' && span.kind !== 'SPAN_KIND_SERVER'), [])
  for (const secret of [token, ada.client_secret, 'ada@example.com', 'Traced']) assert.ok(!said.includes(secret), secret)
})

test('a collector that is gone is missed by nobody', async () => {
  collector.kill('SIGKILL')
  await server.again()
  assert.equal((await fetch(`${server.plain}/healthz`)).status, 200)
  await server.stop()
})
