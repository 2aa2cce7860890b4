import { expect } from 'chai'
import { MessageChannel } from 'node:worker_threads'
import { monotonicMs, NodeClock } from '../../../runtime/clock.js'
import { FUNCTION_DUE } from '../../../runtime/host/protocol.js'
import { createHostThread, HostSlot } from '../../../runtime/system/host-slot.js'
import { SpareThread } from '../../../runtime/system/spare-thread.js'

describe('a host slot', () => {
  it('kills a function over its limit, also after a thread died in the middle of another one', async () => {
    const words = new SharedArrayBuffer(64)
    const due = new Int32Array(words)
    const slot = new HostSlot({
      id: 'host', kind: 'blocking', heapMb: undefined, node: 'node', clock: new NodeClock(), bell: new SharedArrayBuffer(64), words,
      spare: new SpareThread(createHostThread), connectClient: () => ({ id: 2, bell: new SharedArrayBuffer(64), control: new MessageChannel().port2 }),
      onReport: () => undefined, onDeath: () => undefined,
    })
    try {
      // What a dead thread has left.
      due[FUNCTION_DUE] = (monotonicMs() - 1000) | 0
      await slot.checkFunctionLimit()
      const death = slot.ensureRunning()
      expect(due[FUNCTION_DUE]).to.equal(0)
      due[FUNCTION_DUE] = (monotonicMs() - 1000) | 0
      await slot.checkFunctionLimit()
      expect((await death).functionTimeout).to.equal(true)
      expect(due[FUNCTION_DUE]).to.equal(0)
      const next = slot.ensureRunning()
      await slot.kill()
      expect((await next).functionTimeout).to.equal(false)
    } finally {
      await slot.close()
    }
  })
})
