// A page of a session's statements: one line each, and all there is to know where one is opened.

import { useEffect, useRef, useState } from 'preact/hooks'
import { Effects, Fact, Facts, RulingBadge, Time } from '../parts/facts.js'
import { Code, Parameters, Shown } from '../parts/shown.js'
import type { RecordedRuling, SessionSummary, RecordedStatement } from '../shapes.js'
import { counted, elapsed, sizeInWords, tookInWords } from '../words.js'

/** A statement may have megabytes; the CLI shows them. */
const MAX_CHARACTERS = 50_000

interface StatementsParts {
  readonly session: SessionSummary
  readonly statements: readonly RecordedStatement[]
  /** Opened and brought into view. */
  readonly wanted: number | undefined
  readonly onPlay: (at: string) => void
  readonly pages: { readonly newer: (() => void) | undefined; readonly older: (() => void) | undefined }
}

export function Statements({ session, statements, wanted, onPlay, pages }: StatementsParts) {
  const start = Date.parse(session.startedAt)
  return (
    <section class="statements" aria-labelledby="statements">
      <h2 id="statements">Statements</h2>
      {statements.length === 0 && <p class="empty">None yet.</p>}
      <ol>
        {statements.map((statement) => (
          <Row
            key={statement.id}
            statement={statement}
            since={Date.parse(statement.at) - start}
            wanted={statement.id === wanted}
            onPlay={onPlay}
          />
        ))}
      </ol>
      {(pages.newer !== undefined || pages.older !== undefined) && (
        <nav class="pages" aria-label="More statements">
          {pages.older !== undefined && (
            <button type="button" onClick={pages.older}>
              ← Earlier
            </button>
          )}
          {pages.newer !== undefined && (
            <button type="button" onClick={pages.newer}>
              Later →
            </button>
          )}
        </nav>
      )}
    </section>
  )
}

interface RowParts {
  readonly statement: RecordedStatement
  readonly since: number
  readonly wanted: boolean
  readonly onPlay: (at: string) => void
}

function Row({ statement, since, wanted, onPlay }: RowParts) {
  const [open, setOpen] = useState(wanted)
  const row = useRef<HTMLLIElement>(null)
  useEffect(() => {
    if (wanted) row.current?.scrollIntoView({ block: 'center' })
  }, [wanted])
  const { id, kind, ruling, text, rows, bytes, durationMs, error } = statement
  return (
    <li ref={row} class={wanted ? 'wanted' : undefined}>
      <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          <span class="id">{id}</span>
          <span class="since">{elapsed(since)}</span>
          <RulingBadge ruling={ruling} />
          <span class="first-line">
            <Shown text={text.slice(0, 300).replaceAll(/\s+/g, ' ')} />
          </span>
          <span class="result">
            {error !== null && ruling?.kind !== 'deny' && <span class="failed">failed</span>}
            {error === null && resultInWords(kind, rows, bytes)}
            {durationMs !== null && ruling?.kind !== 'deny' && ` ${tookInWords(durationMs)}`}
          </span>
        </summary>
        {open && <Whole statement={statement} onPlay={onPlay} />}
      </details>
    </li>
  )
}

/** Only databases count rows. */
function resultInWords(kind: string, rows: number | null, bytes: number | null): string | undefined {
  if (rows === null) return undefined
  if (kind === 'query') return counted(rows, 'row', 'rows')
  return bytes === null ? undefined : sizeInWords(bytes)
}

function Whole({ statement, onPlay }: { readonly statement: RecordedStatement; readonly onPlay: (at: string) => void }) {
  const { at, kind, text, parameters, effects, ruling, bytes, error } = statement
  return (
    <div class="whole">
      <Code text={text} most={MAX_CHARACTERS} label="Statement" />
      <Parameters values={parameters} ofRequest={kind === 'request'} />
      <Effects effects={effects} />
      <Facts>
        <Fact name="At">
          <Time iso={at} /> ({kind})
        </Fact>
        {ruling !== null && <RulingFacts ruling={ruling} />}
        {bytes !== null && <Fact name="Answer">{sizeInWords(bytes)}</Fact>}
        {error !== null && (
          <Fact name="Error">
            <Shown text={error} />
          </Fact>
        )}
      </Facts>
      {ruling?.forwarded != null && (
        <>
          <h3>What went on to the target</h3>
          <Code text={ruling.forwarded} most={MAX_CHARACTERS} label="What went on to the target" />
        </>
      )}
      <button type="button" onClick={() => onPlay(at)}>
        Play from here
      </button>
    </div>
  )
}

function RulingFacts({ ruling }: { readonly ruling: RecordedRuling }) {
  return (
    <>
      {ruling.rule !== null && (
        <Fact name="Rule">
          <Shown text={ruling.rule} />
        </Fact>
      )}
      {ruling.reason !== null && (
        <Fact name="Reason">
          <Shown text={ruling.reason} />
        </Fact>
      )}
      {ruling.reviewers.length > 0 && (
        <Fact name="Reviewed by">
          <Shown text={ruling.reviewers.join(', ')} />
        </Fact>
      )}
      {ruling.masks.length > 0 && (
        <Fact name="Masked">
          <Shown text={ruling.masks.map(({ column, with: how }) => `${column} (${how})`).join(', ')} />
        </Fact>
      )}
    </>
  )
}
