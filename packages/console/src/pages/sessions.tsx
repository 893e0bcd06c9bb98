// Who was where: one page of sessions at a time, newest first.

import { useConsole } from '../console.js'
import { Answer, useAnswer } from '../parts/asking.js'
import { Badge, Time, Who } from '../parts/facts.js'
import { FilterForm } from '../parts/filter-form.js'
import { Link } from '../parts/link.js'
import { Shown } from '../parts/shown.js'
import { queryOf } from '../place.js'
import type { Filter } from '../place.js'
import type { SessionSummary } from '../shapes.js'
import { span } from '../words.js'

const A_PAGE = 50

export function SessionsPage({ filter }: { readonly filter: Filter }) {
  const { go, me } = useConsole()
  // One more than is shown tells whether there is another page.
  const asked = useAnswer<readonly SessionSummary[]>(`/sessions${queryOf(filter, { limit: String(A_PAGE + 1) })}`)
  return (
    <>
      <h1>Sessions</h1>
      {!me.operator && (
        <p class="quiet">You see your own, and those of agents on your behalf. Members of an operators’ group see everyone’s.</p>
      )}
      <FilterForm key={JSON.stringify(filter)} filter={filter} live onAsk={(next) => go({ kind: 'sessions', filter: next })} />
      <Answer asked={asked}>{(sessions) => <List sessions={sessions} filter={filter} />}</Answer>
    </>
  )
}

function List({ sessions, filter }: { readonly sessions: readonly SessionSummary[]; readonly filter: Filter }) {
  const shown = sessions.slice(0, A_PAGE)
  const last = sessions.length > A_PAGE ? shown.at(-1) : undefined
  if (shown.length === 0) return <p class="empty">No session is like that.</p>
  return (
    <>
      <table class="list">
        <thead>
          <tr>
            <th scope="col">Who</th>
            <th scope="col">Target</th>
            <th scope="col">Started</th>
            <th scope="col">Lasted</th>
            <th scope="col" class="number">
              Statements
            </th>
            <th scope="col" class="number">
              Denied
            </th>
            <th scope="col">Ended</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((session) => (
            <Row key={session.id} session={session} />
          ))}
        </tbody>
      </table>
      <Pages filter={filter} last={last?.id} />
    </>
  )
}

function Row({ session }: { readonly session: SessionSummary }) {
  const lastedMs = session.endedAt === null ? undefined : Date.parse(session.endedAt) - Date.parse(session.startedAt)
  return (
    <tr>
      <th scope="row" data-name="Who">
        <Link to={{ kind: 'session', id: session.id, statement: undefined }}>
          <Who of={session} />
        </Link>
      </th>
      <td data-name="Target">
        <Shown text={session.target} />
      </td>
      <td data-name="Started">
        <Time iso={session.startedAt} />
      </td>
      <td data-name="Lasted">{lastedMs === undefined ? <Badge kind="live">live</Badge> : span(lastedMs / 1000)}</td>
      <td data-name="Statements" class="number">
        {session.statements}
      </td>
      <td data-name="Denied" class={`number ${session.denied > 0 ? 'denials' : ''}`}>
        {session.denied}
      </td>
      <td data-name="Ended" class={session.outcome === null ? 'none' : undefined}>
        <Shown text={session.outcome ?? ''} />
      </td>
    </tr>
  )
}

function Pages({ filter, last }: { readonly filter: Filter; readonly last: string | undefined }) {
  if (last === undefined && filter.before === '') return null
  return (
    <nav class="pages" aria-label="More sessions">
      {filter.before !== '' && <Link to={{ kind: 'sessions', filter: { ...filter, before: '' } }}>Newest</Link>}
      {last !== undefined && <Link to={{ kind: 'sessions', filter: { ...filter, before: last } }}>Older →</Link>}
    </nav>
  )
}
