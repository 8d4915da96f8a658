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

// Below those that the system gives to whoever connects or does not care, and other ones in each process: between the
// moment it is found free and the moment a server listens on it nobody else is to find it.
const PORTS = 50
const first = 10_000 + (process.pid % 400) * PORTS
let next = 0

export const freePort = () => new Promise((resolve) => {
  const port = first + (next % PORTS)
  next += 1
  const probe = net.createServer()
  probe.once('error', () => resolve(freePort()))
  probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(port)))
})
