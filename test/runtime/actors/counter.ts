/** An actor for tests: counts, waits, fails and dies on demand. */
import { defineActor, type ActorContext, type ActorRef } from 'scatterhoard/runtime'

interface State {
  n: number
  context: ActorContext
  gate: Int32Array
  notes: Record<string, number[]>
  other: ActorRef | undefined
}

/** Opened by `openGate`: lets a message that holds its thread, or a start that waits, go on. */
export function newGate(): SharedArrayBuffer {
  return new SharedArrayBuffer(16)
}

export function openGate(gate: SharedArrayBuffer): void {
  Atomics.store(new Int32Array(gate), 0, 1)
  Atomics.notify(new Int32Array(gate), 0)
}

/** Word 1 of the gate: how often something got to it. */
export function arrivals(gate: SharedArrayBuffer): number {
  return Atomics.load(new Int32Array(gate), 1)
}

/** Word 2: so many further starts fail. */
export function failStarts(gate: SharedArrayBuffer, count: number): void {
  Atomics.store(new Int32Array(gate), 2, count)
}

const handlers = {
  add: (state: State, by: number) => (state.n += by),
  get: (state: State) => state.n,
  incarnation: (state: State) => state.context.incarnation,
  echo: (_state: State, value: unknown) => value,
  repeat: (_state: State, text: string, times: number) => text.repeat(times),
  fail: (_state: State, message: string) => {
    throw Object.assign(new RangeError(message, { cause: new TypeError('the cause') }), { code: 'E_TEST', detail: 7 })
  },
  throwUndefined: () => {
    // What is not an error can be thrown too.
    // eslint-disable-next-line @typescript-eslint/only-throw-error
    throw undefined
  },
  unsendable: () => () => 1,
  promise: async () => 'later',
  exit: (_state: State, code: number) => process.exit(code),
  end: (state: State, message?: string) => {
    state.context.exit(message === undefined ? undefined : new Error(message))
    return state.n
  },
  spin: (_state: State, ms: number) => {
    const until = performance.now() + ms
    while (performance.now() < until);
    return ms
  },
  /** Holds the thread until the gate is open. */
  hold: ({ gate }: State) => {
    Atomics.add(gate, 1, 1)
    Atomics.notify(gate, 1)
    Atomics.wait(gate, 0, 0)
    return true
  },
  /** Fills the heap. */
  fill: () => {
    const all: string[][] = []
    for (;;) all.push(Array.from({ length: 10_000 }, (_, index) => `${index} ${all.length}`))
  },
  note: ({ notes }: State, sender: string, n: number) => {
    (notes[sender] ??= []).push(n)
  },
  notes: ({ notes }: State) => notes,
  /** Finds another actor, by name, for `askOther` and `tellOther`. */
  askOther: ({ other }: State, message: readonly [string, ...unknown[]]) => other!.ask(message),
  tellOther: ({ other }: State, message: readonly [string, ...unknown[]]) => other!.tell(message),
}

async function init(context: ActorContext, n = 0, gateBuffer: SharedArrayBuffer = newGate(), other?: string): Promise<State> {
  const gate = new Int32Array(gateBuffer)
  if (Atomics.load(gate, 2) > 0) {
    Atomics.sub(gate, 2, 1)
    throw new Error('this start fails')
  }
  return { n, context, gate, notes: {}, other: other === undefined ? undefined : await context.whereis(other) }
}

const evented = {
  ...handlers,
  later: async (state: State, ms: number) => {
    await new Promise((resolve) => { setTimeout(resolve, ms) })
    return state.n
  },
  /** Waits for the gate without holding the thread. */
  wait: async ({ gate }: State) => {
    Atomics.add(gate, 1, 1)
    Atomics.notify(gate, 1)
    const keepAlive = setInterval(() => undefined, 1000)
    await Atomics.waitAsync(gate, 0, 0).value
    clearInterval(keepAlive)
    return true
  },
  throwInTimer: async () => {
    setTimeout(() => { throw new Error('thrown in a timer') }, 1)
    return new Promise(() => undefined)
  },
  reject: async () => {
    void Promise.reject(new Error('nobody handles this'))
    return new Promise(() => undefined)
  },
  /** `add`s by a timer of the node's clock. */
  addAfter: (state: State, delayMs: number, by: number) => {
    state.context.after(delayMs, () => { state.n += by })
  },
}

export const counter = defineActor('counter', import.meta.url, { init, handlers: evented })
export const ownCounter = defineActor('own-counter', import.meta.url, { host: 'own', heapMb: 32, init, handlers: evented })
export const blockingCounter = defineActor('blocking-counter', import.meta.url, { host: 'blocking', heapMb: 32, init, handlers })

/** One of each kind of host. Their common handlers have one type. */
export const counters = { shared: counter, own: ownCounter, blocking: blockingCounter } as unknown as Record<'shared' | 'own' | 'blocking', typeof blockingCounter>

/** A mailbox that is full soon. */
export const smallWaiting = defineActor('small-waiting', import.meta.url, { host: 'blocking', init, handlers, mailbox: { bytes: 1024, messages: 4, waiting: 3 } })
export const smallRejecting = defineActor('small-rejecting', import.meta.url, { host: 'blocking', init, handlers, mailbox: { bytes: 1024, messages: 4, overflow: 'reject' } })

/** Asks another actor while it starts, and never stops by itself. */
export const asksAtStart = defineActor('asks-at-start', import.meta.url, {
  init: async (context: ActorContext, name: string) => (await context.whereis(name))!.ask(['get']),
  handlers: { get: (state: unknown) => state },
})
export const neverStops = defineActor('never-stops', import.meta.url, {
  host: 'own', handlers: { pid: () => 1 }, stop: () => new Promise(() => undefined),
})
