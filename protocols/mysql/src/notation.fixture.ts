// How transcripts write MySQL packets: a name and its arguments, as in the specification. The first argument of most is the packet's number.

import type { Side } from '@sallyport/core'
import type { Notation } from '@sallyport/testkit'
import { command, errorPayload, lenenc, lenencText, packets, uint } from './packets.js'
import type { Answer, Question } from './question.js'
import { MysqlWire } from './wire.js'

type Argument = string | number | null
type Make = (args: Argument[]) => Buffer

const text = (value: Argument | undefined): string => String(value ?? '')
const number = (value: Argument | undefined): number => Number(value ?? 0)
const bytes = (...values: number[]): Buffer => Buffer.from(values)
const cell = (value: Argument): Buffer => (value === null ? bytes(0xfb) : lenencText(String(value)))

const execution = (id: Argument | undefined, cursor: number): Buffer =>
  Buffer.concat([bytes(command.stmtExecute), uint(number(id) >>> 0, 4), bytes(cursor), uint(1, 4)])

const commands: Readonly<Record<string, Make>> = {
  Query: ([sql]) => packets(0, Buffer.concat([bytes(command.query), Buffer.from(text(sql))])),
  Prepare: ([sql]) => packets(0, Buffer.concat([bytes(command.stmtPrepare), Buffer.from(text(sql))])),
  /** One string for each value. */
  Execute: ([id, ...values]) => {
    const head = execution(id, 0)
    if (values.length === 0) return packets(0, head)
    const nulls = Buffer.alloc((values.length + 7) >> 3)
    for (const [index, value] of values.entries())
      if (value === null) nulls.writeUInt8(nulls.readUInt8(index >> 3) | (1 << (index & 7)), index >> 3)
    const types = Buffer.concat(values.map(() => bytes(0xfd, 0)))
    const sent = values.filter((value) => value !== null && value !== 'LONG').map((value) => lenencText(String(value)))
    return packets(0, Buffer.concat([head, nulls, bytes(1), types, ...sent]))
  },
  ExecuteWithCursor: ([id]) => packets(0, execution(id, 1)),
  LongData: ([id, parameter, value]) =>
    packets(
      0,
      Buffer.concat([
        bytes(command.stmtSendLongData),
        uint(number(id) >>> 0, 4),
        uint(number(parameter), 2),
        Buffer.from(text(value)),
      ]),
    ),
  Fetch: ([id, rows]) => packets(0, Buffer.concat([bytes(command.stmtFetch), uint(number(id) >>> 0, 4), uint(number(rows), 4)])),
  CloseStatement: ([id]) => packets(0, Buffer.concat([bytes(command.stmtClose), uint(number(id) >>> 0, 4)])),
  ResetStatement: ([id]) => packets(0, Buffer.concat([bytes(command.stmtReset), uint(number(id) >>> 0, 4)])),
  InitDb: ([name]) => packets(0, Buffer.concat([bytes(command.initDb), Buffer.from(text(name))])),
  Ping: () => packets(0, bytes(command.ping)),
  Statistics: () => packets(0, bytes(command.statistics)),
  Reset: () => packets(0, bytes(command.resetConnection)),
  Quit: () => packets(0, bytes(command.quit)),
  Command: ([code]) => packets(0, bytes(number(code))),
  Raw: ([hex]) => Buffer.from(text(hex), 'hex'),
}

const responses: Readonly<Record<string, Make>> = {
  Ok: ([at, affected, status]) =>
    packets(number(at), Buffer.concat([bytes(0), lenenc(number(affected)), lenenc(0), uint(number(status ?? 2), 2), uint(0, 2)])),
  /** The OK that ends rows. */
  End: ([at, status]) =>
    packets(number(at), Buffer.concat([bytes(0xfe), lenenc(0), lenenc(0), uint(number(status ?? 2), 2), uint(0, 2)])),
  Error: ([at, code, message]) => packets(number(at), errorPayload({ code: number(code), state: 'HY000', message: text(message) })),
  Denied: ([at, statement]) => packets(number(at), errorPayload(words(number(statement)))),
  Count: ([at, columns]) => packets(number(at), lenenc(number(columns))),
  /** `schema.table.column`, or a name alone. */
  Column: ([at, name]) => {
    const [schema = '', table = '', column = text(name)] = text(name).includes('.') ? text(name).split('.') : []
    const names = ['def', schema, table, table, column, column].map(lenencText)
    return packets(
      number(at),
      Buffer.concat([...names, lenenc(12), uint(45, 2), uint(80, 4), bytes(0xfd), uint(0, 2), bytes(0), uint(0, 2)]),
    )
  },
  Row: ([at, ...cells]) => packets(number(at), Buffer.concat(cells.map(cell))),
  BinaryRow: ([at, ...cells]) =>
    packets(
      number(at),
      Buffer.concat([bytes(0), Buffer.alloc((cells.length + 9) >> 3), ...cells.map((each) => lenencText(text(each)))]),
    ),
  Prepared: ([at, id, columns, parameters]) =>
    packets(
      number(at),
      Buffer.concat([bytes(0), uint(number(id) >>> 0, 4), uint(number(columns), 2), uint(number(parameters), 2), bytes(0, 0, 0)]),
    ),
  File: ([at, name]) => packets(number(at), Buffer.concat([bytes(0xfb), Buffer.from(text(name))])),
  Text: ([at, said]) => packets(number(at), Buffer.from(text(said))),
  Raw: ([hex]) => Buffer.from(text(hex), 'hex'),
}

const words = (statement: number): Answer['words'] & {} => ({ code: 1227, state: '42000', message: `denied ${statement}` })

function encode(from: Side, _to: Side, line: string): Buffer {
  const [, name = '', rest = ''] = /^(\w+)\s*(.*)$/.exec(line) ?? []
  const make = (from === 'client' ? commands : responses)[name]
  if (make === undefined) throw new Error(`no packet ${name} from ${from}`)
  return make(JSON.parse(`[${rest}]`) as Argument[])
}

function printQuestion(question: Question): string {
  switch (question.form) {
    case 'query':
    case 'prepare':
      return `${question.form} ${JSON.stringify(question.sql.toString())}`
    case 'execute':
      return `execute ${JSON.stringify(question.definition.sql.toString())} [${question.values.map((value) => value ?? 'NULL').join(', ')}]`
    case 'init-db':
      return `init-db ${question.name}`
    case 'command':
      return `command ${question.name}`
    case 'rows':
      return `rows ${question.statement} ${question.rows}`
  }
}

/** `allow`, `deny`, `rewrite "text"`, `upto N`, `forbid schema.table.column`, `cover`, `unsettle`, `done`. */
function answer(said: string, statement: number): Answer {
  const [kind = '', argument = ''] = said.split(/ (.*)/s)
  const allowed: Answer = {
    statement,
    ruling: { kind: 'allow', rule: null },
    covers: false,
    forbiddenOrigins: [],
    masksKey: '',
    unsettles: false,
    database: 'shop',
  }
  switch (kind) {
    case 'allow':
      return allowed
    case 'deny':
      return { ...allowed, ruling: { kind: 'deny', cause: 'rule', rule: 'r', reason: 'no' }, words: words(statement) }
    case 'rewrite':
      return { ...allowed, text: Buffer.from(JSON.parse(argument) as string) }
    case 'upto':
      return { ...allowed, ruling: { kind: 'allow', rule: null, rowsUpTo: Number(argument) } }
    case 'forbid':
      return { ...allowed, forbiddenOrigins: [argument] }
    case 'cover':
      return { ...allowed, covers: true }
    case 'unsettle':
      return { ...allowed, unsettles: true }
    case 'done':
      return { ...allowed, done: true }
    default:
      throw new Error(`no answer ${said}`)
  }
}

export const notation: Notation<Question, Answer> = {
  wire: () => new MysqlWire({ deprecateEof: true, pins: { afresh: 'SET PINS', kept: 'KEEP PINS' }, database: () => 'shop' }),
  encode,
  printQuestion,
  answer,
}
