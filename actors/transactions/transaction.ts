/**
 * Transactions: several keys of a cache, changed by one function, and seen changed all at once or not at all.
 *
 * The thread that calls is the owner: it takes a slot, locks the keys, shard by shard in one order, so that no two transactions wait
 * for each other, and has the function run, here or on another thread. There the parts of the transaction carry its slot, and the shards
 * prepare what it writes beside what is there. When the function has returned, its thread commits by one store into the slot.
 * The owner then has the shards publish or drop what was prepared and give the locks back. If the owner dies, the locksmith does.
 */
import { monotonicMs } from '../../runtime/clock.js'
import { CacheError } from '../../runtime/errors.js'
import { GENERATION_SHIFT, MAX_GENERATION, SLOT_SHIFT } from '../../runtime/mailbox/lane.js'
import { readTimeout } from '../../runtime/actor.js'
import type { Action, CallOptions } from '../action.js'
import type { Turn } from '../calls/call-order.js'
import { conclude } from '../actions/conclude.js'
import { lock } from '../actions/lock.js'
import { Caller } from '../calls/caller.js'
import type { EncodedEntry } from '../walks/entry-batch.js'
import { Slots, type Ticket } from './slots.js'
import type { Note } from '../watching/watched-call.js'

/** What the thread that runs a transaction's function needs to know of it: plain data. */
export interface TransactionPlan extends Ticket {
  /** The encoded keys that it has locked. */
  readonly keys: readonly Uint8Array[]
  /** A transaction inside another one: that one commits. */
  readonly joined?: boolean
  /** No hook hears of what is done in it. */
  readonly isQuiet?: boolean
  /** Of a call of another node's: the actions of which the hooks there want to hear. None of this node hears of it. */
  readonly watched?: readonly string[]
}

const slotsOfCaches = new WeakMap<SharedArrayBuffer, Slots>()

function slotsOf({ description: { transactions } }: Caller): Slots {
  const known = slotsOfCaches.get(transactions.owners)
  if (known !== undefined) return known
  const slots = new Slots(transactions)
  slotsOfCaches.set(transactions.owners, slots)
  return slots
}

/** How far a transaction has come, for a caller who does not wait any longer. */
export class Beginning {
  /** Until when its keys have to be locked, in monotonic milliseconds. */
  readonly deadlineMs: number
  #hasBegun = false
  #isGivenUp = false

  constructor(options: CallOptions | undefined) {
    this.deadlineMs = monotonicMs() + readTimeout(options)
  }

  /** Its keys are locked. Throws if its caller was told that it was not begun. */
  begin(): void {
    if (this.#isGivenUp) throw notBegun(undefined)
    this.#hasBegun = true
  }

  /** The caller's time is up: the error that says that it was not begun, and it will not be. `undefined` if it was. */
  giveUp(timeoutMs: number): CacheError | undefined {
    if (this.#hasBegun) return undefined
    this.#isGivenUp = true
    return notBegun(timeoutMs)
  }
}

function notBegun(timeoutMs: unknown): CacheError {
  return new CacheError('ERR_TIMEOUT', 'the keys of a transaction were not free in time; it was not begun: give a longer timeout, or shorten the transactions that hold them', { outcome: 'none', timeout: timeoutMs })
}

/**
 * Runs a transaction of this thread's on keys that are locked around it. `run` has it commit, here or on another thread
 * (`runTransaction`); if it fails, nothing has happened. If a thread died that ran it, `run` may go on with what `again` resolves with: the
 * same keys, locked for another transaction in its place.
 *
 * @param keys none: no other transaction runs meanwhile
 * @param beginning for a caller that may give it up before
 * @throws `ERR_TIMEOUT`, with nothing done, if the keys are not free in time
 */
export async function transact<T>(
  caller: Caller, keys: readonly EncodedEntry[], options: CallOptions | undefined, run: (plan: TransactionPlan, again: () => Promise<TransactionPlan>) => Promise<T>,
  beginning = new Beginning(options),
): Promise<T> {
  const slots = slotsOf(caller)
  const shards = lockOrder(keys, caller.shardCount)
  const involved = shards.map(([shard]) => shard)
  let current: Ticket | undefined
  /** Whether nothing has come of it. */
  const end = async (): Promise<boolean> => {
    if (current === undefined) return true
    const ticket = current
    current = undefined
    const isAborted = slots.abort(ticket)
    await concludeIn(caller, involved, ticket)
    return isAborted
  }
  const begin = async (deadlineMs: number): Promise<TransactionPlan> => {
    // Without a pause if there is a slot, so that what the caller sends next comes behind the first locks.
    const ticket = current = slots.take(caller.client.id) ?? await takeSlot(slots, caller.client.id, deadlineMs)
    for (const [shard, hashes] of shards) await lockIn(caller, shard, ticket, hashes, keys.length === 0, deadlineMs, options?.signal)
    return { ...ticket, keys: keys.map(({ bytes, keyBytes }) => bytes.subarray(0, keyBytes)) }
  }
  try {
    const plan = await begin(beginning.deadlineMs)
    beginning.begin()
    return await run(plan, async () => {
      if (!await end()) throw new CacheError('ERR_FUNCTION_FAILED', 'the thread of the transaction\'s function died when that had committed; what it returned is lost', { outcome: 'unknown' })
      return begin(monotonicMs() + readTimeout(options))
    })
  } catch (error) {
    throw await end() ? withoutEffect(error) : error
  } finally {
    await end()
  }
}

/**
 * A transaction that one shard carries out in one message, and commits itself. `send` sends it.
 *
 * @throws what `send` throws, with nothing done
 */
export async function transactAtOnce(caller: Caller, shard: number, options: CallOptions | undefined, send: (ticket: Ticket) => Promise<unknown>): Promise<void> {
  const slots = slotsOf(caller)
  const ticket = slots.take(caller.client.id) ?? await takeSlot(slots, caller.client.id, monotonicMs() + readTimeout(options))
  try {
    await send(ticket)
    slots.free(ticket)
  } catch (error) {
    const isCommitted = !slots.abort(ticket)
    await concludeIn(caller, [shard], ticket)
    if (isCommitted) return
    throw withoutEffect(error)
  }
}

/**
 * Runs a transaction's function on the thread that it belongs to, and commits, unless `isOver`: then its caller was told that it failed.
 *
 * @throws what `run` throws, with nothing committed
 */
export async function runTransaction<T>(caller: Caller, plan: TransactionPlan, run: (inside: TransactionCaller) => T | Promise<T>, isOver = () => false): Promise<T> {
  if (!slotsOf(caller).isRunning(plan)) throw givenUp()
  const inside = new TransactionCaller(caller, plan, isOver)
  try {
    const result = await run(inside)
    await inside.end()
    if (isOver() || (plan.joined !== true && !slotsOf(caller).commit(plan))) throw givenUp()
    return result
  } catch (error) {
    // What is still under way must not be carried out behind the end.
    void inside.end()
    throw plan.joined !== true && slotsOf(caller).abort(plan) ? withoutEffect(error) : error
  }
}

function givenUp(): CacheError {
  return new CacheError('ERR_FUNCTION_TIMEOUT', 'the transaction was given up before its function ended; nothing of it was stored', { outcome: 'none' })
}

/** What fails in a transaction that was given up has not happened, whatever a part of it says. */
function withoutEffect(error: unknown): unknown {
  return error instanceof CacheError && error.outcome === 'unknown' ? new CacheError(error.code, error.message, { ...error, cause: error.cause, outcome: 'none' }) : error
}

async function takeSlot(slots: Slots, client: number, deadlineMs: number): Promise<Ticket> {
  for (;;) {
    const ticket = slots.take(client)
    if (ticket !== undefined) return ticket
    if (monotonicMs() > deadlineMs) throw new CacheError('ERR_TIMEOUT', 'as many transactions as there can be ran all the while; it was not begun: run fewer at a time', { outcome: 'none' })
    await slots.someFreed()
  }
}

/** What a call with these keys is about. */
export function turnOf(keys: readonly EncodedEntry[], kind: Turn['kind']): Turn {
  return { hashes: new Set(keys.map(({ hash }) => hash)), kind }
}

/** The keys of each shard by their hashes, in the order in which every transaction locks; every shard for no keys. */
function lockOrder(keys: readonly EncodedEntry[], shards: number): [number, number[]][] {
  if (keys.length === 0) return Array.from({ length: shards }, (_, shard) => [shard, []])
  const hashes = new Map<number, Set<number>>()
  for (const { shard, hash } of keys) {
    const known = hashes.get(shard)
    if (known === undefined) hashes.set(shard, new Set([hash]))
    else known.add(hash)
  }
  return [...hashes].sort(([a], [b]) => a - b).map(([shard, set]) => [shard, [...set]])
}

async function lockIn(
  caller: Caller, shard: number, { slot, generation }: Ticket, hashes: readonly number[], exclusive: boolean, deadlineMs: number, signal: AbortSignal | undefined,
): Promise<void> {
  for (;;) {
    try {
      const timeout = Math.max(0, deadlineMs - monotonicMs())
      caller.noKey()
      caller.rest([slot, generation, hashes, exclusive])
      await caller.sendTo(shard, lock, { timeout, signal })
      return
    } catch (error) {
      if (!(error instanceof CacheError)) throw error
      // A shard that takes over holds the locks that its predecessor gave, and gives them again.
      if (error.code === 'ERR_SHARD_CRASHED') continue
      if (error.code === 'ERR_TIMEOUT') throw notBegun(error['timeout'])
      throw withoutEffect(error)
    }
  }
}

/** Has the shards end what has committed or was given up, and gives the slot back when all have. */
async function concludeIn(caller: Caller, shards: readonly number[], ticket: Ticket): Promise<void> {
  try {
    await Promise.all(shards.map((shard) => concludeAt(caller, shard, ticket)))
  } catch {
    // The cache has stopped: there is nobody left to wait for these locks.
    return
  }
  slotsOf(caller).free(ticket)
}

/** Again and again until the shard has done it: it is the same however often it is done. */
async function concludeAt(caller: Caller, shard: number, { slot, generation }: Ticket): Promise<void> {
  for (;;) {
    try {
      caller.noKey()
      caller.rest([slot, generation])
      await caller.sendTo(shard, conclude, undefined)
      return
    } catch (error) {
      if (!(error instanceof CacheError) || error.code === 'ERR_STOPPED') throw error
    }
  }
}

/** The caller's side of a cache inside a transaction: every message is a part of it, and goes through the shards. */
export class TransactionCaller extends Caller {
  readonly #plan: TransactionPlan
  readonly #keys: ReadonlySet<string>
  readonly #underWay = new Set<Promise<unknown>>()
  readonly #isOver: () => boolean
  /** By calls, in the order in which they were made. */
  readonly #notes: Note[][] = []
  #ended = false

  /** @param isOver whether it was given up for its function's time */
  constructor(outside: Caller, plan: TransactionPlan, isOver: () => boolean) {
    super(outside.client, outside.description, outside)
    this.#plan = plan
    this.#isOver = isOver
    this.part = ((plan.generation & MAX_GENERATION) << GENERATION_SHIFT) | (plan.slot << SLOT_SHIFT)
    this.#keys = new Set(plan.keys.map((key) => Buffer.from(key).toString('latin1')))
  }

  override get plan(): TransactionPlan {
    return this.#plan
  }

  override key(key: unknown): void {
    super.key(key)
    this.refuseIfEnded()
    if (!this.#keys.has(this.scratch.bytes.toString('latin1', 0, this.scratch.end))) {
      throw new CacheError('ERR_KEY_NOT_LOCKED', 'a transaction may use the keys that it was given only: list this one too', { key })
    }
  }

  /** What it has written only its shard knows. */
  override get hasUnansweredWrite(): boolean {
    return true
  }

  refuseIfEnded(): void {
    if (this.#ended || this.#isOver()) throw new CacheError('ERR_NOT_IN_TRANSACTION', 'the transaction has ended: its function has returned, or its time was up')
  }

  override send(action: Action, options: CallOptions | undefined): Promise<unknown> {
    return this.follow(super.send(action, options))
  }

  override sendTo(shard: number, action: Action, options: CallOptions | undefined): Promise<unknown> {
    return this.follow(super.sendTo(shard, action, options))
  }

  override sendAll(action: Action): never {
    throw new CacheError('ERR_NOT_IN_TRANSACTION', `${action.name} is about the whole cache: a transaction has its keys only`)
  }

  /** Takes no further calls, and waits for those that are under way. */
  async end(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
    this.#ended = true
  }

  /** The transaction does not end before this has: what it sends is a part of it. */
  follow<T>(work: Promise<T>): Promise<T> {
    const settled: Promise<unknown> = work.then(() => undefined, () => undefined).then(() => this.#underWay.delete(settled))
    this.#underWay.add(settled)
    return work
  }

  /** Room for what the hooks are to hear of the call that is made now. */
  roomForNotes(): Note[] {
    const room: Note[] = []
    this.#notes.push(room)
    return room
  }

  /** What the hooks are to hear of it if it commits. */
  get notes(): Note[] {
    return this.#notes.flat()
  }
}
