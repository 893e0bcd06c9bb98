// Every event against what OCSF 1.9.0 requires of its class and of each object in it (schema.ocsf.io).

import type { RecordedEvent } from '@sallyport/core'
import { describe, expect, it } from 'vitest'
import { ocsfEvent } from './ocsf.js'
import { plainLine } from './plain.js'

interface Shape {
  readonly required?: readonly string[]
  readonly oneOf?: readonly string[]
  /** The type of each attribute that may stand there: a name of `OBJECTS`, a primitive, or the numbers of an enum. */
  readonly attributes: Readonly<Record<string, string | readonly number[]>>
}

const OBJECTS: Readonly<Record<string, Shape>> = {
  metadata: {
    required: ['product', 'version'],
    attributes: { version: 'string', uid: 'string', product: 'product', profiles: 'string[]' },
  },
  product: { oneOf: ['name', 'uid'], attributes: { name: 'string', vendor_name: 'string', version: 'string' } },
  user: {
    oneOf: ['account', 'name', 'uid'],
    attributes: { name: 'string', uid: 'string', type: 'string', type_id: [0, 1, 2, 3, 4, 99], groups: 'group[]' },
  },
  group: { oneOf: ['name', 'uid'], attributes: { name: 'string' } },
  actor: { oneOf: ['process', 'user', 'session'], attributes: { user: 'user', session: 'session' } },
  session: { attributes: { uid: 'string', created_time: 'integer', is_remote: 'boolean', issuer: 'string' } },
  network_endpoint: {
    oneOf: ['ip', 'uid', 'name', 'hostname', 'svc_name'],
    attributes: { ip: 'ip', port: 'port', name: 'string', svc_name: 'string' },
  },
  service: { oneOf: ['name', 'uid'], attributes: { name: 'string' } },
  policy: { oneOf: ['name', 'uid'], attributes: { name: 'string', desc: 'string' } },
  database: {
    required: ['type_id'],
    oneOf: ['name', 'uid'],
    attributes: { name: 'string', type: 'string', type_id: [0, 1, 2, 3, 4, 5, 6, 7, 8, 99] },
  },
  table: { oneOf: ['name', 'uid'], attributes: { name: 'string' } },
  query_info: {
    required: ['query_string'],
    oneOf: ['name', 'uid'],
    attributes: { uid: 'string', query_string: 'string', bytes: 'integer' },
  },
  file: { required: ['name', 'type_id'], attributes: { name: 'string', path: 'string', type: 'string', type_id: [0] } },
  http_request: { attributes: { uid: 'string', http_method: 'string', url: 'url', user_agent: 'string' } },
  url: { oneOf: ['url_string', 'path'], attributes: { url_string: 'string', hostname: 'string', path: 'string' } },
  unmapped: { attributes: {} },
}

const BASE = {
  required: ['activity_id', 'category_uid', 'class_uid', 'metadata', 'severity_id', 'time', 'type_uid'],
  attributes: {
    activity_id: 'integer',
    activity_name: 'string',
    category_uid: 'integer',
    category_name: 'string',
    class_uid: 'integer',
    class_name: 'string',
    type_uid: 'integer',
    time: 'integer',
    start_time: 'integer',
    end_time: 'integer',
    duration: 'integer',
    metadata: 'metadata',
    severity_id: [0, 1, 2, 3, 4, 5, 6, 99],
    severity: 'string',
    status_id: [0, 1, 2, 99],
    status: 'string',
    status_detail: 'string',
    message: 'string',
    unmapped: 'unmapped',
    action_id: [0, 1, 2, 3, 4, 99],
    action: 'string',
    disposition_id: [0, 1, 2],
    disposition: 'string',
    policy: 'policy',
    src_endpoint: 'network_endpoint',
    dst_endpoint: 'network_endpoint',
    actor: 'actor',
  },
} as const

interface Class extends Shape {
  readonly category: number
  readonly activities: readonly number[]
}

const CLASSES: Readonly<Record<number, Class>> = {
  3002: {
    category: 3,
    activities: [1, 2, 99],
    required: ['user'],
    oneOf: ['service', 'dst_endpoint'],
    attributes: { user: 'user', is_remote: 'boolean', session: 'session', service: 'service' },
  },
  4002: {
    category: 4,
    activities: [1, 2, 3, 4, 5, 6, 7, 8, 9, 99],
    oneOf: ['http_request', 'http_response'],
    attributes: { http_request: 'http_request' },
  },
  4007: { category: 4, activities: [1, 2, 3, 4, 5, 6, 99], oneOf: ['src_endpoint', 'dst_endpoint'], attributes: { file: 'file' } },
  6005: {
    category: 6,
    activities: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 99],
    required: ['actor', 'src_endpoint'],
    oneOf: ['database', 'databucket', 'table'],
    attributes: { database: 'database', table: 'table', query_info: 'query_info', type: 'string', type_id: [0, 1, 2, 3, 99] },
  },
}

const PRIMITIVES: Readonly<Record<string, (value: unknown) => boolean>> = {
  string: (value) => typeof value === 'string',
  'string[]': (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
  integer: Number.isSafeInteger,
  boolean: (value) => typeof value === 'boolean',
  ip: (value) => typeof value === 'string' && /^(?:\d{1,3}\.){3}\d{1,3}$|^[0-9a-f:.]+$/.test(value),
  port: (value) => Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) <= 65_535,
}

function problems(value: unknown, shape: Shape, path: string): readonly string[] {
  if (typeof value !== 'object' || value === null) return [`${path}: not an object`]
  const entries = Object.entries(value)
  const names = new Set(entries.map(([name]) => name))
  const missing = (shape.required ?? []).filter((name) => !names.has(name)).map((name) => `${path}.${name}: missing`)
  const none =
    shape.oneOf !== undefined && !shape.oneOf.some((name) => names.has(name)) ? [`${path}: none of ${shape.oneOf.join(', ')}`] : []
  const wrong = entries.flatMap(([name, part]) => {
    const type = shape.attributes[name]
    if (shape === OBJECTS['unmapped']) return []
    return type === undefined ? [`${path}.${name}: not in the schema`] : typed(part, type, `${path}.${name}`)
  })
  return [...missing, ...none, ...wrong]
}

function typed(value: unknown, type: string | readonly number[], path: string): readonly string[] {
  if (typeof type !== 'string')
    return type.some((each) => each === value) ? [] : [`${path}: ${String(value)} is not one of its enum`]
  const primitive = PRIMITIVES[type]
  if (primitive !== undefined) return primitive(value) ? [] : [`${path}: ${JSON.stringify(value)} is not a ${type}`]
  if (type.endsWith('[]')) {
    return Array.isArray(value)
      ? value.flatMap((each, i) => typed(each, type.slice(0, -2), `${path}[${i}]`))
      : [`${path}: not a list`]
  }
  return problems(value, OBJECTS[type] ?? { attributes: {} }, path)
}

/** What of the schema an event breaks. */
function broken(event: object): readonly string[] {
  const {
    class_uid: uid,
    category_uid: category,
    activity_id: id,
    type_uid: type,
  } = { ...event } as Readonly<Record<string, unknown>>
  const found = CLASSES[Number(uid)]
  if (found === undefined) return [`class ${String(uid)}`]
  const shape = {
    required: [...BASE.required, ...(found.required ?? [])],
    ...(found.oneOf === undefined ? {} : { oneOf: found.oneOf }),
    attributes: { ...BASE.attributes, ...found.attributes },
  }
  return [
    ...problems(event, shape, 'event'),
    ...(category === found.category ? [] : ['category_uid']),
    ...(found.activities.includes(Number(id)) ? [] : [`activity_id ${String(id)}`]),
    ...(type === Number(uid) * 100 + Number(id) ? [] : ['type_uid']),
  ]
}

const session: RecordedEvent['session'] = {
  id: 's1',
  identity: 'bot',
  onBehalfOf: 'ann',
  target: 'shop',
  protocol: 'postgres',
  startedAt: '2026-01-02T03:04:05.678Z',
  endedAt: null,
  statements: 2,
  denied: 1,
  outcome: null,
  kind: 'agent',
  groups: ['agents'],
  client: '127.0.0.1:5000',
  application: 'psql',
  node: 'n',
  bytes: 3,
}

const allowed = { kind: 'allow', rule: null, reason: null, reviewers: [], cause: null, masks: [], forwarded: null }
const denied = { ...allowed, kind: 'deny', rule: 'no', reason: 'Not so.', cause: 'rule' }
const masked = {
  ...allowed,
  kind: 'mask',
  rule: 'm',
  masks: [{ column: 'a.b.c', with: 'hash', rule: 'm' }],
  forwarded: 'select the-salt-and-all',
}

type StatementEvent = Extract<RecordedEvent, { kind: 'statement' }>

function statement(change: Partial<StatementEvent['statement']> = {}, of: Partial<RecordedEvent['session']> = {}): StatementEvent {
  const usual = {
    id: 1,
    at: '2026-01-02T03:04:06.000Z',
    kind: 'query',
    text: 'select 1',
    parameters: ['a', null],
    effects: [],
    ruling: allowed,
    rows: 1,
    bytes: 20,
    durationMs: 1.5,
    error: null,
  }
  return { kind: 'statement', cursor: '1/1/s1', session: { ...session, ...of }, statement: { ...usual, ...change } }
}

const effect = (access: string, verb: string, object: string, more: object = {}) => ({ access, verb, object, ...more })
const ssh = { protocol: 'ssh', target: 'web-1', client: '[::1]:5000' }
const http = { protocol: 'http', target: 'crm', client: '' }
const request = (method: string, path: string) => [effect('write', method.toLowerCase(), path, { request: { method, path } })]

const samples: readonly (readonly [string, RecordedEvent, number])[] = [
  ['a session that begins', { kind: 'began', cursor: '1/-1/s1', session, connectRuled: false }, 300_201],
  [
    'a session that ended',
    { kind: 'ended', cursor: '1/9/s1', session: { ...session, endedAt: '2026-01-02T04:00:00.000Z', outcome: 'client left' } },
    300_202,
  ],
  ['a connect', statement({ id: 0, kind: 'connect' }), 600_503],
  ['a read', statement({ effects: [effect('read', 'select', 'shop.orders')] }), 600_504],
  ['a read of two', statement({ effects: [effect('read', 'select', 'shop.a'), effect('read', 'select', 'shop.b')] }), 600_504],
  ['an insert', statement({ effects: [effect('write', 'insert', 'shop.a'), effect('read', 'select', 'shop.b')] }), 600_505],
  ['an update', statement({ effects: [effect('write', 'update', 'shop.a')] }), 600_502],
  ['a delete', statement({ effects: [effect('read', 'select', 'shop.a'), effect('write', 'delete', 'shop.a')] }), 600_507],
  ['a drop, denied', statement({ effects: [effect('schema', 'drop', 'shop.a')], ruling: denied, durationMs: null }), 600_599],
  ['a call', statement({ effects: [effect('unknown', 'call', 'shop.f')], ruling: { ...allowed, reviewers: ['ann'] } }), 600_599],
  ['a masked read', statement({ effects: [effect('read', 'select', 'a.b')], ruling: masked }), 600_504],
  ['BEGIN', statement({ text: 'begin' }), 600_599],
  ['one that failed', statement({ error: '42P01 no such table', rows: null, bytes: null }), 600_599],
  ['one under way', statement({ ruling: null, rows: null, bytes: null, durationMs: null }), 600_599],
  ['a MySQL statement', statement({ effects: [effect('read', 'select', 'shop.a')] }, { protocol: 'mysql' }), 600_504],
  ['a command', statement({ kind: 'command', text: 'uptime', effects: [effect('read', 'run', 'uptime')] }, ssh), 400_799],
  ['a file', statement({ kind: 'file', effects: [effect('read', 'read', '/etc/a', { file: '/etc/a' })] }, ssh), 400_799],
  ['an ssh connect', statement({ kind: 'connect' }, ssh), 400_701],
  ['an ssh connect, denied', statement({ kind: 'connect', ruling: denied }, ssh), 400_705],
  ['a tunnel', statement({ kind: 'tunnel', effects: [effect('admin', 'forward', 'h:1')] }, ssh), 400_799],
  ['a GET', statement({ kind: 'request', text: 'GET /v1/a?b=c', effects: request('GET', '/v1/a') }, http), 400_203],
  ['a POST', statement({ kind: 'request', text: 'POST /v1/a {}', effects: request('POST', '/v1/a') }, http), 400_206],
  ['a PROPFIND', statement({ kind: 'request', text: 'PROPFIND /', effects: request('PROPFIND', '/') }, http), 400_299],
  ['an http connect', statement({ kind: 'connect', text: 'connect to crm' }, http), 400_299],
]

describe('as OCSF', () => {
  it.each(samples)('%s keeps the schema', (_name, event, type) => {
    const made = ocsfEvent(event)
    expect(broken(made)).toEqual([])
    expect(made).toMatchObject({ type_uid: type })
  })

  it('gives each event an id of its own, and never the text that was forwarded', () => {
    const ids = samples.map(([, event]) => JSON.stringify(ocsfEvent(event)))
    expect(ids.join('')).not.toContain('the-salt')
    expect(ocsfEvent(statement())).toMatchObject({ metadata: { uid: 's1/1' }, unmapped: { cursor: '1/1/s1' } })
  })

  it('the check itself finds what is missing, misspelt and of a wrong type', () => {
    const good = ocsfEvent(statement())
    expect(broken({ ...good, actor: undefined })).toEqual(['event.actor: not an object'])
    expect(broken({ ...good, severity_id: 7, colour: 1, type_uid: 1 })).toHaveLength(3)
    const { src_endpoint: _, ...rest } = { ...good } as Readonly<Record<string, unknown>>
    expect(broken(rest)).toEqual(['event.src_endpoint: missing'])
  })
})

describe('as JSON lines', () => {
  it.each(samples)('%s has its type, place and session', (_name, event) => {
    const line = plainLine(event)
    expect(line).toMatchObject({ cursor: event.cursor, session: 's1', identity: 'bot' })
    expect(JSON.stringify(line)).not.toContain('the-salt')
  })

  it('a statement stands for itself', () => {
    expect(plainLine(statement({ ruling: masked }))).toEqual({
      type: 'statement',
      cursor: '1/1/s1',
      at: '2026-01-02T03:04:06.000Z',
      session: 's1',
      statement: 1,
      identity: 'bot',
      identityKind: 'agent',
      groups: ['agents'],
      onBehalfOf: 'ann',
      target: 'shop',
      protocol: 'postgres',
      client: '127.0.0.1:5000',
      application: 'psql',
      node: 'n',
      kind: 'query',
      text: 'select 1',
      parameters: ['a', null],
      effects: [],
      ruling: { kind: 'mask', rule: 'm', reason: null, reviewers: [], cause: null, masks: masked.masks },
      rows: 1,
      bytes: 20,
      durationMs: 1.5,
      error: null,
    })
  })
})
