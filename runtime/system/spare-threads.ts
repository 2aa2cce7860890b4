/**
 * Threads in reserve for the hosts of a node, booted, with the modules of the node's actors loaded. A host that dies
 * starts again on one of them at once, and the place of the dead one, where Piscina boots another worker anyway, goes to the
 * reserve: what a restart waits for is a message and the repair of its tables, not the start of a thread.
 *
 * One is enough until a host dies while it still boots, which on a busy machine takes several times as long as on an idle one.
 * Then there is one more, up to a limit. They begin some time after the first host, so as not to be in the way when a node
 * starts. Hosts with a limit of their own on memory have threads of their own.
 */
import type { Thread } from '../threads.js'

/** A node has started by then. */
const AFTER_START_MS = 300

/** Starts no earlier than this after a death: the restart goes first. */
const AFTER_DEATH_MS = 20

const MAX_THREADS = 3

/** A place for a thread, as far as the reserve needs it. */
type Place = Pick<Thread, 'prepare' | 'close'>

export class SpareThreads<T extends Place = Thread> {
  readonly #create: () => T
  readonly #modules = new Set<string>()
  /** In the order in which they began to boot. */
  #places: T[] = []
  readonly #ready = new Set<T>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #begun = false
  #closed = false

  constructor(create: () => T) {
    this.#create = create
  }

  /** Hosts start actors that load these modules. */
  loads(modules: readonly string[]): void {
    const before = this.#modules.size
    for (const module of modules) this.#modules.add(module)
    if (this.#modules.size > before) for (const place of this.#places) this.#prepare(place, AFTER_DEATH_MS)
    if (this.#begun) return
    this.#begun = true
    this.#later(AFTER_START_MS, () => this.#add())
  }

  /** Takes the place of a thread that has died, and returns the one to start on. */
  exchange(dead: T): T {
    if (this.#closed || this.#places.length === 0) return dead
    const next = this.#places.find((place) => this.#ready.has(place)) ?? this.#places[0]!
    if (!this.#ready.has(next) && this.#places.length < MAX_THREADS) this.#later(AFTER_DEATH_MS, () => this.#add())
    this.#places = [...this.#places.filter((place) => place !== next), dead]
    this.#ready.delete(next)
    this.#prepare(dead, AFTER_DEATH_MS)
    return next
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const timer of this.#timers) clearTimeout(timer)
    await Promise.all(this.#places.map((place) => place.close()))
  }

  #add(): void {
    if (this.#places.length >= MAX_THREADS) return
    const place = this.#create()
    this.#places.push(place)
    this.#prepare(place, 0)
  }

  #prepare(place: T, delayMs: number): void {
    this.#later(delayMs, () => {
      if (!this.#places.includes(place)) return
      void place.prepare('prepareHost', [...this.#modules]).then((isReady) => {
        if (isReady && this.#places.includes(place)) this.#ready.add(place)
      })
    })
  }

  #later(delayMs: number, run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      run()
    }, delayMs).unref()
    this.#timers.add(timer)
  }
}
