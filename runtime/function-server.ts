/**
 * Lets the system thread call functions of this thread, for callers on other threads: those that the application has registered
 * here, where their database pools and other open things are.
 */
import { MessageChannel } from 'node:worker_threads'
import type { Client } from './client.js'
import { moving, serveControl } from './control.js'

/** A call of a function as it is passed on: three sections of bytes that only its two ends understand. */
export interface PassedCall {
  bytes: Uint8Array
  keyEnd: number
  argsEnd: number
}

/** What a thread offers to the system thread. */
export interface FunctionApi {
  run(call: PassedCall): Promise<unknown>
}

/** Serves until the client is stopped, to one system thread after the other. Keeps nothing alive. */
export async function serveFunctions(client: Client, api: FunctionApi): Promise<void> {
  for (;;) {
    try {
      const link = await client.link()
      const { port1, port2 } = new MessageChannel()
      const closed = serveControl(api, port1)
      port1.unref()
      await link.call((system) => system.serveFunctions(moving({ port: port2 }, [port2])))
      await Promise.race([closed, link.closed])
      port1.close()
    } catch {
      // The node has stopped, or this system thread died before it heard; then there is another one, or none.
      if (client.isStopped) return
    }
  }
}
