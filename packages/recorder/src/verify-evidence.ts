// Proves a file of evidence, away from any gateway: each session in it whole, ended, sealed, and signed by a key that is known.

import { openEvidence } from './evidence-file.js'
import type { EvidenceFile } from './evidence-file.js'
import type { EvidenceKey } from './evidence.js'
import { Findings } from './findings.js'
import type { Finding, SessionVerdict } from './findings.js'
import type { FrameSource } from './shipped.js'
import { verifyOne } from './verify.js'

export interface ProvedSession extends SessionVerdict {
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

/**
 * With `pinned` (PEM by key id) only signatures by those keys count; the sessions `wanted` must be in the file. Throws Misconfigured for
 * what is no evidence.
 */
export async function verifyEvidence(
  file: string,
  pinned: ReadonlyMap<string, string>,
  wanted: readonly string[] = [],
): Promise<EvidenceVerdict> {
  const findings = new Findings()
  const evidence = await openEvidence(file, findings)
  try {
    const source = pinned.size === 0 ? evidence : { ...evidence, keys: async () => [] }
    const sessions: ProvedSession[] = []
    for await (const id of evidence.sessionIds()) sessions.push(await proveSession(id, evidence, source, pinned))
    const found = [...findings.list, ...missing(sessions, wanted), ...sessions.flatMap((each) => each.findings)]
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

async function proveSession(
  id: string,
  evidence: EvidenceFile,
  source: FrameSource,
  pinned: ReadonlyMap<string, string>,
): Promise<ProvedSession> {
  const verdict = await verifyOne(id, source, { keys: pinned, head: undefined })
  const signers = new Set<string>()
  for await (const { key } of evidence.checkpointsOf(id)) signers.add(key)
  // Only a session that has ended is given as evidence: where its end is not there, it was cut off.
  const cut: Finding[] =
    verdict.state === 'live'
      ? [{ kind: 'removed', session: id, place: `frame ${verdict.frames + 1}`, message: 'the end of the session is not there' }]
      : []
  const findings = [...verdict.findings, ...cut]
  return { ...verdict, state: findings.length === 0 ? 'whole' : 'altered', findings, signers: [...signers] }
}

/** A file without a session proves nothing, and that is no success. */
function missing(sessions: readonly ProvedSession[], wanted: readonly string[]): Finding[] {
  const there = new Set(sessions.map(({ session }) => session))
  const findings = [...new Set(wanted)]
    .filter((id) => !there.has(id))
    .map((id): Finding => ({ kind: 'missing', session: id, place: 'the session', message: 'it is not in the file' }))
  if (sessions.length > 0 || findings.length > 0) return findings
  return [{ kind: 'missing', place: 'sessions', message: 'there is none in the file, so it proves nothing' }]
}
