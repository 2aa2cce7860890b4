import { expect } from 'chai'
import { SpareThread } from '../../../runtime/system/spare-thread.js'

class Place {
  prepared: unknown
  closed = false
  readonly #heard = deferred<unknown>()

  prepare(_name: string, modules: unknown): void {
    this.prepared = modules
    this.#heard.resolve(modules)
  }

  whenPrepared(): Promise<unknown> {
    return this.#heard.promise
  }

  async close(): Promise<void> {
    this.closed = true
  }
}

describe('the thread in reserve', () => {
  it('is handed out for a dead one, whose place becomes the next, with the modules of the actors loaded', async () => {
    const created = deferred<Place>()
    const spare = new SpareThread(() => {
      const place = new Place()
      created.resolve(place)
      return place
    })
    const dead = new Place()
    spare.loads(['file:///a.js'])
    expect(spare.exchange(dead), 'before there is a reserve the dead one starts again').to.equal(dead)
    const first = await created.promise
    expect(await first.whenPrepared()).to.deep.equal(['file:///a.js'])
    spare.loads(['file:///b.js', 'file:///a.js'])
    expect(spare.exchange(dead)).to.equal(first)
    expect(await dead.whenPrepared()).to.deep.equal(['file:///a.js', 'file:///b.js'])
    expect(spare.exchange(first)).to.equal(dead)
    await spare.close()
    expect([first.closed, dead.closed]).to.deep.equal([true, false])
    expect(spare.exchange(dead), 'after the end nothing is handed out').to.equal(dead)
  })
})

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}
