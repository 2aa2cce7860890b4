/** Whether a process's memory grows: its resident size, sampled along a run, after the first part of it against the end. */
import type { Violations } from './script.js'

const MB = 2 ** 20

/** Growth that is noise: threads that come and go, a heap that has not been collected. */
const NOISE_SHARE = 0.25
const NOISE_BYTES = 48 * MB

export class MemoryWatch {
  readonly #firstShare: number
  #first = 0
  #last = 0
  #largest = 0

  /** What is resident before `firstShare` of the run is through counts as the beginning. */
  constructor(firstShare = 0.3) {
    this.#firstShare = firstShare
  }

  /** @param rss of another process, if it is not this one's that is watched */
  sample(share: number, { rss }: { readonly rss: number } = process.memoryUsage()): void {
    if (share <= this.#firstShare) this.#first = Math.max(this.#first, rss)
    this.#last = rss
    this.#largest = Math.max(this.#largest, rss)
  }

  check(violations: Violations): void {
    const limit = this.#first * (1 + NOISE_SHARE) + NOISE_BYTES
    violations.check(this.#last <= limit, () => `resident memory grew from ${inMb(this.#first)} to ${inMb(this.#last)}`)
  }

  figures(): Record<string, string> {
    return { 'resident at first, at last, at most': [this.#first, this.#last, this.#largest].map(inMb).join(', ') }
  }
}

export function inMb(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`
}
