/** Two ends of a connection without a network: what one end writes the other gets in the next turn, unless the test changes it. */
import type { Protection } from '../../../bridge/sessions/handshake.js'
import { MAX_FRAME_BYTES } from '../../../bridge/sessions/frame.js'
import type { Connection, ConnectionHandlers } from '../../../bridge/transports/transport.js'

export class PipeEnd implements Connection {
  readonly messages: boolean
  readonly maxFrameBytes: number = MAX_FRAME_BYTES
  protection: Protection = { exporter: undefined, code: false }
  other!: PipeEnd
  readonly remote: string
  /** What was written here, in pieces. */
  readonly written: Buffer[] = []
  /** What is made of a piece on its way: none, one or several. */
  change: (bytes: Buffer) => Buffer[] = (bytes) => [bytes]
  /** While false, `write` says that it takes no more, and nothing is passed on. */
  writable = true
  closed = false
  verify: (peer: string) => void = () => undefined
  #handlers: ConnectionHandlers | undefined
  #early: Buffer[] = []
  #stuck: (() => void)[] = []

  constructor(remote: string, messages: boolean) {
    this.remote = remote
    this.messages = messages
  }

  verifyName(peer: string): void {
    this.verify(peer)
  }

  open(handlers: ConnectionHandlers): void {
    this.#handlers = handlers
    for (const bytes of this.#early.splice(0)) handlers.data(bytes)
  }

  write(bytes: Buffer, release: () => void): boolean {
    const copy = Buffer.from(bytes)
    const pass = (): void => {
      release()
      if (this.closed) return
      this.written.push(copy)
      for (const piece of this.change(copy)) setImmediate(() => this.other.deliver(piece))
    }
    if (this.writable) pass()
    else this.#stuck.push(pass)
    return this.writable
  }

  /** Takes again what was held up. */
  drain(): void {
    this.writable = true
    for (const pass of this.#stuck.splice(0)) pass()
    this.#handlers?.drain()
  }

  /** As if the other end had written it. */
  deliver(bytes: Buffer): void {
    if (this.closed) return
    if (this.#handlers === undefined) this.#early.push(bytes)
    else this.#handlers.data(bytes)
  }

  close(): void {
    setImmediate(() => this.destroy())
  }

  destroy(error?: Error): void {
    if (this.closed) return
    this.closed = true
    setImmediate(() => this.#handlers?.closed(error))
    setImmediate(() => this.other.destroy())
  }
}

export function pipe(messages = false): [PipeEnd, PipeEnd] {
  const [a, b] = [new PipeEnd('the other end', messages), new PipeEnd('this end', messages)]
  a.other = b
  b.other = a
  return [a, b]
}
