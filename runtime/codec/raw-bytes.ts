/**
 * Buffer's native methods for strings, typed. They are what `toString` and `write` end in, without its checks, and unlike
 * `TextDecoder` they accept memory that is shared: they copy it into a string of their own. Offsets must be in range.
 */
export interface RawBytes extends Buffer {
  latin1Slice(start: number, end: number): string
  ucs2Slice(start: number, end: number): string
  utf8Slice(start: number, end: number): string
  latin1Write(text: string, at: number, maxBytes: number): number
  ucs2Write(text: string, at: number, maxBytes: number): number
  utf8Write(text: string, at: number, maxBytes: number): number
}

/** The same buffer, with the methods that Node has but its types do not name. */
export function raw(bytes: Buffer): RawBytes {
  return bytes as RawBytes
}

/** Whether a string has no lone surrogates. (In Node since 20; newer than the library level that this project compiles with.) */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}

/** How many bytes `writeCount` writes. */
export function countBytes(count: number): number {
  return count < 0x80 ? 1 : count < 0x4000 ? 2 : count < 0x20_0000 ? 3 : count < 0x1000_0000 ? 4 : 5
}

/** Writes an unsigned 32-bit count, seven bits a byte, lowest first. Returns the position behind it. */
export function writeCount(bytes: Uint8Array, at: number, count: number): number {
  while (count >= 0x80) {
    bytes[at++] = (count & 0x7f) | 0x80
    count >>>= 7
  }
  bytes[at++] = count
  return at
}
