/**
 * Functions that threads of the application have registered, and run: next to their database pools and other open things, which no
 * other thread has. Callers on other threads of the node are served through the control plane.
 */
import { threadId } from 'node:worker_threads'
import type { Client } from '../../runtime/client.js'
import { CacheError, invalidArgument } from '../../runtime/errors.js'
import { serveFunctions, type PassedCall } from '../../runtime/function-server.js'
import { Reference, type AnyFunction, type FunctionReference } from '../../runtime/functions.js'
import { MAX_NAME_BYTES } from '../../runtime/registered-names.js'
import { isHostThread } from '../../runtime/host/host-thread.js'
import { readCall, type ArrivedCall, type CallReply } from './function-wire.js'

/** What `registerFunction` returns: a reference to the function, and the way to take it back. */
export interface RegisteredFunction<F extends AnyFunction = AnyFunction> extends FunctionReference<F> {
  /** From now on the name is free. Calls that are under way go on. May be called twice. */
  unregister(): void
}

export interface RegisterOptions {
  /** Other threads may have a function of that name too; each thread then calls its own. Default false. */
  each?: boolean
}

interface Registered {
  readonly run: AnyFunction
  readonly each: boolean
  /** Only this one takes the name back, not that of an earlier registration. */
  readonly reference: RegisteredReference
}

const registered = new Map<string, Registered>()

/** This thread's ways to nodes. Each of them knows what the thread has registered. */
const clients = new Set<Client>()
const serving = new WeakSet<Client>()

class RegisteredReference extends Reference {
  unregister(): void {
    if (registered.get(this.name)?.reference !== this) return
    registered.delete(this.name)
    for (const client of liveClients()) client.names.release(this.name)
  }
}

/**
 * Registers a function under a name, on this thread. Wherever in the node it is called by that name it runs here, and may be
 * asynchronous; on a thread that has registered one of that name itself, that one runs. It goes before a module's function of that
 * name. On threads of the library, where a module may be loaded too, nothing is registered.
 *
 * @throws `ERR_NAME_TAKEN` if this thread has registered the name, or another one of the node, unless `each` is set; `ERR_TOO_LARGE`
 * for a name of more than 240 bytes; `ERR_FULL` if the node's threads have registered 1,024 functions
 */
export function registerFunction<F extends AnyFunction>(name: string, run: F, options: RegisterOptions = {}): RegisteredFunction<F> {
  if (typeof name !== 'string' || name === '') throw invalidArgument('registerFunction needs a name for the function, such as \'people.fromDb\'')
  const bytes = Buffer.byteLength(name)
  if (bytes > MAX_NAME_BYTES) throw new CacheError('ERR_TOO_LARGE', `the name of a registered function has at most ${MAX_NAME_BYTES} bytes, not ${bytes}`, { bytes, limit: MAX_NAME_BYTES })
  if (typeof run !== 'function') throw invalidArgument(`registerFunction needs a function as its second argument, to be called by the name '${name}'`)
  if (typeof options !== 'object' || (options as unknown) === null) throw invalidArgument('the options of registerFunction are an object with each')
  for (const option in options) if (option !== 'each') throw invalidArgument(`registerFunction has no option '${option}', only each`)
  const { each = false } = options
  if (typeof each !== 'boolean') throw invalidArgument('the option each of registerFunction is true or false')
  const reference = new RegisteredReference(name)
  // The type parameter is a type only.
  if (isHostThread()) return reference as unknown as RegisteredFunction<F>
  if (registered.has(name)) {
    throw new CacheError('ERR_NAME_TAKEN', `this thread has registered a function '${name}'; choose another name, or unregister that one first`, { function: name })
  }
  claim([...liveClients()].map((client) => ({ client, name, each })))
  registered.set(name, { run, each, reference })
  for (const client of clients) serve(client)
  return reference as unknown as RegisteredFunction<F>
}

/**
 * Makes what this thread has registered known to a node that it has become a client of.
 *
 * @throws `ERR_NAME_TAKEN` if another thread of the node has a function of one of the names
 */
export function connectFunctions(client: Client): void {
  claim([...registered].map(([name, { each }]) => ({ client, name, each })))
  clients.add(client)
  if (registered.size > 0) serve(client)
}

/** Nobody asks a node that has stopped, and threads that ended with it may have left its names locked. */
function liveClients(): ReadonlySet<Client> {
  for (const client of clients) if (client.isStopped) clients.delete(client)
  return clients
}

/** This thread's own function of that name. */
export function ownFunction(name: string): AnyFunction | undefined {
  return registered.get(name)?.run
}

/** Runs a function of this thread's own. */
export async function runOwn(client: Client, call: ArrivedCall): Promise<CallReply> {
  // Not before it is needed: handles have all actions, and these call functions.
  const { runHere } = await import('./own-call.js')
  return runHere(client, call)
}

interface Claim {
  readonly client: Client
  readonly name: string
  readonly each: boolean
}

/** All or nothing. */
function claim(claims: readonly Claim[]): void {
  for (const [index, { client, name, each }] of claims.entries()) {
    try {
      client.names.claim(name, threadId, each)
    } catch (error) {
      for (const done of claims.slice(0, index)) done.client.names.release(done.name)
      throw error
    }
  }
}

function serve(client: Client): void {
  if (serving.has(client)) return
  serving.add(client)
  void serveFunctions(client, { run: (call) => runPassed(client, call) })
}

function runPassed(client: Client, { bytes, keyEnd, argsEnd }: PassedCall): Promise<CallReply> {
  return runOwn(client, readCall(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, keyEnd, argsEnd, bytes.byteLength))
}
