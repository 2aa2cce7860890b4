/** An actor that remembers what was done. It runs on the thread that small actors share. */
import { defineActor } from 'scatterhoard/runtime'

export const journal = defineActor('journal', import.meta.url, {
  init: (): string[] => [],
  handlers: {
    record: (lines, line: string) => void lines.push(line),
    read: (lines) => lines,
  },
})
