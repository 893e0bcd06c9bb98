// Facts in words: what a statement does, who asks whom, how long and how much.

import type { Ask, Effect, Review } from './shapes.js'

/** Verbs in place of which a sentence says it better; `bounded: false` turns "rows" into "every row". */
const CHANGES: Readonly<Record<string, readonly [some: string, every: string]>> = {
  insert: ['adds rows to', 'adds rows to'],
  update: ['changes rows of', 'changes every row of'],
  delete: ['deletes rows from', 'deletes every row from'],
  merge: ['merges rows into', 'merges rows into'],
  truncate: ['empties', 'empties'],
  copy: ['copies rows into', 'copies rows into'],
}

/** What one effect does. Where the gateway did not understand, that is said first. */
export function effectInWords(effect: Effect): string {
  return (programInWords(effect) ?? requestInWords(effect) ?? objectInWords(effect)).replaceAll(UNKNOWN, '…')
}

/** Where it stands, nobody knows what will stand. */
const UNKNOWN = '\ufffd'

/** On a machine: a program that runs, or a way through it. */
function programInWords({ verb, object, program, opaque }: Effect): string | undefined {
  if (verb === 'forward') return `opens a way to ${object}`
  if (verb === 'terminal') return 'opens a terminal'
  if (program === undefined) return undefined
  const told = object !== '' && object !== UNKNOWN
  if (opaque === true)
    return `${told ? `runs ${object}, and through it something` : 'runs something'} that is not known before it runs`
  return `runs ${object === '' ? program : object}`
}

function requestInWords({ access, request }: Effect): string | undefined {
  if (request === undefined) return undefined
  const { method, path, operations = [], tools = [] } = request
  const does: Readonly<Partial<Record<Effect['access'], string>>> = { read: 'reads by', write: 'writes by' }
  const called = tools.length > 0 ? `, calling ${tools.join(', ')}` : operations.length > 0 ? ` (${operations.join(', ')})` : ''
  return `${does[access] ?? `${access === 'unknown' ? 'not understood' : access}:`} ${method} ${path}${called}`
}

function objectInWords({ access, verb, object, columns, bounded }: Effect): string {
  const named = object === '' ? '' : ` ${object}`
  const of = columns === undefined || columns.length === 0 ? '' : ` (${columns.map(lastName).join(', ')})`
  switch (access) {
    case 'unknown':
      return `not understood: ${verb}${named}. It may do anything the target allows`
    case 'read':
      return `${verb === 'call' ? 'calls' : 'reads'}${named}${of}`
    case 'write': {
      const [some, every] = CHANGES[verb] ?? [`writes (${verb})`, `writes (${verb}), every row,`]
      return `${bounded === false ? every : some}${named}${of}`
    }
    case 'schema':
      return `changes the schema: ${verb}${named}`
    case 'admin':
      return `administers the server: ${verb}${named}`
  }
}

/** Whether a reviewer should look twice. */
function isGrave({ access, bounded, verb, opaque }: Effect): boolean {
  return (
    opaque === true || access === 'unknown' || access === 'admin' || access === 'schema' || bounded === false || verb === 'truncate'
  )
}

/** Each said once, the grave ones first. */
export function effectsInWords(effects: readonly Effect[]): readonly { readonly text: string; readonly grave: boolean }[] {
  const said = new Map<string, boolean>()
  for (const effect of effects) said.set(effectInWords(effect), isGrave(effect))
  return [...said].map(([text, grave]) => ({ text, grave })).sort((a, b) => Number(b.grave) - Number(a.grave))
}

function lastName(column: string): string {
  return column.slice(column.lastIndexOf('.') + 1)
}

/** `2 people of dba or named ann`. */
export function askedOf({ reviewers }: Ask): string {
  const { groups, names, count } = reviewers
  const from = [groups.length === 0 ? '' : `of ${groups.join(' or ')}`, names.length === 0 ? '' : `named ${names.join(' or ')}`]
  return `${count === 1 ? '1 person' : `${count} people`} ${from.filter((part) => part !== '').join(' or ')}`
}

/** How many have agreed, of those who were asked for at most. */
export function agreedSoFar({ decisions }: Review): number {
  return decisions.filter(({ kind }) => kind === 'approve').length
}

export function timeLeft(untilMs: number, nowMs: number): string {
  const left = Math.ceil((untilMs - nowMs) / 1000)
  return left <= 0 ? 'time is up' : `${span(left)} left`
}

/** Two units at most: `1 h 4 min`. */
export function span(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  if (whole < 60) return `${whole} s`
  const minutes = Math.floor(whole / 60)
  if (minutes < 60) return minutes < 10 ? `${minutes} min ${whole % 60} s` : `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`
}

export function sizeInWords(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit] ?? ''}`
}

export function tookInWords(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`
  return milliseconds < 10_000 ? `${Math.round(milliseconds)} ms` : span(milliseconds / 1000)
}

export function counted(of: number, one: string, many: string): string {
  return `${of.toLocaleString('en')} ${of === 1 ? one : many}`
}

const pad = (value: number, length = 2): string => String(value).padStart(length, '0')

/** In the reader's own time zone, `2026-01-31 14:05:09`. */
export function localTime(iso: string): string {
  const at = new Date(iso)
  if (Number.isNaN(at.getTime())) return iso
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`
  return `${day} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`
}

/** Since the beginning of something: `1:02:03.456`. */
export function elapsed(milliseconds: number): string {
  const all = Math.max(0, Math.floor(milliseconds))
  const seconds = Math.floor(all / 1000)
  const hours = Math.floor(seconds / 3600)
  const rest = `${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}.${pad(all % 1000, 3)}`
  return hours === 0 ? rest : `${hours}:${rest}`
}
