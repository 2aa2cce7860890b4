/** The options that spread a cache over nodes: `nodes`, `router`, `startWith`; and those that all its nodes have to agree on. */
import { compareText } from '../../runtime/codec/key-order.js'
import { inside, invalidOption, oneOf, or } from '../../runtime/option-checks.js'
import type { CacheConfig, NodeConfig } from '../options.js'
import { readRouter, type RouterOption, type RouterSpec } from '../routers/router-spec.js'
import { DEFAULT_VIRTUAL_NODES } from '../routers/ring.js'
import { inOrder } from '../routers/router.js'

const QUORUMS = ['all', 'majority', 'any'] as const
/** How many of a cache's nodes have to be there before it starts: every one, more than half, or this one. */
export type Quorum = (typeof QUORUMS)[number]

export interface ClusterOptions {
  /** All nodes that run the cache, this one among them. Default: this node alone. */
  nodes?: readonly string[]
  /** How the owner of a key is chosen. Default `'jump'`, and `'local'` on one node. */
  router?: RouterOption
  /** How many of the nodes have to be there before the cache starts. Default `'all'`. */
  startWith?: Quorum
}

export const CLUSTER_NAMES = ['nodes', 'router', 'startWith']

/** How a cache is spread over nodes: plain data. */
export interface ClusterConfig {
  /** In ascending order, at least two. */
  readonly nodes: readonly string[]
  readonly router: RouterSpec
  readonly startWith: Quorum
  /** How long it is tried to reach the others at the start. */
  readonly connectTimeoutMs: number
}

const CONNECT_TIMEOUT_MS = 5000

/**
 * Reads them. `null`: the cache runs on one node.
 *
 * @param own what `ownOptions` returned
 * @param node the one that it is to run on, if that is known yet
 */
export function readClusterOptions(own: Record<string, unknown>, node: Pick<NodeConfig, 'name' | 'bridge' | 'connectTimeoutMs'> | undefined): ClusterConfig | null {
  const nodes = own['nodes'] === undefined ? [] : readNodes(own['nodes'])
  if (node !== undefined && nodes.length > 0) refuseForeign(nodes, node.name, node.bridge !== undefined)
  const router = readRouter(or(own['router'], nodes.length > 1 ? 'jump' : 'local'))
  const startWith = oneOf(or(own['startWith'], 'all'), QUORUMS, 'startWith')
  return nodes.length > 1 ? { nodes, router, startWith, connectTimeoutMs: node?.connectTimeoutMs ?? CONNECT_TIMEOUT_MS } : null
}

function readNodes(value: unknown): string[] {
  if (!Array.isArray(value) || value.length === 0) throw invalidOption('nodes', value, 'an array with the names of all nodes that run the cache')
  return inOrder(value.map((name: unknown, index) => {
    if (typeof name === 'string' && name !== '' && !name.includes('/') && name.length <= 255) return name
    throw invalidOption(inside('nodes', String(index)), name, 'a string of 1 to 255 characters without "/"')
  }))
}

/** Refuses a cache that is to run elsewhere, or with others when the node has no bridge to them. */
export function refuseForeign(nodes: readonly string[], self: string, hasBridge: boolean): void {
  if (!nodes.includes(self)) throw invalidOption('nodes', nodes, `names of nodes with '${self}', this one, among them`)
  if (nodes.length > 1 && !hasBridge) throw invalidOption('nodes', nodes, `'${self}' alone, unless the node is started with the option bridge`)
}

/** The options that change ownership or meaning, as texts that are equal where the options are. */
export type Fingerprint = Readonly<Record<string, string>>

/** @param follows whether the router follows nodes: then they need not be listed alike */
export function fingerprintOf({ cluster, defaultExpireMs, compressOverBytes, commands }: CacheConfig, follows: boolean): Fingerprint {
  const { nodes, router } = cluster!
  return {
    router: JSON.stringify(comparable(router)),
    ...!follows && { nodes: JSON.stringify(nodes) },
    'expiration.default': String(defaultExpireMs),
    compressed: String(compressOverBytes ?? false),
    commands: JSON.stringify(commands.map(({ name }) => name).sort(compareText)),
  }
}

/** Paths of modules may be others on other machines, and what is left out has the default. */
function comparable(router: RouterSpec): unknown {
  switch (router.name) {
    case 'custom': return { ...router, module: router.module.slice(router.module.lastIndexOf('/') + 1) }
    case 'ring': {
      const { includes = null, excludes = [], virtualNodes = DEFAULT_VIRTUAL_NODES } = router.options
      return { name: 'ring', includes, excludes, virtualNodes }
    }
    default: return router
  }
}

/** The first option in which two differ. */
export function firstDifference(a: Fingerprint, b: Fingerprint): string | undefined {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].find((option) => a[option] !== b[option])
}
