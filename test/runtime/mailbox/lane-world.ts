/** Both ends of a lane on one thread, and a log of what became of each message. */
import { expect } from 'chai'
import { nowMsWord, monotonicMs } from '../../../runtime/clock.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { encodeValue } from '../../../runtime/codec/value.js'
import { CacheError } from '../../../runtime/errors.js'
import { Bell } from '../../../runtime/mailbox/bell.js'
import type { Deferral } from '../../../runtime/mailbox/deferral.js'
import { Inlet } from '../../../runtime/mailbox/inlet.js'
import {
  countUnfinished, createLane, DEFAULT_BOUNDS, DONE, DONE_COUNT, REPLY_HEAD, REPLY_TAIL, STATUS, TAIL, TAKEN, type MailboxBounds,
} from '../../../runtime/mailbox/lane.js'
import { Outlet } from '../../../runtime/mailbox/outlet.js'
import type { Pending } from '../../../runtime/mailbox/pending.js'
import { settle } from '../supervision/fake-driver.js'

interface Sent {
  id: number
  size: number
  ask: boolean
  /** It has run, or has been taken by an incarnation that died. */
  ran: boolean
  overdue: boolean
  outcomes: unknown[]
  expected: unknown
  /** Replies that were given and held back when the actor died: one of them may have been on its way. */
  or: unknown[]
}

interface Deferred {
  readonly sent: Sent
  readonly seq: number
  deferral: Deferral
}

export class World {
  readonly sent: Sent[] = []
  readonly lane: SharedArrayBuffer
  readonly words: Int32Array
  readonly outlet: Outlet
  readonly bodies = new Map<number, SharedArrayBuffer>()
  readonly scratch = new Scratch()
  /** Whether the actor finds again what it deferred. */
  readonly durable: boolean
  /** Done and not answered. */
  deferred: Deferred[] = []
  /** Answered, with replies that are held back. */
  held: Deferred[] = []
  inlet: Inlet
  current: Sent | undefined
  late = 0
  rejected = 0
  dropped = 0
  gone = false

  constructor(bounds: Partial<MailboxBounds>, position = 0, durable = false) {
    const all = { ...DEFAULT_BOUNDS, ...bounds }
    this.durable = durable
    this.lane = createLane(all)
    this.words = new Int32Array(this.lane, 0, 48)
    for (const word of [TAIL, TAKEN, DONE, REPLY_TAIL, REPLY_HEAD]) this.words[word] = position
    this.words[DONE_COUNT] = position
    this.outlet = new Outlet({
      label: 'it', crashCode: 'ERR_ACTOR_CRASHED', wake: () => undefined, lateReply: () => { this.late++ },
      handOver: async (id, body) => {
        this.bodies.set(id, body)
        this.inlet.large.set(id, body)
      },
    }, all)
    this.inlet = this.newInlet()
    this.outlet.open(this.lane, new Bell())
  }

  newInlet(): Inlet {
    const inlet = new Inlet(this.lane, 7, new Bell())
    for (const [id, body] of this.bodies) inlet.large.set(id, body)
    inlet.onLargeDone = (id) => this.bodies.delete(id)
    return inlet
  }

  send(ask: boolean, size: number, overdue = false): void {
    const sent: Sent = { id: this.sent.length, size, ask, ran: false, overdue: ask && overdue, outcomes: [], expected: undefined, or: [] }
    this.scratch.reset()
    this.scratch.ensure(size + 4)
    this.scratch.bytes.writeInt32LE(sent.id, 0)
    this.scratch.bytes.fill(sent.id & 0xff, 4, 4 + size)
    if (!ask) {
      if (this.outlet.tell(9, this.scratch, 4, size, 0)) this.sent.push(sent)
      else this.dropped++
      return
    }
    let pending: Pending
    try {
      pending = this.outlet.ask(9, this.scratch, 4, size, 0, monotonicMs(), overdue ? -1000 : 1e6)
    } catch (error) {
      expect(error).to.be.instanceOf(CacheError).with.property('code', 'ERR_MAILBOX_FULL')
      this.rejected++
      return
    }
    pending.resolve = (value) => { sent.outcomes.push(value) }
    pending.reject = (error) => { sent.outcomes.push((error as CacheError).code) }
    if (overdue) sent.expected = 'ERR_TIMEOUT'
    this.sent.push(sent)
  }

  /** Takes one message and checks that it is the next and whole. */
  take(): void {
    if (this.current !== undefined || !this.inlet.take(nowMsWord(monotonicMs()))) return
    const { inlet } = this
    expect(inlet.bodyMissing).to.equal(false)
    const id = inlet.bytes.readInt32LE(inlet.start)
    const next = this.sent.find((sent) => !sent.ran && !sent.overdue)
    expect(id).to.equal(next?.id)
    expect(inlet.isAsk).to.equal(next!.ask)
    expect(inlet.aEnd - inlet.start).to.equal(4)
    expect(inlet.bEnd - inlet.aEnd).to.equal(next!.size)
    for (let at = inlet.aEnd; at < inlet.bEnd; at++) if (inlet.bytes[at] !== (id & 0xff)) throw new Error(`byte ${at - inlet.aEnd} of message ${id} was overwritten`)
    next!.ran = true
    this.current = next
  }

  finish(replySize: number | undefined): void {
    const { current } = this
    if (current === undefined) return
    this.current = undefined
    this.#reply(this.inlet, current, replySize)
    this.finishing = current
  }

  defer(): void {
    const { current } = this
    if (current === undefined) return
    this.current = undefined
    const { seq } = this.inlet
    this.deferred.push({ sent: current, seq, deferral: this.inlet.defer() })
  }

  /** Answers one of those that were deferred, whichever `place` picks. */
  answer(place: number, replySize: number | undefined): void {
    if (this.deferred.length === 0) return
    const [deferred] = this.deferred.splice(place % this.deferred.length, 1)
    this.#reply(deferred!.deferral, deferred!.sent, replySize)
    if (!this.inlet.holdsReplies) this.held = []
    else if (deferred!.sent.ask) this.held.push(deferred!)
  }

  #reply(to: Inlet | Deferral, sent: Sent, size: number | undefined): void {
    expect(to.isAsk).to.equal(sent.ask)
    if (size === undefined) {
      if (!sent.overdue) sent.expected = true
      return to.finish(STATUS.true)
    }
    const value = `${sent.id}:`.padEnd(size, '.')
    if (!sent.overdue) sent.expected = value
    const reply = new Scratch()
    encodeValue(value, reply)
    to.finishWith(STATUS.value, reply.bytes, 0, reply.end)
  }

  /** The last message whose reply may not be out. */
  finishing: Sent | undefined

  kill(status: number = STATUS.crashed): void {
    const inDoubt = this.words[TAKEN] !== this.words[DONE] ? this.current ?? this.finishing : undefined
    if (!this.inlet.holdsReplies) this.held = []
    this.inlet = this.newInlet()
    this.inlet.recover(status, this.durable)
    if (inDoubt !== undefined) inDoubt.expected = 'ERR_ACTOR_CRASHED'
    this.current = undefined
    if (this.durable) {
      // What was given and held back is given again: the second reply, if the first got out, comes late.
      for (const { sent } of this.held) sent.or.push(sent.expected)
      this.deferred.push(...this.held)
      for (const deferred of this.deferred) {
        this.inlet.adoptDeferred()
        deferred.deferral = this.inlet.deferral(deferred.seq, deferred.sent.ask)
      }
    } else {
      for (const { sent } of this.held) sent.or.push('ERR_ACTOR_CRASHED')
      for (const { sent } of this.deferred) if (sent.ask) sent.expected = 'ERR_ACTOR_CRASHED'
      this.deferred = []
    }
    this.held = []
  }

  async quiesce(): Promise<void> {
    for (let idle = 0; idle < 3;) {
      this.outlet.poll()
      this.take()
      const worked = this.current !== undefined
      this.finish(undefined)
      this.answer(0, undefined)
      await settle()
      idle = worked || this.deferred.length > 0 || this.inlet.pending || (!this.gone && this.outlet.waitingCount > 0) ? 0 : idle + 1
    }
  }

  check(): void {
    expect(this.sent.filter(({ ran, overdue }) => !ran && !overdue).map(({ id }) => id)).to.deep.equal([])
    for (const { id, ask, outcomes, expected, or } of this.sent) {
      expect(outcomes, `message ${id}`).to.deep.equal(!ask ? [] : or.includes(outcomes[0]) ? [outcomes[0]] : [expected])
    }
    expect(this.outlet.outstanding).to.equal(0)
    expect(countUnfinished(this.lane)).to.equal(0)
    expect(this.bodies.size).to.equal(0)
    expect(this.outlet.dropped).to.equal(this.dropped)
    expect(this.outlet.refused).to.equal(this.rejected)
  }
}
