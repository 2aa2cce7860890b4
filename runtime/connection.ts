/** A control link that is replaced when the thread at its other end was restarted. */
import type { Connection } from './client.js'
import type { ControlLink } from './control.js'
import { CacheError } from './errors.js'
import type { SystemApi } from './system-api.js'

export class SystemConnection implements Connection {
  #link: ControlLink<SystemApi> | undefined
  #closed: CacheError | undefined
  #waiting: { resolve: () => void; reject: (error: Error) => void }[] = []

  get link(): ControlLink<SystemApi> {
    if (this.#closed !== undefined) throw this.#closed
    if (this.#link === undefined) throw new CacheError('ERR_STOPPED', 'the node has not started')
    return this.#link
  }

  /** From now on, this link. */
  use(link: ControlLink<SystemApi>): void {
    if (this.#closed !== undefined) return link.close()
    // What was called on the old one and not answered never will be.
    this.#link?.abandon()
    this.#link = link
    for (const { resolve } of this.#waiting.splice(0)) resolve()
  }

  replaced(link: ControlLink<SystemApi>): Promise<void> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    if (this.#link !== link) return Promise.resolve()
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  /** No further link will come. */
  close(error: CacheError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    this.#link?.close()
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }
}
