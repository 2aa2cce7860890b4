/** The port of a real node, and what strangers and peers gone mad do to it. */
import { hostileConnections } from '../races/hostile-connections.js'
import { portFuzz } from '../races/port-fuzz.js'
import { expectNone } from '../races/script.js'

describe('the port of a node in a process of its own', function () {
  this.timeout(60_000)

  it('gets recorded sessions that were changed, as a stranger\'s, a peer\'s and a called node\'s, and an honest peer is answered right all the while', async () => {
    expectNone(await portFuzz({ seconds: 10, seed: 2, cases: 80, first: 0 }))
  })

  it('gets connections by the hundred that come to nothing: the node is about as large as before, and an honest peer is answered', async () => {
    // How long that takes belongs to a quiet machine.
    expectNone(await hostileConnections({ connections: 400, atOnce: 200, quietSeconds: 0.3, factor: Infinity }))
  })
})
