/**
 * The loop of a blocking host: drains mailboxes, spins for a moment, then sleeps in `Atomics.wait`.
 *
 * It leaves its synchronous part only to carry out orders that need the event loop (loading a module).
 */
import { nowMsWord, monotonicMs } from '../clock.js'
import { CacheError } from '../errors.js'
import type { Inlet } from '../mailbox/inlet.js'
import { SpinShare } from '../spin-share.js'
import type { Host } from './host.js'
import { fail, type HostedActor, type QueueMarks } from './hosted-actor.js'

/** Messages of one lane before the other lanes are looked at. */
const BATCH = 64

/** A client that sleeps hears of its replies after so many milliseconds at the latest, also when a batch takes longer. */
const RING_MS = 1

/** How long a host looks for messages before it sleeps, in milliseconds, as long as that pays off: a caller that sends one at a time stays in this window. */
const SPIN_MS = 0.05

/** The same after a batch: whoever sent many is about to send more, as soon as it has read its replies. */
const BUSY_SPIN_MS = 0.25
const BUSY_MESSAGES = 16

/** Looks at the rings between two looks at the clock. */
const SPIN_ROUNDS = 20

export async function runBlocking(host: Host): Promise<void> {
  for (;;) {
    host.intake()
    while (host.hasOrders()) {
      await host.carryOut((actor, marks, untilMs) => Promise.resolve(drain(host, actor, marks, untilMs)))
      host.intake()
    }
    if (host.exiting) return
    host.client.mayNotAsk = true
    runUntilOrders(host)
    host.client.mayNotAsk = false
  }
}

function runUntilOrders(host: Host): void {
  const { bell } = host
  const spins = new SpinShare()
  while (!host.hasOrders()) {
    let worked = false
    for (const actor of host.list) worked = work(host, actor) || worked
    if (worked) continue
    if (spin(host, (host.handled >= BUSY_MESSAGES ? BUSY_SPIN_MS : SPIN_MS) * spins.share)) {
      spins.paidOff()
      continue
    }
    spins.wasInVain(host.handled === 1)
    host.handled = 0
    const rings = bell.announceSleep()
    if (host.hasOrders() || host.list.some((actor) => actor.ready)) bell.cancelSleep()
    // What is pending and not ready waits for its client to read replies, which need not ring.
    else bell.wait(rings, host.list.some((actor) => actor.pending) ? 1 : Infinity)
  }
}

/** True as soon as a message or an order came; false if none did for a while. */
function spin(host: Host, ms: number): boolean {
  const untilMs = performance.now() + ms
  do {
    for (let round = 0; round < SPIN_ROUNDS; round++) {
      if (host.hasOrders()) return true
      for (const actor of host.list) if (actor.ready) return true
    }
  } while (performance.now() < untilMs)
  return false
}

/** Handles a batch from each lane. True if there was anything. */
function work(host: Host, actor: HostedActor): boolean {
  if (actor.exit !== undefined) {
    host.finishExit(actor)
    return true
  }
  const { inlets } = actor
  const { raw } = actor.behaviour
  let worked = false
  let nowMs = 0
  let nowWord = 0
  for (let index = 0; index < inlets.length; index++) {
    const inlet = inlets[index]!
    if (inlet.pending) {
      if (nowWord === 0) nowWord = nowMsWord(nowMs = monotonicMs())
      let handled = 0
      while (handled < BATCH && !actor.isExiting() && inlet.take(nowWord)) {
        handled++
        handle(host, actor, inlet)
        // Messages of low-level actors are short, unless one ran a function.
        if (raw !== undefined && !host.ranFunction) continue
        host.ranFunction = false
        const ms = monotonicMs()
        nowWord = nowMsWord(ms)
        if (ms - nowMs < RING_MS) continue
        nowMs = ms
        inlet.ring()
      }
      inlet.ring()
      if (handled > 0) {
        worked = true
        host.handled = handled
        // The system lane goes before the others.
        const system = inlets[0]!
        if (index > 0 && system.client === 0 && system.ready) index = -1
      }
    }
    if (inlet.leaving && actor.forgetIfGone(inlet)) index--
  }
  if (raw?.idle !== undefined && raw.idle(actor.state)) worked = true
  return worked
}

function handle(host: Host, actor: HostedActor, inlet: Inlet): void {
  // The body of a large request was handed over before its frame was sent: it is in the port.
  if (inlet.bodyMissing) host.intake()
  if (inlet.bodyMissing && !inlet.adoptBody()) {
    return fail(inlet, new CacheError('ERR_SHARD_CRASHED', 'the body of a large message was lost with its sender', { outcome: 'none' }))
  }
  const promise = actor.handle(inlet, false)
  if (promise !== undefined) throw new Error('a blocking host was given a promise')
}

/** Runs what was in an actor's queue, or until `untilMs`. */
function drain(host: Host, actor: HostedActor, marks: QueueMarks, untilMs: number): void {
  host.client.mayNotAsk = true
  while (!actor.isExiting() && !actor.drained(marks) && monotonicMs() < untilMs) {
    if (!work(host, actor)) host.bell.wait(host.bell.announceSleep(), 1)
  }
  host.client.mayNotAsk = false
}
