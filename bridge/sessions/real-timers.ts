/** Timers on the monotonic clock. They do not keep the process alive: sockets do, or not. */
import { monotonicMs, type Timers } from '../../runtime/clock.js'

/** Node takes no longer delays. */
const MAX_DELAY_MS = 0x7fff_ffff

export const realTimers: Timers = {
  now: monotonicMs,
  after(delayMs, run) {
    const timer = setTimeout(run, Math.min(Math.max(0, delayMs), MAX_DELAY_MS)).unref()
    return () => clearTimeout(timer)
  },
}
