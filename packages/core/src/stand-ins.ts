// Stand-ins: what `hash` and `token` masks give for a value, the same for the same value.

/** Makes hashes, the same over sessions, and tokens, which differ by session. */
export interface Salts {
  readonly hash: string
  readonly token: string
}

/** Whether a text holds a token that a mask gave: it must not be written back as if it were the value. */
export function holdsStandIn(text: string): boolean {
  return /tok_[0-9a-f]{16}(?![0-9a-f])/.test(text)
}

/** Why a statement is refused that would write one back. */
export const writesStandIn = 'it would write a stand-in of a masked value (tok_...) back as if it were the value'
