/**
 * The loads of one shard: which keys are being loaded, for whom, and who waits. One load for each key, however many want it.
 *
 * The first who asks for a missing key is told to load it, and reports the result; those who come later wait. The requests of all of
 * them are kept in the parking area, so that a shard that takes over goes on where its predecessor was. Of the loader's the word of its own says
 * that it is the loader's, the load's number, and whether the key was written, removed or cleared since the load began: its result is
 * then given to those who wait and not stored. If the loader's thread ends, the next who waits is told to load.
 */
import { encodeValue } from '../../runtime/codec/value.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import type { Replier } from '../../runtime/mailbox/deferral.js'
import type { Inlet, Request } from '../../runtime/mailbox/inlet.js'
import { STATUS } from '../../runtime/mailbox/lane.js'
import type { ParkedRequest } from '../../runtime/mailbox/parking.js'
import type { ShardTransactions } from '../transactions/shard-transactions.js'

/** What a fetch is answered with: the encoded value, or the number of the load that it is to carry out. */
export type FetchReply = readonly ['value', Uint8Array] | readonly ['load', number]

const IS_LOADER = 1
const IS_STALE = 2
const NUMBER_SHIFT = 2
const MAX_NUMBER = 0xfff_ffff

interface Load {
  loader: ParkedRequest
  number: number
  readonly waiting: ParkedRequest[]
}

export class Loads {
  readonly #transactions: ShardTransactions
  readonly #inlet: (client: number) => Inlet | undefined
  readonly #hash: (request: Request) => number
  /** By hash: of two keys of one hash both loads. */
  readonly #byHash = new Map<number, Load[]>()
  readonly #scratch = new Scratch(256)

  constructor(transactions: ShardTransactions, inlet: (client: number) => Inlet | undefined, hash: (request: Request) => number) {
    this.#transactions = transactions
    this.#inlet = inlet
    this.#hash = hash
  }

  get isBusy(): boolean {
    return this.#byHash.size > 0
  }

  /** Somebody wants a key that is missing. */
  want(request: Inlet): void {
    const hash = this.#hash(request)
    const load = this.#find(hash, request)
    if (load !== undefined) return void load.waiting.push(this.#transactions.park(request))
    const loader = this.#transactions.park(request)
    const begun = { loader, number: 0, waiting: [] }
    this.#add(hash, begun)
    this.#begin(begun, loader)
  }

  /** Takes up a request that a predecessor had kept. Call `takenUp` after the last one. */
  adopt(request: ParkedRequest): void {
    const hash = this.#hash(request)
    const isLoader = (request.own & IS_LOADER) !== 0
    // A loader was told long ago that it loads.
    if (!isLoader) this.#transactions.adopt(request)
    const load = this.#find(hash, request)
    if (load === undefined) this.#add(hash, { loader: request, number: request.own >>> NUMBER_SHIFT, waiting: [] })
    else if (isLoader) {
      load.waiting.unshift(load.loader)
      load.loader = request
      load.number = request.own >>> NUMBER_SHIFT
    } else load.waiting.push(request)
  }

  /** Loads that nobody carries out any more are given to those who wait. */
  takenUp(): void {
    for (const load of [...this.#byHash.values()].flat()) {
      if ((load.loader.own & IS_LOADER) === 0) this.#begin(load, load.loader)
      else if (this.#isGone(load.loader.client)) this.#passOn(load)
    }
  }

  /** A client has gone, and its loads with it. */
  clientGone(client: number): void {
    for (const load of [...this.#byHash.values()].flat()) if (load.loader.client === client) this.#passOn(load)
  }

  /** The key of this hash is about to be written or removed. */
  noteWrite(hash: number): void {
    for (const load of this.#byHash.get(hash) ?? []) load.loader.own |= IS_STALE
  }

  /** Every key is. */
  noteWriteOfAll(): void {
    for (const loads of this.#byHash.values()) for (const { loader } of loads) loader.own |= IS_STALE
  }

  /** Whether the result of this load is to be stored; `undefined` if it is none that is under way. */
  mayStore(request: Request, number: number): boolean | undefined {
    const load = this.#find(this.#hash(request), request)
    return load?.number === number ? (load.loader.own & IS_STALE) === 0 : undefined
  }

  /** Ends a load: all who wait get the encoded value, or the encoded description of an error. */
  end(request: Request, isError: boolean, payload: Buffer, start: number, end: number): void {
    const hash = this.#hash(request)
    const load = this.#find(hash, request)
    if (load === undefined) return
    if (!isError) this.#encode(['value', payload.subarray(start, end)])
    for (const parked of load.waiting) {
      const replier = this.#transactions.begin(parked)
      if (isError) replier.finishWith(STATUS.error, payload, start, end)
      else replier.finishWith(STATUS.value, this.#scratch.bytes, 0, this.#scratch.end)
      this.#transactions.leave(parked)
    }
    this.#remove(hash, load)
    this.#transactions.leave(load.loader)
  }

  #begin(load: Load, loader: ParkedRequest): void {
    load.loader = loader
    load.number = loader.order & MAX_NUMBER
    loader.own = IS_LOADER | (load.number << NUMBER_SHIFT)
    this.#encode(['load', load.number])
    const replier: Replier = this.#transactions.replierOf(loader)
    replier.finishWith(STATUS.value, this.#scratch.bytes, 0, this.#scratch.end)
  }

  /** Its loader is gone: the next one loads, if there is one. */
  #passOn(load: Load): void {
    this.#transactions.leave(load.loader)
    for (let next; (next = load.waiting.shift()) !== undefined; this.#transactions.leave(next)) {
      if (!this.#isGone(next.client)) return this.#begin(load, next)
    }
    this.#remove(this.#hash(load.loader), load)
  }

  #isGone(client: number): boolean {
    const inlet = this.#inlet(client)
    return inlet === undefined || inlet.clientGone
  }

  #find(hash: number, { bytes, start, aEnd }: Request): Load | undefined {
    return this.#byHash.get(hash)?.find(({ loader }) => loader.bytes.compare(bytes, start, aEnd, loader.start, loader.aEnd) === 0)
  }

  #add(hash: number, load: Load): void {
    const loads = this.#byHash.get(hash)
    if (loads === undefined) this.#byHash.set(hash, [load])
    else loads.push(load)
  }

  #remove(hash: number, load: Load): void {
    const loads = this.#byHash.get(hash)!.filter((one) => one !== load)
    if (loads.length === 0) this.#byHash.delete(hash)
    else this.#byHash.set(hash, loads)
  }

  #encode(reply: FetchReply): void {
    this.#scratch.reset()
    encodeValue(reply, this.#scratch)
  }
}
