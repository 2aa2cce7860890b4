/**
 * What a shard tells the hooks of what the cache does by itself: entries whose time had come, and entries that were evicted. Keys are
 * collected while a message is carried out, or a slice of a sweep, and told together. Nothing is collected that nobody watches.
 */
import type { HostContext } from '../../runtime/host/host.js'
import { decodeKey } from '../../runtime/codec/key.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import type { Outlet } from '../../runtime/mailbox/outlet.js'
import type { TableWriter } from '../../runtime/table/writer.js'
import type { EvictReason } from './events.js'
import { TO_HOOKS, writeNotice } from './notice.js'
import { AFTER, countDropped, isWatched } from './watch-words.js'
import { EVICT, EXPIRED } from './watched-actions.js'

/** Keys, and about so many bytes of them, that are told together. */
const MAX_KEYS = 1000
const MAX_BYTES = 32 << 10

type Kind = 'swept' | 'purged' | 'expired' | EvictReason

export class SelfNotices {
  readonly #words: Int32Array
  readonly #purgeNumber: number
  readonly #writer: TableWriter
  readonly #outlet: Outlet
  readonly #now: () => number
  readonly #key = new Scratch(256)
  readonly #notice = new Scratch(256)
  readonly #encoded = new Scratch(256)
  #kind: Kind | undefined
  #keys: unknown[] = []
  #bytes = 0

  constructor(context: HostContext & { now(): number }, outlet: Outlet, buffer: SharedArrayBuffer, purgeNumber: number, writer: TableWriter) {
    this.#words = new Int32Array(buffer)
    this.#purgeNumber = purgeNumber
    this.#writer = writer
    this.#outlet = outlet
    this.#now = () => Math.floor(context.now())
  }

  /** Whether an entry whose time has come is to be removed, and told of, when it is met. */
  get hearsOfExpiry(): boolean {
    return isWatched(this.#words, AFTER, EXPIRED)
  }

  get hearsOfSweeps(): boolean {
    return this.hearsOfExpiry || isWatched(this.#words, AFTER, this.#purgeNumber)
  }

  get hearsOfEvictions(): boolean {
    return isWatched(this.#words, AFTER, EVICT)
  }

  /** An entry is about to be removed. */
  add(kind: Kind, block: number): void {
    if (this.#kind !== undefined && this.#kind !== kind) this.flush()
    this.#kind = kind
    this.#key.reset()
    this.#writer.copyKey(block, this.#key)
    this.#keys.push(decodeKey(this.#key.bytes, 0, this.#key.end))
    this.#bytes += this.#key.end
    if (this.#keys.length >= MAX_KEYS || this.#bytes >= MAX_BYTES || kind === 'expired') this.flush()
  }

  /** A message has been carried out: tells what it brought. What a sweep has collected waits until it is through. */
  endMessage(): void {
    if (this.#kind !== 'swept') this.flush()
  }

  /** Tells what was collected. */
  flush(): void {
    if (this.#kind === undefined) return
    const kind = this.#kind
    const keys = this.#keys
    this.#kind = undefined
    this.#keys = []
    this.#bytes = 0
    if (kind === 'swept' || kind === 'purged') this.#tell(TO_HOOKS.swept, ['purge', keys], kind === 'swept')
    else if (kind === 'expired') this.#tell(EXPIRED, ['expired', keys[0]], true)
    else this.#tell(EVICT, ['evict', keys, kind], keys.length)
  }

  #tell(code: number, message: readonly unknown[], result: unknown): void {
    const encoded = this.#encoded
    encoded.reset()
    encodeValue(message, encoded)
    const messageBytes = encoded.end
    encodeValue(result, encoded)
    const { bytes, end } = encoded
    const [a, b] = writeNotice(bytes.subarray(0, messageBytes), bytes.subarray(messageBytes, end), this.#now(), this.#notice)
    try {
      if (this.#outlet.tell(code, this.#notice, a, b, 8)) return
    } catch {
      // The cache is stopping.
    }
    countDropped(this.#words)
  }
}
