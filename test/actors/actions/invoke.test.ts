import { expect } from 'chai'
import { startNode, type CacheNode } from 'scatterhoard'
import { COMMANDS } from '../functions.js'
import { rejected } from '../expectations.js'

describe('invoke', () => {
  let node: CacheNode

  before(async () => (node = await startNode({ shardThreads: 1, functions: [new URL('../functions.js', import.meta.url)] })))
  after(() => node.stop())

  it('kills a command that hangs with its thread, and nothing is stored', async () => {
    const cache = await node.startCache('hanging', { shards: 1, memory: '1mb', commands: COMMANDS })
    await cache.put('k', [1])
    const [hung, beside] = await Promise.allSettled([cache.invoke('hang', 'k', { functionTimeout: 50 }), cache.invoke('add', 'k', { args: [2] })])
    expect((await rejected(Promise.reject((hung as PromiseRejectedResult).reason as Error), 'ERR_FUNCTION_TIMEOUT')).outcome).to.equal('none')
    expect(beside).to.deep.equal({ status: 'fulfilled', value: 2 })
    expect(await cache.get('k')).to.deep.equal([1, 2])
    await cache.stop()
  })

  it('is told too, in order with other messages', async () => {
    const cache = await node.startCache<unknown[]>('told', { shards: 1, memory: '1mb', commands: COMMANDS })
    for (let index = 0; index < 100; index++) expect(cache.tell(['invoke', 'add', 'k', { args: [index] }])).to.equal(true)
    expect(await cache.invoke<number>('length', 'k')).to.equal(100)
    expect(await cache.get('k')).to.deep.equal(Array.from({ length: 100 }, (_, index) => index))
    await cache.stop()
  })

  it('calls are atomic: none of many at once is lost', async () => {
    const cache = await node.startCache<unknown[]>('many', { shards: 2, memory: '4mb', commands: COMMANDS })
    await Promise.all(Array.from({ length: 500 }, (_, index) => cache.invoke('add', index % 5, { args: [index] })))
    const taken = await Promise.all(Array.from({ length: 500 }, (_, index) => cache.invoke<number>('pop', index % 5)))
    expect(taken.sort((a, b) => a - b)).to.deep.equal(Array.from({ length: 500 }, (_, index) => index))
    await cache.stop()
  })
})
