// Spans and points of time as a person types them: `8h`, `30d`, `2026-01-31`.

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** `90s`, `15m`, `8h`, `30d`, `2w`; undefined for anything else. */
export function spanMs(text: string): number | undefined {
  const [, count, unit] = /^(\d{1,9})([smhdw])$/.exec(text) ?? []
  const unitMs = unit === undefined ? undefined : UNIT_MS[unit]
  return unitMs === undefined ? undefined : Number(count) * unitMs
}

/** So long ago, or a date or time as ISO 8601 writes it; undefined for anything else. */
export function timeBefore(text: string, nowMs: number): Date | undefined {
  const span = spanMs(text)
  if (span !== undefined) return new Date(nowMs - span)
  if (!/^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2})?)?$/.test(text)) return undefined
  const time = new Date(text)
  return Number.isNaN(time.getTime()) ? undefined : time
}
