// better-auth with its organization plugin, filled with one organization, behind Node's own HTTP server: what it says is
// where it is and how somebody in it asks.
import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { toNodeHandler } from 'better-auth/node'
import { organization } from 'better-auth/plugins'
import Database from 'better-sqlite3'
import http from 'node:http'
import pg from 'pg'

const [where, members] = [process.argv[2], Number(process.argv[3])]
const isServer = where.startsWith('postgres')
const database = isServer ? new pg.Pool({ connectionString: where, max: 10 }) : new Database(where)
if (!isServer) {
  // As durable as what it is compared with.
  database.pragma('journal_mode = wal')
  database.pragma('synchronous = full')
}
const server = http.createServer((request, response) => handler(request, response))
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const base = `http://127.0.0.1:${server.address().port}`
const options = {
  baseURL: base,
  secret: 'a secret that is long enough for everybody',
  database,
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [organization({ membershipLimit: 10_000_000, organizationLimit: 10_000_000, invitationLimit: 10_000_000, sendInvitationEmail: async () => {} })]
}
await (await getMigrations(options)).runMigrations()
const auth = betterAuth(options)
const handler = toNodeHandler(auth)

const ask = async (path, body, cookie) => {
  const answer = await fetch(`${base}/api/auth${path}`, {
    method: 'POST', headers: { 'content-type': 'application/json', origin: base, ...(cookie && { cookie }) }, body: JSON.stringify(body)
  })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return answer
}
const signedUp = await ask('/sign-up/email', { email: 'ada@example.com', password: 'correct horse battery', name: 'Ada Example' })
const cookie = signedUp.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ')
const made = await ask('/organization/create', { name: 'Large', slug: 'large' }, cookie).then((answer) => answer.json())
const { adapter } = await auth.$context
for (let number = 1; number < members; number += 1) {
  const user = await adapter.create({
    model: 'user',
    data: { name: `Member ${number}`, email: `member${number}@example.com`, emailVerified: true, createdAt: new Date(), updatedAt: new Date() }
  })
  await adapter.create({ model: 'member', data: { organizationId: made.id, userId: user.id, role: 'member', createdAt: new Date() } })
}
console.log(JSON.stringify({ port: server.address().port, cookie, organization: made.id }))
