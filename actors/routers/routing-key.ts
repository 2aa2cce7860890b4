/**
 * What a router sees of a key: the part that decides, and a hash of it.
 *
 * That part is the whole key, unless the key is a string with a tag: then it is the text between the first `{` and the
 * first `}` behind it, if there is any, as in Redis Cluster. `'{ada}:profile'`, `'{ada}:friends'` and `'ada'` live together.
 * Strings inside arrays and objects have no tags.
 */
import { decodeKey, encodeKey, TEXT_TAG } from '../../runtime/codec/key.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { hash32 } from '../../runtime/hash.js'

/** Frozen: it decides which node owns a key. Chosen from the digits of π, so that nothing else is likely to use it. */
const NODE_SEED = 0x243f6a88

const OPEN = 0x7b
const CLOSE = 0x7d

/** A key as a router is asked about it. One is enough for a thread: `of` fills it again. */
export class RoutingKey {
  /** XXH32 of what decides, as a signed 32-bit integer. */
  hash = 0
  #bytes: Buffer = Buffer.alloc(0)
  #start = 0
  #end = 0
  /** Whether the range is the text of a string, without its tag byte. */
  #isText = false
  readonly #scratch = new Scratch(256)

  /** Looks at the key whose canonical bytes are `bytes[start, end)`; they have to stay as they are for as long as it is used. */
  of(bytes: Buffer, start: number, end: number): this {
    const tag = bytes[start]
    if (tag === TEXT_TAG.utf8) this.#ofText(bytes, start + 1, end)
    else if (tag === TEXT_TAG.utf16) this.#ofLongText(bytes, start, end)
    else this.#take(bytes, start, end, false)
    return this
  }

  /** The canonical bytes of what decides, as a copy: the key's, or those of its tag as a string. */
  get bytes(): Uint8Array {
    if (!this.#isText) return Uint8Array.prototype.slice.call(this.#bytes, this.#start, this.#end)
    const copy = new Uint8Array(1 + this.#end - this.#start)
    copy[0] = TEXT_TAG.utf8
    copy.set(this.#bytes.subarray(this.#start, this.#end), 1)
    return copy
  }

  /** In UTF-8 a byte below 0x80 is always the character itself. */
  #ofText(bytes: Buffer, start: number, end: number): void {
    for (let open = start; open < end; open++) {
      if (bytes[open] !== OPEN) continue
      for (let close = open + 1; close < end; close++) {
        if (bytes[close] !== CLOSE) continue
        if (close > open + 1) return this.#take(bytes, open + 1, close, true)
        break
      }
      break
    }
    this.#take(bytes, start, end, true)
  }

  /** A string with lone surrogates. Its tag may have none, and then has the bytes of any other string of that text. */
  #ofLongText(bytes: Buffer, start: number, end: number): void {
    const text = decodeKey(bytes, start, end) as string
    const open = text.indexOf('{')
    const close = open < 0 ? -1 : text.indexOf('}', open + 1)
    if (close <= open + 1) return this.#take(bytes, start, end, false)
    this.#scratch.reset()
    encodeKey(text.slice(open + 1, close), this.#scratch)
    const isText = this.#scratch.bytes[0] === TEXT_TAG.utf8
    this.#take(this.#scratch.bytes, isText ? 1 : 0, this.#scratch.end, isText)
  }

  #take(bytes: Buffer, start: number, end: number, isText: boolean): void {
    this.hash = hash32(bytes, start, end, NODE_SEED)
    this.#bytes = bytes
    this.#start = start
    this.#end = end
    this.#isText = isText
  }
}
