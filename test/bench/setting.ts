/**
 * What a figure is and what it is given: the pace, and the contestants that several figures share, each started when it is
 * first asked for and stopped when all figures are done. One cache of strings and one of objects hold every key.
 */
import { keys, people, texts, type Person } from './data.js'
import { openLmdb, type LmdbPeer } from './peers/lmdb.js'
import { startNats, type NatsPeer } from './peers/nats.js'
import { startRedis, type RedisPeer } from './peers/redis.js'
import type { Pace } from './rounds.js'
import { startSubject, type CacheUnderTest } from './subject.js'
import type { Trace } from './arguments.js'
import type { Row } from './table.js'

export interface Figure {
  /** What `--only` takes, together with the group. */
  readonly name: string
  readonly group: string
  /** Left out where no trace is named. */
  readonly needsTrace?: boolean
  run(setting: Setting): Promise<Row[]>
}

const FULL_SLICE_MS = 400
const QUICK_SLICE_MS = 50

/** A cache of the size of its data: all of it takes half of this. */
const MEMORY = '32mb'

export class Setting implements Pace {
  readonly rounds: number
  readonly quick: boolean
  readonly sliceMs: number
  readonly trace: Trace | undefined
  /** Prints a line beside the table: a peer that is left out, a machine that is not fit for a figure. */
  readonly note: (line: string) => void
  readonly #started = new Map<string, Promise<unknown>>()
  readonly #closers: (() => Promise<unknown>)[] = []

  constructor(chosen: { readonly rounds: number; readonly quick: boolean; readonly trace: Trace | undefined }, note: (line: string) => void) {
    this.rounds = chosen.rounds
    this.quick = chosen.quick
    this.trace = chosen.trace
    this.sliceMs = chosen.quick ? QUICK_SLICE_MS : FULL_SLICE_MS
    this.note = note
  }

  strings(): Promise<CacheUnderTest<string>> {
    return this.#once('strings', async () => filled('bench-strings', texts), (cache) => cache.stop())
  }

  objects(): Promise<CacheUnderTest<Person>> {
    return this.#once('objects', async () => filled('bench-objects', people), (cache) => cache.stop())
  }

  lmdb(): Promise<LmdbPeer> {
    return this.#once('lmdb', openLmdb, (peer) => peer.close())
  }

  /** `undefined`, with a note, if there is no server on the PATH. */
  redis(): Promise<RedisPeer | undefined> {
    return this.#server('ioredis', 'redis-server', startRedis)
  }

  /** As `redis`. */
  nats(): Promise<NatsPeer | undefined> {
    return this.#server('NATS', 'nats-server', startNats)
  }

  /** Stops what was started, the last first. */
  async close(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }

  #server<T extends { close(): Promise<void> }>(peer: string, program: string, startPeer: () => Promise<T | undefined>): Promise<T | undefined> {
    const start = async (): Promise<T | undefined> => {
      const started = await startPeer()
      if (!started) this.note(`${peer} is left out: there is no ${program} on the PATH`)
      return started
    }
    return this.#once(program, start, async (started) => started?.close())
  }

  #once<T>(name: string, start: () => Promise<T>, stop: (value: T) => Promise<unknown>): Promise<T> {
    let started = this.#started.get(name) as Promise<T> | undefined // one name has one `start`
    if (!started) {
      started = start().then((value) => {
        this.#closers.push(() => stop(value))
        return value
      })
      this.#started.set(name, started)
    }
    return started
  }
}

async function filled<V>(name: string, values: readonly V[]): Promise<CacheUnderTest<V>> {
  const cache = await startSubject<V>(name, { memory: MEMORY })
  await Promise.all(keys.map((key, i) => cache.put(key, values[i]!)))
  return cache
}
