/**
 * What a session is about to send: envelopes, packed into the bodies of frames as they come, in two lanes. What is urgent (replies,
 * credit, goodbyes) goes before requests and notes, whatever waits there.
 *
 * Flushes once a turn of the event loop, or when a frame is full. While the connection takes no more, frames wait here; credit
 * bounds their bytes.
 */
import { ENVELOPE, ENVELOPE_HEAD_BYTES, REQUEST_HEAD_BYTES, writeHead, writeWord, type EnvelopeKind } from './envelope.js'
import { FRAME_HEAD_BYTES, MAX_FRAME_BYTES } from './frame.js'

/** Where frames go: closes them and hands them to the connection. */
export interface FrameSink {
  /** What one frame may have of envelopes. */
  readonly maxBodyBytes: number
  /** Sends the frame whose body is `frame[FRAME_HEAD_BYTES, end)`. False: no more, until the outbox is told to go on. */
  send(frame: Buffer, end: number, release: () => void): boolean
}

/** The memory of one frame that is being filled. */
interface Sheet {
  readonly bytes: Buffer
  /** Behind its last envelope. */
  end: number
  /** The order of the last request that has bytes in it. */
  order: number
}

/** Sheets that are not in use, shared by all sessions of the thread. */
const spare: Sheet[] = []
const MAX_SPARE = 32

function takeSheet(): Sheet {
  const sheet = spare.pop() ?? { bytes: Buffer.allocUnsafeSlow(MAX_FRAME_BYTES), end: 0, order: 0 }
  sheet.end = FRAME_HEAD_BYTES
  sheet.order = 0
  return sheet
}

/** A part of a message is not worth a frame's rest that is smaller. */
const SMALL_PART_BYTES = 1024

/** Up to here a loop is faster than a call out of JavaScript. */
const SHORT_COPY_BYTES = 48

export class Outbox {
  /** The order of the last request of which anything was handed to the connection. */
  sentOrder = 0
  /** Frames handed to the connection, and those whose memory it has given back. */
  frames = 0
  released = 0
  readonly #sink: FrameSink
  readonly #endOfBody: number
  readonly #beforeFlush: () => void
  readonly #urgent: Sheet[] = []
  readonly #ordinary: Sheet[] = []
  #writable = true
  #scheduled = false
  #closed = false

  /** @param beforeFlush may still put something */
  constructor(sink: FrameSink, beforeFlush: () => void) {
    this.#sink = sink
    this.#endOfBody = FRAME_HEAD_BYTES + sink.maxBodyBytes
    this.#beforeFlush = beforeFlush
  }

  /** Whether the connection takes more. */
  get writable(): boolean {
    return this.#writable
  }

  /** Bytes of replies that wait, in whole frames. */
  get urgentBytes(): number {
    return this.#urgent.length === 0 ? 0 : (this.#urgent.length - 1) * MAX_FRAME_BYTES + this.#urgent.at(-1)!.end
  }

  /** Puts a request; `order` is its number among all of the session. */
  putRequest(id: number, timeMs: number, bytes: Uint8Array, start: number, end: number, order: number): void {
    if (this.#closed) return
    const sheet = this.#room(this.#ordinary, REQUEST_HEAD_BYTES + end - start)
    if (sheet === undefined) {
      this.#putParts(this.#ordinary, ENVELOPE.request, ENVELOPE.requestPart, id, timeMs, bytes, start, end, order)
    } else {
      const at = writeWord(sheet.bytes, writeHead(sheet.bytes, sheet.end, ENVELOPE.request, end - start, id), timeMs)
      sheet.end = copy(bytes, start, end, sheet.bytes, at)
      sheet.order = order
    }
    this.#schedule()
  }

  putNote(bytes: Uint8Array, start: number, end: number): void {
    this.#put(this.#ordinary, ENVELOPE.note, ENVELOPE.notePart, 0, bytes, start, end)
  }

  putReply(id: number, bytes: Uint8Array, start: number, end: number): void {
    this.#put(this.#urgent, ENVELOPE.reply, ENVELOPE.replyPart, id, bytes, start, end)
  }

  /** An envelope with nothing but its head, or with one byte; goes with what is urgent. */
  putWord(kind: EnvelopeKind, id: number, byte = -1): void {
    if (this.#closed) return
    const sheet = this.#room(this.#urgent, ENVELOPE_HEAD_BYTES + 1)!
    sheet.end = writeHead(sheet.bytes, sheet.end, kind, byte < 0 ? 0 : 1, id)
    if (byte >= 0) sheet.bytes[sheet.end++] = byte
    this.#schedule()
  }

  /** There will be something to put before the next flush. */
  wake(): void {
    if (!this.#closed) this.#schedule()
  }

  /** Sends a frame without envelopes, if nothing else is about to be sent: a sign of life. */
  beat(): void {
    if (!this.#closed && this.#writable && this.#urgent.length === 0 && this.#ordinary.length === 0) this.#send(takeSheet())
  }

  /** The connection takes more again. */
  drained(): void {
    this.#writable = true
    this.flush()
  }

  /** Hands over what there is, as far as the connection takes it. */
  flush(): void {
    if (this.#closed) return
    this.#beforeFlush()
    while (this.#writable) {
      const sheet = this.#urgent.shift() ?? this.#ordinary.shift()
      if (sheet === undefined) return
      const next = this.#ordinary[0]
      if (next !== undefined && sheet.end + next.end - FRAME_HEAD_BYTES <= this.#endOfBody && this.#urgent.length === 0 && sheet.end <= MAX_FRAME_BYTES / 4) {
        // A few replies and what else there is: one frame.
        sheet.end = copy(next.bytes, FRAME_HEAD_BYTES, next.end, sheet.bytes, sheet.end)
        sheet.order = next.order
        giveBack(this.#ordinary.shift()!)
      }
      this.#send(sheet)
    }
  }

  /** Forgets what was not sent, and takes no more. */
  close(): void {
    this.#closed = true
    for (const lane of [this.#urgent, this.#ordinary]) for (const sheet of lane.splice(0)) giveBack(sheet)
  }

  #put(lane: Sheet[], whole: EnvelopeKind, part: EnvelopeKind, id: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#closed) return
    const sheet = this.#room(lane, ENVELOPE_HEAD_BYTES + end - start)
    if (sheet === undefined) this.#putParts(lane, whole, part, id, 0, bytes, start, end, 0)
    else sheet.end = copy(bytes, start, end, sheet.bytes, writeHead(sheet.bytes, sheet.end, whole, end - start, id))
    this.#schedule()
  }

  /** A sheet with room for so many bytes; `undefined` if none can have it. */
  #room(lane: Sheet[], bytes: number): Sheet | undefined {
    const last = lane.length === 0 ? undefined : lane[lane.length - 1]
    if (last !== undefined && last.end + bytes <= this.#endOfBody) return last
    return bytes > this.#sink.maxBodyBytes ? undefined : this.#addSheet(lane)
  }

  #addSheet(lane: Sheet[]): Sheet {
    // What is full need not wait for the end of the turn.
    if (lane.length > 0 && this.#writable) this.flush()
    const sheet = takeSheet()
    lane.push(sheet)
    return sheet
  }

  #putParts(lane: Sheet[], whole: EnvelopeKind, part: EnvelopeKind, id: number, timeMs: number, bytes: Uint8Array, start: number, end: number, order: number): void {
    const lastHead = whole === ENVELOPE.request ? REQUEST_HEAD_BYTES : ENVELOPE_HEAD_BYTES
    for (let at = start; ;) {
      let sheet = lane.at(-1)
      if (sheet === undefined || this.#endOfBody - sheet.end < ENVELOPE_HEAD_BYTES + SMALL_PART_BYTES) sheet = this.#addSheet(lane)
      const isLast = lastHead + end - at <= this.#endOfBody - sheet.end
      const length = isLast ? end - at : Math.min(end - at, this.#endOfBody - sheet.end - ENVELOPE_HEAD_BYTES)
      let to = writeHead(sheet.bytes, sheet.end, isLast ? whole : part, length, id)
      if (isLast && whole === ENVELOPE.request) to = writeWord(sheet.bytes, to, timeMs)
      sheet.end = copy(bytes, at, at + length, sheet.bytes, to)
      sheet.order = Math.max(sheet.order, order)
      at += length
      if (isLast) return
    }
  }

  #schedule(): void {
    if (this.#scheduled || !this.#writable) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.flush()
    })
  }

  #send(sheet: Sheet): void {
    if (sheet.order > this.sentOrder) this.sentOrder = sheet.order
    this.frames++
    this.#writable = this.#sink.send(sheet.bytes, sheet.end, () => {
      this.released++
      giveBack(sheet)
    })
  }
}

function giveBack(sheet: Sheet): void {
  if (spare.length < MAX_SPARE) spare.push(sheet)
}

/** Copies `from[start, end)` to `into` at `at`. Returns the position behind it. */
function copy(from: Uint8Array, start: number, end: number, into: Buffer, at: number): number {
  if (end - start > SHORT_COPY_BYTES) into.set(start === 0 && end === from.length ? from : from.subarray(start, end), at)
  else for (let index = start, to = at; index < end; index++, to++) into[to] = from[index]!
  return at + end - start
}
