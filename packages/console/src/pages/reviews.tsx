// What waits for people, oldest first and kept in its place; below it, how others ended.

import { useRef } from 'preact/hooks'
import { useConsole } from '../console.js'
import { settledReviews, waitingReviews } from '../known-reviews.js'
import { Badge, Time, Who } from '../parts/facts.js'
import { Link } from '../parts/link.js'
import { Code, Shown } from '../parts/shown.js'
import type { Review } from '../shapes.js'
import { settledWords } from '../standing.js'
import { counted } from '../words.js'
import { ReviewCard } from './review-card.js'

export function ReviewsPage() {
  const { reviews, reviewsKnown } = useConsole()
  const stay = useRef(new Set<string>())
  for (const { id, state } of reviews.values()) if (state === 'open') stay.current.add(id)
  const waiting = waitingReviews(reviews, stay.current)
  const settled = settledReviews(reviews, stay.current)
  const open = waiting.filter(({ state }) => state === 'open').length
  return (
    <>
      <h1>Reviews</h1>
      <p class="unseen" role="status">
        {reviewsKnown ? `${counted(open, 'statement waits', 'statements wait')} for a decision` : ''}
      </p>
      {!reviewsKnown && <p class="quiet loading">Loading …</p>}
      {reviewsKnown && waiting.length === 0 && (
        <div class="empty">
          <p>Nothing waits.</p>
          <p class="quiet">A statement that a rule holds for review appears here by itself.</p>
        </div>
      )}
      {waiting.map((review) => (
        <ReviewCard key={review.id} review={review} />
      ))}
      {settled.length > 0 && (
        <section>
          <h2>Decided</h2>
          <ul class="rows">
            {settled.map((review) => (
              <Settled key={review.id} review={review} />
            ))}
          </ul>
        </section>
      )}
    </>
  )
}

function Settled({ review }: { readonly review: Review }) {
  return (
    <li>
      <div class="row-head">
        <Badge kind={review.state}>{review.state}</Badge>
        <span>
          <Who of={review} /> on <Shown text={review.target} />
        </span>
        <Link to={{ kind: 'review', id: review.id }}>{review.id}</Link>
        <Time iso={review.createdAt} />
      </div>
      <div class="clipped">
        <Code text={review.text} most={300} />
      </div>
      <p class="quiet">
        <Shown text={settledWords(review)} />
      </p>
    </li>
  )
}
