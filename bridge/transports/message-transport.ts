/**
 * Connections over a medium that carries messages from node to node: a message queue, or the memory of a process. They may be
 * lost, doubled and change places; whatever is made of that is up to the frames.
 *
 * A connection has a random number that both ends put beside each message. It begins with `open`, said again until `accept`
 * comes, and ends with `close`, which may be lost: then the other end notices by the silence.
 */
import { randomBytes } from 'node:crypto'
import { CacheError } from '../../runtime/errors.js'
import { MAX_FRAME_BYTES } from '../sessions/frame.js'
import type { Protection } from '../sessions/handshake.js'
import type { Connection, ConnectionHandlers, Transport } from './transport.js'

/** `nobody` comes from the medium itself: there is no such node. */
export type MessageKind = 'open' | 'accept' | 'data' | 'close' | 'nobody'

export interface Medium {
  /** For people. */
  readonly address: string
  readonly maxMessageBytes: number
  readonly protection: Protection
  /** Begins to take messages for this node. */
  open(handlers: MediumHandlers): Promise<void>
  /** Sends a message; the bytes are copied before it returns. False: no more data, until `drain`. */
  send(to: string, connection: string, kind: MessageKind, bytes?: Buffer): boolean
  close(): Promise<void>
}

export interface MediumHandlers {
  /** `from` is known of `open` only, and nobody has proved it. */
  receive(kind: MessageKind, connection: string, bytes: Buffer, from?: string): void
  drain(): void
  /** Nothing that was under way can be relied on. */
  broken(error: Error): void
}

/** How often `open` is said until somebody answers. */
const OPEN_AGAIN_MS = 200

export class MessageTransport implements Transport {
  readonly #medium: Medium
  readonly #name: string
  readonly #connections = new Map<string, MessageConnection>()
  /** Those that wait for `accept`. */
  readonly #opening = new Map<string, (error?: Error) => void>()
  /** `undefined` while it does not listen. */
  #accept: ((connection: Connection) => void) | undefined

  constructor(name: string, medium: Medium) {
    this.#name = name
    this.#medium = medium
  }

  get address(): string {
    return this.#medium.address
  }

  reaches(peer: string): boolean {
    return peer !== this.#name
  }

  async listen(accept: (connection: Connection) => void): Promise<void> {
    this.#accept = accept
    await this.#medium.open({
      receive: (kind, id, bytes, from) => this.#receive(kind, id, bytes, from),
      drain: () => {
        for (const connection of [...this.#connections.values()]) connection.drained()
      },
      broken: (error) => {
        for (const connection of [...this.#connections.values()]) connection.ended(error)
        for (const done of [...this.#opening.values()]) done(error)
      },
    })
  }

  async connect(peer: string, signal: AbortSignal): Promise<Connection> {
    const id = randomBytes(16).toString('hex')
    const connection = this.#make(id, peer)
    const open = (): void => void this.#medium.send(peer, id, 'open')
    const again = setInterval(open, OPEN_AGAIN_MS)
    let abort = (): void => undefined
    try {
      await new Promise<void>((resolve, reject) => {
        this.#opening.set(id, (error) => {
          if (error === undefined) resolve()
          else reject(error)
        })
        abort = () => reject(signal.reason as Error)
        signal.addEventListener('abort', abort)
        if (signal.aborted) abort()
        else open()
      })
    } catch (error) {
      connection.destroy()
      if (error instanceof CacheError) throw error
      throw new CacheError('ERR_NODE_UNREACHABLE', `node '${peer}' does not answer over ${this.address}: ${(error as Error).message}`, { node: peer, cause: error })
    } finally {
      clearInterval(again)
      signal.removeEventListener('abort', abort)
      this.#opening.delete(id)
    }
    return connection
  }

  async close(): Promise<void> {
    this.#accept = undefined
    for (const connection of [...this.#connections.values()]) connection.close()
    await this.#medium.close()
  }

  #make(id: string, peer: string): MessageConnection {
    const connection = new MessageConnection(this.#medium, id, peer, () => this.#connections.delete(id))
    this.#connections.set(id, connection)
    return connection
  }

  #receive(kind: MessageKind, id: string, bytes: Buffer, from: string | undefined): void {
    const connection = this.#connections.get(id)
    switch (kind) {
      case 'open': {
        const accept = this.#accept
        if (accept === undefined || from === undefined || from === this.#name || (connection !== undefined && !connection.accepted)) return
        this.#medium.send(from, id, 'accept')
        if (connection !== undefined) return
        const made = this.#make(id, from)
        made.accepted = true
        return accept(made)
      }
      case 'accept': return this.#opening.get(id)?.()
      case 'data': return connection?.received(bytes)
      case 'close': return connection?.ended()
      case 'nobody': return this.#opening.get(id)?.(new CacheError('ERR_NODE_UNREACHABLE', `nobody listens for node '${connection?.peer ?? ''}' on ${this.address}`, { node: connection?.peer, refused: true }))
    }
  }
}

class MessageConnection implements Connection {
  readonly messages = true
  readonly maxFrameBytes: number
  readonly protection: Protection
  readonly peer: string
  /** The other end began it. */
  accepted = false
  readonly #medium: Medium
  readonly #id: string
  readonly #forget: () => void
  #handlers: ConnectionHandlers | undefined
  /** What came before anybody listened. */
  #early: Buffer[] = []
  #ended = false
  #full = false

  constructor(medium: Medium, id: string, peer: string, forget: () => void) {
    this.#medium = medium
    this.#id = id
    this.peer = peer
    this.#forget = forget
    this.maxFrameBytes = Math.min(MAX_FRAME_BYTES, medium.maxMessageBytes)
    this.protection = medium.protection
  }

  get remote(): string {
    return `'${this.peer}' over ${this.#medium.address}`
  }

  /** A medium knows names, and anybody may use any. The handshake tells. */
  verifyName(): void {
    // Nothing to compare with.
  }

  open(handlers: ConnectionHandlers): void {
    this.#handlers = handlers
    if (this.#ended) setImmediate(() => handlers.closed())
    else for (const bytes of this.#early.splice(0)) this.received(bytes)
  }

  write(bytes: Buffer, release: () => void): boolean {
    const more = this.#ended || this.#medium.send(this.peer, this.#id, 'data', bytes)
    release()
    this.#full = !more
    return more
  }

  close(): void {
    if (this.#ended) return
    this.#medium.send(this.peer, this.#id, 'close')
    this.ended()
  }

  destroy(): void {
    this.close()
  }

  received(bytes: Buffer): void {
    if (this.#ended) return
    if (this.#handlers !== undefined) this.#handlers.data(bytes)
    else if (this.#early.length < 4) this.#early.push(Buffer.from(bytes))
  }

  drained(): void {
    if (!this.#full || this.#ended) return
    this.#full = false
    this.#handlers?.drain()
  }

  ended(error?: Error): void {
    if (this.#ended) return
    this.#ended = true
    this.#forget()
    const handlers = this.#handlers
    if (handlers !== undefined) setImmediate(() => handlers.closed(error))
  }
}
