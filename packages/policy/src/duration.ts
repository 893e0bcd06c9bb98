// Spans of time as an operator writes them: 30s, 15m, 8h, 7d.

import { z } from 'zod'

const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** The span in milliseconds, or undefined where the text is not one. */
export function durationMs(text: string): number | undefined {
  const found = /^([1-9][0-9]{0,6})([smhd])$/.exec(text)
  const unit = unitMs[found?.[2] ?? '']
  return found === null || unit === undefined ? undefined : Number(found[1]) * unit
}

/** A span between the two bounds, kept as it was written. */
export function durationSchema(bounds: { readonly atLeast: string; readonly atMost: string }): z.ZodType<string, string> {
  const lowest = durationMs(bounds.atLeast) ?? 0
  const highest = durationMs(bounds.atMost) ?? Number.POSITIVE_INFINITY
  return z.string('write a span of time such as 30s, 15m, 8h or 7d').superRefine((text, context) => {
    const spanMs = durationMs(text)
    if (spanMs === undefined) context.addIssue(`"${text}" is not a span of time; write 30s, 15m, 8h or 7d`)
    else if (spanMs < lowest || spanMs > highest) {
      context.addIssue(`${text} is out of range: between ${bounds.atLeast} and ${bounds.atMost}`)
    }
  })
}
