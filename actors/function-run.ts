/**
 * Runs one function that was called by name, on the thread that has it: a thread of the pool, or one of the application that has
 * registered it. Under its time limit, and with its result encoded.
 */
import { Scratch } from '../runtime/codec/scratch.js'
import { encodeValue } from '../runtime/codec/value.js'
import { CacheError } from '../runtime/errors.js'
import { functionFailed, type AnyFunction } from '../runtime/functions.js'
import { runInScope, type CallScope } from './call-scope.js'
import { Commit, Ignore } from './commit.js'
import { readExpire } from './expiry.js'
import { argumentsOf, type ArrivedCall, type CallHeader, type CallReply } from './function-wire.js'

/** What the thread has to offer. */
export interface FunctionPlace {
  /** The function of a call. Throws `ERR_UNKNOWN_FUNCTION`. */
  find(header: CallHeader): AnyFunction
  /** What the function gets besides its arguments. */
  gift(header: CallHeader): unknown
}

/** A scope of a call that can be ended from outside its function. */
export abstract class LimitedCall implements CallScope {
  /** Its result is decided. The function may go on. */
  over = false
  #reject: ((error: CacheError) => void) | undefined
  #name = ''

  abstract wait<T>(promise: Promise<T>): Promise<T>

  fail(error: unknown): void {
    if (!this.over) this.#reject?.(functionFailed(this.#name, error))
  }

  /** Runs the function of a call. Rejects with a `CacheError`. */
  async run(call: ArrivedCall, place: FunctionPlace): Promise<CallReply> {
    const { header } = call
    const args = argumentsOf(call)
    if (header.gift?.place === 'first') args.unshift(place.gift(header))
    else if (header.gift?.place === 'last') args.push(place.gift(header))
    const run = place.find(header)
    const result = await this.#limited(header, () => run(...args) as unknown)
    return encodeResult(header.name, result)
  }

  #limited({ name, limitMs }: CallHeader, run: () => unknown): Promise<unknown> {
    this.#name = name
    return new Promise((resolve, reject) => {
      const settle = (settled: () => void): void => {
        if (this.over) return
        this.over = true
        clearTimeout(timer)
        settled()
      }
      const overrun = (): void => settle(() => reject(new CacheError('ERR_FUNCTION_TIMEOUT', `the function '${name}' did not end within its time limit of ${limitMs} ms; make it shorter, or raise functionTimeout`, { function: name, timeout: limitMs })))
      const timer = setTimeout(overrun, Math.min(limitMs, 0x7fff_ffff))
      this.#reject = (error) => settle(() => reject(error))
      const begunMs = performance.now()
      const running = runInScope(this, () => new Promise((ended) => ended(run())))
      // What it did before it waited for anything is over; no timer could come between.
      if (performance.now() - begunMs > limitMs) overrun()
      running.then((value) => settle(() => resolve(value)), (error: unknown) => settle(() => reject(functionFailed(name, error))))
    })
  }
}

/** What a function returned, as it travels. */
function encodeResult(name: string, result: unknown): CallReply {
  const kind = result instanceof Commit ? 'commit' : result instanceof Ignore ? 'ignore' : 'value'
  const value: unknown = result instanceof Commit || result instanceof Ignore ? result.value : result
  const expire = result instanceof Commit ? result.options.expire : undefined
  try {
    const expireMs = expire === undefined ? undefined : readExpire(expire, 'the expire of commit')
    const scratch = new Scratch(256)
    encodeValue(value, scratch)
    return [kind, expireMs, scratch.bytes.subarray(0, scratch.end)]
  } catch (error) {
    if (error instanceof CacheError) throw error
    throw functionFailed(name, error)
  }
}
