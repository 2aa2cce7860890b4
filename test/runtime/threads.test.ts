import { expect } from 'chai'
import { Thread } from '../../runtime/threads.js'

const entry = new URL('./actors/thread-entry.js', import.meta.url)

describe('a thread', () => {
  let thread: Thread

  afterEach(async () => { await thread.close() })

  it('runs its entry again and again, whatever became of it', async () => {
    thread = new Thread({ entry, name: 'run' })
    expect(await thread.run('a')).to.deep.equal({ result: 'ran a' })
    expect((await thread.run('throw')).error).to.be.instanceOf(RangeError).with.property('message', 'thrown by the entry')
    expect((await thread.run('exit')).error).to.be.instanceOf(Error)
    const hung = thread.run('hang')
    await thread.kill()
    expect((await hung).error).to.be.instanceOf(Error)
    expect(await thread.run('b')).to.deep.equal({ result: 'ran b' })
  })

  it('tells of a death after its run has ended', async () => {
    thread = new Thread({ entry, name: 'run' })
    await thread.run('a')
    const { death } = thread
    await thread.kill()
    expect(await death).to.be.instanceOf(Error)
    expect(await thread.run('b')).to.deep.equal({ result: 'ran b' })
  })

  it('ends with an error, each time, if its worker dies while it boots', async () => {
    thread = new Thread({ entry: new URL('./actors/dies-at-boot.js', import.meta.url), name: 'run' })
    for (let round = 0; round < 3; round++) expect((await thread.run('a')).error).to.be.instanceOf(Error)
  })

  it('runs nothing more once it was closed', async () => {
    thread = new Thread({ entry, name: 'run' })
    await thread.close()
    await thread.close()
    expect((await thread.run('a')).error).to.be.instanceOf(Error)
  })
})
