import { expect } from 'chai'
import { setImmediate as turn } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { monotonicMs, NodeClock } from '../../../runtime/clock.js'
import { FUNCTION_DUE, WATCHED } from '../../../runtime/host/protocol.js'
import { NAMES_BYTES } from '../../../runtime/registered-names.js'
import { createHostThread, HostSlot } from '../../../runtime/system/host-slot.js'
import { SpareThreads } from '../../../runtime/system/spare-threads.js'

describe('a host slot', () => {
  let words: Int32Array<SharedArrayBuffer>
  let slot: HostSlot

  beforeEach(() => {
    words = new Int32Array(new SharedArrayBuffer(64))
    slot = new HostSlot({
      id: 'host', kind: 'blocking', heapMb: undefined, node: 'node', clock: new NodeClock(), bell: new SharedArrayBuffer(64), words: words.buffer,
      names: new SharedArrayBuffer(NAMES_BYTES), spare: new SpareThreads(createHostThread), connectClient: () => ({ id: 2, bell: new SharedArrayBuffer(64), control: new MessageChannel().port2 }),
      onReport: () => undefined, onDeath: () => undefined,
    })
  })
  afterEach(() => slot.close())

  it('kills a function over its limit, also after a thread died in the middle of another one', async () => {
    // What a dead thread has left.
    words[FUNCTION_DUE] = (monotonicMs() - 1000) | 0
    words[WATCHED] = 1
    const death = slot.ensureRunning()
    expect([words[FUNCTION_DUE], words[WATCHED]]).to.deep.equal([0, 0])
    words[FUNCTION_DUE] = (monotonicMs() - 1000) | 0
    slot.watchFunctions()
    expect((await death).functionTimeout).to.equal(true)
    expect(words[FUNCTION_DUE]).to.equal(0)
    const next = slot.ensureRunning()
    await slot.kill()
    expect((await next).functionTimeout).to.equal(false)
  })

  it('looks at a host as long as functions run there, and then waits for the next to be reported', async () => {
    const death = slot.ensureRunning()
    words[WATCHED] = 1
    words[FUNCTION_DUE] = (monotonicMs() + 120) | 0
    slot.watchFunctions()
    expect((await death).functionTimeout, 'one that was within its limit at first').to.equal(true)
    void slot.ensureRunning()
    words[WATCHED] = 1
    slot.watchFunctions()
    while (words[WATCHED] === 1) await turn()
    expect(words[FUNCTION_DUE]).to.equal(0)
  })
})
