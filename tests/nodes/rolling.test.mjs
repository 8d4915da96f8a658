// One node after the other is stopped and started, behind the proxy as it is shipped, while people work. With
// GUILDHALL_BEFORE, the program of an earlier release, they are nodes of that which become nodes of this one: `just upgrade`.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { freePort, until, wait } from '../tools.mjs'
import { asking, binary, membership, openHouse, organization } from './house.mjs'

const WRITERS = 6
// The proxy notices after two seconds that a node stops.
const FLAGS = ['--rate-limits', 'off', '--stop-delay', '4']

let house
before(async () => { house = await openHouse() })
after(() => house.close())

// HAProxy in front of nodes, with the file from `deploy`; only addresses are others.
const openFront = async (nodes) => {
  const port = await freePort()
  const [one, two] = nodes.map((node) => new URL(node.plain).host)
  const shipped = fs.readFileSync(path.resolve(import.meta.dirname, '../../deploy/haproxy.cfg'), 'utf8')
  const here = shipped.replace('bind :8080', `bind 127.0.0.1:${port}`).replace('10.99.0.11:8080', one).replace('10.99.0.12:8080', two)
  assert.notEqual(here, shipped)
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'guildhall-front-'))
  fs.writeFileSync(path.join(folder, 'haproxy.cfg'), here)
  const front = spawn('haproxy', ['-db', '-f', path.join(folder, 'haproxy.cfg')], { stdio: 'ignore' })
  process.once('exit', () => front.kill('SIGKILL'))
  const ask = asking(`http://127.0.0.1:${port}`)
  await until('the proxy', () => ask('GET', '/readyz').then(({ status }) => status === 200, () => false))
  return { ask, close: () => { front.kill('SIGKILL'); fs.rmSync(folder, { recursive: true }) } }
}

// What somebody does to an organization of theirs, step by step; answers what did not go as it should.
const oneRound = async (ask, token, name) => {
  const wrong = []
  const step = async (wanted, method, path, body) => {
    const answer = await ask(method, path, { token, body }).catch((error) => ({ status: `${error.cause?.code ?? error}` }))
    if (answer.status === wanted) return answer.json
    wrong.push(`${method} ${path} ${answer.status} ${answer.text ?? ''}`)
  }
  const made = await step(201, 'POST', '/api/organizations?include=roles', organization(name))
  if (!made) return { wrong }
  const { id, type } = made.data
  const invited = await step(201, 'POST', '/api/memberships', membership(`${name.replaceAll(' ', '-')}@example.com`, id, made.included[0].id))
  await step(200, 'PATCH', `/api/organizations/${id}`, { data: { id, type, attributes: { name: `${name} renamed` } } })
  const found = await step(200, 'GET', `/api/organizations?filter[q][name_cont]=${encodeURIComponent(`${name} ren`)}&include=memberships`)
  if (found && found.meta.record_count !== 1) wrong.push(`${found.meta.record_count} organizations for ${name}`)
  if (invited) {
    const { id, type } = invited.data
    await step(200, 'PATCH', `/api/memberships/${id}`, { data: { id, type, attributes: { reference: name } } })
    const history = await step(200, 'GET', `/api/memberships/${id}/versions`)
    if (history && history.meta.record_count !== 1) wrong.push(`${history.meta.record_count} versions of ${name}`)
    await step(204, 'DELETE', `/api/memberships/${id}`)
  }
  return { id, wrong }
}

test('nobody is refused while one node after the other is restarted', { timeout: 240_000 }, async () => {
  const program = process.env.GUILDHALL_BEFORE ?? binary
  const nodes = [await house.node(FLAGS, { program }), await house.node(FLAGS, { program })]
  const front = await openFront(nodes)
  const token = await nodes[0].token(house.user(nodes[0], 'ada'))
  const [made, failed] = [[], []]
  let going = true
  const work = async (writer) => {
    for (let number = 0; going; number += 1) {
      const { id, wrong } = await oneRound(front.ask, token, `O ${writer} ${number}`)
      if (id) made.push(id)
      if (!wrong.length) continue
      failed.push(...wrong)
      await wait(100)
    }
  }
  const all = Array.from({ length: WRITERS }, (_, writer) => work(writer))
  const more = () => { const wanted = made.length + 20; return until('more writes', () => made.length >= wanted, 60_000) }
  try {
    await more()
    for (const node of nodes) {
      await node.end()
      await more()
      node.upgrade()
      node.begin()
      await until('the node again', node.isReady)
      // As long as the proxy takes to see it.
      await wait(2500)
      await more()
    }
  } finally {
    going = false
    await Promise.all(all)
    front.close()
  }
  assert.deepEqual(failed, [])
  const rows = await house.query('select o.id, (select count(*)::int from memberships m where m.organization_id = o.id) as members from organizations o')
  assert.deepEqual([rows.length, [...new Set(rows.map(({ members }) => members))]], [made.length, [1]])
})

test('a node that stops says so, hangs up after each answer, and goes on for as long as it was told', async () => {
  const node = await house.node(FLAGS)
  const token = await node.token(house.user(node, 'grace'))
  const before = await node.ask('GET', '/api/user', { token })
  assert.deepEqual([before.status, before.headers.get('connection')], [200, null])
  const ended = node.end()
  await until('it stops', async () => !(await node.isReady()))
  const ready = await node.ask('GET', '/readyz')
  assert.deepEqual([ready.status, ready.text], [503, 'not ready: the server stops\n'])
  for (const path of ['/api/user', '/healthz']) {
    const answer = await node.ask('GET', path, { token })
    assert.deepEqual([answer.status, answer.headers.get('connection')], [200, 'close'])
  }
  await ended
  await assert.rejects(node.ask('GET', '/healthz'))
})
