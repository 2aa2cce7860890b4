/**
 * A router of the application's own: a module that exports `createRouter`, loaded by every thread of every node.
 *
 *     export function createRouter({ nodes, self }, options) {
 *       return { nodes, owner: (key) => nodes[(key.hash >>> 0) % nodes.length] }
 *     }
 *
 * `key.hash` and `key.bytes` are of the part of the key that decides: tags have been looked at. With `update` the router
 * follows nodes up and down.
 */
import { CacheError, printable } from '../../runtime/errors.js'
import { inOrder, type Router, type RouterSetting } from './router.js'
import type { RoutingKey } from './routing-key.js'

/** What the module has to export. */
export type CreateRouter = (setting: RouterSetting, options: unknown) => Router

/**
 * Loads the module and makes its router.
 *
 * @throws `ERR_MODULE_LOAD` if it cannot be loaded or has no `createRouter`; `ERR_FUNCTION_FAILED` if that fails or returns no router
 */
export async function customRouter(module: string, options: unknown, setting: RouterSetting): Promise<Router> {
  const create = await loadCreate(module)
  let made: unknown
  try {
    made = create(setting, options)
  } catch (error) {
    throw failed(module, `createRouter failed: ${String(error)}`, error)
  }
  if (!isRouter(made)) throw failed(module, 'createRouter has to return { nodes, owner(key) } and may add update(up)')
  return new CustomRouter(module, made, setting.nodes)
}

function isRouter(made: unknown): made is Router {
  const { owner, update } = (made ?? {}) as Partial<Record<keyof Router, unknown>> // whatever it is
  return typeof owner === 'function' && (update === undefined || typeof update === 'function')
}

async function loadCreate(module: string): Promise<CreateRouter> {
  let loaded: { createRouter?: unknown }
  try {
    loaded = await import(module) as { createRouter?: unknown }
  } catch (error) {
    throw new CacheError('ERR_MODULE_LOAD', `the module of the router ${module} could not be loaded: ${String(error)}`, { cause: error, module })
  }
  if (typeof loaded.createRouter !== 'function') throw new CacheError('ERR_MODULE_LOAD', `the module of the router ${module} does not export a function createRouter`, { module })
  return loaded.createRouter as CreateRouter
}

function failed(module: string, what: string, cause?: unknown): CacheError {
  return new CacheError('ERR_FUNCTION_FAILED', `the router of ${module}: ${what}`, { module, cause })
}

/** Holds a foreign router to the contract: it answers with one of its nodes, or the call fails. */
class CustomRouter implements Router {
  nodes: readonly string[]
  readonly update?: (up: readonly string[]) => void
  readonly #module: string
  readonly #router: Router

  constructor(module: string, router: Router, nodes: readonly string[]) {
    this.#module = module
    this.#router = router
    this.nodes = nodes
    if (router.update === undefined) return
    this.update = (up) => {
      this.nodes = inOrder(up)
      this.#guard('update', () => router.update!(this.nodes))
    }
  }

  owner(key: RoutingKey): string | undefined {
    const owner: unknown = this.#guard('owner', () => this.#router.owner(key))
    if (owner === undefined || this.nodes.includes(owner as string)) return owner as string | undefined
    throw failed(this.#module, `owner returned ${printable(owner)}, which is none of the nodes ${this.nodes.join(', ')}`)
  }

  #guard<T>(what: string, run: () => T): T {
    try {
      return run()
    } catch (error) {
      throw failed(this.#module, `${what} failed: ${String(error)}`, error)
    }
  }
}
