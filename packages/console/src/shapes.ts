// What the gateway's API answers, as this page reads it. All text in it is somebody else's and is only ever shown as text.

export interface Me {
  readonly name: string
  readonly kind: 'admin' | 'person' | 'service' | 'agent'
  readonly groups: readonly string[]
  readonly onBehalfOf: string | null
  readonly operator: boolean
  /** May end anybody's session, not only their own. */
  readonly mayEndSessions: boolean
  readonly expiresAt: string | null
}

export interface Effect {
  readonly access: string
  readonly verb: string
  readonly object: string
  readonly columns?: readonly string[]
  readonly bounded?: boolean
}

export interface Ask {
  readonly rule: string
  readonly reason: string
  readonly reviewers: { readonly groups: readonly string[]; readonly names: readonly string[]; readonly count: number }
}

type ReviewState = 'open' | 'approved' | 'denied' | 'expired' | 'withdrawn'

export interface Review {
  readonly id: string
  readonly session: string
  readonly statement: number
  readonly identity: string
  readonly onBehalfOf: string | null
  readonly target: string
  readonly text: string
  readonly parameters: readonly (string | null)[]
  readonly effects: readonly Effect[]
  readonly asks: readonly Ask[]
  readonly createdAt: string
  readonly expiresAt: string
  readonly settledAt: string | null
  readonly state: ReviewState
  readonly decisions: readonly {
    readonly reviewer: string
    readonly kind: 'approve' | 'deny'
    readonly reason: string
    readonly at: string
  }[]
}

export interface Session {
  readonly id: string
  readonly identity: string
  readonly onBehalfOf: string | null
  readonly target: string
  readonly protocol: string
  readonly startedAt: string
  readonly endedAt: string | null
  readonly statements: number
  readonly denied: number
  readonly outcome: string | null
  readonly kind: string
  readonly groups: readonly string[]
  readonly client: string
  readonly application: string | null
  readonly node: string
  readonly bytes: number
}

export interface Ruling {
  readonly kind: string
  readonly rule: string | null
  readonly reason: string | null
  readonly reviewers: readonly string[]
  readonly masks: readonly { readonly column: string; readonly with: string; readonly rule: string }[]
  readonly forwarded: string | null
}

export interface Statement {
  readonly id: number
  readonly at: string
  readonly kind: string
  readonly text: string
  readonly parameters: readonly (string | null)[]
  readonly effects: readonly Effect[]
  readonly ruling: Ruling | null
  readonly rows: number | null
  readonly bytes: number | null
  readonly durationMs: number | null
  readonly error: string | null
}

export interface FoundStatement extends Statement {
  readonly session: string
  readonly identity: string
  readonly onBehalfOf: string | null
  readonly target: string
}

export interface SessionPage extends Session {
  readonly statementList: readonly Statement[]
  readonly more: boolean
}

/** `at`: microseconds since the Unix epoch. */
export interface ReplayLine {
  readonly at: number
  readonly from: 'client' | 'upstream' | 'gateway'
  readonly text: string
}

export interface Target {
  readonly name: string
  readonly protocol: string
  readonly labels: Readonly<Record<string, string>>
  readonly database: string | null
  readonly connection: string | null
}

export interface Rule {
  readonly name: string
  // oxlint-disable-next-line unicorn/no-thenable -- the rule language's own word; it is never a function
  readonly then: string
  readonly reason?: string
  readonly [key: string]: unknown
}

export interface Definitions {
  readonly revision: number
  readonly definitions: { readonly rules: readonly Rule[]; readonly grants: readonly Readonly<Record<string, unknown>>[] }
}

export interface Verified {
  readonly whole: boolean
  readonly sessions: number
  readonly faults: readonly { readonly session: string | null; readonly kind: string; readonly what: string }[]
  readonly unpinned: readonly string[]
}
