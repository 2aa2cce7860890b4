/**
 * A session of two real nodes, recorded byte by byte in both directions, changed at random and played to the port of a node in a process of
 * its own: raw, as a stranger; in the middle of a true handshake; after one, sealed as it should be, as a peer gone mad; and as the
 * answers to a node that connects. The node ends each of these connections or goes on with it, and stays as large as it was;
 * an honest peer keeps calling it all the while, and gets what is right.
 *
 *     node dist/test/races/port-fuzz.js --seconds 60 --seed 1 --cases 100000 --first 0
 *
 * Each case follows from the seed and its number alone, so `--first` and `--cases` repeat one.
 */
import net from 'node:net'
import { startNode } from 'scatterhoard'
import { tcp } from 'scatterhoard/bridge'
import { ENVELOPE, writeHead, writeWord } from '../../bridge/sessions/envelope.js'
import { FRAME_HEAD_BYTES, FRAME_TYPE } from '../../bridge/sessions/frame.js'
import { VERDICT } from '../../bridge/sessions/hello.js'
import { Link } from '../../bridge/sessions/link.js'
import { realTimers } from '../../bridge/sessions/real-timers.js'
import { checksum } from '../../bridge/sessions/seal.js'
import { TcpTransport } from '../../bridge/transports/tcp.js'
import type { Connection } from '../../bridge/transports/transport.js'
import { firstIncarnation } from '../../bridge/transports/transports.js'
import { keysOf } from '../actors/cluster/nodes.js'
import { freePort } from '../bridge/free-port.js'
import { MemoryWatch } from './memory-watch.js'
import { exchange, mutate, type Random } from './mutations.js'
import { envelopesIn, framesIn, recordSession, type RecordedSession } from './recorded-session.js'
import { randomOf, runScript, Violations, type Outcome } from './script.js'
import { callHonestly, CONNECT_TIMEOUT_MS, Target } from './target.js'

export interface PortFuzz extends Record<string, number> {
  seconds: number
  seed: number
  cases: number
  first: number
}

const SECRET = 'a secret that the target knows'
/** Names that the hostile peers have, which know the secret; only one connection at a time under each. */
const PLAYERS = Array.from({ length: 8 }, (_, index) => `player${index}`)
/** Those whom the target connects to. */
const CALLED = ['called0', 'called1']
const PLAYED = ['target', ...PLAYERS, ...CALLED]

/** Any connection that made a mistake has ended by then; the target gives a handshake a second. */
const PATIENCE_MS = 15_000
const TERMS = { requests: 4096, bytes: 8 << 20, messageBytes: 1 << 20 }
/** The number of a request that no recorded session has: its slot is the last. */
const LAST_ID = 4095 | (7 << 16)
const SLOTS = 24

class Fuzzer {
  readonly figures: Record<string, number> = {}
  readonly #session: RecordedSession
  readonly #port: number
  readonly #transport: TcpTransport
  readonly #violations: Violations
  readonly #free = [...PLAYERS]
  #incarnation = firstIncarnation()

  constructor(session: RecordedSession, target: Target, violations: Violations) {
    this.#session = session
    this.#port = target.port
    this.#transport = new TcpTransport({ listen: undefined, peers: { target: { host: '127.0.0.1', port: target.port } }, tls: undefined })
    this.#violations = violations
  }

  async play(number: number, random: Random): Promise<void> {
    const player = random(3) === 0 ? undefined : this.#free.pop()
    if (player === undefined) return this.#count(`stranger: ${await this.#asStranger(number, random)}`)
    try {
      if (random(4) === 0) this.#count(`in a handshake: ${await this.#inHandshake(number, player, random)}`)
      else this.#count(`as a peer: ${await this.#asPeer(number, player, random)}`)
    } finally {
      this.#free.push(player)
    }
  }

  /** Takes the connections of the target, and answers each with what follows from its number. */
  async answer(name: string, port: number, randomFor: () => Random): Promise<() => Promise<void>> {
    const transport = new TcpTransport({ listen: { host: '127.0.0.1', port }, peers: {}, tls: undefined })
    const open = new Set<Connection>()
    await transport.listen((connection) => {
      const random = randomFor()
      open.add(connection)
      const ended = (): unknown => open.delete(connection)
      if (random(3) === 0) {
        connection.open({ data: () => undefined, drain: () => undefined, closed: ended })
        for (const frame of this.#changed(this.#session.back, random, 1)) connection.write(frame, () => undefined)
        this.#count('answered: raw')
        return connection.close()
      }
      new Link(connection, this.#setting(name, 'responder', random), PATIENCE_MS, realTimers, {
        claimed: (link) => {
          link.judge(VERDICT.accepted, ++this.#incarnation)
          link.user = { frame: () => undefined, drain: () => undefined, closed: ended }
          this.#sendBodies(link, this.#session.bodiesBack, random)
          this.#count('answered: as a peer')
          link.close()
        },
        agreed: () => undefined, failed: ended,
      })
    })
    return async () => {
      for (const connection of open) connection.destroy()
      await transport.close()
    }
  }

  #count(what: string): void {
    this.figures[what] = (this.figures[what] ?? 0) + 1
  }

  #setting(name: string, role: 'initiator' | 'responder', random: Random): ConstructorParameters<typeof Link>[1] {
    const incarnations = { own: ++this.#incarnation, dead: 0 }
    return {
      role, name, ...role === 'initiator' && { peer: 'target' }, cluster: 'scatterhoard', secret: Buffer.from(SECRET), protection: { exporter: undefined, code: random(2) === 0 },
      terms: TERMS, incarnations: () => incarnations, verifyName: () => undefined,
    }
  }

  /** A part of a recording: some of it in another order, and one in `each` changed. */
  #changed(recorded: readonly Buffer[], random: Random, each: number, change = mutate): Buffer[] {
    const start = random(3) === 0 ? random(recorded.length) : 0
    const list = exchange(recorded.slice(start, start + 1 + random(15)), random)
    return list.map((bytes) => random(each) === 0 ? change(bytes, random).subarray(0, 60_000) : bytes)
  }

  #sendBodies(link: Link, bodies: readonly Buffer[], random: Random): void {
    for (const body of this.#changed(bodies, random, 10)) this.#send(link, body)
  }

  #send(link: Link, body: Buffer): void {
    const frame = Buffer.alloc(FRAME_HEAD_BYTES + body.length + 64)
    frame.set(body, FRAME_HEAD_BYTES)
    link.send(frame, FRAME_HEAD_BYTES + body.length, () => undefined)
  }

  /** Bytes of any part of the session, whichever way they went. */
  async #asStranger(number: number, random: Random): Promise<string> {
    const list = this.#changed(random(2) === 0 ? this.#session.there : this.#session.back, random, 3, random(2) === 0 ? mutate : (bytes) => repaired(mutate(bytes, random)))
    const bytes = Buffer.concat(list)
    const got: Buffer[] = []
    const socket = net.connect(this.#port, '127.0.0.1')
    socket.setNoDelay(true)
    socket.on('data', (piece: Buffer) => got.push(piece)).on('error', () => undefined)
    const closed = new Promise((resolve) => socket.once('close', resolve))
    for (let at = 0; at < bytes.length && !socket.destroyed;) {
      const size = random(2) === 0 ? 1 + random(60) : 1 + random(bytes.length)
      socket.write(bytes.subarray(at, at + size))
      at += size
      if (random(4) === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    if (random(3) === 0) socket.end()
    const ended = await inTime(closed)
    this.#violations.check(ended, () => `case ${number}: a stranger's connection stayed open`)
    socket.destroy()
    const said = Buffer.concat(got)
    const types = framesIn(said).map((frame) => frame[5])
    this.#violations.check(types.every((type) => type === FRAME_TYPE.hello || type === FRAME_TYPE.refuse) && said.length < 1000, () => `case ${number}: a stranger was sent frames of the types ${types.join(', ')}`)
    return types.length === 0 ? 'nothing said' : types.join(', ')
  }

  /** A handshake that would be right, one of whose frames is changed on its way. */
  async #inHandshake(number: number, player: string, random: Random): Promise<string> {
    const connection = await this.#connect()
    const changed = random(2)
    let written = 0
    let harmless = true
    const write = connection.write.bind(connection)
    connection.write = (bytes, release) => {
      if (written++ !== changed) return write(bytes, release)
      const other = random(3) === 0 ? mutate(bytes, random) : repaired(mutate(bytes, random))
      // What comes behind a whole frame is another one's.
      harmless = other.length >= bytes.length && other.subarray(0, bytes.length).equals(bytes)
      return write(other, release)
    }
    let end = 'open'
    let user: Link | undefined
    await inTime(new Promise<void>((resolve) => {
      user = new Link(connection, this.#setting(player, 'initiator', random), PATIENCE_MS, realTimers, {
        claimed: () => undefined,
        agreed: () => {
          end = 'agreed'
          resolve()
        },
        failed: (_, error) => {
          end = (error as { code?: string }).code ?? 'ended'
          resolve()
        },
      })
    }))
    user?.destroy()
    this.#violations.check(end !== 'agreed' || harmless, () => `case ${number}: a handshake that was changed was believed`)
    this.#violations.check(end !== 'open', () => `case ${number}: a handshake that was changed stayed open`)
    return end
  }

  /** A true handshake, and then frames whose seals are right. Behind them comes a request that has to be answered, if the session goes on. */
  async #asPeer(number: number, player: string, random: Random): Promise<string> {
    const begin = performance.now()
    const connection = await this.#connect()
    let how = 'open'
    let own: Link | undefined
    await inTime(new Promise<void>((resolve) => {
      const end = (what: string): void => {
        if (how === 'open') how = what
        resolve()
      }
      own = new Link(connection, this.#setting(player, 'initiator', random), PATIENCE_MS, realTimers, {
        claimed: () => undefined,
        failed: (_, error) => {
          // A machine without a core to spare can be too slow for the time that the target gives.
          const isLate = performance.now() - begin >= CONNECT_TIMEOUT_MS * 0.9
          this.#violations.check(isLate, () => `case ${number}: a true handshake failed: ${error.message}`)
          end(isLate ? 'too late' : 'not let in')
        },
        agreed: (link, { verdict }) => {
          if (verdict !== VERDICT.accepted) return end('not accepted')
          link.user = {
            frame: (bytes, from, to) => {
              for (const [kind, envelope] of envelopesIn(bytes.subarray(from, to))) {
                if ((kind === ENVELOPE.reply || kind === ENVELOPE.failed) && envelope.readUInt32LE(4) === LAST_ID) end('went on')
              }
            },
            drain: () => undefined, closed: () => end('ended'),
          }
          this.#sendBodies(link, random(3) === 0 ? this.#session.bodiesThere : this.#session.requests, random)
          this.#send(link, this.#session.request)
        },
      })
    }))
    own?.destroy()
    this.#violations.check(how !== 'open', () => `case ${number}: a session neither ended nor went on`)
    return how
  }

  #connect(): Promise<Connection> {
    return this.#transport.connect('target', AbortSignal.timeout(PATIENCE_MS))
  }
}

/** A frame that was changed, with the length and the checksum that it would have. */
function repaired(frame: Buffer): Buffer {
  if (frame.length >= FRAME_HEAD_BYTES + checksum.bytes) {
    frame.writeUInt32LE(frame.length)
    checksum.put(frame, 0, frame.length - checksum.bytes)
  }
  return frame
}

/** Whether it comes within the time that anything may take. */
async function inTime(promise: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, false)
  })
  try {
    return await Promise.race([promise.then(() => true), late])
  } finally {
    clearTimeout(timer)
  }
}

export async function portFuzz({ seconds, seed, cases, first }: PortFuzz): Promise<Outcome> {
  const violations = new Violations()
  const ports = await Promise.all(CALLED.map(freePort))
  const target = await Target.start({
    secret: SECRET, caches: { played: PLAYED, kept: ['target', 'honest'] }, peers: Object.fromEntries(CALLED.map((name, index) => [name, `127.0.0.1:${ports[index]}`])),
  }, violations)
  const session = await recordSession(target, PLAYERS[0]!, PLAYED, SECRET)
  const honest = await startNode({ name: 'honest', shardThreads: 1, pool: { threads: 1 }, bridge: tcp({ peers: { target: target.address }, secret: SECRET }) })
  const kept = await honest.startCache('kept', { nodes: ['target', 'honest'], shards: 1, memory: '8mb' })

  const begin = performance.now()
  const share = (): number => (performance.now() - begin) / 1000 / seconds
  let next = first
  const goesOn = (): boolean => share() < 1 && next < first + cases && target.alive
  const fuzzer = new Fuzzer({ ...session, request: renumbered(session.request) }, target, violations)
  let connections = 0
  const stops = await Promise.all(CALLED.map((name, index) => fuzzer.answer(name, ports[index]!, () => randomOf(seed * 31 + 7 * connections++))))
  const memory = new MemoryWatch()
  const play = async (): Promise<void> => {
    while (goesOn()) {
      const number = next++
      await fuzzer.play(number, randomOf(seed * 1_000_003 + number))
      if (number % 500 === 0) memory.sample(share(), await target.report())
    }
  }
  let playing = true
  const calling = callHonestly(kept, keysOf(kept, 'target', 20), () => playing && target.alive, violations)
  await Promise.all(Array.from({ length: SLOTS }, play))
  playing = false
  const timesMs = await calling
  for (const stop of stops) await stop()
  const { calls, late, ...last } = await target.report()
  memory.sample(1, last)
  memory.check(violations)
  violations.check(late === 0, () => `${late} calls of the target's settled after their time`)
  violations.check(timesMs.length > 0 && calls > 0, () => 'nobody called')
  await honest.stop()
  await target.stop()
  return { figures: { ...fuzzer.figures, 'honest calls': timesMs.length, 'calls of the target': calls, ...memory.figures() }, violations: violations.list }
}

/** A recorded request under the number that nothing else has. */
function renumbered(content: Buffer): Buffer {
  const head = Buffer.alloc(12)
  writeWord(head, writeHead(head, 0, ENVELOPE.request, content.length, LAST_ID), 5000)
  return Buffer.concat([head, content])
}

await runScript(import.meta.url, { seconds: 3600, seed: 1, cases: Infinity, first: 0 }, portFuzz)
