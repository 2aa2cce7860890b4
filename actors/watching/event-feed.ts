/**
 * The hooks' end of one subscription to events: keeps what the subscriber has not fetched, up to its bound, and counts what comes on
 * top of that. The subscriber's end is `events.ts`; the port between them carries
 *
 *   { watched, buffer }         from the subscriber, once        { ready: true }             to it, when it is told of what is done from now on
 *   { taken: number }           it is through with so many       { events, dropped }         encoded `[message, result, at]`, each encoded in turn
 */
import type { MessagePort } from 'node:worker_threads'
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import type { Notice } from './notice.js'
import { isIn, NOTHING_WATCHED, type WatchedSet } from './watched-actions.js'

/** Events, and about so many bytes of them, that are sent at a time. */
const BATCH_EVENTS = 256
const BATCH_BYTES = 1 << 20

/** Bytes of events that are kept, whatever the subscriber's bound. */
const MAX_BYTES = 64 << 20

/** What a subscriber says. */
export type FromSubscriber = { watched: WatchedSet; buffer: number } | { taken: number }

/** What it is told. `dropped`: how many events so far. `end`: there will be no more, the cache stops. */
export type ToSubscriber = { ready: true } | { events: Uint8Array; dropped: number } | { end: true }

export class EventFeed {
  watched: WatchedSet = NOTHING_WATCHED
  readonly #port: MessagePort
  readonly #scratch = new Scratch()
  #buffer = 0
  #waiting: Notice[] = []
  #waitingBytes = 0
  /** Events that were sent, and that the subscriber is not through with. */
  #sent = 0
  #dropped = 0
  #toldDropped = 0
  #isFlushing = false

  /** @param changed called when what it watches has changed; before the subscriber hears of it */
  constructor(port: MessagePort, changed: () => void) {
    this.#port = port
    port.on('message', (said: FromSubscriber) => {
      if ('taken' in said) {
        this.#sent -= said.taken
        this.#flush()
      } else {
        this.watched = said.watched
        this.#buffer = said.buffer
        changed()
        this.#say({ ready: true })
      }
    })
    port.on('close', () => {
      this.watched = NOTHING_WATCHED
      this.#waiting = []
      changed()
    })
    port.unref()
  }

  wants({ number, isBefore }: Notice): boolean {
    return !isBefore && isIn(this.watched, number)
  }

  take(notice: Notice): void {
    if (this.#waiting.length + this.#sent >= this.#buffer || this.#waitingBytes >= MAX_BYTES) {
      this.#dropped++
      return
    }
    this.#waiting.push(notice)
    this.#waitingBytes += notice.message.length + notice.result.length
    if (this.#isFlushing || this.#sent > 0) return
    // What comes in the same turn goes together.
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      this.#flush()
    })
  }

  /** The cache stops. What waits is sent first. */
  end(): void {
    while (this.#waiting.length > 0) {
      this.#sent = 0
      this.#flush()
    }
    this.#say({ end: true })
    this.#port.close()
  }

  #flush(): void {
    if (this.#sent > 0 || (this.#waiting.length === 0 && this.#dropped === this.#toldDropped)) return
    let count = 0
    let bytes = 0
    while (count < this.#waiting.length && count < BATCH_EVENTS && bytes < BATCH_BYTES) {
      const { message, result } = this.#waiting[count++]!
      bytes += message.length + result.length
    }
    const batch = this.#waiting.slice(0, count)
    this.#waiting = this.#waiting.slice(count)
    this.#waitingBytes -= bytes
    this.#sent = count
    this.#toldDropped = this.#dropped
    this.#scratch.reset()
    encodeValue(batch.map(({ message, result, at }) => [message, result, at]), this.#scratch)
    const events = Uint8Array.from(this.#scratch.bytes.subarray(0, this.#scratch.end))
    this.#say({ events, dropped: this.#dropped }, [events.buffer])
  }

  #say(words: ToSubscriber, moved: ArrayBuffer[] = []): void {
    this.#port.postMessage(words, moved)
  }
}
