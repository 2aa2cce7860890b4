/** A process that dumps a cache to the path of its first argument, again and again, until it is killed. */
import { startCache } from 'scatterhoard'

const cache = await startCache<string>('dumped', { shards: 1, memory: '64mb' })
await cache.import(Array.from({ length: 40_000 }, (_, n) => ({ key: n, value: String(n).padEnd(100, `${n * 7919} `) })))
for (;;) {
  await cache.dump(process.argv[2]!)
  process.stdout.write('.')
}
