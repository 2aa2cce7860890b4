/** Which shard of a cache has a key. */
import { mix32 } from '../../runtime/hash.js'

/** The shard of a key, by bits of its hash that are independent of those that choose its bucket. */
export function shardOf(hash: number, shards: number): number {
  return Math.floor((mix32(hash) >>> 0) / 2 ** 32 * shards)
}
