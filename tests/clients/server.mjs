// A real server in a folder of its own, over TLS, and what it takes to reach it from Node.
import { spawn, execFileSync } from 'node:child_process'
import dns from 'node:dns'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import tls from 'node:tls'
import { freePort } from '../tools.mjs'

export const binary = process.env.GUILDHALL ?? path.resolve('../../target/debug/guildhall')

// The hosts of the server are on this machine, whatever the resolver knows.
const lookup = dns.lookup
dns.lookup = (host, ...rest) => lookup(host.endsWith('.localhost') ? 'localhost' : host, ...rest)

// Where tests/with-postgres has a PostgreSQL server, every server of ours gets a database there instead of a file.
const postgres = process.env.GUILDHALL_TEST_POSTGRES
const makeDatabase = (data) => {
  const name = path.basename(data)
  execFileSync('psql', [postgres, '-qc', `create database "${name}"`])
  return Object.assign(new URL(postgres), { pathname: name }).href
}

// Trust the server's own authority in this process, as NODE_EXTRA_CA_CERTS does for a new one.
const trust = (file) => {
  const authority = fs.readFileSync(file, 'utf8')
  const createSecureContext = tls.createSecureContext
  tls.createSecureContext = (options) => {
    const context = createSecureContext(options)
    context.context.addCACert(authority)
    return context
  }
}

export const start = async (...flags) => {
  const data = fs.mkdtempSync(path.join(os.tmpdir(), 'guildhall-'))
  const [plain, secure] = [await freePort(), await freePort()]
  const domain = `guildhall.localhost:${secure}`
  const settings = { GUILDHALL_DATA: data, GUILDHALL_DOMAIN: domain, ...(postgres && { GUILDHALL_DATABASE: makeDatabase(data) }) }
  const env = { ...process.env, ...settings }
  let server
  let log = ''
  const begin = async (more = {}, ...moreFlags) => {
    const words = ['serve', '--dev', '--listen', `127.0.0.1:${plain}`, '--tls-listen', `127.0.0.1:${secure}`, ...flags, ...moreFlags]
    server = spawn(binary, words, { env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'inherit'] })
    server.stdout.on('data', (text) => { log += text })
    const deadline = Date.now() + 20_000
    for (;;) {
      const alive = await fetch(`http://127.0.0.1:${plain}/readyz`).then((answer) => answer.ok, () => false)
      // Somebody else may listen where it wanted to.
      if (alive && server.exitCode === null) break
      if (Date.now() > deadline || server.exitCode !== null) throw new Error(`the server did not start:\n${log}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  const end = async (signal) => {
    server.kill(signal)
    await new Promise((resolve) => server.once('exit', resolve))
  }
  // A test that fails leaves no server behind.
  process.once('exit', () => server.kill('SIGKILL'))
  await begin()
  trust(path.join(data, 'dev-ca.pem'))
  return {
    data,
    domain,
    // What has the program, run by somebody else, find the same house.
    settings,
    plain: `http://127.0.0.1:${plain}`,
    dashboard: `https://dashboard.${domain}`,
    issuer: `https://auth.${domain}`,
    authority: path.join(data, 'dev-ca.pem'),
    secure,
    log: () => log,
    command: (...words) => JSON.parse(execFileSync(binary, ['--json', ...words], { env, encoding: 'utf8' })),
    user: function (name) {
      return this.command('users', 'create', '--email', `${name}@example.com`, '--first-name', name, '--last-name', 'Example')
    },
    // As when the machine loses its power, as when an operator stops it, and what comes after.
    kill: () => end('SIGKILL'),
    end: () => end('SIGTERM'),
    again: begin,
    stop: async () => {
      await end('SIGTERM')
      fs.rmSync(data, { recursive: true })
      // Whatever is as long as a secret may be one.
      const secret = log.match(/[\w-]{40,}|orchid-tram-lantern|\$argon2id/)
      if (secret) throw new Error(`a secret is in the log: ${log.split('\n').find((line) => line.includes(secret[0]))}`)
    }
  }
}
