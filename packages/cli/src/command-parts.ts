// What every command is made with: a name, `--json`, and arguments that are read once and said to be wrong in words.

import { InvalidArgumentError } from 'commander'
import type { Command } from 'commander'
import { spanMs, timeBefore } from './duration.js'

/** Told the exit code. */
export type Done = (code: number) => void

export function command(parent: Command, name: string, description: string): Command {
  // `sallyport sessions` is `sallyport sessions list`.
  const isDefault = name === 'list' && parent.name() !== 'token'
  return parent.command(name, { isDefault }).description(description).option('--json', 'print JSON')
}

export function span(leastName: string, least: number, mostName: string, most: number) {
  return (text: string): number => {
    const value = spanMs(text)
    if (value === undefined) throw new InvalidArgumentError('Write a span of time: 90s, 15m, 8h, 30d.')
    if (value < least || value > most) throw new InvalidArgumentError(`At least ${leastName}, at most ${mostName}.`)
    return value
  }
}

export function since(text: string): Date {
  const time = timeBefore(text, Date.now())
  if (time === undefined) throw new InvalidArgumentError('Write how long ago (8h, 30d) or a date (2026-01-31).')
  return time
}

export function count(least: number, most: number) {
  return (text: string): number => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= least && value <= most)) throw new InvalidArgumentError(`Write a number from ${least} to ${most}.`)
    return value
  }
}

export function factor(text: string): number {
  const value = /^\d{1,6}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN
  if (!(value > 0)) throw new InvalidArgumentError('Write a number above 0: 4, or 0.5.')
  return value
}
