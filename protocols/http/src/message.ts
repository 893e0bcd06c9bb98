// A request and its reply, whichever version of HTTP they came by.

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse, ServerHttp2Stream } from 'node:http2'
import type { Writable } from 'node:stream'

export type Request = IncomingMessage | Http2ServerRequest

/** What is used of ServerResponse and Http2ServerResponse alike. */
export interface Reply {
  readonly headersSent: boolean
  readonly writableEnded: boolean
  /** Of HTTP/2: it knows what its Http2ServerResponse does not. */
  readonly stream?: ServerHttp2Stream
  writeHead(status: number, headers: Readonly<Record<string, string | readonly string[]>>): unknown
  flushHeaders(): void
  write(chunk: Uint8Array): boolean
  end(chunk?: Uint8Array): unknown
  addTrailers(trailers: Record<string, string>): void
  destroy(error?: Error): unknown
  once(event: 'close', listener: () => void): unknown
  on(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

/** The two classes of Node have one interface in all that is used here, but not one type. */
export function replyOf(response: ServerResponse | Http2ServerResponse): Reply {
  return response as unknown as Reply
}

/** Nobody is there to be answered any more. */
export function isGone(reply: Reply): boolean {
  return writableOf(reply).destroyed
}

/** More must wait for its `drain`. */
export function isFull(reply: Reply): boolean {
  return writableOf(reply).writableNeedDrain
}

function writableOf(reply: Reply): Pick<Writable, 'destroyed' | 'writableNeedDrain'> {
  return reply.stream ?? (reply as Reply & Writable)
}

export type Fields = readonly (readonly [name: string, value: string])[]

/** Fields in their order, names in lower case, without the pseudo-fields of HTTP/2. */
export function fieldsOf(request: Request): Fields {
  const { rawHeaders } = request
  const fields: [string, string][] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase()
    if (!name.startsWith(':')) fields.push([name, rawHeaders[index + 1] as string])
  }
  return fields
}

export function field(fields: Fields, name: string): string | undefined {
  return fields.find(([known]) => known === name)?.[1]
}

export function allOf(fields: Fields, name: string): readonly string[] {
  return fields.filter(([known]) => known === name).map(([, value]) => value)
}

/** The elements of a list field (RFC 9110, section 5.6.1), in lower case. */
export function listed(fields: Fields, name: string): readonly string[] {
  return allOf(fields, name)
    .flatMap((value) => value.split(','))
    .map((element) => element.trim().toLowerCase())
    .filter((element) => element !== '')
}

/** `text/html` of `Text/HTML; charset=utf-8`. */
export function mediaType(value: string | undefined): string {
  return (value ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
}
