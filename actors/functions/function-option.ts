/** How options name functions: by a reference or a name, as calls do. */
import { functionName, type AnyFunction, type FunctionReference } from '../../runtime/functions.js'
import { CacheError } from '../../runtime/errors.js'
import { invalidOption } from '../../runtime/option-checks.js'

/** A function by its reference, or by its name. */
export type FunctionOption<F extends AnyFunction> = FunctionReference<F> | string

/**
 * The name of the function that an option means.
 *
 * @throws `ERR_INVALID_OPTION`; `ERR_FUNCTION_NOT_REGISTERED` for a function itself, as calls do
 */
export function readFunction(value: unknown, option: string): string {
  try {
    return functionName(value)
  } catch (error) {
    if (error instanceof CacheError) throw new CacheError(error.code, `option '${option}': ${error.message}`, { option })
    throw invalidOption(option, value, 'a reference from defineFunctions or registerFunction, or a name such as \'people.load\'')
  }
}
