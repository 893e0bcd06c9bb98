// A request that nobody has sent, written as a person would: `DELETE /orders/5`, and below it the body, if any.

import { Misconfigured } from '@sallyport/core'
import type { Target, Understood } from '@sallyport/core'
import { Refused } from './refusal.js'
import { traced } from './deciding.js'
import { understand } from './understand.js'

export function explained(text: string, target: Target): Understood {
  const [, method = '', path = '', rest = ''] = /^\s*([A-Za-z]+)\s+(\/\S*)\s*?(?:\r?\n([\s\S]*))?$/.exec(text) ?? []
  if (method === '') throw new Misconfigured('not-a-request', 'write a request as METHOD /path, and its body on the lines below')
  const body = rest.trim() === '' ? ('absent' as const) : Buffer.from(rest.trim(), 'utf8')
  const fields = body === 'absent' ? [] : [['content-type', 'application/json'] as const]
  try {
    const understood = understand(target, method.toUpperCase(), path, fields, body)
    const { effects, text: worded } = understood
    return { text: worded, kind: 'request', effects, namesKnown: true, trace: (masks) => traced(masks, understood) }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { text, kind: 'request', effects: [], refusal: error.message, namesKnown: true, trace: () => ({ kind: 'traced' }) }
  }
}
