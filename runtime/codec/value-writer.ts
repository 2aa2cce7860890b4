/**
 * Where an encoder writes: the position in a scratch buffer, the simple values, and the objects met so far.
 *
 * All of it is in variables of this module because that is fastest. There is one encoding at a time on a thread;
 * `setAside` keeps the state of the one outside, when a getter or a `toData` encodes another value.
 */
import { countBytes, raw, writeCount, type RawBytes } from './raw-bytes.js'
import { Refusal } from './refusal.js'
import type { Scratch } from './scratch.js'
import { LARGEST_SMALL_INT, MAX_DEPTH, SHORT_STRING, SMALLEST_INT, TAG, ZERO } from './tags.js'

/** Up to here a loop over the characters is faster than a call out of JavaScript. */
const LOOP_CHARS = 24

/** Up to here a scan of the objects met so far is faster than a Map. */
const SCANNED = 16

/** Larger memory than this is let go of after use. */
const KEEP_BYTES = 1 << 20
const NO_BYTES = raw(Buffer.alloc(0))

let scratch!: Scratch
let bytes: RawBytes = NO_BYTES
let at = 0
let capacity = 0
let depth = 0
/** The objects met so far, in order: an object's place is the ordinal that references name. */
let met = noneMet()
let metCount = 0
let ordinals: Map<object, number> | null = null
/** Whether a reference was written. */
let shared = false
/** Ordinals of the instances whose data is being written: a reference to one of them could not be read back. */
let unfinished: number[] = []

const float = new Float64Array(1)
const floatBytes = new Uint8Array(float.buffer)

function noneMet(): (object | null)[] {
  return new Array<object | null>(SCANNED + 1).fill(null)
}

/** Begins at the end of the scratch buffer. */
export function begin(into: Scratch): void {
  scratch = into
  bytes = raw(into.bytes)
  at = into.end
  capacity = bytes.length
  depth = 0
}

/** Sets the state aside for another encoding. The function returned brings it back. */
export function setAside(): () => void {
  const saved = { scratch, at, depth, met, metCount, ordinals, shared, unfinished }
  met = noneMet()
  metCount = 0
  ordinals = null
  shared = false
  unfinished = []
  return () => {
    ;({ scratch, at, depth, met, metCount, ordinals, shared, unfinished } = saved)
    bytes = raw(scratch.bytes)
    capacity = bytes.length
  }
}

/** Completes what was written since `start`, and makes it the scratch buffer's content. */
export function complete(start: number): void {
  if (shared) {
    room(1)
    bytes.copyWithin(start + 1, start, at)
    bytes[start] = TAG.graph
    at++
  }
  scratch.end = at
}

/** Lets go of everything that was met. */
export function finish(): void {
  if (metCount > SCANNED) met = noneMet()
  else for (let index = 0; index < metCount; index++) met[index] = null
  metCount = 0
  ordinals = null
  if (unfinished.length > 0) unfinished = []
  shared = false
  // What the scratch buffer gives back must not live on here.
  if (capacity > KEEP_BYTES) bytes = NO_BYTES
}

function room(wanted: number): void {
  if (at + wanted > capacity) grow(wanted)
}

function grow(wanted: number): void {
  scratch.end = at
  scratch.ensure(wanted)
  bytes = raw(scratch.bytes)
  capacity = bytes.length
}

export function writeTag(tag: number): void {
  room(1)
  bytes[at++] = tag
}

/** A tag and a count. */
export function writeTagged(tag: number, count: number): void {
  room(6)
  bytes[at++] = tag
  at = writeCount(bytes, at, count)
}

export function writeUnsigned(count: number): void {
  room(5)
  at = writeCount(bytes, at, count)
}

/** A tag, and bytes that are kept ready. Short ones: a loop is faster than a call then. */
export function writeBlock(tag: number, block: Uint8Array): void {
  const length = block.length
  room(length + 1)
  let to = at
  bytes[to++] = tag
  for (let index = 0; index < length; index++) bytes[to++] = block[index]!
  at = to
}

export function writeMemoryBytes(memory: Uint8Array): void {
  room(memory.length)
  bytes.set(memory, at)
  at += memory.length
}

// ── numbers ────────────────────────────────────────────────────────────────────────────────────────────────────

export function writeNumber(value: number): void {
  const int = value | 0
  if (int !== value || (int === 0 && 1 / value < 0)) return writeDouble(TAG.double, value)
  room(5)
  if (int >= SMALLEST_INT && int <= LARGEST_SMALL_INT) {
    bytes[at++] = ZERO + int
  } else if (int === (int << 16) >> 16) {
    bytes[at] = TAG.int16
    bytes[at + 1] = int
    bytes[at + 2] = int >> 8
    at += 3
  } else {
    bytes[at] = TAG.int32
    bytes[at + 1] = int
    bytes[at + 2] = int >> 8
    bytes[at + 3] = int >> 16
    bytes[at + 4] = int >> 24
    at += 5
  }
}

export function writeDouble(tag: number, value: number): void {
  room(9)
  float[0] = value
  const from = at
  bytes[from] = tag
  bytes[from + 1] = floatBytes[0]!
  bytes[from + 2] = floatBytes[1]!
  bytes[from + 3] = floatBytes[2]!
  bytes[from + 4] = floatBytes[3]!
  bytes[from + 5] = floatBytes[4]!
  bytes[from + 6] = floatBytes[5]!
  bytes[from + 7] = floatBytes[6]!
  bytes[from + 8] = floatBytes[7]!
  at = from + 9
}

export function writeBigInt(value: bigint): void {
  if (BigInt.asIntN(64, value) === value) {
    room(9)
    bytes[at] = TAG.bigint64
    bytes.writeBigInt64LE(value, at + 1)
    at += 9
    return
  }
  const negative = value < 0n
  const digits = (negative ? -value : value).toString(16)
  const length = (digits.length + 1) >> 1
  room(length + 6)
  bytes[at++] = TAG.bigint
  at = writeCount(bytes, at, length * 2 + Number(negative))
  at += bytes.write(digits.length % 2 === 0 ? digits : `0${digits}`, at, 'hex')
}

// ── strings ────────────────────────────────────────────────────────────────────────────────────────────────────

export function writeString(value: string): void {
  const length = value.length
  room(length + 10)
  if (length < SMALLEST_LONG) {
    if (writeChars(bytes, value, at + 1)) {
      bytes[at] = SHORT_STRING + length
      at += 1 + length
      return
    }
  } else if (writeChars(bytes, value, at + 1 + countBytes(length))) {
    bytes[at++] = TAG.latin1
    at = writeCount(bytes, at, length) + length
    return
  }
  room(length * 2 + 6)
  bytes[at++] = TAG.utf16
  at = writeCount(bytes, at, length * 2)
  at += bytes.ucs2Write(value, at, length * 2)
}

const SMALLEST_LONG = 64

/** Writes the characters one byte each, if they fit. Needs room for four bytes more than there are characters. */
function writeChars(bytes: RawBytes, value: string, from: number): boolean {
  const length = value.length
  if (length <= LOOP_CHARS) {
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index)
      if (unit > 0xff) return false
      bytes[from + index] = unit
    }
    return true
  }
  // As UTF-8, only ASCII is as long as it has characters; with four bytes to spare a cut cannot make it look so.
  if (bytes.utf8Write(value, from, length + 4) === length) return true
  if (BEYOND_LATIN1.test(value)) return false
  bytes.latin1Write(value, from, length)
  return true
}

const BEYOND_LATIN1 = /[^\0-\xff]/

/** Appends a string that is a whole value: it needs no length, and none of this module's state. */
export function appendWholeString(value: string, into: Scratch): void {
  const length = value.length
  into.ensure(length + 5)
  const start = into.end
  if (writeChars(raw(into.bytes), value, start + 1)) {
    into.bytes[start] = TAG.latin1Rest
    into.end = start + 1 + length
    return
  }
  into.ensure(length * 2 + 1)
  into.bytes[start] = TAG.utf16Rest
  into.end = start + 1 + raw(into.bytes).ucs2Write(value, start + 1, length * 2)
}

// ── objects met ────────────────────────────────────────────────────────────────────────────────────────────────

/** If the object was met before, writes a reference to it. */
export function writeReference(value: object): boolean {
  if (metCount === 0) return false
  const ordinal = ordinalOf(value)
  if (ordinal < 0) return false
  if (unfinished.includes(ordinal)) throw new Refusal('what toData returned leads back to its instance; leave that reference out')
  room(6)
  bytes[at++] = TAG.reference
  at = writeCount(bytes, at, ordinal)
  shared = true
  return true
}

function ordinalOf(value: object): number {
  if (ordinals !== null) return ordinals.get(value) ?? -1
  for (let index = 0; index < metCount; index++) if (met[index] === value) return index
  return -1
}

export function remember(value: object): void {
  met[metCount++] = value
  if (ordinals !== null) {
    ordinals.set(value, metCount - 1)
  } else if (metCount > SCANNED) {
    ordinals = new Map()
    for (let index = 0; index < metCount; index++) ordinals.set(met[index]!, index)
  }
}

/** One level down. */
export function enter(): void {
  if (++depth > MAX_DEPTH) throw new Refusal(`it is nested deeper than ${MAX_DEPTH} levels; flatten it`)
}

/** One level up. */
export function leave(): void {
  depth--
}

/** From here on a reference to the object met last is refused, … */
export function beginInstance(): void {
  unfinished.push(metCount - 1)
}

/** … until here. */
export function endInstance(): void {
  unfinished.pop()
}

/** Runs `write`; if it fails, takes back all that it wrote and met. Returns whether it succeeded. */
export function attempt(write: () => void): boolean {
  const [fromAt, fromCount, fromDepth, fromUnfinished] = [at, metCount, depth, unfinished.length]
  try {
    write()
    return true
  } catch {
    for (let index = fromCount; index < metCount; index++) {
      ordinals?.delete(met[index]!)
      met[index] = null
    }
    at = fromAt
    metCount = fromCount
    depth = fromDepth
    unfinished.length = fromUnfinished
    return false
  }
}
