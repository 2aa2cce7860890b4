/**
 * Holds millions of entries in one cache, ours or lru-cache, and on request reads and writes them at a fixed rate, the same
 * for both, while it measures the delay of its own event loop. Every value written is a new string, as it would be if it
 * came from a socket. Arguments: which cache, how many entries.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import { VALUE_BYTES, xorshift } from '../data.js'
import { createLru } from '../peers/lru.js'
import { startSubject } from '../subject.js'

export interface DelayAnswer {
  /** The 99.9th percentile, without the interval of the timer that measures it. */
  readonly p999Ms: number
  /** Reads and as many writes a second that were done. */
  readonly rate: number
}

const READS_A_SECOND = 250_000
const MOST_IN_A_TURN = 256
const MOST_IN_FLIGHT = 8192
const RESOLUTION_MS = 1

/** Key, value and what ours adds to them, with room to spare: nothing must be evicted. */
const BYTES_OF_ENTRY = 240

interface Store {
  get(key: string): string | undefined
  /** A promise where the write is acknowledged later. */
  set(key: string, value: string): Promise<unknown> | undefined
  stop(): Promise<void>
}

async function createStore(which: string, entries: number): Promise<Store> {
  if (which === 'lru') {
    const lru = createLru(entries)
    return {
      get: (key) => lru.get(key),
      set: (key, value) => {
        lru.set(key, value)
        return undefined
      },
      stop: async () => undefined,
    }
  }
  const cache = await startSubject<string>('bench-delay', { memory: entries * BYTES_OF_ENTRY })
  return { get: (key) => cache.getSync(key), set: (key, value) => cache.put(key, value), stop: () => cache.stop() }
}

const [which = 'lru', count = '1000'] = process.argv.slice(2)
const entries = Number(count)
const store = await createStore(which, entries)
const next = xorshift(entries)
const bytes = Buffer.alloc(VALUE_BYTES * 64)
for (let i = 0; i < bytes.length; i++) bytes[i] = 97 + (next() % 26)

let inFlight = 0
let failure: Error | undefined
const settled = (): void => {
  inFlight--
}
const failed = (error: unknown): void => {
  inFlight--
  failure = new Error('a write failed', { cause: error })
}

function write(n: number): void {
  const start = next() % (bytes.length - VALUE_BYTES)
  const written = store.set(`user:${n}`, bytes.toString('latin1', start, start + VALUE_BYTES))
  if (!written) return
  inFlight++
  written.then(settled, failed)
}

async function fill(): Promise<void> {
  for (let n = 0; n < entries; n++) {
    write(n)
    while (inFlight >= MOST_IN_FLIGHT) await turn()
  }
  while (inFlight > 0) await turn()
}

async function slice(ms: number): Promise<DelayAnswer> {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  const start = performance.now()
  let now = start
  let done = 0
  let read = 0
  let last = start
  while (now - start < ms) {
    const due = Math.min(MOST_IN_A_TURN, Math.floor(((now - last) / 1000) * READS_A_SECOND))
    for (let i = 0; i < due && inFlight < MOST_IN_FLIGHT; i++) {
      read += store.get(`user:${next() % entries}`)?.length ?? 0
      write(next() % entries)
      done++
    }
    if (due > 0) last = now
    await turn()
    now = performance.now()
  }
  delay.disable()
  while (inFlight > 0) await turn()
  if (failure) throw failure
  if (read !== done * VALUE_BYTES) throw new Error(`${which}: reads missed`)
  return { p999Ms: Math.max(0, delay.percentile(99.9) / 1e6 - RESOLUTION_MS), rate: (done / (now - start)) * 1000 }
}

const reply = (message: unknown): void => void process.send!(message)
await fill()
if (failure) throw failure
process.on('message', (question: { readonly ms: number }) => void slice(question.ms).then(reply))
process.once('disconnect', () => void store.stop())
reply('ready')
