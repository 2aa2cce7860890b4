/**
 * The k-th smallest of many numbers in linear time on average: Hoare's selection (C. A. R. Hoare, "Algorithm 65: Find",
 * Communications of the ACM, 1961), with the median of three as pivot.
 */

/** The number with exactly `k` others before it in ascending order, from 0. Changes the order of `numbers`, which has more than `k`. */
export function kthSmallest(numbers: Float64Array, k: number): number {
  let from = 0
  let to = numbers.length - 1
  while (from < to) {
    const pivot = medianOf(numbers[from]!, numbers[(from + to) >>> 1]!, numbers[to]!)
    let low = from
    let high = to
    while (low <= high) {
      while (numbers[low]! < pivot) low++
      while (numbers[high]! > pivot) high--
      if (low > high) break
      const other = numbers[low]!
      numbers[low++] = numbers[high]!
      numbers[high--] = other
    }
    if (k <= high) to = high
    else if (k >= low) from = low
    else break
  }
  return numbers[k]!
}

function medianOf(a: number, b: number, c: number): number {
  return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c))
}
