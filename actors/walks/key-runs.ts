/**
 * Sorts the keys of a cache without holding up the event loop: keys are sorted in runs as they come, and the runs are
 * merged as they are asked for (a multiway merge over a binary heap: Knuth, The Art of Computer Programming 3, 5.4.1).
 */
import { compareKeys } from '../../runtime/codec/key.js'

/** Keys of a run: sorting one takes a few milliseconds. */
const RUN_KEYS = 4096

interface Run {
  readonly keys: unknown[]
  next: number
}

export class KeyRuns {
  #runs: Run[] = []
  #current: unknown[] = []

  add(key: unknown): void {
    this.#current.push(key)
    if (this.#current.length === RUN_KEYS) this.#close()
  }

  /** All keys in order. Takes them out. */
  * merged(): Generator<unknown, void, undefined> {
    this.#close()
    const heap = this.#runs
    this.#runs = []
    for (let root = heap.length >> 1; root >= 0; root--) sink(heap, root)
    while (heap.length > 0) {
      const run = heap[0]!
      yield run.keys[run.next++]
      if (run.next === run.keys.length) {
        const last = heap.pop()!
        if (heap.length === 0) return
        heap[0] = last
      }
      sink(heap, 0)
    }
  }

  #close(): void {
    if (this.#current.length > 0) this.#runs.push({ keys: this.#current.sort(compareKeys), next: 0 })
    this.#current = []
  }
}

/** Lets the run at `root` sink to its place: none has its next key before its parent's. */
function sink(heap: Run[], root: number): void {
  for (;;) {
    let least = root
    for (let child = root * 2 + 1; child <= root * 2 + 2 && child < heap.length; child++) {
      if (compareKeys(keyOf(heap[child]!), keyOf(heap[least]!)) < 0) least = child
    }
    if (least === root) return
    const run = heap[root]!
    heap[root] = heap[least]!
    heap[least] = run
    root = least
  }
}

function keyOf({ keys, next }: Run): unknown {
  return keys[next]
}
