/** A writer that dies at a store of one's choice: what tests of kills are made with. */
class Killed extends Error {}

/**
 * Runs `work` with a writer that dies at its n-th store into words of the table, plain or atomic, before or after the store.
 * The stores are counted by standing in for `Int32Array` and `Atomics` while the writer is opened and works; bytes of keys and
 * values are not counted, since they go to blocks that nothing reaches yet.
 */
export function dyingAt(store: number, afterwards: boolean, table: SharedArrayBuffer, work: (arm: () => void) => void): { killed: boolean; stores: number } {
  const Original = globalThis.Int32Array
  const { load, store: atomicStore, add, and, or } = Atomics
  const originals = new WeakMap<object, Int32Array>()
  const real = (array: Int32Array): Int32Array => originals.get(array) ?? array
  let stores = 0
  let armed = false
  const counted = <T>(act: () => T): T => {
    const dies = armed && stores++ === store
    if (dies && !afterwards) throw new Killed()
    const result = act()
    if (dies) throw new Killed()
    return result
  }
  const StandIn = new Proxy(Original, {
    construct(target, args: [SharedArrayBuffer]) {
      const array = Reflect.construct(target, args) as Int32Array
      if (args[0] !== table) return array
      const proxy: Int32Array = new Proxy(array, {
        get: (words, property) => {
          const value: unknown = Reflect.get(words, property, words)
          return typeof value === 'function' ? (value as (...parameters: unknown[]) => unknown).bind(words) : value
        },
        set: (words, property, value: number) => counted(() => Reflect.set(words, property, value, words)),
      })
      originals.set(proxy, array)
      return proxy
    },
  })
  Object.assign(globalThis, { Int32Array: StandIn })
  Atomics.load = ((array: Int32Array, index: number) => load(real(array), index)) as typeof load
  Atomics.store = ((array: Int32Array, index: number, value: number) => counted(() => atomicStore(real(array), index, value))) as typeof atomicStore
  Atomics.add = ((array: Int32Array, index: number, value: number) => counted(() => add(real(array), index, value))) as typeof add
  Atomics.and = ((array: Int32Array, index: number, value: number) => counted(() => and(real(array), index, value))) as typeof and
  Atomics.or = ((array: Int32Array, index: number, value: number) => or(real(array), index, value)) as typeof or
  try {
    work(() => { armed = true })
    return { killed: false, stores }
  } catch (error) {
    if (!(error instanceof Killed)) throw error
    return { killed: true, stores }
  } finally {
    Object.assign(globalThis, { Int32Array: Original })
    Object.assign(Atomics, { load, store: atomicStore, add, and, or })
  }
}
