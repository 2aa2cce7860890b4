/**
 * The part of a shard that knows transactions: who holds its locks, who waits for them, and how a transaction ends here.
 *
 * Everything that has to survive the shard's thread lies in shared memory: the locks, the requests that wait, the prepared blocks
 * in the table. A shard that takes over holds the locks of the transactions that still run, ends those that have ended meanwhile, and
 * carries out what waits, but not again what its predecessor was carrying out.
 */
import { nowMsWord, monotonicMs } from '../../runtime/clock.js'
import { CacheError } from '../../runtime/errors.js'
import type { Deferral, Replier } from '../../runtime/mailbox/deferral.js'
import type { Inlet, Request } from '../../runtime/mailbox/inlet.js'
import { STATUS } from '../../runtime/mailbox/lane.js'
import { Parking, type ParkedRequest } from '../../runtime/mailbox/parking.js'
import { generationOf as generationOfWord, NO_SLOT, SLOT_STATE, stateOf } from '../../runtime/table/transactions.js'
import type { TableWriter } from '../../runtime/table/writer.js'
import { Gate, type Claim } from './gate.js'
import { generationOf, holderOf, Locks, slotOf } from './locks.js'
import { Slots, type Ticket } from './slots.js'

/** Requests that waited and are carried out between two looks at the mailbox. */
const ADVANCE = 64

/** Nobody waits for the reply. */
const NOBODY: Replier = { client: -1, seq: -1, isAsk: false, finish: () => undefined, finishWith: () => undefined }

/** What it needs of its shard. */
export interface ShardDuties {
  readonly writer: TableWriter
  /** The lane of a client, unless that one is gone. */
  inlet(client: number): Inlet | undefined
  /** What a request that was left by a predecessor needs to itself; `undefined` if it waits for something else than locks. */
  claimOf(request: ParkedRequest): Claim | undefined
  /** Carries a request out and answers it. */
  carryOut(request: ParkedRequest, replier: Replier): void
  /** Takes up a request that a predecessor left and that does not wait for locks. */
  adopt(request: ParkedRequest): void
}

export class ShardTransactions {
  readonly #duties: ShardDuties
  readonly #slots: Int32Array
  readonly #table: Slots
  readonly #locks: Locks
  readonly #gate: Gate
  readonly #parking: Parking

  constructor(duties: ShardDuties, buffers: { readonly slots: SharedArrayBuffer; readonly owners: SharedArrayBuffer; readonly locks: SharedArrayBuffer; readonly parking: SharedArrayBuffer }) {
    this.#duties = duties
    this.#slots = new Int32Array(buffers.slots)
    this.#table = new Slots(buffers)
    const locks = this.#locks = new Locks(buffers.locks)
    this.#gate = new Gate(locks)
    this.#parking = new Parking(buffers.parking)
    duties.writer.isLocked = (hash) => locks.holder(hash) !== 0
    for (const holder of locks.holders()) if (!this.#isRunning(slotOf(holder), generationOf(holder))) this.#end(holder)
    for (const slot of duties.writer.preparedSlots()) {
      if (stateOf(Atomics.load(this.#slots, slot)) !== SLOT_STATE.running) this.#endPrepared(slot)
    }
  }

  /** Lets what a predecessor left wait again. Call it once, when there are lanes to answer to. */
  takeUp(): void {
    for (const parked of this.#parking.takeUp()) {
      if (parked.wasRunning) {
        this.adopt(parked)
        this.replierOf(parked).finish(STATUS.crashed)
        this.leave(parked)
        continue
      }
      const claim = this.#duties.claimOf(parked)
      if (claim === undefined) {
        this.#duties.adopt(parked)
        continue
      }
      this.adopt(parked)
      this.#gate.add(parked, claim)
    }
  }

  /** A request that a predecessor kept is still to be answered. */
  adopt({ client }: ParkedRequest): void {
    this.#duties.inlet(client)?.adoptDeferred()
  }

  /** Whether any request may have to wait, and `mustWait` has to be asked. */
  get isBusy(): boolean {
    return this.#gate.isBusy
  }

  /** How many requests wait. */
  get waiting(): number {
    return this.#parking.count
  }

  get lockedKeys(): number {
    return this.#locks.count
  }

  mustWait(claim: Claim): boolean {
    if (!this.#gate.mustWait(claim)) return false
    if (claim.kind !== 'read') return true
    // What its client has given up is not done any more: the read need not wait for that.
    this.#expire(this.#gate.withdrawOverdue(nowMsWord(monotonicMs())))
    return this.#gate.mustWait(claim)
  }

  /** Lets a request wait for its claim. Throws `ERR_MAILBOX_FULL` if too much waits. */
  wait(request: Inlet, claim: Claim): void {
    this.#gate.add(this.park(request), claim)
  }

  /** Keeps a request until `release`, also across a crash. Throws `ERR_MAILBOX_FULL` if too much is kept. */
  park(request: Inlet): ParkedRequest {
    const parked = this.#parking.park(request)
    if (parked === undefined) {
      throw new CacheError('ERR_MAILBOX_FULL', `too many requests wait at this shard for transactions or loads to end (${this.#parking.count}); send less at a time, or smaller values`)
    }
    request.defer()
    return parked
  }

  /** A request that was parked is about to be carried out, or answered. */
  begin(parked: ParkedRequest): Replier {
    this.#parking.begin(parked)
    return this.replierOf(parked)
  }

  /** It was. */
  leave(parked: ParkedRequest): void {
    this.#parking.leave(parked)
  }

  replierOf({ client, seq, isAsk }: ParkedRequest): Replier | Deferral {
    return this.#duties.inlet(client)?.deferral(seq, isAsk) ?? NOBODY
  }

  /** Between messages: carries out some of those that need not wait any longer. True if there is more to do. */
  idle(): boolean {
    return this.#gate.advance(ADVANCE, (parked) => {
      if (parked.isOverdue(nowMsWord(monotonicMs()))) this.replierOf(parked).finish(STATUS.expired)
      else this.#duties.carryOut(parked, this.begin(parked))
      this.leave(parked)
    })
  }

  /** Throws `ERR_KEY_NOT_LOCKED` if a request's transaction does not hold that key, having ended. */
  check({ slot, generation }: Request, hash: number): void {
    if (this.#locks.holder(hash) !== holderOf(slot, generation) || !this.#isRunning(slot, generation)) throw notHeld()
  }

  /** Begins a part of a transaction: what is found and written until `exit` is the transaction's. */
  enter({ slot }: Request): void {
    this.#duties.writer.slot = slot
  }

  exit(): void {
    this.#duties.writer.slot = NO_SLOT
  }

  /** Locks keys for a transaction that runs. The caller has seen that it need not wait. */
  lock(ticket: Ticket, hashes: readonly number[], exclusive: boolean): void {
    const holder = holderOf(ticket.slot, lowBits(ticket.generation))
    if (!this.#isRunning(ticket.slot, lowBits(ticket.generation))) throw notHeld()
    if (exclusive) return this.#locks.takeExclusive(holder)
    if (!this.#locks.hasRoom(hashes.length)) throw new CacheError('ERR_BUSY', 'too many keys of this shard are locked by transactions; lock fewer at a time')
    this.#locks.take(hashes, holder)
  }

  /** Carries out a transaction that is all in one message, and commits it. The caller has seen that it need not wait. */
  atOnce(ticket: Ticket, write: () => void): void {
    // One that waited may have been given up, and its slot given away.
    if (!this.#isRunning(ticket.slot, lowBits(ticket.generation))) throw notHeld()
    const { writer } = this.#duties
    writer.slot = ticket.slot
    try {
      write()
      if (!this.#table.commit(ticket)) throw notHeld()
    } catch (error) {
      this.#table.abort(ticket)
      throw error
    } finally {
      writer.slot = NO_SLOT
      this.#endPrepared(ticket.slot)
    }
  }

  /** Ends a transaction here, by what it has come to: publishes or drops what it prepared, and gives its locks back. Nothing happens if it still runs. */
  conclude({ slot, generation }: Ticket): void {
    if (!this.#isRunning(slot, lowBits(generation))) this.#end(holderOf(slot, lowBits(generation)))
  }

  #end(holder: number): void {
    const word = Atomics.load(this.#slots, slotOf(holder))
    if (lowBits(generationOfWord(word)) === generationOf(holder)) this.#endPrepared(slotOf(holder))
    this.#locks.release(holder)
    this.#expire(this.#gate.withdraw(holder))
    this.#gate.moved()
  }

  #expire(withdrawn: readonly ParkedRequest[]): void {
    for (const parked of withdrawn) {
      this.replierOf(parked).finish(STATUS.expired)
      this.leave(parked)
    }
  }

  #endPrepared(slot: number): void {
    const { writer } = this.#duties
    if (stateOf(Atomics.load(this.#slots, slot)) === SLOT_STATE.committed) writer.finish(slot)
    else writer.undo(slot)
  }

  #isRunning(slot: number, generation: number): boolean {
    const word = Atomics.load(this.#slots, slot)
    return stateOf(word) === SLOT_STATE.running && lowBits(generationOfWord(word)) === generation
  }
}

/** As many bits of a generation as requests and locks carry. */
function lowBits(generation: number): number {
  return generation & 0xff
}

function notHeld(): CacheError {
  return new CacheError('ERR_KEY_NOT_LOCKED', 'the transaction does not hold this key: it has ended')
}
