/** A NATS server of a test's own, on a loopback port, and its end. */
import { spawn, type ChildProcess } from 'node:child_process'
import { connect } from 'node:net'
import { freePort } from '../free-port.js'

export class NatsServer {
  readonly port: number
  readonly #args: readonly string[]
  #process: ChildProcess | undefined

  private constructor(port: number, args: readonly string[]) {
    this.port = port
    this.#args = args
  }

  static async start(...args: string[]): Promise<NatsServer> {
    const server = new NatsServer(await freePort(), args)
    await server.run()
    return server
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`
  }

  /** Starts it (again), on the same port; resolves when it takes connections. */
  async run(): Promise<void> {
    const process = spawn('nats-server', ['-a', '127.0.0.1', '-p', String(this.port), ...this.#args], { stdio: 'ignore' })
    this.#process = process
    const failed = new Promise<never>((_, reject) => {
      process.once('error', reject).once('exit', (code) => reject(new Error(`nats-server ended with ${code}`)))
    })
    failed.catch(() => undefined)
    while (!await Promise.race([this.#answers(), failed])) await new Promise((resolve) => setTimeout(resolve, 10))
  }

  /** Kills it; resolves when it is gone. */
  async kill(): Promise<void> {
    const process = this.#process
    if (process?.exitCode !== null || process.signalCode !== null) return
    const gone = new Promise((resolve) => process.once('exit', resolve))
    process.kill('SIGKILL')
    await gone
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, '127.0.0.1', () => {
        socket.destroy()
        resolve(true)
      }).once('error', () => resolve(false))
    })
  }
}
