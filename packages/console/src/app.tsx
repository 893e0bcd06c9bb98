// Who is looking and where they are; everything else hangs below.

import { useCallback, useEffect, useMemo, useState } from 'preact/hooks'
import { ConsoleContext } from './console.js'
import { followReviews } from './follow-reviews.js'
import { createGateway, Refused, toldOf } from './gateway.js'
import type { Gateway } from './gateway.js'
import { withReviews } from './known-reviews.js'
import type { KnownReviews } from './known-reviews.js'
import { Frame } from './frame.js'
import { addressOf, placeOf } from './place.js'
import type { Place } from './place.js'
import { SignIn } from './pages/sign-in.js'
import type { Me, Review } from './shapes.js'

type Looking =
  | { readonly kind: 'asking' }
  | { readonly kind: 'stranger'; readonly hadSignedIn: boolean }
  | { readonly kind: 'cut-off'; readonly why: string }
  | { readonly kind: 'known'; readonly me: Me }

export function App() {
  const [looking, setLooking] = useState<Looking>({ kind: 'asking' })
  const gateway = useMemo(
    () => createGateway(() => setLooking((before) => ({ kind: 'stranger', hadSignedIn: before.kind === 'known' }))),
    [],
  )
  const ask = useCallback(() => {
    gateway.call<Me>('GET', '/whoami').then(
      (me) => setLooking({ kind: 'known', me }),
      (error: unknown) => {
        if (!(error instanceof Refused && error.status === 401)) setLooking({ kind: 'cut-off', why: toldOf(error) ?? '' })
      },
    )
  }, [gateway])
  useEffect(ask, [ask])
  switch (looking.kind) {
    case 'asking':
      return <p class="quiet loading">Loading …</p>
    case 'cut-off':
      return (
        <main class="narrow">
          <p role="alert">{looking.why}</p>
          <button type="button" onClick={ask}>
            Try again
          </button>
        </main>
      )
    case 'stranger':
      return <SignIn gateway={gateway} again={looking.hadSignedIn} onSignedIn={ask} />
    case 'known':
      return <SignedIn gateway={gateway} me={looking.me} />
  }
}

function SignedIn({ gateway, me }: { readonly gateway: Gateway; readonly me: Me }) {
  const [place, go] = usePlace()
  const [reviews, setReviews] = useState<KnownReviews | undefined>(undefined)
  const [trouble, setTrouble] = useState<string | undefined>(undefined)
  useEffect(() => {
    const ending = new AbortController()
    void followReviews({ gateway, onReviews: setReviews, onTrouble: setTrouble }, ending.signal)
    return () => ending.abort()
  }, [gateway, me.name])
  const learn = useCallback((review: Review) => setReviews((known) => withReviews(known ?? new Map(), [review])), [])
  const console = useMemo(
    () => ({ gateway, me, place, go, reviews: reviews ?? new Map(), reviewsKnown: reviews !== undefined, learn }),
    [gateway, me, place, go, reviews, learn],
  )
  return (
    <ConsoleContext.Provider value={console}>
      <Frame trouble={trouble} />
    </ConsoleContext.Provider>
  )
}

function usePlace(): readonly [Place, (to: Place) => void] {
  const here = (): Place => placeOf(location.pathname, location.search)
  const [place, setPlace] = useState(here)
  useEffect(() => {
    const moved = (): void => setPlace(here())
    addEventListener('popstate', moved)
    return () => removeEventListener('popstate', moved)
  }, [])
  const go = useCallback((to: Place) => {
    history.pushState(null, '', addressOf(to))
    setPlace(to)
    scrollTo(0, 0)
  }, [])
  return [place, go]
}
