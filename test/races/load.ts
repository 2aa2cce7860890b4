/**
 * One thread's load on a cache: many keys that only this thread writes, several operations of each on their way, reads
 * between them, and a model of each key that every answer and every read is held against.
 */
import type { Cache } from 'scatterhoard'
import { CacheError } from 'scatterhoard'
import { setTimeout as sleep } from 'node:timers/promises'
import { arithmetic } from './arithmetic.js'
import { KeyModel, type Operation, type State } from './key-model.js'
import { randomOf, Violations } from './script.js'
import { numberOf, textOf } from './texts.js'

/** Longest value: some do not fit the ring of a small mailbox. */
const MAX_TEXT = 60_000
const TEXT_KEYS = 24
const NUMBER_KEYS = 12
/** Every ask has to be settled by then; those that say nothing else give up then. */
const PATIENCE_MS = 60_000

export interface LoadReport {
  asks: number
  acknowledged: number
  crashed: number
  timedOut: number
  aborted: number
  reads: number
  /** Synchronous reads while the main thread says that something is down. */
  readsInOutages: number
  violations: string[]
}

/** Sends one operation. */
type Send = (options: { timeout?: number; signal?: AbortSignal }) => Promise<unknown>

interface Step {
  readonly operation: Operation
  readonly send: Send
}

const isThere = (state: State): boolean => state !== undefined
const same = (state: State): State => state
const gone = (): State => undefined

export class Load {
  readonly #cache: Cache<unknown>
  readonly #random: (below: number) => number
  readonly #outage: Int32Array
  readonly #texts: KeyModel[]
  readonly #numbers: KeyModel[]
  readonly #violations = new Violations()
  readonly #counts = { asks: 0, acknowledged: 0, crashed: 0, timedOut: 0, aborted: 0, reads: 0, readsInOutages: 0 }
  #open = false
  #running: Promise<unknown> = Promise.resolve()
  #next = 1

  /** `outage`: a shared word that is 1 while something is down. */
  constructor(cache: Cache<unknown>, owner: string, seed: number, outage: SharedArrayBuffer) {
    this.#cache = cache
    this.#random = randomOf(seed)
    this.#outage = new Int32Array(outage)
    this.#texts = Array.from({ length: TEXT_KEYS }, (_, index) => new KeyModel(`${owner}:text:${index}`))
    this.#numbers = Array.from({ length: NUMBER_KEYS }, (_, index) => new KeyModel(`${owner}:number:${index}`))
  }

  start(): void {
    this.#open = true
    this.#running = Promise.all([
      ...this.#texts.map((model) => this.#write(model, true)), ...this.#numbers.map((model) => this.#write(model, false)), this.#read(),
    ])
  }

  /** Waits for what is under way, then looks at every key once more. */
  async stop(): Promise<LoadReport> {
    this.#open = false
    await this.#running
    for (const model of [...this.#texts, ...this.#numbers]) {
      this.#guard(() => this.#readSync(model))
      await this.#carryOut(model, [this.#get(model, this.#texts.includes(model))])
    }
    const mailboxes = await this.#cache.inspect('mailboxes')
    for (const { actor, outstanding, waiting } of mailboxes) {
      this.#violations.check(outstanding === 0 && waiting === 0, () => `${outstanding} asks outstanding and ${waiting} waiting at ${actor} when all were settled`)
    }
    return { ...this.#counts, violations: this.#violations.list }
  }

  async #write(model: KeyModel, isText: boolean): Promise<void> {
    while (this.#open) {
      const steps = Array.from({ length: 1 + this.#random(3) }, () => this.#step(model, isText))
      await this.#carryOut(model, steps)
    }
  }

  async #read(): Promise<void> {
    const all = [...this.#texts, ...this.#numbers]
    while (this.#open) {
      for (let n = 0; n < 16; n++) {
        const model = all[this.#random(all.length)]!
        this.#guard(() => this.#readSync(model))
        this.#counts.reads++
        if (Atomics.load(this.#outage, 0) === 1) this.#counts.readsInOutages++
      }
      // Leaves the cores to the threads that start.
      await sleep(1)
    }
  }

  #readSync(model: KeyModel): void {
    model.read(this.#stateOf(model, this.#cache.getSync(model.key)))
  }

  #stateOf(model: KeyModel, value: unknown): State {
    if (value === undefined || typeof value === 'number') return value
    return numberOf(model.key, value, MAX_TEXT)
  }

  /** Sends operations on one key without waiting, then takes in their answers in order. */
  async #carryOut(model: KeyModel, steps: Step[]): Promise<void> {
    const answers = steps.map(({ operation, send }) => {
      const options = this.#patience()
      model.sent(operation)
      this.#counts.asks++
      return { ...options, promise: settled(send({ timeout: options.timeoutMs, ...options.signal && { signal: options.signal } })) }
    })
    for (const { promise, timeoutMs, signal } of answers) {
      const { value, error } = await promise
      if (error === undefined) {
        this.#counts.acknowledged++
        this.#guard(() => model.answered(typeof value === 'string' ? numberOf(model.key, value, MAX_TEXT) : value))
      } else {
        // A script that failed has stopped the cache: a load that went on would keep it from saying so.
        if ((error as { code?: unknown }).code === 'ERR_STOPPED') this.#open = false
        const outcome = this.#outcomeOf(error, timeoutMs, signal)
        model.failed(outcome, !isCrash(error))
      }
    }
  }

  /** Most wait long; some give up soon, some are aborted. */
  #patience(): { timeoutMs: number; signal?: AbortSignal } {
    const choice = this.#random(200)
    if (choice < 3) return { timeoutMs: 1 + this.#random(30) }
    if (choice > 3) return { timeoutMs: PATIENCE_MS }
    const controller = new AbortController()
    setTimeout(() => controller.abort(ABORTED), this.#random(10)).unref()
    return { timeoutMs: PATIENCE_MS, signal: controller.signal }
  }

  /** Whether it may have happened; anything but the errors that a crash, a short timeout and an abort explain is a violation. */
  #outcomeOf(error: unknown, timeoutMs: number, signal: AbortSignal | undefined): 'none' | 'unknown' {
    if (error === ABORTED && signal !== undefined) {
      this.#counts.aborted++
      return 'unknown'
    }
    if (error instanceof CacheError) {
      const { code, outcome } = error
      if (code === 'ERR_SHARD_CRASHED' && outcome === 'unknown') {
        this.#counts.crashed++
        return outcome
      }
      if (code === 'ERR_TIMEOUT' && timeoutMs < PATIENCE_MS) {
        this.#counts.timedOut++
        return outcome
      }
    }
    this.#violations.add(`an ask failed with ${String(error)} (${JSON.stringify(error)})`)
    return 'unknown'
  }

  #guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#violations.add(error instanceof Error ? error.message : String(error))
    }
  }

  #step(model: KeyModel, isText: boolean): Step {
    return isText ? this.#textStep(model) : this.#numberStep(model)
  }

  #get({ key }: KeyModel, _isText: boolean): Step {
    return { operation: { name: 'get', after: same, answer: same }, send: (options) => this.#cache.get(key, options) }
  }

  #textStep(model: KeyModel): Step {
    const { key } = model
    const cache = this.#cache
    const number = this.#next++
    const text = (): string => textOf(key, number, MAX_TEXT)
    const written = (): State => number
    const choice = this.#random(100)
    if (choice < 40) return { operation: { name: `put ${number}`, after: written, answer: () => true }, send: (options) => cache.put(key, text(), options) }
    if (choice < 50) return { operation: { name: `put ${number}`, after: written, answer: () => true }, send: (options) => cache.put(key, text(), { ...options, expire: '1h' }) }
    if (choice < 60) return { operation: { name: `add ${number}`, after: (state) => state ?? number, answer: (state) => !isThere(state) }, send: (options) => cache.put(key, text(), { ...options, if: 'absent' }) }
    if (choice < 70) return { operation: { name: `update ${number}`, after: (state) => isThere(state) ? number : undefined, answer: isThere }, send: (options) => cache.update(key, text(), options) }
    if (choice < 78) return { operation: { name: 'del', after: gone, answer: isThere }, send: (options) => cache.del(key, options) }
    if (choice < 84) return { operation: { name: 'take', after: gone, answer: same }, send: (options) => cache.take(key, options) }
    if (choice < 88) return { operation: { name: 'expire', after: same, answer: isThere }, send: (options) => cache.expire(key, '2h', options) }
    return this.#get(model, true)
  }

  #numberStep(model: KeyModel): Step {
    const { key } = model
    const cache = this.#cache
    const by = 1 + this.#random(5)
    const sum = (state: State): State => (state ?? 0) + by
    const choice = this.#random(100)
    if (choice < 45) return { operation: { name: `incr ${by}`, after: sum, answer: sum }, send: (options) => cache.incr(key, by, options) }
    if (choice < 80) {
      return { operation: { name: `plus ${by}`, after: sum, answer: sum }, send: (options) => cache.getAndUpdate(key, arithmetic.plus, { ...options, args: [by] }) }
    }
    if (choice < 85) return { operation: { name: 'del', after: gone, answer: isThere }, send: (options) => cache.del(key, options) }
    return this.#get(model, false)
  }
}

const ABORTED = new Error('aborted by the load')

function isCrash(error: unknown): boolean {
  return error instanceof CacheError && error.code === 'ERR_SHARD_CRASHED'
}

function settled(promise: Promise<unknown>): Promise<{ value?: unknown; error?: unknown }> {
  return promise.then((value) => ({ value }), (error: unknown) => ({ error }))
}
