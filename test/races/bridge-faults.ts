/**
 * Nodes that ask each other over a network that loses, delays, doubles and misorders messages and falls apart now and then: every request
 * is settled once, none runs twice, none is answered with another's reply, what failed with outcome `none` has not run; and when the
 * faults end everything goes through again.
 */
import { Cluster, type TestNode } from '../bridge/cluster.js'
import { settle } from '../bridge/fake-timers.js'
import { randomOf, runScript, Violations, type Outcome } from './script.js'

interface Asked {
  settled: number
  ran: number
  failedWithNone: boolean
}

async function oneRun(seed: number, violations: Violations, counts: Record<string, number>): Promise<void> {
  const random = randomOf(seed)
  const names = ['a', 'b', 'c']
  const cluster = new Cluster({ seed, delay: [0, random(50)] })
  const nodes = await cluster.start(...names)
  await cluster.timers.advance(3000)
  const asked = new Map<string, Asked>()
  for (const node of nodes) {
    node.answer = (text) => {
      const request = asked.get(text)
      if (request === undefined) violations.add(`${text} ran and was never asked`)
      else if (++request.ran > 1) violations.add(`${text} ran ${request.ran} times`)
      return random(20) === 0 ? undefined : `re: ${text}`
    }
  }
  let number = 0
  const ask = (from: TestNode, to: string): Promise<void> => {
    const text = `${seed}:${number++}${'.'.repeat(random(10) === 0 ? random(100_000) : random(100))}`
    const request: Asked = { settled: 0, ran: 0, failedWithNone: false }
    asked.set(text, request)
    return new Promise((resolve) => {
      const bytes = Buffer.from(text)
      from.peer(to).send(bytes, 0, bytes.length, 200 + random(4000), (error, reply, start, end) => {
        if (++request.settled > 1) violations.add(`${text.slice(0, 20)} was settled ${request.settled} times`)
        if (error === undefined && reply.toString('latin1', start, end) !== `re: ${text}`) violations.add(`${text.slice(0, 20)} got another reply`)
        request.failedWithNone = error?.outcome === 'none'
        const word = error === undefined ? 'answered' : `${error.code} ${error.outcome}`
        counts[word] = (counts[word] ?? 0) + 1
        resolve()
      })
    })
  }
  const pending: Promise<void>[] = []
  for (let round = 0; round < 60; round++) {
    if (random(6) === 0) cluster.network.set({ loss: random(3) === 0 ? random(100) / 1000 : 0, duplicate: random(100) / 1000, reorder: random(2) === 0 ? random(100) / 1000 : 0, delay: [0, random(100)] })
    if (random(15) === 0) cluster.network.partition([names[random(3)]!])
    else if (random(4) === 0) cluster.network.heal()
    for (let index = random(30); index > 0; index--) {
      const from = random(3)
      pending.push(ask(nodes[from]!, names[(from + 1 + random(2)) % 3]!))
    }
    await cluster.timers.advance(random(500))
  }
  cluster.network.heal()
  cluster.network.set({ loss: 0, duplicate: 0, reorder: 0, delay: [0, 5] })
  await cluster.timers.advance(30_000)
  // All deadlines are long past. Whoever has not been settled now never is.
  await settle()
  violations.check(pending.length === [...asked.values()].filter(({ settled }) => settled > 0).length, () => `seed ${seed}: requests were not settled`)
  for (const [text, { settled, ran, failedWithNone }] of asked) {
    violations.check(settled === 1, () => `${text.slice(0, 20)} was settled ${settled} times`)
    violations.check(!failedWithNone || ran === 0, () => `${text.slice(0, 20)} failed as not having happened, and had`)
  }
  for (const node of nodes) node.answer = (text) => text
  for (const node of nodes) {
    for (const name of names) {
      if (name === node.name) continue
      const reply = node.ask(name, 'in the end')
      await cluster.timers.advance(500)
      violations.check(await reply.catch(String) === 'in the end', () => `seed ${seed}: ${node.name} does not reach ${name} any more`)
    }
    const told = new Map<string, string>()
    for (const event of node.events) {
      const [type, name] = event.split(/[ :]/) as [string, string]
      if ((told.get(name) ?? 'up') === type) violations.add(`seed ${seed}: ${node.name} heard '${event}' twice`)
      told.set(name, type)
    }
  }
  await cluster.stop()
}

export async function bridgeFaults({ runs, seed }: { runs: number; seed: number }): Promise<Outcome> {
  const violations = new Violations()
  const counts: Record<string, number> = {}
  for (let run = 0; run < runs; run++) await oneRun(seed + run, violations, counts)
  violations.check((counts['answered'] ?? 0) > 0, () => 'no request was ever answered')
  return { figures: counts, violations: violations.list }
}

await runScript(import.meta.url, { runs: 200, seed: 1 }, bridgeFaults)
