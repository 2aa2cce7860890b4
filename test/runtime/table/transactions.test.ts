import { expect } from 'chai'
import { generationOf, MAX_SLOTS, slotWord, SLOT_STATE, stateOf, stateOfSlot, TRANSACTIONS_BYTES } from '../../../runtime/table/transactions.js'

describe('the table of transactions', () => {
  it('keeps state and generation in one word, up to the largest generation', () => {
    for (const state of Object.values(SLOT_STATE)) {
      for (const generation of [0, 1, 4711, 2 ** 29 - 1]) {
        const words = Int32Array.of(slotWord(generation, state))
        expect([stateOf(words[0]!), generationOf(words[0]!)]).to.deep.equal([state, generation])
      }
    }
  })

  it('is free where nothing was stored, and where there is no slot', () => {
    const words = new Int32Array(new SharedArrayBuffer(TRANSACTIONS_BYTES)).fill(slotWord(1, SLOT_STATE.committed))
    expect([1, MAX_SLOTS - 1].map((slot) => stateOfSlot(words, slot))).to.deep.equal([SLOT_STATE.committed, SLOT_STATE.committed])
    expect([0, -1, MAX_SLOTS, 2 ** 30, NaN].map((slot) => stateOfSlot(words, slot))).to.deep.equal([0, 0, 0, 0, 0])
    expect(stateOfSlot(words.fill(0), 1)).to.equal(SLOT_STATE.free)
  })
})
