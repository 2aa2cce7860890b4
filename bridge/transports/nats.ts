/**
 * The medium of fleets that have a NATS server: one subject for each node, `<prefix>.<cluster>.<node>`, and below it one for each
 * connection. The only importer of the NATS client, which is loaded when a node uses it.
 *
 * NATS keeps the order of one sender's messages, delivers at most once, and may lose some when a client reconnects. Everybody who
 * may use the subjects can read and write there: every frame carries a code.
 */
import type { Msg, NatsConnection } from '@nats-io/transport-node'
import { CacheError } from '../../runtime/errors.js'
import type { Protection } from '../sessions/handshake.js'
import type { Medium, MediumHandlers, MessageKind } from './message-transport.js'

export interface NatsSetting {
  readonly servers: readonly string[]
  readonly user: string | undefined
  readonly password: string | undefined
  readonly token: string | undefined
  readonly tls: { readonly key?: string; readonly cert?: string; readonly ca?: string } | undefined
  readonly prefix: string
  readonly cluster: string
}

/** Control messages are one byte; frames are longer. */
const CONTROL: readonly MessageKind[] = ['open', 'accept', 'close']
const BODIES = CONTROL.map((_, index) => Buffer.of(index + 1))

/** Bytes that may be with the client before the server has confirmed what came before. */
const MAX_UNCONFIRMED_BYTES = 1 << 20

const RECONNECT_MS = 250
const LAST_FLUSH_MS = 500
const STATUS_NOBODY = 503

export class NatsMedium implements Medium {
  readonly address: string
  readonly #name: string
  readonly #setting: NatsSetting
  readonly #base: string
  #connection: NatsConnection | undefined
  #handlers: MediumHandlers | undefined
  #unconfirmedBytes = 0
  #confirming = false

  constructor(name: string, setting: NatsSetting) {
    this.#name = name
    this.#setting = setting
    this.#base = `${setting.prefix}.${subjectToken(setting.cluster)}`
    this.address = `nats ${setting.servers.map(withoutCredentials).join(', ')}`
  }

  get maxMessageBytes(): number {
    return this.#connection?.info?.max_payload ?? 0
  }

  get protection(): Protection {
    return { exporter: undefined, code: true }
  }

  async open(handlers: MediumHandlers): Promise<void> {
    const { servers, user, password: pass, token, tls } = this.#setting
    this.#handlers = handlers
    try {
      const { connect } = await import('@nats-io/transport-node')
      this.#connection = await connect({
        servers: [...servers], name: `scatterhoard ${this.#name}`, noEcho: true, maxReconnectAttempts: -1, reconnectTimeWait: RECONNECT_MS,
        ...user !== undefined && { user }, ...pass !== undefined && { pass }, ...token !== undefined && { token }, ...tls !== undefined && { tls: { ...tls } },
      })
    } catch (error) {
      throw new CacheError('ERR_NODE_UNREACHABLE', `${this.address} cannot be reached: ${(error as Error).message}`, { cause: error })
    }
    void this.#watch(this.#connection)
    this.#connection.subscribe(`${this.#subjectOf(this.#name)}.*`, {
      callback: (error, message) => {
        if (error === null) this.#take(message)
      },
    })
    // So that what is sent to this node from now on arrives.
    await this.#connection.flush()
  }

  send(to: string, connection: string, kind: MessageKind, bytes?: Buffer): boolean {
    const nats = this.#connection
    if (nats === undefined || nats.isClosed()) return true
    const control = CONTROL.indexOf(kind)
    // The client keeps what it is given until it has written it.
    const payload = control < 0 ? Buffer.from(bytes!) : BODIES[control]!
    nats.publish(`${this.#subjectOf(to)}.${connection}`, payload, kind === 'open' ? { reply: `${this.#subjectOf(this.#name)}.${connection}` } : {})
    this.#unconfirmedBytes += payload.length
    if (this.#unconfirmedBytes < MAX_UNCONFIRMED_BYTES) return true
    this.#confirm(nats)
    return false
  }

  async close(): Promise<void> {
    const nats = this.#connection
    this.#connection = undefined
    if (nats === undefined) return
    // What was said last is sent, unless the server is gone.
    let timer: NodeJS.Timeout | undefined
    await Promise.race([nats.flush().catch(() => undefined), new Promise((resolve) => {
      timer = setTimeout(resolve, LAST_FLUSH_MS)
    })])
    clearTimeout(timer)
    await nats.close()
  }

  #confirm(nats: NatsConnection): void {
    if (this.#confirming) return
    this.#confirming = true
    const bytes = this.#unconfirmedBytes
    const done = (): void => {
      this.#confirming = false
      this.#unconfirmedBytes -= bytes
      this.#handlers?.drain()
    }
    nats.flush().then(done, done)
  }

  /** The client connects again by itself; what was under way then may be lost. */
  async #watch(nats: NatsConnection): Promise<void> {
    for await (const { type } of nats.status()) {
      if (type === 'disconnect') this.#handlers?.broken(new CacheError('ERR_NODE_UNREACHABLE', `the connection to ${this.address} was lost`))
    }
  }

  #take({ subject, data, headers, reply }: Msg): void {
    const connection = subject.slice(subject.lastIndexOf('.') + 1)
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength)
    if (headers?.code === STATUS_NOBODY) return this.#handlers?.receive('nobody', connection, bytes)
    if (bytes.length !== 1) return this.#handlers?.receive('data', connection, bytes)
    const kind = CONTROL[bytes[0]! - 1]
    if (kind !== undefined) this.#handlers?.receive(kind, connection, bytes, this.#nameIn(reply))
  }

  #subjectOf(node: string): string {
    return `${this.#base}.${subjectToken(node)}`
  }

  /** The node of a subject to reply to. */
  #nameIn(reply: string | undefined): string | undefined {
    if (reply?.startsWith(`${this.#base}.`) !== true) return undefined
    const name = Buffer.from(reply.slice(this.#base.length + 1).split('.')[0]!, 'base64url').toString()
    return this.#subjectOf(name) === reply.slice(0, reply.lastIndexOf('.')) ? name : undefined
  }
}

/** A name as one part of a subject, where dots, spaces and stars mean something. */
function subjectToken(name: string): string {
  return Buffer.from(name).toString('base64url')
}

/** A server's address without user and password. */
export function withoutCredentials(server: string): string {
  return server.replace(/^([a-z+]+:\/\/)?[^@/]*@/i, '$1')
}
