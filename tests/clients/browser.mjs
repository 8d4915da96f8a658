// A browser without a script: cookies, forms, redirects, as far as the pages of the server need one.
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'

export const PASSWORD = 'orchid-tram-lantern'

export class Browser {
  cookies = new Map()
  csrf = ''

  constructor(guildhall) {
    this.guildhall = guildhall
  }

  // Opens an address and follows where it leads, as long as that is a page of the server; answers the last address and its text.
  async open(address, form) {
    let url = new URL(address, this.guildhall.dashboard)
    let body = form && new URLSearchParams({ csrf: this.csrf, ...form })
    for (;;) {
      const answer = await fetch(url, {
        method: body ? 'POST' : 'GET',
        body,
        redirect: 'manual',
        headers: { cookie: [...this.cookies].map((pair) => pair.join('=')).join('; ') }
      })
      for (const line of answer.headers.getSetCookie()) {
        const [, name, value] = line.match(/^([^=]+)=([^;]*)/)
        this.cookies.set(name, value)
      }
      const html = await answer.text()
      this.csrf = html.match(/name="csrf" value="([^"]*)"/)?.[1] ?? this.csrf
      const location = answer.headers.get('location')
      if (!location) return { url: url.href, status: answer.status, html }
      url = new URL(location, url)
      body = undefined
      if (url.origin !== new URL(this.guildhall.dashboard).origin) return { url: url.href, status: answer.status, html }
    }
  }

  // Signs somebody up, with the code from their letter.
  async signUp(name, organization = '') {
    const email = `${name}@example.com`
    await this.open('/sign-up')
    await this.open('/sign-up', { email, password: PASSWORD, first_name: name, last_name: 'Example', organization })
    const page = await this.open('/sign-up/check', { code: await code(this.guildhall, email) })
    if (!page.url.includes('said=welcome')) throw new Error(`${name} could not sign up: ${page.html}`)
    return this
  }

  // Lets an application in; answers the address it is sent back to.
  async agree(address) {
    const page = await this.open(address)
    return new URL(page.status === 303 ? page.url : (await this.open(address, { decision: 'allow' })).url)
  }
}

const code = async (guildhall, email) => {
  const folder = path.join(guildhall.data, 'mail')
  for (let tries = 0; tries < 100; tries++) {
    const letters = fs.existsSync(folder) ? fs.readdirSync(folder).sort().reverse() : []
    for (const letter of letters) {
      const text = fs.readFileSync(path.join(folder, letter), 'utf8')
      const found = text.includes(`\nTo: ${email}\r\n`) && text.match(/\r\n\s*(\d{6})\s*\r\n/)
      if (found) return found[1]
    }
    await wait(100)
  }
  throw new Error(`no code for ${email}`)
}
