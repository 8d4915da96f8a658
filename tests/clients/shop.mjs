// A webapp of an organization of somebody who has signed up, for the tests of several clients.
import { CommerceLayerProvisioning } from '@commercelayer/provisioning-sdk'
import { Browser } from './browser.mjs'

export const CALLBACK = 'https://app.example.com/callback'

export const openShop = async (guildhall, name, attributes = {}) => {
  const browser = await new Browser(guildhall).signUp(name)
  const own = guildhall.command('users', 'rotate-secret', '--email', `${name}@example.com`)
  const granted = await fetch(`${guildhall.issuer}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: own.client_id, client_secret: own.client_secret })
  })
  const { access_token: accessToken } = await granted.json()
  const clp = CommerceLayerProvisioning({ accessToken, domain: guildhall.domain })
  const organization = await clp.organizations.create({ name: `${name}'s brand` })
  const role = (await clp.organizations.roles(organization))[0]
  const make = (kind, more = {}) => clp.api_credentials.create({
    name: `${name}'s ${kind}`, kind, organization, ...(kind === 'integration' && { role }), ...(kind === 'webapp' && { redirect_uri: CALLBACK }), ...more
  })
  return { browser, clp, organization, make, shop: await make('webapp', attributes), user: own }
}
