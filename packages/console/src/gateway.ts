// How the page talks to its gateway: the cookie goes along by itself, a header says that this is the console and no other page.

import { LineReader } from './line-reader.js'

export class Refused extends Error {
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, detail: string) {
    super(detail)
    this.status = status
    this.code = code
  }
}

export interface Gateway {
  /** Throws Refused with the gateway's own words, or an Error where it cannot be reached. */
  call<T>(method: 'GET' | 'POST', path: string, options?: { readonly body?: unknown; readonly signal?: AbortSignal }): Promise<T>
  /** An answer that comes line by line; what is not read yet waits at the gateway. */
  lines<T>(path: string, signal: AbortSignal): AsyncGenerator<T>
  /** A whole answer, to be saved. */
  file(path: string): Promise<Blob>
  /** Milliseconds since the Unix epoch, by the gateway's clock. */
  now(): number
}

/** `onSignedOut`: the cookie is worth nothing (any more). */
export function createGateway(onSignedOut: () => void): Gateway {
  let aheadMs = 0
  const send = async (method: string, path: string, body: unknown, signal: AbortSignal | undefined): Promise<Response> => {
    const response = await reached(() =>
      fetch(`/api/v1${path}`, {
        method,
        headers: { 'sallyport-console': '1', ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        credentials: 'same-origin',
        cache: 'no-store',
        redirect: 'error',
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal === undefined ? {} : { signal }),
      }),
    )
    const date = Date.parse(response.headers.get('date') ?? '')
    // The header has whole seconds; a smaller difference is none.
    if (!Number.isNaN(date)) aheadMs = Math.abs(date - Date.now()) < 2000 ? 0 : date - Date.now()
    if (response.ok) return response
    const refused = await refusalOf(response)
    if (refused.status === 401) onSignedOut()
    throw refused
  }
  return {
    call: async <T>(
      method: 'GET' | 'POST',
      path: string,
      options: { readonly body?: unknown; readonly signal?: AbortSignal } = {},
    ) => {
      const response = await send(method, path, options.body, options.signal)
      const answer: T = await response.json()
      return answer
    },
    lines: async function* <T>(path: string, signal: AbortSignal) {
      const response = await send('GET', path, undefined, signal)
      for await (const line of linesOf(response)) {
        const value: T & { readonly problem?: { readonly status: number; readonly code: string; readonly detail: string } } =
          JSON.parse(line)
        if (value.problem === undefined) yield value
        else {
          if (value.problem.status === 401) onSignedOut()
          throw new Refused(value.problem.status, value.problem.code, value.problem.detail)
        }
      }
    },
    file: async (path) => wholeOf(await send('GET', path, undefined, undefined)),
    now: () => Date.now() + aheadMs,
  }
}

/** What a page may hold at once. */
const MAX_FILE_BYTES = 256 * 1024 * 1024

async function wholeOf(response: Response): Promise<Blob> {
  const pieces: Uint8Array<ArrayBuffer>[] = []
  if (response.body === null) return new Blob(pieces)
  const reader = response.body.getReader()
  let sizeBytes = 0
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return new Blob(pieces)
    sizeBytes += value.length
    if (sizeBytes > MAX_FILE_BYTES) {
      await reader.cancel().catch(() => undefined)
      throw new Error('This is too long for a page; `sallyport export` and `sallyport replay` write it to a file.')
    }
    pieces.push(value)
  }
}

async function reached(act: () => Promise<Response>): Promise<Response> {
  try {
    return await act()
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new Error('The gateway does not answer.', { cause: error })
  }
}

async function refusalOf(response: Response): Promise<Refused> {
  const usual = new Refused(response.status, 'refused', `The gateway answered ${response.status}.`)
  try {
    const problem: { readonly code?: unknown; readonly detail?: unknown } = await response.json()
    if (typeof problem.code !== 'string' || typeof problem.detail !== 'string') return usual
    return new Refused(response.status, problem.code, problem.detail)
  } catch {
    return usual
  }
}

async function* linesOf(response: Response): AsyncGenerator<string> {
  if (response.body === null) return
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  const cutter = new LineReader()
  try {
    for (;;) {
      const { value, done } = await reader.read()
      if (done) return
      yield* cutter.push(value)
    }
  } finally {
    // Where the page stops reading before the end, the gateway is told by the closed connection.
    await reader.cancel().catch(() => undefined)
  }
}

/** What to tell of something that went wrong; undefined for what was only interrupted. */
export function toldOf(error: unknown): string | undefined {
  if (error instanceof DOMException && error.name === 'AbortError') return undefined
  return error instanceof Error ? sentence(error.message) : 'Something went wrong.'
}

function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1)
  return /[.!?]$/.test(whole) ? whole : `${whole}.`
}
