// A request that nobody has sent, written as a person would: `DELETE /orders/5`, and below it the body, if any;
// or `CONNECT host:port`.

import { Misconfigured } from '@sallyport/core'
import type { Target, Understood } from '@sallyport/core'
import { Refused } from './refusal.js'
import { traced } from './deciding.js'
import { understand, understandTunnel } from './understand.js'

export function explained(text: string, target: Target): Understood {
  const [, method = '', path = '', rest = ''] = /^\s*([A-Za-z]+)\s+(\/\S*)\s*?(?:\r?\n([\s\S]*))?$/.exec(text) ?? []
  const tunnel = /^\s*CONNECT\s+([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})\s*$/i.exec(text)
  if (tunnel !== null) {
    const understood = understandTunnel((tunnel[1] ?? '').toLowerCase().replace(/^\[|\]$/g, ''), Number(tunnel[2]))
    return {
      text: understood.text,
      kind: 'tunnel',
      effects: understood.effects,
      namesKnown: true,
      trace: (masks) => traced(masks, understood),
    }
  }
  if (method === '') throw new Misconfigured('not-a-request', 'write a request as METHOD /path, and its body on the lines below')
  const body = rest.trim() === '' ? ('absent' as const) : Buffer.from(rest.trim(), 'utf8')
  const fields = body === 'absent' ? [] : [['content-type', 'application/json'] as const]
  try {
    const understood = understand(target, method.toUpperCase(), path, fields, body)
    const { effects, text: worded } = understood
    const refusal = understood.breaks === undefined ? {} : { refusal: understood.breaks }
    return { text: worded, kind: 'request', effects, ...refusal, namesKnown: true, trace: (masks) => traced(masks, understood) }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { text, kind: 'request', effects: [], refusal: error.message, namesKnown: true, trace: () => ({ kind: 'traced' }) }
  }
}
