/** A setting for the laws whose keys are spread over three nodes of this process, and that calls from one of them. */
import { startNode, type Cache, type CacheNode, type CacheOptions, type Key } from 'scatterhoard'
import { publicActions } from '../../actors/action-codes.js'
import { rejected } from '../actors/expectations.js'
import type { BridgeWay, Connected } from '../actors/cluster/bridge-ways.js'
import { keysOf } from '../actors/cluster/nodes.js'
import { collect, FUNCTIONS, methodsOf, OPTIONS } from './law-book.js'
import type { Call, Setting } from './law.js'

export const NODES = ['a', 'b', 'c'] as const
export type NodeName = (typeof NODES)[number]

type ByNode<T> = Readonly<Record<NodeName, T>>

const CACHES: Readonly<Record<'plain' | 'timed' | 'eager', CacheOptions['expiration']>> = { plain: {}, timed: { default: 60_000 }, eager: { lazy: false } }

/** A setting that also knows the nodes apart. */
export interface SpreadSetting extends Setting {
  /** Where it calls. */
  readonly from: NodeName
  /** The cache `plain`, called on each node, as its handle there is. */
  readonly on: ByNode<Call>
  /** Some keys of each node. */
  readonly keys: ByNode<readonly string[]>
}

export class ThreeNodes {
  readonly #connected: Connected
  readonly #nodes: readonly CacheNode[]
  readonly #caches = new Map<string, readonly Cache<unknown>[]>()

  private constructor(connected: Connected, nodes: readonly CacheNode[]) {
    this.#connected = connected
    this.#nodes = nodes
  }

  static async start(way: BridgeWay, router: NonNullable<CacheOptions['router']>): Promise<ThreeNodes> {
    const connected = await way.connect(NODES)
    const nodes = await Promise.all(NODES.map((name) => startNode({
      name, shardThreads: 1, pool: { threads: 1 }, connectTimeout: 20_000, functions: [...FUNCTIONS, new URL('../actors/cluster/cluster-functions.js', import.meta.url)], bridge: connected.bridges[name]!,
    })))
    const three = new ThreeNodes(connected, nodes)
    three.#setClocks()
    for (const [name, expiration] of Object.entries(CACHES)) {
      three.#caches.set(name, await Promise.all(nodes.map((node) => node.startCache(name, { nodes: NODES, router, shards: 2, memory: '32mb', ...OPTIONS, expiration: { interval: null, ...expiration } }))))
    }
    for (const node of nodes) await node.startCache('counts', { shards: 1, memory: '1mb' })
    return three
  }

  settingOf(from: NodeName): SpreadSetting {
    const plain = this.#handlesOf('plain')
    const tag = String(keysOf(plain.a, NODES[(NODES.indexOf(from) + 1) % NODES.length]!)[0])
    const together = (name: string | number): string => `{${tag}}${name}`
    const call = (name: keyof typeof CACHES): Call => callOn(this.#handlesOf(name), from, together(''))
    return {
      plain: call('plain'), timed: call('timed'), eager: call('eager'),
      stream: (name, options) => collect(this.#handlesOf(name)[from], options),
      advance: async (ms) => {
        for (const node of this.#nodes) node.clock.advance(ms)
        await Promise.all(this.#nodes.map((node) => node.clockMoved()))
      },
      now: () => this.#nodes[0]!.clock.now(),
      together,
      sent: (value) => value,
      from,
      on: byNode((node) => methodsOf(plain[node])),
      keys: byNode((node) => keysOf(plain.a, node, 3)),
    }
  }

  async clear(): Promise<void> {
    await Promise.all([...this.#caches.values()].map((handles) => handles[0]!.clear()))
  }

  async stop(): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.stop()))
    await this.#connected.close()
  }

  #handlesOf(cache: string): ByNode<Cache<unknown>> {
    return byNode((node) => this.#caches.get(cache)![NODES.indexOf(node)]!)
  }

  /** The laws compare times to the millisecond. */
  #setClocks(): void {
    for (const { clock } of this.#nodes) clock.hold()
    const latest = Math.ceil(Math.max(...this.#nodes.map(({ clock }) => clock.now())))
    for (const { clock } of this.#nodes) clock.advance(latest - clock.now())
  }
}

function byNode<T>(make: (node: NodeName) => T): ByNode<T> {
  return { a: make('a'), b: make('b'), c: make('c') }
}

/**
 * Calls on one node. What is about one node is asked of each, or of the one that it is about: `inspect`, and with `local` what is for the
 * owner of a key, which every other node refuses; `prune` of the node whose keys the laws have together.
 */
function callOn(handles: ByNode<Cache<unknown>>, from: NodeName, together: Key): Call {
  const here = methodsOf(handles[from])
  const ownerOf = (key: unknown): Call => {
    try {
      return methodsOf(handles[handles[from].nodeOf(key as Key) as NodeName])
    } catch {
      // No key: each node says so.
      return here
    }
  }
  return async (name, ...args) => {
    if (name === 'prune') return ownerOf(together)(name, ...args)
    if (name === 'inspect') return inspect(here, NODES.map((node) => methodsOf(handles[node])), ownerOf, args)
    const key = isLocal(args.at(-1)) ? keyIn(name, args) : undefined
    if (key === undefined || handles[from].nodeOf(key) === from) return here(name, ...args)
    await rejected(here(name, ...args), 'ERR_REMOTE_KEY')
    return ownerOf(key)(name, ...args)
  }
}

/** The key, or the first of the keys, that a call is about. */
function keyIn(name: string, args: readonly unknown[]): Key | undefined {
  const { keyed, keysIn, keyAt = 0 } = publicActions().find((action) => action.name === name)!
  return (keysIn === undefined ? keyed === true ? args[keyAt] : undefined : keysIn(args)[0]) as Key | undefined
}

function isLocal(options: unknown): boolean {
  return typeof options === 'object' && options !== null && (options as { local?: unknown }).local === true
}

async function inspect(here: Call, everywhere: readonly Call[], ownerOf: (key: unknown) => Call, args: unknown[]): Promise<unknown> {
  const [what] = args
  const subject: unknown = Array.isArray(what) ? what[0] : what
  if (subject === 'entry') return ownerOf((what as unknown[])[1])('inspect', ...args)
  if (subject !== 'expired' && subject !== 'shards') return here('inspect', ...args)
  const all = await Promise.all(everywhere.map((call) => call('inspect', ...args)))
  return typeof all[0] === 'number' ? (all as number[]).reduce((sum, count) => sum + count) : all.flat()
}
