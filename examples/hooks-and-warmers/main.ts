/**
 * Hooks and warmers: a cache that is full before the first request, keeps an index of itself that nobody reads stale, and writes down
 * what is done in it.
 *
 *     npm run build && node dist/examples/hooks-and-warmers/main.js
 */
import assert from 'node:assert/strict'
import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { registerFunction, startNode } from 'scatterhoard'
import { packages, type Package, type Tally } from './packages.js'

const INSTALLED = fileURLToPath(new URL('../../../node_modules', import.meta.url))
const BRIEF_MS = 50

const folder = await mkdtemp(join(tmpdir(), 'scatterhoard-'))
const path = join(folder, 'journal.txt')
const file = await open(path, 'a')
// It runs here, on the thread that has the file open, whichever thread changes the cache.
const journal = registerFunction('journal.append', async (message: readonly unknown[]) => {
  await file.appendFile(`${String(message[0])} ${String(message[1])}\n`)
})

const node = await startNode({ name: 'registry' })
const tallies = await node.startCache<Tally>('tallies', { memory: '1mb' })
const cache = await node.startCache<Package>('packages', {
  memory: '16mb',
  functions: [packages],
  // Required: the cache has not started before this one has succeeded. An interval would run it again and again.
  warmers: [{ name: 'installed', execute: packages.installed, state: INSTALLED, required: true }],
  hooks: [
    // Whoever puts or takes waits for this one, and for the other nobody does.
    { name: 'licences', handle: packages.licences, actions: ['put', 'take'], async: false },
    { name: 'journal', handle: journal, actions: ['put', 'take', 'expired'] },
  ],
})

const warm = await cache.size()
assert(warm > 0)
const mocha = cache.getSync('mocha')
console.log(`warm     ${warm} packages before the first request, mocha ${mocha?.version} among them`)

const leftPad: Package = { name: 'left-pad', version: '1.3.0', licence: 'WTFPL' }
await cache.put('left-pad', leftPad)
show('put')
assert.equal(tally()['WTFPL'], 1)
await cache.take('left-pad')
show('taken')
assert.equal(tally()['WTFPL'], 0)

// All of a transaction is told when it has committed, and nothing of one that has not.
const before = tally()
await cache.transaction(['ms', 'milliseconds'], packages.rename, { args: ['ms', 'milliseconds'] })
const refused = await cache.transaction(['chai', 'mocha'], packages.rename, { args: ['chai', 'mocha'] }).catch((error: unknown) => error as Error)
assert(refused instanceof Error)
assert.deepEqual(tally(), before)
assert.deepEqual([cache.getSync('ms'), cache.getSync('milliseconds')?.name], [undefined, 'milliseconds'])
console.log(`renamed  ms to milliseconds; chai to mocha not: ${(refused.cause as Error).message}`)

// What the cache does by itself is told too: to hooks, and to whoever subscribes.
const heard = listen()
await cache.put('brief', { ...leftPad, name: 'brief' }, { expire: BRIEF_MS })
await delay(BRIEF_MS)
assert.equal(await cache.get('brief'), undefined)

// Hooks finish what they were told before the cache has stopped, and subscriptions end with it.
await cache.stop()
console.log(`event    ${(await heard).join(', ')}`)
await node.stop()
await file.close()
const lines = (await readFile(path, 'utf8')).trim().split('\n')
assert.deepEqual(lines, ['put left-pad', 'take left-pad', 'take ms', 'put milliseconds', 'put brief', 'expired brief'])
console.log(`journal  ${lines.join(', ')}`)
await rm(folder, { recursive: true })

async function listen(): Promise<string[]> {
  const all: string[] = []
  for await (const { message } of cache.events({ actions: ['expired'] })) all.push(JSON.stringify(message))
  return all
}

/** The tally as it is now: a synchronous hook has written it before the call that it is called for has returned. */
function tally(): Tally {
  return tallies.getSync('licences') ?? {}
}

function show(label: string): void {
  const { MIT, WTFPL } = tally()
  console.log(`${label.padEnd(9)}${MIT} under MIT, ${WTFPL} under WTFPL`)
}
