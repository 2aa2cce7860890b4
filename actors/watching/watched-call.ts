/**
 * Calls that somebody watches: the hooks are told before and after, and waited for where they are synchronous. Calls that nobody watches
 * never come here.
 *
 * The message is encoded when the call is made, so that it shows what was passed, whatever becomes of it later. A call that is refused
 * for its arguments is not an action, and is not told of; what fails later is, with its error as the result.
 */
import { DEFAULT_TIMEOUT_MS, readTimeout } from '../../runtime/actor.js'
import { monotonicMs } from '../../runtime/clock.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { encodeValue } from '../../runtime/codec/value.js'
import { describeError, errorCode, reviveError } from '../../runtime/errors.js'
import { Reference } from '../../runtime/functions.js'
import { codeOf } from '../action-codes.js'
import { checkCallOptions, type Action, type CallOptions } from '../action.js'
import { currentScope } from '../functions/call-scope.js'
import type { Caller } from '../calls/caller.js'

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

/**
 * What the hooks are to hear of an action of a transaction, once that has committed: the action's number, its message and its result, encoded.
 * Plain data, to be sent to the thread whose transaction it is.
 */
export type Note = readonly [number: number, message: Uint8Array, result: Uint8Array]

/** Carries out an action of a transaction, and keeps in `notes` what the hooks are to hear of it. */
export async function notedCall(caller: Caller, action: Action, args: unknown[], call: (args: unknown[]) => unknown, notes: () => Note[]): Promise<unknown> {
  return new WatchedCall(caller, action, args).noted(call, notes)
}

/**
 * Tells the hooks of what a transaction has done that has committed, in order. Resolves when the synchronous ones have returned, or when the
 * transaction's caller has waited long enough.
 *
 * @param untilMs in monotonic milliseconds; 0: nobody waits
 */
export async function tellNotes({ watch, clock }: Caller, notes: readonly Note[], untilMs: number, signal: AbortSignal | undefined): Promise<void> {
  const at = Math.floor(clock.now())
  await Promise.all(notes.flatMap(([number, message, result]) => [
    watch.announce(number, true, message, encoded(undefined), at, untilMs, signal),
    watch.announce(number, false, message, result, at, untilMs, signal),
  ]))
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

  async noted(call: (args: unknown[]) => unknown, notes: () => Note[]): Promise<unknown> {
    const result = call(this.#args) as Promise<unknown>
    // Only then: it may have made room for notes of its own, which come before its own one.
    const kept = notes()
    const note = (value: unknown): void => void (this.#message !== undefined && kept.push([this.#number, this.#message, encoded(value)]))
    try {
      const value = await result
      note(value)
      return value
    } catch (error) {
      if (!isRefusal(error)) note(error)
      throw error
    }
  }

  tellBefore(): void {
    this.#tell(true, encoded(undefined))
  }

  tellAfter(result: Buffer): void {
    this.#tell(false, result)
  }

  #tell(isBefore: boolean, result: Buffer): void {
    const { watch } = this.#caller
    if (this.#message !== undefined && watch.isTold(this.#number, isBefore)) watch.tell(this.#number, isBefore, this.#message, result, this.#now())
  }

  async #announce(isBefore: boolean, result: Buffer): Promise<void> {
    if (this.#message !== undefined) await this.#caller.watch.announce(this.#number, isBefore, this.#message, result, this.#now(), this.#deadline(), this.#options?.signal)
  }

  get #isAwaitedBefore(): boolean {
    return this.#message !== undefined && this.#caller.watch.isAwaitedBefore(this.#number)
  }

  async #begin(gate: Promise<void> | undefined): Promise<void> {
    await gate
    await this.#announce(true, encoded(undefined))
  }

  async #finish(result: Promise<unknown>): Promise<unknown> {
    try {
      const value = await result
      await this.#announce(false, encoded(value))
      return value
    } catch (error) {
      if (!isRefusal(error)) await this.#announce(false, encoded(error))
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

/** Whether a call was refused for what it was given. */
function isRefusal(error: unknown): boolean {
  return REFUSALS.has(errorCode(error))
}

const REFUSALS = new Set<string | undefined>(['ERR_INVALID_ARGUMENT', 'ERR_INVALID_KEY', 'ERR_KEY_NOT_LOCKED', 'ERR_NOT_IN_TRANSACTION'])

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
