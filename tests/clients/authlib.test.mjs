// Authlib from PyPI against a running server.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import readline from 'node:readline'
import { after, before, test } from 'node:test'
import { start } from './server.mjs'
import { CALLBACK, openShop } from './shop.mjs'

const python = process.env.GUILDHALL_PYTHON ?? 'python3'

let guildhall
let alan

before(async () => {
  guildhall = await start('--rate-limits', 'off')
  alan = await openShop(guildhall, 'alan')
})

after(() => guildhall.stop())

for (const method of ['client_secret_basic', 'client_secret_post']) {
  test(`discovery, code with PKCE, refresh, introspection, revocation, by ${method}`, async () => {
    const words = ['standard_client.py', guildhall.issuer, alan.shop.client_id, alan.shop.client_secret, CALLBACK, method]
    const env = { ...process.env, REQUESTS_CA_BUNDLE: guildhall.authority, PYTHONWARNINGS: 'ignore' }
    const program = spawn(python, words, { cwd: import.meta.dirname, env, stdio: ['pipe', 'pipe', 'inherit'] })
    const ended = once(program, 'exit')
    const said = readline.createInterface({ input: program.stdout })[Symbol.asyncIterator]()
    const { open } = JSON.parse((await said.next()).value)
    program.stdin.end(`${JSON.stringify({ back: (await alan.browser.agree(open)).href })}\n`)
    const last = (await said.next()).value
    assert.deepEqual([(await ended)[0], last && JSON.parse(last)], [0, { sub: alan.user.id, email: 'alan@example.com' }])
  })
}
