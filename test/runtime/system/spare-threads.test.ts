import { expect } from 'chai'
import { setImmediate as turn } from 'node:timers/promises'
import { SpareThreads } from '../../../runtime/system/spare-threads.js'

class Place {
  readonly prepared: unknown[] = []
  closed = false
  readonly #heard = deferred<unknown>()
  #answer: (isReady: boolean) => void = () => undefined

  prepare(_name: string, modules: unknown): Promise<boolean> {
    this.prepared.push(modules)
    this.#heard.resolve(modules)
    return new Promise((resolve) => (this.#answer = resolve))
  }

  whenPrepared(): Promise<unknown> {
    return this.#heard.promise
  }

  /** It has booted. */
  async ready(): Promise<void> {
    this.#answer(true)
    await turn()
  }

  async close(): Promise<void> {
    this.closed = true
  }
}

describe('threads in reserve', () => {
  let created: Place[]
  let awaited: { count: number; reached: () => void } | undefined
  let spare: SpareThreads<Place>

  beforeEach(() => {
    created = []
    spare = new SpareThreads(() => {
      const place = new Place()
      created.push(place)
      if (created.length === awaited?.count) awaited.reached()
      return place
    })
  })

  const whenCreated = (count: number): Promise<unknown> => new Promise<void>((reached) => {
    if (created.length >= count) reached()
    else awaited = { count, reached }
  })

  it('are handed out for dead ones, whose places go to the reserve, with the modules of the actors loaded', async () => {
    const dead = new Place()
    spare.loads(['file:///a.js'])
    expect(spare.exchange(dead), 'before there is a reserve the dead one starts again').to.equal(dead)
    await whenCreated(1)
    const first = created[0]!
    expect(await first.whenPrepared()).to.deep.equal(['file:///a.js'])
    await first.ready()
    spare.loads(['file:///b.js', 'file:///a.js'])
    expect(spare.exchange(dead)).to.equal(first)
    expect(await dead.whenPrepared()).to.deep.equal(['file:///a.js', 'file:///b.js'])
    await dead.ready()
    expect(spare.exchange(first)).to.equal(dead)
    await spare.close()
    expect([first.closed, dead.closed]).to.deep.equal([true, false])
    expect(created).to.have.lengthOf(1)
    expect(spare.exchange(dead), 'after the end nothing is handed out').to.equal(dead)
  })

  it('become more, to a limit, when one is needed that still boots, and those that have booted go first', async () => {
    spare.loads([])
    await whenCreated(1)
    const [one] = created as [Place]
    const dead = [new Place(), new Place(), new Place(), new Place()] as const
    expect(spare.exchange(dead[0]), 'it boots, and so do all others').to.equal(one)
    await whenCreated(2)
    await dead[0].whenPrepared()
    const two = created[1]!
    await two.whenPrepared()
    await two.ready()
    expect(spare.exchange(dead[1])).to.equal(two)
    expect(spare.exchange(dead[2]), 'of those that boot the one that began first').to.equal(dead[0])
    await whenCreated(3)
    expect(spare.exchange(dead[3])).to.equal(dead[1])
    await dead[3].whenPrepared()
    expect(created, 'three are enough').to.have.lengthOf(3)
    await spare.close()
  })
})

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => (resolve = settle))
  return { promise, resolve }
}
