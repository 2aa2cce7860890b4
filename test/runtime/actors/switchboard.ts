/** A low-level actor that takes ports, and tells each of them what it hears from all. */
import type { MessagePort } from 'node:worker_threads'
import { defineRawActor, type ActorContext, type Blueprint } from '../../../runtime/actor.js'
import { reply } from '../../../runtime/host/hosted-actor.js'
import { DEFAULT_BOUNDS } from '../../../runtime/mailbox/lane.js'
import type { ActorSpec } from '../../../runtime/supervision/supervisor-spec.js'
import { counter } from './counter.js'

defineRawActor<Set<MessagePort>>('switchboard', import.meta.url, {
  init(_context, args) {
    if (args === 'fails') throw new Error('no')
    return new Set()
  },
  connect(ports, port) {
    ports.add(port)
    port.on('close', () => ports.delete(port))
    port.on('message', (words: unknown) => { for (const one of ports) one.postMessage(words) })
  },
  receive: (ports, inlet) => {
    for (const port of ports) port.close()
    inlet.finish(0)
  },
})

defineRawActor<undefined>('deaf', import.meta.url, { init: () => undefined, receive: (_state, inlet) => inlet.finish(0) })

/** Asks the actor that is called `counter` for what it is asked. */
defineRawActor<ActorContext>('relay', import.meta.url, {
  init: (context) => context,
  receive(context, inlet) {
    const deferral = inlet.defer()
    void context.whereis('counter', counter).then((found) => found!.ask(['add', 1])).then((sum) => reply(deferral, sum))
  },
})

export function spec(definition: 'switchboard' | 'deaf' | 'relay', kind: Blueprint['host']['kind'], args?: string): ActorSpec {
  const actor: Blueprint = { module: import.meta.url, definition, args, host: { kind }, mailbox: DEFAULT_BOUNDS, buffers: {}, crashCode: 'ERR_ACTOR_CRASHED' }
  return { kind: 'actor', id: `${definition}-${kind}`, restart: 'temporary', shutdownMs: 1000, actor }
}
