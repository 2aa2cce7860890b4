/** Supervision over real threads: host kind × way of dying × restart type. */
import { expect } from 'chai'
import { Node, supervisor, type Restart } from '../../../runtime/index.js'
import { RESTARTS } from '../../../runtime/supervision/supervisor-spec.js'
import { arrivals, counters, failStarts, neverStops, newGate, openGate, ownCounter } from '../actors/counter.js'
import { rejection, settle } from '../supervision/fake-driver.js'

type Kind = keyof typeof counters

let node: Node
let ids = 0

/** A node for each group of tests: together they restart more than one allows. */
function withNode(): void {
  before(async () => { node = await Node.start('supervision') })
  after(async () => { await node.stop() })
}

/** Ways of dying while a message is worked on: sends that message. Not all of them happen on a host without an event loop, or without a heap limit of its own. */
const WAYS: Record<string, { kinds: readonly Kind[]; message: readonly [string, ...unknown[]] }> = {
  'process.exit': { kinds: ['shared', 'own', 'blocking'], message: ['exit', 0] },
  'Node.kill': { kinds: ['shared', 'own', 'blocking'], message: ['hold'] },
  'an uncaught error in a timer': { kinds: ['shared', 'own'], message: ['throwInTimer'] },
  'an unhandled rejection': { kinds: ['shared', 'own'], message: ['reject'] },
  'the limit of its heap': { kinds: ['own', 'blocking'], message: ['fill'] },
}

async function arrived(gate: SharedArrayBuffer): Promise<void> {
  while (arrivals(gate) === 0) await settle()
}

for (const [way, { kinds, message }] of Object.entries(WAYS)) {
  describe(`an actor that dies by ${way}`, () => {
    withNode()
    for (const kind of kinds) {
      for (const restart of way === 'the limit of its heap' ? ['permanent'] as const : RESTARTS) {
        it(`on a ${kind} host: ${restart === 'temporary' ? 'is not restarted, and what was queued fails as not begun' : 'is restarted, and what was queued runs'} (${restart})`, async () => {
          const gate = newGate()
          const spec = counters[kind].with({ id: `mortal-${++ids}`, restart, args: [0, gate] })
          const actor = await node.spawn(spec)
          const dying = rejection(actor.ask(message as never, { timeout: 20_000 }))
          const queued = Array.from({ length: 20 }, () => actor.ask(['add', 1], { timeout: 20_000 }))
          const results = Promise.allSettled(queued)
          if (way === 'Node.kill') {
            await arrived(gate)
            await node.kill(actor)
          }
          expect(await dying).to.include({ code: restart === 'temporary' ? 'ERR_STOPPED' : 'ERR_ACTOR_CRASHED', outcome: 'unknown' })
          if (restart === 'temporary') {
            for (const result of await results) expect(result.status === 'rejected' && result.reason).to.include({ code: 'ERR_STOPPED', outcome: 'none' })
            expect(await node.whereis(spec.id)).to.equal(undefined)
            expect((await rejection(actor.ask(['get']))).code).to.equal('ERR_NO_ACTOR')
          } else {
            expect((await results).map((result) => result.status === 'fulfilled' && result.value)).to.deep.equal(Array.from({ length: 20 }, (_, n) => n + 1))
            expect(await actor.ask(['incarnation'])).to.equal(2)
            await actor.stop()
          }
        })
      }
    }
  })
}

describe('an actor that ends', () => {
  withNode()
  for (const kind of ['shared', 'own', 'blocking'] as const) {
    for (const restart of RESTARTS) {
      it(`in good order, on a ${kind} host: is restarted only if it is permanent (${restart})`, async () => {
        const actor = await node.spawn(counters[kind].with({ id: `ending-${++ids}`, restart }))
        const ended = actor.ask(['end'])
        const queued = Promise.allSettled([actor.ask(['add', 1])])
        expect(await ended).to.equal(0)
        const [result] = await queued
        if (restart === 'permanent') expect(result).to.include({ value: 1 })
        else expect(result.status === 'rejected' && result.reason).to.include({ outcome: 'none' })
        await actor.stop()
      })
    }
  }
})

describe('an actor that fails while it starts', () => {
  withNode()

  for (const kind of ['shared', 'own', 'blocking'] as const) {
    it(`fails its spawn, on a ${kind} host, and leaves nothing behind`, async () => {
      const gate = newGate()
      failStarts(gate, 1)
      const spec = counters[kind].with({ id: `failing-${++ids}`, name: `failing-${ids}`, args: [0, gate] })
      expect((await rejection(node.spawn(spec))).message).to.equal('this start fails')
      expect(await node.whereis(spec.id)).to.equal(undefined)
      const actor = await node.spawn(spec)
      expect(await actor.ask(['add', 2])).to.equal(2)
      await actor.stop()
    })

    it(`is tried again when it was restarted, on a ${kind} host, and then runs what was queued`, async () => {
      const gate = newGate()
      const actor = await node.spawn(counters[kind].with({ id: `failing-${++ids}`, args: [0, gate] }))
      failStarts(gate, 2)
      const dying = rejection(actor.ask(['exit', 1]))
      const queued = actor.ask(['add', 3])
      expect(await dying).to.include({ code: 'ERR_ACTOR_CRASHED', outcome: 'unknown' })
      expect(await queued).to.equal(3)
      expect(await actor.ask(['incarnation'])).to.equal(4)
      await actor.stop()
    })
  }

  it('fails its spawn with ERR_MODULE_LOAD if its module cannot be loaded or does not define it', async () => {
    const spec = ownCounter.with({ id: 'no-module' })
    const blueprint = spec.actor
    for (const actor of [{ ...blueprint, module: 'file:///nowhere.js' }, { ...blueprint, definition: 'another' }]) {
      expect((await rejection(node.spawn({ ...spec, actor }))).code).to.equal('ERR_MODULE_LOAD')
    }
    expect((await rejection(node.spawn(ownCounter.with({ id: 'no-data', args: [(() => 1) as never] })))).code).to.equal('ERR_UNSUPPORTED_VALUE')
  })
})

describe('an actor that does not stop in time', () => {
  withNode()

  it('because of its stop is killed at its deadline', async () => {
    const actor = await node.spawn(neverStops.with({ shutdown: 60 }))
    const watched = node.watch(actor)
    await actor.stop()
    expect((await watched).id).to.equal(actor.id)
    expect(await node.whereis(actor.id)).to.equal(undefined)
  })

  for (const kind of ['shared', 'own', 'blocking'] as const) {
    it(`because of a message is killed at its deadline, on a ${kind} host`, async () => {
      const gate = newGate()
      const actor = await node.spawn(counters[kind].with({ id: `hanging-${++ids}`, shutdown: 60, args: [0, gate] }))
      const held = rejection(actor.ask(['hold']))
      const queued = rejection(actor.ask(['add', 1]))
      await arrived(gate)
      await actor.stop()
      expect(await held).to.include({ code: 'ERR_STOPPED', outcome: 'unknown' })
      expect(await queued).to.include({ code: 'ERR_STOPPED', outcome: 'none' })
      openGate(gate)
    })
  }
})

describe('nested supervisors', () => {
  withNode()

  const tree = (restart: Restart): ReturnType<typeof supervisor> => supervisor({
    id: `outer-${++ids}`, maxRestarts: 3, children: [
      supervisor({ id: 'inner', strategy: 'one_for_all', maxRestarts: 1, restart, children: [ownCounter.with({ id: 'a', name: `a-${ids}` }), ownCounter.with({ id: 'b', name: `b-${ids}`, args: [5] })] }),
      ownCounter.with({ id: 'c', name: `c-${ids}` }),
    ],
  })

  it('restart their children together, escalate beyond their limit, and keep what was queued', async () => {
    await node.spawnTree(tree('permanent'))
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(async (name) => (await node.whereis(`${name}-${ids}`, ownCounter))!))
    await c!.ask(['add', 1])
    await b!.ask(['add', 1])
    for (const incarnation of [2, 3, 4]) {
      const dying = rejection(a!.ask(['exit', 1]))
      const queued = a!.ask(['incarnation'])
      await dying
      expect(await queued).to.equal(incarnation)
      expect(await b!.ask(['incarnation'])).to.equal(incarnation)
      expect(await b!.ask(['get'])).to.equal(5)
    }
    expect(await c!.ask(['get'])).to.equal(1)
    expect(await c!.ask(['incarnation'])).to.equal(1)
    await node.stopChild(`outer-${ids}`)
    expect((await rejection(c!.ask(['get']))).code).to.equal('ERR_NO_ACTOR')
  })

  it('let go of a temporary one that gave up, with all that waits for it', async () => {
    await node.spawnTree(tree('temporary'))
    const a = (await node.whereis(`a-${ids}`, ownCounter))!
    const b = (await node.whereis(`b-${ids}`, ownCounter))!
    await rejection(a.ask(['exit', 1]))
    expect(await b.ask(['incarnation'])).to.equal(2)
    await rejection(a.ask(['exit', 1]))
    const error = await rejection(b.ask(['get'], { timeout: 20_000 }).then(() => b.ask(['get'], { timeout: 20_000 })))
    expect(error.code).to.be.oneOf(['ERR_STOPPED', 'ERR_NO_ACTOR'])
    await node.stopChild(`outer-${ids}`)
  })
})

describe('the root supervisor', () => {
  it('that gives up stops its node, and says why', async () => {
    const own = await Node.start('giving-up')
    const stopped = new Promise<void>((resolve) => { own.onStopped(resolve) })
    const warned = new Promise<Error>((resolve) => { process.once('warning', resolve) })
    // One more than it allows within its ten seconds, each of another child.
    const actors = await Promise.all(Array.from({ length: 21 }, (_, n) => own.spawn(counters.shared.with({ id: `failing-${n}` }))))
    await Promise.allSettled(actors.map((actor) => actor.ask(['end', 'broken'])))
    await stopped
    expect((await warned).message).to.contain('gave up')
    expect((await rejection(actors[0]!.ask(['get']))).code).to.equal('ERR_STOPPED')
    const error = await rejection(own.whereis('failing-0'))
    expect(error).to.include({ code: 'ERR_STOPPED' })
    expect((error.cause as { code?: string }).code).to.equal('ERR_RESTART_LIMIT')
  })
})
