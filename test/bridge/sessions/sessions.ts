/** Sessions for tests: two that are connected by a pipe, or one whose other end sends whatever the test wants. */
import type { Agreement, HandshakeSetting } from '../../../bridge/sessions/handshake.js'
import { FRAME_HEAD_BYTES } from '../../../bridge/sessions/frame.js'
import { VERDICT, type Terms } from '../../../bridge/sessions/hello.js'
import { Link } from '../../../bridge/sessions/link.js'
import { Session, type SessionEnd, type SessionHandlers } from '../../../bridge/sessions/session.js'
import type { CacheError } from '../../../runtime/errors.js'
import { FakeTimers, settle } from '../fake-timers.js'
import { pipe, type PipeEnd } from './pipe.js'

export const SECRET = Buffer.from('a secret that both of them know')
export const TERMS: Terms = { requests: 16, bytes: 100_000, messageBytes: 1 << 20 }

export interface Options {
  messages?: boolean
  code?: boolean
  /** What the first end allows the second, and the second the first. */
  terms?: [Terms, Terms]
}

export interface Ends {
  timers: FakeTimers
  pipes: [PipeEnd, PipeEnd]
  links: [Link, Link]
  agreements: [Agreement, Agreement]
}

/** Two links whose handshake is done. */
export async function linked({ messages = false, code = false, terms = [TERMS, TERMS] }: Options = {}): Promise<Ends> {
  const timers = new FakeTimers()
  const pipes = pipe(messages)
  const agreements: Agreement[] = []
  const setting = (index: 0 | 1): HandshakeSetting => ({
    role: index === 0 ? 'initiator' : 'responder', name: 'ab'[index]!, ...index === 0 && { peer: 'b' }, cluster: 'one', secret: SECRET, protection: { exporter: undefined, code },
    terms: terms[index], incarnations: () => ({ own: 1, dead: 0 }), verifyName: () => undefined,
  })
  const failed = (_: Link, error: Error): never => {
    throw error
  }
  const second = new Link(pipes[1], setting(1), 5000, timers, { claimed: (link) => (agreements[1] = link.judge(VERDICT.accepted, 1)), agreed: () => undefined, failed })
  const first = new Link(pipes[0], setting(0), 5000, timers, { claimed: () => undefined, agreed: (_, agreement) => (agreements[0] = agreement), failed })
  await settle(12)
  return { timers, pipes, links: [first, second], agreements: agreements as [Agreement, Agreement] }
}

/** A session that writes down what happens to it, and answers requests with what `answer` makes of them. */
export class Recorded {
  readonly session: Session
  readonly requests: { id: number; timeMs: number; bytes: Buffer }[] = []
  readonly notes: string[] = []
  readonly ends: SessionEnd[] = []
  credits = 0
  onRequest: (request: { id: number }) => void = () => undefined
  answer: (bytes: Buffer) => Buffer | undefined = (bytes) => Buffer.from(`re: ${bytes.toString('latin1')}`, 'latin1')

  constructor({ timers, links, agreements }: Ends, index: 0 | 1, own: Terms, more: Partial<SessionHandlers> = {}) {
    this.session = new Session('ba'[index]!, links[index], own, agreements[index].terms, timers, {
      request: (id, timeMs, bytes, start, end) => {
        const copy = Buffer.from(bytes.subarray(start, end))
        this.requests.push({ id, timeMs, bytes: copy })
        this.onRequest({ id })
        const reply = this.answer(copy)
        if (reply !== undefined) this.session.reply(id, reply, 0, reply.length)
      },
      note: (bytes, start, end) => this.notes.push(bytes.toString('latin1', start, end)),
      credit: () => this.credits++,
      ended: (end) => this.ends.push(end),
      ...more,
    })
  }

  /** Sends a request. `undefined` if there is no credit. */
  ask(body: string | Buffer, timeoutMs = 1000): Promise<string> | undefined {
    const bytes = Buffer.from(body as string, 'latin1')
    let outcome: (error: CacheError | undefined, reply: string) => void = () => undefined
    const promise = new Promise<string>((resolve, reject) => {
      outcome = (error, reply) => {
        if (error === undefined) resolve(reply)
        else reject(error)
      }
    })
    promise.catch(() => undefined)
    const sent = this.session.request(bytes, 0, bytes.length, timeoutMs, (error, reply, start, end) => outcome(error, reply.toString('latin1', start, end)))
    return sent ? promise : undefined
  }

  note(body: string): boolean {
    const bytes = Buffer.from(body, 'latin1')
    return this.session.note(bytes, 0, bytes.length)
  }
}

export interface Pair extends Ends {
  a: Recorded
  b: Recorded
}

export async function sessionPair(options: Options = {}): Promise<Pair> {
  const ends = await linked(options)
  const [ofA, ofB] = options.terms ?? [TERMS, TERMS]
  return { ...ends, a: new Recorded(ends, 0, ofA), b: new Recorded(ends, 1, ofB) }
}

/** One session, and a way to send it bodies of data frames that are well sealed, whatever is in them. */
export async function sessionAndStranger(options: Options = {}): Promise<Ends & { b: Recorded; send: (...bodies: Buffer[]) => Promise<void>; got: Buffer[] }> {
  const ends = await linked(options)
  const got: Buffer[] = []
  ends.links[0].user = { frame: (bytes, start, end) => got.push(Buffer.from(bytes.subarray(start, end))), drain: () => undefined, closed: () => undefined }
  return {
    ...ends, got, b: new Recorded(ends, 1, (options.terms ?? [TERMS, TERMS])[1]),
    send: async (...bodies) => {
      for (const body of bodies) {
        const frame = Buffer.alloc(FRAME_HEAD_BYTES + body.length + 64)
        frame.set(body, FRAME_HEAD_BYTES)
        ends.links[0].send(frame, FRAME_HEAD_BYTES + body.length, () => undefined)
      }
      await settle()
    },
  }
}
