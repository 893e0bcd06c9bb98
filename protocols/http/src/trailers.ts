// Fields that come after a body (RFC 9110, section 6.5). Some receivers take them for headers, so what routes, frames, authenticates or
// changes the meaning of a request may not come so late.

import type { Target } from '@sallyport/core'
import { holdsToken, mayNotPass, secretNamesOf } from './headers.js'
import { allOf } from './message.js'
import type { Fields, Request } from './message.js'
import type { Shown } from './routing.js'

export type Trailers = readonly (readonly [name: string, value: string])[]

/** RFC 9110, section 6.5.1, and what servers look at in their place. */
const notSoLate =
  /^(?:host|te|range|expect|max-forwards|cache-control|pragma|cookie|set-cookie|age|date|vary|location|retry-after|warning|origin|referer|accept(?:-.*)?|if-.*|content-.*|.*authorization|.*authenticate|x-http-method.*|x-method-override|x-original-.*|x-rewrite-.*)$/

const maxTrailerBytes = 16_384

/** Whether the request said that some would come. */
export function announcesTrailers(fields: Fields): boolean {
  return allOf(fields, 'trailer').length > 0
}

/** Those of the request that go on; known when its body has been read. */
export function trailersOf(request: Request, target: Target, shown: Shown): Trailers {
  const { rawTrailers } = request
  const kept: (readonly [string, string])[] = []
  const secret = secretNamesOf(target)
  let size = 0
  for (let index = 0; index + 1 < rawTrailers.length; index += 2) {
    const name = (rawTrailers[index] as string).toLowerCase()
    const value = rawTrailers[index + 1] as string
    size += name.length + value.length
    if (size > maxTrailerBytes) break
    if (name.startsWith(':') || notSoLate.test(name) || mayNotPass(name) || secret.has(name)) continue
    if (!holdsToken(value, shown.token)) kept.push([name, value])
  }
  return kept
}
