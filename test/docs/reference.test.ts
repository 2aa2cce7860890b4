import { expect } from 'chai'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { MessageChannel } from 'node:worker_threads'
import * as scatterhoard from 'scatterhoard'
import { ACTIONS } from '../../actors/action-list.js'
import { complaintsAbout, runExample, withClaims } from './examples.js'
import { readReference, REFERENCE_FILE, renderReference } from './reference.js'

describe('the reference of the actions', () => {
  const reference = readReference()
  const documented = [...reference.actions, ...reference.methods]

  it('is up to date: npm run docs writes it anew', () => {
    expect(readFileSync(REFERENCE_FILE, 'utf8')).to.equal(renderReference(reference))
  })

  it('says of every action and method what it does, with an example', () => {
    expect(reference.actions.length).to.be.greaterThan(20)
    expect(documented.filter(({ doc }) => doc.text === '').map(({ name }) => name), 'without a docstring').to.deep.equal([])
    expect(documented.filter(({ doc }) => !doc.example?.includes('users')).map(({ name }) => name), 'without an example').to.deep.equal([])
  })

  it('says of every option of every action what it means', () => {
    for (const { name, options } of reference.actions) {
      expect(options.map((option) => option.name).sort(), name).to.deep.equal([...ACTIONS.find((action) => action.name === name)!.options].sort())
    }
    expect(reference.common.map(({ name }) => name)).to.deep.equal(['timeout', 'signal', 'local', 'notify'])
    expect(documented.flatMap(({ name, options }) => options.filter(({ text }) => text === '').map((option) => `${name}: ${option.name}`))).to.deep.equal([])
  })

  it('names no error code that there is not', () => {
    const named = documented.flatMap(({ doc }) => [...`${doc.text} ${doc.errors ?? ''}`.matchAll(/ERR_[A-Z_]+/g)].map(([code]) => code))
    expect(named.filter((code) => !(scatterhoard.ERROR_CODES as readonly string[]).includes(code))).to.deep.equal([])
  })

  describe('examples', () => {
    const examples = new Map(documented.flatMap(({ name, doc }) => (doc.example === undefined ? [] : [[name, doc.example] as const])))

    const wrong = new Map([['wrongType', 'await users.put(\'ada\', 1)'], ['wrongCall', 'await users.put(\'ada\')'], ['wrongClaim', 'await users.take(\'ada\') // → "x"']])
    let complaints: string[]

    before(function () {
      this.timeout(60_000)
      complaints = complaintsAbout(new Map([...examples, ...wrong]))
    })

    it('compile against the package\'s types', () => {
      expect(complaints.filter((complaint) => !complaint.startsWith('wrong'))).to.deep.equal([])
    })

    it('would be refused if they did not compile', () => {
      expect(complaints.filter((complaint) => complaint.startsWith('wrong')).map((complaint) => complaint.split(':')[0])).to.deep.equal(['wrongType', 'wrongCall'])
    })

    it('are held to what they claim', async () => {
      expect(withClaims('users.tell([\'purge\'])\nawait users.size()   // → 2\nawait users.clear() // both')).to.equal('users.tell([\'purge\'])\nshows(await users.size(), (2))\nawait users.clear() // both')
      expect(() => withClaims('const size = await users.size() // → 2')).to.throw('only an expression')
      const seen: unknown[] = []
      await runExample(wrong.get('wrongClaim')!, { users: { take: async () => 'y' }, shows: (...values: unknown[]) => seen.push(values) })
      expect(seen).to.deep.equal([['y', 'x']])
    })

    describe('run, and come to what they claim', () => {
      let setting: typeof import('./setting.js')
      let people: typeof import('./people.js').people

      before(async () => {
        setting = await import('./setting.js')
        people = (await import('./people.js')).people
      })

      after(async () => {
        await setting.users.stop()
        await rm('users.dump', { force: true })
      })

      for (const [name, example] of examples) {
        it(name, async () => {
          const { users, prepare } = setting
          await prepare()
          const { port1: worker, port2 } = new MessageChannel()
          port2.close()
          const shows = (actual: unknown, expected: unknown): Chai.Assertion => expect(actual, name).to.deep.equal(expected)
          await runExample(example, { ...scatterhoard, users, people, worker, shows, console: { log: () => undefined } })
        })
      }
    })
  })
})
