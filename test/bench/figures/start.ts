/** The start of a cache with two shards in a process that has none: importing the package up to the first write's reply. */
import { startChild } from '../children/process.js'
import { median } from '../measure.js'
import { against, runRounds } from '../rounds.js'
import type { Figure } from '../setting.js'

const MODULE = new URL('../children/start-process.js', import.meta.url)

export const startFromNothing: Figure = {
  name: 'start',
  group: 'start',
  async run(setting) {
    const slice = async (): Promise<number> => {
      const child = await startChild<number>(MODULE, [])
      const took = await child.ask('how long')
      await child.end()
      return took
    }
    const results = await runRounds([{ name: 'ours', slice }], setting)
    return [against('start of a cache with 2 shards, from nothing', 'ms', median(results.get('ours')!), { atMost: 300 })]
  },
}
