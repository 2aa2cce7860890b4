/**
 * The warmers of a cache: an actor that has them run at the start, at their intervals, and when it is asked to. The start of the cache waits
 * for those that are required.
 *
 * Runs on the system thread. The functions run in the pool, or where they are registered.
 */
import { defineRawActor, type ActorAddress, type ActorContext, type Blueprint } from '../../runtime/actor.js'
import { decodeValue } from '../../runtime/codec/value.js'
import { CacheError } from '../../runtime/errors.js'
import type { HostContext } from '../../runtime/host/host.js'
import { fail, reply } from '../../runtime/host/hosted-actor.js'
import type { Inlet } from '../../runtime/mailbox/inlet.js'
import { DEFAULT_BOUNDS, STATUS } from '../../runtime/mailbox/lane.js'
import { cacheOf, WARMERS_ID } from '../cache-ids.js'
import { callFunction } from '../functions/function-call.js'
import type { CacheConfig } from '../options.js'
import { Warmer } from './warmer.js'
import type { WarmerConfig } from './warmer-options.js'
import type { WarmerRun } from './warming.js'

const WARMERS_MAILBOX = { ...DEFAULT_BOUNDS, bytes: 64 << 10 }

/** The function that fills a cache, and the module that has it: loaded by the pool, and never here. */
const FILL = 'scatterhoard.warming.fill'
const WARMING = new URL('./warming.js', import.meta.url).href

/** How long it may take to put what a warmer returned, in milliseconds: it is the cache that takes the time, not the function. */
const FILL_LIMIT_MS = 3_600_000

/** What is asked of the warmers: the names of those that are to run, and whether to wait for them. */
export type WarmOrder = readonly [names: readonly string[], wait: boolean]

export function warmersBlueprint(config: CacheConfig): Blueprint {
  return {
    module: import.meta.url, definition: 'warmers', args: config, host: { kind: 'system' },
    mailbox: WARMERS_MAILBOX, buffers: {}, crashCode: 'ERR_ACTOR_CRASHED',
  }
}

export function warmersAddress(cache: string): ActorAddress {
  return { id: `${cache}/${WARMERS_ID}`, name: undefined, mailbox: WARMERS_MAILBOX, crashCode: 'ERR_ACTOR_CRASHED' }
}

class Warmers {
  readonly #warmers: readonly Warmer[]

  constructor(context: ActorContext & HostContext, config: CacheConfig) {
    const setting = {
      fill: (warmer: WarmerConfig, byItself: boolean) => fill(context, config, warmer, byItself, context.incarnation === 1),
      after: (delayMs: number, run: () => void) => context.after(delayMs, run),
    }
    this.#warmers = config.warmers.map((warmer) => new Warmer(warmer, setting))
  }

  /** Runs all. Resolves when those that are required have succeeded. */
  async start(): Promise<void> {
    const required = this.#warmers.filter(({ config }) => config.required)
    try {
      await Promise.all(required.map((warmer) => warmer.run()))
    } catch (error) {
      this.stop()
      throw error
    }
    for (const warmer of this.#warmers) if (!warmer.config.required) warmer.runUnheard(warmer.config.intervalMs !== null)
  }

  /** Goes on where another incarnation was: the entries are still there. */
  resume(): void {
    for (const warmer of this.#warmers) warmer.schedule()
  }

  receive(inlet: Inlet): void {
    const [names, wait] = decodeValue(inlet.bytes, inlet.start, inlet.aEnd) as WarmOrder
    const chosen = this.#warmers.filter(({ config }) => names.includes(config.name))
    const ran = chosen.map(({ config }) => config.name)
    if (!inlet.isAsk || !wait) {
      for (const warmer of chosen) warmer.runUnheard()
      return inlet.isAsk ? reply(inlet, ran) : inlet.finish(STATUS.undefined)
    }
    const deferral = inlet.defer()
    void Promise.allSettled(chosen.map((warmer) => warmer.run())).then((ends) => {
      const failed = ends.find((end) => end.status === 'rejected')
      if (failed === undefined) reply(deferral, ran)
      else fail(deferral, failed.reason)
    })
  }

  stop(): void {
    for (const warmer of this.#warmers) warmer.stop()
  }
}

async function fill(context: ActorContext & HostContext, config: CacheConfig, warmer: WarmerConfig, onOneNode: boolean, awaitsNodes: boolean): Promise<void> {
  const run: WarmerRun = { function: warmer.function, state: warmer.state, limitMs: config.poolTimeoutMs, modules: config.functions, onOneNode, awaitsNodes }
  try {
    await callFunction(context.host.client, {
      name: FILL, args: [run], limitMs: FILL_LIMIT_MS, cacheId: cacheOf(context.id), modules: [...config.functions, WARMING],
      gift: { what: 'cache', place: 'first' }, rerun: true,
    })
  } catch (error) {
    // Of the function that was called by the one that fills.
    throw error instanceof CacheError && error['function'] === FILL && error.cause instanceof CacheError ? error.cause : error
  }
}

defineRawActor<Warmers>('warmers', import.meta.url, {
  async init(context, args) {
    const warmers = new Warmers(context as ActorContext & HostContext, args as CacheConfig)
    if (context.incarnation === 1) await warmers.start()
    else warmers.resume()
    return warmers
  },
  receive: (warmers, inlet) => warmers.receive(inlet),
  stop: (warmers) => warmers.stop(),
})
