/** What every router promises, whoever made it. */
import { expect } from 'chai'
import fc from 'fast-check'
import { createRouter, type RouterSpec } from '../../../actors/routers/router-spec.js'
import { RoutingKey } from '../../../actors/routers/routing-key.js'
import type { Router } from '../../../actors/routers/router.js'
import { encodeKey, type Key } from '../../../runtime/codec/key.js'
import { Scratch } from '../../../runtime/codec/scratch.js'
import { hash32, mix32 } from '../../../runtime/hash.js'
import { eachKey, nodeNames, routingKey } from './balance.js'

const OWN = new URL('./own-router.js', import.meta.url).href

interface Subject {
  spec: RouterSpec
  follows?: boolean
  /** The largest share of all keys that may move when one of ten nodes goes; beside those of the node itself. */
  moves: number
  /** How much fuller than the average a node of ten may be. */
  fullest: number
}

const SUBJECTS: Record<string, Subject> = {
  mod: { spec: { name: 'mod' }, moves: 1, fullest: 1.03 },
  jump: { spec: { name: 'jump' }, moves: 0, fullest: 1.03 },
  ring: { spec: { name: 'ring', options: {} }, follows: true, moves: 0, fullest: 1.2 },
  rendezvous: { spec: { name: 'rendezvous' }, moves: 0, fullest: 1.03 },
  'one of one\'s own': { spec: { name: 'custom', module: OWN, options: { salt: 7 } }, follows: true, moves: 1, fullest: 1.03 },
}

const node = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' })
const someNodes = fc.uniqueArray(node, { minLength: 1, maxLength: 12 })
const someKey: fc.Arbitrary<Key> = fc.oneof(
  fc.string({ unit: 'binary' }), fc.integer(), fc.double(), fc.bigInt(), fc.boolean(), fc.constant(null), fc.date(), fc.uint8Array(),
  fc.array(fc.integer(), { maxLength: 4 }), fc.dictionary(fc.string(), fc.string(), { maxKeys: 3, noNullPrototype: true }),
)

describe('every router', () => {
  for (const [title, { spec, follows = false, moves, fullest }] of Object.entries(SUBJECTS)) {
    describe(title, () => {
      const make = async (nodes: readonly string[], self = nodes[0]!): Promise<Router> => createRouter(spec, { nodes, self })

      it('names one of its nodes for every key', async () => {
        await fc.assert(fc.asyncProperty(someNodes, someKey, async (nodes, key) => {
          expect(nodes).to.include((await make(nodes)).owner(routingKey(key)))
        }), { numRuns: 200 })
      })

      it('names the same owner on every node, in whatever order they list each other, and however often', async () => {
        await fc.assert(fc.asyncProperty(someNodes, someKey, async (nodes, key) => {
          const owner = (await make(nodes)).owner(routingKey(key))
          const others = [nodes.toReversed(), nodes.toSorted(), [...nodes, ...nodes]]
          for (const list of others) expect((await make(list, list.at(-1))).owner(routingKey(key))).to.equal(owner)
        }), { numRuns: 100 })
      })

      it('lists its nodes in ascending order, each once', async () => {
        expect((await make(['c', 'a', 'b', 'a', 'B'])).nodes).to.deep.equal(['B', 'a', 'b', 'c'])
      })

      it('sends a key where its tag says, and nothing else of the key', async () => {
        const router = await make(nodeNames(50))
        for (let index = 0; index < 50; index++) {
          const owner = router.owner(routingKey(`tag${index}`))
          for (const key of [`{tag${index}}`, `{tag${index}}:profile`, `a{tag${index}}b{other}`, `{tag${index}}\ud800`, `\udfff{tag${index}}`]) expect(router.owner(routingKey(key)), key).to.equal(owner)
        }
      })

      it('gives every node its share', async () => {
        const router = await make(nodeNames(10))
        const counts = new Map<string, number>()
        eachKey(100_000, (key) => counts.set(router.owner(key)!, (counts.get(router.owner(key)!) ?? 0) + 1))
        expect([...counts.keys()]).to.have.lengthOf(10)
        expect(Math.max(...counts.values())).to.be.lessThan(10_000 * fullest)
      })

      it('chooses independently of what chooses shard and slot', async () => {
        const router = await make(nodeNames(4))
        for (const seed of [0, 1, 0x9e3779b1]) {
          const counts = new Uint32Array(4 * 8)
          const scratch = new Scratch()
          const key = new RoutingKey()
          for (let index = 0; index < 64_000; index++) {
            scratch.reset()
            encodeKey(`k${index}`, scratch)
            const node = router.nodes.indexOf(router.owner(key.of(scratch.bytes, 0, scratch.end))!)
            const shard = mix32(hash32(scratch.bytes, 0, scratch.end, seed)) >>> 29
            counts[node * 8 + shard]!++
          }
          // Within a node every shard has an eighth: 2,000 keys, or fewer by as much as the node itself has fewer.
          for (let node = 0; node < 4; node++) {
            const shards = counts.subarray(node * 8, node * 8 + 8)
            const average = shards.reduce((sum, count) => sum + count) / 8
            for (const count of shards) expect(count / average).to.be.within(0.88, 1.12)
          }
        }
      })

      it(`moves ${moves === 0 ? 'only the keys of the last node when it goes, and brings the same back' : 'whatever it likes when a node goes, and brings the same back'}`, async () => {
        const all = await make(nodeNames(10))
        const fewer = await make(nodeNames(9))
        const again = await make(nodeNames(10))
        let moved = 0
        eachKey(20_000, (key) => {
          const owner = all.owner(key)!
          expect(again.owner(key)).to.equal(owner)
          if (owner !== 'node-0009' && fewer.owner(key) !== owner) moved++
        })
        expect(moved / 20_000).to.be.at.most(moves)
      })

      it(follows ? 'follows the nodes that are up' : 'does not follow nodes', async () => {
        const router = await make(['a', 'b', 'c'])
        expect(router.update !== undefined).to.equal(follows)
        if (router.update === undefined) return
        const other = await make(['b', 'd'])
        router.update(['d', 'b'])
        expect(router.nodes).to.deep.equal(['b', 'd'])
        eachKey(1000, (key) => expect(router.owner(key)).to.equal(other.owner(key)))
        router.update([])
        expect(router.owner(routingKey('x'))).to.equal(undefined)
      })
    })
  }

  it('local: every node owns every key', () => {
    const router = createRouter({ name: 'local' }, { nodes: ['a', 'b'], self: 'b' }) as Router
    eachKey(100, (key) => expect(router.owner(key)).to.equal('b'))
  })
})
