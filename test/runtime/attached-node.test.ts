import { expect } from 'chai'
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { Node } from '../../runtime/index.js'
import { arrivals, blockingCounter, newGate, openGate } from './actors/counter.js'
import { settle } from './supervision/fake-driver.js'

const ENTRY = new URL('./actors/attached.js', import.meta.url)

describe('a worker thread that attaches to a node', () => {
  let node: Node
  let worker: Worker
  const gate = newGate()
  const done = new SharedArrayBuffer(4)

  before(async () => {
    node = await Node.start('attached')
    await node.spawn(blockingCounter.with({ name: 'counted', args: [0, gate] }))
  })

  after(async () => { await node.stop() })

  beforeEach(async () => {
    const attachment = node.attach()
    worker = new Worker(ENTRY, { workerData: { attachment, name: 'counted', done }, transferList: [attachment.control, attachment.lifeline] })
    await once(worker, 'message')
  })

  afterEach(async () => { await worker.terminate() })

  const order = async (what: string): Promise<unknown> => {
    worker.postMessage(what)
    return (await once(worker, 'message') as [unknown])[0]
  }

  const lanes = (): string[] => [...node.vault.snapshot().keys()].filter((name) => name.startsWith('lane/'))

  it('asks its actors, also while the main thread stands still', async () => {
    expect(await order('add')).to.equal(1)
    worker.postMessage('add a thousand')
    const word = new Int32Array(done)
    expect(Atomics.wait(word, 0, 0, 20_000)).to.not.equal('timed-out') // the main thread does nothing until then
    expect((await once(worker, 'message') as [unknown])[0]).to.equal('done')
    expect(await order('add')).to.equal(1002)
  })

  it('finds the node again when the system thread was killed', async () => {
    const before = await order('incarnation') as number
    await node.kill('system')
    expect(await order('incarnation')).to.equal(before + 1)
    expect(await order('whereis')).to.equal('counted')
    await node.kill('system')
    expect(await order('whereis')).to.equal('counted')
  })

  it('gives back its lanes when it is terminated, and what it had told runs', async () => {
    const actor = (await node.whereis('counted', blockingCounter))!
    const before = await actor.ask(['get'])
    const clients = (await node.counters()).clients
    // The lane is open: what is told from now on is in the ring, and not in the memory of the thread that will be gone.
    expect(await order('incarnation')).to.be.a('number')
    expect(await order('hold and tell')).to.equal(100)
    while (arrivals(gate) === 0) await settle()
    expect(lanes()).to.have.length(2)
    await worker.terminate()
    openGate(gate)
    while (lanes().length > 1 || (await node.counters()).clients !== clients - 1);
    expect(await actor.ask(['get'])).to.equal(before + 100)
  })

  it('gives back its lanes when it closes', async () => {
    expect(await order('add')).to.be.a('number')
    expect(await order('close')).to.equal('failed: ERR_STOPPED')
    while (lanes().length > 1) await node.counters()
  })

  it('hears that the node has stopped', async () => {
    expect(await order('add')).to.be.a('number')
    await node.stop()
    expect(await order('add')).to.equal('failed: ERR_STOPPED')
  })
})
