/**
 * Recorded sessions, changed at random and played to a node: bytes flipped, cut, doubled, exchanged and made up; and, after a true
 * handshake, envelopes changed in the same way and sealed as they should be. Whatever comes, the node ends the session or goes
 * on; it throws nothing, runs nothing before the peer has proved who it is, settles each of its own requests once, and
 * serves the next one.
 */
import { ENVELOPE, writeHead } from '../../bridge/sessions/envelope.js'
import { FRAME_HEAD_BYTES } from '../../bridge/sessions/frame.js'
import { Link } from '../../bridge/sessions/link.js'
import { checksum } from '../../bridge/sessions/seal.js'
import { FakeTimers, settle } from '../bridge/fake-timers.js'
import { pipe } from '../bridge/sessions/pipe.js'
import { linked, Recorded, SECRET, sessionPair, TERMS } from '../bridge/sessions/sessions.js'
import { exchange, mutate, type Random } from './mutations.js'
import { randomOf, runScript, Violations, type Outcome } from './script.js'

/** What one end wrote in a session with all kinds of messages: bytes, and bodies of data frames. */
async function record(): Promise<{ writes: Buffer[]; bodies: Buffer[] }> {
  const { a, b, pipes } = await sessionPair()
  b.answer = (bytes) => Buffer.alloc(bytes.length * 3, 'r')
  for (let index = 0; index < 6; index++) {
    a.note(`note ${index}`)
    await Promise.all([a.ask(`request ${index}`), a.ask('x'.repeat(index * 30_000))])
    a.session.tick()
    await settle()
  }
  const writes = [...pipes[0].written]
  return { writes, bodies: writes.slice(2).map((frame) => frame.subarray(FRAME_HEAD_BYTES, frame.length - checksum.bytes)) }
}

/** The answer to a request of the node's. */
function reply(id: number): Buffer {
  const content = Buffer.from('an answer')
  const head = Buffer.alloc(8)
  writeHead(head, 0, ENVELOPE.reply, content.length, id)
  return Buffer.concat([head, content])
}

/** Bytes for a node that waits for a handshake. */
async function fuzzStranger(writes: readonly Buffer[], random: Random, violations: Violations): Promise<string> {
  const timers = new FakeTimers()
  const [far, near] = pipe()
  let end = 'open'
  const link = new Link(near, {
    role: 'responder', name: 'b', cluster: 'one', secret: SECRET, protection: { exporter: undefined, code: random(2) === 0 }, terms: TERMS,
    incarnations: () => ({ own: 1, dead: 0 }), verifyName: () => undefined,
  }, 5000, timers, {
    claimed: () => violations.add('a recorded handshake was believed'),
    agreed: () => violations.add('a responder was told that it agreed'),
    failed: (_, error) => (end = (error as { code?: string }).code ?? String(error)),
  })
  let messages = exchange(writes, random)
  const changed = random(messages.length)
  messages[changed] = mutate(messages[changed]!, random)
  if (random(3) === 0) messages = [Buffer.concat(messages)]
  for (const bytes of messages) {
    for (let at = 0; at < bytes.length;) {
      const size = random(4) === 0 ? 1 + random(50) : bytes.length
      near.deliver(bytes.subarray(at, at + size))
      at += size
      if (at > 4000) break
    }
  }
  await settle(3)
  await timers.advance(5001)
  violations.check(end !== 'open', () => 'a handshake was still open after its time')
  violations.check(near.closed && far.closed, () => 'a connection was still open after its handshake had failed')
  link.destroy()
  return end
}

/** Envelopes for a session: their seals are right. */
async function fuzzPeer(bodies: readonly Buffer[], random: Random, violations: Violations): Promise<string> {
  const ends = await linked({ code: random(2) === 0 })
  const node = new Recorded(ends, 1, TERMS)
  const settled = [0, 0, 0]
  for (const index of settled.keys()) node.session.request(Buffer.from('mine'), 0, 4, 1000, () => settled[index]!++)
  const ids: number[] = []
  // The node's first frame has its requests, each of 12 bytes of head and 4 of content.
  ends.links[0].user = {
    frame: (bytes, start, end) => {
      for (let at = start; at < end && ids.length < settled.length; at += 16) ids.push(bytes.readUInt32LE(at + 4))
    },
    drain: () => undefined, closed: () => undefined,
  }
  await settle(3)
  const messages = exchange(bodies, random)
  for (const id of ids) messages.splice(random(messages.length), 0, reply(id))
  for (const body of messages) {
    const changed = random(8) === 0 ? mutate(body, random).subarray(0, 60_000) : body
    const frame = Buffer.alloc(FRAME_HEAD_BYTES + changed.length + 64)
    frame.set(changed, FRAME_HEAD_BYTES)
    ends.links[0].send(frame, FRAME_HEAD_BYTES + changed.length, () => undefined)
  }
  await settle()
  const how = node.ends.length === 0 ? 'went on' : (node.ends[0] as { error?: { code?: string } }).error?.code ?? 'goodbye'
  if (node.ends.length === 0) {
    ends.timers.jump(10_000)
    node.session.sweep()
    node.session.tick()
  }
  await settle()
  violations.check(settled.every((count) => count === 1), () => `requests were settled ${settled.join(', ')} times`)
  violations.check(node.ends.length <= 1, () => 'a session ended twice')
  node.session.end(1)
  return how
}

export async function bridgeFuzz({ runs, seed }: { runs: number; seed: number }): Promise<Outcome> {
  const violations = new Violations()
  const figures: Record<string, number> = {}
  const { writes, bodies } = await record()
  const random = randomOf(seed)
  const thrown = (error: Error): void => violations.add(`thrown at nobody: ${error.stack ?? error.message}`)
  process.on('uncaughtException', thrown)
  const heapBefore = process.memoryUsage().arrayBuffers
  for (let run = 0; run < runs; run++) {
    const how = run % 2 === 0 ? `stranger: ${await fuzzStranger(writes, random, violations)}` : `peer: ${await fuzzPeer(bodies, random, violations)}`
    figures[how] = (figures[how] ?? 0) + 1
  }
  const { a } = await sessionPair()
  violations.check(await a.ask('still here') === 're: still here', () => 'the next session does not work')
  violations.check(process.memoryUsage().arrayBuffers - heapBefore < 300 << 20, () => 'memory was kept')
  process.off('uncaughtException', thrown)
  return { figures, violations: violations.list }
}

await runScript(import.meta.url, { runs: 20_000, seed: 1 }, bridgeFuzz)
