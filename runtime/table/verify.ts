/** For tests: whether the table and the writer's books are what they should be. */
import { BLOCK_BITS, BYTES_USED_WORD, HASH, headOfBucket, keyLengthOf, keyOffset, LENS, slotOf } from './layout.js'
import { LISTS } from './order.js'
import type { TableStore } from './store.js'
import { Survey } from './survey.js'

/** Throws what is wrong. */
export function verifyTable(store: TableStore): void {
  const { pages, geometry, order, words } = store
  const survey = new Survey(store)
  for (let page = geometry.firstPage; page < geometry.endPage; page++) {
    if (survey.classOf[page] !== pages.classOf[page]) fail(`page ${page} has class ${survey.classOf[page]}, and ${pages.classOf[page]} in the books`)
    if (survey.live[page] !== pages.live[page]) fail(`page ${page} has ${survey.live[page]} blocks in use, and ${pages.live[page]} in the books`)
  }
  pages.verify()
  if (store.entries !== survey.entries) fail(`there are ${survey.entries} entries, and ${store.entries} are counted`)
  const used = (geometry.endPage - pages.emptyPages) * geometry.pageBytes
  if (words[BYTES_USED_WORD]! >>> 0 !== used) fail(`${used} bytes are used, and ${words[BYTES_USED_WORD]} are counted`)
  let met = 0
  for (let list = 0; list < LISTS; list++) {
    const before = met
    let last = 0
    for (let block = order.oldestOf(list); block !== 0; last = block, block = order.newerThan(block), met++) {
      if (!survey.meet(block)) fail(`the order leads to ${block}, which is no entry or is there twice`)
      if (order.olderThan(block) !== last) fail(`the order's links of ${block} disagree`)
      if (order.listOf(block) !== list) fail(`block ${block} is in list ${list}, and says ${order.listOf(block)}`)
    }
    if (order.newestOf(list) !== last) fail(`list ${list} ends with ${order.newestOf(list)}, and can be followed to ${last}`)
    if (order.countOf(list) !== met - before) fail(`list ${list} has ${met - before} entries, and ${order.countOf(list)} are counted`)
    if (list >= store.policy.lists && met > before) fail(`list ${list} has entries that the policy does not look at`)
  }
  if (met !== survey.entries) fail(`the order holds ${met} of ${survey.entries} entries`)
  for (let bucket = 0; bucket < geometry.buckets; bucket++) verifyKeys(store, words[headOfBucket(bucket)]! & BLOCK_BITS)
  for (const block of survey.prepared) if (!store.prepared.has(slotOf(words, block), block)) fail(`block ${block} is prepared, and not in the list`)
  const listed = store.prepared.slots.reduce((count, slot) => count + store.prepared.of(slot).length, 0)
  if (listed !== survey.prepared.length) fail(`${survey.prepared.length} blocks are prepared, and ${listed} are listed`)
  if (store.kept !== 0) fail('an entry is still kept from eviction')
}

function verifyKeys(store: TableStore, head: number): void {
  const { words, bytes } = store
  for (let block = head; block !== 0; block = words[block >> 2]!) {
    const lens = words[(block >> 2) + LENS]!
    const at = block + keyOffset(lens)
    const found = store.findPrepared(slotOf(words, block), words[(block >> 2) + HASH]!, bytes, at, at + keyLengthOf(lens))
    if (found !== block) fail(`blocks ${found} and ${block} have the same key`)
    if (slotOf(words, block) !== 0 && !isBehind(store, block, store.findEntryOf(block))) fail(`block ${block} is prepared behind the entry that it replaces`)
  }
}

/** Whether an entry, if there is one, comes after a block in its chain. */
function isBehind({ words }: TableStore, block: number, entry: number): boolean {
  while (block !== entry && block !== 0) block = words[block >> 2]!
  return block === entry
}

function fail(what: string): never {
  throw new Error(what)
}
