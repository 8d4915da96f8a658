// The pictures in the documentation: `just screenshots`.
import fs from 'node:fs'
import path from 'node:path'
process.env.GUILDHALL ??= path.resolve(import.meta.dirname, '../../target/debug/guildhall')
const { link, open } = await import('./place.mjs')

const folder = path.resolve(import.meta.dirname, '../../docs/pictures')
fs.mkdirSync(folder, { recursive: true })
const place = await open()
const ada = await place.person({ viewport: { width: 760, height: 900 } })
const grace = await place.person({ viewport: { width: 760, height: 900 } })
const take = async (page, name) => {
  await page.evaluate(() => { scrollTo(0, 0); document.activeElement.blur() })
  await page.screenshot({ path: path.join(folder, `${name}.png`) })
}

await ada.goto('/sign-up')
await ada.fills({ email: 'ada@example.com', first_name: 'Ada', last_name: 'Lovelace', organization: 'The Blue Brand' })
await take(ada, 'sign-up')
await place.signUp(ada, 'Ada', 'The Blue Brand')
await ada.getByRole('link', { name: 'The Blue Brand' }).click()
await ada.fills({ user_email: 'grace@example.com' })
await ada.press('Send invitation')
await take(ada, 'organization')
const letter = await place.mail.letter('grace@example.com')
await grace.goto(link(letter))
await grace.fills({ name: 'Grace Hopper' })
await take(grace, 'invitation')
// A webapp asks to act for the one who runs the organization.
const { access_token: token } = await (async () => {
  await ada.goto('/account/api')
  await ada.press('Make a new secret')
  await ada.press('Yes')
  const [id, secret] = await ada.locator('.shown .code code').allInnerTexts()
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id: id, client_secret: secret })
  return (await fetch(`${place.guildhall.plain}/oauth/token`, { method: 'POST', body })).json()
})()
const api = async (method, at, data) => (await fetch(`${place.guildhall.plain}/api/${at}`, {
  method,
  headers: { authorization: `Bearer ${token}`, 'content-type': 'application/vnd.api+json' },
  ...(data && { body: JSON.stringify({ data }) })
})).json()
const organization = (await api('GET', 'organizations')).data[0].id
const redirect_uri = 'https://shop.example.com/callback'
const shop = await api('POST', 'api_credentials', {
  type: 'api_credentials',
  attributes: { name: 'Shop', kind: 'webapp', mode: 'live', redirect_uri },
  relationships: { organization: { data: { type: 'organizations', id: organization } } }
})
const query = new URLSearchParams({ response_type: 'code', client_id: shop.data.attributes.client_id, redirect_uri, scope: 'openid email market:all' })
const wide = await place.person({ viewport: { width: 760, height: 1040 }, storageState: await ada.context().storageState() })
await wide.goto(`/oauth/authorize?${query}`)
await take(wide, 'consent')
// In a page of its own: those of the server allow no styles of others.
const reader = await place.person({ viewport: { width: 760, height: 420 } })
await reader.setContent(letter.html)
await take(reader, 'letter')
await place.close()
process.exit()
