/** What a function that runs outside the shards is inside of: known to everything that it calls, also after it has waited. */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { FunctionTask } from './function-call.js'
import type { CallReply } from './function-wire.js'
import type { LoadedKey } from '../loading/load-waits.js'

/** What of functions a call of another node's may use: of those that threads register, none of this node's. */
export interface PeerFunction {
  /** The function that the other node runs itself. */
  readonly name: string | undefined
  /** Has it run there. */
  call(task: FunctionTask): Promise<CallReply>
}

export interface CallScope {
  /** The load that it is the function of. */
  readonly load: LoadedKey | undefined
  /** Only of a call that another node has sent. */
  readonly peer?: PeerFunction
  /** Waits for an answer of the cache: the call holds no slot of its thread meanwhile. Settles as `promise` does. */
  wait<T>(promise: Promise<T>): Promise<T>
  /** Ends the call with an error, wherever its function is. Nothing happens if it is over. */
  fail(error: unknown): void
}

const scopes = new AsyncLocalStorage<CallScope>()

/** The call that the caller runs inside of, if it does. */
export function currentScope(): CallScope | undefined {
  return scopes.getStore()
}

export function runInScope<T>(scope: CallScope, run: () => T): T {
  return scopes.run(scope, run)
}
