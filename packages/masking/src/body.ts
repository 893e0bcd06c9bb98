// Which mask fits which kind of answer. None fits: the answer cannot be shown.

import { CsvMask } from './csv.js'
import { JsonLines } from './json-lines.js'
import { jsonMask } from './json-mask.js'
import type { Masker } from './masker.js'
import { SseEvents } from './sse.js'
import { ToldInPieces } from './told-in-pieces.js'
import { Unmaskable } from './unmaskable.js'

/** Both throw Unmaskable: then nothing more of the answer may be shown. */
export interface BodyMask {
  push(chunk: Buffer): Buffer
  end(): Buffer
}

const maxTextBytes = 8 * 1024 * 1024

/** Undefined: an answer of this kind cannot be masked. */
export function maskBody(masker: Masker, contentType: string): BodyMask | undefined {
  const [type = '', ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim())
  const charset = parameters
    .find((parameter) => parameter.startsWith('charset='))
    ?.slice(8)
    .replaceAll('"', '')
  if (charset !== undefined && !['utf-8', 'utf8', 'us-ascii'].includes(charset)) return undefined
  if (type === 'application/json' || type === 'text/json' || type.endsWith('+json')) return jsonMask(masker)
  const told = new ToldInPieces(masker)
  if (isJsonLines(type)) {
    return new JsonLines(
      (line) => told.line(line),
      () => told.last(),
    )
  }
  if (type === 'text/event-stream') {
    return new SseEvents(
      (data, name) => told.map(name === undefined ? { data } : { name, data }),
      () => told.last(),
      (line) => masker.text(line),
    )
  }
  if (type === 'text/csv') return masker.byField && parameters.includes('header=absent') ? undefined : new CsvMask(masker)
  if (type === 'text/tab-separated-values') return new CsvMask(masker, '\t')
  return type.startsWith('text/') && !masker.byField ? textMasker(masker) : undefined
}

/** For a media type in lower case. */
export function isJsonLines(mediaType: string): boolean {
  return ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines'].includes(mediaType)
}

/** Text without fields, whole: a value must not be missed for standing in two pieces. */
function textMasker(masker: Masker): BodyMask {
  const chunks: Buffer[] = []
  let size = 0
  return {
    push: (chunk) => {
      size += chunk.length
      if (size > maxTextBytes) throw new Unmaskable('the text is too long to be looked into')
      chunks.push(chunk)
      return Buffer.alloc(0)
    },
    end: () => Buffer.from(masker.text(Buffer.concat(chunks).toString('utf8')), 'utf8'),
  }
}
