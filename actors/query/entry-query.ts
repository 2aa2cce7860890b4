/** The types of queries over entries: what may be written in `where`. `query.ts` compiles them. */

/**
 * A query: all its parts have to hold. `expired` says which entries are looked at, by default those that reads see.
 *
 *     { key: { $prefix: 'user:' }, value: { age: { $gte: 18 }, 'address.city': 'London' } }
 */
export interface Query {
  readonly key?: Condition
  readonly value?: Condition
  /** Milliseconds since 1970, by the node's clock. */
  readonly modified?: Condition
  /** As `modified`; `null` for entries that never expire. */
  readonly expires?: Condition
  readonly expired?: boolean | 'any'
  readonly $and?: readonly Query[]
  readonly $or?: readonly Query[]
  readonly $not?: Query
}

/**
 * What has to hold of a key, a value, a time or a part of one: operators and paths in an object, all of which have to hold, or any other
 * value, which has to be equal.
 *
 * A path is a property's name, or several with dots. It leads to own properties only, to elements of arrays by their index, and into a `Map`
 * by its string keys; a property whose whole name has dots goes first. A path that leads nowhere fulfils `$exists: false` and `$not`, nothing else.
 */
export type Condition = Operators | Paths | Literal

export interface Operators extends Logical {
  /** Equal in kind and content, whatever the order of properties. Also how an object is meant as a whole and not as paths. */
  readonly $eq?: unknown
  /** Of the same kind and not equal. `{ $not: { $eq: x } }` holds for other kinds too, and where nothing is. */
  readonly $ne?: unknown
  /** Orders null, booleans, numbers, BigInts, dates, strings, bytes and arrays, each among themselves; false across kinds. */
  readonly $lt?: unknown
  readonly $lte?: unknown
  readonly $gt?: unknown
  readonly $gte?: unknown
  /** Equal to one of them. */
  readonly $in?: readonly unknown[]
  /** A string that begins so. */
  readonly $prefix?: string
  /** Whether the path leads to anything, be it `null` or `undefined`. */
  readonly $exists?: boolean
}

export interface Logical {
  readonly $and?: readonly Condition[]
  readonly $or?: readonly Condition[]
  readonly $not?: Condition
}

/** Of the operators, paths stand beside the logical ones only, as far as types go. */
export type Paths = { readonly [path: string]: Condition } & Logical & { readonly [O in Exclude<keyof Operators, keyof Logical>]?: never }

type Literal = null | boolean | number | bigint | string | Date | RegExp | ArrayBufferView | ArrayBuffer | Error | readonly unknown[] | ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
