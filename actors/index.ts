/**
 * Scatterhoard: one cache that every thread of a process reads at memory speed and that a supervisor keeps alive.
 * This is the public entry; `scatterhoard/runtime` is the actor runtime on its own.
 */
/// <reference types="node" preserve="true" />
export { startCache, startNode, attachCache, type CacheNode } from './node.js'
export { getCache } from './running-caches.js'
export { cacheSupervisor } from './tree.js'
export { defineFunctions, type FunctionReference, type FunctionsModule } from '../runtime/functions.js'
export { registerClass, type ClassCodec } from '../runtime/codec/classes.js'
export { commit, ignore, type Commit, type Ignore } from './commit.js'
export { CacheError, ERROR_CODES, type ErrorCode, type Outcome } from '../runtime/errors.js'
export { formatTree, type TreeNode } from '../runtime/supervision-tree.js'
export type { Cache, CacheMessage, CacheReply, CacheDescriptor, Attachment } from './cache.js'
export type { CacheActions, CallOptions } from './action.js'
export type { CacheOptions, NodeOptions, Bytes } from './options.js'
export type { Key } from '../runtime/codec/key.js'
export type { Duration } from '../runtime/duration.js'
export type { Expire } from './expiry.js'
export type { GetOptions } from './actions/get.js'
export type { PutOptions } from './actions/put.js'
export type { SizeOptions } from './actions/size.js'
export type { IncrOptions } from './actions/incr.js'
export type { FunctionOptions, Updated, ResultOf } from './actions/get-and-update.js'
export type { InvokeOptions } from './actions/invoke.js'
export type { CommandOptions, ReadCommand, WriteCommand } from './command-options.js'
export type { CacheStats, CalledName } from './actions/stats.js'
export type { Inspections } from './actions/inspect.js'
