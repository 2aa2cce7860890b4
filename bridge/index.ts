/**
 * Distance: everything that leaves the process. Nothing does yet: nodes on other machines come with the next releases,
 * and until then a node serves the threads of one process only. What can be relied on today are the error class and its
 * codes; errors of other nodes will arrive as these (`ERR_NODE_DOWN`, `ERR_NODE_UNREACHABLE`, `ERR_PARTIAL`, …).
 */
export { CacheError, ERROR_CODES, type ErrorCode, type Outcome } from '../runtime/errors.js'
