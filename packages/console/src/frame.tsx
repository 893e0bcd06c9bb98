// What is around every page: where one can go, who one is, and what waits.

import { useEffect, useRef } from 'preact/hooks'
import type { VNode } from 'preact'
import { useConsole } from './console.js'
import { Link } from './parts/link.js'
import { Shown } from './parts/shown.js'
import { addressOf, noFilter } from './place.js'
import type { Place } from './place.js'
import { ReviewPage } from './pages/review.js'
import { ReviewsPage } from './pages/reviews.js'
import { RulesPage } from './pages/rules.js'
import { SearchPage } from './pages/search.js'
import { SessionPage } from './pages/session.js'
import { SessionsPage } from './pages/sessions.js'
import { TargetsPage } from './pages/targets.js'
import { standing } from './standing.js'

export function Frame({ trouble }: { readonly trouble: string | undefined }) {
  const { place, me, reviews, gateway } = useConsole()
  const mine = [...reviews.values()].filter((review) => standing(review, me, gateway.now()).kind === 'may').length
  const name = titleOf(place)
  useEffect(() => {
    document.title = `${mine > 0 ? `(${mine}) ` : ''}${name} · Sallyport`
  }, [mine, name])
  const main = useMovedFocus(place)
  return (
    <>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      <header class="top">
        <span class="brand" aria-hidden="true">
          <i class="gate" />
          Sallyport
        </span>
        <Navigation place={place} waiting={mine} operator={me.operator} />
        <Account />
      </header>
      {trouble !== undefined && (
        <p class="banner" role="status">
          {trouble}
        </p>
      )}
      <main id="main" tabIndex={-1} ref={main}>
        {pageOf(place)}
      </main>
    </>
  )
}

function Navigation({ place, waiting, operator }: { readonly place: Place; readonly waiting: number; readonly operator: boolean }) {
  const at = (...kinds: readonly Place['kind'][]): boolean => kinds.includes(place.kind)
  return (
    <nav aria-label="Pages">
      <Link to={{ kind: 'reviews' }} current={at('reviews', 'review')}>
        Reviews
        {waiting > 0 && (
          <span class="count">
            {waiting}
            <span class="unseen"> for you to decide</span>
          </span>
        )}
      </Link>
      <Link to={{ kind: 'sessions', filter: noFilter }} current={at('sessions', 'session')}>
        Sessions
      </Link>
      <Link to={{ kind: 'search', text: '', filter: noFilter }} current={at('search')}>
        Search
      </Link>
      <Link to={{ kind: 'targets' }} current={at('targets')}>
        Targets
      </Link>
      {operator && (
        <Link to={{ kind: 'rules' }} current={at('rules')}>
          Rules
        </Link>
      )}
    </nav>
  )
}

function Account() {
  const { me, gateway } = useConsole()
  const signOut = async (): Promise<void> => {
    await gateway.call('POST', '/sign-out', { body: {} }).catch(() => undefined)
    location.assign('/')
  }
  const kind = me.kind === 'admin' ? 'admin token' : `${me.kind}${me.groups.length === 0 ? '' : `, ${me.groups.join(', ')}`}`
  return (
    <div class="account">
      <span class="me">
        <Shown text={me.name} />
        <small>
          <Shown text={kind} />
        </small>
      </span>
      <button type="button" class="plain" onClick={() => void signOut()}>
        Sign out
      </button>
    </div>
  )
}

function pageOf(place: Place): VNode {
  switch (place.kind) {
    case 'reviews':
      return <ReviewsPage />
    case 'review':
      return <ReviewPage key={place.id} id={place.id} />
    case 'sessions':
      return <SessionsPage filter={place.filter} />
    case 'session':
      return <SessionPage key={addressOf(place)} id={place.id} statement={place.statement} />
    case 'search':
      return <SearchPage text={place.text} filter={place.filter} />
    case 'targets':
      return <TargetsPage />
    case 'rules':
      return <RulesPage />
    case 'nowhere':
      return (
        <>
          <h1>There is no such page</h1>
          <p>
            <Link to={{ kind: 'reviews' }}>Go to the reviews</Link>
          </p>
        </>
      )
  }
}

function titleOf(place: Place): string {
  const titles: Readonly<Record<Place['kind'], string>> = {
    reviews: 'Reviews',
    review: 'Review',
    sessions: 'Sessions',
    session: 'Session',
    search: 'Search',
    targets: 'Targets',
    rules: 'Rules',
    nowhere: 'No such page',
  }
  return titles[place.kind]
}

/** Who cannot see that another page came must be put on it. Not for the first: the browser did that. */
function useMovedFocus(place: Place) {
  const main = useRef<HTMLElement>(null)
  const before = useRef(place.kind)
  useEffect(() => {
    if (before.current !== place.kind) main.current?.focus({ preventScroll: true })
    before.current = place.kind
  }, [place.kind])
  return main
}
