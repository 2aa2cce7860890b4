import { expect } from 'chai'
import fc from 'fast-check'
import { nowMsWord, monotonicMs } from '../../../runtime/clock.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { encodeValue } from '../../../runtime/codec/value.js'
import { CacheError } from '../../../runtime/errors.js'
import { Bell } from '../../../runtime/mailbox/bell.js'
import { Inlet } from '../../../runtime/mailbox/inlet.js'
import {
  countUnfinished, createLane, DEFAULT_BOUNDS, DONE, DONE_COUNT, LANE_STATE, REPLY_HEAD, REPLY_TAIL, STATE, STATUS, TAIL, TAKEN, type MailboxBounds,
} from '../../../runtime/mailbox/lane.js'
import { Outlet, type Pending } from '../../../runtime/mailbox/outlet.js'
import { settle } from '../fake-driver.js'

interface Sent {
  id: number
  size: number
  ask: boolean
  /** It has run, or has been taken by an incarnation that died. */
  ran: boolean
  overdue: boolean
  outcomes: unknown[]
  expected: unknown
}

/** Both ends of a lane on one thread, and a log of what became of each message. */
class World {
  readonly sent: Sent[] = []
  readonly lane: SharedArrayBuffer
  readonly words: Int32Array
  readonly outlet: Outlet
  readonly bodies = new Map<number, SharedArrayBuffer>()
  readonly scratch = new Scratch()
  inlet: Inlet
  current: Sent | undefined
  late = 0
  rejected = 0
  dropped = 0
  gone = false

  constructor(bounds: Partial<MailboxBounds>, position = 0) {
    const all = { ...DEFAULT_BOUNDS, ...bounds }
    this.lane = createLane(all)
    this.words = new Int32Array(this.lane, 0, 48)
    for (const word of [TAIL, TAKEN, DONE, REPLY_TAIL, REPLY_HEAD]) this.words[word] = position
    this.words[DONE_COUNT] = position
    this.outlet = new Outlet({
      label: 'it', crashCode: 'ERR_ACTOR_CRASHED', wake: () => undefined, lateReply: () => { this.late++ },
      handOver: async (_lane, id, body) => {
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
    const sent: Sent = { id: this.sent.length, size, ask, ran: false, overdue: ask && overdue, outcomes: [], expected: undefined }
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
    if (replySize === undefined) {
      current.expected = true
      this.inlet.finish(STATUS.true)
    } else {
      current.expected = `${current.id}:`.padEnd(replySize, '.')
      const reply = new Scratch()
      encodeValue(current.expected, reply)
      this.inlet.finishWith(STATUS.value, reply.bytes, 0, reply.end)
    }
    this.finishing = current
  }

  /** The last message whose reply may not be out. */
  finishing: Sent | undefined

  kill(status: number = STATUS.crashed): void {
    const inDoubt = this.words[TAKEN] !== this.words[DONE] ? this.current ?? this.finishing : undefined
    this.inlet = this.newInlet()
    this.inlet.recover(status)
    if (inDoubt !== undefined) inDoubt.expected = 'ERR_ACTOR_CRASHED'
    this.current = undefined
  }

  async quiesce(): Promise<void> {
    for (let idle = 0; idle < 3;) {
      this.outlet.poll()
      this.take()
      const worked = this.current !== undefined
      this.finish(undefined)
      await settle()
      idle = worked || this.inlet.pending || (!this.gone && this.outlet.waitingCount > 0) ? 0 : idle + 1
    }
  }

  check(): void {
    expect(this.sent.filter(({ ran, overdue }) => !ran && !overdue).map(({ id }) => id)).to.deep.equal([])
    for (const { id, ask, outcomes, expected } of this.sent) expect(outcomes, `message ${id}`).to.deep.equal(ask ? [expected] : [])
    expect(this.outlet.outstanding).to.equal(0)
    expect(countUnfinished(this.lane)).to.equal(0)
    expect(this.bodies.size).to.equal(0)
    expect(this.outlet.dropped).to.equal(this.dropped)
    expect(this.outlet.refused).to.equal(this.rejected)
  }
}

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('ask' as const), size: fc.oneof(fc.nat(60), fc.nat(600), fc.nat(5000)) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('overdue' as const), size: fc.nat(100) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('tell' as const), size: fc.oneof(fc.nat(60), fc.nat(600), fc.nat(5000)) }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('take' as const), size: fc.constant(0) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('finish' as const), size: fc.constant(0) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('reply' as const), size: fc.oneof(fc.nat(100), fc.nat(3000)) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('poll' as const), size: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('expire' as const), size: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('kill' as const), size: fc.constant(0) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('turn' as const), size: fc.constant(0) }) },
)

async function run(world: World, { op, size }: { op: string; size: number }): Promise<void> {
  switch (op) {
    case 'ask': return world.send(true, size)
    case 'overdue': return world.send(true, size, true)
    case 'tell': return world.send(false, size)
    case 'take': return world.take()
    case 'finish': return world.finish(undefined)
    case 'reply': return world.finish(size)
    case 'poll': return void world.outlet.poll()
    case 'expire': return void world.outlet.expire(monotonicMs())
    case 'kill': return world.kill()
    case 'turn': return settle()
  }
}

/** Positions near the places where a signed and an unsigned 32-bit word wrap, and elsewhere. */
const position = fc.constantFrom(0, 0x7fff_fe00, -512, 8, 1000 * 8)

describe('a lane', () => {
  for (const overflow of ['wait', 'reject', 'drop'] as const) {
    it(`delivers in order, whole, at most once, and settles each ask once, whatever is killed (${overflow})`, async () => {
      await fc.assert(fc.asyncProperty(
        fc.integer({ min: 1024, max: 4096 }), fc.integer({ min: 1, max: 30 }), position, fc.array(operation, { maxLength: 200, size: 'max' }),
        async (bytes, messages, start, operations) => {
          const world = new World({ bytes, messages, overflow }, start)
          for (const one of operations) await run(world, one)
          await world.quiesce()
          world.check()
        }), { numRuns: 300 })
    })
  }

  it('runs what a client that is gone has sent, and replies to nobody', async () => {
    await fc.assert(fc.asyncProperty(fc.array(operation, { maxLength: 80, size: 'max' }), position, async (operations, start) => {
      const world = new World({ bytes: 2048 }, start)
      for (const one of operations) await run(world, one)
      await settle()
      const written = countUnfinished(world.lane)
      world.words[STATE] = LANE_STATE.clientGone
      world.gone = true
      let ran = world.current === undefined ? 0 : 1
      world.finish(undefined)
      if (!world.inlet.pending) ran = 0
      while (world.inlet.take(nowMsWord(monotonicMs()))) {
        world.inlet.finish(STATUS.true)
        ran++
      }
      expect(ran).to.be.at.most(written)
      expect(countUnfinished(world.lane)).to.equal(0)
      expect(world.inlet.pending).to.equal(false)
    }), { numRuns: 60 })
  })

  it('survives a kill between the two stores that skip a pad', () => {
    const world = new World({ bytes: 1024 })
    world.send(true, 340)
    world.take()
    world.finish(undefined)
    world.send(true, 340)
    world.take()
    world.finish(undefined)
    world.outlet.poll()
    world.send(true, 340) // behind a pad
    world.words[TAKEN] = 1024
    world.finishing = undefined
    world.kill()
    world.take()
    expect(world.current?.id).to.equal(2)
    world.finish(undefined)
    world.outlet.poll()
    world.check()
  })

  it('counts right again after an actor died between finishing a message and counting it', () => {
    const world = new World({ bytes: 1024, messages: 1 })
    world.send(true, 4)
    world.take()
    world.finish(undefined)
    world.words[DONE_COUNT]!--
    world.kill()
    world.outlet.poll()
    world.send(true, 4)
    expect(world.outlet.waitingCount).to.equal(0)
  })

  it('sends small tells behind a large one in order, and does not call the mailbox full', async () => {
    const world = new World({ bytes: 1024 })
    world.send(false, 4000)
    for (let index = 0; index < 5; index++) world.send(false, 8)
    world.send(false, 3000)
    world.send(true, 8)
    expect(world.dropped).to.equal(0)
    await world.quiesce()
    world.check()
    expect(world.sent.length).to.equal(8)
  })

  it('never runs a large ask that was given up while its body was handed over, however old the time is that the actor goes by', async () => {
    const world = new World({ bytes: 1024 })
    world.send(true, 4000, true)
    world.outlet.poll()
    world.outlet.expire(monotonicMs())
    await settle()
    expect(world.words[TAIL]).to.not.equal(world.words[DONE])
    expect(world.inlet.take(nowMsWord(monotonicMs() - 60_000))).to.equal(false)
    expect(world.words[TAIL]).to.equal(world.words[DONE])
  })

  it('lets go of large bodies that a predecessor had done and not said so', async () => {
    const world = new World({ bytes: 1024 })
    world.send(false, 4000)
    world.outlet.poll()
    await settle()
    for (const id of [0, 99]) {
      world.bodies.set(id, new SharedArrayBuffer(8))
      world.inlet.large.set(id, new SharedArrayBuffer(8))
    }
    expect(world.inlet.take(nowMsWord(monotonicMs()))).to.equal(true)
    world.inlet.finish(STATUS.undefined)
    expect([...world.bodies.keys()]).to.deep.equal([99])
  })

  it('does not let asks that were given up use up the bound of what may wait', () => {
    const world = new World({ bytes: 1024, messages: 1, waiting: 2 })
    world.send(true, 4)
    world.send(true, 4, true)
    world.send(true, 4, true)
    world.send(true, 4)
    expect(world.rejected).to.equal(1)
    world.outlet.expire(monotonicMs())
    expect(world.outlet.waitingCount).to.equal(0)
    world.send(true, 4)
    expect(world.rejected).to.equal(1)
  })

  it('an ask that was aborted is nothing to keep a process alive for', () => {
    const world = new World({ bytes: 1024 })
    const controller = new AbortController()
    world.scratch.reset()
    const pending = world.outlet.ask(9, world.scratch, 0, 0, 0, monotonicMs(), 1e6, controller.signal)
    pending.promise.catch(() => undefined)
    expect(world.outlet.expire(monotonicMs())).to.be.below(Infinity)
    controller.abort(new Error('enough'))
    expect(world.outlet.expire(monotonicMs())).to.equal(Infinity)
    world.inlet.take(nowMsWord(monotonicMs()))
    world.inlet.finish(STATUS.true)
    world.outlet.poll()
    expect(world.late).to.equal(1)
    expect(world.outlet.outstanding).to.equal(0)
  })

  it('has nothing outstanding after it was closed while a body was handed over', async () => {
    const world = new World({ bytes: 1024 })
    world.send(true, 4000)
    world.outlet.poll()
    world.outlet.close(new CacheError('ERR_STOPPED', 'stopped'))
    await settle()
    expect(world.sent[0]!.outcomes).to.deep.equal(['ERR_STOPPED'])
    expect(world.outlet.outstanding).to.equal(0)
  })

  it('says unknown of what had been taken when it closes, and none of what had not', () => {
    const world = new World({ bytes: 1024 })
    const outcomes: string[] = []
    for (let index = 0; index < 2; index++) {
      world.scratch.reset()
      world.outlet.ask(9, world.scratch, 0, 0, 0, monotonicMs(), 1e6).reject = (error) => { outcomes.push((error as CacheError).outcome) }
    }
    world.inlet.take(nowMsWord(monotonicMs()))
    world.outlet.close(new CacheError('ERR_STOPPED', 'stopped'))
    expect(outcomes).to.deep.equal(['unknown', 'none'])
  })

  it('takes nothing more when the room for replies is used up, and is ready when the client has read', () => {
    const world = new World({ bytes: 1024 })
    world.send(true, 4)
    world.take()
    world.finish(3000)
    world.send(true, 4)
    expect(world.inlet.pending).to.equal(true)
    expect(world.inlet.ready).to.equal(false)
    expect(world.inlet.take(nowMsWord(monotonicMs()))).to.equal(false)
    world.outlet.poll()
    expect(world.inlet.ready).to.equal(true)
  })

  it('says unknown, and not that a function was killed, of what was done and whose reply was held back', () => {
    const world = new World({ bytes: 1024 })
    world.send(true, 4)
    world.take()
    world.finish(3000)
    world.kill(STATUS.functionTimeout)
    for (let turn = 0; turn < 3; turn++) {
      world.outlet.poll()
      world.inlet.take(nowMsWord(monotonicMs()))
    }
    world.outlet.poll()
    expect(world.sent[0]!.outcomes).to.deep.equal(['ERR_ACTOR_CRASHED'])
  })
})
