/**
 * Frames: what connections carry. Little-endian.
 *
 *    0  u32  length     of the whole frame, these four bytes included
 *    4  u8   version    1
 *    5  u8   type       hello 1 │ proof 2 │ refuse 3 │ data 4
 *    6  u8   flags      1: closed by a code that proves who wrote it, else by a checksum
 *    7  u8   0
 *    8  u64  counter    of the frames of this direction, from 0
 *   16  …    body       of a data frame: envelopes, one behind the other (`envelope.ts`)
 *    …  trailer         `seal.ts`
 *
 * The reader checks length and head as soon as they are there, allocates nothing for bytes that have not come, and gives out
 * ranges of its input, without a copy where a frame came in one piece. It is the same before and after the handshake;
 * only the limit and the seal change.
 */
import { CacheError } from '../../runtime/errors.js'
import { checksum, type Seal } from './seal.js'

export const FRAME_VERSION = 1
export const FRAME_TYPE = { hello: 1, proof: 2, refuse: 3, data: 4 } as const
export type FrameType = (typeof FRAME_TYPE)[keyof typeof FRAME_TYPE]

const PROVES_FLAG = 1
export const FRAME_HEAD_BYTES = 16
const VERSION_AT = 4
const TYPE_AT = 5
const FLAGS_AT = 6
const ZERO_AT = 7
const COUNTER_AT = 8

/** No frame is longer. Longer messages travel in parts. */
export const MAX_FRAME_BYTES = 1 << 16

/** No frame of a handshake is longer. */
export const MAX_HANDSHAKE_FRAME_BYTES = 1 << 12

/** A buffer for the beginning of a frame that is larger than this is not kept when the frame was complete. */
const KEEP_BYTES = 1 << 14

/** Writes head and trailer around a body that stands at `FRAME_HEAD_BYTES`; `end` is its end. Returns the end of the frame. */
export function closeFrame(frame: Buffer, end: number, type: FrameType, counter: number, seal: Seal): number {
  const length = end + seal.bytes
  frame.writeUInt32LE(length, 0)
  frame[VERSION_AT] = FRAME_VERSION
  frame[TYPE_AT] = type
  frame[FLAGS_AT] = seal.proves ? PROVES_FLAG : 0
  frame[ZERO_AT] = 0
  frame.writeUInt32LE(counter >>> 0, COUNTER_AT)
  frame.writeUInt32LE(Math.floor(counter / 0x1_0000_0000), COUNTER_AT + 4)
  seal.put(frame, 0, end)
  return length
}

/** A frame of its own: for handshakes. */
export function makeFrame(type: FrameType, body: Uint8Array, counter: number, seal: Seal): Buffer {
  const frame = Buffer.alloc(FRAME_HEAD_BYTES + body.length + seal.bytes)
  frame.set(body, FRAME_HEAD_BYTES)
  closeFrame(frame, FRAME_HEAD_BYTES + body.length, type, counter, seal)
  return frame
}

export interface FrameReaderOptions {
  /**
   * Whether each `push` brings whole frames, as a message: then what is damaged or forged is dropped and counted, because anybody may have
   * sent it, and a frame that came before is dropped too. On a stream both end the connection.
   */
  readonly messages: boolean
  /** The body is `bytes[start, end)`, and only until this returns. */
  readonly onFrame: (type: FrameType, bytes: Buffer, start: number, end: number) => void
}

/** Makes frames of bytes as they come. Throws `ERR_FRAME`, after which the connection is of no use. */
export class FrameReader {
  /** Longer frames are refused. */
  limitBytes = MAX_HANDSHAKE_FRAME_BYTES
  seal: Seal = checksum
  /** Frames that were dropped: damaged, forged, or a second time. Of message connections only. */
  dropped = 0
  readonly #messages: boolean
  readonly #onFrame: FrameReaderOptions['onFrame']
  /** The next frame's counter. */
  #counter = 0
  /** The beginning of a frame whose end has not come. */
  #held = Buffer.alloc(0)
  #heldBytes = 0
  #closed = false

  constructor({ messages, onFrame }: FrameReaderOptions) {
    this.#messages = messages
    this.#onFrame = onFrame
  }

  /** No more frames, also of bytes that were already given. */
  close(): void {
    this.#closed = true
    this.#held = Buffer.alloc(0)
    this.#heldBytes = 0
  }

  push(chunk: Buffer): void {
    if (this.#messages) this.#pushMessage(chunk)
    else this.#pushStream(chunk)
  }

  #pushMessage(message: Buffer): void {
    for (let at = 0; at < message.length && !this.#closed;) {
      let length = 0
      let counter = -1
      try {
        length = message.length - at < FRAME_HEAD_BYTES ? bad('cut short') : this.#lengthAt(message, at)
        if (length > message.length - at) bad('cut short')
        counter = this.#open(message, at, length)
      } catch {
        this.dropped++
        return
      }
      if (counter < this.#counter) this.dropped++
      else if (counter > this.#counter) throw new CacheError('ERR_FRAME', `${counter - this.#counter} frames were lost`, { lost: counter - this.#counter })
      else this.#deliver(message, at, length)
      at += length
    }
  }

  #pushStream(chunk: Buffer): void {
    let at = 0
    while (!this.#closed) {
      if (this.#heldBytes > 0) {
        at = this.#hold(chunk, at, FRAME_HEAD_BYTES)
        if (this.#heldBytes < FRAME_HEAD_BYTES) return
        const length = this.#lengthAt(this.#held, 0)
        at = this.#hold(chunk, at, length)
        if (this.#heldBytes < length) return
        const frame = this.#held
        this.#heldBytes = 0
        if (frame.length > KEEP_BYTES) this.#held = Buffer.alloc(0)
        this.#take(frame, 0, length)
      } else {
        const left = chunk.length - at
        const length = left < FRAME_HEAD_BYTES ? FRAME_HEAD_BYTES : this.#lengthAt(chunk, at)
        if (left < length) {
          this.#hold(chunk, at, left)
          return
        }
        this.#take(chunk, at, length)
        at += length
      }
    }
  }

  /** Copies from `chunk` until `wanted` bytes are held, as far as there are; room is made for bytes that are there. Returns the position behind them. */
  #hold(chunk: Buffer, at: number, wanted: number): number {
    const end = Math.min(chunk.length, at + Math.max(0, wanted - this.#heldBytes))
    const bytes = this.#heldBytes + end - at
    if (bytes > this.#held.length) {
      const larger = Buffer.alloc(Math.min(MAX_FRAME_BYTES, Math.max(256, bytes, this.#held.length * 2)))
      this.#held.copy(larger, 0, 0, this.#heldBytes)
      this.#held = larger
    }
    chunk.copy(this.#held, this.#heldBytes, at, end)
    this.#heldBytes = bytes
    return end
  }

  /** The length in a head, checked with the rest of it, but for the counter. */
  #lengthAt(bytes: Buffer, at: number): number {
    const length = bytes.readUInt32LE(at)
    if (length < FRAME_HEAD_BYTES + this.seal.bytes) bad(`a frame of ${length} bytes`)
    if (length > this.limitBytes) bad(`a frame of ${length} bytes, more than ${this.limitBytes}`)
    const version = bytes[at + VERSION_AT]
    if (version !== FRAME_VERSION) bad(`version ${version} of the protocol, where this node speaks ${FRAME_VERSION}`)
    const type = bytes[at + TYPE_AT]!
    if (type < FRAME_TYPE.hello || type > FRAME_TYPE.data) bad(`a frame of the unknown type ${type}`)
    if (bytes[at + FLAGS_AT] !== (this.seal.proves ? PROVES_FLAG : 0) || bytes[at + ZERO_AT] !== 0) bad(`a frame with the wrong flags ${bytes[at + FLAGS_AT]}, ${bytes[at + ZERO_AT]}`)
    return length
  }

  /** Checks the trailer, and returns the counter. */
  #open(bytes: Buffer, at: number, length: number): number {
    const end = at + length - this.seal.bytes
    if (!this.seal.holds(bytes, at, end)) bad(this.seal.proves ? 'a frame that the peer did not write' : 'a frame with a wrong checksum')
    return bytes.readUInt32LE(at + COUNTER_AT) + bytes.readUInt32LE(at + COUNTER_AT + 4) * 0x1_0000_0000
  }

  #take(bytes: Buffer, at: number, length: number): void {
    const counter = this.#open(bytes, at, length)
    if (counter !== this.#counter) bad(`frame ${counter}, where ${this.#counter} is due`)
    this.#deliver(bytes, at, length)
  }

  #deliver(bytes: Buffer, at: number, length: number): void {
    this.#counter++
    this.#onFrame(bytes[at + TYPE_AT] as FrameType, bytes, at + FRAME_HEAD_BYTES, at + length - this.seal.bytes) // checked
  }
}

function bad(what: string): never {
  throw new CacheError('ERR_FRAME', `the peer sent ${what}`)
}
