// Fetching from an identity provider: no clear HTTP off this machine, no redirects, bounded in time and in bytes.

export type Fetch = (url: string, options: RequestInit) => Promise<Response>

/** How long one request to a provider may take. */
export const timeoutMs = 5_000
const maxResponseBytes = 512 * 1024

/** The answer, read whole; the status is for the caller to judge. Throws. */
export async function fetchBounded(fetch: Fetch, url: string, options: RequestInit): Promise<Response> {
  if (!mayFetch(url)) throw new Error(`${url} is not https`)
  const response = await fetch(url, { ...options, redirect: 'error' })
  const type = response.headers.get('content-type')
  const retryAfter = response.headers.get('retry-after')
  const headers = {
    ...(type === null ? {} : { 'content-type': type }),
    ...(retryAfter === null ? {} : { 'retry-after': retryAfter }),
  }
  return new Response(await boundedBody(response, url), { status: response.status, headers })
}

export function mayFetch(url: string): boolean {
  const { protocol, hostname } = new URL(url)
  return protocol === 'https:' || (protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
}

async function boundedBody(response: Response, url: string): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let length = 0
  const reader = response.body?.getReader()
  for (;;) {
    const read = await reader?.read()
    if (read === undefined || read.done) return new Uint8Array(Buffer.concat(chunks))
    length += read.value.byteLength
    if (length > maxResponseBytes) {
      await reader?.cancel()
      throw new Error(`${url} sent more than ${maxResponseBytes} bytes`)
    }
    chunks.push(read.value)
  }
}
