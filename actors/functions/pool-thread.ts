/**
 * What a thread of the function pool does about functions that would end it: `process.exit`, and errors thrown where nobody can
 * catch them, end the call that they come from and nothing else.
 */
import { currentScope } from './call-scope.js'

/** Once for each thread. An actor that starts again on the same thread finds it done. */
let guarded = false

export function guardPoolThread(): void {
  if (guarded) return
  guarded = true
  const exit = process.exit.bind(process)
  process.exit = (code?: number | string | null): never => {
    const scope = currentScope()
    if (scope === undefined) return exit(code)
    const error = new Error(`it called process.exit(${code ?? ''}), which ends its call and not its thread`)
    scope.fail(error)
    // Ends what called it, as far as it does not catch.
    throw error
  }
  process.on('uncaughtException', (error) => {
    const scope = currentScope()
    // Not of a function: the thread ends, as it would without a handler.
    if (scope === undefined) throw error
    scope.fail(error)
  })
  process.on('unhandledRejection', (reason) => {
    process.emitWarning(`a function of the pool left a promise rejected: ${String(reason)}`, { code: 'SCATTERHOARD_UNHANDLED_REJECTION' })
  })
}
