/**
 * One thread in reserve for the hosts of a node, booted, with the modules of the node's actors loaded. A host that dies
 * starts again on it at once, and the place of the dead one, where Piscina boots another worker anyway, becomes the
 * next reserve: what a restart waits for is a message and the repair of its tables, not the start of a thread.
 *
 * Begins some time after the first host, so as not to be in the way when a node starts. Hosts with a limit of their own
 * on memory have threads of their own.
 */
import type { Thread } from '../threads.js'

/** A node has started by then. */
const AFTER_START_MS = 1000

/** Starts no earlier than this after a death: the restart goes first. */
const AFTER_DEATH_MS = 20

/** A place for a thread, as far as the reserve needs it. */
type Place = Pick<Thread, 'prepare' | 'close'>

export class SpareThread<T extends Place = Thread> {
  readonly #create: () => T
  readonly #modules = new Set<string>()
  #thread: T | undefined
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(create: () => T) {
    this.#create = create
  }

  /** Hosts start actors that load these modules. */
  loads(modules: readonly string[]): void {
    const before = this.#modules.size
    for (const module of modules) this.#modules.add(module)
    if (this.#modules.size > before && this.#thread !== undefined) this.#prepare(AFTER_DEATH_MS)
    this.#timer ??= setTimeout(() => {
      if (this.#closed) return
      this.#thread ??= this.#create()
      this.#prepare(0)
    }, AFTER_START_MS).unref()
  }

  /** Takes the place of a thread that has died, and returns the one to start on. */
  exchange(dead: T): T {
    if (this.#closed || this.#thread === undefined) return dead
    const next = this.#thread
    this.#thread = dead
    this.#prepare(AFTER_DEATH_MS)
    return next
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#thread?.close()
  }

  #prepare(delayMs: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (!this.#closed) this.#thread?.prepare('prepareHost', [...this.#modules])
    }, delayMs).unref()
  }
}
