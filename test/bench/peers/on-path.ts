/** Which servers of peers this machine has. */
import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether such a program is on the PATH. */
export function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((directory) => {
    try {
      accessSync(join(directory, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
