/**
 * `scatterhoard node`: a node with caches that runs until it is told to stop. It says in a line each when it has started, when other nodes come and
 * go, and when it has stopped. The first SIGINT or SIGTERM stops it, also while it starts; the second one ends the process at once.
 */
import { constants } from 'node:os'
import { startNode, type CacheNode } from '../../actors/node.js'
import type { NodeOptions } from '../../actors/options.js'
import type { NodeEvent } from '../../actors/cluster/bridge-client.js'
import { CacheError } from '../../runtime/errors.js'
import { UsageError, type Arguments, type OptionKind } from './arguments.js'
import { BRIDGE_OPTIONS, readBridge, readPort, readTime } from './bridge-arguments.js'
import { CACHE_OPTIONS, readCaches, type NamedCache } from './cache-arguments.js'

export const NODE_OPTIONS = {
  ...BRIDGE_OPTIONS, ...CACHE_OPTIONS,
  'name': 'text', 'listen': 'text', 'peer': 'texts', 'nodes': 'text', 'connect-timeout': 'text', 'failure-timeout': 'text', 'shard-threads': 'text', 'allow': 'texts', 'json': 'flag',
} as const satisfies Record<string, OptionKind>

export async function runNode(given: Arguments): Promise<void> {
  const { options, caches, say } = readNode(given)
  const asked = stopAsked()
  const node = await startNode(options)
  const ended = new Promise<void>((resolve) => node.onStopped(resolve))
  try {
    const started = startCaches(node, caches)
    // If it is asked to stop first, they fail by that.
    started.catch(() => undefined)
    await Promise.race([asked, started])
    if (!stopping()) {
      say({ event: 'started', node: node.name, caches: caches.map(({ name }) => name), nodes: caches[0]!.options.nodes ?? [node.name] })
      void tell(node, say)
      await Promise.race([asked, ended])
    }
    if (!stopping()) throw new CacheError('ERR_STOPPED', `node '${node.name}' gave up, because what it runs failed too often; what was wrong stands above`)
  } finally {
    await node.stop()
  }
  say({ event: 'stopped', node: node.name })
}

type Said =
  | { readonly event: 'started'; readonly node: string; readonly caches: readonly string[]; readonly nodes: readonly string[] }
  | { readonly event: 'stopped'; readonly node: string }
  | ({ readonly event: NodeEvent['type'] } & Omit<NodeEvent, 'type'>)

function inWords(said: Said): string {
  switch (said.event) {
    case 'started': return `node ${said.node} has started: ${said.caches.join(', ')} on ${said.nodes.join(', ')}`
    case 'stopped': return `node ${said.node} has stopped`
    case 'up': return `node ${said.node} is up`
    case 'down': return `node ${said.node} is down: ${said.reason ?? ''}`
  }
}

function readNode(given: Arguments): { options: NodeOptions; caches: NamedCache[]; say: (said: Said) => void } {
  const name = given.text('name')
  const listen = given.text('listen')
  const overNats = given.texts('nats').length > 0
  if (name === undefined) throw new UsageError('--name is missing')
  if ((listen !== undefined) === overNats) throw new UsageError(overNats ? '--listen and --nats are two ways; give one' : '--listen or --nats is missing')
  const peers = readPeers(given.texts('peer'), overNats)
  const allow = given.texts('allow')
  const bridge = readBridge(given, { peers, ...listen !== undefined && { listen: readPort(listen) }, ...allow.length > 0 && { allow } })
  const nodes = given.text('nodes')?.split(',') ?? [...new Set([name, ...Object.keys(peers)])].sort()
  const caches = readCaches(given, nodes)
  const [connectTimeout, failureTimeout, shardThreads] = [given.text('connect-timeout'), given.text('failure-timeout'), given.text('shard-threads')]
  const options: NodeOptions = {
    name, bridge, ...connectTimeout !== undefined && { connectTimeout: readTime(connectTimeout) }, ...failureTimeout !== undefined && { failureTimeout: readTime(failureTimeout) },
    ...shardThreads !== undefined && { shardThreads: Number(shardThreads) },
  }
  const json = given.flag('json')
  return { options, caches, say: (said) => console.log(json ? JSON.stringify(said) : inWords(said)) }
}

function readPeers(given: readonly string[], overNats: boolean): Record<string, string | number> {
  const peers = Object.create(null) as Record<string, string | number>
  for (const peer of given) {
    const at = overNats ? peer.length : peer.indexOf('=')
    const name = peer.slice(0, at)
    if (at <= 0) throw new UsageError(overNats ? '--peer needs the name of a node' : '--peer needs the name of a node and its address, such as b=10.0.0.2:7100')
    if (name in peers) throw new UsageError(`--peer names '${name}' more than once`)
    peers[name] = readPort(peer.slice(at + 1))
  }
  return peers
}

/** All at once: nodes may start them in another order. */
async function startCaches(node: CacheNode, caches: readonly NamedCache[]): Promise<void> {
  await Promise.all(caches.map(({ name, options }) => node.startCache(name, options)))
}

async function tell(node: CacheNode, say: (said: Said) => void): Promise<void> {
  for await (const { type, ...event } of node.events()) say({ event: type, ...event })
}

let stops = 0

function stopping(): boolean {
  return stops > 0
}

/** Resolves with the first signal to stop. */
function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (++stops > 1) process.exit(128 + constants.signals[signal])
        resolve()
      })
    }
  })
}
