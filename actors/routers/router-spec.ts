/**
 * The option `router` of a cache: `'jump'`, `{ name: 'ring', includes, excludes, virtualNodes }`, or `{ module, options }`; and the
 * list of routers that there are.
 */
import { functionsModuleUrl } from '../../runtime/functions.js'
import { inside, invalidOption, numberWithin, ownOptions } from '../../runtime/option-checks.js'
import { readPatterns } from '../name-patterns.js'
import { customRouter } from './custom.js'
import { jumpRouter } from './jump.js'
import { localRouter } from './local.js'
import { modRouter } from './mod.js'
import { rendezvousRouter } from './rendezvous.js'
import { ringRouter, type RingOptions } from './ring.js'
import { inOrder, type Router, type RouterSetting } from './router.js'

const STATIC = { local: localRouter, mod: modRouter, jump: jumpRouter, rendezvous: rendezvousRouter } as const
type StaticName = keyof typeof STATIC

export const ROUTER_NAMES = ['local', 'mod', 'jump', 'ring', 'rendezvous'] as const
export type RouterName = (typeof ROUTER_NAMES)[number]

/** A pattern of node names, or several: `*` stands for any characters, `?` for one. */
export type NodePatterns = string | RegExp | readonly (string | RegExp)[]

/** How a cache chooses the owner of a key. */
export type RouterOption =
  | RouterName
  | { name: Exclude<RouterName, 'ring'> }
  | {
    name: 'ring'
    /** Only these nodes own keys. Default all. */
    includes?: NodePatterns
    /** These own none. */
    excludes?: NodePatterns
    /** Points of each node on the ring, 1 to 4096. More are evener and slower to change. Default 256. */
    virtualNodes?: number
  }
  | {
    /** The URL of a module that exports `createRouter`. */
    module: string | URL
    /** Its second argument: structured data, the same on every node. */
    options?: unknown
  }

/** The option as plain data: what is sent to threads, and compared between nodes. */
export type RouterSpec =
  | { readonly name: StaticName }
  | { readonly name: 'ring'; readonly options: RingOptions }
  | { readonly name: 'custom'; readonly module: string; readonly options: unknown }

const ALLOWED = `${ROUTER_NAMES.join(', ')}, { name, … }, or { module, options }`

/** Checks the option. Throws `ERR_INVALID_OPTION`. */
export function readRouter(value: unknown, option = 'router'): RouterSpec {
  if (typeof value === 'string') return readNamed(value, { name: value }, option, option)
  if (typeof value !== 'object' || value === null) throw invalidOption(option, value, ALLOWED)
  if (Object.hasOwn(value, 'module')) {
    const own = ownOptions(value, ['module', 'options'], option)
    const url = functionsModuleUrl(own['module'])
    if (url === undefined) throw invalidOption(inside(option, 'module'), own['module'], 'the URL of a module that exports createRouter')
    return { name: 'custom', module: url, options: own['options'] }
  }
  const own = ownOptions(value, ['name', 'includes', 'excludes', 'virtualNodes'], option)
  return readNamed(own['name'], own, option, inside(option, 'name'))
}

function readNamed(name: unknown, own: Record<string, unknown>, option: string, nameOption: string): RouterSpec {
  if (!(ROUTER_NAMES as readonly unknown[]).includes(name)) throw invalidOption(nameOption, name, ALLOWED)
  if (name !== 'ring') {
    ownOptions(own, ['name'], option)
    return { name: name as StaticName }
  }
  return {
    name,
    options: {
      ...own['includes'] !== undefined && { includes: readPatterns(own['includes'], inside(option, 'includes')) },
      ...own['excludes'] !== undefined && { excludes: readPatterns(own['excludes'], inside(option, 'excludes')) },
      ...own['virtualNodes'] !== undefined && { virtualNodes: numberWithin(own['virtualNodes'], 1, 4096, inside(option, 'virtualNodes'), true) },
    },
  }
}

/** Whether owners change when nodes go down and come up; that of a custom router is known when it is made. */
export function followsNodes(router: Router): boolean {
  return router.update !== undefined
}

/** Makes a router, on each thread that needs one. Only custom ones have to be waited for, and only they can fail. */
export function createRouter(spec: RouterSpec, setting: RouterSetting): Router | Promise<Router> {
  switch (spec.name) {
    case 'custom': return customRouter(spec.module, spec.options, { ...setting, nodes: inOrder(setting.nodes) })
    case 'ring': return ringRouter(setting, spec.options)
    default: return STATIC[spec.name](setting)
  }
}
