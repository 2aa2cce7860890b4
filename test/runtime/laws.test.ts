/** What holds for asks and tells whatever hosts the actor: one suite, run over shared, own and blocking hosts. */
import { expect } from 'chai'
import { CacheError, Node } from '../../runtime/index.js'
import { arrivals, asksAtStart, counter, counters, newGate, openGate, smallRejecting, smallWaiting } from './actors/counter.js'
import { rejection, settle } from './supervision/fake-driver.js'

let node: Node

before(async () => { node = await Node.start('laws') })
after(async () => { await node.stop() })

/** Resolves when something has got to the gate. */
async function arrived(gate: SharedArrayBuffer, count = 1): Promise<void> {
  while (arrivals(gate) < count) await settle()
}

for (const kind of ['shared', 'own', 'blocking'] as const) {
  describe(`an actor on a host of kind ${kind}`, () => {
    const spec = counters[kind]
    let ids = 0
    const unique = (): string => `${kind}-${++ids}`
    const spawn = async (...args: [number?, SharedArrayBuffer?, string?]) => node.spawn(spec.with({ id: unique(), args: args }))

    it('handles one message after the other, in the order sent', async () => {
      const actor = await spawn(5)
      const replies = Array.from({ length: 1000 }, () => actor.ask(['add', 1]))
      expect(await Promise.all(replies)).to.deep.equal(Array.from({ length: 1000 }, (_, index) => index + 6))
      for (let n = 0; n < 1000; n++) expect(actor.tell(['note', 'main', n])).to.equal(true)
      expect((await actor.ask(['notes']))['main']).to.deep.equal(Array.from({ length: 1000 }, (_, n) => n))
      await actor.stop()
    })

    it('answers 20,000 at a time', async () => {
      const actor = await spawn()
      const replies = await Promise.all(Array.from({ length: 20_000 }, (_, n) => actor.ask(['echo', n])))
      expect(replies.every((reply, n) => reply === n)).to.equal(true)
      await actor.stop()
    })

    it('takes and gives back 6 MB, in order with the small ones around it', async () => {
      const actor = await spawn()
      const large = 'x'.repeat(6 << 20)
      const order: string[] = []
      const note = (name: string, expected?: string) => (value: unknown) => {
        order.push(name)
        if (expected !== undefined) expect(value === expected).to.equal(true)
      }
      const replies = [
        actor.ask(['add', 1]).then(note('a')), actor.ask(['echo', large]).then(note('b', large)),
        actor.ask(['add', 1]).then(note('c')), actor.ask(['repeat', 'yz', 3 << 20]).then(note('d', 'yz'.repeat(3 << 20))),
        actor.ask(['add', 1]).then(note('e')),
      ]
      await Promise.all(replies)
      expect(order.join('')).to.equal('abcde')
      expect(actor.tell(['note', large.slice(0, 3 << 20), 1])).to.equal(true)
      expect(actor.tell(['note', 'small', 2])).to.equal(true)
      expect(Object.keys(await actor.ask(['notes'])).map(({ length }) => length)).to.deep.equal([3 << 20, 5])
      await actor.stop()
    })

    it('runs a large message that was queued when its thread died, and not the one that it worked on', async () => {
      const gate = newGate()
      const actor = await spawn(0, gate)
      const large = 'x'.repeat(5 << 20)
      const held = rejection(actor.ask(['hold']))
      await arrived(gate)
      const queued = [actor.ask(['echo', large]), actor.ask(['echo', large])]
      await settle()
      await node.kill(actor)
      openGate(gate)
      expect(await held).to.include({ code: 'ERR_ACTOR_CRASHED', outcome: 'unknown' })
      expect((await Promise.all(queued)).map((value) => value === large)).to.deep.equal([true, true])
      await actor.stop()
    })

    it('gives an error of a handler its code, cause and name', async () => {
      const actor = await spawn()
      const error = await rejection(actor.ask(['fail', 'no']))
      expect(error).to.be.instanceOf(RangeError).and.include({ name: 'RangeError', message: 'no', code: 'E_TEST', detail: 7 })
      expect(error.cause).to.be.instanceOf(TypeError).with.property('message', 'the cause')
      expect((await rejection(actor.ask(['throwUndefined']))).message).to.contain('undefined')
      expect((await rejection(actor.ask(['unsendable']))).code).to.equal('ERR_UNSUPPORTED_VALUE')
      expect(await actor.ask(['add', 1])).to.equal(1)
      await actor.stop()
    })

    it('knows only its own handlers', async () => {
      const actor = await spawn()
      for (const name of ['nothing', 'constructor', '__proto__', 'toString', '']) {
        const error = await rejection(actor.ask([name] as never))
        expect(error.code, name).to.equal('ERR_UNKNOWN_MESSAGE')
      }
      await actor.stop()
    })

    it('refuses at the call what cannot be sent', async () => {
      const actor = await spawn()
      expect((await rejection(actor.ask(['echo', { a: [() => 1] }]))).code).to.equal('ERR_UNSUPPORTED_VALUE')
      expect(() => actor.tell(['echo', Symbol('x')])).to.throw(CacheError).with.property('code', 'ERR_UNSUPPORTED_VALUE')
      expect((await rejection(actor.ask('echo' as never))).code).to.equal('ERR_INVALID_ARGUMENT')
      expect((await rejection(actor.ask(['echo', 1], { timeout: -1 }))).code).to.equal('ERR_INVALID_ARGUMENT')
      await actor.stop()
    })

    it('says of a timeout what is known, does not run what was not begun, and drops the late reply', async () => {
      const gate = newGate()
      const actor = await spawn(0, gate)
      const before = await node.counters()
      const begun = rejection(actor.ask(['hold'], { timeout: 30 }))
      const behind = rejection(actor.ask(['add', 1], { timeout: 30 }))
      expect(await begun).to.include({ code: 'ERR_TIMEOUT', outcome: 'unknown' })
      expect(await behind).to.include({ code: 'ERR_TIMEOUT', outcome: 'unknown' })
      openGate(gate)
      expect(await actor.ask(['get'])).to.equal(0)
      expect((await node.counters()).lateReplies - before.lateReplies).to.equal(2)
      await actor.stop()
    })

    it('gives an aborted ask the reason of its signal, before and after it was sent', async () => {
      const gate = newGate()
      const actor = await spawn(0, gate)
      const controller = new AbortController()
      const held = rejection(actor.ask(['hold'], { signal: controller.signal }))
      await arrived(gate)
      const reason = new Error('enough')
      controller.abort(reason)
      expect(await held).to.equal(reason)
      expect(await rejection(actor.ask(['add', 1], { signal: controller.signal }))).to.equal(reason)
      openGate(gate)
      expect(await actor.ask(['get'])).to.equal(0)
      await actor.stop()
    })

    it('is found by name and by path; a name is taken once', async () => {
      const name = unique()
      const actor = await node.spawn(spec.with({ id: `${name}-place`, name, args: [3] }))
      expect(await (await node.whereis(name, spec))!.ask(['get'])).to.equal(3)
      expect(await (await node.whereis(`${name}-place`, spec))!.ask(['get'])).to.equal(3)
      expect(await node.whereis('nobody')).to.equal(undefined)
      expect((await rejection(node.spawn(spec.with({ id: unique(), name })))).code).to.equal('ERR_NAME_TAKEN')
      expect((await rejection(node.spawn(spec.with({ id: `${name}-place` })))).code).to.equal('ERR_NAME_TAKEN')
      await actor.stop()
      await actor.stop()
      const again = await node.spawn(spec.with({ id: `${name}-place`, name, args: [4] }))
      expect(await actor.ask(['get'])).to.equal(4) // the old reference: the same address
      await again.stop()
    })

    it('one name is given once also when both starts are under way', async () => {
      const name = unique()
      const spawned = await Promise.allSettled([node.spawn(spec.with({ id: unique(), name })), node.spawn(spec.with({ id: unique(), name }))])
      expect(spawned.map(({ status }) => status).sort()).to.deep.equal(['fulfilled', 'rejected'])
      for (const one of spawned) if (one.status === 'fulfilled') await one.value.stop()
    })

    it('that has stopped is nobody: an ask hears of it at once, and all that was sent is counted', async () => {
      const actor = await spawn()
      await actor.ask(['get'])
      await actor.stop()
      const before = await node.counters()
      expect((await rejection(actor.ask(['get']))).code).to.equal('ERR_NO_ACTOR')
      actor.tell(['add', 1])
      expect((await rejection(actor.ask(['get']))).code).to.equal('ERR_NO_ACTOR')
      expect((await node.counters()).deadLetters - before.deadLetters).to.equal(3)
    })

    it('runs what is queued when it is stopped', async () => {
      const gate = newGate()
      const actor = await spawn(0, gate)
      const replies = [actor.ask(['hold']), ...Array.from({ length: 500 }, () => actor.ask(['add', 1]))]
      await arrived(gate)
      const stopped = actor.stop()
      openGate(gate)
      expect((await Promise.all(replies)).at(-1)).to.equal(500)
      await stopped
    })

    it('tells those who watch how it ended', async () => {
      const actor = await spawn()
      const watched = node.watch(actor)
      await node.counters() // behind it on the same port
      await node.kill(actor)
      expect(await watched).to.include({ reason: 'error' })
      const again = node.watch(actor.id)
      expect(await actor.ask(['incarnation'])).to.equal(2)
      await actor.stop()
      expect(await again).to.deep.equal({ id: actor.id, reason: 'shutdown' })
      expect((await rejection(node.watch(actor))).code).to.equal('ERR_NO_ACTOR')
    })

    it('ends itself when its message is done', async () => {
      const actor = await node.spawn(spec.with({ id: unique(), restart: 'transient', args: [9] }))
      const watched = node.watch(actor)
      expect(await actor.ask(['end'])).to.equal(9)
      expect(await watched).to.deep.equal({ id: actor.id, reason: 'normal' })
      await rejection(actor.ask(['get']))
      const failing = await node.spawn(spec.with({ id: actor.id, restart: 'transient', args: [9] }))
      expect(await failing.ask(['end', 'broken'])).to.equal(9)
      expect(await failing.ask(['incarnation'])).to.equal(2)
      await failing.stop()
    })

    it('can tell others, and ask them if its event loop turns', async () => {
      const other = await node.spawn(counter.with({ id: unique(), name: unique() }))
      const actor = await spawn(0, newGate(), other.name)
      expect(await actor.ask(['tellOther', ['add', 7]])).to.equal(true)
      while (await other.ask(['get']) !== 7);
      if (kind === 'blocking') expect((await rejection(actor.ask(['askOther', ['get']]))).code).to.equal('ERR_ASYNC_FUNCTION')
      else expect(await actor.ask(['askOther', ['get']])).to.equal(7)
      await actor.stop()
      await other.stop()
    })

    if (kind === 'blocking') {
      it('refuses handlers that return a promise, and lives on', async () => {
        const actor = await spawn()
        expect((await rejection(actor.ask(['promise']))).code).to.equal('ERR_ASYNC_FUNCTION')
        expect(await actor.ask(['incarnation'])).to.equal(1)
        await actor.stop()
      })
    } else {
      it('waits for a handler that returns a promise, and for its own exit until then', async () => {
        const gate = newGate()
        const actor = await node.spawn(counter.with({ id: unique(), args: [0, gate] }))
        const waiting = actor.ask(['wait'])
        const next = actor.ask(['add', 1])
        await arrived(gate)
        await settle()
        openGate(gate)
        expect(await waiting).to.equal(true)
        expect(await next).to.equal(1)
        await actor.stop()
      })
    }
  })
}

describe('a mailbox that is full', () => {
  it('lets asks wait, so many at most, and refuses tells', async () => {
    const gate = newGate()
    const actor = await node.spawn(smallWaiting.with({ args: [0, gate] }))
    const held = actor.ask(['hold'])
    await arrived(gate)
    const replies = Array.from({ length: 6 }, () => actor.ask(['add', 1]))
    expect((await rejection(actor.ask(['add', 1])))).to.include({ code: 'ERR_MAILBOX_FULL', outcome: 'none' })
    expect(actor.tell(['add', 1])).to.equal(false)
    openGate(gate)
    await held
    expect((await Promise.all(replies)).at(-1)).to.equal(6)
    await actor.stop()
  })

  it('rejects at once if it is told to', async () => {
    const gate = newGate()
    const actor = await node.spawn(smallRejecting.with({ args: [0, gate] }))
    const held = actor.ask(['hold'])
    await arrived(gate)
    const replies = Array.from({ length: 3 }, () => actor.ask(['add', 1]))
    expect((await rejection(actor.ask(['add', 1]))).code).to.equal('ERR_MAILBOX_FULL')
    openGate(gate)
    await Promise.all([held, ...replies])
    expect(await actor.ask(['get'])).to.equal(3)
    await actor.stop()
  })
})

describe('a shared host', () => {
  it('starts an actor that asks another on the same host', async () => {
    const other = await node.spawn(counter.with({ id: 'other', name: 'other', args: [11] }))
    const actor = await node.spawn(asksAtStart.with({ args: ['other'] }))
    expect(await actor.ask(['get'])).to.equal(11)
    await actor.stop()
    await other.stop()
  })

  it('serves the others while one waits', async () => {
    const gate = newGate()
    const slow = await node.spawn(counter.with({ id: 'slow', args: [0, gate] }))
    const other = await node.spawn(counter.with({ id: 'other' }))
    const waiting = slow.ask(['wait'])
    await arrived(gate)
    const stopped = slow.stop()
    expect(await other.ask(['add', 1])).to.equal(1)
    openGate(gate)
    expect(await waiting).to.equal(true)
    await stopped
    await other.stop()
  })

  it('an actor that asks itself is refused', async () => {
    const actor = await node.spawn(counter.with({ id: 'self', name: 'self', args: [0] }))
    await actor.stop()
    const self = await node.spawn(counter.with({ id: 'other', name: 'me' }))
    const asking = await node.spawn(counter.with({ id: 'me2', name: 'me2', args: [0, newGate(), 'me2'] }))
    expect((await rejection(asking.ask(['askOther', ['get']]))).code).to.equal('ERR_DEADLOCK')
    expect(await asking.ask(['tellOther', ['add', 1]])).to.equal(true)
    while (await asking.ask(['get']) !== 1);
    await asking.stop()
    await self.stop()
  })

  it('runs timers of the node\'s clock between messages, and not after their actor was stopped', async () => {
    const actor = await node.spawn(counter.with({ id: 'timed' }))
    node.clock.hold()
    await actor.ask(['addAfter', 1000, 5])
    node.clock.advance(999)
    await node.clockMoved()
    expect(await actor.ask(['get'])).to.equal(0)
    node.clock.advance(1)
    await node.clockMoved()
    while (await actor.ask(['get']) !== 5);
    node.clock.release()
    await actor.stop()
  })
})
