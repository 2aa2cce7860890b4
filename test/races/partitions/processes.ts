/** The test's end of `node-process.ts`, on the machine that its node has. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Machines } from './machines.js'
import type { NodeSetting, Order, Report } from './orders.js'
import type { Starved } from './starvation.js'
import type { Seen } from './views.js'

type ReportOf<K extends Report['is']> = Extract<Report, { is: K }>

export class NodeUnderLoad {
  readonly name: string
  /** What it said of itself that it cannot have meant. */
  readonly failures: string[] = []
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown[]>
  readonly #last = new Map<Report['is'], Report>()
  readonly #waiting = new Set<() => void>()
  #dead = false

  /**
   * @param onSeen called with each change of what it sees
   * @param onStarved called when it has had too little of the machine
   */
  constructor(machines: Machines, setting: NodeSetting, onSeen: (seen: Seen) => void, onStarved: (starved: Starved) => void) {
    this.name = setting.name
    const script = fileURLToPath(new URL('./node-process.js', import.meta.url))
    const words = [...machines.command(setting.name), process.execPath, ...process.execArgv, '--expose-gc', script, JSON.stringify(setting)]
    this.#child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#ended = once(this.#child, 'exit')
    this.#child.once('exit', () => {
      this.#dead = true
      for (const check of [...this.#waiting]) check()
    })
    this.#child.on('message', (report: Report) => {
      if (this.#dead) return
      this.#last.set(report.is, report)
      if (report.is === 'failed') this.failures.push(`node ${this.name}: ${report.message}`)
      if (report.is === 'seen') onSeen({ node: this.name, ...report })
      if (report.is === 'starved') onStarved({ node: this.name, ...report })
      for (const check of [...this.#waiting]) check()
    })
  }

  /** Resolves with the first report of that kind, or the next one if `again`. Rejects when the process ends. */
  report<K extends Report['is']>(is: K, again = false): Promise<ReportOf<K>> {
    if (again) this.#last.delete(is)
    return new Promise((resolve, reject) => {
      const check = (): void => {
        const report = this.#last.get(is)
        if (report === undefined && !this.#dead) return
        this.#waiting.delete(check)
        if (report === undefined) reject(new Error(`node ${this.name} ended before it had ${is}: ${this.failures.join()}`))
        else resolve(report as ReportOf<K>) // by its kind
      }
      this.#waiting.add(check)
      check()
    })
  }

  tell(order: Order): void {
    this.#child.send(order)
  }

  freeze(): void {
    this.#child.kill('SIGSTOP')
  }

  thaw(): void {
    this.#child.kill('SIGCONT')
  }

  /** At once, whatever it is doing. */
  async kill(): Promise<void> {
    this.#dead = true
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  async stop(): Promise<void> {
    this.tell('stop')
    await this.#ended
  }

  async measure(): Promise<{ residentBytes: number; descriptors: number }> {
    const measured = this.report('measured', true)
    this.tell('measure')
    const { residentBytes } = await measured
    return { residentBytes, descriptors: readdirSync(`/proc/${this.#child.pid}/fd`).length }
  }
}
