import { expect } from 'chai'
import { formatTree } from '../../../runtime/supervision/supervision-tree.js'
import { supervisor, type ChildSpec, type SupervisorOptions, type SupervisorSpec } from '../../../runtime/supervision/supervisor-spec.js'
import { Supervisor } from '../../../runtime/supervision/supervisor.js'
import { actor, gate, rejection, settle, states, superviseWithFakes } from './fake-driver.js'

const { driver, timers, events, build, running, advance, end } = superviseWithFakes()

describe('supervisor: trees and changes', () => {
  describe('nested', () => {
    const inner = (more: Partial<SupervisorOptions> = {}): SupervisorSpec =>
      supervisor({ id: 'inner', maxRestarts: 1, backoff: { then: 0 }, children: [actor('x'), actor('y')], ...more })

    it('a supervisor that gives up is restarted by the one above, and its children keep counting their incarnations', async () => {
      const top = await running({ children: [actor('a'), inner()] })
      await end('x')
      expect(await end('x')).to.deep.equal(['stop y', 'start x', 'start y'])
      expect(driver.attempts.get('x')!.map(({ incarnation, path }) => [incarnation, path.join('/')])).to.deep.equal(
        [[1, 'top/inner/x'], [2, 'top/inner/x'], [3, 'top/inner/x']])
      expect(top.tree().children[1]).to.include({ restarts: 1, incarnation: 2, state: 'running' })
    })

    it('temporary children of a spec are there again after the restart of their supervisor', async () => {
      await running({ children: [inner({ maxRestarts: 0, children: [actor('x'), actor('t', { restart: 'temporary' })] })] })
      await end('x')
      expect(driver.attempts.get('t')!.map(({ incarnation }) => incarnation)).to.deep.equal([1, 2])
    })

    it('escalates over two levels to the top, and everything is stopped in reverse', async () => {
      const top = await running({ maxRestarts: 0, children: [actor('a'), supervisor({ id: 'middle', maxRestarts: 0, children: [actor('m'), inner()] })] })
      await end('x')
      expect(await end('x')).to.deep.equal(['stop y', 'stop m', 'stop a'])
      const error = (await top.exited).error!
      expect([error as unknown, error.cause, (error.cause as Error).cause].map((one) => (one as Record<string, unknown> | undefined)?.['supervisor'])).to.deep.equal(['top', 'top/middle', 'top/middle/inner'])
    })

    it('one death that ends two supervisors counts once above them', async () => {
      const two = (id: string, child: string): SupervisorSpec => supervisor({ id, maxRestarts: 0, children: [actor(child)] })
      const top = await running({ maxRestarts: 1, children: [two('one', 'x'), two('two', 'y')] })
      const death = {}
      driver.life('x').exit('error', { death })
      driver.life('y').exit('error', { death })
      await settle()
      expect(states(top)).to.deep.equal({ one: 'running', two: 'running' })
    })

    it('a transient supervisor is restarted when it gave up, a temporary one is forgotten', async () => {
      const top = await running({ children: [inner({ restart: 'transient', maxRestarts: 0 }), supervisor({ id: 'other', restart: 'temporary', maxRestarts: 0, children: [actor('z')] })] })
      await end('x')
      await end('z')
      expect(states(top)).to.deep.equal({ inner: 'running' })
    })

    it('a failed start of a nested supervisor leaves nothing behind, at the start and at a restart', async () => {
      driver.failing.set('y', 1)
      const top = build({ children: [actor('a'), inner()] })
      expect((await rejection(top.start())).message).to.equal('y did not start')
      expect(driver.take()).to.deep.equal(['start a', 'start x', 'start y', 'stop x', 'stop a'])
      const again = await running({ backoff: { first: 0, then: 0 }, children: [inner({ maxRestarts: 0 })] })
      driver.failing.set('y', 1)
      expect(await end('x')).to.deep.equal(['stop y', 'start x', 'start y', 'stop x', 'start x', 'start y'])
      expect(states(again)).to.deep.equal({ inner: 'running' })
    })

    it('is stopped with its own deadline and finds supervisors by path', async () => {
      const top = await running({ children: [inner({ shutdown: 40 })] })
      expect(top.descendant(['inner'])!.path).to.deep.equal(['top', 'inner'])
      expect(top.descendant(['inner', 'x'])).to.equal(undefined)
      expect(top.descendant([])).to.equal(top)
      await top.stop()
      expect(driver.life('y').deadlines).to.deep.equal([40])
    })
  })

  describe('changes while it runs', () => {
    it('starts children of a supervisor that had none, in order of the calls', async () => {
      const top = await running({})
      await Promise.all([top.startChild(actor('a')), top.startChild(actor('b'))])
      expect((await rejection(top.startChild(actor('a')))).code).to.equal('ERR_NAME_TAKEN')
      expect((await rejection(top.startChild({ kind: 'actor', id: 'c' } as ChildSpec))).code).to.equal('ERR_INVALID_OPTION')
      driver.failing.set('d', 1)
      expect((await rejection(top.startChild(actor('d')))).message).to.equal('d did not start')
      expect(states(top)).to.deep.equal({ a: 'running', b: 'running' })
      await end('b')
      expect(states(top)).to.deep.equal({ a: 'running', b: 'running' })
    })

    it('refuses changes before the start and after the stop', async () => {
      const top = build({ children: [actor('a')] })
      expect((await rejection(top.startChild(actor('b')))).code).to.equal('ERR_STOPPED')
      await top.start()
      await top.stop()
      for (const call of [top.startChild(actor('b')), top.terminateChild('a'), top.restartChild('a'), top.deleteChild('a')]) {
        expect((await rejection(call)).code).to.equal('ERR_STOPPED')
      }
    })

    it('terminates, restarts and deletes a child; a temporary one is forgotten when it is terminated', async () => {
      const top = await running({ children: [actor('a'), actor('t', { restart: 'temporary' })] })
      expect((await rejection(top.restartChild('a'))).code).to.equal('ERR_BUSY')
      expect((await rejection(top.deleteChild('a'))).code).to.equal('ERR_BUSY')
      await top.terminateChild('a')
      await top.terminateChild('a')
      expect(driver.take()).to.deep.equal(['stop a'])
      driver.failing.set('a', 1)
      expect((await rejection(top.restartChild('a'))).message).to.equal('a did not start')
      expect(states(top)['a']).to.equal('stopped')
      await top.restartChild('a')
      expect(driver.attempts.get('a')!.at(-1)!.incarnation).to.equal(3)
      await top.terminateChild('a')
      await top.deleteChild('a')
      await top.terminateChild('t')
      expect(top.whichChildren()).to.deep.equal([])
      expect((await rejection(top.terminateChild('a'))).code).to.equal('ERR_NO_ACTOR')
    })

    it('startChild during a delay starts at once; during a restart it waits for it', async () => {
      const top = await running({ strategy: 'one_for_all', backoff: { first: 50 }, children: [actor('a')] })
      await end('a')
      await top.startChild(actor('b'))
      expect(driver.take()).to.deep.equal(['start b'])
      const a = gate()
      driver.startGates.set('a', a)
      await advance(50)
      const added = top.startChild(actor('c'))
      await settle()
      expect(driver.take()).to.deep.equal(['start a'])
      a.open()
      await added
      expect(driver.take()).to.deep.equal(['start c'])
    })

    it('terminateChild during a delay takes that child out, and the rest of its group restarts', async () => {
      const top = await running({ strategy: 'one_for_all', backoff: { first: 50 }, children: [actor('a'), actor('b')] })
      await end('a')
      expect((await rejection(top.restartChild('a'))).code).to.equal('ERR_BUSY')
      driver.take()
      await top.terminateChild('a')
      await advance(50)
      expect(driver.take()).to.deep.equal(['start b'])
      expect(states(top)).to.deep.equal({ a: 'stopped', b: 'running' })
      await end('b')
      await Promise.all([top.terminateChild('a'), top.terminateChild('b')])
      expect(timers.pending, 'nobody waits any more').to.equal(0)
    })

    it('an exit while others are being restarted is dealt with afterwards', async () => {
      await running({ children: [actor('a'), actor('b')] })
      const a = gate()
      driver.startGates.set('a', a)
      expect(await end('a')).to.deep.equal(['start a'])
      expect(await end('b')).to.deep.equal([])
      a.open()
      await settle()
      expect(driver.take()).to.deep.equal(['start b'])
    })

    it('a start that fails within a group starts the group again, as the strategy says', async () => {
      for (const [strategy, expected] of [
        ['one_for_all', ['stop c', 'stop a', 'start a', 'start b', 'stop a', 'start a', 'start b', 'start c']],
        ['rest_for_one', ['stop c', 'start b', 'start b', 'start c']],
      ] as const) {
        const top = await running({ strategy, backoff: { then: 0 }, children: [actor('a'), actor('b'), actor('c')] })
        driver.failing.set('b', 1)
        expect(await end('b'), strategy).to.deep.equal(expected)
        await top.stop()
      }
    })

    it('the exit of a child that is being stopped changes nothing', async () => {
      const top = await running({ children: [actor('a')] })
      const a = gate()
      driver.stopGates.set('a', a)
      const terminated = top.terminateChild('a')
      await settle()
      expect(await end('a')).to.deep.equal(['stop a'])
      a.open()
      await terminated
      expect(events.map(({ type }) => type)).to.deep.equal(['started', 'stopped'])
      await settle()
      expect(driver.take()).to.deep.equal([])
      expect(states(top)).to.deep.equal({ a: 'stopped' })
    })

    it('stop while a group is being stopped ends its restart', async () => {
      const top = await running({ strategy: 'one_for_all', backoff: { first: 50 }, children: [actor('a'), actor('b'), actor('c')] })
      const b = gate()
      driver.stopGates.set('b', b)
      await end('c')
      const stopped = top.stop()
      b.open()
      await stopped
      expect(driver.take()).to.deep.equal(['stop a'])
      expect(timers.pending).to.equal(0)
      expect(events.some(({ type }) => type === 'restarting')).to.equal(false)
    })

    it('stop in the middle of a restart waits for the start in progress and stops it', async () => {
      const top = await running({ strategy: 'one_for_all', children: [actor('a'), actor('b'), actor('c')] })
      const b = gate()
      driver.startGates.set('b', b)
      await end('c')
      const added = rejection(top.startChild(actor('d')))
      const stopped = top.stop()
      b.open()
      await stopped
      expect((await added).code).to.equal('ERR_STOPPED')
      expect(driver.take()).to.deep.equal(['stop b', 'stop a'])
      expect(events.some(({ type }) => type === 'limit-exceeded')).to.equal(false)
    })

    it('a startChild that a stop overtakes rejects, and its child is stopped', async () => {
      const top = await running({})
      const a = gate()
      driver.startGates.set('a', a)
      const added = rejection(top.startChild(actor('a')))
      await settle()
      const stopped = top.stop()
      a.open()
      await stopped
      expect((await added).code).to.equal('ERR_STOPPED')
      expect(driver.take()).to.deep.equal(['start a', 'stop a'])
    })
  })

  it('is not disturbed by what its observer throws', async () => {
    const top = new Supervisor(supervisor({ id: 'top', children: [actor('a')] }), { driver, timers, onEvent: () => { throw new Error('no') } })
    await top.start()
    expect((await end('a'))).to.deep.equal(['start a', 'start a'])
    await top.stop()
  })

  it('shows its tree as data and as text', async () => {
    const top = await running({ id: 'node', backoff: { first: 10 }, children: [
      actor('names'), supervisor({ id: 'caches', strategy: 'rest_for_one', children: [supervisor({ id: 'shards', children: [actor('shard 0'), actor('shard 1')] }), actor('courier')] }), actor('pool'),
    ] })
    await end('shard 1')
    await end('pool')
    await advance(5)
    expect(top.tree().children[2]).to.deep.equal({ id: 'pool', kind: 'actor', state: 'restarting', restarts: 0, incarnation: 1, children: [] })
    expect(formatTree(top.tree()).split('\n')).to.deep.equal([
      'node              one_for_one',
      '├─ names          on host of names',
      '├─ caches         rest_for_one',
      '│  ├─ shards      one_for_one',
      '│  │  ├─ shard 0  on host of shard 0',
      '│  │  └─ shard 1  on host of shard 1, 1 restart',
      '│  └─ courier     on host of courier',
      '└─ pool           restarting',
    ])
    await top.stop()
    expect(top.tree().children.map(({ state }) => state)).to.deep.equal(['stopped', 'stopped', 'stopped'])
  })
})
