/**
 * Runs one function that was called by name, on the thread that has it: a thread of the pool, or one of the application that has
 * registered it. Under its time limit, and with its result encoded.
 */
import { CacheError } from '../../runtime/errors.js'
import { functionFailed, type AnyFunction } from '../../runtime/functions.js'
import type { Cache } from '../cache.js'
import { runInScope, type CallScope } from './call-scope.js'
import { giveTo } from './gifts.js'
import { loadedKey, type LoadedKey } from '../loading/load-waits.js'
import type { LoadTicket } from '../loading/load.js'
import { argumentsOf, type ArrivedCall, type CallHeader, type CallReply } from './function-wire.js'

/** What the thread has to offer. */
export interface FunctionPlace {
  /** The function of a call. Throws `ERR_UNKNOWN_FUNCTION`. */
  find(header: CallHeader): AnyFunction
  /** The handle of the call's cache, or a promise of it. */
  cache(header: CallHeader): Cache<unknown> | Promise<Cache<unknown>>
}

/** A scope of a call that can be ended from outside its function. */
export abstract class LimitedCall implements CallScope {
  /** Its result is decided. The function may go on. */
  over = false
  load: LoadedKey | undefined
  #reject: ((error: CacheError) => void) | undefined
  #name = ''

  abstract wait<T>(promise: Promise<T>): Promise<T>

  fail(error: unknown): void {
    if (!this.over) this.#reject?.(functionFailed(this.#name, error))
  }

  /** Runs the function of a call. Rejects with a `CacheError`. */
  async run(call: ArrivedCall, place: FunctionPlace): Promise<CallReply> {
    const { header } = call
    const { name, gift } = header
    const args = argumentsOf(call)
    if (gift?.what === 'load') this.load = loadedKey((gift.data as LoadTicket).key, header.limitMs)
    if (gift?.what === 'loading') this.load = loadedKey(gift.data as Uint8Array, header.limitMs)
    const run = place.find(header)
    const runWith = async (given: unknown): Promise<unknown> => {
      let result: unknown
      const begunMs = performance.now()
      try {
        result = run(...gift?.place === 'first' ? [given, ...args] : gift?.place === 'last' ? [...args, given] : args)
      } catch (error) {
        throw failureOf(name, error)
      }
      // What it did before it waited for anything is over; no timer could come between.
      if (performance.now() - begunMs > header.limitMs) {
        Promise.resolve(result).catch(() => undefined)
        throw overran(header)
      }
      try {
        return await result
      } catch (error) {
        throw failureOf(name, error)
      }
    }
    return this.#limited(header, () => giveTo(gift, { name, run: runWith, cache: () => place.cache(header), isOver: () => this.over }))
  }

  #limited<T>(header: CallHeader, run: () => Promise<T>): Promise<T> {
    this.#name = header.name
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void): void => {
        if (this.over) return
        this.over = true
        clearTimeout(timer)
        settled()
      }
      const timer = setTimeout(() => settle(() => reject(overran(header))), Math.min(header.limitMs, 0x7fff_ffff))
      this.#reject = (error) => settle(() => reject(error))
      const running = runInScope(this, run)
      const ended = (): void => settle(() => resolve(running))
      running.then(ended, ended)
    })
  }
}

function overran({ name, limitMs }: CallHeader): CacheError {
  return new CacheError('ERR_FUNCTION_TIMEOUT', `the function '${name}' did not end within its time limit of ${limitMs} ms; make it shorter, or raise functionTimeout`, { function: name, timeout: limitMs })
}

/** What became of a function that threw. What a transaction refused, and a circle of loads, are said as they are. */
function failureOf(name: string, thrown: unknown): CacheError {
  try {
    if (thrown instanceof CacheError && REFUSALS.has(thrown.code)) return thrown
  } catch {
    // Whatever was thrown may be in the way of looking at it.
  }
  return functionFailed(name, thrown)
}

const REFUSALS: ReadonlySet<string> = new Set(['ERR_KEY_NOT_LOCKED', 'ERR_NOT_IN_TRANSACTION', 'ERR_DEADLOCK'])
