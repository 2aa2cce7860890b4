import { expect } from 'chai'
import { startNode } from 'scatterhoard'
import { HEADER_BYTES } from '../../runtime/mailbox/lane.js'
import { until } from './expectations.js'

describe('lanes of threads that died', () => {
  it('are used again, empty, by those that come after them: shared memory does not pile up', async () => {
    await using node = await startNode({ name: 'lanes', shardThreads: 1 })
    const cache = await node.startCache<number>('x', { shards: 1, memory: '1mb', supervision: { maxRestarts: 100 } })
    const lanes = (): Uint8Array[] => [...node.vault.snapshot()]
      .flatMap(([name, value]) => (/^lane\/\d+\/cache:x\/hooks$/.test(name) && value instanceof SharedArrayBuffer ? [new Uint8Array(value)] : []))
    await cache.put('k', 0)
    const [first] = lanes()
    // The last byte of the ring for replies, which nobody has written.
    first![first!.length - 1] = 0xa5
    for (let kill = 1; kill <= 6; kill++) {
      await node.kill('cache:x/shards/shard-0')
      await cache.put('k', kill)
      await until(() => Promise.resolve(lanes().length === 1), 'the lane of the thread that died to be gone')
    }
    const [last] = lanes()
    // Of two that follow each other both have a lane for a moment, so two are there in turn.
    await node.kill('cache:x/shards/shard-0')
    await cache.put('k', 7)
    await until(() => Promise.resolve(lanes().length === 1), 'the lane of the thread that died to be gone')
    expect([last!.at(-1), lanes()[0]!.at(-1)]).to.include(0xa5)
    expect(new Int32Array(lanes()[0]!.buffer as SharedArrayBuffer, 0, HEADER_BYTES >> 2).filter((word) => word !== 0)).to.have.lengthOf(4)
    expect(cache.getSync('k')).to.equal(7)
  })
})
