/**
 * `npm run bench:bridge`: how many small requests a second pass between two processes, over each kind of connection, and how long one takes.
 *
 *   node dist/test/bench/bridge.js --seconds 2 --flight 256 --bytes 100
 */
import { fork, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { nats, tcp, type BridgeDescriptor, type NatsOptions, type TcpOptions } from '../../bridge/index.js'
import type { Membership } from '../../bridge/peers/membership.js'
import type { Peer } from '../../bridge/peers/peer.js'
import { createMembership } from '../../bridge/transports/transports.js'
import { makeCertificates } from '../bridge/transports/certificates.js'
import { freePort } from '../bridge/free-port.js'
import { NatsServer } from '../bridge/transports/nats-server.js'

const SECRET = 'a secret for measuring only'

const KINDS = ['tcp', 'unix', 'tls', 'nats'] as const
export type Kind = (typeof KINDS)[number]

export interface Measured {
  perSecond: number
  /** Of one request at a time, in microseconds. */
  medianUs: number
}

type Options = { tcp: TcpOptions } | { nats: NatsOptions }

interface Ends {
  server: Options
  client: Options
  close: () => Promise<void>
}

function describe(options: Options): BridgeDescriptor {
  return 'tcp' in options ? tcp(options.tcp) : nats(options.nats)
}

/** Two processes' options. */
async function endsOf(kind: Kind, folder: string): Promise<Ends> {
  if (kind === 'nats') {
    const server = await NatsServer.start()
    const options = { nats: { servers: server.url, secret: SECRET } }
    return { server: options, client: options, close: () => server.kill() }
  }
  const address = kind === 'unix' ? join(folder, 'bench.sock') : `127.0.0.1:${await freePort()}`
  const tls = kind === 'tls' ? makeCertificates(folder, ['a', 'b']) : undefined
  const end = (name: string): TcpOptions => ({ secret: SECRET, ...tls !== undefined && { tls: tls[name]! } })
  return { server: { tcp: { ...end('b'), listen: address } }, client: { tcp: { ...end('a'), peers: { b: address } } }, close: () => Promise.resolve() }
}

function start(name: string, options: Options, request: (peer: Peer, ticket: number, bytes: Buffer, start: number, end: number) => void): Membership {
  return createMembership(describe(options).settings(), {
    name, failureTimeoutMs: 5000, connectTimeoutMs: 5000,
    handlers: { event: () => undefined, note: () => undefined, request: (peer, ticket, _, bytes, start, end) => request(peer, ticket, bytes, start, end) },
  })
}

/** The other process: gives back what it gets. */
async function serve(options: Options): Promise<void> {
  await start('b', options, (peer, ticket, bytes, from, to) => peer.reply(ticket, bytes, from, to)).start()
  process.send!('ready')
}

export async function measureBridge(kind: Kind, { seconds, flight, bytes }: { seconds: number; flight: number; bytes: number }): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'bridge-'))
  const { server, client, close } = await endsOf(kind, folder)
  const child: ChildProcess = fork(fileURLToPath(import.meta.url), [], { execArgv: [], env: { ...process.env, BRIDGE_BENCH: JSON.stringify(server) } })
  const membership = start('a', client, () => undefined)
  try {
    await new Promise<void>((resolve, reject) => {
      child.once('message', () => resolve()).once('exit', () => reject(new Error('the other process ended')))
    })
    await membership.start()
    const peer = await membership.reach('b', 10_000)
    const body = Buffer.alloc(bytes, 'x')
    await throughput(peer, body, flight, 0.3)
    const perSecond = await throughput(peer, body, flight, seconds)
    return { perSecond, medianUs: await latency(peer, body, Math.min(1, seconds)) }
  } finally {
    await membership.stop()
    child.kill()
    await close()
    rmSync(folder, { recursive: true })
  }
}

/** Requests a second with `flight` unanswered, for so many seconds. */
function throughput(peer: Peer, body: Buffer, flight: number, seconds: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const begin = performance.now()
    const endMs = begin + seconds * 1000
    let done = 0
    let running = flight
    let over = false
    const settle = (error: Error | undefined): void => {
      if (error !== undefined) return reject(error)
      done++
      if ((done & 63) === 0) over ||= performance.now() >= endMs
      if (!over) peer.send(body, 0, body.length, 5000, settle)
      else if (--running === 0) resolve(done / (performance.now() - begin) * 1000)
    }
    for (let index = 0; index < flight; index++) peer.send(body, 0, body.length, 5000, settle)
  })
}

async function latency(peer: Peer, body: Buffer, seconds: number): Promise<number> {
  const times: number[] = []
  const end = performance.now() + seconds * 1000
  while (performance.now() < end) {
    const begin = performance.now()
    await peer.request(body, 5000)
    times.push(performance.now() - begin)
  }
  return times.sort((a, b) => a - b)[times.length >> 1]! * 1000
}

if (process.env['BRIDGE_BENCH'] !== undefined) {
  await serve(JSON.parse(process.env['BRIDGE_BENCH']) as Options)
} else if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '2' }, flight: { type: 'string', default: '256' }, bytes: { type: 'string', default: '100' } } })
  for (const kind of KINDS) {
    const { perSecond, medianUs } = await measureBridge(kind, { seconds: Number(values.seconds), flight: Number(values.flight), bytes: Number(values.bytes) })
    console.log(`${kind}: ${Math.round(perSecond / 1000)} thousand requests a second, ${values.flight} in flight, ${values.bytes} bytes; one at a time, median ${medianUs.toFixed(1)} µs`)
  }
}
