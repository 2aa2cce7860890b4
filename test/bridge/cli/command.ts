/** The command line in a process of its own, and what it says. */
import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

/** As it is packed. */
const MAIN = fileURLToPath(new URL('../../../bundle/bridge/cli/main.js', import.meta.url))

export class Command {
  readonly #process: ChildProcessByStdio<null, Readable, Readable>
  readonly #lines: string[] = []
  readonly #waiting: (() => void)[] = []
  #errors = ''
  /** Its exit code, or the signal that ended it, and all that it said. */
  readonly ended: Promise<{ code: number | string; output: string; errors: string }>

  constructor(args: readonly string[], environment: Readonly<Record<string, string>> = {}) {
    const { SCATTERHOARD_SECRET: _, ...inherited } = process.env
    this.#process = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...inherited, ...environment } })
    createInterface(this.#process.stdout).on('line', (line) => {
      this.#lines.push(line)
      this.#tell()
    })
    this.#process.stderr.on('data', (bytes: Buffer) => (this.#errors += bytes.toString()))
    this.ended = once(this.#process, 'close').then(([code, signal]: (number | string)[]) => {
      return { code: code ?? signal!, output: this.#lines.join('\n'), errors: this.#errors }
    })
  }

  /** Resolves with the first line that has that in it. Rejects if it ends without one. */
  async line(part: string): Promise<string> {
    for (;;) {
      const line = this.#lines.find((each) => each.includes(part))
      if (line !== undefined) return line
      const end = await Promise.race([new Promise<undefined>((resolve) => this.#waiting.push(() => resolve(undefined))), this.ended])
      if (end !== undefined && !this.#lines.some((each) => each.includes(part))) throw new Error(`it ended without '${part}': ${end.output}${end.errors}`)
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  #tell(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

export async function run(args: readonly string[], environment?: Readonly<Record<string, string>>): Promise<{ code: number | string; output: string; errors: string }> {
  return new Command(args, environment).ended
}
