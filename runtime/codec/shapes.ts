/**
 * Shapes: the names of an object's properties, in their order. Most objects that a thread meets have one of few shapes, so
 * each thread remembers them, in both directions. Nothing here is shared, and nothing relies on the other side's memory.
 *
 * Encoding walks a tree of names, where each node remembers the branch taken last; its leaf holds the bytes of the shape.
 * Decoding finds a shape by a few of its bytes and compares them all; one that is met often gets a constructor
 * generated for it, which is what makes objects fast: they are born with their final hidden class.
 *
 * Both memories are bounded: a stream of objects that are used as dictionaries costs time, never memory.
 */
import { SHORT_STRING, TAG } from './tags.js'
import { countBytes, raw, writeCount } from './raw-bytes.js'

/** Shapes of more names, or with a longer one, are written and read without being remembered. */
const MAX_NAMES = 64
const MAX_NAME_LENGTH = 64

// ── encode ─────────────────────────────────────────────────────────────────────────────────────────────────────

const MAX_NODES = 8192
/** After a tree was full, so many steps are not remembered before a new one is begun. */
const PAUSE = 32_768

export class ShapeNode {
  readonly name: string
  readonly names: readonly string[]
  /** The branch taken last: right nearly always. */
  last: ShapeNode | null = null
  /** Count and bytes of the shape, as they stand behind the tag. */
  block: Uint8Array | null = null
  branches: Map<string, ShapeNode> | null = null

  constructor(name: string, names: readonly string[]) {
    this.name = name
    this.names = names
  }
}

/** Where a walk ends up whose shape is not remembered: it never leaves it. */
export const UNKNOWN = new ShapeNode('', [])

let root = new ShapeNode('', [])
let nodes = 0
let pause = 0

/** Where a walk begins. */
export function rootShape(): ShapeNode {
  return root
}

/** One step of a walk, where the branch taken last is not the right one. */
export function stepShape(node: ShapeNode, name: string): ShapeNode {
  if (node === UNKNOWN) return UNKNOWN
  const known = node.branches?.get(name)
  if (known !== undefined) return (node.last = known)
  if (name.length > MAX_NAME_LENGTH || node.names.length >= MAX_NAMES) return UNKNOWN
  if (nodes >= MAX_NODES) {
    if (pause++ < PAUSE) return UNKNOWN
    pause = 0
    nodes = 0
    root = new ShapeNode('', [])
    return UNKNOWN
  }
  nodes++
  const added = new ShapeNode(name, [...node.names, name])
  node.branches ??= new Map()
  node.branches.set(name, added)
  return (node.last = added)
}

/** The bytes of a shape, with their count in front. */
export function shapeBlock(names: readonly string[]): Uint8Array {
  let size = countBytes(names.length)
  for (const name of names) size += 6 + name.length * 2
  const body = raw(Buffer.allocUnsafe(size))
  let at = writeCount(body, 0, names.length)
  for (const name of names) {
    if (/[^\0-\xff]/.test(name)) {
      body[at++] = TAG.utf16
      at = writeCount(body, at, name.length * 2)
      at += body.ucs2Write(name, at, name.length * 2)
    } else {
      if (name.length < 64) {
        body[at++] = SHORT_STRING + name.length
      } else {
        body[at++] = TAG.latin1
        at = writeCount(body, at, name.length)
      }
      at += body.latin1Write(name, at, name.length)
    }
  }
  const block = new Uint8Array(countBytes(at) + at)
  block.set(body.subarray(0, at), writeCount(block, 0, at))
  return block
}

// ── decode ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** Reads the next value. */
export type Read = () => unknown

const SLOTS = 1024
const MAX_REMEMBERED_BYTES = 2048
/** A shape that was met so often gets a constructor, … */
const WORTH_GENERATING = 8
/** … if this thread has not made so many already. */
const MAX_GENERATED = 512

export class KnownShape {
  readonly bytes: Uint8Array
  readonly names: readonly string[]
  build: ((read: Read) => Record<string, unknown>) | null = null
  met = 0

  constructor(bytes: Uint8Array, names: readonly string[]) {
    this.bytes = bytes
    this.names = names
  }
}

const slots: (KnownShape | null)[] = new Array<KnownShape | null>(SLOTS).fill(null)
let generated = 0

/** The shape whose bytes are `bytes[start, end)`, if this thread remembers it. */
export function knownShape(bytes: Uint8Array, start: number, end: number): KnownShape | null {
  const shape = slots[slotOf(bytes, start, end)] ?? null
  if (shape === null) return null
  const expected = shape.bytes
  const length = end - start
  if (expected.length !== length) return null
  for (let index = 0; index < length; index++) if (expected[index] !== bytes[start + index]) return null
  if (shape.build === null && ++shape.met === WORTH_GENERATING) shape.build = generate(shape.names)
  return shape
}

/** Remembers a shape that was read from these bytes, in the place of another one. */
export function rememberShape(bytes: Uint8Array, start: number, end: number, names: readonly string[]): void {
  if (end - start > MAX_REMEMBERED_BYTES || names.length > MAX_NAMES) return
  slots[slotOf(bytes, start, end)] = new KnownShape(Uint8Array.prototype.slice.call(bytes, start, end), names)
}

/** Of the length, a byte near the front, one in the middle and the last ones: names that differ mostly do so in one of these. */
function slotOf(bytes: Uint8Array, start: number, end: number): number {
  const sum = Math.imul(end - start, 0x9e37) + Math.imul(bytes[start + 2]! | (bytes[(start + end) >> 1]! << 8) | (bytes[end - 1]! << 16) | (bytes[end - 2]! << 24), 0x9e3779b1)
  return (sum ^ (sum >>> 15)) & (SLOTS - 1)
}

function generate(names: readonly string[]): KnownShape['build'] {
  if (generated >= MAX_GENERATED || names.length === 0) return null
  generated++
  // In brackets, `__proto__` is a name like any other. JSON.stringify escapes everything else that could leave the literal.
  const properties = names.map((name) => `${name === '__proto__' ? '["__proto__"]' : JSON.stringify(name)}:read()`)
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the only generated code: a literal of quoted names
    return new Function('read', `return {${properties.join(',')}}`) as KnownShape['build']
  } catch {
    // Node was started with --disallow-code-generation-from-strings: the loop does the same, slower.
    generated = MAX_GENERATED
    return null
  }
}
