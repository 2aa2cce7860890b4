/**
 * The other end of `observers.ts`: asks a node how it is doing, without becoming a peer of it. Proves itself with the same secret, or a certificate
 * of the same authority, as a node does, and has the node prove itself.
 */
import { randomBytes, X509Certificate } from 'node:crypto'
import { ANSWER, STATUS_REQUEST } from '../../actors/cluster/wire.js'
import type { Timers } from '../../runtime/clock.js'
import { decodeValue } from '../../runtime/codec/value.js'
import { CacheError, reviveError, type ErrorDescription } from '../../runtime/errors.js'
import type { DescribedBridge } from '../descriptor.js'
import { GOODBYE } from '../sessions/envelope.js'
import { VERDICT, type Terms } from '../sessions/hello.js'
import { Link } from '../sessions/link.js'
import type { NodeStatus } from './node-report.js'
import { Session, TICKS_OF_SILENCE } from '../sessions/session.js'
import type { Connection, Transport } from '../transports/transport.js'

export interface ObserveSetting {
  readonly transport: Transport
  /** The node, by the name that the transport has for it. */
  readonly target: string
  /** The name that the observer goes by. */
  readonly name: string
  readonly bridge: Pick<DescribedBridge, 'cluster' | 'secret' | 'maxMessageBytes'>
  /** For all of it. */
  readonly timeoutMs: number
  readonly timers: Timers
}

/** For signs of life while it waits. */
const SILENCE_MS = 5000

/** The name that an observer goes by: with TLS one that its certificate proves. Others may observe at the same time. */
export function observerName(bridge: DescribedBridge): string {
  const names = bridge.transport === 'tcp' && bridge.tcp.tls !== undefined ? new X509Certificate(bridge.tcp.tls.cert).subjectAltName : undefined
  return /DNS:([^,\s"]+)/.exec(names ?? '')?.[1] ?? `observer-${randomBytes(8).toString('hex')}`
}

/**
 * What the node says of itself.
 *
 * @throws `ERR_NODE_UNREACHABLE`, `ERR_NODE_DOWN` if it stops meanwhile, `ERR_UNAUTHENTICATED`, `ERR_TIMEOUT`, `ERR_FRAME`
 */
export async function observe(setting: ObserveSetting): Promise<NodeStatus> {
  const { transport, target, timeoutMs, timers } = setting
  const abort = new AbortController()
  const cancelTimer = timers.after(timeoutMs, () => abort.abort(new Error(`no answer within ${timeoutMs} ms`)))
  try {
    // A medium has to be open before anything can be sent; nobody is taken.
    await transport.listen((connection) => connection.destroy())
    return await ask(await transport.connect(target, abort.signal), setting, abort.signal)
  } finally {
    cancelTimer()
    await transport.close()
  }
}

function ask(connection: Connection, { target, name, bridge, timeoutMs, timers }: ObserveSetting, signal: AbortSignal): Promise<NodeStatus> {
  const terms: Terms = { requests: 1, bytes: 1, messageBytes: bridge.maxMessageBytes }
  return new Promise((resolve, reject) => {
    let end = (): void => link.destroy()
    const settle = (error: Error | undefined, status?: NodeStatus): void => {
      // What ends the session settles it too, with another error.
      if (error === undefined) resolve(status!)
      else reject(error)
      end()
    }
    const link = new Link(connection, {
      role: 'observer', name, cluster: bridge.cluster, secret: bridge.secret, protection: connection.protection, terms,
      incarnations: () => ({ own: 0, dead: 0 }), verifyName: (peer) => connection.verifyName(peer),
    }, timeoutMs, timers, {
      claimed: () => undefined,
      failed: (_, error) => settle(error),
      agreed: (link, { peer, verdict, terms: theirs }) => {
        if (verdict !== VERDICT.accepted) return settle(new CacheError('ERR_NODE_UNREACHABLE', `node '${peer}' is about to stop`, { node: peer }))
        const session = new Session(peer, link, terms, theirs, timers, {
          request: (id) => session.refuse(id),
          note: () => undefined,
          credit: () => undefined,
          // The request hears of it.
          ended: () => undefined,
        })
        let cancelTick = (): void => undefined
        const tick = (): void => {
          session.tick()
          if (!session.ended) cancelTick = timers.after(SILENCE_MS / TICKS_OF_SILENCE, tick)
        }
        tick()
        end = () => {
          cancelTick()
          session.end(GOODBYE.stopping)
        }
        session.request(STATUS_REQUEST, 0, STATUS_REQUEST.length, timeoutMs, (error, bytes, from, to) => {
          try {
            settle(error, error === undefined ? statusIn(bytes, from, to, peer) : undefined)
          } catch (error) {
            settle(error as Error)
          }
        })
      },
    })
    const giveUp = (): void => settle(new CacheError('ERR_TIMEOUT', `node '${target}' did not say within ${timeoutMs} ms how it is doing`, { node: target, timeout: timeoutMs }))
    signal.addEventListener('abort', giveUp)
    if (signal.aborted) giveUp()
  })
}

function statusIn(bytes: Buffer, from: number, to: number, node: string): NodeStatus {
  const answer = decodeValue(bytes, from + 1, to)
  if (bytes[from] === ANSWER.error) throw reviveError(answer as ErrorDescription)
  const { peers, caches, mailboxes } = (typeof answer === 'object' && answer !== null ? answer : {}) as Partial<NodeStatus>
  if (bytes[from] === ANSWER.value && [peers, caches, mailboxes].every(Array.isArray)) return answer as NodeStatus // the node has proved who it is
  throw new CacheError('ERR_FRAME', `node '${node}' did not say how it is doing in a way that can be read; use the same version`, { node })
}
