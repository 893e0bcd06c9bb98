// What becomes of an answer's body: looked into where rules, lists of tools or models ask for it, unpacked for that, else left alone.

import type { Transform } from 'node:stream'
import { maskBody, Masker, Unmaskable } from '@sallyport/masking'
import type { AnswerParts } from './answer.js'
import { codingOf } from './codings.js'
import { without } from './headers.js'
import { field, mediaType } from './message.js'
import { watchModel } from './models.js'
import { problemOfDenial, Refused } from './refusal.js'
import { inTurn, rewriteJson } from './stages.js'
import type { Stage } from './stages.js'

export type AnswerFields = Record<string, string | string[]>

export interface Prepared {
  readonly stage: Stage
  readonly unpack: Transform | undefined
}

/** What would let a caller do without an answer, or ask for a part of one; a masked answer has no part. */
const conditional = new Set(['if-none-match', 'if-modified-since', 'if-range', 'range'])
/** They were made of the unmasked bytes. */
const ofTheOriginal = [
  'content-length',
  'etag',
  'last-modified',
  'content-md5',
  'digest',
  'content-digest',
  'repr-digest',
  'content-encoding',
  'x-goog-hash',
]

export class AnswerBody {
  readonly #parts: AnswerParts
  readonly #masks: boolean

  constructor(parts: AnswerParts) {
    this.#parts = parts
    this.#masks = parts.ruling.kind === 'mask'
  }

  /** The fields as the target gets them, where the answer must be one that can be looked into. */
  asking(headers: readonly string[]): string[] {
    if (!this.#looksInside()) return [...headers]
    const dropped = new Set(['accept-encoding', ...(this.#masks ? conditional : [])])
    return [...without(headers, dropped), 'accept-encoding', 'identity']
  }

  /** Whether a list of MCP tools may be in the answer. */
  get listsTools(): boolean {
    return this.#parts.understood.facts.calls.some((call) => call.method === 'tools/list') || this.#isRpcStream()
  }

  /** Puts the answer's fields right. Undefined: its body goes on as it is. Throws where it cannot be shown. */
  prepare(status: number, headers: AnswerFields): Prepared | undefined {
    if (!this.#looksInside()) return undefined
    const { exchange, ruling, statement } = this.#parts
    const empty = status === 204 || status === 304 || exchange.method === 'HEAD' || headers['content-length'] === '0'
    const encoding = text(headers['content-encoding'])
    const coding = codingOf(encoding)
    const stages = empty ? [] : this.#stages(text(headers['content-type']), coding === undefined)
    if (this.#masks) for (const name of ofTheOriginal) if (name !== 'content-length' || !empty) delete headers[name]
    if (stages === 'not-maskable') {
      const reason = `the answer is ${text(headers['content-type']) ?? 'of no stated type'}, which cannot be masked; the target has already done what was asked`
      throw new Refused(
        problemOfDenial({ kind: 'deny', cause: 'not-maskable', rule: ruling.rule, reason }, exchange.place.session.id, statement),
      )
    }
    if (this.#masks) headers['accept-ranges'] = 'none'
    const stage = inTurn(stages)
    if (stage === undefined) return undefined
    if (coding === undefined) throw new Unmaskable(`the answer is packed as ${encoding ?? ''}`)
    delete headers['content-encoding']
    delete headers['content-length']
    return { stage, unpack: coding.stream() }
  }

  #looksInside(): boolean {
    return this.#masks || this.#parts.understood.facts.calls.length > 0 || this.#isModel() || this.#isRpcStream()
  }

  #isModel(): boolean {
    return this.#parts.understood.effects.some((effect) => effect.verb === 'ask-model')
  }

  /** A stream of an MCP session may repeat what an earlier request was answered. */
  #isRpcStream(): boolean {
    const { fields, method } = this.#parts.exchange
    return method === 'GET' && field(fields, 'mcp-session-id') !== undefined
  }

  #stages(contentType: string | undefined, sealed: boolean): Stage[] | 'not-maskable' {
    const type = mediaType(contentType)
    const { exchange, ruling, record, tools } = this.#parts
    const { session } = exchange.place
    const stages: Stage[] = []
    const mark = (name: string, detail: string): void => record.mark(name, detail)
    if (this.listsTools) {
      const trouble = (reason: string): void => exchange.connection.gate.log('warn', 'what tools say cannot be kept', { reason })
      const stage = rewriteJson(type, tools.filter(session, 'POST', exchange.route.path, mark, trouble))
      if (stage !== undefined) stages.push(stage)
      else if (session.mayRule) return 'not-maskable'
    }
    if (ruling.kind === 'mask') {
      const masker = new Masker(ruling.masks, { hash: this.#parts.salt, token: `${this.#parts.salt} ${session.id}` })
      const stage = contentType === undefined ? emptyStage : maskBody(masker, contentType)
      if (stage === undefined) return 'not-maskable'
      stages.push(stage)
    }
    if (this.#isModel() && stages.length === 0 && sealed) return []
    if (this.#isModel()) stages.push(watchModel(type, (answer) => mark('model', JSON.stringify(answer))))
    return stages
  }
}

/** An answer that does not say what it is has to be empty. */
const emptyStage: Stage = {
  push: () => {
    throw new Unmaskable('the answer does not say what it is')
  },
  end: () => Buffer.alloc(0),
}

/** One value of a field that may have come several times. */
export function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}
