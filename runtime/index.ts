/** The actor runtime on its own: nodes, actors, supervisors. The cache is built with nothing else. */
/// <reference types="node" preserve="true" />
export { Node, type Spawned } from './node.js'
export {
  defineActor, type ActorContext, type ActorDefinition, type ActorOptions, type ActorRef, type AskOptions, type HandlersOf,
  type MessageOf, type ReplyOf, type SpawnOptions,
} from './actor.js'
export { supervisor, type ActorSpec, type Backoff, type BackoffOptions, type ChildSpec, type Restart, type Strategy, type SupervisionOptions, type SupervisorOptions, type SupervisorSpec } from './supervision/supervisor-spec.js'
export { formatTree, type TreeNode } from './supervision/supervision-tree.js'
export { CacheError, ERROR_CODES, type ErrorCode, type Outcome } from './errors.js'
export type { ActorExit } from './system-api.js'
export type { Duration } from './duration.js'
