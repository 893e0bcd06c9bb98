// What a Wire is: bytes in, steps out. It knows no socket, promise, clock or random number.

import type { Side } from '@sallyport/core'

/** `bytes`: response bytes the client was sent for it. The relay's owner adds the time it took. */
export interface StatementEnd {
  readonly statement: number
  readonly rows: number
  readonly bytes: number
  readonly error?: string
}

export type Step<Question> =
  | { readonly kind: 'send'; readonly to: Side; readonly bytes: Buffer }
  /** Data from the client that belongs to the evidence (COPY, a file's content) and is not in a statement. */
  | { readonly kind: 'keep'; readonly bytes: Buffer }
  /** Always the last step of a batch: nothing of that side moves until `rule()`. */
  | { readonly kind: 'judge'; readonly question: Question }
  | { readonly kind: 'outcome'; readonly outcome: StatementEnd }
  /** Stop what the upstream is doing; client bytes wait until `release()`. */
  | { readonly kind: 'cancel' }
  | { readonly kind: 'mark'; readonly name: string; readonly detail: string }
  /** The session is over; what was sent before still goes out. */
  | { readonly kind: 'end'; readonly outcome: string }

export interface Wire<Question, Answer> {
  /** Client bytes waiting behind a question or a reply. */
  readonly held: number
  /** Whether upstream bytes wait too, because a question was asked in the middle of a response. */
  readonly upstreamHeld: boolean
  /** Whether client bytes wait for anything. */
  readonly clientHeld: boolean
  /** Throws Malformed. */
  receive(from: Side, chunk: Buffer): Step<Question>[]
  /** The answer to the last `judge`. */
  rule(answer: Answer): Step<Question>[]
  /** A cancel request is on its way to the upstream: no new statement may leave until `release()`, or it might be hit. */
  hold(): void
  release(): Step<Question>[]
}
