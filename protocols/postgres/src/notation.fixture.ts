// How transcripts write Postgres messages: a name and its arguments, as in the specification.

import type { Side } from '@sallyport/core'
import type { Notation } from '@sallyport/testkit'
import { errorResponse, fromClient, fromUpstream, int16, int32, message, writeFields } from './messages.js'
import type { Answer, Question } from './question.js'
import { PostgresWire } from './wire.js'

type Argument = string | number | null

const bare = (name: string): Buffer => Buffer.from(`${name}\0`, 'latin1')
const text = (value: Argument | undefined): string => String(value ?? '')
const values = (list: readonly Argument[]): Buffer[] =>
  list.flatMap((value) => (value === null ? [int32(-1)] : [int32(Buffer.byteLength(String(value))), Buffer.from(String(value))]))

const client: Readonly<Record<string, (args: Argument[]) => Buffer>> = {
  Query: ([sql]) => message(fromClient.query, text(sql)),
  Parse: ([name, sql, ...types]) =>
    message(fromClient.parse, bare(text(name)), text(sql), int16(types.length), ...types.map((type) => int32(Number(type)))),
  Bind: ([portal, name, ...bound]) =>
    message(fromClient.bind, bare(text(portal)), bare(text(name)), int16(0), int16(bound.length), ...values(bound), int16(0)),
  Describe: ([what, name]) => message(fromClient.describe, Buffer.from(text(what)), bare(text(name))),
  Execute: ([portal, rows]) => message(fromClient.execute, bare(text(portal)), int32(Number(rows ?? 0))),
  Close: ([what, name]) => message(fromClient.close, Buffer.from(text(what)), bare(text(name))),
  Sync: () => message(fromClient.sync),
  Flush: () => message(fromClient.flush),
  Terminate: () => message(fromClient.terminate),
  CopyData: ([data]) => message(fromClient.copyData, Buffer.from(text(data))),
  CopyDone: () => message(fromClient.copyDone),
  CopyFail: ([why]) => message(fromClient.copyFail, text(why)),
  FunctionCall: ([oid]) => message(fromClient.functionCall, int32(Number(oid)), int16(0), int16(0), int16(0)),
  Raw: ([hex]) => Buffer.from(text(hex), 'hex'),
}

const upstream: Readonly<Record<string, (args: Argument[]) => Buffer>> = {
  ParseComplete: () => message(fromUpstream.parseComplete),
  BindComplete: () => message(fromUpstream.bindComplete),
  CloseComplete: () => message(fromUpstream.closeComplete),
  NoData: () => message(fromUpstream.noData),
  EmptyQuery: () => message(fromUpstream.emptyQuery),
  PortalSuspended: () => message(fromUpstream.portalSuspended),
  ParameterDescription: (types) =>
    message(fromUpstream.parameterDescription, int16(types.length), ...types.map((type) => int32(Number(type)))),
  RowDescription: (names) =>
    message(
      fromUpstream.rowDescription,
      int16(names.length),
      ...names.flatMap((name) => {
        const [column = '', origin = '0.0'] = text(name).split('@')
        const [table = '0', attribute = '0'] = origin.split('.')
        return [
          Buffer.from(`${column}\0`),
          int32(Number(table)),
          int16(Number(attribute)),
          int32(25),
          int16(-1 & 0xffff),
          int32(-1),
          int16(0),
        ]
      }),
    ),
  DataRow: (cells) => message(fromUpstream.dataRow, int16(cells.length), ...values(cells)),
  CommandComplete: ([tag]) => message(fromUpstream.commandComplete, text(tag)),
  ReadyForQuery: ([status]) => message(fromUpstream.readyForQuery, Buffer.from(text(status))),
  ErrorResponse: ([code, words, detail]) =>
    writeFields(fromUpstream.error, {
      S: 'ERROR',
      V: 'ERROR',
      C: text(code),
      M: text(words),
      ...(detail === undefined ? {} : { D: text(detail) }),
    }),
  Denial: ([statement]) => errorResponse(denialWords(Number(statement))),
  NoticeResponse: ([words]) => writeFields(fromUpstream.notice, { S: 'NOTICE', V: 'NOTICE', C: '00000', M: text(words) }),
  ParameterStatus: ([name, value]) => message(fromUpstream.parameterStatus, text(name), text(value)),
  CopyInResponse: () => message(fromUpstream.copyIn, Buffer.from([0]), int16(0)),
  CopyOutResponse: () => message(fromUpstream.copyOut, Buffer.from([0]), int16(0)),
  CopyData: ([data]) => message(fromUpstream.copyData, Buffer.from(text(data))),
  CopyDone: () => message(fromUpstream.copyDone),
}

const denialWords = (statement: number): Answer['words'] & {} => ({
  severity: 'ERROR',
  code: '42501',
  message: 'denied',
  detail: `statement ${statement}`,
})

function encode(from: Side, _to: Side, line: string): Buffer {
  const [, name = '', rest = ''] = /^(\w+)\s*(.*)$/.exec(line) ?? []
  const make = (from === 'client' ? client : upstream)[name]
  if (make === undefined) throw new Error(`no message ${name} from ${from}`)
  return make(JSON.parse(`[${rest}]`) as Argument[])
}

function printQuestion(question: Question): string {
  switch (question.form) {
    case 'query':
    case 'parse':
      return `${question.form} ${JSON.stringify(question.sql.text)}`
    case 'execute':
      return `execute ${JSON.stringify(question.definition?.sql.text ?? null)} [${question.values.map((value) => value?.toString() ?? 'NULL').join(', ')}]`
    case 'fetch':
      return `fetch ${question.portal}`
    case 'function-call':
      return 'function-call'
    case 'rows':
      return `rows ${question.statement} ${question.rows}`
  }
}

/** `allow`, `deny`, `rewrite "text"`, `copy`, `upto N`, `forbid OID.N`, `cover`, `cover-details`. */
function answer(words: string, statement: number): Answer {
  const [kind = '', argument = ''] = words.split(/ (.*)/s)
  const allowed: Answer = {
    statement,
    ruling: { kind: 'allow', rule: null },
    cover: 'nothing',
    forbiddenOrigins: [],
    mayCopyIn: false,
    masksKey: '',
  }
  switch (kind) {
    case 'allow':
      return allowed
    case 'deny':
      return { ...allowed, ruling: { kind: 'deny', cause: 'rule', rule: 'r', reason: 'no' }, words: denialWords(statement) }
    case 'rewrite':
      return { ...allowed, text: JSON.parse(argument) as string }
    case 'copy':
      return { ...allowed, mayCopyIn: true }
    case 'upto':
      return { ...allowed, ruling: { kind: 'allow', rule: null, rowsUpTo: Number(argument) } }
    case 'forbid':
      return { ...allowed, forbiddenOrigins: [argument] }
    case 'cover':
      return { ...allowed, cover: 'everything' }
    case 'cover-details':
      return { ...allowed, cover: 'details' }
    default:
      throw new Error(`no answer ${words}`)
  }
}

export const notation: Notation<Question, Answer> = { wire: () => new PostgresWire(), encode, printQuestion, answer }
