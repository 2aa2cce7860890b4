import { expect } from 'chai'
import { spawn as spawnProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Node, supervisor } from '../../runtime/index.js'
import { arrivals, counter, counters, newGate, openGate, ownCounter } from './actors/counter.js'
import { rejection, settle } from './supervision/fake-driver.js'

const PROGRAM = fileURLToPath(new URL('./actors/exits.js', import.meta.url))

/** Runs a program of the folder's to its end; resolves with its exit code and what it printed. */
async function program(scenario: string): Promise<{ code: unknown; out: string }> {
  const child = spawnProcess(process.execPath, [PROGRAM, scenario], { stdio: ['ignore', 'pipe', 'inherit'] })
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => { out += chunk.toString() })
  const [code] = await once(child, 'exit') as [unknown]
  return { code, out }
}

describe('a node', () => {
  it('stops once however often it is asked to, drains what is queued, and then refuses everything', async () => {
    const node = await Node.start('stops')
    const gate = newGate()
    const actors = await Promise.all((['shared', 'own', 'blocking'] as const).map((kind) => node.spawn(counters[kind].with({ args: [0, gate] }))))
    const held = actors.map((actor) => actor.ask(['hold']))
    const queued = actors.flatMap((actor) => Array.from({ length: 100 }, () => actor.ask(['add', 1])))
    while (arrivals(gate) < actors.length) await settle()
    const stops = [node.stop(), node.stop()]
    openGate(gate)
    await Promise.all([...held, ...queued])
    await Promise.all(stops)
    await node.stop()
    for (const call of [node.whereis('x'), node.spawn(counter), node.watch('x'), node.tree(), node.counters(), node.kill('system'), actors[0]!.ask(['get'])]) {
      expect((await rejection(call)).code).to.equal('ERR_STOPPED')
    }
    expect(() => actors[0]!.tell(['add', 1])).to.throw().with.property('code', 'ERR_STOPPED')
    expect(() => node.attach()).to.throw().with.property('code', 'ERR_STOPPED')
    expect(node.vault.get('spec/counter')).to.equal(undefined)
  })

  it('stops in reverse order, also with `await using`', async () => {
    let actor
    {
      await using node = await Node.start('using')
      actor = await node.spawn(counter)
      expect(await actor.ask(['add', 1])).to.equal(1)
    }
    expect((await rejection(actor.ask(['get']))).code).to.equal('ERR_STOPPED')
  })

  it('can be started and stopped twenty times, and leaves no thread and no handle', async () => {
    const handles = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker').length
    const before = handles()
    for (let round = 0; round < 20; round++) {
      const node = await Node.start(`round-${round}`)
      expect(node.client.id).to.equal(1)
      await node.stop()
    }
    expect(handles()).to.be.at.most(before)
  })

  it('prints its tree', async () => {
    const node = await Node.start('tree')
    await node.spawn(supervisor({ id: 'group', strategy: 'rest_for_one', children: [counter, ownCounter] }))
    const { children } = await node.tree()
    expect(children).to.have.length(1)
    expect(children[0]).to.include({ id: 'group', state: 'running', strategy: 'rest_for_one' })
    expect(children[0]!.children.map(({ id, host }) => [id, host])).to.deep.equal([['counter', 'shared'], ['own-counter', 'group/own-counter']])
    await node.stop()
  })
})

describe('a process', () => {
  it('exits by itself after it stopped its nodes', async () => {
    expect(await program('stopped')).to.deep.equal({ code: 0, out: 'stopped\n' })
  })

  it('is not kept alive by a node that is idle, nor by a watch, an aborted ask or a told message', async () => {
    expect(await program('idle')).to.deep.equal({ code: 0, out: 'idle\n' })
  })

  it('is kept alive by an ask until it is answered', async () => {
    expect(await program('pending')).to.deep.equal({ code: 0, out: 'answered true\n' })
  })

  it('is kept alive by an ask while the system thread restarts', async () => {
    expect(await program('killed')).to.deep.equal({ code: 0, out: 'answered 2\n' })
  })
})
