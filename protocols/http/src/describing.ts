// Requests held to the target's OpenAPI file, where the target asks for that: what the file does not describe is refused, and so is what
// it describes otherwise.

import { Ajv2020 } from 'ajv/dist/2020.js'
import type { ErrorObject, ValidateFunction } from 'ajv'
import { RE2JS } from 're2js'
import type { HttpOperation, HttpSettings, RequestParameter, RequestShape, Target } from '@sallyport/core'
import { listed, mediaType } from './message.js'
import type { Fields } from './message.js'
import { operationFinder } from './openapi.js'
import type { Found } from './openapi.js'
import { readingsOf } from './paths.js'
import type { SeenBody } from './understand.js'

export interface Described {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly fields: Fields
  readonly contentType: string | undefined
  readonly body: SeenBody
  /** The body, where it is JSON and can be read in one way only. */
  readonly json: unknown
}

interface Checks {
  readonly parameters: ValidateFunction
  readonly media: ReadonlyMap<string, ValidateFunction>
}

const root = 'openapi'

/** Everything that is needed to hold requests of one target to its description. */
class Description {
  readonly #find: (method: string, path: string) => Found | undefined
  readonly #schemas: Readonly<Record<string, unknown>>
  readonly #checks = new Map<HttpOperation, Checks>()
  /** Of texts to what they are meant as: parameters and forms. */
  readonly #ofText: Ajv2020
  readonly #ofJson: Ajv2020

  constructor({ operations }: Pick<HttpSettings, 'operations'>, schemas: Readonly<Record<string, unknown>>) {
    this.#find = operationFinder(operations)
    this.#schemas = schemas
    this.#ofText = this.#validator(true)
    this.#ofJson = this.#validator(false)
  }

  find(method: string, path: string): Found | undefined {
    return this.#find(method, path) ?? (method === 'HEAD' ? this.#find('GET', path) : undefined)
  }

  /** Throws where the schemas of the operation are none. */
  checksOf(operation: HttpOperation): Checks {
    const known = this.#checks.get(operation)
    if (known !== undefined) return known
    const { parameters, body } = operation.shape ?? noShape
    const made: Checks = {
      parameters: this.#ofText.compile(placed(parametersSchema(parameters))),
      media: new Map(
        Object.entries(body?.media ?? {}).map(([type, schema]) => {
          const validator = isForm(type) ? this.#ofText : this.#ofJson
          return [type, isJson(type) || isForm(type) ? validator.compile(placed(schema)) : validator.compile(true)]
        }),
      ),
    }
    this.#checks.set(operation, made)
    return made
  }

  #validator(coerce: boolean): Ajv2020 {
    const validator = new Ajv2020({
      strict: false,
      validateFormats: false,
      messages: true,
      code: { regExp: linearPattern },
      ...(coerce ? { coerceTypes: 'array' as const } : {}),
    })
    // Comparing each with each takes time that grows with the square of a caller's list.
    validator.removeKeyword('uniqueItems')
    validator.addKeyword({ keyword: 'uniqueItems' })
    validator.addSchema({ $id: root, components: { schemas: this.#schemas } })
    return validator
  }
}

const linearPattern = Object.assign(
  (pattern: string) => {
    const compiled = RE2JS.compile(pattern)
    // ajv takes patterns that print alike for one and the same.
    return { test: (text: string) => compiled.matcher(text).find(), toString: () => `/${pattern}/` }
  },
  { code: 'new RegExp' },
)

/** References inside are to the schemas of the whole file. */
function placed(schema: unknown): object | boolean {
  if (typeof schema === 'boolean') return schema
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/components/', `"$ref":"${root}#/components/`)) as object
}

function parametersSchema(parameters: readonly RequestParameter[]): object {
  const places = (['path', 'query', 'header'] as const).map((place) => {
    const here = parameters.filter((parameter) => parameter.in === place && parameter.form !== 'open' && parameter.form !== 'deep')
    const properties = Object.fromEntries(here.map(({ name, schema }) => [name, schema]))
    return [
      place,
      { type: 'object', properties, required: here.filter(({ required }) => required).map(({ name }) => name) },
    ] as const
  })
  return { type: 'object', properties: Object.fromEntries(places) }
}

const noShape: RequestShape = { parameters: [] }
const descriptions = new WeakMap<Target, Description>()

const noHeaders: ReadonlySet<string> = new Set()
const headersOf = new WeakMap<Target, ReadonlySet<string>>()

/** Names of the headers that mean something to any operation of the target. */
export function describedHeaders(target: Target): ReadonlySet<string> {
  if (target.http === undefined || target.http.operations.length === 0) return noHeaders
  const known = headersOf.get(target)
  if (known !== undefined) return known
  const described = target.http.operations.flatMap(({ shape }) => (shape?.parameters ?? []).filter((each) => each.in === 'header'))
  const names = new Set(described.map(({ name }) => name.toLowerCase()))
  headersOf.set(target, names)
  return names
}

/** The first thing that is wrong with a description, for whoever writes it. */
export function describedFaults(
  operations: readonly HttpOperation[],
  schemas: Readonly<Record<string, unknown>>,
): string | undefined {
  const description = new Description({ operations }, schemas)
  for (const operation of operations) {
    try {
      description.checksOf(operation)
    } catch (error) {
      return `requests of ${operation.id} cannot be checked: ${error instanceof Error ? error.message : String(error)}`
    }
  }
  return undefined
}

/** How the request breaks the target's description; undefined: it does not, or the target does not ask. */
export function breaks(target: Target, asked: Described): string | undefined {
  const schemas = target.http?.schemas
  if (target.http === undefined || schemas === undefined) return undefined
  let description = descriptions.get(target)
  if (description === undefined) descriptions.set(target, (description = new Description(target.http, schemas)))
  const query = asked.path.indexOf('?')
  const bare = query < 0 ? asked.path : asked.path.slice(0, query)
  const found = foundIn(description, asked, bare)
  if (typeof found === 'string') return found
  const { parameters } = found.operation.shape ?? noShape
  const checks = description.checksOf(found.operation)
  const asking = new URLSearchParams(query < 0 ? '' : asked.path.slice(query + 1))
  const unknown = unknownParameter(parameters, asking)
  if (unknown !== undefined) return `the target's description of ${found.operation.id} knows no query parameter ${unknown}`
  const values = { path: found.values, query: valuesIn(parameters, 'query', asking), header: headersIn(parameters, asked.fields) }
  if (!checks.parameters(values)) return worded(found, '', checks.parameters.errors)
  return bodyBreaks(found, checks, asked)
}

/** Every way to read the path must lead to one and the same operation. */
function foundIn(description: Description, { method, path, fields }: Described, bare: string): Found | string {
  if (fields.some(([name]) => /^x-http-method(?:-override)?$|^x-method-override$/.test(name)))
    return "it names another method in a header, which the target's description knows nothing of"
  // An encoded slash is one to some servers and a letter of the segment to others.
  const encoded = /%(?:2f|5c)/i.test(bare)
  const [first, ...others] = readingsOf(bare).map((reading) => description.find(method, reading))
  if (encoded || first === undefined || others.some((other) => other?.operation !== first.operation))
    return `the target's description knows no ${method} ${path.split('?', 1)[0] ?? ''}`
  return first
}

function unknownParameter(parameters: readonly RequestParameter[], asking: URLSearchParams): string | undefined {
  const here = parameters.filter((parameter) => parameter.in === 'query')
  if (here.some(({ form }) => form === 'open')) return undefined
  const known = new Set(here.map(({ name }) => name))
  const deep = here.flatMap(({ form, name }) => (form === 'deep' ? [`${name}[`] : []))
  return [...asking.keys()].find((name) => !known.has(name) && !deep.some((start) => name.startsWith(start)))?.slice(0, 100)
}

function valuesIn(parameters: readonly RequestParameter[], place: 'query', asking: URLSearchParams): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const { in: where, name, form } of parameters) {
    const all = where === place ? asking.getAll(name) : []
    if (all.length > 0) values[name] = form === 'many' || all.length > 1 ? all : form === 'list' ? all[0]?.split(',') : all[0]
  }
  return values
}

function headersIn(parameters: readonly RequestParameter[], fields: Fields): Record<string, unknown> {
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const { in: where, name, form } of parameters) {
    const all = where === 'header' ? fields.filter(([field]) => field === name).map(([, value]) => value) : []
    if (all.length > 0) values[name] = form === 'list' ? listed(fields, name) : all.join(', ')
  }
  return values
}

function bodyBreaks(found: Found, checks: Checks, { body, contentType, fields, json }: Described): string | undefined {
  const { body: described } = found.operation.shape ?? noShape
  const empty = body === 'absent' || body.length === 0
  if (described === undefined) return empty ? undefined : `the target's description of ${found.operation.id} has no body`
  if (empty) return described.required ? `the target's description of ${found.operation.id} wants a body` : undefined
  const type = mediaType(contentType)
  const check = [type, `${type.split('/', 1)[0] ?? ''}/*`, '*/*']
    .map((each) => checks.media.get(each))
    .find((each) => each !== undefined)
  if (check === undefined)
    return `the target's description of ${found.operation.id} knows no body of type ${type === '' ? 'none' : type}`
  if (!isJson(type) && !isForm(type)) return undefined
  if (body === 'unseen') return "its body is longer than is looked into, so it cannot be held to the target's description"
  const packed = listed(fields, 'content-encoding').some((coding) => coding !== 'identity')
  if (packed || (isJson(type) && json === undefined)) return 'its body cannot be read in one way only'
  const value = isForm(type) ? formIn(body.toString('utf8')) : json
  return check(value) ? undefined : worded(found, 'body', check.errors)
}

function formIn(text: string): Record<string, unknown> {
  const form = new URLSearchParams(text)
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const name of new Set(form.keys())) {
    const all = form.getAll(name)
    values[name] = all.length > 1 ? all : all[0]
  }
  return values
}

function worded({ operation }: Found, what: string, errors: readonly ErrorObject[] | null | undefined): string {
  const [first] = errors ?? []
  const place = `${what}${(first?.instancePath ?? '').replaceAll('/', '.')}`.replace(/^\./, '')
  const property: unknown = first?.params['additionalProperty']
  const more = typeof property === 'string' ? ` (${property.slice(0, 100)})` : ''
  return `it breaks the target's description of ${operation.id}: ${place} ${first?.message ?? 'is not as described'}${more}`.slice(
    0,
    500,
  )
}

const isJson = (type: string): boolean => type === 'application/json' || type.endsWith('+json') || type === 'text/json'
const isForm = (type: string): boolean => type === 'application/x-www-form-urlencoded'
