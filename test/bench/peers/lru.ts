/** lru-cache: this thread only, by reference. */
import { LRUCache } from 'lru-cache'

export interface LruPeer {
  get(key: string): string | undefined
  set(key: string, value: string): unknown
}

export function createLru(max: number): LruPeer {
  return new LRUCache<string, string>({ max })
}
