/** A NATS server on the loopback, and a service behind it that answers one request for each operation, through the official client. */
import { connect } from '@nats-io/transport-node'
import { NatsServer } from '../../bridge/transports/nats-server.js'
import { startChild } from '../children/process.js'
import { onPath } from './on-path.js'

export interface NatsPeer {
  readonly url: string
  get(key: string): Promise<string>
  close(): Promise<void>
}

const SERVER = 'nats-server'
const SUBJECT = 'bench.get'
const MODULE = new URL('../children/nats-responder.js', import.meta.url)

/** Starts server and service; `undefined` if `nats-server` is not on the PATH. */
export async function startNats(): Promise<NatsPeer | undefined> {
  if (!onPath(SERVER)) return undefined
  const server = await NatsServer.start()
  const kill = (): void => void server.kill()
  process.once('exit', kill)
  const service = await startChild<never>(MODULE, [server.url, SUBJECT])
  const connection = await connect({ servers: server.url })
  return {
    url: server.url,
    get: async (key) => (await connection.request(SUBJECT, key, { timeout: 10_000 })).string(),
    async close() {
      await connection.close()
      await service.end()
      await server.kill()
      process.off('exit', kill)
    },
  }
}
