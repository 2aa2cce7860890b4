/**
 * The vault: what must outlive every actor, by name. Shared buffers (tables, lanes, bells) and plain records
 * (the specs of what runs). No code.
 *
 * The main thread holds the original, so it survives the death of the system thread; the system thread holds a
 * copy and reports every change through a port. Reports are read as they come, and before the entries are needed: one
 * that waits in the port's queue is as safe as one in the map.
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'

export type VaultEntries = Map<string, unknown>

type Change = { put: string; value: unknown } | { drop: string }

/** The system thread's copy. */
export class VaultWriter {
  readonly #entries: VaultEntries
  readonly #port: MessagePort

  constructor(entries: VaultEntries, port: MessagePort) {
    this.#entries = entries
    this.#port = port
  }

  get(name: string): unknown {
    return this.#entries.get(name)
  }

  put(name: string, value: unknown): void {
    this.#entries.set(name, value)
    this.#port.postMessage({ put: name, value } satisfies Change)
  }

  drop(name: string): void {
    if (this.#entries.delete(name)) this.#port.postMessage({ drop: name } satisfies Change)
  }

  /** The buffer of that name; allocated, all zero, when it is not there. */
  buffer(name: string, bytes: number): SharedArrayBuffer {
    const existing = this.#entries.get(name)
    if (existing instanceof SharedArrayBuffer) return existing
    const buffer = new SharedArrayBuffer(bytes)
    this.put(name, buffer)
    return buffer
  }

  /** Names that start with `prefix`. */
  names(prefix: string): string[] {
    return [...this.#entries.keys()].filter((name) => name.startsWith(prefix))
  }
}

/** The main thread's original. */
export class Vault {
  readonly #entries: VaultEntries = new Map()
  #port: MessagePort | undefined

  /** Follows the reports of a (new) system thread, after those of the old one. */
  follow(port: MessagePort): void {
    this.drain()
    this.#port?.close()
    this.#port = port
    // What was put and dropped again must not pile up in the queue.
    port.on('message', (change: Change) => { this.#take(change) })
    port.unref()
  }

  /** Takes in what has been reported. */
  drain(): void {
    if (this.#port === undefined) return
    for (let report; (report = receiveMessageOnPort(this.#port)) !== undefined;) {
      this.#take(report.message as Change)
    }
  }

  #take(change: Change): void {
    if ('put' in change) this.#entries.set(change.put, change.value)
    else this.#entries.delete(change.drop)
  }

  /** The entry of that name, as of now. */
  get(name: string): unknown {
    this.drain()
    return this.#entries.get(name)
  }

  /** A copy of all entries, for a new system thread. */
  snapshot(): VaultEntries {
    this.drain()
    return new Map(this.#entries)
  }

  /** Lets go of everything. */
  clear(): void {
    this.#port?.close()
    this.#port = undefined
    this.#entries.clear()
  }
}
