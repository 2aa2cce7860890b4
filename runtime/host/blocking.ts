/**
 * The loop of a blocking host: drains mailboxes, spins for a moment, then sleeps in `Atomics.wait`.
 *
 * It leaves its synchronous part only to carry out orders that need the event loop (loading a module).
 */
import { deadlineMsWord, monotonicMs } from '../clock.js'
import { CacheError } from '../errors.js'
import type { Inlet } from '../mailbox/inlet.js'
import type { Host } from './host.js'
import { fail, type HostedActor } from './hosted-actor.js'

/** Messages of one lane before the other lanes are looked at. */
const BATCH = 64

/** How long a host looks for messages before it sleeps, in milliseconds: a caller that sends one at a time stays in this window. */
const SPIN_MS = 0.05

/** Looks at the rings between two looks at the clock. */
const SPIN_ROUNDS = 20

export async function runBlocking(host: Host): Promise<void> {
  for (;;) {
    host.intake()
    while (host.hasOrders) {
      await host.carryOut((actor, untilMs) => Promise.resolve(drain(host, actor, untilMs)))
      host.intake()
    }
    if (host.exiting) return
    runUntilOrders(host)
  }
}

function runUntilOrders(host: Host): void {
  const { bell } = host
  while (!host.hasOrders) {
    let worked = false
    for (const actor of host.list) worked = work(host, actor) || worked
    if (worked || spin(host)) continue
    const rings = bell.announceSleep()
    if (host.hasOrders || host.list.some((actor) => actor.pending)) {
      bell.cancelSleep()
      // What is pending may be the rest of a reply that waits for its client: no hurry.
      if (!host.list.some((actor) => work(host, actor)) && !host.hasOrders) bell.wait(rings, 1)
      continue
    }
    bell.wait(rings)
  }
}

/** True as soon as a message or an order came; false if none did for a while. */
function spin(host: Host): boolean {
  const untilMs = performance.now() + SPIN_MS
  do {
    for (let round = 0; round < SPIN_ROUNDS; round++) {
      if (host.hasOrders) return true
      for (const actor of host.list) if (actor.pending) return true
    }
  } while (performance.now() < untilMs)
  return false
}

/** Handles a batch from each lane. True if there was anything. */
function work(host: Host, actor: HostedActor): boolean {
  const { inlets } = actor
  let worked = false
  let nowWord = 0
  for (let index = 0; index < inlets.length; index++) {
    const inlet = inlets[index]!
    if (!inlet.pending) continue
    if (nowWord === 0) nowWord = deadlineMsWord(monotonicMs())
    let handled = 0
    while (handled < BATCH && !actor.exiting && inlet.take(nowWord)) {
      handled++
      if (inlet.bodyMissing) awaitBody(host, inlet)
      else handle(actor, inlet)
    }
    inlet.ring()
    if (inlet.leaving && !inlet.pending) {
      actor.forgetIfGone(inlet)
      index--
    }
    if (handled === 0) continue
    worked = true
    // The system lane goes before the others.
    const system = inlets[0]!
    if (index > 0 && system.client === 0 && system.pending) index = -1
  }
  const { raw } = actor.behaviour
  if (raw?.idle !== undefined && raw.idle(actor.state)) worked = true
  return worked
}

function handle(actor: HostedActor, inlet: Inlet): void {
  const { raw } = actor.behaviour
  if (raw !== undefined) return raw.receive(actor.state, inlet)
  if (actor.handle(inlet) !== undefined) {
    throw new CacheError('ERR_ASYNC_FUNCTION', `a handler of ${actor.id} returned a promise, and its host blocks; define the actor with host: 'own' or 'shared'`)
  }
}

/** The body of a large request was handed over before its frame was sent: it is in the port. */
function awaitBody(host: Host, inlet: Inlet): void {
  host.intake()
  if (inlet.adoptBody()) {
    const actor = host.list.find((candidate) => candidate.inlets.includes(inlet))!
    return handle(actor, inlet)
  }
  fail(inlet, new CacheError('ERR_SHARD_CRASHED', 'the body of a large message was lost with its sender', { outcome: 'none' }))
}

/** Runs an actor's queue dry, or until `untilMs`. */
function drain(host: Host, actor: HostedActor, untilMs: number): void {
  while (actor.pending && monotonicMs() < untilMs) {
    if (!work(host, actor)) break
  }
}
