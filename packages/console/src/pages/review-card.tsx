// One question to people: who asks, what would run, what it would do, which rules ask, how long there is, and the decision.

import { useNow } from '../parts/asking.js'
import { Badge, Effects, Time, Who } from '../parts/facts.js'
import { Link } from '../parts/link.js'
import { Code, Parameters, Shown } from '../parts/shown.js'
import type { Review } from '../shapes.js'
import { agreedSoFar, askedOf, counted, timeLeft } from '../words.js'
import { Decide } from './decide.js'

/** What can be taken in at a glance in a list; anything longer is decided on a page of its own, where all of it is shown. */
const AT_A_GLANCE = { characters: 2000, lines: 30, parameters: 12 }

export function ReviewCard({ review, whole = false }: { readonly review: Review; readonly whole?: boolean }) {
  const long = !whole && !isAtAGlance(review)
  const Title = whole ? 'h1' : 'h2'
  return (
    <article class={`review ${review.state}`} aria-labelledby={`title-${review.id}`}>
      <header>
        <Title id={`title-${review.id}`}>
          <Who of={review} />
          <span class="on"> on </span>
          <Shown text={review.target} />
        </Title>
        <State review={review} />
      </header>
      <Code text={review.text} label="Statement" {...(long ? { most: AT_A_GLANCE.characters } : {})} />
      {!long && <Parameters values={review.parameters} ofRequest={isRequest(review)} />}
      <p class="quiet size">
        {counted(review.text.length, 'character', 'characters')}, {counted(review.text.split('\n').length, 'line', 'lines')}
        {review.parameters.length > 0 && !isRequest(review) && `, ${counted(review.parameters.length, 'parameter', 'parameters')}`}
      </p>
      <div class="reasons">
        <section>
          <h3>What it does</h3>
          <Effects effects={review.effects} />
        </section>
        <Asks review={review} />
      </div>
      <Decisions review={review} />
      {long && review.state === 'open' ? (
        <p>
          <Link to={{ kind: 'review', id: review.id }} class="button primary">
            Read all of it and decide
          </Link>
        </p>
      ) : (
        <Decide review={review} />
      )}
      <footer class="quiet">
        <Link to={{ kind: 'review', id: review.id }}>Review {review.id}</Link>
        <span>
          asked <Time iso={review.createdAt} />
        </span>
        <Link to={{ kind: 'session', id: review.session, statement: review.statement }}>its session</Link>
      </footer>
    </article>
  )
}

const isRequest = ({ effects }: Review): boolean => effects.some(({ request }) => request !== undefined)

function isAtAGlance({ text, parameters }: Review): boolean {
  const length = parameters.reduce((sum, value) => sum + (value?.length ?? 4), text.length)
  return (
    length <= AT_A_GLANCE.characters && text.split('\n').length <= AT_A_GLANCE.lines && parameters.length <= AT_A_GLANCE.parameters
  )
}

function State({ review }: { readonly review: Review }) {
  const now = useNow(1000)
  if (review.state !== 'open') return <Badge kind={review.state}>{review.state}</Badge>
  const until = Date.parse(review.expiresAt)
  return (
    <span class={`left ${until - now < 60_000 ? 'soon' : ''}`} role="timer">
      {timeLeft(until, now)}
    </span>
  )
}

function Asks({ review }: { readonly review: Review }) {
  return (
    <section>
      <h3>Why it waits</h3>
      <ul class="asks">
        {review.asks.map((ask) => (
          <li key={ask.rule}>
            <span class="rule">
              <Shown text={ask.rule} />
            </span>{' '}
            <Shown text={ask.reason} />
            <span class="needs">
              needs <Shown text={askedOf(ask)} />
              {ask.reviewers.count > 1 && `; ${agreedSoFar(review)} so far`}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}

function Decisions({ review }: { readonly review: Review }) {
  if (review.decisions.length === 0) return null
  return (
    <ul class="decisions" aria-label="Decisions">
      {review.decisions.map(({ reviewer, kind, reason, at }) => (
        <li key={reviewer}>
          <Badge kind={kind === 'approve' ? 'approved' : 'denied'}>{kind === 'approve' ? 'approved' : 'denied'}</Badge>{' '}
          <Shown text={reviewer} />{' '}
          {reason !== '' && (
            <q>
              <Shown text={reason} />
            </q>
          )}{' '}
          <Time iso={at} />
        </li>
      ))}
    </ul>
  )
}
