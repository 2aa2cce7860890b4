import { expect } from 'chai'
import { MessageChannel } from 'node:worker_threads'
import { Vault, VaultWriter } from '../../runtime/vault.js'

describe('the vault', () => {
  const follow = (vault: Vault): VaultWriter => {
    const { port1, port2 } = new MessageChannel()
    vault.follow(port1)
    port2.unref()
    return new VaultWriter(vault.snapshot(), port2)
  }

  it('has what was put as soon as it is asked, shared buffers as the same memory', () => {
    const vault = new Vault()
    const writer = follow(vault)
    const buffer = writer.buffer('buffer/a', 16)
    expect(writer.buffer('buffer/a', 16)).to.equal(buffer)
    new Int32Array(buffer)[0] = 7
    expect(new Int32Array(vault.get('buffer/a') as SharedArrayBuffer)[0]).to.equal(7)
    writer.drop('buffer/a')
    expect(vault.get('buffer/a')).to.equal(undefined)
    vault.clear()
  })

  it('keeps what a writer that is gone has reported, for the next', () => {
    const vault = new Vault()
    const first = follow(vault)
    first.put('spec/a', { n: 1 })
    first.put('lane/1/a', 1)
    const second = follow(vault)
    first.put('spec/b', 2) // nobody listens any more
    expect(second.names('spec/')).to.deep.equal(['spec/a'])
    second.drop('lane/1/a')
    expect([...vault.snapshot().keys()]).to.deep.equal(['spec/a'])
    vault.clear()
    expect(vault.get('spec/a')).to.equal(undefined)
  })
})
