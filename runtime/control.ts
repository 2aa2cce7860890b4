/**
 * The control plane between threads that have event loops: typed, rare calls through Comlink; its only importer.
 *
 * Comlink has no time limit, never settles a call whose peer died, and sends of an error only its name, message
 * and stack. So a `ControlLink` gives every call a deadline, rejects what is pending when the port closes, and
 * a transfer handler keeps `code`, `cause` and details.
 */
import { expose, transfer, transferHandlers, wrap, type Remote } from 'comlink'
import type { MessagePort, Transferable } from 'node:worker_threads'
import { CacheError, describeError, reviveError, type ErrorDescription } from './errors.js'

const thrown = transferHandlers.get('throw')!
transferHandlers.set('throw', {
  canHandle: (value): value is unknown => thrown.canHandle(value),
  serialize: (value: unknown) => [describeError((value as { value: unknown }).value), []],
  deserialize: (description: unknown) => {
    throw reviveError(description as ErrorDescription)
  },
})

const DEFAULT_DEADLINE_MS = 10_000

/** Marks what is moved, not copied, when `value` is an argument or a result. */
export function moving<T extends object>(value: T, transferables: Transferable[]): T {
  return transfer(value, transferables as never)
}

/** Lets the thread at the other end of `port` call the methods of `api`. Returns when the port is closed. */
export function serveControl(api: object, port: MessagePort): Promise<void> {
  const closed = new Promise<void>((resolve) => port.once('close', resolve))
  expose(api, port)
  return closed
}

export class ControlLink<Api extends object> {
  readonly #port: MessagePort
  readonly #remote: Remote<Api>
  readonly #pending = new Set<(error: Error) => void>()
  #closed: Error | undefined
  /** The thread at the other end is gone, and nothing more will be answered. */
  peerDied = false
  /** Resolves when the other end is gone, or after `close()`. */
  readonly closed: Promise<void>

  constructor(port: MessagePort) {
    this.#port = port
    this.#remote = wrap<Api>(port)
    this.closed = new Promise((resolve) => {
      port.once('close', () => {
        this.#peerDied()
        resolve()
      })
    })
    // A call in flight keeps the process alive by its timer; an idle link does not.
    port.unref()
  }

  /**
   * Makes one call. Rejects with `ERR_TIMEOUT` after `deadlineMs` (default 10 s; `Infinity` for none), and with
   * `ERR_ACTOR_CRASHED` when the other thread ends before it answers. Without a deadline it does not keep the process alive.
   */
  call<T>(method: (remote: Remote<Api>) => Promise<T>, deadlineMs = DEFAULT_DEADLINE_MS): Promise<T> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        this.#pending.delete(fail)
      }
      const fail = (error: Error): void => {
        settle()
        reject(error)
      }
      const late = (): void => fail(new CacheError('ERR_TIMEOUT', `no answer from the control plane within ${deadlineMs} ms`, { outcome: 'unknown', timeout: deadlineMs }))
      // An answer that came while this thread was busy is looked at first.
      const timer = setTimeout(() => setImmediate(late), Math.min(deadlineMs, 0x7fff_ffff))
      if (deadlineMs === Infinity) clearTimeout(timer)
      this.#pending.add(fail)
      const made = async (): Promise<T> => method(this.#remote) // async: also what it throws becomes a rejection
      made().then((value) => {
        settle()
        resolve(value)
      }, fail)
    })
  }

  /** Another link has taken its place: for those who wait on this one its peer has died. */
  abandon(): void {
    this.#peerDied()
    this.#port.close()
  }

  #peerDied(): void {
    if (this.#closed === undefined) this.peerDied = true
    this.#fail(new CacheError('ERR_ACTOR_CRASHED', 'the thread at the other end of the control link is gone', { outcome: 'unknown' }))
  }

  close(): void {
    this.#fail(new CacheError('ERR_STOPPED', 'the node has stopped'))
    this.#port.close()
  }

  #fail(error: Error): void {
    this.#closed ??= error
    for (const fail of [...this.#pending]) fail(error)
  }
}
