/** A module that ends the thread that loads it. */
process.exit(9)

export function run(): void {
  // never called
}
