/**
 * The loop of an evented host: one message at a time for each actor, handlers may be asynchronous, and the
 * thread's event loop runs meanwhile.
 */
import { setImmediate as nextTurn, setTimeout } from 'node:timers/promises'
import { deadlineMsWord, monotonicMs } from '../clock.js'
import { CacheError } from '../errors.js'
import type { Host } from './host.js'
import { fail, type HostedActor } from './hosted-actor.js'

/** Messages of one actor before the event loop turns. */
const BATCH = 64

/** How long the host looks for messages in its event loop before it sleeps, in milliseconds. */
const POLL_MS = 0.5

export async function runEvented(host: Host): Promise<void> {
  // Keeps the thread alive while it sleeps: an armed bell does not.
  const keepAlive = setInterval(() => undefined, 0x7fff_ffff)
  let lastWorkMs = performance.now()
  for (;;) {
    host.intake()
    while (host.hasOrders) {
      await host.carryOut((actor, untilMs) => drain(host, actor, untilMs))
      host.intake()
    }
    if (host.exiting) break
    let worked = false
    for (const actor of host.list) worked = work(host, actor) || worked
    if (worked) lastWorkMs = performance.now()
    if (performance.now() - lastWorkMs < POLL_MS) {
      await nextTurn()
      continue
    }
    const rings = host.bell.announceSleep()
    if (host.hasOrders || host.list.some((actor) => work(host, actor))) lastWorkMs = performance.now()
    // The rest of a long reply waits for its client to make room, and nothing rings for that.
    else if (host.list.some((actor) => !actor.busy && actor.pending)) await setTimeout(1)
    else await host.bell.waitAsync(rings)
    host.bell.cancelSleep()
  }
  clearInterval(keepAlive)
}

/** Handles messages of one actor until there is none, a batch is through or a handler is asynchronous. True if there was one. */
function work(host: Host, actor: HostedActor): boolean {
  if (actor.busy) return false
  let handled = 0
  for (const inlet of [...actor.inlets]) {
    while (handled < BATCH && !actor.exiting && inlet.take(deadlineMsWord(monotonicMs()))) {
      handled++
      if (inlet.bodyMissing) host.intake()
      if (inlet.bodyMissing && !inlet.adoptBody()) {
        fail(inlet, new CacheError('ERR_ACTOR_CRASHED', 'the body of a large message was lost with its sender', { outcome: 'none' }))
        continue
      }
      const promise = actor.handle(inlet)
      if (promise === undefined) continue
      actor.busy = true
      void promise.finally(() => {
        actor.busy = false
        inlet.ring()
        host.bell.ring()
      })
      return true
    }
    inlet.ring()
    if (inlet.leaving && !inlet.pending) actor.forgetIfGone(inlet)
  }
  return handled > 0
}

/** Runs an actor's queue dry, or until `untilMs`. */
async function drain(host: Host, actor: HostedActor, untilMs: number): Promise<void> {
  while ((actor.busy || actor.pending) && monotonicMs() < untilMs) {
    work(host, actor)
    await nextTurn()
  }
}
