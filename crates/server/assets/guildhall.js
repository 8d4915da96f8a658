// What a script adds to pages that work without one: passkeys, moments in one's own time, copying, showing a password.
'use strict'

const language = document.documentElement.lang

for (const time of document.querySelectorAll('time[datetime]')) {
  const moment = new Date(time.dateTime)
  if (!Number.isNaN(moment.valueOf())) time.textContent = moment.toLocaleString(language, { dateStyle: 'medium', timeStyle: 'short' })
}

for (const button of document.querySelectorAll('[data-reveal]')) {
  const input = document.getElementById(button.dataset.reveal)
  const show = button.textContent
  button.hidden = false
  button.addEventListener('click', () => {
    const hidden = input.type === 'password'
    input.type = hidden ? 'text' : 'password'
    button.textContent = hidden ? button.dataset.hide : show
    input.focus()
  })
}

if (navigator.clipboard) {
  for (const button of document.querySelectorAll('[data-copy]')) {
    const copy = button.textContent
    button.hidden = false
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector('code').textContent)
      button.textContent = button.dataset.done
      setTimeout(() => { button.textContent = copy }, 2000)
    })
  }
}

// Passkeys: options and answers travel as JSON with their bytes in base64url.

const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0))
const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

const options = async (form, kind) => {
  const body = new URLSearchParams({ csrf: form.elements.csrf.value, kind })
  const answer = await fetch('/passkey/options', { method: 'POST', body })
  if (answer.status === 403 && kind === 'create') {
    // It is a while ago that they showed who they are.
    location.assign(`/confirm?next=${encodeURIComponent(location.pathname)}`)
  }
  if (!answer.ok) throw new Error(`options: ${answer.status}`)
  const { publicKey, question } = await answer.json()
  form.elements.question.value = question
  publicKey.challenge = bytes(publicKey.challenge)
  if (publicKey.user) publicKey.user.id = bytes(publicKey.user.id)
  for (const list of [publicKey.excludeCredentials, publicKey.allowCredentials]) {
    for (const credential of list ?? []) credential.id = bytes(credential.id)
  }
  return publicKey
}

const written = (credential) => {
  const { response } = credential
  const parts = {}
  for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle']) {
    if (response[name]) parts[name] = text(response[name])
  }
  if (response.getTransports) parts.transports = response.getTransports()
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: parts,
    extensions: credential.getClientExtensionResults()
  })
}

let waiting

const run = async (form, mediation) => {
  waiting?.abort()
  waiting = new AbortController()
  const { signal } = waiting
  const kind = form.dataset.passkey
  const publicKey = await options(form, kind)
  const credential = await navigator.credentials[kind]({ publicKey, signal, ...(mediation && { mediation }) })
  form.elements.credential.value = written(credential)
  form.submit()
}

// A form is sent once, however often its button is pressed.
for (const form of document.querySelectorAll('form:not([data-passkey])')) {
  form.addEventListener('submit', (event) => {
    if (form.dataset.sent) event.preventDefault()
    form.dataset.sent = 'yes'
  })
}
// A page that comes back from history can be sent again.
addEventListener('pageshow', () => { for (const form of document.forms) delete form.dataset.sent })

if (window.PublicKeyCredential) {
  for (const form of document.querySelectorAll('form[data-passkey]')) {
    form.hidden = false
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      const button = form.querySelector('button[type="submit"]')
      const told = form.querySelector('[role="alert"]')
      button.disabled = true
      told.hidden = true
      run(form).catch(() => {
        told.textContent = form.dataset.failed
        told.hidden = false
        button.disabled = false
      })
    })
  }
  // Where an address is asked for, browsers that can offer passkeys in its field.
  const form = document.querySelector('form[data-passkey="get"]')
  if (form && document.querySelector('input[autocomplete~="webauthn"]')) {
    PublicKeyCredential.isConditionalMediationAvailable?.()
      .then((available) => available && run(form, 'conditional'))
      .catch(() => {})
  }
}
