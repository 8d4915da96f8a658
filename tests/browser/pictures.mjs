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
// In a page of its own: those of the server allow no styles of others.
const reader = await place.person({ viewport: { width: 760, height: 420 } })
await reader.setContent(letter.html)
await take(reader, 'letter')
await place.close()
process.exit()
