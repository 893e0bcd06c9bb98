// What is wrong in a configuration, with the path to it, so that `sallyport check` can name file, line and column.

import type { z } from 'zod'

export interface Fault {
  /** Keys and indexes from the root of what was checked to the faulty value (for an unknown key: to the key itself). */
  readonly path: readonly (string | number)[]
  readonly message: string
}

/** The faults in what zod found: one for each unknown key, and for a value of several possible shapes the nearest shape's. */
export function faultsFrom(error: z.ZodError): readonly Fault[] {
  return error.issues.flatMap((issue) => faultsOfIssue(issue, []))
}

function faultsOfIssue(issue: z.core.$ZodIssue, above: Fault['path']): readonly Fault[] {
  const path = [...above, ...issue.path.map((key) => (typeof key === 'number' ? key : String(key)))]
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => ({ path: [...path, key], message: issue.message }))
  if (issue.code === 'invalid_union') {
    const branches = issue.errors.map((issues) => issues.flatMap((inner) => faultsOfIssue(inner, path)))
    const nearest = branches.filter((branch) => branch.some((fault) => fault.path.length > path.length))
    return nearest[0] ?? [{ path, message: issue.message }]
  }
  return [{ path, message: issue.message }]
}
