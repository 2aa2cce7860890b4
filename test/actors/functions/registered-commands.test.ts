import { expect } from 'chai'
import { commit, ignore, registerFunction, startNode, type Cache, type CacheNode, type RegisteredFunction } from 'scatterhoard'
import { threadId } from 'node:worker_threads'
import { AttachedThread } from '../attached-thread.js'
import { rejected } from '../expectations.js'

const turn = (): Promise<unknown> => new Promise(setImmediate)

describe('invoke of a registered function', () => {
  let node: CacheNode
  let cache: Cache<unknown>
  let thread: AttachedThread
  const registered: RegisteredFunction[] = []
  const register = (name: string, run: (...args: never[]) => unknown): void => void registered.push(registerFunction(`commands.${name}`, run))

  before(async () => {
    register('age', async (value: { age: number } | undefined, more = 0) => {
      await turn()
      return value === undefined ? 'nobody' : value.age + more
    })
    register('where', () => threadId)
    register('next', async (value: number | undefined, by: number) => {
      await turn()
      return [`was ${String(value)}`, (value ?? 0) + by]
    })
    register('committed', () => commit(['result', 'c'], { expire: 10_000 }))
    register('ignored', (value: unknown) => ignore(['seen', value]))
    register('fails', () => { throw new RangeError('no') })
    register('single', () => 5)
    register('triple', () => [1, 2, 3])
    register('empty', () => [1, undefined])
    register('stubborn', () => commit(1))
    const read = (name: string) => ({ type: 'read', execute: `commands.${name}` }) as const
    const write = (name: string) => ({ type: 'write', execute: `commands.${name}` }) as const
    node = await startNode({ name: 'commands', shardThreads: 1, pool: { threads: 1 } })
    cache = await node.startCache('commands', {
      shards: 2, memory: '4mb',
      commands: {
        age: read('age'), where: read('where'), peek: read('ignored'), stubborn: read('stubborn'),
        next: write('next'), committed: write('committed'), ignored: write('ignored'), fails: write('fails'), single: write('single'), triple: write('triple'), empty: write('empty'),
      },
    })
    thread = new AttachedThread()
    await thread.attach(cache)
  })
  after(async () => {
    for (const reference of registered) reference.unregister()
    await thread.end()
    await node.stop()
  })
  beforeEach(() => cache.clear())

  it('reads on the thread that has it, whoever calls, and may be asynchronous', async () => {
    await cache.put('ada', { age: 36 })
    expect(await cache.invoke('age', 'ada', { args: [1] })).to.equal(37)
    expect(await cache.invoke('age', 'eve')).to.equal('nobody')
    expect(await cache.invoke('age', 'eve', { default: { age: 1 } })).to.equal(1)
    expect(await thread.call('commands', 'invoke', 'age', 'ada')).to.equal(36)
    expect(await thread.call('commands', 'invoke', 'where', 'ada')).to.equal(threadId)
    expect(await cache.ask(['invoke', 'peek', 'ada'])).to.deep.equal(['seen', { age: 36 }])
  })

  it('writes with the key locked around it: nothing comes between, from whatever thread', async () => {
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => index % 2 === 0 ? cache.invoke('next', 'n', { args: [2] }) : thread.call('commands', 'invoke', 'next', 'n', { args: [2] })))
    expect(results).to.have.members(Array.from({ length: 20 }, (_, index) => `was ${index === 0 ? 'undefined' : index * 2}`))
    expect(await cache.get('n')).to.equal(40)
    expect(cache.tell(['invoke', 'next', 'n', { args: [5] }])).to.equal(true)
    expect(await cache.invoke('next', 'n', { args: [1] })).to.equal('was 45')
  })

  it('keeps expiry and modified time; commit gives an expiry, ignore stores nothing', async () => {
    await cache.put('n', 1, { expire: 50_000 })
    const before = await cache.inspect(['entry', 'n'])
    await cache.invoke('next', 'n', { args: [1] })
    expect(await cache.inspect(['entry', 'n'])).to.deep.equal({ ...before, value: 2 })
    expect(await cache.invoke('committed', 'n')).to.equal('result')
    const after = await cache.inspect(['entry', 'n'])
    expect([after!.value, after!.modified]).to.deep.equal(['c', before!.modified])
    expect(await cache.ttl('n')).to.be.within(9000, 10_000)
    expect(await cache.invoke('ignored', 'm', { default: 'd' })).to.deep.equal(['seen', 'd'])
    expect(await cache.exists('m')).to.equal(false)
  })

  it('refuses what the type of the command does not allow, and stores nothing', async () => {
    await cache.put('k', 'kept')
    for (const name of ['single', 'triple', 'stubborn']) expect(await rejected(cache.invoke(name, 'k'), 'ERR_INVALID_COMMAND')).to.include({ command: name, function: `commands.${name}` })
    await rejected(cache.invoke('empty', 'k'), 'ERR_UNSUPPORTED_VALUE')
    expect((await rejected(cache.invoke('fails', 'k'), 'ERR_FUNCTION_FAILED')).cause).to.be.instanceOf(RangeError)
    expect(await cache.get('k')).to.equal('kept')
    expect(await cache.put('k', 'free', { timeout: 2000 })).to.equal(true)
  })

  it('is a part of a transaction where it is called inside one', async () => {
    const inside = registerFunction('commands.inside', async (tx: Pick<Cache<unknown>, 'put' | 'invoke' | 'get'>) => {
      await tx.put('n', 10)
      const results = [await tx.invoke('next', 'n', { args: [1] }), await tx.invoke('peek', 'n')]
      return [...results, await cache.get('n')]
    })
    expect(await cache.transaction(['n'], inside)).to.deep.equal(['was 10', ['seen', 11], undefined])
    expect(await cache.get('n')).to.equal(11)
    inside.unregister()
  })
})
