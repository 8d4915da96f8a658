import { CommerceLayerProvisioning } from '@commercelayer/provisioning-sdk'
import { authenticate } from '@commercelayer/js-auth'

const domain = process.env.DOMAIN ?? 'guildhall.localhost:8443'
const { CLIENT_ID: clientId, CLIENT_SECRET: clientSecret } = process.env
const { accessToken, errors } = await authenticate('client_credentials', { clientId, clientSecret, domain })
if (errors) throw new Error(errors[0].detail)

const guildhall = CommerceLayerProvisioning({ accessToken, domain })
const organization = await guildhall.organizations.create({ name: 'The Blue Brand' })
const roles = await guildhall.organizations.roles(organization)
for (const [user_email, kind] of [['grace@example.com', 'admin'], ['alan@example.com', 'read_only']]) {
  const role = roles.find((role) => role.kind === kind)
  await guildhall.memberships.create({ user_email, organization, role })
}
const filters = { organization_id_eq: organization.id }
for (const member of await guildhall.memberships.list({ include: ['role'], filters })) {
  console.log(member.user_email, member.role.name, member.status)
}
