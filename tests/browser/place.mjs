// A real server, a real browser, a real mail server: what the tests of pages are played with.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { createRequire } from 'node:module'
import { chromium } from 'playwright-core'
import PostalMime from 'postal-mime'
import { SMTPServer } from 'smtp-server'
import { start } from '../clients/server.mjs'
import { until } from '../tools.mjs'

export const screenshots = path.resolve(import.meta.dirname, 'screenshots')
export const password = 'orchid-tram-lantern'

const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find((file) => fs.existsSync(file))
const axe = fs.readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

// A mail server that keeps what it gets. `refuse` answers what is wrong with a recipient, `receive` gets each letter.
export const mailServer = async (options = {}) => {
  const letters = []
  const state = { refuse: () => null, onLetter: null, ...options.state }
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: options.tls ? [] : ['STARTTLS'],
    allowInsecureAuth: true,
    logger: false,
    ...options.server,
    onRcptTo: ({ address }, session, done) => done(state.refuse(address)),
    onData: (stream, session, done) => {
      const chunks = []
      stream.on('data', (chunk) => chunks.push(chunk))
      stream.on('end', async () => {
        const raw = Buffer.concat(chunks)
        const letter = { ...(await PostalMime.parse(raw)), raw: raw.toString(), session }
        if (state.onLetter && (await state.onLetter(letter, session)) === 'drop') {
          server.connections.forEach((connection) => connection._socket.destroy())
          return
        }
        letters.push(letter)
        done()
      })
    }
  })
  server.on('error', () => {})
  await new Promise((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  const { port } = server.server.address()
  const to = (address) => letters.filter((letter) => letter.to?.[0].address === address)
  return {
    letters,
    state,
    port,
    url: `smtp://127.0.0.1:${port}`,
    to,
    // The newest letter to an address, once there are so many.
    letter: (address, count = 1) => until(`letter ${count} to ${address}`, () => to(address).length >= count && to(address).at(-1)),
    stop: () => new Promise((resolve) => {
      server.close(resolve)
      server.connections.forEach((connection) => connection._socket.destroy())
    })
  }
}

export const link = (letter) => letter.text.match(/^https?:\S+$/m)[0]
export const code = (letter) => letter.text.match(/^ {4}(\d{6})$/m)[1]

// A device that keeps passkeys, played by the browser.
export const authenticator = async (page, options = {}) => {
  const client = await page.context().newCDPSession(page)
  await client.send('WebAuthn.enable')
  const { authenticatorId } = await client.send('WebAuthn.addVirtualAuthenticator', {
    options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true, ...options }
  })
  return { client, authenticatorId }
}

export const addPasskey = async (page) => {
  await page.goto('/account/security')
  await page.fills({ name: 'This laptop' })
  await page.press('Add a passkey')
  await page.getByText('The passkey is ready to sign in with.').waitFor()
}

export const open = async (...flags) => {
  const mail = await mailServer()
  const limits = flags.includes('--rate-limits') ? [] : ['--rate-limits', 'off']
  const guildhall = await start(...limits, '--mail', mail.url, ...flags)
  const { port } = new URL(guildhall.plain)
  const home = `http://dashboard.guildhall.localhost:${port}`
  const browser = await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--disable-gpu', '--host-resolver-rules=MAP *.localhost 127.0.0.1']
  })
  fs.mkdirSync(screenshots, { recursive: true })

  // Somebody with a browser profile of their own.
  const person = async (options = {}) => {
    const context = await browser.newContext({ baseURL: home, viewport: { width: 1100, height: 800 }, reducedMotion: 'reduce', locale: 'en-US', ...options })
    context.setDefaultTimeout(10_000)
    const page = await context.newPage()
    page.strays = []
    page.on('request', (request) => { if (!request.url().startsWith(home)) page.strays.push(request.url()) })
    page.on('pageerror', (error) => page.strays.push(`error: ${error.message}`))
    page.on('console', (line) => { if (/Content Security Policy|Refused to/.test(line.text())) page.strays.push(line.text()) })
    page.fills = async (fields) => { for (const [name, value] of Object.entries(fields)) await page.fill(`[name=${name}]`, value) }
    page.press = (name) => page.getByRole('button', { name, exact: true }).click()
    page.heading = () => page.locator('h1').innerText()
    return page
  }

  // Looks at a page with eyes (a picture) and with rules (axe: none may be broken).
  const look = async (page, name) => {
    await page.screenshot({ path: path.join(screenshots, `${name}.png`), fullPage: true })
    const broken = await page.evaluate(`(() => { const module = undefined; ${axe}; return axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }) })()`)
      .then((result) => result.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' ')}`))
    const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth)
    return { name, broken, wide, strays: page.strays }
  }

  const signUp = async (page, name, organization = '') => {
    const email = `${name.toLowerCase()}@example.com`
    await page.goto('/sign-up')
    await page.fills({ email, password, first_name: name, last_name: 'Example', organization })
    await page.press('Create account')
    await page.fills({ code: code(await mail.letter(email)) })
    await page.press('Go on')
    await page.waitForURL('**/?said=welcome')
    return email
  }

  return {
    guildhall,
    mail,
    home,
    browser,
    person,
    look,
    signUp,
    close: async () => {
      await browser.close()
      await guildhall.stop()
      await mail.stop()
    }
  }
}

export const folder = () => fs.mkdtempSync(path.join(os.tmpdir(), 'guildhall-'))
