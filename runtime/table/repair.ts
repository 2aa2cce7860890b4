/**
 * What a new writer does with a table that another one left, possibly in the middle of a change.
 *
 * The index is whole at every instruction, so it is the truth: what it reaches stays, everything else is free. In order:
 *
 *   1. walk the index and check it; if it cannot be, throw, with nothing changed
 *   2. bump all versions: a change may have been published and its bump not have come to pass
 *   3. rebuild the allocator's books and the lists of free blocks, which from here on overwrites what nothing reaches
 *   4. mend the order of insertion and the count of entries, and list what is prepared
 *
 * Whether prepared blocks are finished or undone is not decided here: their transactions' states say it.
 */
import { ENTRIES_WORD, FREE, FREE_NEXT, LENS, modifiedAt, OPENED_WORD, slotOf, versionOfGroup } from './layout.js'
import { LISTS } from './order.js'
import type { TableStore } from './store.js'
import { Survey } from './survey.js'
import { bumpVersion } from './version.js'

export function repairTable(store: TableStore): void {
  const { words, geometry, pages } = store
  if (words[OPENED_WORD] === 0) {
    // Nobody has written it yet. Bumping the versions of an index that is empty would only commit its memory.
    pages.adopted()
    words[OPENED_WORD] = 1
    return
  }
  const survey = new Survey(store)
  for (let group = 0; group < geometry.groups; group++) bumpVersion(words, versionOfGroup(group))
  adoptPages(store, survey)
  mendOrder(store, survey)
  for (const block of survey.prepared) store.prepared.add(slotOf(words, block), block)
  words[ENTRIES_WORD] = survey.entries
  words[OPENED_WORD]!++
}

function adoptPages(store: TableStore, survey: Survey): void {
  const { words, geometry, pages, classes } = store
  for (let page = geometry.endPage - 1; page >= geometry.firstPage; page--) {
    const sizeClass = survey.classOf[page]!
    if (sizeClass === 0) continue
    const size = classes.sizes[sizeClass]!
    const fresh = survey.fresh[page]!
    let firstFree = 0
    if (survey.live[page]! < fresh) {
      for (let block = (page << geometry.pageShift) + (fresh - 1) * size; block >= page << geometry.pageShift; block -= size) {
        if (survey.isUsed(block)) continue
        words[(block >> 2) + FREE_NEXT] = firstFree
        words[(block >> 2) + LENS] = FREE
        firstFree = block
      }
    }
    pages.adopt(page, sizeClass, survey.live[page]!, fresh, firstFree)
  }
  pages.adopted()
}

/**
 * A list is right as far as it can be followed from its oldest end, and from its newest end. A writer that died has left at
 * most one entry out between the two; if it died while it cleared the table, many: those are put in by the time of their
 * modification.
 */
function mendOrder(store: TableStore, survey: Survey): void {
  const { order, words } = store
  const oldPart = new Int32Array(LISTS)
  const newPart = new Int32Array(LISTS)
  order.forgetCounts()
  for (let list = 0; list < LISTS; list++) {
    for (let block = order.oldestOf(list); survey.meet(block); block = order.newerThan(block)) {
      if (order.olderThan(block) !== oldPart[list]) order.link(list, oldPart[list]!, block)
      order.adopt(block, list)
      oldPart[list] = block
    }
    for (let block = order.newestOf(list); survey.meet(block); block = order.olderThan(block)) {
      if (order.newerThan(block) !== newPart[list]) order.link(list, block, newPart[list]!)
      order.adopt(block, list)
      newPart[list] = block
    }
  }
  if (order.count < survey.entries) {
    const missing = survey.unmet()
    for (const block of missing.sort((a, b) => modifiedAt(words, a) - modifiedAt(words, b))) {
      const list = Math.min(order.listOf(block), LISTS - 1)
      order.link(list, oldPart[list]!, block)
      order.adopt(block, list)
      oldPart[list] = block
    }
  }
  for (let list = 0; list < LISTS; list++) order.link(list, oldPart[list]!, newPart[list]!)
}
