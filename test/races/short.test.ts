/** A short pass of every script of this folder that needs a whole node. Timings are not judged here: they belong to a quiet machine. */
import { transferUnderFire } from './bank.js'
import { cacheReaders } from './cache-readers.js'
import { cacheSystemKills } from './cache-system-kills.js'
import { clientKills } from './client-kills.js'
import { histories } from './histories.js'
import { dumpKills } from './dump-kills.js'
import { dumpMutations } from './dump-mutations.js'
import { dumpSpeed } from './dump-speed.js'
import { idle } from './idle.js'
import { memory } from './memory.js'
import { partitions } from './partitions.js'
import { expectNone } from './script.js'
import { shardKills } from './shard-kills.js'

describe('under fire, a cache', function () {
  this.timeout(60_000)

  it('loses no acknowledged write and answers every ask when its shards are killed', async () => {
    expectNone(await shardKills({ kills: 4, threads: 2, seed: 1 }))
  })

  it('does so too when one thread holds all shards', async () => {
    expectNone(await shardKills({ kills: 3, threads: 1, seed: 2 }))
  })

  it('loses no acknowledged write and answers every ask when the system thread is killed', async () => {
    expectNone(await cacheSystemKills({ kills: 2, threads: 2, seed: 3 }))
  })

  it('gives back what a client held that was killed while it sent, and runs what it had queued', async () => {
    expectNone(await clientKills({ kills: 4, seed: 4 }))
  })

  it('does to each key one operation after the other, whatever is killed meanwhile', async () => {
    expectNone(await histories({ histories: 10, seed: 7 }))
  })

  it('neither makes nor loses money in transactions whose shards and functions\' threads are killed', async () => {
    expectNone(await transferUnderFire({ transfers: 300, kills: 8, seed: 8 }))
  })

  it('stays within its memory, and so does the process', async () => {
    expectNone(await memory({ large: 300, writes: 40_000, seed: 5 }))
  })

  it('reads nothing torn, foreign or stale beside a client that writes at full speed', async () => {
    expectNone(await cacheReaders({ seconds: 2, seed: 6 }))
  })

  it('lets the process exit when it has stopped', async () => {
    expectNone(await idle({ seconds: 0, starts: 1, limitMs: Infinity }))
  })

  it('refuses dumps that were changed, or loads what is whole in them', async () => {
    expectNone(await dumpMutations({ mutations: 150, seed: 7 }))
  })

  it('leaves a whole dump where a process was killed while it wrote one', async () => {
    expectNone(await dumpKills({ kills: 2, seed: 8 }))
  })

  it('dumps and loads many entries', async () => {
    expectNone(await dumpSpeed({ entries: 30_000, dumpRate: 0, loadRate: 0, extraMb: 0 }))
  })

  it('reads nothing wrong, keeps its deadlines and finds together again on nodes that are killed and cut off one way', async function () {
    this.timeout(120_000)
    expectNone(await partitions({ fault: 'kill,one-way', times: 1, router: 'both', nodes: 3, namespaces: 1, failure: 400, seed: 9 }))
  })
})
