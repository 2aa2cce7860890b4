/**
 * A private, growable buffer of bytes: where a thread encodes what it is about to send, and copies what it
 * has read before it decodes it. One for each thread and purpose; never shared.
 */
import { CacheError } from '../errors.js'

/** No value is longer than this, wherever it goes: offsets stay small integers. */
export const MAX_ENCODED_BYTES = 0x7fff_0000

/** A buffer that grew beyond this is given back by `reset`, so that one huge value does not stay for ever. */
const KEEP_BYTES = 1 << 20

export class Scratch {
  /** The memory. Replaced when it grows: read it again after `ensure`. */
  bytes: Buffer
  /** The same memory as 32-bit words. */
  words: Int32Array
  /** How many bytes are in use. */
  end = 0
  readonly #initialBytes: number

  constructor(initialBytes = 4096) {
    this.#initialBytes = initialBytes
    this.bytes = Buffer.alloc(0)
    this.words = new Int32Array(0)
    this.#allocate(initialBytes)
  }

  /** Makes room for `extra` bytes behind `end`. Throws `ERR_TOO_LARGE` beyond `MAX_ENCODED_BYTES`. */
  ensure(extra: number): void {
    const wanted = this.end + extra
    if (wanted > this.bytes.length) this.#grow(wanted)
  }

  /** Forgets the content, and memory that is much larger than what is usually needed. */
  reset(): void {
    this.end = 0
    if (this.bytes.length > KEEP_BYTES) this.#allocate(this.#initialBytes)
  }

  #grow(wanted: number): void {
    if (wanted > MAX_ENCODED_BYTES) {
      throw new CacheError('ERR_TOO_LARGE', `more than ${MAX_ENCODED_BYTES} encoded bytes; split the value`)
    }
    const old = this.bytes
    this.#allocate(Math.min(Math.max(wanted, old.length * 2), MAX_ENCODED_BYTES))
    old.copy(this.bytes, 0, 0, this.end)
  }

  #allocate(bytes: number): void {
    const memory = new ArrayBuffer((bytes + 7) & ~7)
    this.bytes = Buffer.from(memory)
    this.words = new Int32Array(memory)
  }
}
