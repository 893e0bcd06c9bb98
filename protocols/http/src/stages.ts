// What is done to an answer's body on its way: nothing, or masks, lists of tools cut to what may be called, a look at what a model said.

import type { BodyMask } from '@sallyport/masking'
import { SseEvents, Unmaskable } from '@sallyport/masking'
import { maxRewrittenBytes } from './limits.js'

export type Stage = BodyMask

/** Several, one after the other. */
export function inTurn(stages: readonly Stage[]): Stage | undefined {
  if (stages.length < 2) return stages[0]
  return {
    push: (chunk) => stages.reduce((bytes, stage) => (bytes.length === 0 ? bytes : stage.push(bytes)), chunk),
    end: () => {
      let bytes = Buffer.alloc(0) as Buffer
      for (const stage of stages) bytes = Buffer.concat([bytes.length === 0 ? bytes : stage.push(bytes), stage.end()])
      return bytes
    },
  }
}

/** JSON as one text or as events; `map` answers the same value where nothing changes. Undefined for any other kind. */
export function rewriteJson(mediaType: string, map: (json: unknown) => unknown): Stage | undefined {
  if (mediaType === 'text/event-stream') return new SseEvents((data) => mapped(data, map))
  if (mediaType !== 'application/json') return undefined
  return wholeText((text) => mapped(text, map))
}

/** A text that is mapped when all of it is there. */
export function wholeText(map: (text: string) => string): Stage {
  const chunks: Buffer[] = []
  let size = 0
  return {
    push: (chunk) => {
      size += chunk.length
      if (size > maxRewrittenBytes) throw new Unmaskable('the answer is too long to be rewritten')
      chunks.push(chunk)
      return Buffer.alloc(0)
    },
    end: () => {
      const whole = Buffer.concat(chunks)
      const text = whole.toString('utf8')
      const rewritten = map(text)
      return rewritten === text ? whole : Buffer.from(rewritten, 'utf8')
    },
  }
}

function mapped(text: string, map: (json: unknown) => unknown): string {
  if (text.trim() === '') return text
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new Unmaskable('the answer is not JSON')
  }
  const after = map(json)
  return after === json ? text : JSON.stringify(after)
}
