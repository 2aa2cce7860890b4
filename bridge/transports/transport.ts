/**
 * The contract of a transport: how nodes reach each other. It moves bytes and knows nothing of frames, secrets and requests.
 *
 * A connection is a stream of bytes in order, or one of messages that may be lost, doubled and change places; either
 * way it ends once, for both ends, and what was sent on it before may or may not have arrived.
 */
import type { Protection } from '../sessions/handshake.js'

export interface Transport {
  /** Whether it knows where that node is, so that `connect` can be tried. */
  reaches(peer: string): boolean
  /** Begins to take connections. Called once, before `connect`; rejects if the address cannot be used. */
  listen(accept: (connection: Connection) => void): Promise<void>
  /** Where it listens, for people; `undefined` if it does not. A port that the system chose is in it. */
  readonly address: string | undefined
  /**
   * A connection to that node's address; who is there the handshake finds out. `ERR_NODE_UNREACHABLE` if nobody is, with
   * `refused: true` if it is certain that nobody listens. `signal` gives up.
   */
  connect(peer: string, signal: AbortSignal): Promise<Connection>
  /** Takes no more connections and gives back the address. Connections are closed by those who have them. */
  close(): Promise<void>
}

export interface Connection {
  /** The other end, for people. */
  readonly remote: string
  /** Whether each `data` is a message, rather than any piece of a stream. */
  readonly messages: boolean
  /** No frame may be longer. */
  readonly maxFrameBytes: number
  readonly protection: Protection
  /** Throws `ERR_UNAUTHENTICATED` if the transport knows that the other end is not that node. */
  verifyName(peer: string): void
  /** Begins to deliver. Called once, in the turn in which the connection was handed over or later. */
  open(handlers: ConnectionHandlers): void
  /**
   * Sends bytes, which must stay as they are until `release` is called, once. False: no more, until `drain`. What is written after the
   * connection has ended is dropped.
   */
  write(bytes: Buffer, release: () => void): boolean
  /** Sends what was written, and ends the connection. No more `data`; `closed` follows. */
  close(): void
  /** Ends it at once. */
  destroy(): void
}

export interface ConnectionHandlers {
  /** The bytes are the receiver's only until it returns. */
  data(bytes: Buffer): void
  drain(): void
  /** Once, whoever ended it. */
  closed(error?: Error): void
}
