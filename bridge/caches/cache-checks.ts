/**
 * What is checked when a cache starts: that its other nodes can be reached, run it, and run it with the same options. Each node asks
 * the others again and again while they come up, so that all can start at the same moment, in any order.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { callerOf, type Cache } from '../../actors/cache.js'
import { fingerprintOf, firstDifference, type Fingerprint, type Quorum } from '../../actors/cluster/cluster-options.js'
import { ANSWER, decodePlain, writeCheck, type CheckReply } from '../../actors/cluster/wire.js'
import { monotonicMs } from '../../runtime/clock.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { CacheError, errorCode, reviveError, type ErrorDescription } from '../../runtime/errors.js'
import type { Membership } from '../peers/membership.js'

/** How soon a node is asked again that does not run the cache yet, in milliseconds. */
const AGAIN_MS = 25

/** A node that starts a cache at the same moment may have asked, and given up, so long before this one began to ask. */
const HEARD_BEFORE_MS = 1000

/** Checks that are remembered of caches that do not run here yet. */
const MAX_HEARD = 10_000

export function fingerprintOfCache(cache: Cache<unknown>): Fingerprint {
  const { config, cluster } = callerOf(cache)
  return cluster === null ? { nodes: 'null' } : fingerprintOf(config, cluster.follows)
}

export class CacheChecks {
  readonly #membership: Membership
  /** With which options other nodes have asked for caches, and when, by cache and node: of one that has given up meanwhile, too. */
  readonly #heard = new Map<string, { readonly fingerprint: Fingerprint; readonly atMs: number }>()

  constructor(membership: Membership) {
    this.#membership = membership
  }

  /** Another node has asked whether this one runs a cache as it does. */
  heard(cache: string, node: string, fingerprint: Fingerprint): void {
    if (this.#heard.size >= MAX_HEARD) this.#heard.clear()
    this.#heard.set(`${cache}/${node}`, { fingerprint, atMs: monotonicMs() })
  }

  /** Resolves when enough of the cache's nodes are there. Rejects with the error of the first that is not. */
  async check(cache: Cache<unknown>, withinMs: number): Promise<void> {
    const { cluster } = callerOf(cache)
    if (cluster === null) return
    const { config: { nodes, startWith }, self } = cluster
    const others = nodes.filter((node) => node !== self)
    const untilMs = monotonicMs() + withinMs
    const given = new AbortController()
    const wanted = othersWanted(startWith, nodes.length)
    for (const node of others) this.#membership.want(node)
    const checks = others.map((node) => this.#checkNode(cache, node, untilMs, given.signal))
    try {
      await enough(checks, wanted)
    } finally {
      given.abort()
    }
  }

  async #checkNode(cache: Cache<unknown>, node: string, untilMs: number, given: AbortSignal): Promise<void> {
    const own = fingerprintOfCache(cache)
    const { name } = cache
    const sinceMs = monotonicMs() - HEARD_BEFORE_MS
    for (let last: CacheError | undefined; ;) {
      const leftMs = untilMs - monotonicMs()
      if (leftMs <= 0) throw last ?? unreachable(node)
      given.throwIfAborted()
      try {
        const reply = await this.ask(name, node, own, leftMs)
        if (reply !== null) return this.#refuseDifferent(name, node, own, reply)
        last = new CacheError('ERR_NO_CACHE', `node '${node}' does not run the cache '${name}'; start it there too`, { cache: name, node })
        // It may have given up because this one differs.
        const heard = this.#heard.get(`${name}/${node}`)
        if (heard !== undefined && heard.atMs >= sinceMs) this.#refuseDifferent(name, node, own, heard.fingerprint)
      } catch (error) {
        if (errorCode(error) !== 'ERR_NODE_DOWN' && errorCode(error) !== 'ERR_TIMEOUT') throw error
      }
      await delay(Math.min(AGAIN_MS, Math.max(1, untilMs - monotonicMs())))
    }
  }

  /** Asks a node for the options of a cache there, once it is reached. */
  async ask(cache: string, node: string, own: Fingerprint, leftMs: number): Promise<CheckReply> {
    const peer = await this.#membership.reach(node, leftMs)
    const scratch = new Scratch(256)
    writeCheck(cache, own, scratch)
    const answer = await peer.request(scratch.bytes.subarray(0, scratch.end), leftMs)
    const reply = decodePlain(answer, 1, answer.length)
    if (answer[0] === ANSWER.value && (reply === null || typeof reply === 'object')) return reply as CheckReply
    throw new CacheError('ERR_FRAME', `node '${node}' could not say whether it runs the cache '${cache}'`, { node, cause: isError(answer) ? reviveError(reply as ErrorDescription) : undefined })
  }

  #refuseDifferent(cache: string, node: string, own: Fingerprint, theirs: Fingerprint): void {
    const option = firstDifference(own, theirs)
    if (option === undefined) return
    throw new CacheError('ERR_OPTIONS_DIFFER', `node '${node}' runs the cache '${cache}' with another '${option}': ${theirs[option] ?? 'none'} there, ${own[option] ?? 'none'} here`, { cache, node, option })
  }
}

function isError(answer: Buffer): boolean {
  return answer[0] === ANSWER.error
}

/** How many nodes besides this one. */
function othersWanted(quorum: Quorum, count: number): number {
  switch (quorum) {
    case 'all': return count - 1
    case 'majority': return Math.floor(count / 2)
    case 'any': return 0
  }
}

/** Resolves when so many have. Rejects when that cannot be any more, and at once if a node differs. */
function enough(checks: readonly Promise<void>[], wanted: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let missing = wanted
    let spare = checks.length - wanted
    if (missing === 0) resolve()
    for (const check of checks) {
      check.then(() => {
        if (--missing === 0) resolve()
      }, (error: unknown) => {
        // The promise's reason is what the check was rejected with.
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
        if (errorCode(error) === 'ERR_OPTIONS_DIFFER' || spare-- === 0) reject(error)
      })
    }
  })
}

function unreachable(node: string): CacheError {
  return new CacheError('ERR_NODE_UNREACHABLE', `node '${node}' could not be reached in time`, { node })
}
