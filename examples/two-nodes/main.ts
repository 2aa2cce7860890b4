/**
 * One cache on two nodes, each in a process of its own, over sockets. Keys live on one of them, calls find their way, and when the second
 * process is killed the first one says so, and goes on with what it has.
 *
 *     npm run build && node dist/examples/two-nodes/main.js
 */
import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CacheError } from 'scatterhoard'
import { startOn, visitors } from './settings.js'

const NAMES = ['ada', 'bob', 'eve', 'tom', 'ida', 'max', 'lea', 'jan', 'mia', 'ben']

function startSecond(): ChildProcess {
  return fork(fileURLToPath(new URL('./second.js', import.meta.url)), [folder])
}

/** The code of the error that a call fails with. */
async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(() => assert.fail('it did not fail'), (error: unknown) => error)
  assert(error instanceof CacheError)
  return `${error.code}, outcome ${error.outcome}`
}

const folder = await mkdtemp(join(tmpdir(), 'two-nodes-'))
let second = startSecond()
const { node, cache } = await startOn('a', folder)
const events = node.events()

for (const name of NAMES) await cache.getAndUpdate(name, visitors.visit, { args: [name] })
const [mine, theirs] = ['a', 'b'].map((owner) => NAMES.filter((name) => cache.nodeOf(name) === owner)) as [string[], string[]]
console.log(`on a: ${mine.join(' ')}`)
console.log(`on b: ${theirs.join(' ')}`)
console.log(`all   ${await cache.size()} of them; on a alone ${await cache.size({ local: true })}`)

const [hers = '', his = ''] = [mine[0], theirs[0]]
console.log(`get   ${his}: ${(await cache.get(his))?.visits} visit, read from b`)
console.log(`fetch zoe: ${(await cache.fetch('zoe', visitors.load)).visits} visits, loaded on ${cache.nodeOf('zoe')}`)
console.log(`sync  ${hers}: ${cache.getSync(hers)?.visits} visit, read from memory`)

// What is written together has to live together: a tag decides where.
const [one, other] = [`{${his}}:home`, `{${his}}:work`]
await cache.putMany([[one, { name: one, visits: 1 }], [other, { name: other, visits: 1 }]])
console.log(`tags  ${one} and ${other} are both on ${cache.nodeOf(one)}`)
console.log(`apart ${hers} and ${his}: ${await codeOf(cache.putMany([[hers, { name: hers, visits: 0 }], [his, { name: his, visits: 0 }]]))}`)

console.log('\nkilling the process of b ...')
second.kill('SIGKILL')
const { value: gone } = await events.next()
console.log(`event ${gone?.node} is ${gone?.type}`)
console.log(`get   ${his}: ${await codeOf(cache.get(his))}`)
console.log(`get   ${hers}: ${(await cache.get(hers))?.visits} visit`)
const partial = await cache.size().catch((error: unknown) => error)
assert(partial instanceof CacheError && partial.code === 'ERR_PARTIAL')
console.log(`size  ${partial.code}: ${String(partial['result'])} on the others`)

console.log('\nstarting it again ...')
second = startSecond()
await once(second, 'message')
const { value: back } = await events.next()
console.log(`event ${back?.node} is ${back?.type}`)
console.log(`get   ${his}: ${await cache.exists(his) ? 'there' : 'missing'}, for only b had it`)
await cache.getAndUpdate(his, visitors.visit, { args: [his] })
console.log(`again ${his}: ${(await cache.get(his))?.visits} visit`)

await node.stop()
second.disconnect()
await once(second, 'exit')
await rm(folder, { recursive: true })
