/**
 * The bytes of a value. Each value is self-contained: no state is shared between threads, nodes or values.
 *
 *   80…ff                  the integer tag − a0: −32 … 95
 *   40…7f  chars           a Latin-1 string of tag − 40 characters
 *   null undefined false true
 *   int16 │ int32          two's complement              double   IEEE 754; NaN, −0 and infinities too
 *   bigint64  8 bytes      two's complement              bigint   count × 2 + sign, magnitude, highest byte first
 *   latin1Rest, utf16Rest  a string that goes to the end of the value: only as a whole value
 *   latin1, utf16          count of bytes, characters    (Latin-1 if every unit is below 256, else UTF-16, which holds any
 *                                                        string, lone surrogates too, and decodes by a plain copy)
 *   date      double       regexp    source, flags: two strings
 *   array     count, values                              holes are only in
 *   sparse    length, count, (index, value)…             indices ascending
 *   map       count, (key, value)…                       set      count, values
 *   object, nullObject     count of shape's bytes, shape, values in its order
 *       shape = count, names: strings                    (kept together so that a known shape is recognised in one comparison)
 *   memory    kind, count, bytes                         typed arrays, DataView, ArrayBuffer, Buffer
 *   error     kind, message, count, (name, value)…       the message may be undefined
 *   instance  name: string, data                         of a registered class
 *   compressed  length as 4 bytes, DEFLATE of the value's bytes      only as a whole value (`compressed.ts`)
 *   graph     value                                      only as a whole value: in it, references may occur
 *   reference ordinal                                    the object that began ordinal-th, the first being 0
 *
 * Numbers are little-endian (typed arrays as the host has them: every platform that Node ships for is little-endian, but two).
 * Counts are unsigned, seven bits a byte, lowest first, never overlong. Lengths of arrays and indices are counts too.
 */
export const TAG = {
  null: 0x01, undefined: 0x02, false: 0x03, true: 0x04,
  int16: 0x05, int32: 0x06, double: 0x07, bigint64: 0x08, bigint: 0x09,
  latin1Rest: 0x0a, utf16Rest: 0x0b, latin1: 0x0c, utf16: 0x0d,
  date: 0x10, regexp: 0x11,
  array: 0x12, sparse: 0x13, map: 0x14, set: 0x15, object: 0x16, nullObject: 0x17,
  memory: 0x18, error: 0x19, instance: 0x1a,
  compressed: 0x1d, graph: 0x1e, reference: 0x1f,
} as const

/** Tags from here on are Latin-1 strings of `tag − SHORT_STRING` characters. */
export const SHORT_STRING = 0x40

/** Tags from here on are the integers `tag − ZERO`. */
export const SMALL_INT = 0x80
export const ZERO = 0xa0
export const SMALLEST_INT = SMALL_INT - ZERO
export const LARGEST_SMALL_INT = 0xff - ZERO

/** How deep values may be nested. */
export const MAX_DEPTH = 1000

/** What `memory` is a view of memory as. The order is the format: only append. */
export const MEMORY_KINDS = [
  'ArrayBuffer', 'Buffer', 'DataView', 'Uint8Array', 'Uint8ClampedArray', 'Int8Array', 'Uint16Array', 'Int16Array', 'Uint32Array',
  'Int32Array', 'Float32Array', 'Float64Array', 'BigUint64Array', 'BigInt64Array', 'Float16Array',
] as const

/** The built-in errors. The order is the format: only append. */
export const ERROR_KINDS = [
  'Error', 'TypeError', 'RangeError', 'SyntaxError', 'ReferenceError', 'EvalError', 'URIError', 'AggregateError', 'CacheError',
] as const

const FLAT = new Uint8Array(256).fill(1, SMALL_INT)
for (const tag of [TAG.null, TAG.undefined, TAG.false, TAG.true, TAG.int16, TAG.int32, TAG.double, TAG.latin1Rest, TAG.utf16Rest]) FLAT[tag] = 1

/**
 * Whether a value that begins with this tag is flat: `decodeFlat` makes it of whatever bytes follow, without failing and
 * without allocating more than they are long.
 */
export function isFlat(tag: number): boolean {
  return FLAT[tag] === 1
}
