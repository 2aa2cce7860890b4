/** A worker thread of the consumer's own: reads the cache that it is handed, and writes to it. */
import { workerData } from 'node:worker_threads'
import { attachCache, type CacheDescriptor } from 'scatterhoard'
import type { Person } from './people.js'

const { users } = workerData as { users: CacheDescriptor }
const cache = await attachCache<Person>(users)
const ada = cache.getSync('ada')
if (ada !== undefined) await cache.put('from thread', { name: ada.name, visits: ada.visits + 1 })
