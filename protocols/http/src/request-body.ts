// A request's body: read before it goes on where rules may look into it and it is short enough, else passed on as it comes.

import { Malformed } from '@sallyport/core'
import type { Session } from '@sallyport/core'
import { uploadStallMs } from './limits.js'
import { field } from './message.js'
import type { Fields, Request } from './message.js'
import type { ExchangeRecord } from './record.js'
import { badRequest } from './refusal.js'
import type { SeenBody } from './understand.js'

export interface Body {
  /** What rules see of it. */
  readonly seen: SeenBody
  /** Bytes read ahead of what still comes. */
  readonly early: readonly Buffer[]
}

function hasBody(request: Request, fields: Fields): boolean {
  if ('authority' in request) return !request.stream.endAfterHeaders
  const length = field(fields, 'content-length')
  return field(fields, 'transfer-encoding') !== undefined || (length !== undefined && length !== '0')
}

/** Reads at most `limit` bytes; a longer body stays unseen. `goOn` asks the caller for its body (RFC 9110, section 10.1.1). */
export async function readAhead(request: Request, fields: Fields, limit: number, goOn: () => void): Promise<Body> {
  if (!hasBody(request, fields)) return { seen: 'absent', early: [] }
  const announced = Number(field(fields, 'content-length') ?? 0)
  if (limit === 0 || announced > limit) return { seen: 'unseen', early: [] }
  goOn()
  const early: Buffer[] = []
  let size = 0
  for (;;) {
    const chunk = await nextChunk(request)
    if (chunk === undefined) break
    early.push(chunk)
    size += chunk.length
    if (size > limit) return { seen: 'unseen', early }
  }
  const whole = early.length === 1 ? (early[0] as Buffer) : Buffer.concat(early)
  return { seen: whole, early: [whole] }
}

/** The rest of an upload, each piece recorded before it goes on, and no faster than the target takes it. */
export async function* passedOn(request: Request, body: Body, session: Session, record: ExchangeRecord): AsyncGenerator<Buffer> {
  let from = 0
  for (;;) {
    const chunk = from < body.early.length ? body.early[from] : await nextChunk(request)
    from += 1
    if (chunk === undefined) break
    record.body('client', chunk)
    const settled = session.settled()
    if (settled instanceof Promise) await settled
    yield chunk
  }
  record.ended('client')
}

/** The next piece; undefined at the end. */
function nextChunk(request: Request): Promise<Buffer | undefined> {
  const chunk = request.read() as Buffer | null
  if (chunk !== null) return Promise.resolve(chunk)
  // A stream of HTTP/2 that was reset ends, too.
  if (request.aborted || (request.destroyed && !request.readableEnded)) return Promise.reject(gone())
  if (request.readableEnded) return Promise.resolve(undefined)
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => (): void => {
      clearTimeout(late)
      request.off('readable', ready).off('end', ended).off('error', broken).off('close', broken).off('aborted', broken)
      act()
    }
    const ready = (): void => {
      const next = request.read() as Buffer | null
      if (next !== null) settle(() => resolve(next))()
    }
    const ended = settle(() => (request.aborted ? reject(gone()) : resolve(undefined)))
    const broken = settle(() => reject(gone()))
    const late = setTimeout(
      settle(() => reject(badRequest('upload-stalled', 'the request body stopped coming', 408))),
      uploadStallMs,
    )
    request.on('readable', ready).on('end', ended).on('error', broken).on('close', broken).on('aborted', broken)
  })
}

const gone = (): Malformed => new Malformed('client', 'connection-closed', 'the caller went away in the middle of its request')

const mostDrained = 256 * 1024

/** Whether so much of the body is still to come that the connection is cut rather than all of it read; HTTP/2 cuts the stream alone. */
export function tooMuchLeft(request: Request, fields: Fields): boolean {
  if ('authority' in request || request.complete) return false
  const length = field(fields, 'content-length')
  return length === undefined ? field(fields, 'transfer-encoding') !== undefined : Number(length) > mostDrained
}

/** What is left of a body that nobody wants, so that the connection can be used again; cut where it is long. */
export function drain(request: Request): void {
  let left = mostDrained
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left >= 0) return
    request.pause()
    // The answer is on its way; whoever still sends has a moment to see it.
    setTimeout(() => request.destroy(), 1_000).unref()
  })
  request.on('error', () => {})
}
