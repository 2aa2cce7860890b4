/** What must compile, and what must not: each line under `@ts-expect-error` is an error, or the test fails. Never run. */
import { commit, defineFunctions, ignore, registerClass, registerFunction, startCache, startNode, attachCache, getCache, type Cache, type CacheEvent, type CacheMessage, type CacheStats, type Key, type TreeNode, type WatchedMessage } from 'scatterhoard'

interface User { name: string; visits: number }

/** Compiles only if both types are the same. */
function same<Expected>() {
  return <Actual>(_actual: Actual, ..._proof: (<T>() => T extends Actual ? 1 : 2) extends (<T>() => T extends Expected ? 1 : 2) ? [] : [never]): void => undefined
}

const people = defineFunctions('typed-people', import.meta.url, {
  visit: (user: User | undefined, by: number) => user ? { ...user, visits: user.visits + by } : ignore(undefined),
  reset: (user: User | undefined): User => ({ name: user?.name ?? '', visits: 0 }),
  maybe: (user: User | undefined, by?: number): User | undefined => user && { ...user, visits: by ?? 0 },
  rename: (user: User | undefined, name: string, visits: number) => commit({ name, visits: user?.visits ?? visits }, { expire: '5m' }),
  load: async (user: User | undefined): Promise<User> => user ?? { name: '', visits: 0 },
  count: (_user: User | undefined) => 5,
  ofNumber: (value: number | undefined) => value ?? 0,
})
const lists = defineFunctions('typed-lists', import.meta.url, {
  name: (user: User | undefined, index?: number) => user?.name.slice(index) ?? null,
  visit: (user: User | undefined, by: number) => user === undefined ? ignore(0) : [user.visits, { ...user, visits: user.visits + by }],
  rename: (user: User | undefined, name: string) => commit([user?.name, { name, visits: 0 }], { expire: '5m' }),
})
const registered = {
  update: registerFunction('registered.update', async (user: User | undefined): Promise<User> => user ?? { name: '', visits: 0 }),
  visit: registerFunction('registered.visit', (user: User | undefined, by: number) => user ? { ...user, visits: user.visits + by } : ignore(undefined)),
  count: registerFunction('registered.count', async (_user: User | undefined) => 5),
  pair: registerFunction('registered.pair', async (user: User | undefined) => [1, user] as const),
}
const errands = defineFunctions('typed-errands', import.meta.url, {
  count: async (cache: Cache<User>, key: string) => (await cache.get(key))?.visits ?? 0,
  later: (cache: Cache<User>) => cache.isEmpty(),
  wrapped: (_cache: Cache<User>) => ignore('x'),
  ofNumbers: (cache: Cache<number>) => cache.put('n', 1),
})
const anything = defineFunctions('typed-anything', import.meta.url, { later: async (_value: unknown) => 1, now: (_value: unknown) => 1 })

export async function values(): Promise<void> {
  const users = await startCache<User>('users', { shards: 1, memory: '1mb', expiration: { default: '5m' }, limit: { policy: 'fifo' } })
  same<User | undefined>()(await users.get('ada'))
  same<User | null>()(await users.get('ada', { default: null }))
  same<User | undefined>()(users.getSync('ada'))
  same<(User | undefined)[]>()(await users.getMany(['ada', 5, null, [1, 'x'], { a: 1n }]))
  same<boolean>()(await users.put('ada', { name: 'Ada', visits: 1 }, { expire: null, if: 'absent', timeout: '1s', signal: new AbortController().signal }))
  same<User | undefined>()(await users.take('ada'))
  same<number | null | undefined>()(await users.ttl('ada'))
  same<number>()(await users.incr('n'))
  same<bigint>()(await users.incr('n', 1n))
  same<Key[]>()(await users.keys())
  same<TreeNode>()(await users.inspect('tree'))
  same<number>()(await users.inspect(['memory', 'bytes']))
  same<CacheStats>()(await users.stats())
  same<number | undefined>()((await users.inspect(['janitor', 'last']))?.duration)
  // @ts-expect-error this is not a User
  await users.put('ada', 5)
  // @ts-expect-error a part is missing
  await users.put('ada', { name: 'Ada' })
  // @ts-expect-error undefined is no value
  await users.put('ada', undefined)
  // @ts-expect-error this is not a key
  await users.get(undefined)
  // @ts-expect-error this is not a key
  await users.get(() => 1)
  // @ts-expect-error this is not a key
  await users.get(new Map())
  // @ts-expect-error not a condition
  await users.put('ada', { name: '', visits: 0 }, { if: 'maybe' })
  // @ts-expect-error a misspelled name
  await users.put('ada', { name: '', visits: 0 }, { expires: 5 })
  // @ts-expect-error a misspelled name
  await startCache('x', { shard: 1 })
  // @ts-expect-error no such policy
  await startCache('x', { limit: { policy: 'random' } })
  // @ts-expect-error a different kind
  await users.incr('n', 1n, { default: 1 })
  // @ts-expect-error no such thing
  await users.inspect('everything')
  // @ts-expect-error needs something
  await users.inspect(['memory'])
}

export async function functions(users: Cache<User>, all: Cache<unknown>): Promise<void> {
  same<User | undefined>()(await users.getAndUpdate('ada', people.visit, { args: [1] }))
  same<User>()(await users.getAndUpdate('ada', people.reset))
  same<User>()(await users.getAndUpdate('ada', people.reset, { default: { name: '', visits: 0 }, functionTimeout: '1s' }))
  same<User | undefined>()(await users.getAndUpdate('ada', people.maybe))
  same<User | undefined>()(await users.getAndUpdate('ada', people.maybe, { args: [1] }))
  same<{ name: string; visits: number }>()(await users.getAndUpdate('ada', people.rename, { args: ['Ada', 1] }))
  same<unknown>()(await users.getAndUpdate('ada', 'people.visit', { args: [1] }))
  same<number>()(await all.getAndUpdate('x', anything.now))
  // @ts-expect-error args are required
  await users.getAndUpdate('ada', people.visit)
  // @ts-expect-error args are required
  await users.getAndUpdate('ada', people.visit, {})
  // @ts-expect-error the wrong kind
  await users.getAndUpdate('ada', people.visit, { args: ['1'] })
  // @ts-expect-error too many arguments
  await users.getAndUpdate('ada', people.visit, { args: [1, 2] })
  // @ts-expect-error too few arguments
  await users.getAndUpdate('ada', people.rename, { args: ['Ada'] })
  // @ts-expect-error none are taken
  await users.getAndUpdate('ada', people.reset, { args: [1] })
  // @ts-expect-error returns a promise
  await users.getAndUpdate('ada', people.load)
  // @ts-expect-error returns a promise, which is not to be stored even where everything is
  await all.getAndUpdate('x', anything.later)
  same<User>()(await users.getAndUpdate('ada', registered.update))
  same<User | undefined>()(await users.getAndUpdate('ada', registered.visit, { args: [1] }))
  same<User>()(await users.ask(['getAndUpdate', 'ada', registered.update]))
  // @ts-expect-error args are required
  await users.getAndUpdate('ada', registered.visit)
  // @ts-expect-error returns the promise of what cannot be stored here
  await users.getAndUpdate('ada', registered.count)
  // @ts-expect-error returns what cannot be stored here
  await users.getAndUpdate('ada', people.count)
  // @ts-expect-error takes another kind of value
  await users.getAndUpdate('ada', people.ofNumber)
  // @ts-expect-error a closure has no name
  await users.getAndUpdate('ada', (user: User | undefined) => user)
  // @ts-expect-error no such function
  void people.nobody
}

export async function executed(users: Cache<User>): Promise<void> {
  same<number>()(await users.execute(errands.count, { args: ['a'] }))
  same<boolean>()(await users.execute(errands.later))
  same<boolean>()(await users.execute(errands.later, { key: 'ada', node: 'a', functionTimeout: '1s', timeout: 100 }))
  same<string>()(await users.execute(errands.wrapped))
  same<unknown>()(await users.execute('errands.count', { args: ['a'] }))
  same<number>()(await users.ask(['execute', errands.count, { args: ['a'] }]))
  const local = registerFunction('local', (cache: Cache<User>, key: string) => cache.get(key), { each: true })
  same<User | undefined>()(await users.execute(local, { args: ['ada'] }))
  local.unregister()
  // @ts-expect-error args are required
  await users.execute(errands.count)
  // @ts-expect-error the wrong kind
  await users.execute(errands.count, { args: [1] })
  // @ts-expect-error none are taken
  await users.execute(errands.later, { args: [1] })
  // @ts-expect-error is for another cache
  await users.execute(errands.ofNumbers)
  // @ts-expect-error a closure has no name
  await users.execute((cache: Cache<User>) => cache.size())
  // @ts-expect-error no such option
  registerFunction('local', () => 1, { every: true })
  // @ts-expect-error not a function
  registerFunction('local', 5)
}

export async function commands(): Promise<void> {
  const users = await startCache<User>('users', {
    commands: {
      name: { type: 'read', execute: lists.name }, anything: { type: 'read', execute: 'typed-lists.name' },
      visit: { type: 'write', execute: lists.visit }, rename: { type: 'write', execute: lists.rename },
      count: { type: 'read', execute: registered.count }, pair: { type: 'write', execute: registered.pair },
    },
  })
  same<unknown>()(await users.invoke('name', 'ada'))
  same<string>()(await users.invoke<string>('name', 'ada', { args: [1], default: { name: '', visits: 0 }, functionTimeout: '1s' }))
  const name: string = await users.invoke('name', 'ada')
  same<unknown>()(await users.ask(['invoke', 'name', 'ada', { args: [name] }]))
  // @ts-expect-error a promise has to be waited for, and a shard does not
  await startCache('x', { commands: { load: { type: 'read', execute: people.load } } })
  // @ts-expect-error the same
  await startCache('x', { commands: { load: { type: 'write', execute: people.load } } })
  // @ts-expect-error a write command returns the result and the new value
  await startCache('x', { commands: { reset: { type: 'write', execute: people.reset } } })
  // @ts-expect-error and a registered one the promise of them
  await startCache('x', { commands: { reset: { type: 'write', execute: registered.count } } })
  // @ts-expect-error a closure has no name
  await startCache('x', { commands: { c: { type: 'read', execute: () => 1 } } })
  // @ts-expect-error no such type
  await startCache('x', { commands: { c: { type: 'append', execute: 'a.b' } } })
  // @ts-expect-error this is not a User
  await users.invoke('name', 'ada', { default: 5 })
}

const watchers = defineFunctions('typed-watchers', import.meta.url, {
  log: (message: readonly unknown[], result: unknown, state: number) => state + message.length + Number(result === true),
  audit: async (message: WatchedMessage<User>, _result: unknown, _state: undefined, cache: Cache<User>) => void await cache.get(message[0]),
  bare: () => 1,
  five: (_message: unknown, _result: unknown, _state: unknown, _cache: unknown, more: number) => more,
  pairs: async () => [['ada', { name: 'Ada', visits: 0 }]],
  tuples: (): [string, User][] => [],
  timed: (state: { ms: number }) => ({ pairs: new Map([['ada', 1]]), expire: state.ms }),
  nothing: () => ignore(),
  number: () => 5,
})

export async function watched(): Promise<void> {
  const users = await startCache<User>('users', {
    hooks: [
      { name: 'log', handle: watchers.log, actions: ['put', 'get', 'evict', 'expired', 'purge'], when: 'before', async: false, timeout: '1s', args: 0 },
      { name: 'audit', handle: watchers.audit, actions: 'all' }, { name: 'bare', handle: watchers.bare }, { name: 'named', handle: 'typed-watchers.log' },
    ],
    warmers: [
      { name: 'pairs', execute: watchers.pairs, required: true, interval: '5m' }, { name: 'tuples', execute: watchers.tuples }, { name: 'timed', execute: watchers.timed, state: { ms: 5 } },
      { name: 'nothing', execute: watchers.nothing }, { name: 'named', execute: 'typed-watchers.pairs' },
    ],
  })
  const events = users.events({ actions: ['put', 'evict'], buffer: 10 })
  for await (const event of events) {
    same<CacheEvent<User>>()(event)
    const { message, result, at } = event
    same<unknown>()(result)
    same<number>()(at)
    if (message[0] === 'evict') same<readonly ['evict', readonly Key[], 'memory' | 'limit']>()(message)
  }
  same<number>()(events.dropped)
  same<void>()(await users.reset({ only: ['hooks'], hooks: ['log'] }))
  same<string[]>()(await users.warm({ only: ['pairs'], wait: true }))
  same<string[]>()(await users.ask(['warm']))
  same<number | undefined>()((await users.inspect('hooks'))[0]?.dropped)
  // @ts-expect-error no such action
  users.events({ actions: ['putt'] })
  // @ts-expect-error no such action
  await startCache('x', { hooks: [{ name: 'h', handle: watchers.log, actions: ['sync'] }] })
  // @ts-expect-error neither before nor after
  await startCache('x', { hooks: [{ name: 'h', handle: watchers.log, when: 'during' }] })
  // @ts-expect-error hooks get four arguments
  await startCache('x', { hooks: [{ name: 'h', handle: watchers.five }] })
  // @ts-expect-error a closure has no name
  await startCache('x', { hooks: [{ name: 'h', handle: () => 1 }] })
  // @ts-expect-error a name is missing
  await startCache('x', { warmers: [{ execute: watchers.pairs }] })
  // @ts-expect-error these are no pairs
  await startCache('x', { warmers: [{ name: 'w', execute: watchers.number }] })
  // @ts-expect-error a part that there is not
  await users.reset({ only: ['stats'] })
}

export async function messages(users: Cache<User>): Promise<void> {
  same<User | undefined>()(await users.ask(['get', 'ada']))
  same<User | null>()(await users.ask(['get', 'ada', { default: null }]))
  same<boolean>()(await users.ask(['put', 'ada', { name: 'Ada', visits: 1 }, { expire: '5m' }], { timeout: 1000 }))
  same<(User | undefined)[]>()(await users.ask(['getMany', ['a', 'b']]))
  same<number>()(await users.ask(['incr', 'n', 2]))
  same<bigint>()(await users.ask(['incr', 'n', 2n]))
  same<number>()(await users.ask(['size', { expired: false }]))
  same<TreeNode>()(await users.ask(['inspect', 'tree']))
  same<number>()(await users.ask(['inspect', ['memory', 'bytes']]))
  same<CacheStats>()(await users.ask(['stats']))
  same<User | undefined>()(await users.ask(['getAndUpdate', 'ada', people.visit, { args: [1] }]))
  same<unknown>()(await users.ask(['getAndUpdate', 'ada', 'people.visit', { args: [1] }]))
  same<boolean>()(users.tell(['put', 'ada', { name: 'Ada', visits: 1 }]))
  const message: CacheMessage<User> = ['del', 'ada']
  void users.tell(message)
  // @ts-expect-error no such action
  await users.ask(['gett', 'ada'])
  // @ts-expect-error this is not a User
  await users.ask(['put', 'ada', 5])
  // @ts-expect-error the key is missing
  await users.ask(['get'])
  // @ts-expect-error a method only
  await users.ask(['stop'])
  // @ts-expect-error an option of the action, not of the ask
  await users.ask(['put', 'ada', { name: '', visits: 0 }], { expire: 5 })
  // @ts-expect-error this is not a User
  users.tell(['update', 'ada', 'x'])
}

export async function places(): Promise<void> {
  await using node = await startNode({ name: 'a', shardThreads: 1, functions: [people, import.meta.url, new URL(import.meta.url)] })
  await using users = await node.startCache<User>('users', { functions: [people] })
  same<Cache<User>>()(getCache<User>('users'))
  same<Cache<User>>()(node.getCache<User>('users'))
  same<Cache<User>>()(await attachCache<User>(users.attachment().descriptor))
  registerClass('Url', URL, { toData: ({ href }) => href, fromData: (href) => new URL(href) })
  // @ts-expect-error fromData takes what toData makes
  registerClass('Url', URL, { toData: ({ href }) => href, fromData: (href: number) => new URL(String(href)) })
  // @ts-expect-error only functions
  defineFunctions('x', import.meta.url, { a: 5 })
}
