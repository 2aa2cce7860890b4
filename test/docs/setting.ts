/** The cache that the examples of the reference work on. */
import { startCache } from 'scatterhoard'
import { people, type User } from './people.js'

export const users = await startCache<User>('users', {
  shards: 2,
  memory: '16mb',
  functions: [people],
  commands: { age: { type: 'read', execute: people.age }, birthday: { type: 'write', execute: people.birthday } },
  warmers: [{ name: 'regulars', execute: people.regulars, required: true }],
  stats: true,
})

/** Before each example. */
export async function prepare(): Promise<void> {
  await users.clear()
  await users.put('ada', { name: 'Ada', age: 36, visits: 1 })
  await users.put('bob', { name: 'Bob', age: 16, visits: 0 }, { expire: '1h' })
}
