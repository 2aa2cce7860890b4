/** The places of a cache's actors in the tree. */
import type { ActorAddress } from '../runtime/actor.js'
import type { CacheConfig } from './options.js'

export const SHARDS_ID = 'shards'
export const HOOKS_ID = 'hooks'
export const JANITOR_ID = 'janitor'
export const WARMERS_ID = 'warmers'
export const LOCKSMITH_ID = 'locksmith'
export const LIMIT_ID = 'limit'

/** The place of a cache among its siblings. */
export function cacheId(name: string): string {
  return `cache:${name}`
}

export function shardId(index: number): string {
  return `shard-${index}`
}

/** The path of the cache that an actor directly below its supervisor belongs to. */
export function cacheOf(id: string): string {
  return id.slice(0, id.lastIndexOf('/'))
}

/** Where the shards of a cache take messages. */
export function shardAddresses(cache: string, { shards, mailbox }: CacheConfig): ActorAddress[] {
  return Array.from({ length: shards }, (_, index) => ({ id: `${cache}/${SHARDS_ID}/${shardId(index)}`, name: undefined, mailbox, crashCode: 'ERR_SHARD_CRASHED' }))
}
