/** The module of functions that the examples of the reference use. */
import { defineFunctions, ignore, type Cache, type Transaction } from 'scatterhoard'

export interface User {
  name: string
  age: number
  visits: number
}

export const people = defineFunctions('people', import.meta.url, {
  async load(id: string): Promise<User> {
    return Promise.resolve({ name: id, age: 30, visits: 0 })
  },
  regulars: () => [['tom', { name: 'Tom', age: 40, visits: 9 }]],
  visit: (user: User | undefined, by: number) => (user === undefined ? ignore(undefined) : { ...user, visits: user.visits + by }),
  isAdult: ({ value }: { value: User }) => value.age >= 18,
  age: (user: User | undefined) => user?.age ?? null,
  birthday: (user: User | undefined) => (user === undefined ? ignore(null) : [user.age + 1, { ...user, age: user.age + 1 }]),
  visits: async (cache: Cache<User>, key: string) => (await cache.get(key))?.visits,
  /** Moves visits from one user to another, or nothing if there are too few. */
  async give(tx: Transaction<User>, from: string, to: string, visits: number): Promise<boolean> {
    const [giver, taker] = await tx.getMany([from, to])
    if (giver === undefined || taker === undefined || giver.visits < visits) return false
    await tx.put(from, { ...giver, visits: giver.visits - visits })
    await tx.put(to, { ...taker, visits: taker.visits + visits })
    return true
  },
})
