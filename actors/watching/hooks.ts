/**
 * The hooks of a cache: an actor that hears of what is done, on whatever thread, and has the hooks' functions called for it, and that
 * feeds those who subscribe to events. Callers and shards send it notices only of what somebody watches; who that is, it writes into
 * shared words (`watch-words.ts`).
 *
 * Runs on the system thread, and decodes nothing that may be of a class of the application's: message, result and state are bytes here.
 */
import { defineRawActor, type ActorContext, type Blueprint } from '../../runtime/actor.js'
import { decodeValue, encodeValue } from '../../runtime/codec/value.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { CacheError } from '../../runtime/errors.js'
import type { Host, HostContext } from '../../runtime/host/host.js'
import { fail, reply } from '../../runtime/host/hosted-actor.js'
import type { Inlet } from '../../runtime/mailbox/inlet.js'
import { STATUS } from '../../runtime/mailbox/lane.js'
import type { MessagePort } from 'node:worker_threads'
import '../action-list.js'
import { purge } from '../actions/purge.js'
import { codeOf } from '../action-codes.js'
import { cacheOf } from '../cache-ids.js'
import { EventFeed } from './event-feed.js'
import { callFunction } from '../functions/function-call.js'
import { EncodedArguments } from '../functions/function-wire.js'
import { Hook } from './hook.js'
import type { HookConfig } from './hook-options.js'
import { HOOKS_MAILBOX } from './hooks-address.js'
import { readNotice, TO_HOOKS, type Notice } from './notice.js'
import type { CacheConfig } from '../options.js'
import { AFTER, AFTER_SYNC, BEFORE, BEFORE_SYNC } from './watch-words.js'
import { EXPIRED, NOTHING_WATCHED, union } from './watched-actions.js'

export function hooksBlueprint(config: CacheConfig, common: Record<string, number>): Blueprint {
  return {
    module: import.meta.url, definition: 'hooks', args: config, host: { kind: 'system' },
    mailbox: HOOKS_MAILBOX, buffers: {}, common: { up: 1, buffers: common }, crashCode: 'ERR_ACTOR_CRASHED',
  }
}

/** How long the hooks have to finish what waits for them when the cache stops, in milliseconds. */
const DRAIN_MS = 5000

class Hooks {
  readonly #host: Host
  readonly #cacheId: string
  readonly #config: CacheConfig
  readonly #words: Int32Array
  readonly #hooks: readonly Hook[]
  readonly #feeds = new Set<EventFeed>()
  readonly #scratch = new Scratch(256)

  constructor(context: ActorContext & HostContext, config: CacheConfig) {
    this.#host = context.host
    this.#cacheId = cacheOf(context.id)
    this.#config = config
    this.#words = new Int32Array(context.buffers['watch']!)
    this.#hooks = config.hooks.map((hook) => new Hook(hook, (...call) => this.#run(...call)))
    this.#publish()
  }

  receive(inlet: Inlet): void {
    switch (inlet.code) {
      case TO_HOOKS.swept: {
        this.#swept(readNotice(inlet))
        return inlet.finish(STATUS.undefined)
      }
      case TO_HOOKS.reset: return this.#reset(inlet)
      case TO_HOOKS.inspect: return reply(inlet, this.#hooks.map((hook) => hook.report()))
    }
    const notice = readNotice(inlet)
    for (const feed of this.#feeds) if (feed.wants(notice)) feed.take(notice)
    const synchronous: Hook[] = []
    for (const hook of this.#hooks) {
      if (!hook.wants(notice)) continue
      // Those that nobody waits for have their turn all the same.
      if (hook.config.async || !inlet.isAsk) hook.take(notice)
      else synchronous.push(hook)
    }
    if (synchronous.length === 0) return inlet.finish(STATUS.undefined)
    const deferral = inlet.defer()
    let left = synchronous.length
    const done = (): void => {
      if (--left === 0) deferral.finish(STATUS.undefined)
    }
    for (const hook of synchronous) hook.take(notice, done)
  }

  /** Takes a subscriber. */
  connect(port: MessagePort): void {
    const feed: EventFeed = new EventFeed(port, () => {
      if (feed.watched === NOTHING_WATCHED) this.#feeds.delete(feed)
      this.#publish()
    })
    this.#feeds.add(feed)
  }

  /** Lets the hooks finish what waits for them, and tells the subscribers that it is over. */
  async stop(): Promise<void> {
    for (const feed of this.#feeds) feed.end()
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<void>((resolve) => { timer = setTimeout(resolve, DRAIN_MS) })
    await Promise.race([Promise.all(this.#hooks.map((hook) => hook.idle())), late])
    clearTimeout(timer)
  }

  /** A sweep, or `purge`, has removed expired entries: whoever watches `purge` hears of a sweep's as one, the others of each by itself. */
  #swept(swept: Notice): void {
    const isSweep = decodeValue(swept.result, 0, swept.result.length) === true
    const [, keys] = decodeValue(swept.message, 0, swept.message.length) as [string, unknown[]]
    const asOne: Notice = { ...swept, number: codeOf(purge), isBefore: false, result: this.#encode(keys.length) }
    let each: Notice[] | undefined
    for (const watcher of [...this.#hooks, ...this.#feeds]) {
      if (watcher.wants(asOne)) {
        if (isSweep) watcher.take(asOne)
      } else if (watcher.wants({ ...asOne, number: EXPIRED })) {
        each ??= keys.map((key) => ({ ...asOne, number: EXPIRED, message: this.#encode(['expired', key]), result: this.#encode(true) }))
        for (const notice of each) watcher.take(notice)
      }
    }
  }

  #reset(inlet: Inlet): void {
    const names = inlet.aEnd === inlet.start ? undefined : decodeValue(inlet.bytes, inlet.start, inlet.aEnd) as string[]
    const unknown = names?.find((name) => !this.#hooks.some((hook) => hook.config.name === name))
    if (unknown !== undefined) {
      const known = this.#hooks.map((hook) => `'${hook.config.name}'`).join(', ')
      return fail(inlet, new CacheError('ERR_INVALID_ARGUMENT', `there is no hook '${unknown}', only ${known === '' ? 'none' : known}`))
    }
    const hooks = this.#hooks.filter((hook) => names?.includes(hook.config.name) ?? true)
    if (hooks.length === 0) return inlet.finish(STATUS.undefined)
    const deferral = inlet.defer()
    let left = hooks.length
    for (const hook of hooks) {
      hook.reset(() => {
        if (--left === 0) deferral.finish(STATUS.undefined)
      })
    }
  }

  async #run(hook: HookConfig, { message, result }: Notice, state: Uint8Array): Promise<Uint8Array | undefined> {
    const { kind, bytes } = await callFunction(this.#host.client, {
      name: hook.function, args: new EncodedArguments([message, result, state]), limitMs: hook.timeoutMs, cacheId: this.#cacheId, modules: this.#config.functions,
      gift: { what: 'cache', place: 'last', data: 'quiet' }, rerun: true,
    })
    return kind === 'ignore' ? undefined : bytes
  }

  /** Writes into the shared words what is watched. */
  #publish(): void {
    const sets = { [BEFORE]: NOTHING_WATCHED, [BEFORE_SYNC]: NOTHING_WATCHED, [AFTER]: NOTHING_WATCHED, [AFTER_SYNC]: NOTHING_WATCHED }
    for (const { watched, config: { when, async } } of this.#hooks) {
      const side = when === 'before' ? BEFORE : AFTER
      const synchronous = when === 'before' ? BEFORE_SYNC : AFTER_SYNC
      sets[side] = union(sets[side], watched)
      if (!async) sets[synchronous] = union(sets[synchronous], watched)
    }
    for (const { watched } of this.#feeds) sets[AFTER] = union(sets[AFTER], watched)
    for (const [at, [low, high]] of Object.entries(sets)) {
      Atomics.store(this.#words, Number(at), low)
      Atomics.store(this.#words, Number(at) + 1, high)
    }
  }

  #encode(value: unknown): Buffer {
    this.#scratch.reset()
    encodeValue(value, this.#scratch)
    return Buffer.from(this.#scratch.bytes.subarray(0, this.#scratch.end))
  }
}

defineRawActor<Hooks>('hooks', import.meta.url, {
  init: (context, args) => new Hooks(context as ActorContext & HostContext, args as CacheConfig),
  receive: (hooks, inlet) => hooks.receive(inlet),
  connect: (hooks, port) => hooks.connect(port),
  stop: (hooks) => hooks.stop(),
})
