// One review by its address, as the waiting client was told it.

import { useEffect } from 'preact/hooks'
import { useConsole } from '../console.js'
import { Answer, useAnswer } from '../parts/asking.js'
import { Link } from '../parts/link.js'
import type { Review } from '../shapes.js'
import { ReviewCard } from './review-card.js'

export function ReviewPage({ id }: { readonly id: string }) {
  const { reviews, learn } = useConsole()
  const asked = useAnswer<Review>(`/reviews/${encodeURIComponent(id)}`)
  const { answer } = asked
  useEffect(() => {
    if (answer !== undefined) learn(answer)
  }, [answer, learn])
  return (
    <>
      <p class="back">
        <Link to={{ kind: 'reviews' }}>← All reviews</Link>
      </p>
      <Answer asked={asked}>{(found) => <ReviewCard review={reviews.get(id) ?? found} whole />}</Answer>
    </>
  )
}
