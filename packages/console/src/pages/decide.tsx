// The decision on a review: a reason, approve, deny; or why it is not mine to give.

import { useState } from 'preact/hooks'
import { useConsole } from '../console.js'
import { toldOf } from '../gateway.js'
import { Trouble, useNow } from '../parts/asking.js'
import { Shown } from '../parts/shown.js'
import type { Review } from '../shapes.js'
import { standing } from '../standing.js'

export function Decide({ review }: { readonly review: Review }) {
  const { gateway, me, learn } = useConsole()
  const [trouble, setTrouble] = useState<string | undefined>(undefined)
  const [busy, setBusy] = useState(false)
  const [reason, setReason] = useState('')
  const now = useNow(1000)
  const may = standing(review, me, now)
  const decide = async (kind: 'approve' | 'deny'): Promise<void> => {
    setBusy(true)
    setTrouble(undefined)
    try {
      learn(await gateway.call<Review>('POST', `/reviews/${encodeURIComponent(review.id)}/${kind}`, { body: { reason } }))
    } catch (error) {
      setTrouble(toldOf(error))
      await gateway.call<Review>('GET', `/reviews/${encodeURIComponent(review.id)}`).then(learn, () => undefined)
    } finally {
      setBusy(false)
    }
  }
  return (
    <div class="decide">
      {trouble !== undefined && <Trouble text={trouble} />}
      {may.kind === 'may-not' ? (
        <p class={`standing ${review.state}`} role="status">
          <Shown text={may.why} />
        </p>
      ) : (
        <form onSubmit={(event) => event.preventDefault()} aria-label={`Decide review ${review.id}`}>
          <label for={`reason-${review.id}`}>Reason, which whoever asked is told</label>
          <input
            id={`reason-${review.id}`}
            value={reason}
            maxLength={1000}
            autocomplete="off"
            onInput={(event) => setReason(event.currentTarget.value)}
          />
          <div class="actions">
            <button type="button" class="approve" disabled={busy} onClick={() => void decide('approve')}>
              Approve
            </button>
            <button type="button" class="deny" disabled={busy} onClick={() => void decide('deny')}>
              Deny
            </button>
          </div>
        </form>
      )}
    </div>
  )
}
