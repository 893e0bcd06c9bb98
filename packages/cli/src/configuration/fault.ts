// One thing wrong with a configuration file, where it stands and what to do about it; and the nearest name to a mistyped one.

export interface Place {
  /** Both count from 1. */
  readonly line: number
  readonly column: number
}

export interface Fault extends Place {
  /** What is wrong; what to do. Never a value that came from the environment. */
  readonly message: string
}

export type Path = readonly (string | number)[]

export function faultLine(file: string, fault: Fault): string {
  return `${file}:${fault.line}:${fault.column}: ${fault.message}`
}

export function inOrder(faults: readonly Fault[]): readonly Fault[] {
  return [...faults].sort((a, b) => a.line - b.line || a.column - b.column)
}

/** The candidate that is at most a third of its letters away, or undefined. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1
  for (const candidate of candidates) {
    const far = distance(word.toLowerCase(), candidate.toLowerCase(), bestDistance)
    if (far < bestDistance) [best, bestDistance] = [candidate, far]
  }
  return best
}

export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const near = nearest(word, candidates)
  return near === undefined ? undefined : `did you mean "${near}"?`
}

/** Levenshtein with neighbours swapped counted as one; gives up at `limit`. Words longer than 64 letters are not compared. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit || a.length > 64 || b.length > 64) return limit
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const current = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      let cost = Math.min(at(previous, j) + 1, at(current, j - 1) + 1, at(previous, j - 1) + same)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, at(before, j - 2) + 1)
      current.push(cost)
    }
    ;[before, previous] = [previous, current]
  }
  return at(previous, b.length)
}

function at(row: readonly number[], index: number): number {
  return row[index] ?? Number.MAX_SAFE_INTEGER
}
