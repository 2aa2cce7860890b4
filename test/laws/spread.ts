/** What actions promise where the keys are on several nodes, from whichever of them they are called. */
import { expect } from 'chai'
import { rejected } from '../actors/expectations.js'
import type { SpreadSetting } from './three-nodes.js'
import { NODES } from './three-nodes.js'

export interface SpreadLaw {
  promise: string
  readonly hold: (setting: SpreadSetting) => Promise<void>
}

/** What an action on the whole cache says when each node has three entries and three that have expired, and with `local` when only this one is asked. */
const OF_THE_WHOLE: readonly [name: string, args: readonly unknown[], all: unknown, local: unknown][] = [
  ['size', [], 18, 6], ['size', [{ expired: false }], 9, 3], ['isEmpty', [], false, false], ['purge', [], 9, 3], ['clear', [], 18, 6],
]

export const SPREAD_LAWS: readonly SpreadLaw[] = [
  {
    promise: 'every node has the keys that all nodes say are its own, and an action on one is carried out there',
    async hold({ plain, on, keys }) {
      for (const owner of NODES) {
        for (const [index, key] of keys[owner].entries()) {
          for (const node of NODES) expect(await on[node]('nodeOf', key)).to.equal(owner)
          expect(await plain('put', key, index)).to.equal(true)
          expect(await on[owner]('getSync', key)).to.equal(index)
          expect(await on[owner]('get', key, { local: true })).to.equal(index)
          expect(await plain('incr', key, 10)).to.equal(index + 10)
          for (const node of NODES) expect(await on[node]('get', key)).to.equal(index + 10)
        }
      }
    },
  },
  {
    promise: 'putMany and transaction: ERR_CROSS_SLOT for keys of several nodes, and nothing has happened; getMany and delMany gather them, in order',
    async hold({ plain, keys }) {
      const [first, second, third] = [keys.a, keys.b, keys.c]
      for (const mixed of [[first[0], second[0]], [third[0], third[1], first[0]], [first[0], second[0], third[0]]]) {
        expect(await rejected(plain('putMany', mixed.map((key) => [key, 1])), 'ERR_CROSS_SLOT')).to.include({ outcome: 'none' })
        expect(await rejected(plain('transaction', mixed, 'inside.steps', { args: mixed.map((key) => ['put', key, 1]) }), 'ERR_CROSS_SLOT')).to.include({ outcome: 'none' })
      }
      expect(await plain('isEmpty')).to.equal(true)
      for (const node of NODES) {
        await plain('putMany', keys[node].map((key, index) => [key, [node, index]]))
        expect(await plain('transaction', keys[node], 'inside.steps', { args: [['getMany', keys[node]]] })).to.deep.equal([keys[node].map((_, index) => [node, index])])
      }
      const mixed = [third[0], 'missing', first[1], second[2], third[0], first[0]]
      expect(await plain('getMany', mixed)).to.deep.equal([['c', 0], undefined, ['a', 1], ['b', 2], ['c', 0], ['a', 0]])
      expect(await plain('delMany', mixed)).to.equal(4)
      expect(await plain('getMany', mixed)).to.deep.equal(mixed.map(() => undefined))
      expect(await plain('size')).to.equal(5)
    },
  },
  {
    promise: 'what is about the whole cache is merged over all nodes, and with local about this one',
    async hold(setting) {
      const { plain, keys, from, advance } = setting
      for (const [name, args, all, local] of OF_THE_WHOLE) {
        await plain('clear')
        for (const node of NODES) {
          for (const [index, key] of keys[node].entries()) {
            await plain('put', key, index)
            await plain('put', `{${key}}brief`, index, { expire: 100 })
          }
        }
        await advance(100)
        const options = args[0] as object | undefined
        expect(await plain(name, { ...options, local: true }), `${name}, local`).to.equal(local)
        if (name === 'purge' || name === 'clear') expect(await plain(name), name).to.equal(all as number - (local as number))
        else expect(await plain(name, ...args), name).to.equal(all)
      }
      for (const node of NODES) await plain('putMany', keys[node].map((key) => [key, node]))
      for (const [merged, own] of [
        [await plain('keys'), await plain('keys', { local: true })],
        [(await plain('export') as { key: unknown }[]).map(({ key }) => key), (await plain('export', { local: true }) as { key: unknown }[]).map(({ key }) => key)],
        [await setting.stream('plain', { select: 'key' }), await setting.stream('plain', { select: 'key', local: true })],
      ] as unknown[][][]) {
        expect(merged).to.have.members(NODES.flatMap((node) => keys[node]))
        expect(own).to.have.members(keys[from])
      }
      await plain('reset')
      expect(await plain('size')).to.equal(0)
    },
  },
  {
    promise: 'with local a key of another node is refused, and nothing has happened; reads of shared memory are refused for it too',
    async hold({ plain, on, keys, from }) {
      for (const node of NODES) await plain('putMany', keys[node].map((key, index) => [key, index]))
      const here = on[from]
      for (const other of NODES.filter((node) => node !== from)) {
        const [key] = keys[other]
        const calls: [string, ...unknown[]][] = [
          ['get', key], ['getMany', [keys[from][0], key]], ['put', key, 5], ['putMany', [[key, 5]]], ['update', key, 5], ['take', key], ['del', key], ['delMany', [keys[from][0], key]], ['exists', key], ['incr', key, 1], ['decr', key, 1],
          ['expire', key, 5], ['expireAt', key, 5], ['persist', key], ['ttl', key], ['refresh', key], ['touch', key], ['fetch', key, 'loaders.load'], ['getAndUpdate', key, 'sums.double'], ['invoke', 'pop', key],
          ['transaction', [key], 'inside.nothing'], ['import', [{ key, value: 5 }]],
        ]
        for (const [name, ...args] of calls) expect(await rejected(here(name, ...args, { local: true }), 'ERR_REMOTE_KEY'), name).to.include({ node: other, outcome: 'none' })
        for (const name of ['getSync', 'existsSync']) expect(await rejected(Promise.resolve().then(() => here(name, key)), 'ERR_REMOTE_KEY'), name).to.include({ node: other })
      }
      for (const node of NODES) expect(await plain('getMany', keys[node])).to.deep.equal([0, 1, 2])
      expect(await here('getSync', keys[from][1])).to.equal(1)
      expect(await here('existsSync', keys[from][1])).to.equal(true)
    },
  },
  {
    promise: 'prune and inspect are about this node, whatever the others have',
    async hold({ plain, on, keys, from, advance }) {
      for (const node of NODES) {
        for (const [index, key] of keys[node].entries()) {
          await plain('put', key, index)
          await advance(1)
        }
      }
      const here = on[from]
      expect(await here('prune', 3)).to.equal(0)
      expect(await here('prune', 1, { reclaim: 0 })).to.equal(2)
      for (const node of NODES) expect(await plain('getMany', keys[node])).to.deep.equal(node === from ? [undefined, undefined, 2] : [0, 1, 2])
      const shards = await here('inspect', 'shards') as { entries: number }[]
      expect(shards.reduce((sum, { entries }) => sum + entries, 0)).to.equal(1)
      for (const node of NODES) expect(await here('inspect', ['entry', keys[node][2]]) !== undefined).to.equal(node === from)
    },
  },
  {
    promise: 'fetch: one load of a missing key, whichever nodes ask, and its value on all of them',
    async hold({ on, keys }) {
      for (const owner of NODES) {
        const [key] = keys[owner]
        const loaded = await Promise.all(NODES.flatMap((node) => Array.from({ length: 5 }, () => on[node]('fetch', key, 'beside.load'))))
        expect(new Set(loaded).size).to.equal(1)
        expect(await on[owner]('getSync', key)).to.equal(loaded[0])
      }
    },
  },
  {
    promise: 'execute: beside a key, on the node that is named, or here',
    async hold({ plain, keys, from }) {
      for (const node of NODES) {
        const [key] = keys[node]
        await plain('put', key, node)
        expect(await plain('execute', 'beside.see', { args: [key], key })).to.equal(node)
        expect(await plain('execute', 'beside.see', { args: [key], node })).to.equal(node)
        expect(await plain('execute', 'beside.see', { args: [key] })).to.equal(node === from ? node : 'ERR_REMOTE_KEY')
        expect(await plain('execute', 'beside.read', { args: [key] })).to.equal(node)
      }
    },
  },
]
