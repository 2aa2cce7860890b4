/** The places of a cache's actors in the tree. */
export const SHARDS_ID = 'shards'
export const JANITOR_ID = 'janitor'

/** The place of a cache among its siblings. */
export function cacheId(name: string): string {
  return `cache:${name}`
}

export function shardId(index: number): string {
  return `shard-${index}`
}
