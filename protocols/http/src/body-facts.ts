// What a body says that rules can ask for: its fields, its calls, its operations. A body that can be read in two ways was not understood.

import { repeatsKeys } from '@sallyport/masking'
import { readGraphql } from './graphql.js'
import { mediaType } from './message.js'
import { readRpc } from './rpc.js'
import type { RpcCall } from './rpc.js'

/** One thing that a body asks for. Lists that are absent could not be told. */
export interface Asked {
  readonly access?: 'read' | 'write'
  readonly verb?: string
  readonly operations?: readonly string[]
  readonly tools?: readonly string[]
  readonly fields?: readonly string[]
}

export interface BodyFacts {
  readonly asked: readonly Asked[]
  /** JSON-RPC messages of the body. */
  readonly calls: readonly RpcCall[]
  /** Why masks by field cannot be trusted on what comes back. */
  readonly renames?: string
  readonly json?: unknown
}

export const unknownBody: BodyFacts = { asked: [{}], calls: [] }
export const noBody: BodyFacts = { asked: [{ operations: [], tools: [], fields: [] }], calls: [] }

const maxFields = 2_000

/** `encoding`: the body's content-encoding, if any. */
export function readBody(body: Buffer, contentType: string | undefined, encoding: string | undefined, path: string): BodyFacts {
  if (body.length === 0) return noBody
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') return unknownBody
  const type = mediaType(contentType)
  const charset = /charset="?([^";\s]+)/i.exec(contentType ?? '')?.[1]?.toLowerCase()
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii') return unknownBody
  if (type === 'application/graphql') return graphqlFacts(body.toString('utf8'), undefined) ?? unknownBody
  // Servers read JSON whatever the type says.
  const mayBeJson = isJsonType(type) || /^[\s\u{feff}]*[[{]/u.test(body.toString('utf8', 0, 64))
  if (type === 'application/x-www-form-urlencoded') return mayBeJson ? eitherWay(body, path) : formFacts(body, path)
  return mayBeJson ? jsonFacts(body, path) : unknownBody
}

const isJsonType = (type: string): boolean => type === 'application/json' || type.endsWith('+json') || type === 'text/json'

/** What curl sends where nobody says what it is: some servers take it for JSON and some for a form, so that both count. */
function eitherWay(body: Buffer, path: string): BodyFacts {
  const form = formFacts(body, path)
  const json = jsonFacts(body, path)
  return { ...form, ...json, asked: [...form.asked, ...json.asked] }
}

function jsonFacts(body: Buffer, path: string): BodyFacts {
  const json = repeatsKeys(body) ? undefined : parsed(body)
  if (json === undefined) return unknownBody
  const rpc = readRpc(json)
  if (rpc === 'ambiguous') return { ...unknownBody, json }
  const fields = fieldsOf(json)
  if (rpc !== undefined) {
    const asked = rpc.map((call) => askedBy(call, fields))
    return { asked: asked.length === 0 ? [{ operations: [], tools: [], fields: [] }] : asked, calls: rpc, json }
  }
  const graphql = graphqlIn(json, path)
  if (graphql !== undefined) return { ...graphql, json }
  return {
    asked: [
      {
        operations: modelOperation(json, path),
        tools: [],
        ...(fields === undefined ? {} : { fields }),
        ...modelAccess(json, path),
      },
    ],
    calls: [],
    json,
  }
}

function askedBy(call: RpcCall, fields: readonly string[] | undefined): Asked {
  return {
    access: call.access,
    verb: call.tool === undefined ? 'call' : 'call-tool',
    operations: call.method === undefined ? [] : [call.method],
    tools: call.tool === undefined ? [] : [call.tool],
    ...(fields === undefined ? {} : { fields }),
  }
}

function graphqlIn(json: unknown, path: string): BodyFacts | undefined {
  const entries = Array.isArray(json) ? (json as readonly unknown[]) : [json]
  const mayBe = (entry: unknown): entry is Readonly<Record<string, unknown>> => {
    return (
      typeof entry === 'object' &&
      entry !== null &&
      ('query' in entry || 'operationName' in entry || 'extensions' in entry || 'documentId' in entry || 'id' in entry)
    )
  }
  const here = /(^|\/)graphql\/?$/i.test(path)
  if (entries.length === 0 || !entries.every(mayBe)) return here ? unknownBody : undefined
  const found = entries.map(({ query, operationName }) => {
    return typeof query === 'string'
      ? graphqlFacts(query, typeof operationName === 'string' ? operationName : undefined)
      : undefined
  })
  const whole = found.filter((facts) => facts !== undefined)
  // What is written like GraphQL and does not parse here may parse there.
  const seeming = entries.some(({ query }) => typeof query === 'string' && query.includes('{'))
  if (whole.length < found.length) return here || seeming ? unknownBody : undefined
  const renames = whole.find((facts) => facts.renames !== undefined)?.renames
  return { asked: whole.flatMap((facts) => facts.asked), calls: [], ...(renames === undefined ? {} : { renames }) }
}

/** Undefined: it is no GraphQL. */
export function graphqlFacts(query: string, operationName: string | undefined): BodyFacts | undefined {
  const read = readGraphql(query, operationName)
  if (read === undefined) return undefined
  const asked = read.roots.map(({ name, fields }): Asked => {
    const operations = [read.type, `${read.type}.${name}`]
    return { access: read.type === 'mutation' ? 'write' : 'read', verb: read.type, operations, tools: [], fields }
  })
  return { asked, calls: [], ...(read.renames === undefined ? {} : { renames: `it renames ${read.renames}` }) }
}

function formFacts(body: Buffer, path: string): BodyFacts {
  const form = new URLSearchParams(body.toString('utf8'))
  const query = form.get('query')
  if (query !== null && /(^|\/)graphql\/?$/i.test(path))
    return graphqlFacts(query, form.get('operationName') ?? undefined) ?? unknownBody
  const names = [...new Set(form.keys())]
  return { asked: [{ operations: [], tools: [], ...(names.length > maxFields ? {} : { fields: names }) }], calls: [] }
}

/** Dotted paths of all keys, array indexes left out; undefined where there are too many. */
function fieldsOf(json: unknown): readonly string[] | undefined {
  const found = new Set<string>()
  const open: { readonly value: unknown; readonly path: string }[] = [{ value: json, path: '' }]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { value, path } = next
    if (Array.isArray(value)) open.push(...(value as readonly unknown[]).map((each) => ({ value: each, path })))
    else if (typeof value === 'object' && value !== null) {
      for (const [key, each] of Object.entries(value)) {
        const inner = path === '' ? key : `${path}.${key}`
        found.add(inner)
        if (typeof each === 'object') open.push({ value: each, path: inner })
      }
    }
    if (found.size > maxFields || open.length > maxFields * 10) return undefined
  }
  return [...found]
}

const modelPaths: readonly (readonly [RegExp, string])[] = [
  [/\/v1\/messages$/, 'messages.create'],
  [/\/chat\/completions$/, 'chat.completions.create'],
  [/\/responses$/, 'responses.create'],
  [/\/api\/chat$/, 'api.chat'],
  [/\/api\/generate$/, 'api.generate'],
]

/** The model API that this is a request of, by path and shape. */
function modelOperation(json: unknown, path: string): readonly string[] {
  const model = typeof json === 'object' && json !== null && 'model' in json ? json.model : undefined
  const found = typeof model === 'string' ? modelPaths.find(([pattern]) => pattern.test(path)) : undefined
  return found === undefined ? [] : [found[1]]
}

/** Asking a model changes nothing at the target. */
function modelAccess(json: unknown, path: string): Asked {
  return modelOperation(json, path).length === 0 ? {} : { access: 'read', verb: 'ask-model' }
}

/** Undefined: it is no JSON in UTF-8. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) as unknown
  } catch {
    return undefined
  }
}
