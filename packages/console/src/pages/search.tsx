// Statements across all sessions that contain a text, newest first.

import { useConsole } from '../console.js'
import { Answer, useAnswer } from '../parts/asking.js'
import { RulingBadge, Time, Who } from '../parts/facts.js'
import { FilterForm } from '../parts/filter-form.js'
import { Link } from '../parts/link.js'
import { Code, Shown } from '../parts/shown.js'
import { queryOf } from '../place.js'
import type { Filter } from '../place.js'
import type { FoundStatement } from '../shapes.js'

const A_PAGE = 50

export function SearchPage({ text, filter }: { readonly text: string; readonly filter: Filter }) {
  const { go } = useConsole()
  const asked = useAnswer<readonly FoundStatement[]>(
    text === '' ? undefined : `/statements${queryOf({ ...filter, live: false }, { text, limit: String(A_PAGE + 1) })}`,
  )
  return (
    <>
      <h1>Search statements</h1>
      <FilterForm
        key={JSON.stringify([text, filter])}
        filter={filter}
        live={false}
        onAsk={(next, wanted) => go({ kind: 'search', text: wanted, filter: next })}
      >
        <label class="wide">
          Text in the statement
          <input name="text" type="search" required maxLength={1000} defaultValue={text} autocomplete="off" spellcheck={false} />
        </label>
      </FilterForm>
      {text !== '' && <Answer asked={asked}>{(found) => <Found found={found} text={text} filter={filter} />}</Answer>}
    </>
  )
}

interface FoundParts {
  readonly found: readonly FoundStatement[]
  readonly text: string
  readonly filter: Filter
}

function Found({ found, text, filter }: FoundParts) {
  const shown = found.slice(0, A_PAGE)
  const last = found.length > A_PAGE ? shown.at(-1) : undefined
  if (shown.length === 0) return <p class="empty">No statement contains that.</p>
  const older = last === undefined ? undefined : { ...filter, before: last.session, beforeStatement: String(last.id) }
  return (
    <>
      <ul class="rows">
        {shown.map((statement) => (
          <li key={`${statement.session} ${statement.id}`}>
            <div class="row-head">
              <RulingBadge ruling={statement.ruling} />
              <span>
                <Who of={statement} /> on <Shown text={statement.target} />
              </span>
              <Link to={{ kind: 'session', id: statement.session, statement: statement.id }}>statement {statement.id}</Link>
              <Time iso={statement.at} />
            </div>
            <div class="clipped">
              <Code text={statement.text} most={1000} />
            </div>
          </li>
        ))}
      </ul>
      {(older !== undefined || filter.before !== '') && (
        <nav class="pages" aria-label="More statements">
          {filter.before !== '' && (
            <Link to={{ kind: 'search', text, filter: { ...filter, before: '', beforeStatement: '' } }}>Newest</Link>
          )}
          {older !== undefined && <Link to={{ kind: 'search', text, filter: older }}>Older →</Link>}
        </nav>
      )}
    </>
  )
}
