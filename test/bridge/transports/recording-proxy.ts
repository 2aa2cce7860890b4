/** Stands between two ends of TCP, passes on every byte, and writes down what passed. */
import net from 'node:net'

export interface Passed {
  /** From the one who connected, and to it: in the pieces in which it came. */
  readonly there: Buffer[]
  readonly back: Buffer[]
}

export class RecordingProxy {
  /** By connection, in the order of their beginnings. */
  readonly connections: Passed[] = []
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()

  private constructor(port: number) {
    this.#server = net.createServer((socket) => {
      const passed: Passed = { there: [], back: [] }
      this.connections.push(passed)
      const onwards = net.connect(port, '127.0.0.1')
      for (const [from, to, list] of [[socket, onwards, passed.there], [onwards, socket, passed.back]] as const) {
        this.#sockets.add(from)
        from.on('error', () => undefined).on('close', () => {
          this.#sockets.delete(from)
          to.destroy()
        })
        from.on('data', (bytes: Buffer) => {
          list.push(Buffer.from(bytes))
          to.write(bytes)
        })
      }
    })
  }

  /** Listens on a port of its own, for what is at that one. */
  static async start(port: number): Promise<RecordingProxy> {
    const proxy = new RecordingProxy(port)
    await new Promise<void>((resolve) => {
      proxy.#server.listen(0, '127.0.0.1', resolve)
    })
    return proxy
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  /** Everything that passed, whichever way. */
  get bytes(): Buffer {
    return Buffer.concat(this.connections.flatMap(({ there, back }) => [Buffer.concat(there), Buffer.concat(back)]))
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
