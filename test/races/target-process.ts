/**
 * A node in a process of its own, for strangers and hostile peers to play with: `target-process.js SETTING`. It tells its resident memory
 * when it is asked, and keeps calling the nodes that it connects to, whatever those are: every call settles within its time.
 */
import { startNode } from 'scatterhoard'
import { tcp } from 'scatterhoard/bridge'
import { beside } from '../actors/cluster/cluster-functions.js'
import { keysOf } from '../actors/cluster/nodes.js'
import { CONNECT_TIMEOUT_MS } from './target.js'

export interface TargetSetting {
  readonly secret: string
  readonly listen: string
  /** Caches, and the nodes of each. */
  readonly caches: Readonly<Record<string, readonly string[]>>
  /** Nodes to connect to and to call, by name; they have the first cache. */
  readonly peers: Readonly<Record<string, string>>
}

export interface TargetReport {
  readonly rss: number
  /** Processor time of the process so far. */
  readonly cpuMs: number
  /** Calls of other nodes that settled, and those of them that did so after their time. */
  readonly calls: number
  readonly late: number
}

const CALL_MS = 300
const LATE_MS = 5000

const { secret, listen, caches, peers } = JSON.parse(process.argv[2]!) as TargetSetting
const node = await startNode({
  name: 'target', shardThreads: 1, pool: { threads: 1 }, functions: [beside], connectTimeout: CONNECT_TIMEOUT_MS, bridge: tcp({ listen, secret, peers: { ...peers } }),
})
await Promise.all(Object.entries(caches).map(([name, nodes]) => node.startCache(name, { nodes, startWith: 'any', shards: 1, memory: '8mb' })))

let calls = 0
let late = 0
async function keepCalling(peer: string): Promise<void> {
  const cache = node.getCache(Object.keys(caches)[0]!)
  const [key] = keysOf(cache, peer) as [string]
  while (process.connected) {
    const begin = performance.now()
    await cache.get(key, { timeout: CALL_MS }).catch(() => undefined)
    calls++
    if (performance.now() - begin > CALL_MS + LATE_MS) late++
    // What is down is so at once.
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
const calling = Object.keys(peers).map(keepCalling)

process.on('message', (order: 'report' | 'stop') => {
  if (order === 'report') return process.send!({ rss: process.memoryUsage().rss, cpuMs: cpuMs(), calls, late } satisfies TargetReport)
  node.stop().then(() => process.disconnect(), (error: unknown) => {
    throw error
  })
})
process.once('disconnect', () => void Promise.all(calling))
process.send!('ready')

function cpuMs(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
