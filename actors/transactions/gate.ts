/**
 * Who may go first at a shard: requests that meet a lock of somebody else's wait in the parking area, and those behind them that
 * touch the same keys wait too, so that for each key the order of arrival stays. Everybody else passes.
 *
 * What a request needs is its claim: keys by hash, all of the shard, or the lock that excludes other transactions.
 */
import type { ParkedRequest } from '../../runtime/mailbox/parking.js'
import type { Locks } from './locks.js'

export type Claim =
  /** A write to one key. */
  | { readonly kind: 'key'; readonly hash: number }
  /** These keys at once: to lock them for a holder, or to write all of them (holder 0). */
  | { readonly kind: 'keys'; readonly hashes: readonly number[]; readonly holder: number }
  /** A write to every key. */
  | { readonly kind: 'shard' }
  /** The lock that no other transaction may run beside. */
  | { readonly kind: 'exclusive'; readonly holder: number }
  /** A read of a key, `undefined` for any, that comes behind what the same client writes: it holds up nobody. */
  | { readonly kind: 'read'; readonly hash: number | undefined; readonly client: number }

interface Waiting {
  readonly parked: ParkedRequest
  readonly claim: Claim
}

/** Claims that are ahead of somebody. */
class Ahead {
  count = 0
  /** Of them, those of these kinds. */
  shards = 0
  exclusives = 0
  transactions = 0
  readonly #hashes = new Counts<number>()
  /** What clients write: their number, alone and with each hash. */
  readonly #writes = new Counts<number | string>()
  /** Those who write every key. */
  readonly #wholes = new Counts<number>()

  change(claim: Claim, client: number, by: 1 | -1): void {
    this.count += by
    switch (claim.kind) {
      case 'read': return
      case 'shard':
        this.shards += by
        this.#writes.change(client, by)
        return this.#wholes.change(client, by)
      case 'exclusive':
        this.exclusives += by
        return
      case 'key': return this.#changeKey(claim.hash, client, true, by)
      case 'keys':
        this.transactions += by
        for (const hash of claim.hashes) this.#changeKey(hash, client, claim.holder === 0, by)
    }
  }

  has(hash: number): boolean {
    return this.#hashes.has(hash)
  }

  /** Whether a client writes a key, `undefined` for any. */
  isWrittenBy(client: number, hash: number | undefined): boolean {
    if (!this.#writes.has(client)) return false
    return hash === undefined || this.#wholes.has(client) || this.#writes.has(`${client} ${hash}`)
  }

  #changeKey(hash: number, client: number, isWrite: boolean, by: number): void {
    this.#hashes.change(hash, by)
    if (!isWrite) return
    this.#writes.change(client, by)
    this.#writes.change(`${client} ${hash}`, by)
  }
}

/** How many there are of each. */
class Counts<K> {
  readonly #counts = new Map<K, number>()

  has(key: K): boolean {
    return this.#counts.has(key)
  }

  change(key: K, by: number): void {
    const count = (this.#counts.get(key) ?? 0) + by
    if (count === 0) this.#counts.delete(key)
    else this.#counts.set(key, count)
  }
}

export class Gate {
  readonly #locks: Locks
  #waiting: Waiting[] = []
  readonly #ahead = new Ahead()
  /** Locks were given back since the last look. */
  #mayMove = false

  constructor(locks: Locks) {
    this.#locks = locks
  }

  /** Whether anybody may have to wait. */
  get isBusy(): boolean {
    return this.#ahead.count > 0 || this.#locks.count > 0 || this.#locks.exclusive !== 0
  }

  get waiting(): number {
    return this.#ahead.count
  }

  /** Whether a request with this claim has to wait. */
  mustWait(claim: Claim): boolean {
    return this.#conflicts(claim, this.#ahead)
  }

  /** Puts a request behind all that wait. */
  add(parked: ParkedRequest, claim: Claim): void {
    this.#waiting.push({ parked, claim })
    this.#ahead.change(claim, parked.client, 1)
    this.#mayMove = true
  }

  /** Somebody gave locks back. */
  moved(): void {
    this.#mayMove = true
  }

  /** Takes the requests for locks of a transaction that has ended out, without carrying them out. */
  withdraw(holder: number): ParkedRequest[] {
    return this.#withdraw(({ claim }) => 'holder' in claim && claim.holder === holder)
  }

  /** Takes out those that nobody waits for any longer. */
  withdrawOverdue(nowMsWord: number): ParkedRequest[] {
    return this.#withdraw(({ parked }) => parked.isOverdue(nowMsWord))
  }

  #withdraw(isMeant: (waiting: Waiting) => boolean): ParkedRequest[] {
    const withdrawn = this.#waiting.filter(isMeant)
    if (withdrawn.length === 0) return []
    const gone = new Set(withdrawn)
    this.#waiting = this.#waiting.filter((entry) => !gone.has(entry))
    for (const { claim, parked } of withdrawn) this.#ahead.change(claim, parked.client, -1)
    this.#mayMove = true
    return withdrawn.map(({ parked }) => parked)
  }

  /**
   * Carries out those that need not wait any longer, in order, at most `most` of them. A request that locks something makes those
   * behind it wait again. True if there may be more to do.
   */
  advance(most: number, run: (parked: ParkedRequest) => void): boolean {
    if (!this.#mayMove) return false
    this.#mayMove = false
    const ahead = new Ahead()
    const kept: Waiting[] = []
    const waiting = this.#waiting
    for (let index = 0; index < waiting.length; index++) {
      const entry = waiting[index]!
      if (this.#conflicts(entry.claim, ahead)) {
        ahead.change(entry.claim, entry.parked.client, 1)
        kept.push(entry)
      } else if (most === 0) {
        kept.push(...waiting.slice(index))
        this.#mayMove = true
        break
      } else {
        most--
        this.#ahead.change(entry.claim, entry.parked.client, -1)
        run(entry.parked)
      }
    }
    this.#waiting = kept
    return this.#mayMove
  }

  #conflicts(claim: Claim, ahead: Ahead): boolean {
    const locks = this.#locks
    switch (claim.kind) {
      case 'key': return locks.holder(claim.hash) !== 0 || ahead.shards > 0 || ahead.has(claim.hash)
      case 'keys': return (locks.exclusive !== 0 && locks.exclusive !== claim.holder) || ahead.exclusives > 0 || ahead.shards > 0
        || claim.hashes.some((hash) => this.#isHeldByAnother(hash, claim.holder) || ahead.has(hash))
      case 'read': return ahead.isWrittenBy(claim.client, claim.hash)
      case 'shard': return locks.count > 0 || ahead.count > 0
      case 'exclusive': return (locks.exclusive !== 0 && locks.exclusive !== claim.holder) || locks.count > 0 || ahead.exclusives > 0 || ahead.transactions > 0
    }
  }

  #isHeldByAnother(hash: number, holder: number): boolean {
    const held = this.#locks.holder(hash)
    return held !== 0 && held !== holder
  }
}
