// Proves a file of evidence, away from any gateway: each session in it whole, ended, sealed, and signed by a key that is known.

import { openEvidence } from './evidence-file.js'
import type { EvidenceKey } from './evidence.js'
import { Findings } from './findings.js'
import type { Finding, SessionVerdict } from './findings.js'
import type { SessionFacts } from './shipped.js'
import { verifyOne } from './verify.js'

export interface ProvedSession extends SessionVerdict {
  readonly facts: SessionFacts
  readonly statements: number
  readonly endedAt: number | null
  /** Ids of the keys that signed it. */
  readonly signers: readonly string[]
}

export interface EvidenceVerdict {
  readonly state: 'whole' | 'altered'
  readonly sessions: readonly ProvedSession[]
  readonly findings: readonly Finding[]
  /** Keys that the file itself brings; whoever wrote the file could have made them. Empty where keys were pinned. */
  readonly unpinned: readonly EvidenceKey[]
}

/** With `pinned` (PEM by key id) only signatures by those keys count. Throws Misconfigured for what is no evidence. */
export async function verifyEvidence(file: string, pinned: ReadonlyMap<string, string>): Promise<EvidenceVerdict> {
  const findings = new Findings()
  const evidence = await openEvidence(file, findings)
  try {
    const source = pinned.size === 0 ? evidence : { ...evidence, keys: async () => [] }
    const found: Finding[] = [...findings.list]
    const sessions: ProvedSession[] = []
    for await (const id of evidence.sessionIds()) {
      const { state, ...verdict } = await verifyOne(id, source, { keys: pinned, head: undefined })
      const kept = await evidence.session(id)
      if (kept === undefined) continue
      const signers = new Set<string>()
      for await (const { key } of evidence.checkpointsOf(id)) signers.add(key)
      // Only a session that has ended is given as evidence: where its end is not there, it was cut off.
      const cut: Finding[] =
        state === 'live'
          ? [{ kind: 'removed', session: id, place: `frame ${verdict.frames + 1}`, message: 'the end of the session is not there' }]
          : []
      const all = [...verdict.findings, ...cut]
      for (const finding of all) found.push(finding)
      const { facts, progress } = kept
      const proved = { ...verdict, state: all.length === 0 ? ('whole' as const) : ('altered' as const), findings: all }
      sessions.push({ ...proved, facts, statements: progress.statements, endedAt: progress.endedAt, signers: [...signers] })
    }
    return {
      state: found.length === 0 ? 'whole' : 'altered',
      sessions,
      findings: found,
      unpinned: pinned.size === 0 ? evidence.signers : [],
    }
  } finally {
    evidence.close()
  }
}
