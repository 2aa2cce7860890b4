/**
 * Two threads that read, the main one and an attached one, beside a client on a third thread that overwrites, deletes, expires
 * and clears at full speed. Every value says which it is, in sizes of all classes. A read is never torn, never another key's, and
 * never older than what was acknowledged before it began.
 *
 *     node dist/test/races/cache-readers.js --seconds 60 --seed 1
 */
import { attachCache, startNode, type Cache, type CacheDescriptor } from 'scatterhoard'
import { once } from 'node:events'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'
import { parentPort, Worker, workerData } from 'node:worker_threads'
import { randomOf, runScript, Violations, type Outcome } from './script.js'
import { numberOf, textOf } from './texts.js'

const KEYS = 64
const MAX_TEXT = 120_000
const KEY_NAMES = Array.from({ length: KEYS }, (_, index) => `key:${index}`)

/**
 * What the threads share, a word of each for every key; written by the writer only. Operations of a key are numbered.
 *
 *   sent        the last operation that was begun
 *   answered    the last that was acknowledged
 *   cleared     the last that was begun when the last `clear` was
 *   and one word more: 1 when everybody is to stop
 */
class Board {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array

  constructor(buffer = new SharedArrayBuffer((KEYS * 3 + 1) * 4)) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer)
  }

  sent(key: number): number {
    return Atomics.load(this.#words, key * 3)
  }

  answered(key: number): number {
    return Atomics.load(this.#words, key * 3 + 1)
  }

  cleared(key: number): number {
    return Atomics.load(this.#words, key * 3 + 2)
  }

  send(key: number): number {
    return Atomics.add(this.#words, key * 3, 1) + 1
  }

  answer(key: number, number: number): void {
    Atomics.store(this.#words, key * 3 + 1, number)
  }

  clear(key: number): void {
    Atomics.store(this.#words, key * 3 + 2, this.sent(key))
  }

  /** Whether some key has not been written yet. */
  get unwritten(): boolean {
    return KEY_NAMES.some((_, key) => this.answered(key) === 0)
  }

  get ended(): boolean {
    return Atomics.load(this.#words, KEYS * 3) === 1
  }

  end(): void {
    Atomics.store(this.#words, KEYS * 3, 1)
  }
}

/** What an operation does follows from its number, so that readers know it too. */
const isDelete = (number: number): boolean => number % 11 === 10
const expires = (number: number): boolean => number % 7 === 6
const isPut = (number: number): boolean => number > 0 && !isDelete(number)

type Role = 'read' | 'write'

interface Given {
  descriptor: CacheDescriptor
  role: Role
  board: SharedArrayBuffer
  seed: number
}

interface Report {
  done: number
  missing: number
  violations: string[]
}

export interface CacheReaders extends Record<string, number> {
  seconds: number
  seed: number
}

export async function cacheReaders({ seconds, seed }: CacheReaders): Promise<Outcome> {
  await using node = await startNode({ shardThreads: 2 })
  const cache = await node.startCache<string>('read', { shards: 2, memory: '32mb', limit: { policy: 'none' }, expiration: { interval: 20 } })
  const board = new Board()
  const writer = startThread(cache, 'write', board, seed)
  const reader = startThread(cache, 'read', board, seed + 1)
  const here = read(cache, board, seed + 2)
  await sleep(seconds * 1000)
  board.end()
  const [wrote, there, own] = await Promise.all([writer, reader, here])
  const violations = [...wrote.violations, ...there.violations, ...own.violations]
  if (there.done === 0 || own.done === 0 || wrote.done === 0) violations.push('one of the threads did nothing')
  return { figures: { reads: own.done + there.done, 'of them missing': own.missing + there.missing, writes: wrote.done }, violations }
}

/** Starts a thread and resolves with its report. */
async function startThread(cache: Cache<string>, role: Role, board: Board, seed: number): Promise<Report> {
  const { descriptor, transfer } = cache.attachment()
  const given: { reader: Given } = { reader: { descriptor, role, board: board.buffer, seed } }
  const worker = new Worker(new URL(import.meta.url), { workerData: given, transferList: transfer })
  const [report] = await once(worker, 'message') as [Report]
  return report
}

async function read(cache: Cache<string>, board: Board, seed: number): Promise<Report> {
  const random = randomOf(seed)
  const violations = new Violations()
  let done = 0
  let missing = 0
  while (!board.ended && board.unwritten) await sleep(1)
  while (!board.ended) {
    for (let n = 0; n < 64; n++) {
      const key = random(KEYS)
      const name = KEY_NAMES[key]!
      const answered = board.answered(key)
      try {
        const value = n % 4 === 0 ? await cache.get(name) : cache.getSync(name)
        if (value === undefined) missing++
        judge(board, key, answered, value)
      } catch (error) {
        violations.add(error instanceof Error ? error.message : String(error))
      }
      done++
    }
    await turn()
  }
  return { done, missing, violations: violations.list }
}

/** Throws if a read that began when `answered` was the last acknowledged operation must not have found `value`. */
function judge(board: Board, key: number, answered: number, value: string | undefined): void {
  const name = KEY_NAMES[key]!
  if (value !== undefined) {
    const number = numberOf(name, value, MAX_TEXT)
    const sent = board.sent(key)
    if (number > sent || !isPut(number)) throw new Error(`${name} holds number ${number}, and ${sent} is the last that was sent`)
    if (number < answered) throw new Error(`${name} holds number ${number} after ${answered} was acknowledged`)
    return
  }
  // Something from the last acknowledged on must explain it.
  if (answered === 0 || board.cleared(key) >= answered) return
  for (let number = answered, sent = board.sent(key); number <= sent; number++) if (isDelete(number) || expires(number)) return
  throw new Error(`${name} is missing, and ${answered} was acknowledged`)
}

const IN_FLIGHT = 64

async function write(cache: Cache<string>, board: Board, seed: number): Promise<Report> {
  const random = randomOf(seed)
  const violations = new Violations()
  let done = 0
  let inFlight = 0
  const track = (promise: Promise<unknown>, answered: () => void): void => {
    inFlight++
    promise.then(answered, (error: unknown) => violations.add(`a write failed with ${String(error)}`)).finally(() => inFlight--).catch(() => undefined)
  }
  while (!board.ended) {
    for (let burst = 0; burst < IN_FLIGHT; burst++) {
      const key = random(KEYS)
      const name = KEY_NAMES[key]!
      const number = board.send(key)
      const answered = (): void => board.answer(key, number)
      if (isDelete(number)) track(cache.del(name), answered)
      else track(cache.put(name, textOf(name, number, MAX_TEXT), expires(number) ? { expire: 1 + random(20) } : {}), answered)
      done++
    }
    if (random(400) === 0) {
      for (let key = 0; key < KEYS; key++) board.clear(key)
      track(cache.clear(), () => undefined)
    }
    while (inFlight > IN_FLIGHT) await turn()
  }
  while (inFlight > 0) await turn()
  return { done, missing: 0, violations: violations.list }
}

const { reader: given } = (workerData ?? {}) as { reader?: Given }
if (parentPort !== null && given !== undefined) {
  const { descriptor, role, board, seed } = given
  parentPort.postMessage(await (role === 'read' ? read : write)(await attachCache<string>(descriptor), new Board(board), seed))
} else {
  await runScript(import.meta.url, { seconds: 60, seed: 1 }, cacheReaders)
}
