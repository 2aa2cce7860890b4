/** Whether this thread is one that the library started: applications do not start nodes and caches there. */
let hosting = false

export function markHostThread(): void {
  hosting = true
}

export function isHostThread(): boolean {
  return hosting
}
