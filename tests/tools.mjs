// What tests of every kind need: to wait for something, and a port nobody has.
import net from 'node:net'

export const wait = (millis) => new Promise((resolve) => setTimeout(resolve, millis))

export const until = async (what, check, patience = 20_000) => {
  const deadline = Date.now() + patience
  for (;;) {
    const found = await check()
    if (found) return found
    if (Date.now() > deadline) throw new Error(`${what} did not happen`)
    await wait(20)
  }
}

export const freePort = () => new Promise((resolve) => {
  const probe = net.createServer().listen(0, '127.0.0.1', () => {
    const { port } = probe.address()
    probe.close(() => resolve(port))
  })
})
