/** A cache that is spread over nodes, as one thread of one of them sees it: who owns a key, and the way to the others. */
import type { Client } from '../../runtime/client.js'
import { monotonicMs } from '../../runtime/clock.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import { CacheError } from '../../runtime/errors.js'
import { currentScope } from '../functions/call-scope.js'
import { createRouter } from '../routers/router-spec.js'
import type { Router } from '../routers/router.js'
import { RoutingKey } from '../routers/routing-key.js'
import { BRIDGE_ADDRESS, TO_BRIDGE } from './bridge-address.js'
import type { ClusterConfig } from './cluster-options.js'
import { MovingCalls } from './moving-calls.js'
import { ViewReader } from './node-view.js'
import { callHead, writeCall } from './wire.js'

/** An encoded key: by itself in the first bytes of a scratch, or anywhere in others. */
interface EncodedKey {
  readonly scratch: { readonly bytes: Buffer }
  /** Default 0. */
  readonly keyStart?: number
  readonly keyEnd: number
}

export class Cluster {
  readonly config: ClusterConfig
  readonly moving = new MovingCalls()
  /** The name of this node. */
  readonly self: string
  /** Resolves when the router is there: those of the application are loaded. `undefined` if it is there already. */
  readonly ready: Promise<void> | undefined
  readonly #cache: string
  readonly #client: Client
  readonly #key = new RoutingKey()
  readonly #view: ViewReader | undefined
  #router: Router | undefined
  /** Those that the router was told last. */
  #followed: readonly string[] | undefined
  /** By node and action: the node's name, and how a call begins. */
  readonly #heads = new Map<string, Map<string, { readonly name: Buffer; readonly call: Buffer }>>()
  /** Where calls are encoded, unless one is being encoded whose arguments call the cache. */
  #scratch: Scratch | undefined = new Scratch(256)

  /** @param view of the node's bridge */
  constructor(client: Client, cache: string, config: ClusterConfig, view: SharedArrayBuffer | undefined) {
    this.config = config
    this.self = client.node
    this.#client = client
    this.#cache = cache
    this.#view = view && new ViewReader(view, cache)
    const made = createRouter(config.router, { nodes: config.nodes, self: client.node })
    if (!(made instanceof Promise)) {
      this.#router = made
      return
    }
    this.ready = made.then((router) => void (this.#router = router))
    // Whoever makes a handle waits for it and hears of the error.
    this.ready.catch(() => undefined)
  }

  /** Whether owners change when nodes go down and come up. */
  get follows(): boolean {
    return this.#router?.update !== undefined
  }

  /** The nodes to ask about the whole cache: this one first. */
  get nodes(): readonly string[] {
    this.#keepUp()
    const all = this.#followed ?? this.config.nodes
    return [this.self, ...all.filter((node) => node !== this.self)]
  }

  /** The node that owns the key. */
  ownerOf({ scratch, keyStart = 0, keyEnd }: EncodedKey): string {
    this.#keepUp()
    const owner = this.#router!.owner(this.#key.of(scratch.bytes, keyStart, keyEnd))
    if (owner === undefined) throw new CacheError('ERR_NODE_DOWN', `no node owns the key: the router of cache '${this.#cache}' has none to choose`)
    return owner
  }

  /** Reads the nodes that run the cache where the router follows them. What is read once is no change any more: the router hears of it at once. */
  #keepUp(): void {
    if (this.#view?.hasMoved !== true || !this.follows) return
    this.#followed = this.#view.nodes()
    this.#router!.update!(this.#followed ?? this.config.nodes)
  }

  owns(key: EncodedKey): boolean {
    return this.ownerOf(key) === this.self
  }

  refuseRemote(key: EncodedKey): void {
    const owner = this.ownerOf(key)
    if (owner !== this.self) throw new CacheError('ERR_REMOTE_KEY', `the key belongs to node '${owner}', and this is '${this.self}': read it with get, without local`, { node: owner })
  }

  /**
   * Has another node carry an action out.
   *
   * Hops: how often the call was sent on before. Lent: the function that it names, if that is to run on this node. Transaction: the number of the one
   * there that it is a part of. Written: is given a copy of the call.
   */
  call(
    node: string, action: string, args: readonly unknown[], options: Readonly<Record<string, unknown>> | undefined, timeoutMs: number, signal: AbortSignal | undefined,
    { hops = 0, lent, transaction, written }: {
      readonly hops?: number; readonly lent?: string | undefined; readonly transaction?: number | undefined; readonly written?: ((bytes: Buffer) => void) | undefined
    } = {},
  ): Promise<unknown> {
    const { name, call } = this.#headOf(node, action)
    const scratch = this.#scratch ?? new Scratch(256)
    this.#scratch = undefined
    try {
      scratch.reset()
      scratch.ensure(name.length)
      scratch.bytes.set(name)
      scratch.end = name.length
      writeCall(call, { args, options, hops, lends: lent !== undefined, transaction }, scratch)
      const requestEnd = scratch.end
      written?.(Buffer.from(scratch.bytes.subarray(name.length, requestEnd)))
      if (lent !== undefined) encodeValue([this.#cache, lent], scratch)
      const { promise } = this.#client.outlet(BRIDGE_ADDRESS).ask(TO_BRIDGE.request, scratch, name.length, requestEnd - name.length, scratch.end - requestEnd, monotonicMs(), timeoutMs, signal)
      // A function that waits for another node holds no slot of its thread.
      const scope = currentScope()
      return scope === undefined ? promise : scope.wait(promise)
    } finally {
      this.#scratch = scratch
    }
  }

  #headOf(node: string, action: string): { readonly name: Buffer; readonly call: Buffer } {
    let heads = this.#heads.get(node)
    if (heads === undefined) this.#heads.set(node, heads = new Map<string, { readonly name: Buffer; readonly call: Buffer }>())
    let head = heads.get(action)
    if (head === undefined) heads.set(action, head = { name: Buffer.from(node), call: callHead(this.#cache, action) })
    return head
  }
}
