/**
 * The loop of an evented host: one message at a time for each actor, handlers may be asynchronous, and the
 * thread's event loop runs meanwhile. Starts and stops of actors run beside it: an actor that takes long to
 * start, or that asks another on the same host, holds up nobody.
 */
import { setImmediate as nextTurn, setTimeout } from 'node:timers/promises'
import { nowMsWord, monotonicMs } from '../clock.js'
import { CacheError } from '../errors.js'
import type { Inlet } from '../mailbox/inlet.js'
import { SpinShare } from '../spin-share.js'
import type { Host } from './host.js'
import { fail, type HostedActor, type QueueMarks } from './hosted-actor.js'

/** Messages of one lane before the other lanes are looked at, and of one turn of the event loop. */
const BATCH = 64

/** A client that sleeps hears of its replies after so many milliseconds at the latest, also when a batch takes longer. */
const RING_MS = 1

/** How long the host looks for messages in its event loop before it sleeps, in milliseconds, as long as that pays off. */
const POLL_MS = 0.5

export async function runEvented(host: Host): Promise<void> {
  // Keeps the thread alive while it sleeps: an armed bell does not.
  const keepAlive = setInterval(() => undefined, 0x7fff_ffff)
  let lastWorkMs = performance.now()
  const spins = new SpinShare()
  let looks = false
  /** Since it slept last. */
  let handled = 0
  for (;;) {
    host.intake()
    if (host.hasOrders()) host.carryOutBeside((actor, marks, untilMs) => drain(host, actor, marks, untilMs))
    if (host.exiting) break
    const before = handled
    for (const actor of host.list) handled += work(host, actor)
    const worked = handled > before
    if (worked) {
      lastWorkMs = performance.now()
      if (looks) spins.paidOff()
    }
    looks = !worked
    if (performance.now() - lastWorkMs < POLL_MS * spins.share) {
      await nextTurn()
      continue
    }
    spins.wasInVain(handled === 1)
    handled = 0
    looks = false
    const rings = host.bell.announceSleep()
    if (host.hasOrders() || host.list.some((actor) => work(host, actor) > 0)) lastWorkMs = performance.now()
    // What is pending and was not handled waits for its client to read replies, which need not ring.
    else if (host.list.some((actor) => actor.busy ? actor.holdsReplies : actor.pending)) await setTimeout(1)
    else await host.bell.waitAsync(rings)
    host.bell.cancelSleep()
  }
  clearInterval(keepAlive)
}

/** Handles messages of one actor until there is none, a batch is through or a handler is asynchronous. Returns how many it handled. */
function work(host: Host, actor: HostedActor): number {
  if (actor.busy || !actor.accepts) actor.flush()
  if (actor.busy) return 0
  if (actor.exit !== undefined) {
    host.finishExit(actor)
    return 0
  }
  const chore = actor.chores.shift()
  if (chore !== undefined) {
    runChore(host, actor, chore)
    return 1
  }
  const { inlets } = actor
  // The system lane goes before the others; these take turns, so that none of them starves.
  let handled = inlets[0]?.client === 0 ? workLane(host, actor, inlets[0]) : 0
  const count = inlets.length
  for (let step = 0; step < count && !actor.isBusy(); step++) {
    actor.turn = (actor.turn + 1) % count
    handled += workLane(host, actor, inlets[actor.turn]!)
  }
  for (let index = inlets.length - 1; index >= 0; index--) {
    const inlet = inlets[index]!
    if (inlet.leaving) actor.forgetIfGone(inlet)
  }
  return handled
}

/** Handles a batch of one lane, or begins one message. Returns how many. */
function workLane(host: Host, actor: HostedActor, inlet: Inlet): number {
  let handled = 0
  let rungMs = 0
  while (handled < BATCH && actor.exit === undefined && actor.accepts) {
    const nowMs = monotonicMs()
    if (handled === 0) rungMs = nowMs
    else if (nowMs - rungMs >= RING_MS) {
      rungMs = nowMs
      inlet.ring()
    }
    if (!inlet.take(nowMsWord(nowMs))) break
    handled++
    // The body of a large request was handed over before its frame was sent: it is in the port.
    if (inlet.bodyMissing) host.intake()
    if (inlet.bodyMissing && !inlet.adoptBody()) {
      fail(inlet, new CacheError('ERR_ACTOR_CRASHED', 'the body of a large message was lost with its sender', { outcome: 'none' }))
      continue
    }
    const promise = actor.handle(inlet, true)
    if (promise === undefined) continue
    actor.busy = true
    void promise.finally(() => {
      actor.busy = false
      inlet.ring()
      host.bell.ring()
    })
    break
  }
  inlet.ring()
  return handled
}

/** Runs what a timer brought, as if it were a message. What it throws ends the thread, as an uncaught error anywhere does. */
function runChore(host: Host, actor: HostedActor, chore: () => unknown): void {
  const uncaught = (error: unknown): void => void setImmediate(() => { throw error })
  try {
    const result = chore()
    if (!(result instanceof Promise)) return
    actor.busy = true
    void result.catch(uncaught).finally(() => {
      actor.busy = false
      host.bell.ring()
    })
  } catch (error) {
    uncaught(error)
  }
}

/** Runs what was in an actor's queue, or until `untilMs`. */
async function drain(host: Host, actor: HostedActor, marks: QueueMarks, untilMs: number): Promise<void> {
  while (!actor.drained(marks) && monotonicMs() < untilMs) {
    if (work(host, actor) > 0) await nextTurn()
    else await setTimeout(1)
  }
}
