/**
 * What the system thread and a host thread say to each other: orders through a port, which a blocking host reads
 * when its `orders` word has moved, and reports back.
 *
 * Shared words of a host, beside its bell:
 *   0  orders        how many orders were posted      system: Atomics.add after each post    host: Atomics.load
 *   1  functionDue   a user's function is running and is to be killed at this deadline word; 0 none
 *                                                     host: Atomics.store before and after   system: Atomics.load, by a timer
 *   2  watched       1 while the system thread has that timer
 *                                                     host: Atomics.load after it has stored functionDue; if it is 0, stores 1 and reports
 *                                                     system: Atomics.store of 0 when no function runs, then looks at functionDue once more
 */
import type { MessagePort } from 'node:worker_threads'
import type { Blueprint } from '../actor.js'
import type { ErrorDescription } from '../errors.js'

export const ORDERS = 0
export const FUNCTION_DUE = 1
export const WATCHED = 2

export interface HostStart {
  id: string
  kind: 'evented' | 'blocking'
  node: string
  /** Orders and reports. */
  port: MessagePort
  /** Rings for requests and orders. */
  bell: SharedArrayBuffer
  words: SharedArrayBuffer
  clock: SharedArrayBuffer
  names: SharedArrayBuffer
  /** The host's own client, so that its actors can send. */
  client: { id: number; bell: SharedArrayBuffer; control: MessagePort }
}

export interface LaneGrant {
  client: number
  lane: SharedArrayBuffer
  bell: SharedArrayBuffer
  /** Bodies that came outside the ring and are not done. */
  large: [number, SharedArrayBuffer][]
}

/** How the thread before this one ended. */
export interface Death {
  error: ErrorDescription
  /** It was killed because a function ran over its time limit. */
  functionTimeout: boolean
}

export type Order =
  | { order: 'start'; id: string; blueprint: Blueprint; buffers: Record<string, SharedArrayBuffer>; lanes: LaneGrant[]; incarnation: number; failedStarts: number; recoverAs: number; death: Death | undefined }
  | { order: 'stop'; id: string; deadlineMs: number }
  | { order: 'lane'; id: string; lane: LaneGrant }
  | { order: 'dropLane'; id: string; client: number }
  | { order: 'large'; id: string; client: number; largeId: number; body: SharedArrayBuffer }
  | { order: 'connect'; id: string; port: MessagePort }
  | { order: 'clockMoved' }
  | { order: 'exit' }

/** What a host reports of one of its actors. */
export type ActorReport =
  | { report: 'started'; id: string }
  | { report: 'failed'; id: string; error: ErrorDescription }
  | { report: 'stopped'; id: string }
  | { report: 'exited'; id: string; reason: 'normal' | 'error'; error?: ErrorDescription }
  | { report: 'laneDropped'; id: string; client: number; isQuiet: boolean }
  | { report: 'largeDone'; id: string; client: number; largeId: number }

/** Or of itself: a user's function runs, and nobody has an eye on its limit. */
export type Report = ActorReport | { report: 'functionRuns' }
