/**
 * Functions by name. A function that is to run on another thread or node stands in a module that calls
 * `defineFunctions`; only its name and its arguments are sent. Whoever runs it has loaded the module before.
 *
 * The registry belongs to a thread. It is a `Map`, so `constructor` and `__proto__` are names like any other: unknown.
 */
import { CacheError, invalidArgument, printable } from './errors.js'

// The registry holds functions of every signature; the reference's type parameter keeps each one's own.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyFunction = (...args: any[]) => any

/** Carries the function's type; never present at run time. */
export declare const SIGNATURE: unique symbol

/** The name of a registered function, with the function's type. */
export interface FunctionReference<F extends AnyFunction = AnyFunction> {
  readonly name: string
  readonly [SIGNATURE]: F
}

const MODULE = Symbol.for('scatterhoard.functions')

/** What `defineFunctions` returns: a reference for each function. */
export type FunctionsModule<T extends Record<string, AnyFunction> = Record<string, AnyFunction>> = {
  readonly [K in keyof T & string]: FunctionReference<T[K]>
}

/** A `FunctionReference` at run time. */
export class Reference {
  readonly name: string

  constructor(name: string) {
    this.name = name
    Object.freeze(this)
  }
}

interface Registered {
  readonly run: AnyFunction
  readonly module: string
}

const registry = new Map<string, Registered>()

/**
 * Registers the functions of a module as `name.key`. Call it at the top level of the module, with its `import.meta.url`:
 * every thread that runs them loads the module by it.
 *
 * @param name begins the names of all of them; unique in the application
 * @throws `TypeError` (`ERR_INVALID_ARGUMENT`) for anything but functions; `ERR_NAME_TAKEN` if another module has the name
 */
export function defineFunctions<T extends Record<string, AnyFunction>>(name: string, module: string, functions: T): FunctionsModule<T> {
  if (typeof name !== 'string' || name === '') throw invalidArgument('defineFunctions needs a name for the module, such as \'people\'')
  if (typeof module !== 'string' || !URL.canParse(module)) throw invalidArgument('defineFunctions needs import.meta.url as its second argument')
  if (typeof functions !== 'object' || (functions as unknown) === null) throw invalidArgument('defineFunctions needs an object of functions as its third argument')
  const references = Object.create(null) as Record<string, Reference>
  for (const [key, run] of Object.entries(functions)) {
    const full = `${name}.${key}`
    if (typeof run !== 'function') throw invalidArgument(`'${full}' is not a function`)
    const known = registry.get(full)
    if (known !== undefined && known.module !== module) {
      throw new CacheError('ERR_NAME_TAKEN', `the function name '${full}' belongs to ${known.module}; give one of the modules another name`, { function: full })
    }
    registry.set(full, { run, module })
    references[key] = new Reference(full)
  }
  Object.defineProperty(references, MODULE, { value: module })
  return Object.freeze(references) as unknown as FunctionsModule<T> // the signatures are types only
}

/** The URL of a module of functions: of what `defineFunctions` returned, or as a string or `URL`. */
export function functionsModuleUrl(module: unknown): string | undefined {
  if (module instanceof URL) return module.href
  if (typeof module === 'string') return URL.canParse(module) ? module : undefined
  const url: unknown = typeof module === 'object' && module !== null ? Reflect.get(module, MODULE) : undefined
  return typeof url === 'string' ? url : undefined
}

/**
 * The name that a caller means by a reference or a string.
 *
 * @throws `ERR_FUNCTION_NOT_REGISTERED` for a function itself: a closure cannot be sent
 */
export function functionName(reference: unknown): string {
  if (reference instanceof Reference) return reference.name
  if (typeof reference === 'string' && reference !== '') return reference
  if (typeof reference === 'function') {
    throw new CacheError('ERR_FUNCTION_NOT_REGISTERED', `a function cannot be sent to another thread, only its name: put ${reference.name === '' ? 'it' : `'${reference.name}'`} into a module with defineFunctions(name, import.meta.url, { … }) and pass the reference, or its name`)
  }
  throw invalidArgument('a function is named by its reference from defineFunctions, or by its name, such as \'people.load\'')
}

/** The function of that name on this thread. */
export function functionNamed(name: string, node: string): AnyFunction {
  const registered = registry.get(name)
  if (registered !== undefined) return registered.run
  throw new CacheError('ERR_UNKNOWN_FUNCTION', `node '${node}' has no function '${name}' here; list its module in the option 'functions'`, { function: name, node })
}

/** The error of a call whose function threw, whatever it threw. */
export function functionFailed(name: string, thrown: unknown): CacheError {
  return new CacheError('ERR_FUNCTION_FAILED', `the function '${name}' failed: ${printable(thrown)}`, { cause: thrown ?? new Error(`threw ${printable(thrown)}`), function: name })
}

/** Loads modules of functions on this thread. `ERR_MODULE_LOAD` names the one that fails. */
export async function loadFunctions(modules: readonly string[]): Promise<void> {
  for (const module of modules) {
    try {
      await import(module)
    } catch (error) {
      throw new CacheError('ERR_MODULE_LOAD', `the module of functions ${module} could not be loaded: ${String(error)}`, { cause: error, module })
    }
  }
}
