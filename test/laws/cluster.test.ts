/**
 * The laws of the actions, with keys spread over three nodes. Once over each transport here, called on another node each time; with
 * `LAW_WAYS=all` over every kind of connection, called on every node.
 */
import type { CacheOptions } from 'scatterhoard'
import { OVER_FAULTY_MEMORY, OVER_MEMORY, OVER_NATS, OVER_TCP, OVER_TLS, OVER_UNIX_SOCKETS, type BridgeWay } from '../actors/cluster/bridge-ways.js'
import { LAWS } from './law-book.js'
import { SPREAD_LAWS } from './spread.js'
import { NODES, ThreeNodes, type NodeName, type SpreadSetting } from './three-nodes.js'

interface Way {
  readonly over: BridgeWay
  readonly router: NonNullable<CacheOptions['router']>
  /** The nodes to call on, one after the other. */
  readonly from: readonly NodeName[]
}

const WAYS: readonly Way[] = process.env['LAW_WAYS'] === 'all'
  ? [OVER_MEMORY, OVER_FAULTY_MEMORY, OVER_TCP, OVER_TLS, OVER_UNIX_SOCKETS, OVER_NATS].map((over, index) => ({ over, router: (['jump', 'mod', 'rendezvous'] as const)[index % 3]!, from: NODES }))
  : [{ over: OVER_MEMORY, router: 'jump', from: ['a'] }, { over: OVER_TCP, router: 'mod', from: ['b'] }, { over: OVER_NATS, router: 'rendezvous', from: ['c'] }]

for (const { over, router, from } of WAYS) {
  describe(`the laws of the actions on three nodes over ${over.title}`, function () {
    this.timeout(60_000)
    let three: ThreeNodes

    before(async () => void (three = await ThreeNodes.start(over, router)))
    after(() => three.stop())
    beforeEach(() => three.clear())

    for (const node of from) {
      describe(`called on node ${node}`, () => {
        let setting: SpreadSetting
        before(() => void (setting = three.settingOf(node)))

        for (const { promise, hold } of LAWS) it(promise, () => hold(setting))
        for (const { promise, hold } of SPREAD_LAWS) it(promise, () => hold(setting))
      })
    }
  })
}
