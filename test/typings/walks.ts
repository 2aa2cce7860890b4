/** Walks and dumps: what must compile, and what must not: each line under `@ts-expect-error` is an error, or the test fails. Never run. */
import { defineFunctions, registerFunction, startCache, type Cache, type Entry, type Key, type Query } from 'scatterhoard'

interface User { name: string; visits: number }

/** Compiles only if both types are the same. */
function same<Expected>() {
  return <Actual>(_actual: Actual, ..._proof: (<T>() => T extends Actual ? 1 : 2) extends (<T>() => T extends Expected ? 1 : 2) ? [] : [never]): void => undefined
}

const filters = defineFunctions('typed-filters', import.meta.url, {
  frequent: ({ value }: Entry<User>) => value.visits > 10,
  any: (_entry: Entry) => true,
  ofKeys: ({ key }: { key: Key }) => typeof key === 'string',
  number: ({ value }: Entry<number>) => value > 1,
  later: async (_entry: Entry) => true,
  two: (_entry: Entry, more: number) => more > 1,
})

export async function streams(users: Cache<User>): Promise<void> {
  for await (const entry of users.stream()) same<Entry<User>>()(entry)
  for await (const entry of users.stream({ where: { value: { visits: { $gte: 18 }, 'address.city': 'London' } } })) same<Entry<User>>()(entry)
  for await (const key of users.stream({ select: 'key' })) same<Key>()(key)
  for await (const value of users.stream({ select: 'value', batch: 10, timeout: '1s', signal: new AbortController().signal })) same<User>()(value)
  for await (const expires of users.stream({ select: 'expires' })) same<number | null>()(expires)
  for await (const pair of users.stream({ select: ['key', 'value'] })) same<[Key, User]>()(pair)
  for await (const times of users.stream({ select: ['modified', 'expires', 'key'], where: filters.frequent })) same<[number, number | null, Key]>()(times)
  const whole: AsyncGenerator<Entry<User>, void> = users.stream({ where: filters.any })
  void whole.return()
  void users.stream({ where: filters.ofKeys })
  void users.stream({ where: 'typed-filters.any' })
  // @ts-expect-error no such part
  void users.stream({ select: 'keys' })
  // @ts-expect-error no such part
  void users.stream({ select: ['key', 'age'] })
  // @ts-expect-error of nothing there is no tuple
  void users.stream({ select: [] })
  // @ts-expect-error a misspelled name
  void users.stream({ were: {} })
  // @ts-expect-error a misspelled name
  void users.stream({ where: { kee: 'x' } })
  // @ts-expect-error not one of the words
  void users.stream({ where: { expired: 'yes' } })
  // @ts-expect-error takes another kind of value
  void users.stream({ where: filters.number })
  // @ts-expect-error returns a promise
  void users.stream({ where: filters.later })
  void users.stream({ where: registerFunction('typed-filters.registered', async (entry: Entry<User>) => entry.value.visits > 1), select: 'key' })
  // @ts-expect-error takes more than an entry
  void users.stream({ where: filters.two })
  // @ts-expect-error a closure has no name
  void users.stream({ where: (entry: Entry<User>) => entry.value.visits > 1 })
  // @ts-expect-error a method only
  await users.ask(['stream'])
}

export const queries: Query[] = [
  {}, { key: 'x' }, { key: ['a', 1] }, { key: null }, { value: null }, { value: new Date() }, { value: /x/ }, { value: ['a', { b: 1 }] }, { value: { 'a.b': { c: 5n } } },
  { value: { age: { $gt: 1, $lte: new Date(), $in: [1, null], $prefix: 'x', $exists: false, $ne: [], $eq: { deep: 1 }, $not: { $eq: 1 }, $and: [{ $gt: 1 }, 5], $or: [{ a: 1 }] } } }, { value: { $or: [{ a: 1 }], b: 2 } },
  { expired: 'any', modified: { $gt: 5 }, expires: null, $and: [{ key: 1 }], $or: [{ $not: { key: 2 } }] },
]

export const malformed: Query[] = [
  // @ts-expect-error undefined is no condition
  { key: undefined },
  // @ts-expect-error a list of queries
  { $and: { key: 1 } },
  // @ts-expect-error a prefix is a string
  { key: { $prefix: 5 } },
  // @ts-expect-error a list
  { value: { age: { $in: 5 } } },
  // @ts-expect-error true or false
  { value: { age: { $exists: 1 } } },
  // @ts-expect-error functions are no data
  { value: { age: () => 1 } },
]

export async function options(): Promise<void> {
  await startCache('ordered', { ordered: true })
  // @ts-expect-error true or false
  await startCache('ordered', { ordered: 'yes' })
}
