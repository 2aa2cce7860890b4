/**
 * Nodes in network namespaces of their own, under load, one of which is killed, stopped, cut off, cut off one way, or on a cable that comes and goes, again and
 * again: every call is settled within its deadline and half a second, no wrong value is read, the nodes agree on who is up within twice the detector's
 * time after healing, and the survivors' memory does not grow. `partitions/judge.ts` says what a wrong value is.
 *
 *     node dist/test/races/partitions.js --fault cut --times 100 --router both --failure 600 --seed 1
 *     node dist/test/races/partitions.js --fault kill --times 20 --nodes 5 --namespaces 0
 *
 * `--fault all` is each of them as often, `--fault kill,flap` these two. Needs Linux, root and `ip`, except with `--namespaces 0`, where nodes can only be killed and stopped.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { nowMs, readDiary } from './partitions/diary.js'
import { FAULTS, type Scene } from './partitions/faults.js'
import { growth } from './partitions/growth.js'
import { judge } from './partitions/judge.js'
import { localMachines, NetworkMachines } from './partitions/machines.js'
import { routerOf } from './partitions/orders.js'
import { NodeUnderLoad } from './partitions/processes.js'
import { lostMs, type Starved } from './partitions/starvation.js'
import { quietAfterMs, viewsOf, type Fault, type Seen } from './partitions/views.js'
import { inMb } from './memory-watch.js'
import { percentiles, randomOf, runScript, Violations, type Outcome } from './script.js'

export interface Partitions {
  [name: string]: number | string
  fault: string
  times: number
  router: string
  nodes: number
  /** 0: all on this machine's loopback. */
  namespaces: number
  /** The detector's time, in milliseconds. */
  failure: number
  seed: number
}

const ROUTERS = ['jump', 'ring']
const NUMBERS_OF_A_LIFE = 1e8

/** Nodes that have not agreed by then never will. */
const AGREE_MS = 30_000

/** Growth of a third of a run that is noise: the heap of each thread grows until its garbage is collected. A connection that is left over shows in the descriptors. */
const MORE_RESIDENT_BYTES = 48 * 2 ** 20
const MORE_DESCRIPTORS = 3

export async function partitions({ fault, times, router, nodes, namespaces, failure: failureMs, seed }: Partitions): Promise<Outcome> {
  const kinds = fault === 'all' ? Object.keys(FAULTS) : fault.split(',')
  const routers = router === 'both' ? ROUTERS : [router]
  if (!kinds.every((kind) => kind in FAULTS)) throw new RangeError(`--fault is some of ${Object.keys(FAULTS).join(',')}, or all`)
  if (!routers.every((name) => ROUTERS.includes(name))) throw new RangeError(`--router is one of ${ROUTERS.join(', ')}, both`)
  const violations = new Violations()
  const random = randomOf(seed)
  const names = Array.from({ length: nodes }, (_, index) => String.fromCharCode(97 + index))
  const folder = mkdtempSync(join(tmpdir(), 'partitions-'))
  const machines = namespaces === 0 ? await localMachines(names) : new NetworkMachines(names)
  const addresses = Object.fromEntries(names.map((name) => [name, machines.address(name)]))
  const running = new Map<string, NodeUnderLoad>()
  const lives: { node: string; diary: string }[] = []
  const seen: Seen[] = []
  const faults: Fault[] = []
  const starved: Starved[] = []
  const resident = new Map<string, number[]>()
  const descriptors = new Map<string, number[]>()

  const start = (name: string): NodeUnderLoad => {
    const life = lives.length
    const diary = join(folder, `${name}-${life}`)
    lives.push({ node: name, diary })
    const node = new NodeUnderLoad(machines, { name, names, addresses, routers, failureMs, diary, firstNumber: life * NUMBERS_OF_A_LIFE, seed: seed * 1000 + life }, (view) => seen.push(view), (each) => starved.push(each))
    running.set(name, node)
    return node
  }
  const scene: Scene = {
    names, failureMs, random,
    network: machines instanceof NetworkMachines ? machines : undefined,
    node: (name) => running.get(name)!,
    restart: async (name) => {
      const node = start(name)
      const { atMs } = await node.report('listening')
      node.report('started').then(() => node.tell('load'), () => undefined)
      return atMs
    },
  }
  const views = (sinceMs: number): ReturnType<typeof viewsOf> => viewsOf(names, seen, faults, failureMs, sinceMs, nowMs())
  /** Waits until all nodes see all, and nothing more is to be expected of what was before. */
  const calm = async (sinceMs: number): Promise<void> => {
    const untilMs = nowMs() + AGREE_MS
    for (;;) {
      await sleep(20)
      // What is not over yet lasts until now.
      const atMs = nowMs()
      const { disturbances } = viewsOf(names, seen, faults, failureMs, sinceMs, atMs)
      if (atMs >= sinceMs + quietAfterMs(failureMs) && disturbances.every(({ calmMs }) => calmMs < atMs)) return
      if (atMs > untilMs) throw new Error(`the nodes do not agree: ${JSON.stringify(names.map((name) => seen.findLast(({ node }) => node === name)))}`)
    }
  }

  try {
    const homes = (await Promise.all(names.map((name) => start(name).report('started'))))[0]!.homes
    await calm(nowMs())
    const sinceMs = nowMs()
    for (const node of running.values()) node.tell('load')
    // One node only is ever killed, so that others live long enough to be measured.
    for (const kind of kinds.flatMap((each) => Array<string>(times).fill(each))) {
      await sleep(random(300))
      const node = kind === 'kill' ? names.at(-1)! : names[random(names.length)]!
      const fromMs = nowMs()
      const { mendedMs, healedMs } = await FAULTS[kind]!(scene, node)
      faults.push({ node, fromMs, mendedMs, healedMs, died: kind === 'kill', stood: kind === 'stop' })
      if (kind === 'kill') await running.get(node)!.report('started')
      await calm(healedMs)
      for (const [name, survivor] of running) {
        if (name === names.at(-1) && kinds.includes('kill')) continue
        const measured = await survivor.measure()
        resident.set(name, [...resident.get(name) ?? [], measured.residentBytes])
        descriptors.set(name, [...descriptors.get(name) ?? [], measured.descriptors])
      }
    }
    await sleep(200)
    const halted = [...running.values()].map((node) => node.report('halted'))
    for (const node of running.values()) node.tell('halt')
    await Promise.all(halted)

    const { disturbances, agreedAfterMs, noticed, surprises } = views(sinceMs)
    const limitMs = 2 * failureMs
    for (const [index, ms] of agreedAfterMs.entries()) {
      const { node, healedMs } = faults[index]!
      if (ms > limitMs && ms - lostMs(starved, healedMs, healedMs + ms) > limitMs) violations.add(`round ${index}: the nodes agreed ${ms.toFixed(0)} ms after node ${node} was well again, later than ${limitMs} ms`)
    }
    violations.check(noticed > 0, () => 'nobody ever noticed a fault')
    const calls = lives.flatMap(({ node, diary }) => readDiary(node, diary))
    const figures: Record<string, number | string> = { rounds: faults.length, 'in which a node was seen to be down': noticed, 'nodes that lost each other without a reason': surprises, 'until nodes agree': percentiles(agreedAfterMs), 'time in which some thread of a node had no core': `${(100 * lostMs(starved, sinceMs, Infinity) / names.length / (nowMs() - sinceMs)).toFixed(1)} %` }
    for (const name of routers) {
      const judged = judge({ calls: calls.filter(({ key }) => routerOf(key) === name), follows: name === 'ring', homes, disturbances, faults, starved })
      for (const violation of judged.violations.list) violations.add(`${name}: ${violation}`)
      violations.check(judged.figures['reads that a write binds']! > 0, () => `${name}: no read was judged`)
      for (const [what, figure] of Object.entries(judged.figures)) figures[`${name}: ${what}`] = figure
    }
    judgeMemory(resident, descriptors, violations, figures)
    for (const { failures } of running.values()) for (const failure of failures) violations.add(failure)
    await Promise.all([...running.values()].map((node) => node.stop()))
    return { figures, violations: violations.list }
  } finally {
    await Promise.all([...running.values()].map((node) => node.kill()))
    machines.remove()
    rmSync(folder, { recursive: true })
  }
}

function judgeMemory(resident: ReadonlyMap<string, readonly number[]>, descriptors: ReadonlyMap<string, readonly number[]>, violations: Violations, figures: Record<string, number | string>): void {
  for (const [name, bytes] of resident) {
    const files = descriptors.get(name)!
    violations.check(growth(bytes) <= MORE_RESIDENT_BYTES, () => `node ${name} grew by ${inMb(growth(bytes))} in a third of the rounds`)
    violations.check(growth(files) <= MORE_DESCRIPTORS, () => `node ${name} has ${growth(files)} more files and sockets open after a third of the rounds`)
    figures[`${name}: resident, files and sockets at first, at last`] = `${inMb(bytes[0]!)} ${inMb(bytes.at(-1)!)}, ${files[0]} ${files.at(-1)}`
  }
}

await runScript(import.meta.url, { fault: 'all', times: 100, router: 'both', nodes: 3, namespaces: 1, failure: 600, seed: 1 }, partitions)
