/**
 * Calls of one handle of a cache whose router follows nodes. While a node comes or goes, a call may meet one that is not there any more, does not run
 * the cache yet, or sees another owner. If it has certainly not happened it is made again, at whoever is the owner then, until its time is up.
 *
 * Calls for a key stay in order: a write that a later call for the same key may have passed is not made again, but fails.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { DEFAULT_TIMEOUT_MS, readTimeout } from '../../runtime/actor.js'
import { monotonicMs } from '../../runtime/clock.js'
import { CacheError } from '../../runtime/errors.js'
import type { RoutedCall } from './routed-call.js'

/** How soon a call is made again, in milliseconds. */
const AGAIN_MS = 20

interface Write {
  isPassed: boolean
}

export class MovingCalls {
  /** Writes that are on their way, the last for each key. */
  readonly #writes = new Map<string, Write>()

  /** @param make carries a call out */
  carryOut(call: RoutedCall, make: (call: RoutedCall) => unknown): unknown {
    if (this.#writes.size > 0) this.#pass(call)
    const { caller, action, options } = call
    // What writes on all nodes may have happened on some.
    const mayBeRepeated = !caller.telling && options?.local !== true && (action.merge === undefined ? action.keyed === true : !action.writes)
    const result = make(call)
    if (!mayBeRepeated || !call.isSent || !(result instanceof Promise)) return result
    const untilMs = monotonicMs() + (options?.timeout === undefined ? DEFAULT_TIMEOUT_MS : readTimeout(options))
    const write: Write = { isPassed: false }
    const repeated = this.#repeated(call, result, make, untilMs, write)
    if (!action.writes && action.acts !== true) return repeated
    const names = namesOf(call)
    for (const name of names) this.#writes.set(name, write)
    return repeated.finally(() => {
      for (const name of names) if (this.#writes.get(name) === write) this.#writes.delete(name)
    })
  }

  async #repeated(call: RoutedCall, first: Promise<unknown>, make: (call: RoutedCall) => unknown, untilMs: number, write: Write): Promise<unknown> {
    for (let result = first; ;) {
      try {
        return await result
      } catch (error) {
        if (!isElsewhere(error) || monotonicMs() + AGAIN_MS >= untilMs) throw error
        await delay(AGAIN_MS)
        if (write.isPassed) throw error
        if (call.options?.signal?.aborted === true) throw call.options.signal.reason
      }
      const again = call.again(Math.max(1, untilMs - monotonicMs()))
      // What it throws at once is for the next round, too.
      result = new Promise((resolve) => resolve(make(again)))
    }
  }

  #pass(call: RoutedCall): void {
    for (const name of namesOf(call)) {
      const write = this.#writes.get(name)
      if (write !== undefined) write.isPassed = true
    }
  }
}

/** Its keys, encoded. Of one whose keys are none it says so itself. */
function namesOf({ caller, keys }: RoutedCall): string[] {
  const names: string[] = []
  try {
    for (const key of keys) {
      caller.key(key)
      names.push(caller.scratch.bytes.toString('latin1', 0, caller.keyEnd))
    }
  } catch {
    return []
  }
  return names
}

/** Whether a call has not happened because its node was not the one to ask. */
function isElsewhere(error: unknown): boolean {
  if (!(error instanceof CacheError) || error.outcome !== 'none') return false
  if (error.code === 'ERR_PARTIAL') return Object.values(error['errors'] as Record<string, unknown>).every(isElsewhere)
  return error['node'] !== undefined && (error.code === 'ERR_NODE_DOWN' || error.code === 'ERR_NO_CACHE')
}
