/** Every figure, in the order of the table. A new one is a line here. */
import { clusterReading } from './figures/cluster.js'
import { crashUnderLoad } from './figures/crash.js'
import { eventLoopDelay } from './figures/delay.js'
import { hitRatio } from './figures/hit-ratio.js'
import { memoryOverhead } from './figures/memory.js'
import { peersReading, peersWriting } from './figures/peers.js'
import { policies } from './figures/policies.js'
import { getAwaited, getSyncObject, getSyncString } from './figures/reading.js'
import { startFromNothing } from './figures/start.js'
import { readsWithStats } from './figures/stats.js'
import { getFromTwoThreads, getWhileWritten } from './figures/threads.js'
import { incrInFlight, putInFlight, putLatency } from './figures/writing.js'
import type { Figure } from './setting.js'

export const figures: readonly Figure[] = [
  getSyncString,
  getSyncObject,
  getAwaited,
  putInFlight,
  putLatency,
  incrInFlight,
  getFromTwoThreads,
  getWhileWritten,
  memoryOverhead,
  crashUnderLoad,
  eventLoopDelay,
  startFromNothing,
  readsWithStats,
  policies,
  hitRatio,
  clusterReading,
  peersReading,
  peersWriting,
]
