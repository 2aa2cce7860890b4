/** How the command line shows an error: in one line, with its code and what to do, or as a line of JSON. */
import { describeError, errorCode, type ErrorCode } from '../../runtime/errors.js'

/** What can be done, in words of the command line, where the error does not say it. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  ERR_NODE_UNREACHABLE: 'start it, or correct its address',
  ERR_NO_CACHE: 'give all nodes the same --cache options',
  ERR_UNAUTHENTICATED: 'secret, --cluster and certificates have to be those of the other nodes',
  ERR_MODULE_LOAD: 'correct the module, or --functions',
}

export function showError(error: unknown, json: boolean): string {
  const { name, message, details = {} } = describeError(error)
  if (json) return JSON.stringify({ error: { name, message, ...details } })
  const code = errorCode(error)
  const advice = code === undefined ? undefined : ADVICE[code as ErrorCode]
  return `scatterhoard: ${code ?? name}: ${message}${advice === undefined ? '' : ` (${advice})`}`.replace(/\s*\n\s*/g, ' ')
}
