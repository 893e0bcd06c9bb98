// Small parts that several pages show alike: facts by name, what a statement does, how it was ruled.

import type { ComponentChildren } from 'preact'
import type { Effect, RecordedRuling } from '../shapes.js'
import { effectsInWords, localTime } from '../words.js'
import { Shown } from './shown.js'

export function Facts({ children }: { readonly children: ComponentChildren }) {
  return <dl class="facts">{children}</dl>
}

export function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

export function Time({ iso }: { readonly iso: string }) {
  return (
    <time dateTime={iso} title={iso}>
      {localTime(iso)}
    </time>
  )
}

export function Effects({ effects }: { readonly effects: readonly Effect[] }) {
  if (effects.length === 0) return <p class="quiet">It touches nothing.</p>
  const said = effectsInWords(effects)
  return (
    <ul class="effects">
      {said.slice(0, MAX_EFFECTS).map(({ text, grave }) => (
        <li key={text} class={grave ? 'grave' : undefined}>
          <Shown text={text} />
        </li>
      ))}
      {said.length > MAX_EFFECTS && <li class="grave">and {said.length - MAX_EFFECTS} more things</li>}
    </ul>
  )
}

const MAX_EFFECTS = 100

const RULED: Readonly<Record<string, string>> = { allow: 'allowed', mask: 'masked', deny: 'denied' }

export function Badge({ kind, children }: { readonly kind: string; readonly children: ComponentChildren }) {
  return <span class={`badge ${/^[a-z]+$/.test(kind) ? kind : ''}`}>{children}</span>
}

export function RulingBadge({ ruling }: { readonly ruling: RecordedRuling | null }) {
  if (ruling === null) return <Badge kind="open">waiting</Badge>
  return <Badge kind={ruling.kind}>{RULED[ruling.kind] ?? ruling.kind}</Badge>
}

export function Who({ of }: { readonly of: { readonly identity: string; readonly onBehalfOf: string | null } }) {
  return (
    <>
      <strong>
        <Shown text={of.identity} />
      </strong>
      {of.onBehalfOf !== null && (
        <>
          {' '}
          for <Shown text={of.onBehalfOf} />
        </>
      )}
    </>
  )
}
