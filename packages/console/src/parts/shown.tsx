// The one way by which recorded text comes onto the page: as text, with what hides in it made visible.

import type { ComponentChild } from 'preact'
import { cut, plainly, visible } from '../visible.js'

/** Names and reasons, in a line. */
export function Shown({ text }: { readonly text: string }) {
  return <bdi class="shown">{pieces(text)}</bdi>
}

/** Statements and answers, as they were written. `most`: characters shown; the rest is counted. */
export function Code({ text, most, label }: { readonly text: string; readonly most?: number; readonly label?: string }) {
  const { text: shown, left } = cut(text, most ?? Number.POSITIVE_INFINITY)
  return (
    <pre class="code" aria-label={label}>
      {pieces(shown)}
      {left > 0 && <span class="cut"> … {left.toLocaleString('en')} more characters</span>}
    </pre>
  )
}

function pieces(text: string): readonly ComponentChild[] {
  return visible(text).map((piece, index) =>
    piece.kind === 'text' ? (
      piece.text
    ) : (
      // oxlint-disable-next-line react/no-array-index-key -- pieces have no other name, and are all made again with the text
      <mark key={index} class="control" title="a character that would not be seen">
        {piece.text}
      </mark>
    ),
  )
}

interface ParametersParts {
  readonly values: readonly (string | null)[]
  /** Of a request: the digest of its whole body, which its text may show a part of. */
  readonly ofRequest: boolean
}

/** `$1`, `$2` ... as the statement counts them. All of them: somebody decides by what is shown here. */
export function Parameters({ values, ofRequest }: ParametersParts) {
  if (values.length === 0) return null
  const rest = values.slice(ONE_BY_ONE).map((value, index) => `$${ONE_BY_ONE + index + 1} = ${value ?? 'NULL'}`)
  return (
    <div class="parameters" role="group" aria-label="Parameters">
      <dl>
        {values.slice(0, ONE_BY_ONE).map((value, index) => (
          <div key={`$${index + 1}`}>
            <dt>{ofRequest ? 'body' : `$${index + 1}`}</dt>
            <dd>{value === null ? <span class="null">NULL</span> : <Code text={value} label={`parameter ${index + 1}`} />}</dd>
          </div>
        ))}
      </dl>
      {rest.length > 0 && <Code text={rest.join('\n')} label="More parameters" />}
    </div>
  )
}

/** A bulk insert may have 65,535: what comes after so many is one text. */
const ONE_BY_ONE = 200

export const attribute = plainly
