/**
 * Calls that somebody watches: the hooks are told before and after, and waited for where they are synchronous. Calls that nobody watches
 * never come here.
 *
 * The message is encoded when the call is made, so that it shows what was passed, whatever becomes of it later. A call that is refused
 * for its arguments is not an action, and is not told of; what fails later is, with its error as the result.
 */
import { DEFAULT_TIMEOUT_MS, readTimeout } from '../runtime/actor.js'
import { monotonicMs } from '../runtime/clock.js'
import { Scratch } from '../runtime/codec/scratch.js'
import { encodeValue } from '../runtime/codec/value.js'
import { describeError, errorCode, reviveError } from '../runtime/errors.js'
import { Reference } from '../runtime/functions.js'
import { codeOf } from './action-codes.js'
import { checkCallOptions, type Action, type CallOptions } from './action.js'
import { currentScope } from './call-scope.js'
import type { Caller } from './caller.js'

/**
 * Carries out a call of an action that is watched, or that has to wait for what `Watch.gate` holds it for.
 *
 * @param args the positional arguments, and the options behind them
 * @param call carries it out, with these arguments
 */
export function watchedCall(caller: Caller, action: Action, args: unknown[], call: (args: unknown[]) => unknown): unknown {
  const made = new WatchedCall(caller, action, args)
  return caller.telling ? made.told(call) : made.asked(call)
}

/** Tells the hooks of an action that has been carried out, such as a write in a transaction that has committed. Resolves when synchronous hooks have returned. */
export async function noteAction(caller: Caller, action: Action, args: unknown[], result: unknown): Promise<void> {
  const made = new WatchedCall(caller, action, args)
  await made.before()
  await made.after(encoded(result))
}

/** Tells the hooks of a synchronous read, which cannot wait for them. */
export function noteRead(caller: Caller, action: Action, key: unknown, result: unknown): void {
  const made = new WatchedCall(caller, action, [key])
  made.tellBefore()
  made.tellAfter(encoded(result))
}

class WatchedCall {
  readonly #caller: Caller
  readonly #action: Action
  readonly #args: unknown[]
  readonly #options: CallOptions | undefined
  readonly #number: number
  /** `undefined` if the hooks are not to hear of it. */
  readonly #message: Buffer | undefined
  readonly #madeMs = monotonicMs()

  constructor(caller: Caller, action: Action, args: unknown[]) {
    this.#caller = caller
    this.#action = action
    this.#args = action.many === true ? [walked(args[0]), ...args.slice(1)] : args
    const options = args[action.arity]
    this.#options = typeof options === 'object' && options !== null ? options : undefined
    this.#number = codeOf(action)
    this.#message = this.#options?.notify === false ? undefined : this.#encodeMessage(action)
  }

  asked(call: (args: unknown[]) => unknown): Promise<unknown> {
    // What is wrong with them must not come to light in a hook's wait.
    checkCallOptions(this.#action, this.#args[this.#action.arity] as object | undefined)
    const { watch } = this.#caller
    // Code that a call of a function runs may be what the gate waits for.
    const gate = currentScope() === undefined ? watch.gate : undefined
    let result: Promise<unknown>
    if (gate !== undefined || this.#isAwaitedBefore) {
      const begun = this.#begin(gate)
      watch.hold(begun)
      result = begun.then(() => call(this.#args))
    } else {
      // Only then: a call that is refused is not an action.
      result = call(this.#args) as Promise<unknown>
      this.tellBefore()
    }
    return this.#message === undefined ? result : this.#finish(result)
  }

  told(call: (args: unknown[]) => unknown): boolean {
    const { watch } = this.#caller
    const { gate } = watch
    const run = (): boolean => {
      const queued = call(this.#args) as boolean
      if (queued) {
        this.tellBefore()
        this.tellAfter(encoded(undefined))
      }
      return queued
    }
    if (gate === undefined || currentScope() !== undefined) return run()
    watch.hold(gate.then(() => {
      this.#caller.telling = true
      try {
        run()
      } finally {
        this.#caller.telling = false
      }
    }))
    return true
  }

  async before(): Promise<void> {
    const { watch } = this.#caller
    if (!this.#isAwaitedBefore) return this.tellBefore()
    await watch.tellAndWait(this.#number, true, this.#message!, encoded(undefined), this.#now(), this.#deadline(), this.#options?.signal)
  }

  async after(result: Buffer): Promise<void> {
    const { watch } = this.#caller
    if (this.#message === undefined || !watch.isAwaitedAfter(this.#number)) return this.tellAfter(result)
    await watch.tellAndWait(this.#number, false, this.#message, result, this.#now(), this.#deadline(), this.#options?.signal)
  }

  tellBefore(): void {
    const { watch } = this.#caller
    if (this.#message !== undefined && watch.isToldBefore(this.#number)) watch.tell(this.#number, true, this.#message, encoded(undefined), this.#now())
  }

  tellAfter(result: Buffer): void {
    const { watch } = this.#caller
    if (this.#message !== undefined && watch.isToldAfter(this.#number)) watch.tell(this.#number, false, this.#message, result, this.#now())
  }

  get #isAwaitedBefore(): boolean {
    return this.#message !== undefined && this.#caller.watch.isAwaitedBefore(this.#number)
  }

  async #begin(gate: Promise<void> | undefined): Promise<void> {
    await gate
    await this.before()
  }

  async #finish(result: Promise<unknown>): Promise<unknown> {
    try {
      const value = await result
      await this.after(encoded(value))
      return value
    } catch (error) {
      if (!REFUSALS.has(errorCode(error))) await this.after(encoded(error))
      throw error
    }
  }

  #now(): number {
    return Math.floor(this.#caller.clock.now())
  }

  /** When the caller gives up, in monotonic milliseconds. */
  #deadline(): number {
    try {
      return this.#madeMs + readTimeout(this.#options)
    } catch {
      // The call itself refuses such a timeout.
      return this.#madeMs + DEFAULT_TIMEOUT_MS
    }
  }

  #encodeMessage(action: Action): Buffer | undefined {
    const positional = Array.from({ length: action.arity }, (_, index) => this.#args[index] === undefined ? action.defaults?.[index] : this.#args[index])
    const message = [action.name, ...positional.map((argument) => (argument instanceof Reference ? argument.name : argument))]
    const options = Object.entries(this.#options ?? {}).filter(([name, value]) => !OF_THE_CALL.has(name) && value !== undefined && typeof value !== 'function')
    if (options.length > 0) message.push(Object.fromEntries(options))
    try {
      return encode(message)
    } catch {
      // What cannot be sent to the hooks cannot be sent to a shard either: the call says so.
      return undefined
    }
  }
}

/** Options that are of the call, and not of the message. */
const OF_THE_CALL = new Set(['timeout', 'signal', 'notify'])

/** Codes of calls that were refused for what they were given. */
const REFUSALS = new Set<string | undefined>(['ERR_INVALID_ARGUMENT', 'ERR_INVALID_KEY'])

/** What can be walked only once, as an array. */
function walked(collection: unknown): unknown {
  const isOnce = typeof collection === 'object' && collection !== null && Symbol.iterator in collection && !Array.isArray(collection)
  return isOnce ? [...collection as Iterable<unknown>] : collection
}

const scratch = new Scratch(256)
let isEncoding = false

/** Code of the application's that an encoding runs may make calls of its own. */
function encode(value: unknown): Buffer {
  const into = isEncoding ? new Scratch(256) : scratch
  const nested = isEncoding
  isEncoding = true
  try {
    into.reset()
    encodeValue(value, into)
    return Buffer.from(into.bytes.subarray(0, into.end))
  } finally {
    isEncoding = nested
  }
}

/** A result, encoded as well as it can be. */
function encoded(result: unknown): Buffer {
  try {
    return encode(result)
  } catch {
    return encode(result instanceof Error ? reviveError(describeError(result)) : undefined)
  }
}
