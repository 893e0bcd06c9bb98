// What a model answered, as structure: its name, why it stopped, its tokens and the tools it wants called. Anthropic's Messages, OpenAI's
// Chat Completions and Responses and Ollama's answers, whole, as events or as lines. Only read, never changed.

import { isJsonLines, JsonLines, SseEvents, Unmaskable } from '@sallyport/masking'
import { wholeText } from './stages.js'
import type { Stage } from './stages.js'

export interface ModelAnswer {
  readonly id?: string
  readonly model?: string
  readonly stop?: string
  readonly inputTokens?: number
  readonly outputTokens?: number
  readonly toolCalls: readonly { readonly id: string; readonly name: string; readonly arguments: string }[]
}

type Json = Readonly<Record<string, unknown>>

const maxToolCalls = 256
const maxArgumentCharacters = 64 * 1024

/** Passes the answer through and tells at its end what it said. */
export function watchModel(mediaType: string, told: (answer: ModelAnswer) => void): Stage {
  const reader = new AnswerReader()
  const parts = partsOf(mediaType, (data) => {
    read(reader, data)
    return data
  })
  let lost = false
  // What it could not follow is not told; the answer goes on as it is.
  const follow = (step: () => unknown): void => {
    if (lost) return
    try {
      step()
    } catch (error) {
      if (!(error instanceof Unmaskable)) throw error
      lost = true
    }
  }
  return {
    push: (chunk) => {
      follow(() => parts.push(chunk))
      return chunk
    },
    end: () => {
      follow(() => parts.end())
      told(reader.answer())
      return Buffer.alloc(0)
    },
  }
}

function partsOf(mediaType: string, map: (data: string) => string): Stage {
  if (mediaType === 'text/event-stream') return new SseEvents(map)
  if (isJsonLines(mediaType)) return new JsonLines(map)
  return wholeText(map)
}

function read(reader: AnswerReader, data: string): void {
  let json: unknown
  try {
    json = JSON.parse(data)
  } catch {
    // Not every event is JSON: OpenAI's last is `[DONE]`.
    return
  }
  if (isJson(json)) reader.read(json)
}

class AnswerReader {
  #facts: { id?: string; model?: string; stop?: string; inputTokens?: number; outputTokens?: number } = {}
  readonly #calls = new Map<string, { id: string; name: string; arguments: string }>()

  answer(): ModelAnswer {
    return { ...this.#facts, toolCalls: [...this.#calls.values()] }
  }

  read(json: Json): void {
    const message = isJson(json['message']) ? json['message'] : isJson(json['response']) ? json['response'] : json
    this.#common(message)
    this.#usage(json['usage'])
    this.#usage(message['usage'])
    this.#anthropic(json, message)
    this.#chat(json)
    this.#responses(json, message)
    this.#ollama(json, message)
  }

  #common(message: Json): void {
    const { id, model, stop_reason: stop } = message
    if (typeof id === 'string' && this.#facts.id === undefined) this.#facts.id = id
    if (typeof model === 'string') this.#facts.model = model
    if (typeof stop === 'string') this.#facts.stop = stop
  }

  #usage(usage: unknown): void {
    if (!isJson(usage)) return
    const input = usage['input_tokens'] ?? usage['prompt_tokens']
    const output = usage['output_tokens'] ?? usage['completion_tokens']
    if (typeof input === 'number') this.#facts.inputTokens = input
    if (typeof output === 'number') this.#facts.outputTokens = output
  }

  #anthropic(json: Json, message: Json): void {
    for (const [index, block] of listOf(message['content']).entries()) {
      if (block['type'] === 'tool_use') this.#call(`a${index}`, block['id'], block['name'], JSON.stringify(block['input'] ?? {}))
    }
    const key = `a${numbered(json['index'])}`
    if (json['type'] === 'content_block_start' && isJson(json['content_block']) && json['content_block']['type'] === 'tool_use') {
      this.#call(key, json['content_block']['id'], json['content_block']['name'], '')
    }
    if (!isJson(json['delta'])) return
    const { partial_json: partial, stop_reason: stop } = json['delta']
    if (typeof partial === 'string') this.#call(key, undefined, undefined, partial)
    if (typeof stop === 'string') this.#facts.stop = stop
  }

  #chat(json: Json): void {
    for (const choice of listOf(json['choices'])) {
      if (typeof choice['finish_reason'] === 'string') this.#facts.stop = choice['finish_reason']
      const said = isJson(choice['delta']) ? choice['delta'] : isJson(choice['message']) ? choice['message'] : {}
      for (const [index, call] of listOf(said['tool_calls']).entries()) {
        const made = isJson(call['function']) ? call['function'] : {}
        this.#call(
          `c${numbered(choice['index'])}.${numbered(call['index'] ?? index)}`,
          call['id'],
          made['name'],
          typeof made['arguments'] === 'string' ? made['arguments'] : '',
        )
      }
    }
  }

  #responses(json: Json, message: Json): void {
    const added = json['type'] === 'response.output_item.done' && isJson(json['item']) ? [json['item']] : []
    for (const item of [...listOf(message['output']), ...added]) {
      if (item['type'] !== 'function_call') continue
      const key = `r${idOf(item['call_id'])}`
      if (!this.#calls.has(key))
        this.#call(key, item['call_id'], item['name'], typeof item['arguments'] === 'string' ? item['arguments'] : '')
    }
    if (typeof message['status'] === 'string' && message['object'] === 'response') this.#facts.stop = message['status']
  }

  /** https://docs.ollama.com/api: the last line says so, and has the counts. A call comes whole. */
  #ollama(json: Json, message: Json): void {
    if (typeof json['done'] !== 'boolean') return
    const { model, done_reason: stop, prompt_eval_count: input, eval_count: output } = json
    if (typeof model === 'string') this.#facts.model = model
    if (typeof stop === 'string') this.#facts.stop = stop
    if (typeof input === 'number') this.#facts.inputTokens = input
    if (typeof output === 'number') this.#facts.outputTokens = output
    for (const call of listOf(message['tool_calls'])) {
      const made = isJson(call['function']) ? call['function'] : {}
      this.#call(`o${this.#calls.size}`, call['id'], made['name'], JSON.stringify(made['arguments'] ?? {}))
    }
  }

  #call(key: string, id: unknown, name: unknown, more: string): void {
    const known = this.#calls.get(key)
    if (known === undefined && this.#calls.size >= maxToolCalls) return
    const call = known ?? { id: '', name: '', arguments: '' }
    if (typeof id === 'string' && id !== '') call.id = id
    if (typeof name === 'string' && name !== '') call.name = name
    if (call.arguments.length + more.length <= maxArgumentCharacters) call.arguments += more
    this.#calls.set(key, call)
  }
}

function isJson(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function listOf(value: unknown): readonly Json[] {
  return Array.isArray(value) ? (value as readonly unknown[]).filter(isJson) : []
}

const numbered = (value: unknown): string => (typeof value === 'number' ? String(value) : '')
const idOf = (value: unknown): string => (typeof value === 'string' ? value : '')
