/** bentocache with its memory layer alone, sized so that it evicts nothing. */
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { KEYS, keys, texts } from '../data.js'

export interface BentoPeer {
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<unknown>
  close(): Promise<void>
}

export async function createBento(): Promise<BentoPeer> {
  const bento = new BentoCache({ default: 'memory', stores: { memory: bentostore().useL1Layer(memoryDriver({ maxItems: KEYS * 2 })) } })
  for (const [i, key] of keys.entries()) await bento.set({ key, value: texts[i]! })
  return {
    get: (key) => bento.get<string>({ key }),
    set: (key, value) => bento.set({ key, value }),
    close: () => bento.disconnectAll(),
  }
}
