// YAML text to plain values, remembering where each key and value stood, so that every later fault can name its place.
// `${NAME}` is replaced from the environment here, and nowhere else; `$${` stands for a literal `${`.

import { LineCounter, isAlias, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import type { Document, Scalar } from 'yaml'
import type { Fault, Path, Place } from './fault.js'

export type Environment = Readonly<Record<string, string | undefined>>

/** A configuration of ten thousand targets has about 150,000 values; an alias bomb has billions. */
const MAX_VALUES = 500_000
const MAX_DEPTH = 32

export interface Located {
  readonly value: unknown
  /** Not YAML, or not to be read: there is no value. */
  readonly broken: boolean
  readonly faults: readonly Fault[]
  /** Where the value (or its key) at `path` stands; the nearest enclosing value where it is not in the file. */
  placeOf(path: Path, part?: 'key' | 'value'): Place
  /** Whether any text of the value at `path` came from the environment, and so must not be shown. */
  fromEnvironment(path: Path): boolean
}

interface Reading {
  readonly document: Document
  readonly lines: LineCounter
  readonly env: Environment
  readonly faults: Fault[]
  readonly places: Map<string, { readonly key: Place; readonly value: Place }>
  readonly borrowed: Set<string>
  values: number
}

export function readYaml(text: string, env: Environment): Located {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2' })
  const reading: Reading = { document, lines, env, faults: [], places: new Map(), borrowed: new Set(), values: 0 }
  for (const problem of [...document.errors, ...document.warnings]) {
    reading.faults.push({ ...placeAt(lines, problem.pos[0]), message: syntaxMessage(problem.code, problem.message) })
  }
  const unreadable = reading.faults.length > 0
  const value = unreadable ? undefined : plain(reading, document.contents, [], { line: 1, column: 1 })
  return {
    value,
    broken: unreadable || reading.values === Infinity,
    faults: reading.faults,
    placeOf: (path, part = 'value') => {
      for (let length = path.length; length > 0; length--) {
        const found = reading.places.get(JSON.stringify(path.slice(0, length)))
        // An enclosing value is named by its key: that is where the missing thing has to be added.
        if (found !== undefined) return length === path.length && part === 'value' ? found.value : found.key
      }
      return { line: 1, column: 1 }
    },
    fromEnvironment: (path) => reading.borrowed.has(JSON.stringify(path)),
  }
}

function syntaxMessage(code: string, message: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'this key is already there; keys of one mapping must differ'
    case 'TAB_AS_INDENT':
      return 'a tab indents this line; use spaces'
    case 'MULTIPLE_DOCS':
      return 'a second document begins here; keep one document in the file'
    default:
      return `not valid YAML: ${message.charAt(0).toLowerCase()}${message.slice(1)}; mend the line`
  }
}

function placeAt(lines: LineCounter, offset: number): Place {
  const { line, col } = lines.linePos(offset)
  return { line: Math.max(1, line), column: Math.max(1, col) }
}

function plain(reading: Reading, node: unknown, path: Path, fallback: Place): unknown {
  if (node === null || node === undefined) return null
  const place = placeOfNode(reading, node, fallback)
  if (++reading.values > MAX_VALUES || path.length > MAX_DEPTH) {
    if (reading.values !== Infinity) {
      reading.faults.push({
        ...place,
        message: `too many or too deeply nested values (aliases repeat what they name); write it without`,
      })
    }
    reading.values = Infinity
    return null
  }
  if (isAlias(node)) {
    const target = node.resolve(reading.document)
    if (target !== undefined) return plain(reading, target, path, place)
    reading.faults.push({ ...place, message: `"*${node.source}" names no anchor; define it above with "&${node.source}"` })
    return null
  }
  if (isMap(node)) return plainMap(reading, node.items, path, place)
  if (isSeq(node)) {
    return node.items.map((item, index) => {
      const itemPath = [...path, index]
      const itemPlace = placeOfNode(reading, item, place)
      reading.places.set(JSON.stringify(itemPath), { key: itemPlace, value: itemPlace })
      return plain(reading, item, itemPath, itemPlace)
    })
  }
  if (isScalar(node)) return plainScalar(reading, node, path, place)
  reading.faults.push({ ...place, message: 'this is not a mapping, a list or a value; mend the line' })
  return null
}

function plainMap(reading: Reading, items: readonly { key: unknown; value: unknown }[], path: Path, place: Place): unknown {
  const entries: [string, unknown][] = []
  for (const { key, value } of items) {
    const keyPlace = placeOfNode(reading, key, place)
    if (!isScalar(key) || (typeof key.value !== 'string' && typeof key.value !== 'number')) {
      reading.faults.push({ ...keyPlace, message: 'a key must be plain text; write it as text' })
      continue
    }
    const name = String(key.value)
    const valuePath = [...path, name]
    reading.places.set(JSON.stringify(valuePath), { key: keyPlace, value: placeOfNode(reading, value, keyPlace) })
    entries.push([name, plain(reading, value, valuePath, keyPlace)])
  }
  return Object.fromEntries(entries)
}

function placeOfNode(reading: Reading, node: unknown, fallback: Place): Place {
  const range = isScalar(node) || isMap(node) || isSeq(node) || isAlias(node) ? node.range : undefined
  return range === undefined || range === null ? fallback : placeAt(reading.lines, range[0])
}

function plainScalar(reading: Reading, node: Scalar, path: Path, place: Place): unknown {
  const value = node.value
  if (typeof value === 'bigint' || (typeof value === 'number' && !Number.isFinite(value))) return node.source ?? String(value)
  if (typeof value !== 'string' || !value.includes('${')) return value
  return value.replaceAll(/\$\$\{|\$\{([^}]*)\}?/g, (whole: string, name: string | undefined) => {
    if (name === undefined) return '${'
    reading.borrowed.add(JSON.stringify(path))
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || !whole.endsWith('}')) {
      reading.faults.push({
        ...place,
        message: `"${whole}" is not a name of the environment; write \${NAME}, or $\${ for the characters themselves`,
      })
      return ''
    }
    const found = reading.env[name]
    if (found === undefined) {
      reading.faults.push({ ...place, message: `the environment has no ${name}; set it, or write the value here` })
    }
    return found ?? ''
  })
}
