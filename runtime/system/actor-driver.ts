/** How the supervision tree starts and stops an actor: by orders to its host, and by the host's reports. */
import type { Blueprint } from '../actor.js'
import { CacheError, describeError, reviveError } from '../errors.js'
import type { ActorReport } from '../host/protocol.js'
import { STATUS } from '../mailbox/lane.js'
import type { ChildDriver, ChildExit, StartAttempt, StartedChild } from '../supervision/supervised-child.js'
import type { ActorSpec } from '../supervision/supervisor-spec.js'
import type { VaultWriter } from '../vault.js'
import type { ActorRecord } from './actor-record.js'
import type { Actors } from './actors.js'
import type { ThreadDeath } from './host-slot.js'
import type { Lanes } from './lanes.js'

export class ActorDriver implements ChildDriver {
  readonly #vault: VaultWriter
  readonly #actors: Actors
  readonly #lanes: Lanes

  constructor(vault: VaultWriter, actors: Actors, lanes: Lanes) {
    this.#vault = vault
    this.#actors = actors
    this.#lanes = lanes
  }

  async start(spec: ActorSpec, attempt: StartAttempt): Promise<StartedChild> {
    const blueprint = spec.actor as Blueprint
    const id = attempt.path.slice(1).join('/')
    const record = this.#actors.get(id) ?? this.#actors.create(id, blueprint)
    const { host } = record
    host.actors.add(id)
    // Before the start: one that the system thread does not survive counts too.
    this.#vault.put(`incarnation/${id}`, attempt.incarnation)
    try {
      const { lastDeath } = host
      const recoverAs = lastDeath?.functionTimeout === true ? STATUS.functionTimeout : STATUS.crashed
      const death = host.ensureRunning()
      const started = new Promise<void>((resolve, reject) => {
        record.settleStart = { resolve, reject }
        void death.then((end) => reject(end.error))
        attempt.signal.addEventListener('abort', () => {
          // It may stand before the order is read, and is then stopped like any other.
          record.settleStop = () => reject(new CacheError('ERR_STOPPED', `${id} was stopped while it started`))
          host.order({ order: 'stop', id, deadlineMs: 0 })
        }, { once: true })
      })
      host.order({
        order: 'start', id, blueprint, buffers: record.buffers, lanes: this.#lanes.grants(record), recoverAs,
        incarnation: attempt.incarnation, failedStarts: Math.min(attempt.failedStartsInARow, record.failedStarts),
        death: lastDeath && { error: describeError(lastDeath.error), functionTimeout: lastDeath.functionTimeout },
      })
      await started
      record.isDown = false
      record.failedStarts = 0
      this.#lanes.dropGone(record)
      return {
        exited: this.#exit(record, death),
        stop: (deadlineMs) => this.#stop(record, deadlineMs, death),
        inspect: () => ({ host: host.id }),
      }
    } catch (error) {
      host.actors.delete(id)
      throw error
    } finally {
      record.settleStart = undefined
      record.settleStop = undefined
    }
  }

  /** What a host has to say of an actor. */
  onReport(report: ActorReport): void {
    const record = this.#actors.get(report.id)
    switch (report.report) {
      case 'started': return record?.settleStart?.resolve()
      case 'failed':
        if (record !== undefined) record.failedStarts++
        return record?.settleStart?.reject(reviveError(report.error))
      case 'stopped': return record?.settleStop?.()
      case 'exited': return record?.settleExit?.({ id: report.id, reason: report.reason, ...report.error && { error: reviveError(report.error) } })
      case 'laneDropped':
        if (report.isQuiet) this.#lanes.keepSpare(report.client, report.id)
        record?.lanes.delete(report.client)
        return this.#lanes.forget(report.client, report.id)
      case 'largeDone': return this.#lanes.largeDone(report.client, report.id, report.largeId)
    }
  }

  /** How the incarnation that has just started ends: by itself, or with its thread. */
  #exit(record: ActorRecord, death: Promise<ThreadDeath>): Promise<ChildExit> {
    const { id, host } = record
    const exited = Promise.race([
      death.then((end): ChildExit => ({ reason: 'error', error: end.error, death: end, counts: !end.functionTimeout })),
      new Promise<ChildExit>((resolve) => {
        record.settleExit = (exit) => resolve({ reason: exit.reason, death: {}, counts: true, ...exit.error && { error: exit.error } })
      }),
    ])
    void exited.then(({ reason, error }) => {
      host.actors.delete(id)
      record.isDown = true
      record.ended({ id, reason, ...error && { error } })
    })
    return exited
  }

  async #stop(record: ActorRecord, deadlineMs: number, death: Promise<ThreadDeath>): Promise<void> {
    const { host, id } = record
    if (deadlineMs > 0) {
      let timer: NodeJS.Timeout | undefined
      const stopped = await Promise.race([
        new Promise<true>((resolve) => {
          record.settleStop = () => resolve(true)
          host.order({ order: 'stop', id, deadlineMs })
        }),
        death.then(() => true),
        new Promise<false>((resolve) => {
          if (deadlineMs < 0x7fff_ffff) timer = setTimeout(() => resolve(false), deadlineMs)
        }),
      ])
      clearTimeout(timer)
      record.settleStop = undefined
      if (!stopped) await host.kill()
    } else {
      await host.kill()
    }
    host.actors.delete(id)
    record.ended({ id, reason: 'shutdown' })
  }
}
