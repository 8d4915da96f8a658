// An application that acts for whoever lets it in. Open http://localhost:3000 in a browser; from then on it asks for
// its organization again and again, and for refreshes every few calls, until it is refused. When it is told that it asks
// too often, it waits for as long as it is told to.
import crypto from 'node:crypto'
import fs from 'node:fs'
import http from 'node:http'
import { setTimeout as wait } from 'node:timers/promises'
import { authenticate, getCoreApiBaseEndpoint } from '@commercelayer/js-auth'

const domain = process.env.DOMAIN ?? 'guildhall.localhost:8443'
const dashboard = process.env.DASHBOARD ?? 'http://dashboard.guildhall.localhost:8080'
const redirectUri = 'http://localhost:3000/callback'
const read = (file) => JSON.parse(fs.readFileSync(new URL(file, import.meta.url), 'utf8'))
const shop = read('../shop.json').data.attributes

// A secret that was replaced is taken up the next time one is needed.
const client = () => {
  const replaced = fs.existsSync(new URL('../secret.json', import.meta.url))
  return { domain, clientId: shop.client_id, clientSecret: replaced ? read('../secret.json').client_secret : shop.client_secret }
}

const verifier = crypto.randomBytes(32).toString('base64url')
const state = crypto.randomBytes(16).toString('base64url')

const work = async (granted) => {
  let [calls, refreshes] = [0, 0]
  for (;;) {
    await wait(700)
    const answer = await fetch(`${getCoreApiBaseEndpoint(granted.accessToken)}/api/organization`, {
      headers: { authorization: `Bearer ${granted.accessToken}` }
    })
    if (answer.status === 429) {
      await wait(1000 * answer.headers.get('retry-after'))
      continue
    }
    const { data, errors } = await answer.json()
    if (errors) return console.log(`refused after ${calls} calls and ${refreshes} refreshes: ${errors[0].detail}`)
    calls += 1
    if (calls % 5 === 0) {
      console.log(`${calls} calls and ${refreshes} refreshes for ${data.attributes.name}, none refused`)
      const next = await authenticate('refresh_token', { ...client(), refreshToken: granted.refreshToken })
      if (next.errors?.[0].status === 429) continue
      if (next.errors) return console.log(`refused after ${calls} calls and ${refreshes} refreshes: ${next.errors[0].detail}`)
      granted = next
      refreshes += 1
    }
  }
}

const server = http.createServer(async (request, response) => {
  const url = new URL(request.url, redirectUri)
  if (url.pathname === '/') {
    const query = new URLSearchParams({
      response_type: 'code', client_id: shop.client_id, redirect_uri: redirectUri, scope: 'market:all', state,
      code_challenge: crypto.createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256'
    })
    return response.writeHead(302, { location: `${dashboard}/oauth/authorize?${query}` }).end()
  }
  if (url.pathname !== '/callback') return response.writeHead(404).end()
  const answer = url.searchParams
  const ours = answer.get('state') === state && answer.get('iss') === `https://auth.${domain}`
  if (!ours || !answer.get('code')) return response.writeHead(400).end(`no: ${answer.get('error_description') ?? answer.get('error') ?? 'not the answer to our request'}`)
  const granted = await authenticate('authorization_code', { ...client(), code: answer.get('code'), redirectUri, codeVerifier: verifier })
  if (granted.errors) return response.writeHead(400).end(`no: ${granted.errors[0].detail}`)
  response.end(`let in by ${granted.ownerType} ${granted.ownerId}: look at the terminal`)
  await work(granted)
  server.close()
  server.closeAllConnections()
})
server.listen(3000, 'localhost', () => console.log('open http://localhost:3000'))
