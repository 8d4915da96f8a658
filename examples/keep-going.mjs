// Makes an organization twice a second with the official SDK, and tells when nobody answered and for how long.
import { setTimeout as wait } from 'node:timers/promises'
import { CommerceLayerProvisioning } from '@commercelayer/provisioning-sdk'
import { authenticate } from '@commercelayer/js-auth'

const domain = process.env.DOMAIN ?? 'guildhall.localhost:8443'
const { CLIENT_ID: clientId, CLIENT_SECRET: clientSecret } = process.env
const { accessToken, errors } = await authenticate('client_credentials', { clientId, clientSecret, domain })
if (errors) throw new Error(errors[0].detail)

const guildhall = CommerceLayerProvisioning({ accessToken, domain })
let made = 0
let silent
for (;;) {
  try {
    const { id } = await guildhall.organizations.create({ name: `Brand ${made + 1}` })
    made += 1
    if (silent) console.log(`back after ${((Date.now() - silent) / 1000).toFixed(1)} s`)
    silent = undefined
    console.log(`${made} made, the last one is ${id}`)
  } catch (error) {
    if (!silent) console.log(`refused: ${error.status ?? error.message}, going on`)
    silent ??= Date.now()
  }
  await wait(500)
}
