/** How requests end, and what becomes of errors that callbacks of the bridge's user throw: they end neither the session nor the process. */
import type { CacheError } from '../../runtime/errors.js'

/** Told once how a request ended: with an error, or with the reply `bytes[start, end)`, which are the receiver's until it returns. */
export type Settle = (error: CacheError | undefined, bytes: Buffer, start: number, end: number) => void

const NOTHING: Buffer = Buffer.alloc(0)

export function settleWith(settle: Settle, error: CacheError | undefined, bytes: Buffer = NOTHING, start = 0, end = 0): void {
  try {
    settle(error, bytes, start, end)
  } catch (thrown) {
    warnOfThrown(thrown)
  }
}

export function warnOfThrown(error: unknown): void {
  process.emitWarning(error instanceof Error ? error : new Error('a callback of the bridge threw something that is no error', { cause: error }))
}
