/**
 * Which threads of a node's application have registered which functions, in memory that all threads of the node share: so a second
 * registration is refused at once, and a caller knows where a function is without asking.
 *
 * Words of the buffer, then slots of 256 bytes:
 *   0  lock        0, or one more than the client that changes or reads the slots     all: Atomics.compareExchange, Atomics.store
 *   1  generation  moves after each change                                            all: Atomics.add under the lock, Atomics.load
 *   2  order       counts registrations                                               under the lock
 *   slot   0 one more than the client; 0: free    1 thread    2 order    3 bytes of the name    4… the name, UTF-8
 *
 * A slot is for one name and one client; a thread with several clients of the node has several. The lock is held for a walk over the
 * slots. That of a thread that dies with it is broken by who hears of its death; a slot that was being written then is either free
 * or whole, for its first word is written last.
 */
import { CacheError } from './errors.js'

const LOCK = 0
const GENERATION = 1
const ORDER = 2

const MAX_REGISTRATIONS = 1024
const HEADER_WORDS = 16
const SLOT_WORDS = 64
const NAME_AT = 4
/** No name is longer, in UTF-8. */
export const MAX_NAME_BYTES = (SLOT_WORDS - NAME_AT) * 4

export const NAMES_BYTES = (HEADER_WORDS + SLOT_WORDS * MAX_REGISTRATIONS) * 4

/** How long the lock is waited for: far longer than anybody holds it. */
const LOCK_DEADLINE_MS = 2000

export class RegisteredNames {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #bytes: Buffer
  readonly #lockWord: number
  /** Who has registered a name, the first one first, as of a generation. */
  #owners: ReadonlyMap<string, readonly number[]> = new Map()
  #generation = 0

  /** As `client`, who changes and reads it. */
  constructor(buffer: SharedArrayBuffer, client: number) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer)
    this.#bytes = Buffer.from(buffer)
    this.#lockWord = client + 1
  }

  /**
   * Notes that the client's thread has registered `name`.
   *
   * @throws `ERR_NAME_TAKEN` if another thread has, unless `each` may have a function of that name; `ERR_FULL`
   */
  claim(name: string, thread: number, each: boolean): void {
    const bytes = Buffer.from(name)
    this.#locked(() => {
      const words = this.#words
      let free = -1
      for (const slot of SLOTS) {
        if (words[slot] === 0) free = free < 0 ? slot : free
        else if (this.#nameAt(slot) === name && words[slot + 1] !== thread && !each) {
          throw new CacheError('ERR_NAME_TAKEN', `another thread has registered a function '${name}'; choose another name, unregister that one, or register this one with { each: true }, so that each thread has its own`, { function: name })
        }
      }
      if (free < 0) throw new CacheError('ERR_FULL', `the threads of this node have registered ${MAX_REGISTRATIONS} functions, and no more are possible`)
      words[free + 1] = thread
      words[free + 2] = words[ORDER]!++
      words[free + 3] = bytes.length
      this.#bytes.set(bytes, (free + NAME_AT) * 4)
      words[free] = this.#lockWord
      Atomics.add(words, GENERATION, 1)
    })
  }

  /** The client's thread has unregistered `name`. */
  release(name: string): void {
    this.#free((slot) => this.#words[slot] === this.#lockWord && this.#nameAt(slot) === name)
  }

  /** A client's thread is dead, or is a client no more: what it has registered is free, and so is the lock if it held it. */
  gone(client: number): void {
    Atomics.compareExchange(this.#words, LOCK, client + 1, 0)
    this.#free((slot) => this.#words[slot] === client + 1)
  }

  /** For a system thread that takes over from one that died, and with it the threads of all clients but these. */
  takeOver(clients: readonly number[]): void {
    const holder = Atomics.load(this.#words, LOCK)
    if (!clients.includes(holder - 1)) Atomics.compareExchange(this.#words, LOCK, holder, 0)
  }

  /** The client whose thread registered `name` first; `undefined` if none has. */
  ownerOf(name: string): number | undefined {
    return this.#look().get(name)?.[0]
  }

  /** Whether the thread of a client has registered `name`. */
  holds(name: string, client: number): boolean {
    return this.#look().get(name)?.includes(client) === true
  }

  #look(): ReadonlyMap<string, readonly number[]> {
    if (Atomics.load(this.#words, GENERATION) !== this.#generation) this.#locked(() => this.#read())
    return this.#owners
  }

  #read(): void {
    const words = this.#words
    const used = SLOTS.filter((slot) => words[slot] !== 0).sort((a, b) => (words[a + 2]! - words[b + 2]!) | 0)
    const owners = new Map<string, number[]>()
    for (const slot of used) {
      const name = this.#nameAt(slot)
      const clients = owners.get(name)
      if (clients === undefined) owners.set(name, [words[slot]! - 1])
      else clients.push(words[slot]! - 1)
    }
    this.#owners = owners
    this.#generation = Atomics.load(words, GENERATION)
  }

  #free(isMeant: (slot: number) => boolean): void {
    this.#locked(() => {
      for (const slot of SLOTS) {
        if (this.#words[slot] === 0 || !isMeant(slot)) continue
        this.#words[slot] = 0
        Atomics.add(this.#words, GENERATION, 1)
      }
    })
  }

  #nameAt(slot: number): string {
    const at = (slot + NAME_AT) * 4
    return this.#bytes.toString('utf8', at, at + this.#words[slot + 3]!)
  }

  #locked(run: () => void): void {
    const words = this.#words
    const untilMs = performance.now() + LOCK_DEADLINE_MS
    for (let holder; (holder = Atomics.compareExchange(words, LOCK, 0, this.#lockWord)) !== 0;) {
      if (performance.now() > untilMs) throw new CacheError('ERR_BUSY', 'the names of registered functions were held by another thread all the while; try again')
      Atomics.wait(words, LOCK, holder, 5)
    }
    try {
      run()
    } finally {
      Atomics.store(words, LOCK, 0)
      Atomics.notify(words, LOCK, 1)
    }
  }
}

/** Where the slots begin. */
const SLOTS: readonly number[] = Array.from({ length: MAX_REGISTRATIONS }, (_, index) => HEADER_WORDS + index * SLOT_WORDS)

