/**
 * Actors of one's own: typed messages to them, a supervisor above them, a crash and what comes after, a stop in good order.
 *
 *     npm run build && node dist/examples/own-actor/main.js
 */
import assert from 'node:assert/strict'
import { CacheError, formatTree, Node, supervisor, type ActorExit } from 'scatterhoard/runtime'
import { calculator } from './calculator.js'
import { journal } from './journal.js'

const node = await Node.start('workshop')

// Started in this order, stopped in reverse. If the journal has to restart, so does the calculator, which depends on it.
const office = await node.spawn(supervisor({
  name: 'office',
  strategy: 'rest_for_one',
  maxRestarts: 3,
  within: '10s',
  children: [journal.with({ name: 'journal' }), calculator.with({ name: 'calculator', args: ['primes'] })],
}))
const calculating = (await node.whereis('calculator', calculator))!
const log = (await node.whereis('journal', journal))!

// Ask waits for the reply: its type is the handler's. A misspelled message, or a wrong argument, does not compile.
const answer: string = await calculating.ask(['countPrimes', 1_000_000], { timeout: '10s' })
console.log(`asked: ${answer} below a million`)

// An error that a handler throws is the reply. The actor goes on.
const refusal = await calculating.ask(['countPrimes', -1]).catch((error: unknown) => error)
assert(refusal instanceof RangeError)
console.log(`refused: ${refusal.message}`)

// A crash: the message that the actor died over fails and is not run again. The one behind it waits for the next incarnation.
console.log(`\n${formatTree(await node.tree())}\n`)
const end = node.watch(calculating.id)
const crash = calculating.ask(['stumble']).catch((error: unknown) => error)
calculating.tell(['countPrimes', 100])
const crashed = await crash
assert(crashed instanceof CacheError && crashed.code === 'ERR_ACTOR_CRASHED' && crashed.outcome === 'unknown')
console.log(`crashed: ${crashed.code}, outcome ${crashed.outcome}`)
// An ask that waits keeps the process alive, a watch does not: so the ask goes first.
const again = await calculating.ask(['countPrimes', 1000])
console.log(`watched: ${describe(await end)}`)
console.log(`asked again: ${again} below 1000`)

const lines = await log.ask(['read'])
console.log('\nthe journal:')
for (const line of lines) console.log(`  ${line}`)
assert.deepEqual(lines, [
  'calculator started, incarnation 1',
  '78498 primes below 1000000',
  'calculator started, incarnation 2',
  '25 primes below 100',
  '168 primes below 1000',
])
console.log(`\n${formatTree(await node.tree())}`)

// What ends first is reported first.
const ends: string[] = []
const watched = [log, calculating].map(async (actor) => ends.push(describe(await node.watch(actor.id))))
await office.stop()
await Promise.all(watched)
console.log(`\nstopped: ${ends.join(', then ')}`)
assert.deepEqual(ends, ['office/calculator (shutdown)', 'office/journal (shutdown)'])
await node.stop()

function describe({ id, reason }: ActorExit): string {
  return `${id} (${reason})`
}
