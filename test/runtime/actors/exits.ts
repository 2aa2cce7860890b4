/** Programs that end by themselves, or not; `node.test.ts` runs them as processes of their own. */
import { Node } from 'scatterhoard/runtime'
import { counter, newGate, ownCounter } from './counter.js'

const node = await Node.start('exits')
const actor = await node.spawn(counter.with({ args: [0, newGate()] }))
const print = (text: string): void => void process.stdout.write(`${text}\n`)

switch (process.argv[2]) {
  case 'stopped':
    await actor.ask(['get'])
    await node.stop()
    print('stopped')
    break
  case 'idle': {
    void node.watch(actor)
    const controller = new AbortController()
    actor.ask(['wait'], { timeout: '1d', signal: controller.signal }).catch(() => undefined)
    actor.tell(['add', 1])
    setImmediate(() => controller.abort())
    print('idle')
    break
  }
  case 'pending':
    void actor.ask(['later', 300]).then((n) => print(`answered ${n === 0}`))
    break
  case 'killed': {
    const own = await node.spawn(ownCounter)
    await own.ask(['get'])
    void node.kill('system').then(() => own.ask(['incarnation'])).then((n) => print(`answered ${n}`))
  }
}
