import { expect } from 'chai'
import { CacheError } from '../../../runtime/errors.js'
import { RESTARTS, STRATEGIES, supervisor } from '../../../runtime/supervision/supervisor-spec.js'
import { actor, gate, rejection, settle, states, superviseWithFakes } from './fake-driver.js'

const { driver, timers, events, build, running, advance, end, delays } = superviseWithFakes()

describe('supervisor', () => {
  describe('starts and stops', () => {
    it('starts in order, one after the other, and stops in reverse', async () => {
      const b = gate()
      driver.startGates.set('b', b)
      const top = build({ children: [actor('a'), actor('b'), actor('c')] })
      const started = top.start()
      await settle()
      expect(driver.take()).to.deep.equal(['start a', 'start b'])
      b.open()
      await started
      expect(driver.take()).to.deep.equal(['start c'])
      const stopGate = gate()
      driver.stopGates.set('b', stopGate)
      const stopped = top.stop()
      await settle()
      expect(driver.take()).to.deep.equal(['stop c', 'stop b'])
      stopGate.open()
      await stopped
      expect(driver.take()).to.deep.equal(['stop a'])
      expect(await top.exited).to.include({ reason: 'shutdown' })
      expect(events.map(({ type, path }) => `${type} ${path.join('/')}`)).to.deep.equal(
        ['started top/a', 'started top/b', 'started top/c', 'stopped top/c', 'stopped top/b', 'stopped top/a'])
    })

    it('leaves nothing behind when a child fails at the first start', async () => {
      driver.failing.set('c', 1)
      const top = build({ children: [actor('a'), actor('b'), actor('c'), actor('d')] })
      expect((await rejection(top.start())).message).to.equal('c did not start')
      expect(driver.take()).to.deep.equal(['start a', 'start b', 'start c', 'stop b', 'stop a'])
      expect(await top.exited).to.include({ reason: 'error' })
      expect((await rejection(top.startChild(actor('e')))).code).to.equal('ERR_STOPPED')
    })

    it('hands each child its own deadline, 0 for one to be killed', async () => {
      const top = await running({ children: [actor('a', { shutdownMs: 0 }), actor('b', { shutdownMs: 70 }), actor('c', { shutdownMs: Infinity })] })
      await top.stop()
      expect(['a', 'b', 'c'].map((id) => driver.life(id).deadlines)).to.deep.equal([[0], [70], [Infinity]])
    })

    it('shares out its own deadline, and kills what is left when it has passed', async () => {
      const top = await running({ children: [actor('a'), actor('b'), actor('c')] })
      const c = gate()
      driver.stopGates.set('c', c)
      const stopped = top.stop(300)
      await advance(200)
      c.open()
      driver.stopGates.set('b', gate())
      await settle()
      expect(driver.life('b').deadlines).to.deep.equal([100])
      await advance(100)
      driver.stopGates.get('b')!.open()
      await stopped
      expect(driver.life('a').deadlines).to.deep.equal([0])
    })

    it('a second stop shortens the deadline of the child that is being stopped', async () => {
      const top = await running({ children: [actor('a')] })
      driver.stopGates.set('a', gate())
      const first = top.stop()
      await settle()
      const second = top.stop(0)
      await Promise.all([first, second])
      expect(driver.life('a').deadlines).to.deep.equal([5000, 0])
    })

    it('a second stop does not lengthen the deadline', async () => {
      const top = await running({ children: [actor('a')] })
      const a = gate()
      driver.stopGates.set('a', a)
      const stopped = [top.stop(100)]
      await settle()
      stopped.push(top.stop(), top.stop(7000))
      a.open()
      await Promise.all(stopped)
      expect(driver.life('a').deadlines).to.deep.equal([100])
    })

    it('may be stopped twice, before its start and without children', async () => {
      const top = build({})
      await Promise.all([top.stop(), top.stop()])
      expect((await rejection(top.start())).code).to.equal('ERR_STOPPED')
      expect(driver.log).to.deep.equal([])
    })

    it('stop during start waits for the child in progress, starts no other, and start rejects', async () => {
      const b = gate()
      driver.startGates.set('b', b)
      const top = build({ children: [actor('a'), actor('b'), actor('c')] })
      const started = rejection(top.start())
      await settle()
      const stopped = top.stop()
      expect(driver.attempts.get('b')![0]!.signal.aborted).to.equal(true)
      b.open()
      await stopped
      expect((await started).code).to.equal('ERR_STOPPED')
      expect(driver.take()).to.deep.equal(['start a', 'start b', 'stop b', 'stop a'])
      expect(await top.exited).to.include({ reason: 'shutdown' })
    })

    it('stop with a deadline gives up a start that does not end, in a nested supervisor too, and kills what still comes of it', async () => {
      const stuck = gate()
      driver.startGates.set('x', stuck)
      const top = build({ children: [actor('a'), supervisor({ id: 'inner', children: [actor('x')] })] })
      const started = rejection(top.start())
      await settle()
      const stopped = top.stop(50)
      await advance(50)
      await stopped
      expect((await started).code).to.equal('ERR_STOPPED')
      expect(driver.take()).to.deep.equal(['start a', 'start x', 'stop a'])
      stuck.open()
      await settle()
      expect(driver.life('x').deadlines).to.deep.equal([0])
    })

    it('stops although a child breaks its contract', async () => {
      const top = await running({ children: [actor('a'), actor('b')] })
      driver.life('b').stop = () => Promise.reject(new Error('no'))
      await top.stop()
      expect(driver.take()).to.deep.equal(['stop a'])
    })
  })

  describe('strategy × restart type × exit reason', () => {
    const stopsAndStarts: Record<string, string[]> = {
      one_for_one: ['start b'],
      one_for_all: ['stop c', 'stop a', 'start a', 'start b', 'start c'],
      rest_for_one: ['stop c', 'start b', 'start c'],
    }
    for (const strategy of STRATEGIES) {
      for (const restart of RESTARTS) {
        for (const reason of ['normal', 'shutdown', 'error'] as const) {
          const restarts = restart === 'permanent' || (restart === 'transient' && reason === 'error')
          it(`${strategy}: a ${restart} child that ends with ${reason} is ${restarts ? 'restarted' : 'not restarted'}`, async () => {
            const top = await running({ strategy, children: [actor('a'), actor('b', { restart }), actor('c')] })
            expect(await end('b', reason)).to.deep.equal(restarts ? stopsAndStarts[strategy] : [])
            expect(states(top)).to.deep.equal(restart === 'temporary'
              ? { a: 'running', c: 'running' }
              : { a: 'running', b: restarts ? 'running' : 'stopped', c: 'running' })
            expect(top.tree().children.find(({ id }) => id === 'b')?.restarts).to.equal(restart === 'temporary' ? undefined : Number(restarts))
          })
        }
      }
      it(`${strategy}: temporary siblings stopped by a restart are forgotten, ended ones start again with their group`, async () => {
        const top = await running({ strategy, children: [actor('a'), actor('b'), actor('c', { restart: 'temporary' }), actor('d', { restart: 'transient' })] })
        await end('d', 'normal')
        await end('b')
        expect(states(top)).to.deep.equal(strategy === 'one_for_one'
          ? { a: 'running', b: 'running', c: 'running', d: 'stopped' }
          : { a: 'running', b: 'running', d: 'running' })
      })
    }
  })

  describe('delays', () => {
    it('restarts at once, then after 50 ms doubling to the cap, and at once again after a quiet while', async () => {
      await running({ maxRestarts: 100, backoff: { max: 300 }, children: [actor('a')] })
      const expected = [0, 50, 100, 200, 300, 300]
      for (const delayMs of expected) {
        await end('a')
        if (delayMs > 0) {
          await advance(delayMs - 1)
          expect(driver.take()).to.deep.equal([])
          await advance(1)
          expect(driver.take()).to.deep.equal(['start a'])
        }
      }
      await advance(9_999)
      await end('a')
      await advance(300)
      await advance(10_000)
      await end('a')
      expect(delays()).to.deep.equal([...expected, 300, 0])
      expect(driver.attempts.get('a')!.map(({ failuresInARow }) => failuresInARow)).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 1])
    })

    it('jitter takes off up to its fraction', async () => {
      const randoms = [0.5, 0.5, 1, 0]
      await running({ backoff: { first: 10, jitter: 0.2 }, children: [actor('a')] }, () => randoms.shift()!)
      for (let at = 0; at < 4; at++) {
        await end('a')
        await advance(1000)
      }
      expect(delays()).to.deep.equal([9, 45, 80, 200])
    })

    it('children of one_for_one have delays of their own, a group has one', async () => {
      for (const [strategy, expected] of [['one_for_one', [0, 0]], ['one_for_all', [0, 50]], ['rest_for_one', [0, 50]]] as const) {
        const top = await running({ strategy, children: [actor('a'), actor('b')] })
        events.length = 0
        await end('a')
        await end('b')
        expect(delays(), strategy).to.deep.equal(expected)
        await top.stop()
      }
    })

    it('a group is stopped at once and started when the delay is over', async () => {
      const top = await running({ strategy: 'one_for_all', backoff: { first: 50 }, children: [actor('a'), actor('b')] })
      expect(await end('b')).to.deep.equal(['stop a'])
      expect(states(top)).to.deep.equal({ a: 'restarting', b: 'restarting' })
      await advance(50)
      expect(driver.take()).to.deep.equal(['start a', 'start b'])
    })

    it('stop during a delay ends it', async () => {
      const top = await running({ backoff: { first: 50 }, children: [actor('a'), actor('b')] })
      await end('a')
      expect(timers.pending).to.equal(1)
      await top.stop()
      expect(timers.pending).to.equal(0)
      await advance(50)
      expect(driver.take()).to.deep.equal(['stop b'])
    })

    it('an exit of an elder child during the delay of a group takes the group over', async () => {
      await running({ strategy: 'rest_for_one', backoff: { first: 50, then: 80 }, children: [actor('a'), actor('b'), actor('c')] })
      expect(await end('b')).to.deep.equal(['stop c'])
      expect(await end('a')).to.deep.equal([])
      await advance(50)
      expect(driver.take()).to.deep.equal([])
      await advance(30)
      expect(driver.take()).to.deep.equal(['start a', 'start b', 'start c'])
    })
  })

  describe('the limit', () => {
    const limited = { maxRestarts: 2, within: '10s', backoff: { then: 0, first: 0 } } as const

    it('ends the supervisor with ERR_RESTART_LIMIT after stopping the others in reverse', async () => {
      const top = await running({ ...limited, children: [actor('a'), actor('b'), actor('c')] })
      expect([...await end('b'), ...await end('b')]).to.deep.equal(['start b', 'start b'])
      expect(await end('b')).to.deep.equal(['stop c', 'stop a'])
      const exit = await top.exited
      expect(exit.reason).to.equal('error')
      expect(exit.error).to.be.instanceOf(CacheError).and.include({ code: 'ERR_RESTART_LIMIT', outcome: 'unknown', supervisor: 'top', child: 'b' })
      expect(exit.error!.cause).to.include({ message: 'b crashed' })
      expect(events.at(-3)).to.include({ type: 'limit-exceeded' })
      expect(top.tree().state).to.equal('stopped')
    })

    it('is one of a sliding window', async () => {
      const top = await running({ ...limited, children: [actor('a')] })
      for (let at = 0; at < 6; at++) {
        await end('a')
        await advance(5001)
      }
      expect(states(top)).to.deep.equal({ a: 'running' })
      await end('a') // the last one was 5001 ms ago
      await end('a')
      expect(await top.exited).to.include({ reason: 'error' })
    })

    it('of 0 allows no restart', async () => {
      const top = await running({ maxRestarts: 0, children: [actor('a')] })
      expect(await end('a')).to.deep.equal([])
      expect((await top.exited).error).to.include({ code: 'ERR_RESTART_LIMIT' })
    })

    it('counts starts that fail during a restart, each of them tried again', async () => {
      const top = await running({ maxRestarts: 3, backoff: { jitter: 0 }, children: [actor('a'), actor('b')] })
      driver.failing.set('a', 2)
      await end('a')
      await advance(50)
      await advance(100)
      expect(states(top)['a']).to.equal('running')
      expect(delays()).to.deep.equal([0, 50, 100])
      expect(driver.attempts.get('a')!.map(({ failedStartsInARow }) => failedStartsInARow)).to.deep.equal([0, 0, 1, 2])
      driver.failing.set('a', 9)
      driver.take()
      expect(await end('a')).to.deep.equal(['stop b'])
      expect((await top.exited).error!.cause).to.include({ message: 'a crashed' })
    })

    it('counts failed starts in a row until one succeeds', async () => {
      await running({ backoff: { then: 0 }, children: [actor('a')] })
      for (let at = 0; at < 2; at++) {
        driver.failing.set('a', 2)
        await end('a')
      }
      expect(driver.attempts.get('a')!.map(({ failedStartsInARow }) => failedStartsInARow)).to.deep.equal([0, 0, 1, 2, 0, 1, 2])
    })

    it('does not count a death that does not count', async () => {
      const top = await running({ maxRestarts: 0, children: [actor('a')] })
      for (let at = 0; at < 5; at++) expect(await end('a', 'error', { counts: false })).to.deep.equal(['start a'])
      expect(states(top)).to.deep.equal({ a: 'running' })
      expect(delays()).to.deep.equal([0, 0, 0, 0, 0])
    })

    for (const strategy of STRATEGIES) {
      it(`${strategy}: counts one death of several children once`, async () => {
        const top = await running({ strategy, maxRestarts: 1, children: [actor('a'), actor('b'), actor('c'), actor('d')] })
        const death = {}
        for (const id of ['d', 'c', 'b']) driver.life(id).exit('error', { death })
        await settle()
        expect(states(top)).to.deep.equal({ a: 'running', b: 'running', c: 'running', d: 'running' })
        expect(Math.max(...delays())).to.equal(0)
        const log = driver.take()
        expect(log.filter((line) => line.startsWith('stop')), 'the dead are not stopped').to.deep.equal(strategy === 'one_for_all' ? ['stop a'] : [])
        expect(events.filter(({ type }) => type === 'restarting').length).to.equal(strategy === 'one_for_all' ? 1 : 3)
        const starts = log.filter((line) => line.startsWith('start'))
        expect(starts.toSorted()).to.deep.equal([...strategy === 'one_for_all' ? ['start a'] : [], 'start b', 'start c', 'start d'])
        driver.life('a').exit('error')
        await settle()
        expect((await top.exited).reason).to.equal('error')
      })
    }
  })
})
