/** Reads of keys that another process owns: over sockets, TLS and NATS, beside Redis, and beside NATS with one request for each operation. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { makeCertificates } from '../../bridge/transports/certificates.js'
import { freePort } from '../../bridge/free-port.js'
import { startChild } from '../children/process.js'
import { keys, texts, walk, walkKeys } from '../data.js'
import { medianLatency, rateInFlight } from '../measure.js'
import { compare, runRounds, type Contestant } from '../rounds.js'
import type { Figure } from '../setting.js'
import { startClusterNode, type BridgeOption, type ClusterCache } from '../subject.js'

const MODULE = new URL('../children/cluster-node.js', import.meta.url)
const SECRET = 'a secret for measuring only'

/** Operations in flight of a client that pipelines. */
const WINDOW = 256

/** Both nodes' bridges, over the loopback. */
async function sockets(certificates: Readonly<Record<string, object>>): Promise<[a: BridgeOption, b: BridgeOption]> {
  const peers = { a: `127.0.0.1:${await freePort()}`, b: `127.0.0.1:${await freePort()}` }
  const of = (name: 'a' | 'b'): BridgeOption => ({ tcp: { listen: peers[name], peers, secret: SECRET, tls: certificates[name] } })
  return [of('a'), of('b')]
}

function throughNats(servers: string): [a: BridgeOption, b: BridgeOption] {
  const bridge = { nats: { servers, secret: SECRET } }
  return [bridge, bridge]
}

interface Cluster {
  readonly cache: ClusterCache
  /** The walk, over keys of the other node only. */
  readonly remoteKeys: readonly string[]
  close(): Promise<void>
}

async function startCluster([a, b]: readonly [BridgeOption, BridgeOption]): Promise<Cluster> {
  const started: (() => Promise<void>)[] = []
  const close = async (): Promise<void> => {
    for (const stop of started.splice(0).reverse()) await stop()
  }
  try {
    const starting = startChild<never>(MODULE, [JSON.stringify(b)])
    started.push(async () => (await starting).end())
    const { cache, stop } = await startClusterNode('a', a)
    started.push(stop)
    await starting
    await fill(cache)
    const remote = keys.filter((key) => cache.nodeOf(key) === 'b')
    return { cache, remoteKeys: Array.from(walk, (n) => remote[n % remote.length]!), close }
  } catch (error) {
    await close()
    throw error
  }
}

/** In portions, as a client with a bounded window would. */
async function fill(cache: ClusterCache): Promise<void> {
  for (let from = 0; from < keys.length; from += WINDOW) {
    await Promise.all(keys.slice(from, from + WINDOW).map((key, i) => cache.put(key, texts[from + i]!)))
  }
}

export const clusterReading: Figure = {
  name: 'cluster-get',
  group: 'cluster',
  async run(setting) {
    const folder = mkdtempSync(join(tmpdir(), 'bench-cluster-'))
    const redis = await setting.redis()
    const nats = await setting.nats()
    const clusters: Cluster[] = []
    const start = async (bridges: readonly [BridgeOption, BridgeOption]): Promise<Cluster> => {
      const cluster = await startCluster(bridges)
      clusters.push(cluster)
      return cluster
    }
    try {
      const tcp = await start(await sockets({}))
      const tls = await start(await sockets(makeCertificates(folder, ['a', 'b'])))
      const overNats = nats && await start(throughNats(nats.url))
      const reading = ({ cache, remoteKeys }: Cluster) => (ms: number): Promise<number> => rateInFlight(ms, WINDOW, (step) => cache.get(remoteKeys[step]!))
      const contestants: Contestant[] = [{ name: 'tcp', slice: reading(tcp) }, { name: 'tls', slice: reading(tls) }]
      const single: Contestant[] = [{ name: 'tcp', slice: (ms) => medianLatency(ms, (step) => tcp.cache.get(tcp.remoteKeys[step]!)) }]
      if (redis) {
        contestants.push({ name: 'ioredis get', slice: (ms) => rateInFlight(ms, WINDOW, (step) => redis.get(walkKeys[step]!)) })
        single.push({ name: 'ioredis get', slice: (ms) => medianLatency(ms, (step) => redis.get(walkKeys[step]!)) })
      }
      if (overNats) {
        contestants.push({ name: 'nats', slice: reading(overNats) }, { name: 'a NATS request each', slice: (ms) => rateInFlight(ms, WINDOW, (step) => nats.get(walkKeys[step]!)) })
      }
      const rates = await runRounds(contestants, setting)
      const times = await runRounds(single, setting)
      return [
        compare(rates, { figure: 'remote get over TCP, 256 in flight', unit: 'op/s', ours: 'tcp', peer: 'ioredis get', target: { atLeast: 1.5 } }),
        compare(times, { figure: 'remote get over TCP, one at a time, median', unit: 'ms', ours: 'tcp', peer: 'ioredis get', target: { atMost: 1 } }),
        compare(rates, { figure: 'remote get over TLS, 256 in flight', unit: 'op/s', ours: 'tls', peer: 'tcp', target: { atLeast: 0.5 } }),
        ...overNats ? [compare(rates, { figure: 'remote get over NATS, 256 in flight', unit: 'op/s', ours: 'nats', peer: 'a NATS request each', target: { atLeast: 3 } })] : [],
      ]
    } finally {
      for (const { close } of clusters.reverse()) await close()
      rmSync(folder, { recursive: true })
    }
  },
}
