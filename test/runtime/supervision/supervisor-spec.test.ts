import { expect } from 'chai'
import type { CacheError } from '../../../runtime/errors.js'
import { checkChildSpec, checkSupervisorSpec, supervisor, type ActorSpec, type ChildSpec, type SupervisorOptions, type SupervisorSpec } from '../../../runtime/supervision/supervisor-spec.js'

const actor = (id: string): ActorSpec => ({ kind: 'actor', id, restart: 'permanent', shutdownMs: 5000, actor: null })

function refused(run: () => unknown): { option: unknown; value: unknown; message: string } {
  try {
    run()
  } catch (error) {
    const { code, option, value, allowed, message } = error as CacheError
    expect(code).to.equal('ERR_INVALID_OPTION')
    expect(allowed).to.be.a('string')
    expect(message).to.include(`'${String(option)}'`).and.include(allowed)
    return { option, value, message }
  }
  throw new Error('it was not refused')
}

describe('supervisor specs', () => {
  it('have defaults', () => {
    expect(supervisor({ id: 'top' })).to.deep.equal({
      kind: 'supervisor', id: 'top', strategy: 'one_for_one', maxRestarts: 20, withinMs: 10_000, restart: 'permanent', shutdownMs: Infinity, children: [],
      backoff: { firstMs: 0, thenMs: 50, factor: 2, maxMs: 5000, jitter: 0.2, resetAfterMs: 10_000 },
    })
  })

  it('are plain data, built from durations as users write them', () => {
    const spec = supervisor({
      name: 'top', strategy: 'rest_for_one', maxRestarts: 3, within: '1m', restart: 'transient', shutdown: '5s',
      backoff: { first: '1s', then: '2s', factor: 3, max: '1m', jitter: 0, resetAfter: '2m' },
      children: [actor('a'), supervisor({ id: 'b', children: [actor('a')] })],
    })
    expect(spec).to.deep.include({ id: 'top', withinMs: 60_000, shutdownMs: 5000, backoff: { firstMs: 1000, thenMs: 2000, factor: 3, maxMs: 60_000, jitter: 0, resetAfterMs: 120_000 } })
    expect(checkSupervisorSpec(structuredClone(spec))).to.deep.equal(spec)
  })

  it('lets defaults of delays give way to what is set', () => {
    expect(supervisor({ id: 'a', backoff: { max: 10 } }).backoff).to.include({ firstMs: 0, thenMs: 10, maxMs: 10 })
    expect(supervisor({ id: 'a', backoff: { first: '6s' } }).backoff).to.include({ firstMs: 6000, thenMs: 50, maxMs: 6000 })
    expect(supervisor({ id: 'a', backoff: { then: '7s', first: '6s' } }).backoff).to.include({ firstMs: 6000, thenMs: 7000, maxMs: 7000 })
  })

  const wrong: [option: string, options: unknown][] = [
    ['options', null], ['options', []], ['options', 'top'], ['options', new Map()],
    ['name', {}], ['id', { id: '' }], ['id', { id: 7 }], ['name', { id: 'a', name: 'b' }],
    ['strategy', { id: 'a', strategy: 'all' }], ['strategy', { id: 'a', strategy: null }],
    ['maxRestarts', { id: 'a', maxRestarts: -1 }], ['maxRestarts', { id: 'a', maxRestarts: 1.5 }], ['maxRestarts', { id: 'a', maxRestarts: '20' }], ['maxRestarts', { id: 'a', maxRestarts: NaN }],
    ['within', { id: 'a', within: 'soon' }], ['within', { id: 'a', within: Infinity }], ['within', { id: 'a', within: 0 }],
    ['backoff', { id: 'a', backoff: 5 }], ['backoff.factor', { id: 'a', backoff: { factor: 0.5 } }], ['backoff.jitter', { id: 'a', backoff: { jitter: 1.1 } }],
    ['backoff.first', { id: 'a', backoff: { first: '2s', max: '1s' } }], ['backoff.then', { id: 'a', backoff: { then: 1001, max: '1s' } }],
    ['backoff.max', { id: 'a', backoff: { max: '-1s' } }], ['backoff.firstMs', { id: 'a', backoff: { firstMs: 1 } }],
    ['restart', { id: 'a', restart: 'always' }], ['shutdown', { id: 'a', shutdown: -1 }],
    ['children', { id: 'a', children: {} }], ['children[0]', { id: 'a', children: [null] }], ['children[0].kind', { id: 'a', children: [{ ...actor('a'), kind: 'actress' }] }],
    ['children[1].id', { id: 'a', children: [actor('a'), actor('a')] }], ['children[0].shutdownMs', { id: 'a', children: [{ ...actor('a'), shutdownMs: NaN }] }],
    ['children[0].children[0].restart', { id: 'a', children: [{ ...supervisor({ id: 'b' }), children: [{ ...actor('a'), restart: undefined }] }] }],
    ['childs', { id: 'a', childs: [] }], ['constructor', { id: 'a', constructor: 1 }],
    ['__proto__', JSON.parse('{"id":"a","__proto__":{}}')], ['options', { __proto__: { id: 'a' } }], ['Symbol(x)', { id: 'a', [Symbol('x')]: 1 }],
  ]
  for (const [option, options] of wrong) {
    it(`refuse ${option} in ${JSON.stringify(options).slice(0, 80)}`, () => {
      expect(refused(() => supervisor(options as SupervisorOptions)).option).to.equal(option)
    })
  }

  it('refuse what was broken on the way', () => {
    const spec = supervisor({ id: 'top' })
    expect(refused(() => checkSupervisorSpec({ ...spec, withinMs: Infinity })).option).to.equal('withinMs')
    expect(refused(() => checkSupervisorSpec({ ...spec, backoff: { ...spec.backoff, thenMs: -1 } })).option).to.equal('backoff.thenMs')
    expect(refused(() => checkSupervisorSpec({ ...spec, extra: 1 } as SupervisorSpec)).option).to.equal('extra')
    expect(refused(() => checkChildSpec(undefined as unknown as ChildSpec)).option).to.equal('options')
  })

  it('refuse a tree that contains itself', () => {
    const spec = supervisor({ id: 'top' })
    spec.children.push(spec)
    expect(refused(() => checkSupervisorSpec(spec)).message).to.match(/64 levels/)
  })
})
