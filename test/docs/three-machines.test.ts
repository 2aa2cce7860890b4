/** The guide's commands, run as they stand, with addresses of this machine in place of its own. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect } from 'chai'
import { freePort } from '../bridge/free-port.js'
import { NatsServer } from '../bridge/transports/nats-server.js'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const text = readFileSync(join(ROOT, 'docs/three-machines.md'), 'utf8')

function blocks(language: string): string[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter(([, of]) => of === language).map(([, , content]) => content!)
}

describe('the guide to three machines', () => {
  const [certificates, start, status, natsStart, natsStatus] = blocks('sh') as [string, string, string, string, string]
  const [config] = blocks('json') as [string]
  const [application] = blocks('js') as [string]
  let folder: string
  const running: { child: ChildProcess; ended: Promise<unknown> }[] = []
  const addresses: Record<string, string> = {}

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'three-machines-'))
    mkdirSync(join(folder, 'node_modules'))
    symlinkSync(ROOT, join(folder, 'node_modules', 'scatterhoard'))
    for (const address of ['10.0.0.1:7100', '10.0.0.2:7100', '10.0.0.3:7100']) addresses[address] = `127.0.0.1:${await freePort()}`
    writeFileSync(join(folder, 'caches.json'), config.replace('1gb', '4mb'))
  })
  afterEach(async () => {
    for (const { child, ended } of running.splice(0)) {
      child.kill('SIGKILL')
      await ended
    }
  })
  after(() => rmSync(folder, { recursive: true }))

  function here(commands: string): string {
    const command = `exec "${process.execPath}" "${join(ROOT, 'dist/bundle/bridge/cli/main.js')}"`
    return Object.entries(addresses).reduce((changed, [address, own]) => changed.replaceAll(address, own), commands.replaceAll('npx scatterhoard', command))
  }

  function sh(commands: string, environment: Readonly<Record<string, string>> = {}): Promise<{ stdout: string; stderr: string }> {
    return promisify(execFile)('sh', ['-euc', commands], { cwd: folder, env: { ...process.env, ...environment } })
  }

  /** Starts a node; resolves when it says that it has. */
  async function run(commands: string, environment: Readonly<Record<string, string>> = {}): Promise<ChildProcess> {
    const child = spawn('sh', ['-euc', commands.replace(' node --name', ' node --shard-threads 1 --name')], { cwd: folder, env: { ...process.env, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    running.push({ child, ended: once(child, 'exit') })
    await new Promise<void>((resolve, reject) => {
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (bytes: Buffer) => {
        said += bytes.toString()
        if (said.includes('has started')) resolve()
      })
      child.once('exit', () => reject(new Error(said)))
    })
    return child
  }

  it('has an example of each kind', () => {
    expect([blocks('sh').length, blocks('json').length, blocks('js').length, blocks('ini').length]).to.deep.equal([5, 1, 1, 1])
  })

  it('starts the nodes in a unit as by hand', () => {
    const unit = blocks('ini')[0]!
    const unfold = (command: string): string => command.replace(/\\\n\s*/g, '').trim()
    const own = unfold(/^ExecStart=((?:.*\\\n)*.*)$/m.exec(unit)![1]!)
    expect(own.replace('/opt/cache/node_modules/.bin/', 'npx ').replace('${CREDENTIALS_DIRECTORY}/secret', 'secret').replace('${CREDENTIALS_DIRECTORY}/key', 'a.key')).to.equal(unfold(start))
  })

  it('works over TLS, and an application loses nothing but what a node had that dies', async () => {
    await sh(certificates)
    expect(statSync(join(folder, 'secret')).mode & 0o077).to.equal(0)
    const [, b] = await Promise.all(['a', 'b', 'c'].map((node, index) => run(here(start.replace('--name a', `--name ${node}`).replace('--listen 10.0.0.1', `--listen 10.0.0.${index + 1}`).replaceAll(/\ba\.(pem|key)/g, `${node}.$1`)))))
    writeFileSync(join(folder, 'application.js'), here(application))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const { stdout, stderr } = await promisify(execFile)(process.execPath, ['application.js'], { cwd: folder })
    expect(stderr).to.equal('')
    expect(stdout).to.match(/^\{ name: 'Ada' \} [abc]\n$/)
    const shown = await sh(here(status))
    expect(shown.stderr).to.equal('')
    expect(shown.stdout).to.match(/^a +this one +\d+ +tcp with TLS at /m).and.to.match(/^app-1 +down /m).and.to.match(/^users +ring +a,b,c /m)
    expect(shown.stdout).to.match(/^b +up /m).and.to.match(/^c +up /m)
    b!.kill('SIGKILL')
    await once(b!, 'exit')
    expect((await promisify(execFile)(process.execPath, ['application.js'], { cwd: folder })).stdout).to.match(/^\{ name: 'Ada' \} [ac]\n$/)
  })

  it('works over NATS, with a user that has no other subjects', async () => {
    const CACHE_PASSWORD = 'a password of the server'
    writeFileSync(join(folder, 'nats.conf'), /^```\n(authorization[\s\S]*?)^```$/m.exec(text)![1]!.replace('$CACHE_PASSWORD', `"${CACHE_PASSWORD}"`))
    await sh('umask 077; openssl rand -base64 32 > secret')
    const server = await NatsServer.start('-c', join(folder, 'nats.conf'))
    try {
      addresses['nats://10.0.0.9:4222'] = server.url
      await run(here(natsStart), { CACHE_PASSWORD })
      const shown = await sh(here(natsStatus), { CACHE_PASSWORD })
      expect(shown.stderr).to.equal('')
      expect(shown.stdout).to.match(/^a +this one +\d+ +nats at nats:/m).and.to.match(/^b +down /m).and.to.match(/^users +ring +a,b,c /m)
    } finally {
      await server.kill()
    }
  })
})
