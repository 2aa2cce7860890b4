/** Recorded bytes changed at random, so that the same numbers make the same changes. */
export type Random = (below: number) => number

/** One to four changes of some bytes. */
export function mutate(bytes: Buffer, random: Random): Buffer {
  let changed = Buffer.from(bytes)
  for (let change = random(4); change >= 0 && changed.length > 0; change--) {
    const at = random(random(3) === 0 ? Math.min(changed.length, 40) : changed.length)
    switch (random(7)) {
      case 0: changed[at]! ^= 1 << random(8); break
      case 1: changed[at] = [0, 1, 0x7f, 0x80, 0xff][random(5)]!; break
      case 2: changed = changed.subarray(0, at); break
      case 3: changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at + 1 + random(20))]); break
      case 4: changed = Buffer.concat([changed.subarray(0, at), changed.subarray(at, at + random(100)), changed.subarray(at)]); break
      case 5: changed = Buffer.concat([changed.subarray(0, at), Buffer.from(Array.from({ length: 1 + random(30) }, () => random(256))), changed.subarray(at)]); break
      case 6: if (changed.length >= at + 4) changed.writeUInt32LE([0, 0xffff_ffff, 0x8000_0000, 0x1_0000, random(0x1_0000)][random(5)]!, at); break
    }
  }
  return changed
}

/** Two of a list exchanged, one left out, one doubled, or none of it. */
export function exchange<T>(list: readonly T[], random: Random): T[] {
  const changed = [...list]
  const [from, to] = [random(changed.length), random(changed.length)]
  switch (random(4)) {
    case 0: [changed[from], changed[to]] = [changed[to]!, changed[from]!]; break
    case 1: changed.splice(from, 1); break
    case 2: changed.splice(to, 0, changed[from]!); break
  }
  return changed
}
