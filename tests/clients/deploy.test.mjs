// What is shipped to run it by is understood by what reads it, and names nothing that the program does not know.
import assert from 'node:assert/strict'
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { freePort, until } from '../tools.mjs'
import { binary } from './server.mjs'

const shipped = path.resolve(import.meta.dirname, '../../deploy')
const read = (name) => fs.readFileSync(path.join(shipped, name), 'utf8')
let folder

before(() => { folder = fs.mkdtempSync(path.join(os.tmpdir(), 'guildhall-deploy-')); fs.chmodSync(folder, 0o755) })
after(() => fs.rmSync(folder, { recursive: true }))

test('systemd takes the unit as it is meant, and has little to say against it', () => {
  const unit = path.join(folder, 'guildhall.service')
  fs.writeFileSync(unit, read('guildhall.service').replace('/usr/local/bin/guildhall', binary))
  const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' })
  assert.deepEqual([verified.status, verified.stderr], [0, ''])
  // From 0, which is safe, to 100.
  const judged = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', unit], { encoding: 'utf8' })
  assert.equal(judged.status, 0, judged.stdout)
})

test('HAProxy takes its settings', () => {
  const checked = spawnSync('haproxy', ['-c', '-f', path.join(shipped, 'haproxy.cfg')], { encoding: 'utf8' })
  assert.equal(checked.status, 0, checked.stderr)
})

test('no file names a setting that there is not', () => {
  const help = execFileSync(binary, ['serve', '--help'], { encoding: 'utf8' })
  const known = new Set([...help.matchAll(/\[env: (GUILDHALL_\w+)/g)].map(([, name]) => name))
  assert.ok(known.size > 20)
  for (const name of fs.readdirSync(shipped)) {
    const named = [...read(name).matchAll(/GUILDHALL_[A-Z_]*[A-Z]/g)].map(([found]) => found)
    assert.deepEqual(named.filter((one) => !known.has(one)), [], name)
    if (name.endsWith('.yaml')) {
      const documents = execFileSync('python3', ['-c', 'import json, sys, yaml; print(json.dumps(list(yaml.safe_load_all(sys.stdin))))'], { input: read(name), encoding: 'utf8' })
      assert.ok(JSON.parse(documents).every((document) => document && typeof document === 'object'), name)
    }
  }
})

// What the image has: the program, the libraries it names, and a folder for its data.
const image = () => {
  const root = path.join(folder, 'image')
  const libraries = [...execFileSync('ldd', [binary], { encoding: 'utf8' }).matchAll(/(\/\S+) \(0x/g)].map(([, library]) => library)
  // No more than the base of the image comes with.
  assert.deepEqual(libraries.map((library) => path.basename(library).replace(/[-.].*/, '')).sort(), ['ld', 'libc', 'libgcc_s', 'libm'])
  for (const [from, to] of [[binary, '/usr/local/bin/guildhall'], ...libraries.map((library) => [library, library])]) {
    fs.mkdirSync(path.join(root, path.dirname(to)), { recursive: true })
    fs.copyFileSync(from, path.join(root, to))
  }
  fs.mkdirSync(path.join(root, 'data'))
  return root
}

// Its root is only read, and its data folder is somewhere else; whoever is in it is nobody.
const CONTAINER = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && mount --bind "$2" "$1/data" && root="$1" && shift 2 && exec setpriv --no-new-privs chroot --userspec=65532:65532 --groups= "$root" "$@"'
const isRoot = process.getuid() === 0
const mounts = isRoot && spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0

test('it runs as in the image: as nobody, without privileges, where it may only write its data, with what the image says', async () => {
  const said = Object.fromEntries(read('Dockerfile').match(/^ENV (.*)$/m)[1].split(' ').map((pair) => pair.split('=')))
  assert.deepEqual(Object.keys(said), ['GUILDHALL_DATA', 'GUILDHALL_LISTEN', 'GUILDHALL_METRICS_LISTEN'])
  const words = [...JSON.parse(read('Dockerfile').match(/^ENTRYPOINT (.*)$/m)[1]), ...JSON.parse(read('Dockerfile').match(/^CMD (.*)$/m)[1])]
  const [root, data] = [image(), path.join(folder, 'data')]
  fs.mkdirSync(data)
  if (isRoot) fs.chownSync(data, 65532, 65532)
  const [port, metrics] = [await freePort(), await freePort()]
  const env = { GUILDHALL_DATA: mounts ? said.GUILDHALL_DATA : data, GUILDHALL_LISTEN: `0.0.0.0:${port}`, GUILDHALL_METRICS_LISTEN: `0.0.0.0:${metrics}`, GUILDHALL_DOMAIN: 'example.com', GUILDHALL_TRUSTED_PROXIES: '127.0.0.1', GUILDHALL_MAIL: '' }
  const nobody = isRoot ? ['setpriv', '--reuid=65532', '--regid=65532', '--clear-groups', '--no-new-privs', '--bounding-set=-all'] : ['setpriv', '--no-new-privs']
  const outside = [...nobody, path.join(root, words[0]), ...words.slice(1)]
  const [command, ...rest] = mounts ? ['unshare', '--mount', 'sh', '-c', CONTAINER, 'sh', root, data, ...words] : outside
  const server = spawn(command, rest, { env: { PATH: process.env.PATH, ...env }, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] })
  process.once('exit', () => server.kill('SIGKILL'))
  let log = ''
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (text) => { log += text })
  const status = (at, path) => fetch(`http://127.0.0.1:${at}${path}`).then((answer) => answer.status, () => 0)
  await until('the server', async () => { if (server.exitCode !== null) throw new Error(log); return await status(port, '/readyz') === 200 })
  assert.deepEqual([await status(port, '/healthz'), await status(metrics, '/metrics'), await status(port, '/metrics')], [200, 200, 404])
  // What it wrote is its own and nobody else's to read.
  for (const name of fs.readdirSync(data)) assert.equal(fs.statSync(path.join(data, name)).uid, isRoot ? 65532 : process.getuid(), name)
  if (mounts) assert.deepEqual(fs.readdirSync(path.join(root, 'data')), [])
  assert.equal(fs.statSync(path.join(data, 'secret.key')).mode & 0o777, 0o600)
  // The log is one JSON object a line.
  const ended = new Promise((resolve) => server.once('exit', resolve))
  server.kill('SIGTERM')
  assert.equal(await ended, 0)
  const lines = log.trim().split('\n').map((line) => JSON.parse(line))
  assert.ok(lines.length >= 1 && lines.every((line) => line.timestamp && line.level), log)
})
