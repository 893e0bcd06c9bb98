// What every page of the console has at hand.

import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { Gateway } from './gateway.js'
import type { KnownReviews } from './known-reviews.js'
import type { Place } from './place.js'
import type { Me, Review } from './shapes.js'

export interface Console {
  readonly gateway: Gateway
  readonly me: Me
  readonly place: Place
  readonly go: (place: Place) => void
  readonly reviews: KnownReviews
  /** Undefined until the first answer. */
  readonly reviewsKnown: boolean
  readonly learn: (review: Review) => void
}

export const ConsoleContext = createContext<Console | undefined>(undefined)

export function useConsole(): Console {
  const found = useContext(ConsoleContext)
  if (found === undefined) throw new Error('this part of the page stands outside the console')
  return found
}
