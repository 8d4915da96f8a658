// Letters under every kind of bad luck: none is lost, none comes twice but the one whose fate nobody knew.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { authenticate } from '@commercelayer/js-auth'
import { CommerceLayerProvisioning } from '@commercelayer/provisioning-sdk'
import { binary, start } from '../clients/server.mjs'
import { freePort, until } from '../tools.mjs'
import { folder, mailServer } from './place.mjs'

const invite = async (guildhall, names) => {
  const owner = guildhall.user(`owner${Math.random().toString(36).slice(2)}`)
  const { domain } = guildhall
  const { accessToken } = await authenticate('client_credentials', { clientId: owner.client_id, clientSecret: owner.client_secret, domain })
  const sdk = CommerceLayerProvisioning({ accessToken, domain })
  const organization = await sdk.organizations.create({ name: 'Post' })
  const [role] = await sdk.organizations.roles(organization)
  for (const name of names) await sdk.memberships.create({ user_email: `${name}@example.com`, organization, role })
}

// Runs a command without holding up the mail server in this process.
const command = (...words) => new Promise((resolve) => {
  const child = spawn(binary, words)
  let told = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => { told += text })
  child.on('exit', (status) => resolve([status, told]))
})

const ids = (letters) => letters.map((letter) => letter.messageId)
const names = (from, count) => Array.from({ length: count }, (_, index) => `p${from + index}`)
const waiting = (guildhall) => guildhall.command('mail', 'queue').waiting

test('a server that is down: the letters wait and leave when it is back', async () => {
  const port = await freePort()
  const guildhall = await start('--rate-limits', 'off', '--mail', `smtp://127.0.0.1:${port}`)
  await invite(guildhall, names(0, 3))
  await until('a first try', () => /letters wait/.test(guildhall.log()))
  assert.equal(waiting(guildhall), 3)
  const mail = await mailServer({ port })
  await until('three letters', () => mail.letters.length === 3)
  await until('an empty outbox', () => waiting(guildhall) === 0)
  assert.equal(new Set(ids(mail.letters)).size, 3)
  await guildhall.stop()
  await mail.stop()
})

test('kill -9 while letters leave: none is lost, at most one comes twice', async () => {
  const mail = await mailServer({ state: { onLetter: () => new Promise((resolve) => setTimeout(resolve, 15)) } })
  const guildhall = await start('--rate-limits', 'off', '--mail', mail.url)
  await invite(guildhall, names(0, 30))
  for (const count of [5, 12, 20]) {
    await until(`${count} letters`, () => mail.letters.length >= count)
    await guildhall.kill()
    await guildhall.again()
  }
  await until('an empty outbox', () => waiting(guildhall) === 0)
  const found = new Map()
  for (const id of ids(mail.letters)) found.set(id, (found.get(id) ?? 0) + 1)
  assert.equal(found.size, 30)
  assert.ok([...found.values()].every((times) => times <= 2))
  assert.ok(mail.letters.length <= 30 + 3, `${mail.letters.length} letters`)
  await guildhall.stop()
  await mail.stop()
})

test('an orderly stop lets the letter on its way arrive, once', async () => {
  let slow
  const mail = await mailServer({ state: { onLetter: () => new Promise((resolve) => { slow = resolve }) } })
  const guildhall = await start('--rate-limits', 'off', '--mail', mail.url)
  await invite(guildhall, ['one', 'two'])
  await until('a letter on its way', () => slow)
  const stopped = guildhall.end()
  setTimeout(() => slow(), 500)
  await stopped
  mail.state.onLetter = null
  await guildhall.again()
  await until('both', () => mail.letters.length === 2)
  await until('an empty outbox', () => waiting(guildhall) === 0)
  assert.equal(new Set(ids(mail.letters)).size, 2)
  await guildhall.stop()
  await mail.stop()
})

test('a server that refuses one address: the others get theirs, and the operator sees why', async () => {
  const mail = await mailServer({
    state: { refuse: (address) => address.startsWith('nobody') && Object.assign(new Error('no such person here'), { responseCode: 550 }) }
  })
  const guildhall = await start('--rate-limits', 'off', '--mail', mail.url)
  await invite(guildhall, ['nobody', 'somebody'])
  await mail.letter('somebody@example.com')
  const queue = await until('the refusal', () => {
    const queue = guildhall.command('mail', 'queue')
    return queue.refused === 1 && queue
  })
  assert.match(queue.letters[0].failure, /no such person here/)
  assert.equal(queue.letters[0].to, 'nobody@example.com')
  const [membership] = guildhall.command('memberships', 'show', '--email', 'nobody@example.com')
  assert.equal(membership.status, 'pending')
  assert.match(membership.letters[0], /^queued \S+, refused \S+: .*no such person here/)
  await guildhall.stop()
  await mail.stop()
})

test('a server that says not now, and one that hangs up on one letter: that letter waits, the others leave', async () => {
  let hung = 0
  const mail = await mailServer({
    state: {
      refuse: (address) => address.startsWith('later') && Object.assign(new Error('greylisted'), { responseCode: 451 }),
      onLetter: ({ to: [{ address }] }) => { if (address.startsWith('poison')) { hung += 1; return 'drop' } }
    }
  })
  const guildhall = await start('--rate-limits', 'off', '--mail', mail.url)
  await invite(guildhall, ['poison', 'later', 'fine'])
  await mail.letter('fine@example.com')
  const { letters } = guildhall.command('mail', 'queue')
  assert.deepEqual(letters.map((letter) => [letter.to, letter.attempts, letter.refused]), [
    ['poison@example.com', 1, false],
    ['later@example.com', 1, false]
  ])
  assert.match(letters[1].failure, /greylisted/)
  // The next try is a minute later, not at once.
  const pause = Date.parse(letters[1].due_at) - Date.now()
  assert.ok(pause > 50_000 && pause <= 61_000, `${pause} ms`)
  assert.equal(hung, 1)
  await guildhall.stop()
  await mail.stop()
})

test('a server that greets with a refusal, or refuses who we are: nothing is given up', async () => {
  const busy = await mailServer({ server: { onConnect: (session, done) => done(Object.assign(new Error('no service here'), { responseCode: 554 })) } })
  const guildhall = await start('--rate-limits', 'off', '--mail', busy.url)
  await invite(guildhall, ['grace'])
  await until('a first try', () => /letters wait/.test(guildhall.log()))
  assert.deepEqual(guildhall.command('mail', 'queue').letters.map((letter) => letter.refused), [false])
  const { port } = busy
  await busy.stop()
  const wrong = await mailServer({ port, server: { authOptional: false, onMailFrom: (address, session, done) => done(Object.assign(new Error('sender unknown'), { responseCode: 550 })) } })
  await until('a second reason', () => /sender unknown|authenticat/i.test(guildhall.command('mail', 'queue').letters[0].failure))
  assert.deepEqual(guildhall.command('mail', 'queue').letters.map((letter) => letter.refused), [false])
  await wrong.stop()
  const fine = await mailServer({ port })
  await fine.letter('grace@example.com')
  await guildhall.stop()
  await fine.stop()
})

test('TLS and a password: wrapped or by STARTTLS, and never without on another machine', async () => {
  const certificates = folder()
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-addext', 'basicConstraints=critical,CA:FALSE', '-keyout', path.join(certificates, 'key.pem'), '-out', path.join(certificates, 'cert.pem')], { stdio: 'ignore' })
  const [key, cert] = ['key.pem', 'cert.pem'].map((file) => fs.readFileSync(path.join(certificates, file)))
  const ca = ['--mail-ca', path.join(certificates, 'cert.pem')]
  for (const [scheme, secure] of [['smtps', true], ['smtp', false]]) {
    const seen = []
    const mail = await mailServer({
      tls: true,
      server: {
        secure, key, cert, authOptional: false, allowInsecureAuth: false,
        onAuth: ({ username, password }, session, done) => {
          seen.push([username, password, session.secure])
          done(password === 'p@ss/word' ? null : new Error('wrong password'), { user: username })
        }
      }
    })
    const send = (user, more = ca) => command('mail', 'test', '--to', 'me@example.com', '--data', certificates, '--domain', 'example.com', '--mail', `${scheme}://${user}localhost:${mail.port}`, ...more)
    assert.deepEqual(await send('post%40example.com:p%40ss%2Fword@'), [0, 'sent to me@example.com\n'])
    assert.deepEqual(seen, [['post@example.com', 'p@ss/word', true]])
    assert.equal(mail.letters[0].subject, 'E-mail arrives')
    const [status, told] = await send('post:wrong@')
    assert.equal(status, 1)
    assert.match(told, /^guildhall: the mail server cannot be talked to: /)
    assert.doesNotMatch(told, /post:wrong/)
    // Nobody vouches for the certificate.
    assert.equal((await send('', []))[0], 1)
    await mail.stop()
  }
})

test('`work` sends what a server leaves to it', async () => {
  const mail = await mailServer()
  const guildhall = await start('--rate-limits', 'off', '--mail', mail.url, '--worker', 'off')
  await invite(guildhall, ['grace'])
  await new Promise((resolve) => setTimeout(resolve, 300))
  assert.equal(mail.letters.length, 0)
  const worker = spawn(binary, ['work', '--mail', mail.url], { env: { ...process.env, ...guildhall.settings }, stdio: 'ignore' })
  await mail.letter('grace@example.com')
  worker.kill('SIGTERM')
  await new Promise((resolve) => worker.once('exit', resolve))
  await guildhall.stop()
  await mail.stop()
})
