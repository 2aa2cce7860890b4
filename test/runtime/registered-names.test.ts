import { expect } from 'chai'
import { CacheError } from '../../runtime/errors.js'
import { NAMES_BYTES, RegisteredNames } from '../../runtime/registered-names.js'

const LOCK = 0

function code(act: () => void): string | undefined {
  try {
    act()
  } catch (error) {
    return (error as CacheError).code
  }
  return undefined
}

describe('names of registered functions', () => {
  let buffer: SharedArrayBuffer
  let one: RegisteredNames
  let two: RegisteredNames
  let system: RegisteredNames

  beforeEach(() => {
    buffer = new SharedArrayBuffer(NAMES_BYTES)
    system = new RegisteredNames(buffer, 0)
    one = new RegisteredNames(buffer, 1)
    two = new RegisteredNames(buffer, 2)
  })

  it('are seen by every client at once, the first claimant first', () => {
    expect(two.ownerOf('é.f')).to.equal(undefined)
    one.claim('é.f', 11, true)
    two.claim('é.f', 12, true)
    expect([system.ownerOf('é.f'), two.holds('é.f', 1), one.holds('é.f', 2), one.holds('é.g', 1)]).to.deep.equal([1, true, true, false])
    one.release('é.f')
    expect(one.ownerOf('é.f')).to.equal(2)
    for (const name of ['constructor', '__proto__', 'é', 'é.f2']) expect(one.ownerOf(name)).to.equal(undefined)
  })

  it('are for one thread, with all its clients, unless the second one may have its own', () => {
    one.claim('f', 11, false)
    expect(code(() => two.claim('f', 12, false))).to.equal('ERR_NAME_TAKEN')
    two.claim('f', 11, false)
    one.release('f')
    expect(one.ownerOf('f')).to.equal(2)
    two.release('f')
    two.claim('f', 12, false)
  })

  it('are free when their thread is gone, and so is the lock that it held', () => {
    one.claim('f', 11, false)
    new Int32Array(buffer)[LOCK] = 2
    system.gone(1)
    expect(two.ownerOf('f')).to.equal(undefined)
    two.claim('f', 12, false)
  })

  it('are unlocked by a new system thread, whichever of the threads that are gone with the old one held the lock', () => {
    one.claim('f', 11, false)
    for (const [holder, isFree] of [[0, true], [7, true], [1, false], [2, false]] as const) {
      new Int32Array(buffer)[LOCK] = holder + 1
      new RegisteredNames(buffer, 0).takeOver([1, 2])
      expect(new Int32Array(buffer)[LOCK]).to.equal(isFree ? 0 : holder + 1)
    }
  })

  it('are bounded, and a lock that nobody gives back is not waited for without end', () => {
    for (let index = 0; index < 1024; index++) one.claim(`f${index}`, 11, false)
    expect(code(() => one.claim('more', 11, false))).to.equal('ERR_FULL')
    one.release('f5')
    one.claim('more', 11, false)
    new Int32Array(buffer)[LOCK] = 99
    expect(code(() => two.claim('f', 12, false))).to.equal('ERR_BUSY')
  })
})
