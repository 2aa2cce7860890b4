/** The caches that a node runs, as its arguments and its file of options describe them. What a value may be the library says when they start. */
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { CacheOptions } from '../../actors/options.js'
import { errorCode } from '../../runtime/errors.js'
import { inside, invalidOption } from '../../runtime/option-checks.js'
import { UsageError, type Arguments, type OptionKind } from './arguments.js'
import { readTime } from './bridge-arguments.js'

export const CACHE_OPTIONS = {
  'cache': 'texts', 'memory': 'text', 'shards': 'text', 'router': 'text', 'policy': 'text', 'expire': 'text', 'functions': 'texts', 'start-with': 'text', 'config': 'text',
} as const satisfies Record<string, OptionKind>

export interface NamedCache {
  readonly name: string
  readonly options: CacheOptions
}

/** @param nodes those that run the caches, unless the file of options says others */
export function readCaches(given: Arguments, nodes: readonly string[]): NamedCache[] {
  const common = { ...optionsIn(given), nodes }
  const file = given.text('config')
  const configured = file === undefined ? {} : readConfig(file)
  const names = [...new Set([...given.texts('cache'), ...Object.keys(configured)])]
  if (names.length === 0) throw new UsageError('--cache is missing')
  return names.map((name) => ({ name, options: { ...common, ...Object.hasOwn(configured, name) && configured[name] } }))
}

/** Those that hold for every cache. */
function optionsIn(given: Arguments): Record<string, unknown> {
  const own: Record<string, unknown> = {}
  const put = (name: string, option: string, read: (text: string) => unknown = String): void => {
    const text = given.text(name)
    if (text !== undefined) own[option] = read(text)
  }
  put('memory', 'memory')
  put('shards', 'shards', Number)
  put('router', 'router')
  put('start-with', 'startWith')
  put('policy', 'limit', (policy) => ({ policy }))
  put('expire', 'expiration', (time) => ({ default: readTime(time) }))
  const modules = given.texts('functions')
  if (modules.length > 0) own['functions'] = modules.map((path) => moduleUrl(path, process.cwd()))
  return own
}

function readConfig(path: string): Record<string, Record<string, unknown>> {
  let config: unknown
  try {
    config = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    throw invalidOption('config', path, `the path of a JSON file (${errorCode(error) ?? (error as Error).message})`)
  }
  if (!isObject(config)) throw invalidOption('config', path, 'the path of a JSON file with an object: options by name of cache')
  return Object.fromEntries(Object.entries(config).map(([name, options]) => {
    if (!isObject(options)) throw invalidOption(inside('config', name), options, 'an object with the options of that cache')
    return [name, withModules(options, dirname(resolve(path)))]
  }))
}

/** Modules are named in JSON by their paths, as seen from the file. */
function withModules(options: Record<string, unknown>, folder: string): Record<string, unknown> {
  const { functions, router } = options
  return {
    ...options,
    ...Array.isArray(functions) && { functions: functions.map((path: unknown) => typeof path === 'string' ? moduleUrl(path, folder) : path) },
    ...isObject(router) && typeof router['module'] === 'string' && { router: { ...router, module: moduleUrl(router['module'], folder) } },
  }
}

function moduleUrl(path: string, folder: string): string {
  return URL.canParse(path) ? path : pathToFileURL(resolve(folder, path)).href
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
