/**
 * A project that uses the packed package: compiled and run away from this repository by `.ci/packed.sh`. Touches each part once:
 * a cache, a thread of the application, functions in a module, an actor, a crash of each, and the end.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { CacheError, ERROR_CODES, getCache, startCache, startNode, type Cache, type CacheOptions } from 'scatterhoard'
import { memory, memoryNetwork, nats, tcp, CacheError as ErrorOfPeers, type BridgeDescriptor, type TcpOptions } from 'scatterhoard/bridge'
import { tcp as sameTcp } from 'scatterhoard/bridge/tcp'
import { CacheError as ErrorOfRuntime, supervisor } from 'scatterhoard/runtime'
import { people, type Person } from './people.js'
import { tally } from './tally.js'

assert.equal(ErrorOfPeers, CacheError)
assert.equal(ErrorOfRuntime, CacheError)
assert(ERROR_CODES.includes('ERR_SHARD_CRASHED'))

const between: TcpOptions = { listen: '127.0.0.1:7100', peers: { b: '127.0.0.1:7101' }, allow: ['people.*'] }
const bridges: BridgeDescriptor[] = [tcp(between), nats({ peers: ['b'] }), memory({ network: memoryNetwork({ loss: 0.1, delay: [1, 5] }) })]
assert.equal(sameTcp, tcp)
assert.deepEqual(bridges.map(({ transport }) => transport), ['tcp', 'nats', 'memory'])
assert.throws(() => tcp({ listen: '0.0.0.0:7100' }), { code: 'ERR_INVALID_OPTION' })

const options: CacheOptions = { memory: '16mb', functions: [people], expiration: { default: '10m' } }
const users: Cache<Person> = await startCache<Person>('users', options)
await users.put('ada', { name: 'Ada', visits: 1 })
assert.deepEqual(await users.get('ada'), { name: 'Ada', visits: 1 })
const read: Person | undefined = users.getSync('ada')
assert.equal(read?.name, 'Ada')
assert.equal(getCache<Person>('users'), users)
const refusedByTheCompiler = [
  // @ts-expect-error: a value of another type
  () => users.put('ada', 1),
  // @ts-expect-error: an option that does not exist
  () => startCache('other', { memmory: '1mb' }),
]
assert.equal(refusedByTheCompiler.length, 2)

await users.getAndUpdate('ada', people.visit, { args: [4] })
assert.equal(users.getSync('ada')?.visits, 5)

const { descriptor, transfer } = users.attachment()
const thread = new Worker(new URL('./thread.js', import.meta.url), { workerData: { users: descriptor }, transferList: transfer })
assert.deepEqual(await once(thread, 'exit'), [0])
assert.deepEqual(await users.get('from thread'), { name: 'Ada', visits: 6 })

await assert.rejects(users.getAndUpdate('ada', people.crash), (error) => error instanceof CacheError && error.code === 'ERR_SHARD_CRASHED' && error.outcome === 'unknown')
assert.equal(users.getSync('ada')?.visits, 5)
assert.equal(await users.put('after the crash', { name: 'Eve', visits: 0 }), true)
assert.equal(await users.size(), 3)

await using node = await startNode({ name: 'own' })
const ref = await node.spawn(tally.with({ id: 'ten', args: [10] }))
const sum: number = await ref.ask(['add', 1])
assert.equal(sum, 11)
await assert.rejects(ref.ask(['crash']), { code: 'ERR_ACTOR_CRASHED', outcome: 'unknown' })
assert.equal(await ref.ask(['add', 2]), 12)
await node.spawn(supervisor({ id: 'team', strategy: 'rest_for_one', children: [tally.with({ id: 'one', args: [0] })] }))

await users.stop()
await assert.rejects(users.get('ada'), { code: 'ERR_STOPPED' })
console.log('the packed package works')
