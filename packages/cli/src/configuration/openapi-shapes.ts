// What an OpenAPI 3 file says that requests of each operation must look like, its schemas brought into the one dialect that 3.1 has (JSON
// Schema 2020-12).

import type { HttpOperation, RequestParameter, RequestShape } from '@sallyport/core'
import { isMapping, member } from './mapping.js'
import type { FoundOperation } from './openapi.js'

interface Shaped {
  readonly operations: readonly HttpOperation[]
  readonly schemas: Readonly<Record<string, unknown>>
  readonly problem?: string
}

const maxDepth = 100
const maxReferences = 20
/** Parsers of requests look at these themselves (OpenAPI 3.1, section 4.8.12.1). */
const notParameters = new Set(['accept', 'content-type', 'authorization'])

class NotReadable extends Error {}

export function shapesOf(document: unknown, found: readonly FoundOperation[]): Shaped {
  try {
    const schemas = member(member(document, 'components'), 'schemas')
    return {
      schemas: isMapping(schemas) ? mapped(schemas, (schema) => plainSchema(schema, 0)) : {},
      operations: found.map(({ method, path, id, item, operation }) => {
        return { method, path, id, shape: shapeOf(document, item, operation) }
      }),
    }
  } catch (error) {
    if (!(error instanceof NotReadable)) throw error
    return { operations: [], schemas: {}, problem: error.message }
  }
}

function shapeOf(document: unknown, item: unknown, operation: unknown): RequestShape {
  const body = followed(document, member(operation, 'requestBody'))
  const media = member(body, 'content')
  return {
    parameters: parametersOf(document, item, operation),
    ...(body === undefined
      ? {}
      : {
          body: {
            required: member(body, 'required') === true,
            media: isMapping(media)
              ? Object.fromEntries(
                  Object.entries(media).map(([type, each]) => [type.toLowerCase(), plainSchema(member(each, 'schema') ?? true, 0)]),
                )
              : {},
          },
        }),
  }
}

/** An operation's own parameters stand before those of its path. */
function parametersOf(document: unknown, item: unknown, operation: unknown): readonly RequestParameter[] {
  const all = [operation, item].flatMap((from) => {
    const listed = member(from, 'parameters')
    return Array.isArray(listed) ? (listed as readonly unknown[]) : []
  })
  const parameters = new Map<string, RequestParameter>()
  for (const written of all) {
    const each = followed(document, written)
    const [name, place] = [member(each, 'name'), member(each, 'in')]
    if (typeof name !== 'string' || (place !== 'path' && place !== 'query' && place !== 'header')) continue
    if (place === 'header' && notParameters.has(name.toLowerCase())) continue
    const key = `${place} ${name}`
    if (parameters.has(key)) continue
    const schema = member(each, 'schema')
    const style = member(each, 'style') ?? (place === 'query' ? 'form' : 'simple')
    const explode = member(each, 'explode') ?? style === 'form'
    const type = member(followed(document, schema), 'type')
    parameters.set(key, {
      in: place,
      name: place === 'header' ? name.toLowerCase() : name,
      required: place === 'path' || member(each, 'required') === true,
      form: formOf(type, style, explode === true),
      // What is written in another way than as one value or a list is not looked into.
      schema: schema === undefined || type === 'object' ? true : plainSchema(schema, 0),
    })
  }
  return [...parameters.values()]
}

function formOf(type: unknown, style: unknown, explode: boolean): RequestParameter['form'] {
  if (type === 'object') return style === 'deepObject' ? 'deep' : 'open'
  if (type !== 'array') return 'one'
  if (style === 'form' && explode) return 'many'
  return style === 'form' || style === 'simple' ? 'list' : 'one'
}

function followed(document: unknown, value: unknown): unknown {
  let found = value
  for (let count = 0; typeof member(found, '$ref') === 'string'; count += 1) {
    const reference = String(member(found, '$ref'))
    if (!reference.startsWith('#/') || count > maxReferences)
      throw new NotReadable(`the reference ${reference} cannot be followed; put all of it into one file`)
    found = reference
      .slice(2)
      .split('/')
      .reduce<unknown>((at, part) => member(at, decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')), document)
    if (found === undefined) throw new NotReadable(`there is nothing at ${reference}`)
  }
  return found
}

/** Without what says nothing about a request; `exclusiveMinimum: true` and `nullable` are 3.0's. */
function plainSchema(schema: unknown, depth: number): unknown {
  if (depth > maxDepth) throw new NotReadable('a schema is nested too deep')
  if (Array.isArray(schema)) return (schema as readonly unknown[]).map((each) => plainSchema(each, depth + 1))
  if (!isMapping(schema)) return schema
  const reference = schema['$ref']
  if (typeof reference === 'string') {
    if (!reference.startsWith('#/components/schemas/'))
      throw new NotReadable(`the reference ${reference} cannot be followed; put schemas into components.schemas`)
    return { $ref: reference }
  }
  const out: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(schema)) {
    if (dropped.has(key)) continue
    if (maps.has(key) && isMapping(value)) out[key] = mapped(value, (each) => plainSchema(each, depth + 1))
    else out[key] = literal.has(key) ? value : plainSchema(value, depth + 1)
  }
  for (const [exclusive, limit] of [
    ['exclusiveMinimum', 'minimum'],
    ['exclusiveMaximum', 'maximum'],
  ] as const) {
    if (typeof out[exclusive] !== 'boolean') continue
    if (out[exclusive]) [out[exclusive], out[limit]] = [out[limit], undefined]
    else delete out[exclusive]
    if (out[limit] === undefined) delete out[limit]
  }
  if (schema['nullable'] === true && typeof out['type'] === 'string') out['type'] = [out['type'], 'null']
  if (schema['nullable'] === true && Array.isArray(out['enum'])) out['enum'] = [...(out['enum'] as readonly unknown[]), null]
  return out
}

const dropped = new Set([
  'example',
  'examples',
  'default',
  'xml',
  'externalDocs',
  'discriminator',
  'nullable',
  '$id',
  '$schema',
  'title',
  'description',
])
const maps = new Set(['properties', 'patternProperties', '$defs', 'definitions', 'dependentSchemas'])
const literal = new Set(['enum', 'const', 'required', 'type', 'dependentRequired'])

function mapped(from: Readonly<Record<string, unknown>>, make: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, make(value)]))
}
