/** Removing many entries: those whose time has come, bucket by bucket, and all of them. */
import { readTime } from './bytes.js'
import { BLOCK_BITS, FIXED_WORDS, HAS_EXPIRY, headOfBucket, LENS, modifiedAt, slotOf, versionOfGroup } from './layout.js'
import type { TableStore } from './store.js'
import { bumpVersion } from './version.js'

/** Removes what has expired from at most `maxSteps` buckets; returns the next cursor, 0 at the end. */
export function sweepBuckets(store: TableStore, cursor: number, nowMs: number, maxSteps: number, onExpired: ((block: number) => void) | undefined): number {
  const { words, geometry } = store
  const end = Math.min(geometry.buckets, cursor + maxSteps)
  for (let bucket = cursor; bucket < end; bucket++) {
    for (let block = words[headOfBucket(bucket)]! & BLOCK_BITS; block !== 0;) {
      const next = words[block >> 2]!
      if ((words[(block >> 2) + LENS]! & HAS_EXPIRY) !== 0 && readTime(words, (block >> 2) + FIXED_WORDS) <= nowMs
        && slotOf(words, block) === 0 && store.isSpare(block)) {
        onExpired?.(block)
        store.remove(block)
      }
      block = next
    }
  }
  return end >= geometry.buckets ? 0 : end
}

/** What `removeOldFromBuckets` is to remove, and has. */
export interface OldEntries {
  /** Entries modified before this go, by the time with its fraction. */
  readonly last: number
  /** So many of those that were modified at that very time go too. */
  ties: number
  removed: number
}

/** Removes what was modified before a time from at most `maxSteps` buckets; returns the next cursor, 0 at the end. */
export function removeOldFromBuckets(store: TableStore, cursor: number, old: OldEntries, maxSteps: number): number {
  const { words, geometry } = store
  const end = Math.min(geometry.buckets, cursor + maxSteps)
  for (let bucket = cursor; bucket < end; bucket++) {
    for (let block = words[headOfBucket(bucket)]! & BLOCK_BITS; block !== 0;) {
      const next = words[block >> 2]!
      const modified = modifiedAt(words, block)
      const goes = modified < old.last || (modified === old.last && old.ties > 0)
      if (goes && slotOf(words, block) === 0 && store.isSpare(block)) {
        if (modified === old.last) old.ties--
        store.remove(block)
        old.removed++
      }
      block = next
    }
  }
  return end >= geometry.buckets ? 0 : end
}

/** Removes all entries, a group of buckets at a time; a writer that dies in between has removed a part. Prepared blocks stay. */
export function clearTable(store: TableStore): number {
  const { words, geometry, pages, order, prepared } = store
  const count = store.entries
  if (!prepared.isEmpty) {
    while (order.oldest !== 0) store.remove(order.oldest)
    return count
  }
  for (let group = 0; group < geometry.groups; group++) {
    const version = versionOfGroup(group)
    if ((words[version + 1]! | words[version + 2]! | words[version + 3]!) === 0) continue
    for (let head = version + 1; head < version + 4; head++) Atomics.store(words, head, 0)
    bumpVersion(words, version)
  }
  order.clear()
  store.entries = 0
  pages.reset()
  return count
}
