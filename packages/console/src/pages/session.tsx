// One session: facts, statements with how each was ruled, the replay; ending it, and the proof that its record is whole.

import { useEffect, useState } from 'preact/hooks'
import { useConsole } from '../console.js'
import { Answer, useAnswer } from '../parts/asking.js'
import { Badge, Fact, Facts, Time, Who } from '../parts/facts.js'
import { Link } from '../parts/link.js'
import { Shown } from '../parts/shown.js'
import { noFilter } from '../place.js'
import type { SessionSummary, SessionPage as Page } from '../shapes.js'
import { sizeInWords, span } from '../words.js'
import { Replay } from './replay.js'
import { EndSession, Save, Verify } from './session-actions.js'
import { Statements } from './statements.js'

/** Statements on the page at once. */
const A_PAGE = 100
/** A session that goes on is looked at again after this time. */
const LIVE_EVERY_MS = 5000

export function SessionPage({ id, statement }: { readonly id: string; readonly statement: number | undefined }) {
  const first = (number: number): number => Math.floor(number / A_PAGE) * A_PAGE
  const [from, setFrom] = useState(first(statement ?? 0))
  const [playFrom, setPlayFrom] = useState<number | undefined>(undefined)
  const asked = useAnswer<Page>(`/sessions/${encodeURIComponent(id)}?after=${from - 1}&limit=${A_PAGE}`)
  const live = asked.answer !== undefined && asked.answer.endedAt === null
  useEffect(() => {
    if (!live) return undefined
    const timer = setInterval(() => {
      if (!document.hidden) asked.again()
    }, LIVE_EVERY_MS)
    return () => clearInterval(timer)
  }, [live, from])
  return (
    <>
      <p class="back">
        <Link to={{ kind: 'sessions', filter: noFilter }}>← All sessions</Link>
      </p>
      <Answer asked={asked}>
        {(session) => (
          <>
            <Head session={session} onEnded={asked.again} />
            <div class="columns">
              <Statements
                session={session}
                statements={session.statementList}
                wanted={statement}
                onPlay={(at) => setPlayFrom(Date.parse(at) * 1000)}
                pages={{
                  newer: session.more ? () => setFrom((session.statementList.at(-1)?.id ?? from) + 1) : undefined,
                  older: from > 0 ? () => setFrom(Math.max(0, from - A_PAGE)) : undefined,
                }}
              />
              <Replay session={session} playFrom={playFrom} onPlayed={() => setPlayFrom(undefined)} />
            </div>
          </>
        )}
      </Answer>
    </>
  )
}

function Head({ session, onEnded }: { readonly session: SessionSummary; readonly onEnded: () => void }) {
  const { me } = useConsole()
  const live = session.endedAt === null
  const own = session.identity === me.name || session.onBehalfOf === me.name
  const lasted = session.endedAt === null ? undefined : (Date.parse(session.endedAt) - Date.parse(session.startedAt)) / 1000
  return (
    <>
      <div class="title">
        <h1>
          <Who of={session} />
          <span class="on"> on </span>
          <Shown text={session.target} />
        </h1>
        {live && <Badge kind="live">live</Badge>}
        <div class="actions">
          <Save session={session} />
          {me.operator && <Verify id={session.id} />}
          {live && (me.mayEndSessions || own) && <EndSession id={session.id} onEnded={onEnded} />}
        </div>
      </div>
      <Facts>
        <Fact name="Session">
          <code>{session.id}</code>
        </Fact>
        <Fact name="Who">
          {session.kind}
          {session.groups.length > 0 && (
            <>
              , of <Shown text={session.groups.join(', ')} />
            </>
          )}
        </Fact>
        <Fact name="From">
          <Shown text={session.client} />
          {session.application !== null && session.application !== '' && (
            <>
              , calls itself <Shown text={session.application} />
            </>
          )}
        </Fact>
        <Fact name="Started">
          <Time iso={session.startedAt} /> by {session.protocol}, node <Shown text={session.node} />
        </Fact>
        {session.endedAt !== null && (
          <Fact name="Ended">
            <Time iso={session.endedAt} /> after {span(lasted ?? 0)}: <Shown text={session.outcome ?? ''} />
          </Fact>
        )}
        <Fact name="Statements">
          {session.statements}, <span class={session.denied > 0 ? 'denials' : undefined}>{session.denied} denied</span>,{' '}
          {sizeInWords(session.bytes)}
        </Fact>
      </Facts>
    </>
  )
}
