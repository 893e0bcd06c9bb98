// Reviewers at work: `sallyport reviews` as they type it.

import type { RunResult } from './programs.js'
import { waitFor } from './psql.js'
import type { Gateway } from './gateway.js'

export interface ReviewShown {
  readonly id: string
  readonly state: string
  readonly text: string
  readonly identity: string
  readonly session: string
  readonly decisions: readonly { readonly reviewer: string; readonly kind: string }[]
}

export function reviews(gateway: Gateway): Promise<readonly ReviewShown[]> {
  return gateway.json<readonly ReviewShown[]>('reviews', 'list')
}

/** Waits for the open review whose statement contains this text. */
export function openReview(gateway: Gateway, text: string): Promise<ReviewShown> {
  const find = async (): Promise<ReviewShown | undefined> =>
    (await reviews(gateway)).find((review) => review.state === 'open' && review.text.includes(text))
  return waitFor(find, 10_000, () => `an open review of ${text}`)
}

/** Waits until a review is settled, and says how. */
export function settled(gateway: Gateway, id: string): Promise<string> {
  const find = async (): Promise<string | undefined> => {
    const state = (await reviews(gateway)).find((review) => review.id === id)?.state
    return state === 'open' ? undefined : state
  }
  return waitFor(find, 15_000, () => `review ${id} to be settled`)
}

const tokens = new WeakMap<Gateway, Map<string, string>>()

/** `sallyport reviews approve|deny ID` by this identity. */
export async function decide(gateway: Gateway, kind: 'approve' | 'deny', id: string, by: string): Promise<RunResult> {
  const known = tokens.get(gateway) ?? new Map<string, string>()
  tokens.set(gateway, known)
  const token = known.get(by) ?? (await gateway.token(by))
  known.set(by, token)
  return gateway.cli(['reviews', kind, id, '--reason', `${kind} by ${by}`], { as: token })
}
