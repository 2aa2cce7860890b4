/** What is done to a node, and how long: one function for each kind of fault, which returns when all is well with network and processes again. */
import { setTimeout as sleep } from 'node:timers/promises'
import { nowMs } from './diary.js'
import type { NetworkMachines } from './machines.js'
import type { NodeUnderLoad } from './processes.js'
import type { Fault } from './views.js'

export interface Scene {
  /** `undefined`: nodes without cables of their own. */
  readonly network: NetworkMachines | undefined
  readonly names: readonly string[]
  readonly failureMs: number
  readonly random: (below: number) => number
  node(name: string): NodeUnderLoad
  /** Starts a process for a node that was killed. Resolves with the moment from which on it listened. */
  restart(name: string): Promise<number>
}

type Inflict = (scene: Scene, node: string) => Promise<Pick<Fault, 'mendedMs' | 'healedMs'>>

export const FAULTS: Readonly<Record<string, Inflict>> = {
  async kill({ failureMs, random, node, restart }, name) {
    await node(name).kill()
    await sleep(random(2 * failureMs))
    const atMs = await restart(name)
    return { mendedMs: atMs, healedMs: atMs }
  },

  async stop({ failureMs, random, node }, name) {
    node(name).freeze()
    await sleep(1.3 * failureMs + random(1.5 * failureMs))
    return mend(() => node(name).thaw())
  },

  async cut(scene, name) {
    const network = networkOf(scene)
    network.unplug(name)
    await hold(scene)
    return mend(() => network.plugIn(name))
  },

  /** Half of the time nothing comes from it, and half of the time nothing gets to it. */
  async 'one-way'(scene, name) {
    const network = networkOf(scene)
    const others = scene.names.filter((other) => other !== name)
    const isMute = scene.random(2) === 0
    for (const other of others) {
      if (isMute) network.lose(name, other)
      else network.lose(other, name)
    }
    await hold(scene)
    return mend(() => {
      for (const from of isMute ? [name] : others) network.findAll(from)
    })
  },

  async flap(scene, name) {
    const network = networkOf(scene)
    let mendedMs = Infinity
    for (let times = 4 + scene.random(8); times > 0; times--) {
      network.drop(name)
      await sleep(scene.random(scene.failureMs / 2))
      mendedMs = Math.min(mendedMs, nowMs())
      network.lift(name)
      if (times > 1) await sleep(scene.random(scene.failureMs / 4))
    }
    return { mendedMs, healedMs: nowMs() }
  },
}

/** Sometimes not for long enough that anybody notices, sometimes for several times that long. */
async function hold({ failureMs, random }: Scene): Promise<void> {
  await sleep(failureMs * 0.3 + random(failureMs * 2.7))
}

function mend(how: () => void): Pick<Fault, 'mendedMs' | 'healedMs'> {
  const mendedMs = nowMs()
  how()
  return { mendedMs, healedMs: nowMs() }
}

function networkOf({ network }: Scene): NetworkMachines {
  if (network === undefined) throw new RangeError('only nodes in namespaces have cables')
  return network
}
