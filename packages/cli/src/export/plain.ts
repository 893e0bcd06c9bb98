// The record as JSON lines of our own shape. docs/evidence.md describes it; keys are only ever added.

import type { RecordedEvent, RecordedRuling } from '@sallyport/core'

/** One line. What a masked text was forwarded as is left out: the columns it masks stand in `ruling.masks`. */
export function plainLine(event: RecordedEvent): object {
  const { cursor, session } = event
  if (event.kind !== 'statement') {
    const { id, kind, ...others } = session
    const rest = { ...others, identityKind: kind }
    const at = event.kind === 'began' ? session.startedAt : session.endedAt
    return event.kind === 'began'
      ? { type: 'session.began', cursor, at, session: id, ...beginning(rest) }
      : { type: 'session.ended', cursor, at, session: id, ...rest }
  }
  const { identity, kind: identityKind, groups, onBehalfOf, target, protocol, client, application, node } = session
  const who = { identity, identityKind, groups, onBehalfOf }
  const { id: statement, at, ruling, ...what } = event.statement
  const place = { type: 'statement', cursor, at, session: session.id, statement }
  return { ...place, ...who, target, protocol, client, application, node, ...what, ruling: ruling === null ? null : ruled(ruling) }
}

/** What is known when a session begins: its counts and its end come with its last line. */
function beginning(session: Omit<RecordedEvent['session'], 'id' | 'kind'>): object {
  const { endedAt: _ended, statements: _statements, denied: _denied, outcome: _outcome, bytes: _bytes, ...known } = session
  return known
}

function ruled({ forwarded: _forwarded, ...ruling }: RecordedRuling): object {
  return ruling
}
