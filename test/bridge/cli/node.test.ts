import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { startNode } from '../../../actors/node.js'
import { tcp } from '../../../bridge/index.js'
import { until } from '../../actors/expectations.js'
import { freePort } from '../free-port.js'
import { Command, run } from './command.js'

const SECRET = 'a secret of all the nodes'

const SMALL = ['--shard-threads', '1', '--memory', '4mb']

describe('scatterhoard node', () => {
  let folder: string
  let secretFile: string

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'node-command-'))
    secretFile = join(folder, 'secret')
    writeFileSync(secretFile, `${SECRET}\n`)
    chmodSync(secretFile, 0o600)
  })
  after(() => rmSync(folder, { recursive: true }))

  it('runs nodes that form one cache, with a node of an application too, tells who comes and goes, and stops at SIGTERM and SIGINT', async () => {
    const [a, b, c] = [await freePort(), await freePort(), await freePort()].map((port) => `127.0.0.1:${port}`) as [string, string, string]
    const arguments_ = (name: string, listen: string): string[] => ['node', '--name', name, '--listen', listen, '--peer', `a=${a}`, '--peer', `b=${b}`, '--peer', `c=${c}`, '--cache', 'users', '--router', 'mod', ...SMALL]
    const first = new Command([...arguments_('a', a), '--secret-file', secretFile])
    const second = new Command([...arguments_('b', b), '--json'], { SCATTERHOARD_SECRET: SECRET })
    const node = await startNode({ name: 'c', shardThreads: 1, bridge: tcp({ listen: c, peers: { a, b }, secret: SECRET }) })
    try {
      const users = await node.startCache('users', { nodes: ['a', 'b', 'c'], router: 'mod', memory: '4mb' })
      await Promise.all([first.line('node a has started: users on a, b, c'), second.line('{"event":"started","node":"b","caches":["users"],"nodes":["a","b","c"]}')])
      const keys = Array.from({ length: 30 }, (_, index) => `key ${index}`)
      for (const key of keys) await users.put(key, `${key} of c`)
      expect(await users.getMany(keys)).to.deep.equal(keys.map((key) => `${key} of c`))
      expect(new Set(keys.map((key) => users.nodeOf(key)))).to.deep.equal(new Set(['a', 'b', 'c']))
      first.signal('SIGTERM')
      expect(await first.ended).to.deep.equal({ code: 0, errors: '', output: 'node a has started: users on a, b, c\nnode a has stopped' })
      expect(JSON.parse(await second.line('"down"'))).to.include({ event: 'down', node: 'a', reason: 'stopped' })
      second.signal('SIGINT')
      const { code, errors, output } = await second.ended
      expect({ code, errors, last: output.split('\n').at(-1) }).to.deep.equal({ code: 0, errors: '', last: '{"event":"stopped","node":"b"}' })
    } finally {
      await node.stop()
      first.signal('SIGKILL')
      second.signal('SIGKILL')
    }
  })

  it('stops cleanly while it waits for other nodes', async () => {
    const unused = await freePort()
    const waiting = new Command(['node', '--name', 'a', '--listen', join(folder, 'a.sock'), '--peer', `b=127.0.0.1:${unused}`, '--cache', 'users', '--connect-timeout', '1h', '--json', ...SMALL])
    await until(() => existsSync(join(folder, 'a.sock')), 'it listens')
    waiting.signal('SIGTERM')
    expect(await waiting.ended).to.deep.equal({ code: 0, errors: '', output: '{"event":"stopped","node":"a"}' })
  })

  it('ends at once at the second signal', async () => {
    const command = new Command(['node', '--name', 'a', '--listen', join(folder, 's.sock'), '--cache', 'users', ...SMALL])
    await command.line('has started')
    command.signal('SIGINT')
    command.signal('SIGTERM')
    const { code, ...said } = await command.ended
    // Which of the two comes first is the system's affair.
    expect(code).to.be.oneOf([128 + 2, 128 + 15])
    expect(said).to.deep.equal({ errors: '', output: 'node a has started: users on a' })
  })

  it('fails with one line, the code and what to do when it cannot start', async () => {
    const unused = await freePort()
    const [unreachable, invalid, module] = await Promise.all([
      run(['node', '--name', 'a', '--listen', join(folder, 'u.sock'), '--peer', `b=127.0.0.1:${unused}`, '--cache', 'users', '--connect-timeout', '300', ...SMALL]),
      run(['node', '--name', 'a', '--listen', '0.0.0.0:7100', '--cache', 'users', '--json']),
      run(['node', '--name', 'a', '--listen', join(folder, 'm.sock'), '--cache', 'users', '--functions', join(folder, 'missing.js'), ...SMALL]),
    ])
    expect(unreachable).to.deep.include({ code: 1, output: '' })
    expect(unreachable.errors).to.match(/^scatterhoard: ERR_NODE_UNREACHABLE: node 'b' .*ECONNREFUSED.*\(start it.*\)\n$/)
    expect(invalid).to.deep.include({ code: 1, output: '' })
    expect(JSON.parse(invalid.errors)).to.have.property('error').that.includes({ code: 'ERR_INVALID_OPTION', option: 'listen', value: '0.0.0.0:7100' })
    expect(module).to.deep.include({ code: 1, output: '' })
    expect(module.errors).to.match(/^scatterhoard: ERR_MODULE_LOAD: .*missing\.js.*\n$/)
  })

  it('says how it is used when it was called wrongly, and helps', async () => {
    const [version, help, both] = await Promise.all([
      run(['--version']), run(['node', '--help']), run(['node', '--name', 'a', '--listen', '1', '--nats', 'x', '--cache', 'c']),
    ])
    const { version: own } = JSON.parse(readFileSync(new URL('../../../../package.json', import.meta.url), 'utf8')) as { version: string }
    expect(version).to.deep.equal({ code: 0, output: own, errors: '' })
    expect(help).to.deep.include({ code: 0, errors: '' })
    expect(help.output).to.include('--secret-file')
    expect(both).to.deep.include({ code: 2, output: '' })
    expect(both.errors).to.match(/^scatterhoard: .*\nSee 'scatterhoard .*--help'\.\n$/)
  })
})
