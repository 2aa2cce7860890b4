import { expect } from 'chai'
import { classNamed, classOfPrototype, registerClass } from '../../../runtime/codec/classes.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { checkValue, decodeValue, encodeValue } from '../../../runtime/codec/value.js'
import { errorCode } from '../../../runtime/errors.js'

const codec = { toData: () => 1, fromData: () => new Date() as never }

function codeOf(act: () => void): string | undefined {
  try {
    act()
    return undefined
  } catch (error) {
    return errorCode(error)
  }
}

describe('codec/classes', () => {
  it('finds a class by its name and by its prototype', () => {
    class A {}
    registerClass('classes.A', A, codec)
    expect(classNamed('classes.A')?.Class).to.equal(A)
    expect(classOfPrototype(A.prototype)?.name).to.equal('classes.A')
    expect(classNamed('constructor')).to.equal(undefined)
  })

  it('takes the same registration twice, and refuses another class or another name', () => {
    class B {}
    class C {}
    registerClass('classes.B', B, codec)
    registerClass('classes.B', B, codec)
    expect(codeOf(() => registerClass('classes.B', C, codec))).to.equal('ERR_NAME_TAKEN')
    expect(codeOf(() => registerClass('classes.B2', B, codec))).to.equal('ERR_NAME_TAKEN')
    expect(classNamed('classes.B')?.Class).to.equal(B)
  })

  it('refuses arguments of the wrong kind with a TypeError', () => {
    const register = registerClass as (...args: unknown[]) => void
    class D {}
    const bad = [['', D, codec], [1, D, codec], ['d', {}, codec], ['d', () => 1, codec], ['d', D], ['d', D, null], ['d', D, { toData: () => 1 }], ['d', Date, codec], ['d', Map, codec]]
    for (const args of bad) {
      expect(() => register(...args)).to.throw(TypeError)
      expect(codeOf(() => register(...args))).to.equal('ERR_INVALID_ARGUMENT')
    }
  })

  it('is typed: fromData gets what toData returns', () => {
    class Point { constructor(readonly x: number) {} }
    registerClass('classes.Point', Point, { toData: (point) => ({ x: point.x }), fromData: (data) => new Point(data.x) })
    // @ts-expect-error -- y is not in the data; eslint sees the same
    registerClass('classes.Point', Point, { toData: (point) => ({ x: point.x }), fromData: (data) => new Point(Number(data.y)) })
  })

  it('are not needed to check that bytes are a value', () => {
    class E {}
    registerClass('classes.E', E, { toData: () => ({ of: [1, 2] }), fromData: () => { throw new Error('ran') } })
    const shared = new E()
    for (const value of [shared, { deep: [shared, shared] }]) {
      const scratch = new Scratch()
      encodeValue(value, scratch)
      checkValue(scratch.bytes, 0, scratch.end)
      for (let end = 0; end < scratch.end; end++) expect(codeOf(() => checkValue(scratch.bytes, 0, end)), String(end)).to.equal('ERR_FRAME')
      expect(codeOf(() => decodeValue(scratch.bytes, 0, scratch.end)), 'afterwards they are revived again').to.equal('ERR_FUNCTION_FAILED')
    }
  })
})
