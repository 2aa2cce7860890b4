/**
 * The order in which a table's words become visible, in the two places where the language leaves a gap.
 *
 * A reader reads the version, plain words, and the version again. The language does not order a plain read before a later
 * atomic load. An x64 processor does, and V8 keeps program order around atomics; other processors may reorder, so there the
 * second look is a read-modify-write, which waits for the reads before it.
 *
 * The writer bumps the version and then reuses a block with plain writes. Those must not overtake the bump. On x64 an atomic
 * add is a full barrier. Elsewhere a load of the same word follows it: it waits for the bump, and later writes wait for it.
 */
const ORDERED = process.arch === 'x64' || process.arch === 'ia32'

/** How often a reader begins anew before it gives up. */
export const MAX_TRIES = 64
/** After so many blocks of a chain a reader makes sure that it is still one. */
export const CHAIN_CHECK = 32

/** Whether the version is still `seen`, with every read before this call done. */
export function isUnmoved(words: Int32Array, word: number, seen: number): boolean {
  return (ORDERED ? Atomics.load(words, word) : Atomics.or(words, word, 0)) === seen
}

/** Moves a version on: what readers copied under the old one they read again. */
export function bumpVersion(words: Int32Array, word: number): void {
  Atomics.add(words, word, 1)
  if (!ORDERED) Atomics.load(words, word)
}
