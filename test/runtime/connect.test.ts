import { expect } from 'chai'
import { once } from 'node:events'
import { MessageChannel, type MessagePort } from 'node:worker_threads'
import { moving } from '../../runtime/control.js'
import { Node } from '../../runtime/index.js'
import { counter } from './actors/counter.js'
import { spec } from './actors/switchboard.js'
import { rejection } from './supervision/fake-driver.js'

describe('a port handed to an actor', () => {
  let node: Node

  before(async () => (node = await Node.start('ports')))
  after(() => node.stop())

  async function connect(id: string): Promise<MessagePort> {
    const { port1, port2 } = new MessageChannel()
    await node.client.control((api) => api.connect(id, moving(port2, [port2])))
    return port1
  }

  for (const kind of ['system', 'own'] as const) {
    it(`goes both ways, and closes when either end goes: ${kind}`, async () => {
      await node.spawn(spec('switchboard', kind))
      const [ada, ben] = await Promise.all([connect(`switchboard-${kind}`), connect(`switchboard-${kind}`)])
      ada.postMessage({ hello: 'all' })
      expect(await Promise.all([once(ada, 'message'), once(ben, 'message')])).to.deep.equal([[{ hello: 'all' }], [{ hello: 'all' }]])
      ben.close()
      await once(ben, 'close')
      const closed = once(ada, 'close')
      await node.stopChild(`switchboard-${kind}`)
      if (kind === 'own') await closed
      else ada.close()
    })
  }

  it('is closed if the actor takes none, and refused if there is no such actor', async () => {
    await node.spawn(spec('deaf', 'system'))
    const port = await connect('deaf-system')
    await once(port, 'close')
    const { port1, port2 } = new MessageChannel()
    expect(await rejection(node.client.control((api) => api.connect('nobody', moving(port2, [port2]))))).to.have.property('code', 'ERR_NO_ACTOR')
    port1.close()
  })
})

describe('an actor on the system thread', () => {
  it('asks actors elsewhere, and so do those that come when all before it have stopped', async () => {
    const node = await Node.start('system-actors')
    await node.spawn(counter.with({ name: 'counter' }))
    for (let round = 1; round <= 3; round++) {
      const relay = await node.spawn(spec('relay', 'system'))
      for (let turn = 1; turn <= 2; turn++) {
        // Long enough for its client to fall asleep in between.
        await new Promise((resolve) => setTimeout(resolve, 20))
        expect(await relay.ask(['add'] as never, { timeout: 2000 })).to.equal(2 * (round - 1) + turn)
      }
      await relay.stop()
    }
    await node.stop()
  })
})
