/**
 * Caches whose router follows nodes: who runs each of them now, and what this node has to let go of when that changes. One for each bridge.
 *
 * A node belongs to a cache while it is up and says that it runs it with the same options. It is asked when it comes up, when it asks itself,
 * and now and then. When the nodes change, this one first drops the entries that it ceases to own, and those that it did not own before,
 * which can only be left over; then its threads get to see the new nodes.
 */
import { del } from '../../actors/actions/del.js'
import { callerOf, type Cache } from '../../actors/cache.js'
import type { Caller } from '../../actors/calls/caller.js'
import type { Fingerprint } from '../../actors/cluster/cluster-options.js'
import { firstDifference } from '../../actors/cluster/cluster-options.js'
import { ViewWriter } from '../../actors/cluster/node-view.js'
import { Patience } from '../../actors/calls/patience.js'
import { createRouter } from '../../actors/routers/router-spec.js'
import { inOrder, type Router } from '../../actors/routers/router.js'
import { RoutingKey } from '../../actors/routers/routing-key.js'
import { BATCH_ENTRIES, tableBatches } from '../../actors/walks/walk.js'
import { fingerprintOfCache, type CacheChecks } from './cache-checks.js'
import type { Membership } from '../peers/membership.js'
import { warnOfThrown } from '../sessions/settle.js'

/** How often nodes are asked whether they run a cache still, in milliseconds. */
const ASK_AGAIN_MS = 1000

interface Followed {
  readonly cache: Cache<unknown>
  readonly fingerprint: Fingerprint
  /** Other nodes that run it. */
  readonly others: Set<string>
  /** The change of nodes that is being made. */
  changing: Promise<void> | undefined
}

export class FollowedCaches {
  readonly #membership: Membership
  readonly #checks: CacheChecks
  readonly #self: string
  readonly #view: ViewWriter
  readonly #followed = new Map<string, Followed>()
  readonly #timer: NodeJS.Timeout

  constructor(self: string, membership: Membership, checks: CacheChecks, view: SharedArrayBuffer) {
    this.#self = self
    this.#membership = membership
    this.#checks = checks
    this.#view = new ViewWriter(view)
    this.#timer = setInterval(() => this.#askAll(), ASK_AGAIN_MS).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  /** Begins to follow a cache of this node, if its router does. Resolves when its threads see the nodes that run it. */
  async follow(cache: Cache<unknown>): Promise<void> {
    const { cluster } = callerOf(cache)
    if (cluster?.follows !== true) return
    const known = this.#followed.get(cache.name)
    if (known?.cache !== cache) this.#followed.set(cache.name, { cache, fingerprint: fingerprintOfCache(cache), others: new Set(), changing: undefined })
    const followed = this.#followed.get(cache.name)!
    for (const node of cluster.config.nodes) this.#membership.want(node)
    // Those that a bridge before this one knew are given the time to be up for this one too.
    const nodes = new Set([...this.#membership.up(), ...this.#view.nodesOf(cache.name) ?? []])
    nodes.delete(this.#self)
    await Promise.all([...nodes].map((node) => this.#ask(followed, node)))
    await this.#change(followed)
  }

  /** A cache does not run here any more. */
  forget(name: string): void {
    if (!this.#followed.delete(name)) return
    this.#view.set(name, undefined)
  }

  /** A node has said that it runs a cache, and how. */
  heard(name: string, node: string, fingerprint: Fingerprint): void {
    const followed = this.#followed.get(name)
    if (followed !== undefined) this.#note(followed, node, firstDifference(followed.fingerprint, fingerprint) === undefined)
  }

  up(node: string): void {
    for (const followed of this.#followed.values()) void this.#ask(followed, node)
  }

  down(node: string): void {
    for (const followed of this.#followed.values()) this.#note(followed, node, false)
  }

  #askAll(): void {
    for (const [name, followed] of this.#followed) {
      if (isGone(followed.cache)) {
        this.forget(name)
        continue
      }
      // What failed before, or came when one was just ending.
      this.#changeBehind(followed)
      for (const node of this.#membership.up()) void this.#ask(followed, node)
    }
  }

  /** Asks a node whether it runs a cache as this one does. */
  async #ask(followed: Followed, node: string): Promise<void> {
    try {
      const reply = await this.#checks.ask(followed.cache.name, node, followed.fingerprint, ASK_AGAIN_MS)
      this.#note(followed, node, reply !== null && firstDifference(followed.fingerprint, reply) === undefined)
    } catch {
      // It is asked again; whether it is up its session tells.
    }
  }

  #note(followed: Followed, node: string, runs: boolean): void {
    const { cache, others } = followed
    if (others.has(node) === runs || (runs && !this.#membership.up().includes(node))) return
    if (runs) others.add(node)
    else others.delete(node)
    if (this.#followed.get(cache.name) === followed) this.#changeBehind(followed)
  }

  /** Nobody waits for it. */
  #changeBehind(followed: Followed): void {
    this.#change(followed).catch((error: unknown) => {
      // Of a cache that stops meanwhile there is nothing to drop.
      if (!isGone(followed.cache)) warnOfThrown(error)
    })
  }

  /** Makes the change that is due, and those that come meanwhile. */
  #change(followed: Followed): Promise<void> {
    followed.changing ??= this.#changeNow(followed).finally(() => (followed.changing = undefined))
    return followed.changing
  }

  async #changeNow(followed: Followed): Promise<void> {
    const { cache, others } = followed
    const caller = callerOf(cache)
    for (;;) {
      const before = this.#view.nodesOf(cache.name)
      const now = inOrder([this.#self, ...others])
      if (before !== undefined && String(before) === String(now)) return
      const [old, next] = await Promise.all([before && routerOf(caller, before), routerOf(caller, now)])
      // One that has just started has nothing that it had not been given as its owner.
      if (old !== undefined) await drop(caller, (key) => old.owner(key) === this.#self && next.owner(key) === this.#self)
      if (this.#followed.get(cache.name) !== followed) return
      this.#view.set(cache.name, now)
      // What threads of this node wrote before they saw it.
      if (old !== undefined) await drop(caller, (key) => next.owner(key) === this.#self)
    }
  }
}

async function routerOf({ client, cluster }: Caller, nodes: readonly string[]): Promise<Router> {
  const router = await createRouter(cluster!.config.router, { nodes: cluster!.config.nodes, self: client.node })
  router.update?.(nodes)
  return router
}

/** Removes the entries whose keys are not to stay. */
async function drop(caller: Caller, stays: (key: RoutingKey) => boolean): Promise<void> {
  const routing = new RoutingKey()
  for await (const { scratch: { bytes }, keyStarts, keyEnds, count } of tableBatches(caller, { entries: BATCH_ENTRIES, values: false, patience: Patience.ofSteps(undefined) })) {
    const removed: Promise<unknown>[] = []
    for (let index = 0; index < count; index++) {
      const [start, end] = [keyStarts[index]!, keyEnds[index]!]
      if (stays(routing.of(bytes, start, end))) continue
      caller.encodedKey(bytes.subarray(start, end))
      removed.push(caller.send(del, undefined))
    }
    await Promise.all(removed)
  }
}

function isGone(cache: Cache<unknown>): boolean {
  try {
    callerOf(cache).refuseIfStopped()
    return false
  } catch {
    return true
  }
}
