// What the API needs from the rest of the house. `cli` passes the objects in; nothing here names another room.

import type {
  CodeLogins,
  Effect,
  FoundStatement,
  Identity,
  Line,
  RecordedEvent,
  RecordedStatement,
  ReviewRecord,
  ReviewState,
  Secret,
  SessionSummary,
  TokenRecord,
  Verdict,
} from '@sallyport/core'

/** `mine` narrows to one identity's own sessions and those of agents that act for it. */
export interface SessionFilter {
  readonly identity?: string
  readonly mine?: string
  readonly target?: string
  readonly since?: Date
  readonly live?: boolean
  readonly limit: number
  /** Reads on after this session, by its id, of an earlier answer. */
  readonly before?: string
}

export interface SearchFilter extends Omit<SessionFilter, 'live' | 'before'> {
  /** Reads on after this statement of an earlier answer. */
  readonly before?: { readonly session: string; readonly statement: number }
}

export interface EventFilter extends Omit<SessionFilter, 'live' | 'limit' | 'before'> {
  readonly until?: Date
  /** Reads on after the place that an event names as its cursor. */
  readonly after?: string
}

export type TokenSummary = Omit<TokenRecord, 'lookup' | 'verifiers' | 'login'>

/** A target somebody may reach. `connection` has TOKEN in the place of the access token. */
export interface ReachableTarget {
  readonly name: string
  readonly protocol: string
  readonly labels: Readonly<Record<string, string>>
  readonly database: string | null
  readonly connection: string | null
  /** What a command needs to connect by itself. */
  readonly endpoint: { readonly host: string; readonly port: number } | null
}

export interface DefinitionsChange {
  readonly kind: 'add' | 'change' | 'remove'
  readonly what: 'identity' | 'target' | 'grant' | 'rule'
  readonly name: string
  readonly fields: readonly { readonly path: string; readonly before: unknown; readonly after: unknown }[]
}

export interface ApplyResult {
  readonly revision: number
  readonly applied: boolean
  readonly changes: readonly DefinitionsChange[]
  /** Live sessions of this node that lost their grant. */
  readonly ended: number
}

export interface Explained {
  /** Whether the identity has a grant for the target; without one nothing else counts. */
  readonly granted: boolean
  readonly verdict: Verdict
  /** What the statement was understood to do, by the catalogue of the target where `catalogue` says so. */
  readonly effects: readonly Effect[]
  readonly catalogue: boolean
  readonly rules: readonly {
    readonly rule: string
    readonly then: string
    readonly outcome: 'matched' | 'could' | 'rows' | 'not-matched'
    readonly criteria: readonly { readonly criterion: string; readonly held: boolean; readonly says: string }[]
  }[]
}

export interface Verified {
  readonly whole: boolean
  readonly sessions: number
  readonly faults: readonly { readonly session: string | null; readonly kind: string; readonly what: string }[]
  /** Keys that only the database vouches for: another node's, or those of whoever could write there. */
  readonly unpinned: readonly string[]
}

export interface Status {
  readonly version: string
  readonly node: string
  readonly startedAt: string
  readonly listeners: readonly { readonly protocol: string; readonly address: string }[]
  readonly liveSessions: number
  readonly revision: number
  readonly database: { readonly kind: 'embedded' | 'url'; readonly healthy: boolean }
  readonly recorder: unknown
}

export interface Proved {
  readonly identity: Identity
  readonly token?: { readonly id: string; readonly expiresAt: Date }
}

/** A login at an identity provider came to this. */
export interface LoggedIn {
  readonly token: Secret
  readonly record: TokenSummary
}

/** People log in at an identity provider; the gateway speaks with it. Each throws Denied, with words for the person, also where
 * too many come from one address. `from`: the caller's `address:port`. */
export interface Logins extends CodeLogins<LoggedIn> {
  browser(
    provider: string | undefined,
    redirectUri: string,
    from: string,
  ): Promise<{ readonly url: string; readonly state: string; readonly login: string }>
  finish(login: string, returned: string, from: string): Promise<LoggedIn>
}

/** Where a call comes from. */
export interface CallingEnd {
  readonly tls: boolean
  readonly loopback: boolean
  /** `address:port` */
  readonly address: string
}

export interface ApiParts {
  readonly adminToken: Secret
  /** Seals the console's cookies; 32 bytes, the same on every node of an installation. */
  readonly cookieKey: Uint8Array
  /** The built console's directory; absent: there are no pages, only the API. */
  readonly site?: string
  readonly authorityPem: string
  /** The public key SSH clients know this gateway by: one line, as in known_hosts without the host. */
  readonly sshHostKey: string
  /** The authority that certifies that key: its own, and by which names clients call the gateway, as in known_hosts. */
  readonly sshAuthority: { readonly publicKey: string; readonly hosts: readonly string[] }
  /** A certificate for a public key, in the name of an access token. Throws Denied or Malformed. */
  readonly sshCertificate: (order: {
    readonly tokenId: string
    readonly publicKey: string
    readonly ttlMs: number
  }) => Promise<{ readonly certificate: string; readonly identity: string; readonly expiresAt: Date }>
  /** Names besides `localhost` and bare addresses that a browser may call this API by. */
  readonly hosts: readonly string[]
  /** Whose members may read what everyone did, and whose may also end anybody's session. */
  readonly operators: () => { readonly groups: readonly string[]; readonly endSessions: readonly string[] }
  /** Throws Denied for every reason alike. */
  readonly prove: (token: Secret, client: CallingEnd) => Promise<Proved>
  readonly logins: Logins
  /** Where browsers find the console: scheme, host and port. */
  readonly consoleAddress: () => string
  readonly healthy: () => Promise<boolean>
  readonly status: () => Promise<Status>
  /** For everyone where `identity` is absent. */
  readonly reachable: (identity?: Identity) => readonly ReachableTarget[]
  readonly sessions: {
    list(filter: SessionFilter): Promise<readonly SessionSummary[]>
    summary(id: string): Promise<SessionSummary | undefined>
    /** In order, those after number `after`. */
    statements(id: string, page: { readonly after: number; readonly limit: number }): Promise<readonly RecordedStatement[]>
    search(text: string, filter: SearchFilter): Promise<readonly FoundStatement[]>
    /** Oldest first, however many. */
    events(filter: EventFilter): AsyncIterable<RecordedEvent>
    replay(id: string, signal: AbortSignal): AsyncIterable<Line>
    /** As a terminal showed it: lines of an asciicast version 2. Throws Denied where the session's protocol has no terminals. */
    cast(id: string, signal: AbortSignal): AsyncIterable<object>
    /** HAR 1.2; only sessions of protocol http have one. */
    har(id: string): Promise<object>
    /** Of a session that has ended: a file of lines that prove themselves (packages/recorder). */
    evidence(id: string): AsyncIterable<object>
    /** On whichever node it lives. */
    end(id: string, reason: string): Promise<void>
  }
  readonly reviews: {
    list(filter: { readonly state?: ReviewState; readonly limit: number }): Promise<readonly ReviewRecord[]>
    get(id: string): Promise<ReviewRecord | undefined>
    decide(
      id: string,
      who: { readonly name: string; readonly groups: readonly string[]; readonly admin: boolean; readonly onBehalfOf?: string },
      kind: 'approve' | 'deny',
      reason: string,
    ): Promise<ReviewRecord>
    onChange(listener: (id: string) => void): () => void
  }
  readonly tokens: {
    create(request: {
      readonly identity: string
      readonly onBehalfOf: string | null
      readonly ttlMs: number
      readonly createdBy: string
    }): Promise<{ readonly token: Secret; readonly record: TokenSummary }>
    list(): Promise<readonly TokenSummary[]>
    /** Also ends the sessions it opened, on every node. Answers false where there is no such live token. */
    revoke(id: string): Promise<boolean>
  }
  readonly definitions: {
    read(): Promise<{ readonly revision: number; readonly definitions: unknown }>
    /** Throws Misconfigured with every problem, one a line. */
    apply(definitions: unknown, options: { readonly dryRun: boolean; readonly by: string }): Promise<ApplyResult>
  }
  readonly explain: (question: {
    readonly identity: string
    readonly target: string
    readonly statement: string
  }) => Promise<Explained>
  /** What there is at a target: its tables, columns, views and functions. */
  readonly schema: (target: string) => Promise<object>
  readonly verify: (session: string | undefined) => Promise<Verified>
  readonly log: (level: 'info' | 'warn' | 'error', message: string, facts?: Readonly<Record<string, unknown>>) => void
}
