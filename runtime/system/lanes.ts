/**
 * The lanes between clients and actors, as the system thread opens, keeps and closes them.
 *
 * In the vault: `lane/<client>/<actor>` is a lane, `large/<client>/<actor>#<number>` the body of a message in it that was
 * too large for the ring and is not done.
 */
import { CacheError } from '../errors.js'
import type { LaneGrant } from '../host/protocol.js'
import { Bell } from '../mailbox/bell.js'
import { countUnfinished, createLane, laneBytes, LANE_STATE } from '../mailbox/lane.js'
import type { VaultWriter } from '../vault.js'
import { markLane, type ActorRecord } from './actor-record.js'
import { SYSTEM_CLIENT, type Clients } from './clients.js'

/** Most bytes of lanes that are kept to be used again. */
const SPARE_BYTES = 64 << 20

export class Lanes {
  readonly #vault: VaultWriter
  readonly #clients: Clients
  /**
   * Lanes whose client is gone and out of which nothing comes any more. Shared memory weighs nothing to V8's collector, so threads that
   * die one after the other would leave theirs to lie for long.
   */
  #spare: SharedArrayBuffer[] = []

  constructor(vault: VaultWriter, clients: Clients) {
    this.#vault = vault
    this.#clients = clients
  }

  /** The lanes of the system thread before this one are those of a client that is gone, and this one has the same number. */
  renameSystemLanes(): void {
    const gone = this.#clients.nextId()
    for (const kind of ['lane', 'large']) {
      const prefix = `${kind}/${SYSTEM_CLIENT}/`
      for (const name of this.#vault.names(prefix)) {
        this.#vault.put(`${kind}/${gone}/${name.slice(prefix.length)}`, this.#vault.get(name))
        this.#vault.drop(name)
      }
    }
  }

  /** Makes, or finds again, a client's lane to an actor. */
  open(record: ActorRecord, client: number): { lane: SharedArrayBuffer; bell: SharedArrayBuffer } {
    const { id, host, lanes } = record
    const known = lanes.get(client)
    if (known !== undefined) return { lane: known.lane, bell: host.bell }
    const bell = this.#clients.bellOf(client)
    if (bell === undefined) throw new CacheError('ERR_STOPPED', 'this thread is not a client of the node any more')
    const lane = createLane(record.mailbox, this.#takeSpare(laneBytes(record.mailbox)))
    this.#vault.put(`lane/${client}/${id}`, lane)
    lanes.set(client, { lane, bell })
    host.order({ order: 'lane', id, lane: { client, lane, bell, large: [] } })
    return { lane, bell: host.bell }
  }

  /** Keeps the body of a large message until it is done, and passes it to the actor's host. */
  handOver({ id, host }: ActorRecord, client: number, largeId: number, body: SharedArrayBuffer): void {
    this.#vault.put(`large/${client}/${id}#${largeId}`, body)
    host.order({ order: 'large', id, client, largeId, body })
  }

  /** Lets go of a body that was handled, and of those before it, whose reports went down with a host. */
  largeDone(client: number, id: string, largeId: number): void {
    const prefix = `large/${client}/${id}#`
    for (const name of this.#vault.names(prefix)) if (Number(name.slice(prefix.length)) <= largeId) this.#vault.drop(name)
  }

  /** Gives a new record the lanes that the vault has for its actor. */
  takeUp(record: ActorRecord): void {
    for (const { client, id, lane } of this.#kept()) {
      if (id === record.id) record.lanes.set(client, { lane, bell: this.#clients.bellOf(client) ?? new Bell().buffer })
    }
  }

  /** What an actor's host needs to serve it. */
  grants(record: ActorRecord): LaneGrant[] {
    return [...record.lanes].map(([client, { lane, bell }]) => {
      const prefix = `large/${client}/${record.id}#`
      const large = this.#vault.names(prefix).map((name): [number, SharedArrayBuffer] => [Number(name.slice(prefix.length)), this.#vault.get(name) as SharedArrayBuffer])
      return { client, lane, bell, large }
    })
  }

  /** A client is gone: what it sent still runs, then the host reports that the lane is empty. */
  clientGone({ id, host, lanes }: ActorRecord, client: number): void {
    const known = lanes.get(client)
    if (known === undefined) return
    markLane(known.lane, LANE_STATE.clientGone)
    host.order({ order: 'dropLane', id, client })
  }

  /** As `clientGone`, for clients that went while the actor was down, or with the system thread before this one. */
  dropGone(record: ActorRecord): void {
    for (const client of record.lanes.keys()) if (!this.#clients.has(client)) this.clientGone(record, client)
  }

  /** Keeps a lane that nobody reads or writes any more for another client: one of a host's thread, which cannot write into it after its end. */
  keepSpare(client: number, id: string): void {
    const lane = this.#vault.get(`lane/${client}/${id}`)
    if (!(lane instanceof SharedArrayBuffer) || !this.#clients.isHost(client) || client === SYSTEM_CLIENT) return
    this.#spare.push(lane)
    while (this.#spare.reduce((sum, { byteLength }) => sum + byteLength, 0) > SPARE_BYTES) this.#spare.shift()
  }

  #takeSpare(bytes: number): SharedArrayBuffer | undefined {
    const index = this.#spare.findIndex(({ byteLength }) => byteLength === bytes)
    return index < 0 ? undefined : this.#spare.splice(index, 1)[0]
  }

  /** Lets go of a lane that nothing will come out of any more. */
  forget(client: number, id: string): void {
    this.#vault.drop(`lane/${client}/${id}`)
    for (const name of this.#vault.names(`large/${client}/${id}#`)) this.#vault.drop(name)
  }

  /** Closes what the vault has of lanes to a child of the root and below it. Returns how many messages were left. */
  closeBelow(root: string): number {
    let left = 0
    for (const { client, id, lane } of this.#kept()) {
      if (id.split('/', 1)[0] !== root) continue
      markLane(lane, LANE_STATE.closed)
      const bell = this.#clients.bellOf(client)
      if (bell !== undefined) new Bell(bell).ring()
      left += countUnfinished(lane)
      this.forget(client, id)
    }
    return left
  }

  /** Every lane in the vault. */
  #kept(): { client: number; id: string; lane: SharedArrayBuffer }[] {
    return this.#vault.names('lane/').map((name) => {
      const [, client, ...path] = name.split('/')
      return { client: Number(client), id: path.join('/'), lane: this.#vault.get(name) as SharedArrayBuffer }
    })
  }
}
