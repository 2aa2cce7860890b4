/** A node in a process of its own, over TCP, that does what it is told: `node-process.js NAME SECRET LISTEN PEERS`. */
import { registerFunction, startNode, type Cache, type CacheOptions } from 'scatterhoard'
import { tcp } from 'scatterhoard/bridge'
import { describeError } from '../../../runtime/errors.js'
import { beside } from './cluster-functions.js'

export type Order =
  | { readonly do: 'start'; readonly cache: string; readonly options: CacheOptions }
  | { readonly do: 'call'; readonly name: string; readonly args: readonly unknown[] }
  /** Registers a function that says that it was called, and never returns. */
  | { readonly do: 'register'; readonly name: string }
  /** Calls go to that cache from now on. */
  | { readonly do: 'use'; readonly cache: string }
  | { readonly do: 'block'; readonly ms: number }
  | { readonly do: 'unref' | 'stop' }

const [name, secret, listen, peers] = process.argv.slice(2) as [string, string, string, string]
const node = await startNode({
  name, shardThreads: 1, pool: { threads: 1 }, functions: [beside], failureTimeout: 1000, connectTimeout: 15_000,
  bridge: tcp({ listen, secret, peers: JSON.parse(peers) as Record<string, string> }),
})
let cache: Cache<unknown> | undefined

async function carryOut(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'start':
      cache = await node.startCache(order.cache, order.options)
      return cache.name
    case 'register': return void registerFunction(order.name, () => {
      process.send!({ id: -1 })
      return new Promise(() => undefined)
    })
    case 'use': return void (cache = node.getCache(order.cache))
    case 'call': return (cache as unknown as Record<string, (...args: readonly unknown[]) => unknown>)[order.name]!(...order.args)
    case 'block': {
      process.send!({ id: -1 })
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.ms)
      return undefined
    }
    case 'unref': return void node.unref()
    case 'stop': return node.stop()
  }
}

process.on('message', ({ id, order }: { id: number; order: Order }) => {
  carryOut(order).then((value) => process.send!({ id, value }), (error: unknown) => process.send!({ id, error: describeError(error) })).finally(() => {
    if (order.do !== 'unref' && order.do !== 'stop') return
    // What keeps the process alive now is the node, if anything.
    process.channel!.unref()
  })
})
process.send!({ id: -1 })
