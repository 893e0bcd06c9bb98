// The gateway itself: how it does, what it was told, why it rules as it does, and whether its record is whole.

import { Denied } from '@sallyport/core'
import { z } from 'zod'
import { mayReadEverything } from '../caller.js'
import { nothing, route } from '../route.js'
import type { Route } from '../route.js'

const applyBody = z.strictObject({ definitions: z.unknown(), dryRun: z.boolean().default(false) })

/** As much as a configuration file may have, and room for its JSON form. */
const MAX_DEFINITIONS_BYTES = 4 * 1024 * 1024

const explainBody = z.strictObject({
  identity: z.string().min(1).max(128),
  target: z.string().min(1).max(63),
  // The parser of statements takes no more (256 KiB).
  statement: z.string().min(1).max(262_144),
})

const verifyBody = z.strictObject({ session: z.string().min(1).max(128).optional() })

export const operationRoutes: readonly Route[] = [
  route({ method: 'GET', path: '/status', may: 'operator', input: nothing, answer: (_call, parts) => parts.status() }),
  route({
    method: 'GET',
    path: '/definitions',
    may: 'operator',
    input: nothing,
    answer: (_call, parts) => parts.definitions.read(),
  }),
  route({
    method: 'PUT',
    path: '/definitions',
    may: 'admin',
    input: z.object({ body: applyBody }),
    bodyLimitBytes: MAX_DEFINITIONS_BYTES,
    answer: async ({ caller, body }, parts) => {
      const result = await parts.definitions.apply(body.definitions, { dryRun: body.dryRun, by: caller.name })
      if (result.applied)
        parts.log('info', 'definitions applied', { revision: result.revision, by: caller.name, ended: result.ended })
      return result
    },
  }),
  route({
    method: 'POST',
    path: '/policy/explain',
    may: 'proved',
    input: z.object({ body: explainBody }),
    bodyLimitBytes: 1024 * 1024,
    answer: async ({ caller, body }, parts) => {
      if (!mayReadEverything(caller) && body.identity !== caller.name) {
        throw new Denied('not-allowed', 'only operators may ask what rules say about somebody else')
      }
      return parts.explain(body)
    },
  }),
  route({
    method: 'POST',
    path: '/verify',
    may: 'operator',
    input: z.object({ body: verifyBody }),
    answer: ({ body }, parts) => parts.verify(body.session),
  }),
]
