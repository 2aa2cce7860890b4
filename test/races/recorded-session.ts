/** A session of two real nodes with all kinds of messages, as it went over the wire in both directions. */
import { registerFunction, startNode, type Transaction } from 'scatterhoard'
import { tcp } from 'scatterhoard/bridge'
import { callHead, writeCall } from '../../actors/cluster/wire.js'
import { ENVELOPE, ENVELOPE_HEAD_BYTES, REQUEST_HEAD_BYTES } from '../../bridge/sessions/envelope.js'
import { FRAME_HEAD_BYTES, FRAME_TYPE } from '../../bridge/sessions/frame.js'
import { checksum } from '../../bridge/sessions/seal.js'
import { Scratch } from '../../runtime/codec/scratch.js'
import { beside } from '../actors/cluster/cluster-functions.js'
import { keysOf } from '../actors/cluster/nodes.js'
import { RecordingProxy } from '../bridge/transports/recording-proxy.js'

export interface RecordedSession {
  /** Frames from the node that connected, handshake included, and to it. */
  readonly there: readonly Buffer[]
  readonly back: readonly Buffer[]
  /** Envelopes of its data frames. */
  readonly bodiesThere: readonly Buffer[]
  readonly bodiesBack: readonly Buffer[]
  /** Those of `bodiesThere` that ask for something, each request under a number of its own: they are right without waiting for the replies. */
  readonly requests: readonly Buffer[]
  /** A request of the same cache that can always be answered. */
  readonly request: Buffer
}

/** Records what the node `name` and the one at `port` say about the cache `played`. */
export async function recordSession({ port }: { readonly port: number }, name: string, nodes: readonly string[], secret: string): Promise<RecordedSession> {
  const proxy = await RecordingProxy.start(port)
  const lent = registerFunction('recorded.load', (key: unknown) => `loaded ${String(key)}`)
  const moved = registerFunction('recorded.move', async (tx: Transaction<unknown>, key: string) => {
    await tx.put(key, await tx.get(key))
    return 'moved'
  })
  const node = await startNode({ name, shardThreads: 1, pool: { threads: 1 }, functions: [beside], connectTimeout: 1000, bridge: tcp({ peers: { target: `127.0.0.1:${proxy.port}` }, secret }) })
  const cache = await node.startCache('played', { nodes, startWith: 'any', shards: 1, memory: '8mb' })
  const keys = keysOf(cache, 'target', 4)
  const [key, other, third, fourth] = keys as [string, string, string, string]
  const value = { name: 'Ada', born: new Date(0), tags: new Set(['a', 'b']), notes: new Map([['x', [1, 2n, -0, NaN]]]), bytes: new Uint8Array(300) }
  const actions: (() => Promise<unknown>)[] = [
    () => cache.put(key, value), () => cache.get(key), () => cache.putMany([[key, 1], [other, 'two']]), () => cache.getMany(keys), () => cache.put(third, 'x'.repeat(150_000), { expire: '1m' }), () => cache.get(third),
    () => cache.incr(key, 2), () => cache.expire(key, 60_000), () => cache.ttl(key), () => cache.touch(key), () => cache.exists(fourth), () => cache.update(key, 5), () => cache.take(other), () => cache.delMany(keys),
    () => cache.fetch(key, lent), () => cache.fetch(other, beside.load), () => cache.getAndUpdate(key, lent), () => cache.execute(beside.read, { key, args: [key] }), () => cache.transaction([key], moved, { args: [key] }),
    () => cache.size(), () => cache.keys(), () => cache.export(), () => cache.clear(), () => cache.get('nowhere to be found', { default: 1 }),
    async () => {
      for await (const entry of cache.stream({ where: { value: { $exists: true } }, batch: 2 })) void entry
    },
  ]
  // Those on the whole cache fail in part: nobody else is there. They are recorded all the same.
  for (const act of actions) await act().catch(() => undefined)
  await Promise.allSettled(actions.map((act) => act()))
  await node.stop()
  lent.unregister()
  moved.unregister()
  await proxy.stop()
  const [passed] = proxy.connections
  const [there, back] = [framesIn(Buffer.concat(passed!.there)), framesIn(Buffer.concat(passed!.back))]
  if (there.length < 20 || back.length < 20) throw new Error(`only ${there.length} and ${back.length} frames were recorded`)
  const request = new Scratch()
  writeCall(callHead('played', 'get'), { args: [key], options: {}, hops: 0, lends: false, transaction: undefined }, request)
  const bodiesThere = bodiesOf(there)
  return { there, back, bodiesThere, bodiesBack: bodiesOf(back), requests: requestsOf(bodiesThere), request: Buffer.from(request.bytes.subarray(0, request.end)) }
}

/** Whole frames at the beginning of bytes. */
export function framesIn(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = []
  for (let at = 0; at + FRAME_HEAD_BYTES <= bytes.length;) {
    const length = bytes.readUInt32LE(at)
    if (length < FRAME_HEAD_BYTES || at + length > bytes.length) break
    frames.push(bytes.subarray(at, at + length))
    at += length
  }
  return frames
}

function bodiesOf(frames: readonly Buffer[]): Buffer[] {
  return frames.filter((frame) => frame[5] === FRAME_TYPE.data).map((frame) => frame.subarray(FRAME_HEAD_BYTES, frame.length - checksum.bytes)).filter(({ length }) => length > 0)
}

function requestsOf(bodies: readonly Buffer[]): Buffer[] {
  let slot = 0
  return bodies.map((body) => Buffer.concat([...envelopesIn(body)].filter(([kind]) => kind === ENVELOPE.request || kind === ENVELOPE.requestPart).map(([kind, envelope]) => {
    const own = Buffer.from(envelope)
    own.writeUInt32LE(slot, 4)
    if (kind === ENVELOPE.request) slot++
    return own
  }))).filter(({ length }) => length > 0)
}

/** The kind and the bytes of each envelope of a body that is right. */
export function* envelopesIn(body: Buffer): Generator<[kind: number, envelope: Buffer]> {
  for (let at = 0; at + ENVELOPE_HEAD_BYTES <= body.length;) {
    const kind = body[at]!
    const end = at + (kind === ENVELOPE.request ? REQUEST_HEAD_BYTES : ENVELOPE_HEAD_BYTES) + body.readUIntLE(at + 1, 3)
    yield [kind, body.subarray(at, end)]
    at = end
  }
}
