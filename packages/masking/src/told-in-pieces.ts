// Events and lines that tell texts piece by piece, as models do: Anthropic's Messages, OpenAI's Chat Completions and Responses, Ollama's lines,
// and whatever has their shape. Each text is masked as if it came whole; what was held back of it comes before the event that ends it.

import { jsonMask } from './json-mask.js'
import type { Masker } from './masker.js'
import { Pieces } from './pieces.js'
import type { Mapped, SseEvent } from './sse.js'
import { Unmaskable } from './unmaskable.js'

type Json = Readonly<Record<string, unknown>>
type Changing = Record<string, unknown>

/** A place in an event where a piece stands. */
interface Place {
  readonly key: string
  readonly path: string
  readonly json: boolean
  readonly holder: Changing
  readonly name: string
}

interface Told {
  readonly pieces: Pieces
  /** The last event that had a piece of it, its texts empty. */
  event: SseEvent
}

const maxTexts = 512
/** Strings beside the pieces that say something of their own, and all of it. */
const notPieces = new Set([
  'type',
  'role',
  'id',
  'name',
  'object',
  'model',
  'stop_reason',
  'stop_sequence',
  'finish_reason',
  'signature',
])
/** Anthropic's: `text_delta` and `thinking_delta` go on with them. */
const begunNames = ['text', 'thinking']
const jsonNames = new Set(['partial_json', 'arguments'])

export class ToldInPieces {
  readonly #masker: Masker
  readonly #told = new Map<string, Told>()

  constructor(masker: Masker) {
    this.#masker = masker
  }

  /** What stands in the event's place. */
  map(event: SseEvent): Mapped {
    const { data } = event
    const bare = data.trim()
    if (bare === '[DONE]') return { before: this.#endAll(() => true), data }
    if (bare === '') return data
    if (!/^[[{"]/.test(bare)) {
      if (!this.#masker.byField) return this.#masker.text(data)
      if (!/^(?:true|false|null|-?\d[\d.eE+-]*)$/.test(bare)) throw new Unmaskable('an event holds text that is not JSON')
      return this.#masked(data)
    }
    if (!bare.startsWith('{')) return this.#masked(data)
    const json = parsed(data)
    const places = placesIn(json).filter(({ path }) => this.#masker.forField(path) === undefined)
    if (places.length === 0 && !('type' in json) && !('choices' in json) && !tellsLines(json)) return this.#masked(data)
    return this.#withPieces({ ...event, data }, json, places)
  }

  /** The same for a line of JSON, which is no text in any case. */
  line(line: string): Mapped {
    if (line.trim() === '') return line
    return /^\s*\{/.test(line) ? this.map({ data: line }) : this.#masked(line)
  }

  /** What was held back when no more comes. */
  last(): readonly SseEvent[] {
    return this.#endAll(() => true)
  }

  #withPieces(event: SseEvent, json: Changing, places: readonly Place[]): Mapped {
    const texts = places.map(({ holder, name }) => String(holder[name]))
    for (const { holder, name } of places) holder[name] = ''
    // What stands beside the pieces is masked as in any other event.
    const rest = places.length === 0 ? this.#masked(event.data) : this.#masked(JSON.stringify(json))
    const ends = endedBy(json)
    const here = new Set(places.map(({ key }) => key))
    const before = this.#endAll((key) => ends(key) && !here.has(key))
    if (places.length === 0) return { before, data: rest }
    const after = parsed(rest)
    const again = placesIn(after)
    const template: SseEvent = { ...event, data: rest }
    const begins = json['type'] === 'content_block_start' && !isJson(json['delta'])
    for (const [index, place] of places.entries()) {
      const told = this.#toldAt(place, begins ? continuing(event, json, place.name) : template)
      const put = again.find(({ key }) => key === place.key)
      // Absent: what it stood in is masked as a whole.
      if (put !== undefined)
        put.holder[put.name] = told.pieces.push(texts[index] ?? '') + (ends(place.key) ? told.pieces.end() : '')
    }
    return { before, data: JSON.stringify(after) }
  }

  #toldAt(place: Place, event: SseEvent): Told {
    const known = this.#told.get(place.key)
    const told = known ?? { pieces: new Pieces(this.#masker, place.json), event }
    told.event = event
    if (known === undefined) {
      if (this.#told.size >= maxTexts) throw new Unmaskable('too many texts are told in pieces at once')
      this.#told.set(place.key, told)
    }
    return told
  }

  #endAll(ends: (key: string) => boolean): readonly SseEvent[] {
    const before: SseEvent[] = []
    for (const [key, { pieces, event }] of this.#told) {
      if (!ends(key)) continue
      this.#told.delete(key)
      const rest = pieces.end()
      if (rest === '') continue
      const json = parsed(event.data)
      const place = placesIn(json).find((each) => each.key === key)
      if (place === undefined) continue
      place.holder[place.name] = rest
      before.push({ ...event, data: JSON.stringify(json) })
    }
    return before
  }

  #masked(data: string): string {
    const walk = jsonMask(this.#masker)
    return Buffer.concat([walk.push(Buffer.from(data, 'utf8')), walk.end()]).toString('utf8')
  }
}

function placesIn(json: Changing): readonly Place[] {
  const { delta, choices } = json
  if (typeof delta === 'string') {
    const type = textOf(json['type'])
    const path = '$.delta'
    return [{ key: `r ${type} ${partOf(json)}`, path, json: /arguments|input/.test(type), holder: json, name: 'delta' }]
  }
  const own = isJson(delta) ? stringsIn(delta, `d ${numberOf(json['index'])}`, '$.delta') : begunIn(json)
  const each = listOf(choices).flatMap((choice) => {
    const key = `c ${numberOf(choice['index'])}`
    const said = isJson(choice['delta']) ? choice['delta'] : {}
    return [
      ...stringsIn(said, key, '$.choices.delta'),
      ...('text' in choice ? stringsIn({ text: choice['text'] }, key, '$.choices', choice) : []),
      ...callsIn(said, key),
    ]
  })
  return [...own, ...each, ...lineIn(json)]
}

/** Ollama's: each line says whether it is the last. */
function tellsLines(json: Json): boolean {
  return typeof json['done'] === 'boolean' && typeof json['model'] === 'string' && typeof json['created_at'] === 'string'
}

function lineIn(json: Changing): readonly Place[] {
  if (!tellsLines(json)) return []
  const { message } = json
  const plain = Object.fromEntries(['response', 'thinking'].filter((name) => name in json).map((name) => [name, json[name]]))
  return [...(isJson(message) ? stringsIn(message, 'o m', '$.message') : []), ...stringsIn(plain, 'o', '$', json)]
}

/** A block may begin with the first piece of what its deltas go on with. */
function begunIn(json: Changing): readonly Place[] {
  const { content_block: block } = json
  if (json['type'] !== 'content_block_start' || !isJson(block)) return []
  const begun = Object.fromEntries(begunNames.filter((name) => name in block).map((name) => [name, block[name]]))
  return stringsIn(begun, `d ${numberOf(json['index'])}`, '$.content_block', block)
}

/** What was held back of a beginning comes as a delta: a block begins once. */
function continuing(event: SseEvent, json: Json, name: string): SseEvent {
  const type = 'content_block_delta'
  const data = JSON.stringify({ type, index: json['index'], delta: { type: `${name}_delta`, [name]: '' } })
  return event.name === undefined ? { data } : { name: type, data }
}

function callsIn(said: Changing, key: string): readonly Place[] {
  const calls = listOf(said['tool_calls']).flatMap((call, index) => {
    const here = `${key} t ${numberOf(call['index'] ?? index)}`
    return ['function', 'custom'].flatMap((kind) => {
      const made = call[kind]
      return isJson(made) ? stringsIn(made, `${here} ${kind}`, `$.choices.delta.tool_calls.${kind}`) : []
    })
  })
  const single = said['function_call']
  return [...calls, ...(isJson(single) ? stringsIn(single, `${key} f`, '$.choices.delta.function_call') : [])]
}

function stringsIn(values: Changing, key: string, path: string, holder: Changing = values): readonly Place[] {
  return Object.entries(values).flatMap(([name, value]) =>
    typeof value !== 'string' || notPieces.has(name)
      ? []
      : [{ key: `${key} ${name}`, path: `${path}.${name}`, json: jsonNames.has(name), holder, name }],
  )
}

/** Which texts the event ends. */
function endedBy(json: Json): (key: string) => boolean {
  const type = textOf(json['type'])
  if (json['done'] === true && tellsLines(json)) return (key) => key.startsWith('o ')
  if (type === 'content_block_stop') return (key) => key.startsWith(`d ${numberOf(json['index'])} `)
  if (/^(?:message_delta|message_stop|error|response\.(?:completed|failed|incomplete|done))$/.test(type)) return () => true
  if (/^response\..*\.done$/.test(type)) {
    const start = `r ${type.slice(0, -'done'.length)}delta ${partOf(json)}`
    return (key) => key === start
  }
  const over = listOf(json['choices']).flatMap((choice) =>
    typeof choice['finish_reason'] === 'string' ? [`c ${numberOf(choice['index'])} `] : [],
  )
  return (key) => over.some((start) => key.startsWith(start))
}

const partOf = (json: Json): string =>
  [json['item_id'], json['output_index'], json['content_index'], json['summary_index']]
    .map((part) => `${textOf(part)}${numberOf(part)}`)
    .join(' ')

function parsed(data: string): Changing {
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch {
    throw new Unmaskable('an event is no JSON')
  }
  if (!isJson(json)) throw new Unmaskable('an event is no object')
  return json
}

function isJson(value: unknown): value is Changing {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function listOf(value: unknown): readonly Changing[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isJson) : []
}

const numberOf = (value: unknown): string => (typeof value === 'number' ? String(value) : '')
const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
