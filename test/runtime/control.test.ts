import { expect } from 'chai'
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads'
import { SystemConnection } from '../../runtime/connection.js'
import { ControlLink, serveControl } from '../../runtime/control.js'
import { CacheError } from '../../runtime/errors.js'
import type { SystemApi } from '../../runtime/system-api.js'
import { gate, rejection, settle } from './supervision/fake-driver.js'

interface Api {
  double(n: number): Promise<number>
  hang(): Promise<void>
  fail(): Promise<void>
  unsendable(): Promise<unknown>
}

describe('a control link', () => {
  let link: ControlLink<Api>
  let far: MessagePort

  beforeEach(() => {
    const { port1, port2 } = new MessageChannel()
    far = port1
    const api: Api = {
      double: (n) => Promise.resolve(n * 2),
      hang: () => gate().opened,
      fail: () => Promise.reject(new CacheError('ERR_NAME_TAKEN', 'taken', { cause: new RangeError('why'), outcome: 'unknown', name: 'x', place: 'p' })),
      unsendable: () => Promise.resolve(() => 1),
    }
    void serveControl(api, port1)
    link = new ControlLink<Api>(port2)
  })

  afterEach(() => {
    link.close()
    far.close()
  })

  it('takes an answer that came in time while its own thread was busy', async () => {
    const { port1, port2 } = new MessageChannel()
    const worker = new Worker(new URL('./control-thread.js', import.meta.url), { workerData: { port: port1 }, transferList: [port1] })
    const busy = new ControlLink<Api>(port2)
    await busy.call((api) => api.double(1))
    const call = busy.call((api) => api.double(4), 50)
    // Comlink sends in a microtask.
    await Promise.resolve()
    for (const end = performance.now() + 200; performance.now() < end;);
    expect(await call).to.equal(8)
    busy.close()
    await worker.terminate()
  })

  it('calls, and gives errors their code, outcome, cause and details', async () => {
    expect(await link.call((api) => api.double(4))).to.equal(8)
    const error = await rejection(link.call((api) => api.fail()))
    expect(error).to.be.instanceOf(CacheError).and.include({ code: 'ERR_NAME_TAKEN', outcome: 'unknown', message: 'taken', place: 'p' })
    expect(error.cause).to.be.instanceOf(RangeError).with.property('message', 'why')
  })

  it('fails with ERR_TIMEOUT at its deadline', async () => {
    expect(await rejection(link.call((api) => api.hang(), 5))).to.include({ code: 'ERR_TIMEOUT', outcome: 'unknown', timeout: 5 })
  })

  it('fails what is pending, and all later calls, when the other end goes', async () => {
    const pending = rejection(link.call((api) => api.hang(), Infinity))
    far.close()
    expect(await pending).to.include({ code: 'ERR_ACTOR_CRASHED', outcome: 'unknown' })
    await link.closed
    expect(link.peerDied).to.equal(true)
    expect((await rejection(link.call((api) => api.double(1)))).code).to.equal('ERR_ACTOR_CRASHED')
  })

  it('fails what is pending with ERR_STOPPED when it is closed here', async () => {
    const pending = rejection(link.call((api) => api.hang()))
    link.close()
    expect((await pending).code).to.equal('ERR_STOPPED')
    expect(link.peerDied).to.equal(false)
  })

  it('rejects what cannot be sent, either way, and goes on', async () => {
    expect((await rejection(link.call((api) => api.double((() => 1) as never)))).name).to.equal('DataCloneError')
    expect(await rejection(link.call((api) => api.unsendable()))).to.be.instanceOf(TypeError)
    expect((await rejection(link.call(() => { throw new Error('at once') }))).message).to.equal('at once')
    expect(await link.call((api) => api.double(1))).to.equal(2)
  })
})

describe('a connection', () => {
  const link = (): ControlLink<SystemApi> => new ControlLink<SystemApi>(new MessageChannel().port2)

  it('gives up on calls of a link that another has replaced, and tells those who wait for it', async () => {
    const connection = new SystemConnection()
    const [first, second] = [link(), link()]
    connection.use(first)
    const pending = rejection(first.call((api) => api.tree()))
    let replaced = false
    const waiting = connection.replaced(first).then(() => { replaced = true })
    await settle()
    expect(replaced).to.equal(false)
    connection.use(second)
    await waiting
    expect((await pending).code).to.equal('ERR_ACTOR_CRASHED')
    expect(first.peerDied).to.equal(true)
    expect(connection.link).to.equal(second)
    await connection.replaced(first)
    const closing = rejection(connection.replaced(second))
    connection.close(new CacheError('ERR_STOPPED', 'stopped'))
    expect((await closing).code).to.equal('ERR_STOPPED')
    expect(() => connection.link).to.throw().with.property('code', 'ERR_STOPPED')
  })
})
