/** A message that comes in parts, in one lane: at most one at a time, and never more bytes than were agreed on. */
import { CacheError } from '../../runtime/errors.js'

export class Parts {
  readonly #maxBytes: number
  #kind = 0
  #id = 0
  #parts: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** One more part. */
  add(kind: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (this.#parts.length > 0 && (kind !== this.#kind || id !== this.#id)) bad('parts of two messages at once')
    if (start === end) bad('an empty part')
    this.#kind = kind
    this.#id = id
    this.#count(end - start)
    this.#parts.push(Buffer.from(bytes.subarray(start, end)))
  }

  /** The message that this ends, as a buffer of its own; `undefined` if it came whole. */
  end(partKind: number, id: number, bytes: Buffer, start: number, end: number): Buffer | undefined {
    if (this.#parts.length === 0) return undefined
    if (partKind !== this.#kind || id !== this.#id) bad('another message between the parts of one')
    this.#count(end - start)
    this.#parts.push(bytes.subarray(start, end))
    const whole = Buffer.concat(this.#parts, this.#bytes)
    this.#parts = []
    this.#bytes = 0
    return whole
  }

  #count(bytes: number): void {
    this.#bytes += bytes
    if (this.#bytes > this.#maxBytes) throw new CacheError('ERR_FRAME', `the peer sent a message of more than the ${this.#maxBytes} bytes that were agreed on`)
  }
}

function bad(what: string): never {
  throw new CacheError('ERR_FRAME', `the peer sent ${what}`)
}
