/** keyv with its store in memory. */
import { Keyv } from 'keyv'
import { keys, texts } from '../data.js'

export interface KeyvPeer {
  get(key: string): Promise<string | undefined>
  set(key: string, value: string): Promise<unknown>
}

export async function createKeyv(): Promise<KeyvPeer> {
  const keyv = new Keyv<string>()
  for (const [i, key] of keys.entries()) await keyv.set(key, texts[i]!)
  return { get: (key) => keyv.get<string>(key), set: (key, value) => keyv.set(key, value) }
}
