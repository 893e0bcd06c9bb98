// What a statement is among OCSF's classes: which activity, and the objects its class asks for.

import type { RecordedStatement, SessionSummary } from '@sallyport/core'

export interface Activity {
  readonly classification: Classification
  readonly activity: Named
  readonly details: object
}

interface Classification {
  readonly category_uid: number
  readonly category_name: string
  readonly class_uid: number
  readonly class_name: string
}

interface Named {
  readonly id: number
  readonly name: string
}

const DATASTORE: Classification = {
  category_uid: 6,
  category_name: 'Application Activity',
  class_uid: 6005,
  class_name: 'Datastore Activity',
}
const SSH: Classification = { category_uid: 4, category_name: 'Network Activity', class_uid: 4007, class_name: 'SSH Activity' }
const HTTP: Classification = { category_uid: 4, category_name: 'Network Activity', class_uid: 4002, class_name: 'HTTP Activity' }

const other = (name: string): Named => ({ id: 99, name })

/** As the record has them: written by this house, whatever their version. */
interface Effect {
  readonly access?: string
  readonly verb?: string
  readonly object?: string
  readonly file?: string
  readonly request?: { readonly method?: string; readonly path?: string }
}

export function datastoreActivity({ id, target, protocol }: SessionSummary, statement: RecordedStatement): Activity {
  const effects: readonly Effect[] = statement.effects
  const objects = [
    ...new Set(effects.flatMap(({ object, verb }) => (object === undefined || object === '' || verb === 'call' ? [] : [object]))),
  ]
  const [table] = objects
  return {
    classification: DATASTORE,
    activity: statement.kind === 'connect' ? { id: 3, name: 'Connect' } : gravest(effects),
    details: {
      // Relational, both of them.
      database: { name: target, type_id: 1, type: protocol },
      query_info: {
        uid: `${id}/${statement.id}`,
        query_string: statement.text,
        ...(statement.bytes === null ? {} : { bytes: statement.bytes }),
      },
      ...(table !== undefined && objects.length === 1
        ? { table: { name: table }, type_id: 3, type: 'Table' }
        : { type_id: 1, type: 'Database' }),
    },
  }
}

const CHANGES: readonly (readonly [readonly string[], Named])[] = [
  [['delete', 'truncate'], { id: 7, name: 'Delete' }],
  [['update', 'merge'], { id: 2, name: 'Update' }],
]

/** One statement may do several things, and has one activity: what changes most. */
function gravest(effects: readonly Effect[]): Named {
  const accesses = new Set(effects.map(({ access }) => access))
  if (accesses.has('unknown')) return other('Unknown')
  if (accesses.has('admin')) return other('Administration')
  if (accesses.has('schema')) return other('Schema change')
  const verbs = new Set(effects.filter(({ access }) => access === 'write').map(({ verb }) => verb ?? ''))
  const change = CHANGES.find(([names]) => names.some((name) => verbs.has(name)))
  if (change !== undefined) return change[1]
  if (verbs.size > 0) return { id: 5, name: 'Write' }
  return accesses.has('read') ? { id: 4, name: 'Query' } : other('Session')
}

const SSH_KINDS: Readonly<Record<string, string>> = { command: 'Command', shell: 'Shell', file: 'File', tunnel: 'Tunnel' }

export function sshActivity(statement: RecordedStatement): Activity {
  const { kind, ruling } = statement
  const file = statement.effects.find((effect) => effect.file !== undefined)?.file
  const connect = ruling?.kind === 'deny' ? { id: 5, name: 'Refuse' } : { id: 1, name: 'Open' }
  return {
    classification: SSH,
    activity: kind === 'connect' ? connect : other(SSH_KINDS[kind] ?? kind),
    details: file === undefined ? {} : { file: { name: file.split('/').at(-1) || file, path: file, type_id: 0, type: 'Unknown' } },
  }
}

const METHODS: Readonly<Record<string, number>> = {
  CONNECT: 1,
  DELETE: 2,
  GET: 3,
  HEAD: 4,
  OPTIONS: 5,
  POST: 6,
  PUT: 7,
  TRACE: 8,
  PATCH: 9,
}

export function httpActivity({ target, application }: SessionSummary, statement: RecordedStatement): Activity {
  const request = statement.effects.find((effect) => effect.request !== undefined)?.request
  const [, method = request?.method ?? '', path = request?.path ?? '/'] = /^([A-Z]{1,32}) (\S+)/.exec(statement.text) ?? []
  const id = statement.kind === 'connect' ? undefined : METHODS[method]
  const name = method.charAt(0) + method.slice(1).toLowerCase()
  const bare = path.split('?')[0] ?? path
  return {
    classification: HTTP,
    activity:
      statement.kind === 'connect' ? other('Session') : id === undefined ? other(name === '' ? 'Request' : name) : { id, name },
    details: {
      http_request: {
        uid: String(statement.id),
        ...(method === '' ? {} : { http_method: method }),
        url: { url_string: `http://${target}${path.startsWith('/') ? '' : '/'}${path}`, hostname: target, path: bare },
        ...(application === null ? {} : { user_agent: application }),
      },
    },
  }
}
