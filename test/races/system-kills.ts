/**
 * Kills the system thread again and again under load and prints how long it takes until an actor answers again.
 *
 *     node dist/test/races/system-kills.js --kills 100
 */
import { parseArgs } from 'node:util'
import { Node } from '../../runtime/index.js'
import { errorCode } from '../../runtime/errors.js'
import { counters } from '../runtime/actors/counter.js'

const { values } = parseArgs({ options: { kills: { type: 'string', default: '100' } } })
const kills = Number(values.kills)
const node = await Node.start('kills')
const actors = await Promise.all((['shared', 'own', 'blocking'] as const).map((kind) => node.spawn(counters[kind])))
const times: number[] = []
let unknown = 0

for (let kill = 1; kill <= kills; kill++) {
  const load = Promise.allSettled(actors.flatMap((actor) => Array.from({ length: 200 }, () => actor.ask(['add', 1], { timeout: 60_000 }))))
  await node.kill('system')
  const diedMs = performance.now()
  const incarnations = await Promise.all(actors.map((actor) => actor.ask(['incarnation'], { timeout: 60_000 })))
  times.push(performance.now() - diedMs)
  if (incarnations.some((incarnation) => incarnation !== kill + 1)) throw new Error(`after kill ${kill} the incarnations are ${incarnations.join(', ')}`)
  for (const result of await load) {
    if (result.status === 'fulfilled') continue
    if (errorCode(result.reason) !== 'ERR_ACTOR_CRASHED') throw result.reason
    unknown++
  }
  // At most the one message that each actor was working on.
  if (unknown > kill * actors.length) throw new Error(`${unknown} messages failed in ${kill} kills`)
}

times.sort((a, b) => a - b)
const at = (part: number): string => times[Math.min(times.length - 1, Math.floor(times.length * part))]!.toFixed(1)
process.stdout.write(`${kills} kills of the system thread: actors answer after ${at(0.5)} ms (median), ${at(0.99)} ms (p99); ${unknown} messages unknown\n`)
await node.stop()
