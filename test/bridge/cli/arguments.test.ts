import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect } from 'chai'
import { readArguments, UsageError } from '../../../bridge/cli/arguments.js'
import { readBridge } from '../../../bridge/cli/bridge-arguments.js'
import { readCaches } from '../../../bridge/cli/cache-arguments.js'
import { NODE_OPTIONS } from '../../../bridge/cli/node-command.js'
import { readSecretFile, secretIn, takeFromEnvironment } from '../../../bridge/cli/secret-files.js'
import { showError } from '../../../bridge/cli/show-error.js'
import { CacheError } from '../../../runtime/errors.js'

const SECRET = 'a secret of all the nodes'

const read = (...args: string[]): ReturnType<typeof readArguments> => readArguments(args, NODE_OPTIONS)

describe('arguments of the command line', () => {
  let folder: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'arguments-'))
  })
  after(() => rmSync(folder, { recursive: true }))

  function file(name: string, content: string, mode = 0o600): string {
    const path = join(folder, name)
    writeFileSync(path, content)
    chmodSync(path, mode)
    return path
  }

  function invalid(run: () => unknown, shown: RegExp): void {
    expect(run).to.throw(CacheError, shown).that.includes({ code: 'ERR_INVALID_OPTION' }).and.satisfies(({ message }: Error) => !message.includes(SECRET))
  }

  it('are texts, lists of texts and flags', () => {
    const given = read('--name', 'a', '--peer', 'b=1', '--peer=c=2', '--json')
    expect(given.text('name')).to.equal('a')
    expect(given.texts('peer')).to.deep.equal(['b=1', 'c=2'])
    expect(given.flag('json')).to.equal(true)
    expect([given.text('listen'), given.texts('cache'), readArguments([], NODE_OPTIONS).flag('json')]).to.deep.equal([undefined, [], false])
  })

  for (const [what, args] of Object.entries({
    'an unknown option': ['--nmae', SECRET], 'one of an inherited name': ['--constructor', SECRET], 'one without its value': ['--name'], 'a flag with a value': [`--json=${SECRET}`],
    'a value that belongs to no option': [SECRET], 'an option given twice': ['--name', SECRET, '--name', SECRET],
  })) {
    it(`are refused for ${what}, without a value in the message`, () => {
      expect(() => read(...args)).to.throw(UsageError).that.satisfies(({ message }: Error) => !message.includes(SECRET))
    })
  }

  for (const name of ['--secret', '--password', '--token']) {
    it(`take no secret as ${name}`, () => {
      for (const args of [[name, SECRET], [`${name}=${SECRET}`]]) expect(() => read(...args)).to.throw(UsageError, /a secret is never an argument/).that.satisfies(({ message }: Error) => !message.includes(SECRET))
    })
  }

  describe('secrets', () => {
    it('in a file end at the end of its line', () => {
      for (const [content, end] of [[SECRET, ''], [`${SECRET}\n`, ''], [`${SECRET}\r\n`, ''], [`${SECRET}\n\n`, '\n'], [` ${SECRET} \r`, '\r']] as const) {
        expect(Buffer.from(secretIn(file('secret', content), 'secret-file')).toString()).to.equal(content.trimEnd() === SECRET ? SECRET + end : content)
      }
    })

    it('may be readable for the group, and not for others, nor writable for either', () => {
      for (const mode of [0o600, 0o400, 0o440, 0o640]) expect(readSecretFile(file(`good-${mode}`, SECRET, mode), 'secret-file').toString()).to.equal(SECRET)
      for (const mode of [0o604, 0o602, 0o601, 0o620, 0o644, 0o666]) invalid(() => readSecretFile(file(`bad-${mode}`, SECRET, mode), 'secret-file'), new RegExp(`its mode is 0${mode.toString(8)}`))
    })

    it('are judged by the file that a link leads to', () => {
      file('open', SECRET, 0o644)
      symlinkSync('open', join(folder, 'link'))
      invalid(() => readSecretFile(join(folder, 'link'), 'secret-file'), /0644/)
    })

    it('are not waited for at a pipe, nor looked for in a folder, a device, or a file that is not there', () => {
      mkdirSync(join(folder, 'folder'), { mode: 0o700 })
      execFileSync('mkfifo', ['-m', '600', join(folder, 'pipe')])
      for (const name of ['folder', 'pipe', 'missing']) invalid(() => readSecretFile(join(folder, name), 'secret-file'), /secret-file/)
      invalid(() => readSecretFile('/dev/zero', 'secret-file'), /at most 65536 bytes/)
      invalid(() => readSecretFile(SECRET, 'secret-file'), /ENOENT/)
    })

    it('are as long as everywhere', () => {
      invalid(() => readBridge(read('--secret-file', file('short', 'fifteen letters\n')), { peers: {} }), /at least 16/)
    })

    it('are taken out of the environment', () => {
      process.env['SCATTERHOARD_SECRET'] = SECRET
      expect(takeFromEnvironment('SCATTERHOARD_SECRET')).to.equal(SECRET)
      expect(process.env).to.not.have.property('SCATTERHOARD_SECRET')
      expect(takeFromEnvironment('SCATTERHOARD_SECRET')).to.equal(undefined)
    })

    it('are one, from a file or the environment', () => {
      process.env['SCATTERHOARD_SECRET'] = SECRET
      expect(() => readBridge(read('--secret-file', file('one', SECRET)), { peers: {} })).to.throw(UsageError, /two secrets/)
      process.env['SCATTERHOARD_SECRET'] = SECRET
      expect(Buffer.from(readBridge(read(), { peers: {}, listen: '10.0.0.1:7100' }).settings().secret!).toString()).to.equal(SECRET)
    })

    it('are not in the address of a NATS server', () => {
      invalid(() => readBridge(read('--nats', `nats://me:${SECRET.replaceAll(' ', '-')}@127.0.0.1:4222`), { peers: {} }), /SCATTERHOARD_NATS_PASSWORD/)
    })

    it('of a NATS server come from the environment', () => {
      Object.assign(process.env, { SCATTERHOARD_NATS_USER: 'me', SCATTERHOARD_NATS_PASSWORD: SECRET })
      const bridge = readBridge(read('--nats', '127.0.0.1', '--nats-prefix', 'own'), { peers: { b: '' } }).settings()
      expect(bridge).to.deep.include({ transport: 'nats', peers: ['b'] })
      expect(bridge).to.have.property('nats').that.includes({ user: 'me', password: SECRET, prefix: 'own' })
    })

    it('that a key of TLS is are kept from others as well', () => {
      invalid(() => readBridge(read('--tls-cert', 'c', '--tls-key', file('key', SECRET, 0o644), '--tls-ca', 'a'), { peers: {} }), /tls-key.*0644/)
    })
  })

  it('of TLS are needed together', () => {
    for (const args of [['--tls-cert', 'c'], ['--tls-ca', 'c'], ['--tls-ca', 'c', '--tls-cert', 'c']]) expect(() => readBridge(read(...args), { peers: {} })).to.throw(UsageError, /together/)
  })

  describe('of caches', () => {
    it('hold for all of them', () => {
      const caches = readCaches(read('--cache', 'users', '--cache', 'orders', '--memory', '1gb', '--shards', '3', '--router', 'ring', '--policy', 'lru', '--expire', '5m', '--start-with', 'any', '--functions', 'own.js'), ['a', 'b'])
      const options = {
        memory: '1gb', shards: 3, router: 'ring', limit: { policy: 'lru' }, expiration: { default: '5m' }, startWith: 'any', nodes: ['a', 'b'], functions: [pathToFileURL('own.js').href],
      }
      expect(caches).to.deep.equal([{ name: 'users', options }, { name: 'orders', options }])
    })

    it('go behind those of the file of options, whose modules are named as seen from it', () => {
      const config = file('caches.json', JSON.stringify({ users: { memory: '1gb', functions: ['own.js'], router: { module: './router.js', options: { n: 1 } } }, more: { nodes: ['a'] } }))
      const own = (name: string): string => pathToFileURL(join(folder, name)).href
      expect(readCaches(read('--cache', 'users', '--memory', '2gb', '--config', config), ['a', 'b'])).to.deep.equal([
        { name: 'users', options: { memory: '1gb', nodes: ['a', 'b'], functions: [own('own.js')], router: { module: own('router.js'), options: { n: 1 } } } },
        { name: 'more', options: { memory: '2gb', nodes: ['a'] } },
      ])
    })

    it('need a file of options that is one', () => {
      for (const content of ['', '[]', '1', 'null', '{"users":1}', '{"users":[]}']) expect(() => readCaches(read('--config', file('wrong.json', content)), ['a'])).to.throw(CacheError).that.includes({ code: 'ERR_INVALID_OPTION' })
      expect(() => readCaches(read('--config', join(folder, 'missing.json')), ['a'])).to.throw(CacheError, /ENOENT/)
    })

    it('are needed', () => {
      expect(() => readCaches(read(), ['a'])).to.throw(UsageError, /--cache is missing/)
    })
  })

  it('that fail are told in one line, or as one line of JSON', () => {
    const error = new CacheError('ERR_NO_CACHE', 'a message\n  of two lines', { node: 'b' })
    expect(showError(error, false)).to.match(/^scatterhoard: ERR_NO_CACHE: a message of two lines \(.*--cache.*\)$/)
    expect(JSON.parse(showError(error, true))).to.deep.equal({ error: { name: 'CacheError', code: 'ERR_NO_CACHE', message: 'a message\n  of two lines', outcome: 'none', node: 'b' } })
    expect(showError(new Error('of nobody'), false)).to.equal('scatterhoard: Error: of nobody')
  })
})
