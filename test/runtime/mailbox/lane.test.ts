import { expect } from 'chai'
import fc from 'fast-check'
import { nowMsWord, monotonicMs } from '../../../runtime/clock.js'
import { CacheError } from '../../../runtime/errors.js'
import { countUnfinished, DONE, DONE_COUNT, LANE_STATE, STATE, STATUS, TAIL, TAKEN } from '../../../runtime/mailbox/lane.js'
import { settle } from '../supervision/fake-driver.js'
import { World } from './lane-world.js'

const operation = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('ask' as const), size: fc.oneof(fc.nat(60), fc.nat(600), fc.nat(5000)) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('overdue' as const), size: fc.nat(100) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('tell' as const), size: fc.oneof(fc.nat(60), fc.nat(600), fc.nat(5000)) }) },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('take' as const), size: fc.constant(0) }) },
  { weight: 4, arbitrary: fc.record({ op: fc.constant('finish' as const), size: fc.constant(0) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('reply' as const), size: fc.oneof(fc.nat(100), fc.nat(3000)) }) },
  { weight: 3, arbitrary: fc.record({ op: fc.constant('defer' as const), size: fc.constant(0) }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('answer' as const), size: fc.nat(100) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('answer at length' as const), size: fc.nat(3000) }) },
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
    case 'defer': return world.defer()
    case 'answer': return world.answer(size, undefined)
    case 'answer at length': return world.answer(size, size)
    case 'poll': return void world.outlet.poll()
    case 'expire': return void world.outlet.expire(monotonicMs())
    case 'kill': return world.kill()
    case 'turn': return settle()
  }
}

type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never

/** A reply that is held back when the actor dies, and a second one to the same request that is held back when it dies again. */
const ANSWERED_TWICE: Operation[] = [
  { op: 'ask', size: 0 }, { op: 'take', size: 0 }, { op: 'defer', size: 0 }, { op: 'answer at length', size: 1984 }, { op: 'ask', size: 0 }, { op: 'take', size: 0 },
  { op: 'poll', size: 0 }, { op: 'take', size: 0 }, { op: 'reply', size: 1096 }, { op: 'kill', size: 0 }, { op: 'answer at length', size: 0 }, { op: 'kill', size: 0 },
]

/** Positions near the places where a signed and an unsigned 32-bit word wrap, and elsewhere. */
const position = fc.constantFrom(0, 0x7fff_fe00, -512, 8, 1000 * 8)

describe('a lane', () => {
  for (const overflow of ['wait', 'reject', 'drop'] as const) {
    it(`delivers in order, whole, at most once, and settles each ask once, at once or deferred, whatever is killed (${overflow})`, async () => {
      await fc.assert(fc.asyncProperty(
        fc.integer({ min: 1024, max: 4096 }), fc.integer({ min: 1, max: 30 }), position, fc.boolean(), fc.array(operation, { maxLength: 200, size: 'max' }),
        async (bytes, messages, start, durable, operations) => {
          const world = new World({ bytes, messages, overflow }, start, durable)
          for (const one of operations) await run(world, one)
          await world.quiesce()
          world.check()
        }), {
          numRuns: 300,
          examples: [[1025, 1, 0, true, ANSWERED_TWICE]],
        })
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

  it('answers in any order, once, and takes further requests meanwhile', () => {
    const world = new World({ bytes: 1024, messages: 1 })
    for (let index = 0; index < 3; index++) {
      world.send(true, 4)
      world.take()
      world.defer()
    }
    const { deferral } = world.deferred[2]!
    world.answer(2, 50)
    deferral.finish(STATUS.false)
    world.answer(0, undefined)
    world.outlet.poll()
    expect(world.sent.map(({ outcomes }) => outcomes.length)).to.deep.equal([1, 0, 1])
    world.answer(0, 3000)
    while (world.inlet.holdsReplies) {
      world.outlet.poll()
      world.inlet.flush()
    }
    world.outlet.poll()
    world.check()
    expect(world.late).to.equal(0)
  })

  it('keeps the room free that a request at work reserved for its reply, however many deferred ones are answered meanwhile', () => {
    const world = new World({ bytes: 1024 })
    for (let index = 0; index < 12; index++) {
      world.send(true, 4)
      world.take()
      if (index < 11) world.defer()
    }
    while (world.deferred.length > 0) world.answer(0, 100)
    expect(world.inlet.holdsReplies).to.equal(true)
    world.finish(undefined)
    for (let turn = 0; turn < 5; turn++) {
      world.outlet.poll()
      world.inlet.flush()
    }
    world.check()
  })

  it('is not drained before what was deferred is answered', () => {
    const world = new World({ bytes: 1024 })
    world.send(true, 4)
    world.take()
    world.defer()
    const mark = world.inlet.mark()
    expect(world.inlet.reached(mark)).to.equal(false)
    world.answer(0, undefined)
    expect(world.inlet.reached(mark)).to.equal(true)
  })

  it('tells its client what died unanswered with an actor, and not what it had not taken, nor what was answered', () => {
    const world = new World({ bytes: 1024 })
    for (let index = 0; index < 4; index++) world.send(true, 4)
    for (let index = 0; index < 2; index++) {
      world.take()
      world.defer()
    }
    world.answer(0, undefined)
    world.take()
    world.kill(STATUS.functionTimeout)
    world.outlet.poll()
    expect(world.sent.map(({ outcomes }) => outcomes)).to.deep.equal([[true], ['ERR_ACTOR_CRASHED'], ['ERR_FUNCTION_TIMEOUT'], []])
    world.take()
    world.finish(undefined)
    world.outlet.poll()
    expect(world.sent[3]!.outcomes).to.deep.equal([true])
    expect(world.outlet.outstanding).to.equal(0)
  })

  it('knows what is lost also after more has gone through the ring than its positions can tell apart', () => {
    const world = new World({ bytes: 64 << 20 })
    world.send(true, 4)
    world.take()
    world.defer()
    world.scratch.ensure(31 << 20)
    for (let bytes = 0; bytes < 2 ** 31; bytes += 31 << 20) {
      expect(world.outlet.tell(9, world.scratch, 31 << 20, 0, 0)).to.equal(true)
      world.inlet.take(nowMsWord(monotonicMs()))
      world.inlet.finish(STATUS.undefined)
    }
    world.send(true, 4)
    world.kill()
    world.outlet.poll()
    expect(world.sent.map(({ outcomes }) => outcomes)).to.deep.equal([['ERR_ACTOR_CRASHED'], []])
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
