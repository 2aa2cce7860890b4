/**
 * The subscriber's end of a subscription to events: an asynchronous iterator over what the hooks' actor sends (`event-feed.ts`).
 *
 * It subscribes when it is made, and again by itself when the system thread was restarted; what was done meanwhile nobody has told it.
 * It does not keep the process alive.
 */
import { moving } from '../../runtime/control.js'
import { decodeValue } from '../../runtime/codec/value.js'
import { invalidArgument } from '../../runtime/errors.js'
import type { Key } from '../../runtime/codec/key.js'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { checkCallOptions } from '../action.js'
import type { CacheMessage } from '../cache.js'
import type { Caller } from '../calls/caller.js'
import type { FromSubscriber, ToSubscriber } from './event-feed.js'
import { hooksAddress } from './hooks-address.js'
import { droppedNotices } from './watch-words.js'
import { readWatched, setOf, type WatchedName, type WatchedSet } from './watched-actions.js'

/** Why the cache removed entries by itself: a block was needed, or its limit of entries was reached. */
export type EvictReason = 'memory' | 'limit'

/** What a hook or an event is about: the message of an action, or what the cache did by itself. */
export type WatchedMessage<V> =
  | CacheMessage<V>
  /** A sweep removed these entries, whose time had come. */
  | readonly ['purge', readonly Key[]]
  /** This entry's time had come, and it was removed when somebody met it, or asked for a purge. */
  | readonly ['expired', Key]
  | readonly ['evict', readonly Key[], EvictReason]

/** Something that was done in the cache. */
export interface CacheEvent<V> {
  /** The message of the action, with all positional arguments filled; `timeout` and `signal` are left out. */
  message: WatchedMessage<V>
  /** What it resolved to, or the error that it was rejected with. */
  result: unknown
  /** When it was done, in milliseconds since 1970. */
  at: number
}

export interface EventsOptions {
  /** What to hear of. Default `'all'`. */
  actions?: readonly WatchedName[] | 'all' | undefined
  /** How many events are kept for the subscriber until it asks for them; more are dropped, and counted. Default 1024. */
  buffer?: number | undefined
  /** Ends it: the next `next` rejects with its reason. */
  signal?: AbortSignal | undefined
}

/** The events of a subscription, one after the other. */
export interface CacheEvents<V> extends AsyncIterableIterator<CacheEvent<V>, undefined, undefined>, AsyncDisposable {
  /** How many events were dropped because the subscriber was too slow. Those of the whole cache that found no way to the hooks are included. */
  readonly dropped: number
  /** Ends the subscription. */
  return(): Promise<IteratorReturnResult<undefined>>
}

export interface CacheSubscriptions<V> {
  /**
   * What is done in the cache from now on, on whatever thread, and what it does by itself. Later calls of this handle wait until the
   * subscription stands, so that none of them is missed. Ends when the cache stops.
   *
   * What is wrong with the options rejects the first `next`.
   *
   * @example
   * const events = users.events({ actions: ['del'] })
   * await users.del('ada')
   * const { value } = await events.next()
   * value?.message[0]    // → 'del'
   * value?.result        // → true
   * await events.return()
   */
  events(options?: EventsOptions): CacheEvents<V>
}

const OPTIONS = { name: 'events', options: ['actions', 'buffer'] }

const DEFAULT_BUFFER = 1024
const MAX_BUFFER = 1_000_000

/** How soon it is tried again to subscribe, if the hooks' actor is being restarted. */
const AGAIN_MS = 10

type EncodedEvent = readonly [message: Uint8Array, result: Uint8Array, at: number]
type Result = IteratorResult<CacheEvent<unknown>, undefined>

const DONE: IteratorReturnResult<undefined> = { done: true, value: undefined }

export function openEvents(caller: Caller, options: EventsOptions | undefined): CacheEvents<unknown> {
  try {
    checkCallOptions(OPTIONS, options)
    const { actions = 'all', buffer = DEFAULT_BUFFER, signal } = options ?? {}
    if (!Number.isInteger(buffer) || buffer < 1 || buffer > MAX_BUFFER) throw invalidArgument(`the option buffer is a whole number from 1 to ${MAX_BUFFER}`)
    const refuse = (option: string, _value: unknown, allowed: string): Error => invalidArgument(`the option ${option} of events is ${allowed}`)
    const watched = setOf(readWatched(actions, 'actions', refuse))
    caller.refuseIfStopped()
    return new Subscription(caller, watched, buffer, signal)
  } catch (error) {
    return new Subscription(caller, undefined, 0, undefined, error)
  }
}

class Subscription implements CacheEvents<unknown> {
  readonly #caller: Caller
  readonly #wanted: FromSubscriber
  readonly #missedBefore: number
  #port: MessagePort | undefined
  #events: readonly EncodedEvent[] = []
  #at = 0
  #dropped = 0
  #isEnded = false
  #error: { readonly reason: unknown } | undefined
  #waiting: { resolve: (result: Result) => void; reject: (reason: unknown) => void }[] = []
  #isReady: (() => void) | undefined

  constructor(caller: Caller, watched: WatchedSet | undefined, buffer: number, signal: AbortSignal | undefined, error?: unknown) {
    this.#caller = caller
    this.#wanted = { watched: watched ?? [0, 0], buffer }
    this.#missedBefore = droppedNotices(caller.watch.words)
    if (watched === undefined) {
      this.#fail(error)
    } else {
      signal?.addEventListener('abort', () => this.#fail(signal.reason), { once: true })
      caller.watch.hold(new Promise<void>((resolve) => (this.#isReady = resolve)))
      void this.#subscribe()
    }
  }

  get dropped(): number {
    return this.#dropped + ((droppedNotices(this.#caller.watch.words) - this.#missedBefore) >>> 0)
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<Result> {
    const event = this.#events[this.#at]
    if (event !== undefined) {
      this.#took()
      // Of a class that this thread does not know: that is an error of this event only.
      // eslint-disable-next-line @typescript-eslint/require-await
      return (async () => ({ done: false, value: decodeEvent(event) }) as const)()
    }
    if (this.#error !== undefined) {
      const { reason } = this.#error
      this.#error = undefined
      // The reason of an aborted signal may be anything.
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      return Promise.reject(reason)
    }
    if (this.#isEnded) return Promise.resolve(DONE)
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  return(): Promise<IteratorReturnResult<undefined>> {
    this.#events = []
    this.#end()
    return Promise.resolve(DONE)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  /** One event fewer is here; the hooks' actor hears of it when there is none. */
  #took(): void {
    this.#at++
    if (this.#at === this.#events.length) this.#say({ taken: this.#at })
  }

  async #subscribe(): Promise<void> {
    const { client, description } = this.#caller
    while (!this.#isEnded) {
      try {
        let port: MessagePort | undefined
        await client.control((api) => {
          const { port1, port2 } = new MessageChannel()
          port = port1
          return api.connect(hooksAddress(description.id).id, moving(port2, [port2]))
        })
        return this.#listen(port!)
      } catch (error) {
        if (this.#isStopped) return this.#fail(error)
      }
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref())
    }
  }

  #listen(port: MessagePort): void {
    if (this.#isEnded) return port.close()
    this.#port = port
    port.on('message', (words: ToSubscriber) => this.#hear(words))
    port.on('close', () => {
      if (this.#isEnded || this.#port !== port) return
      // The system thread died; or everything has stopped, and it had no time to say so.
      if (this.#isStopped) this.#end()
      else setTimeout(() => void this.#subscribe(), AGAIN_MS).unref()
    })
    // Until it stands it keeps the process alive, as any call does; afterwards it does not.
    port.ref()
    this.#say(this.#wanted)
  }

  #hear(words: ToSubscriber): void {
    if ('ready' in words) {
      this.#port!.unref()
      this.#isReady?.()
    } else if ('end' in words) this.#end()
    else {
      const { events: { buffer, byteOffset, length } } = words
      this.#dropped = words.dropped
      // Before these the last ones were taken, except at the end.
      this.#events = [...this.#events.slice(this.#at), ...decodeValue(Buffer.from(buffer, byteOffset, length), 0, length) as EncodedEvent[]]
      this.#at = 0
      while (this.#waiting.length > 0 && this.#events[this.#at] !== undefined) {
        const { resolve, reject } = this.#waiting.shift()!
        this.next().then(resolve, reject)
      }
    }
  }

  #say(words: FromSubscriber): void {
    this.#port?.postMessage(words)
  }

  #end(): void {
    this.#isEnded = true
    this.#isReady?.()
    this.#port?.close()
    for (const { resolve } of this.#waiting.splice(0)) resolve(DONE)
  }

  #fail(reason: unknown): void {
    if (this.#isEnded) return
    const [first] = this.#waiting.splice(0, 1)
    if (first === undefined) this.#error = { reason }
    else first.reject(reason)
    this.#end()
  }

  get #isStopped(): boolean {
    try {
      this.#caller.refuseIfStopped()
      return false
    } catch {
      return true
    }
  }
}

function decodeEvent([message, result, at]: EncodedEvent): CacheEvent<unknown> {
  return { message: decodeBytes(message) as WatchedMessage<unknown>, result: decodeBytes(result), at }
}

function decodeBytes({ buffer, byteOffset, length }: Uint8Array): unknown {
  return decodeValue(Buffer.from(buffer, byteOffset, length), 0, length)
}
