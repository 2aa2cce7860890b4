/** The system thread is killed: everything comes back, as it was. */
import { expect } from 'chai'
import { Node, supervisor } from '../../../runtime/index.js'
import { arrivals, counters, failStarts, newGate, openGate, ownCounter } from '../actors/counter.js'
import { rejection, settle } from '../supervision/fake-driver.js'

async function arrived(gate: SharedArrayBuffer): Promise<void> {
  while (arrivals(gate) === 0) await settle()
}

describe('a system thread that is killed', () => {
  let node: Node

  beforeEach(async () => { node = await Node.start('killed') })
  afterEach(async () => { await node.stop() })

  it('comes back with everything, ten times: messages that were queued run, incarnations go on', async function () {
    this.timeout(60_000)
    await node.spawn(supervisor({ id: 'group', children: [counters.shared.with({ name: 'shared' }), counters.blocking.with({ name: 'blocking' })] }))
    const own = await node.spawn(ownCounter.with({ name: 'own' }))
    const actors = [own, (await node.whereis('shared', ownCounter))!, (await node.whereis('blocking', ownCounter))!]
    for (let kill = 1; kill <= 10; kill++) {
      const replies = Promise.allSettled(actors.flatMap((actor) => Array.from({ length: 50 }, () => actor.ask(['add', 1]))))
      await node.kill('system')
      const incarnations = actors.map((actor) => actor.ask(['incarnation'], { timeout: 20_000 }))
      expect(await Promise.all(incarnations)).to.deep.equal(actors.map(() => kill + 1))
      for (const result of await replies) {
        if (result.status === 'rejected') expect(result.reason).to.include({ code: 'ERR_ACTOR_CRASHED', outcome: 'unknown' })
      }
      expect((await node.tree()).children.map(({ id, state }) => [id, state])).to.deep.equal([['group', 'running'], ['own', 'running']])
      expect(node.systemRestarts).to.equal(kill)
    }
    expect(await node.whereis('own')).to.not.equal(undefined)
    expect((await node.counters()).systemRestarts).to.equal(10)
  })

  it('fails as unknown what was worked on, and keeps large messages', async () => {
    const gate = newGate()
    const actor = await node.spawn(counters.blocking.with({ args: [0, gate] }))
    const held = rejection(actor.ask(['hold'], { timeout: 20_000 }))
    await arrived(gate)
    const large = 'x'.repeat(5 << 20)
    const queued = [actor.ask(['echo', large], { timeout: 20_000 }), actor.ask(['echo', large], { timeout: 20_000 })]
    await settle()
    await node.kill('system')
    openGate(gate)
    expect(await held).to.include({ code: 'ERR_ACTOR_CRASHED', outcome: 'unknown' })
    expect((await Promise.all(queued)).every((value) => value === large)).to.equal(true)
    await node.tree()
    expect([...node.vault.snapshot().keys()].filter((name) => name.startsWith('large/')).length).to.be.at.most(1)
  })

  it('serves what is called while it is away: spawn, whereis, kill, tree', async () => {
    await node.spawn(ownCounter.with({ name: 'own', args: [3] }))
    const killed = node.kill('system')
    const spawned = node.spawn(counters.shared.with({ id: 'new', args: [4] }))
    const found = node.whereis('own', ownCounter)
    const tree = node.tree()
    await killed
    expect(await (await spawned).ask(['get'])).to.equal(4)
    expect(await (await found)!.ask(['get'])).to.equal(3)
    expect((await tree).id).to.equal('node')
  })

  it('tells those who watch that the actor has died with it', async () => {
    const actor = await node.spawn(ownCounter)
    const watched = node.watch(actor)
    await node.kill('system')
    expect((await watched).reason).to.equal('error')
  })

  it('does not bring back what is never restarted, nor what had ended, and closes their lanes', async () => {
    const temporary = await node.spawn(ownCounter.with({ id: 'temporary', name: 'temporary', restart: 'temporary' }))
    const ended = await node.spawn(ownCounter.with({ id: 'ended', restart: 'transient' }))
    await ended.ask(['end'])
    while (await node.whereis('ended') !== undefined);
    await temporary.ask(['get'])
    const gone = rejection(temporary.ask(['later', 10_000], { timeout: 20_000 }))
    await node.kill('system')
    expect((await gone).code).to.equal('ERR_STOPPED')
    expect((await node.tree()).children).to.deep.equal([])
    for (const id of ['temporary', 'ended']) expect(await node.whereis(id)).to.equal(undefined)
    expect([...node.vault.snapshot().keys()].filter((name) => /^(spec|lane|buffer)/.test(name))).to.deep.equal([])
  })

  it('comes back also if an actor fails to start then, which is tried again', async () => {
    const gate = newGate()
    const failing = await node.spawn(ownCounter.with({ id: 'failing', args: [1, gate] }))
    const other = await node.spawn(ownCounter.with({ id: 'other', args: [2] }))
    await failing.ask(['get'])
    failStarts(gate, 2)
    await node.kill('system')
    expect(await other.ask(['get'], { timeout: 20_000 })).to.equal(2)
    expect(await failing.ask(['get'], { timeout: 20_000 })).to.equal(1)
    expect(await failing.ask(['incarnation'])).to.equal(4)
    expect(node.systemRestarts).to.equal(1)
  })
})
