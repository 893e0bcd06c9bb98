// What a request asks, in core's nouns.

import { hash } from 'node:crypto'
import { Remembered } from '@sallyport/core'
import type { Effect, Statement, Target } from '@sallyport/core'
import { graphqlFacts, noBody, readBody, unknownBody } from './body-facts.js'
import type { Asked, BodyFacts } from './body-facts.js'
import { breaks } from './describing.js'
import { coverQuery } from './headers.js'
import { shownBodyCharacters } from './limits.js'
import { field } from './message.js'
import type { Fields } from './message.js'
import { operationsOf } from './openapi.js'
import { readingsOf } from './paths.js'

export interface Understood {
  /** Absent: a request. */
  readonly kind?: 'tunnel'
  /** Off unless a rule allows it, for this reason. */
  readonly needsRule?: string
  /** How it breaks the target's own description. */
  readonly breaks?: string
  readonly effects: readonly Effect[]
  readonly facts: BodyFacts
  readonly text: string
  readonly parameters: readonly string[]
  readonly provenance?: string
}

/** `absent`: there is none. `unseen`: it is not read before it goes on. */
export type SeenBody = Buffer | 'absent' | 'unseen'

const readingMethods = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'REPORT', 'SEARCH', 'QUERY'])

type KnownEffects = Remembered<string, readonly Effect[]>

/** Effects of requests without a body, so that a verdict is remembered with them; gone with the target, whose description names them. */
const remembered = new WeakMap<Target, KnownEffects>()

function rememberedOf(target: Target): KnownEffects {
  const known = remembered.get(target)
  if (known !== undefined) return known
  const made: KnownEffects = new Remembered({ entries: 2_000, weight: 2 * 1024 * 1024 })
  remembered.set(target, made)
  return made
}

export function understand(target: Target, method: string, path: string, fields: Fields, body: SeenBody): Understood {
  const query = path.indexOf('?')
  const bare = query < 0 ? path : path.slice(0, query)
  const type = field(fields, 'content-type')
  const facts = factsOf(body, type, fields, bare, query < 0 ? '' : path.slice(query + 1), method)
  const overridden = fields
    .filter(([name]) => /^x-http-method(?:-override)?$|^x-method-override$/.test(name))
    .map(([, value]) => value.trim().toUpperCase())
  const effects = effectsOf(target, [...new Set([method, ...overridden])], path, facts, body === 'absent' || body.length === 0)
  const broken = breaks(target, { method, path, fields, contentType: type, body, json: facts.json })
  const claimed =
    traceparent(field(fields, 'traceparent')) ?? facts.calls.map((call) => traceparent(call.traceparent)).find(Boolean)
  return {
    effects,
    facts,
    text: textOf(method, coverQuery(path, target), body, type),
    parameters: typeof body === 'string' || body.length === 0 ? [] : [`sha256:${hash('sha256', body)}`],
    ...(claimed === undefined ? {} : { provenance: claimed }),
    ...(broken === undefined ? {} : { breaks: broken }),
  }
}

export function statementOf(id: number, understood: Understood): Statement {
  const { kind = 'request', effects, text, parameters, provenance } = understood
  return { id, kind, text, parameters, effects, held: true, ...(provenance === undefined ? {} : { provenance }) }
}

/** Nothing is known of what goes through it but where it goes: the words are those of SSH's. */
export function understandTunnel(host: string, port: number): Understood {
  const object = `${host}:${port}`
  return {
    kind: 'tunnel',
    needsRule: `no target stands for ${object} alone, and a tunnel there is off unless a rule allows it`,
    effects: [{ access: 'admin', verb: 'forward', object }],
    facts: noBody,
    text: `forward to ${object}`,
    parameters: [],
  }
}

function factsOf(body: SeenBody, type: string | undefined, fields: Fields, path: string, query: string, method: string): BodyFacts {
  if (body === 'unseen' && /^application\/grpc(?:[+;]|$)/i.test(type ?? ''))
    return { asked: [{ verb: 'call', operations: [path.slice(1)], tools: [] }], calls: [] }
  if (body === 'unseen') return unknownBody
  const inBody = body === 'absent' ? noBody : readBody(body, type, field(fields, 'content-encoding'), path)
  if (query === '') return inBody
  const asked = new URLSearchParams(query)
  const document = body === 'absent' && (method === 'GET' || method === 'HEAD') ? asked.get('query') : null
  const graphql = document === null ? undefined : graphqlFacts(document, asked.get('operationName') ?? undefined)
  const base = graphql ?? (document !== null && /(^|\/)graphql\/?$/i.test(path) ? unknownBody : inBody)
  const names = [...new Set(asked.keys())].map((name) => `query.${name}`)
  if (names.length === 0) return base
  return {
    ...base,
    asked: base.asked.map((each) => (each.fields === undefined ? each : { ...each, fields: [...each.fields, ...names] })),
  }
}

export function effectsOf(
  target: Target,
  methods: readonly string[],
  path: string,
  facts: BodyFacts,
  bodiless: boolean,
): readonly Effect[] {
  const bare = path.split('?', 1)[0] ?? ''
  const make = (): readonly Effect[] =>
    readingsOf(bare).flatMap((reading) =>
      methods.flatMap((method) => facts.asked.map((asked) => effectOf(target, method, reading, asked))),
    )
  if (!bodiless || path.includes('?')) return make()
  const key = `${methods.join(',')}\n${bare}`
  const before = rememberedOf(target)
  const known = before.get(key)
  if (known !== undefined) return known
  const made = make()
  before.set(key, made, key.length + 200 * made.length)
  return made
}

/** One call of a tool, for a list of what may be called. */
export function callEffects(target: Target, method: string, path: string, tool: string): readonly Effect[] {
  const asked: Asked = { access: 'write', verb: 'call-tool', operations: ['tools/call'], tools: [tool] }
  return readingsOf(path.split('?', 1)[0] ?? '').map((reading) => effectOf(target, method, reading, asked))
}

function effectOf(target: Target, method: string, path: string, asked: Asked): Effect {
  const named = operationsOf(target, method, path)
  const operations = asked.operations === undefined ? undefined : [...asked.operations, ...(named ?? [])]
  return {
    access: asked.access ?? (readingMethods.has(method) ? 'read' : 'write'),
    verb: asked.verb ?? method.toLowerCase(),
    object: path,
    request: {
      method,
      path,
      ...(operations === undefined ? (named === undefined || named.length === 0 ? {} : { operations: named }) : { operations }),
      ...(asked.tools === undefined ? {} : { tools: asked.tools }),
      ...(asked.fields === undefined ? {} : { fields: asked.fields }),
    },
  }
}

function textOf(method: string, path: string, body: SeenBody, type: string | undefined): string {
  const first = `${method} ${path}`
  if (body === 'absent' || body.length === 0) return first
  if (body === 'unseen') return `${first}\n(a body that is not read before it goes on)`
  const text = body.toString('utf8')
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\u{fffd}]/u.test(text.slice(0, 1_000)))
    return `${first}\n(${type ?? 'a body'}, ${body.length} bytes)`
  return `${first}\n${text.length <= shownBodyCharacters ? text : `${text.slice(0, shownBodyCharacters)}... (${body.length} bytes)`}`
}

/** https://www.w3.org/TR/trace-context/#traceparent-header */
function traceparent(value: string | undefined): string | undefined {
  return value !== undefined && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(value.trim()) ? value.trim() : undefined
}
