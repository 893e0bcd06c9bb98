// JSON-RPC 2.0 and, on top of it, the Model Context Protocol (revision 2025-06-18).

export interface RpcCall {
  /** Absent: an answer to a request that the server sent. */
  readonly method?: string
  readonly tool?: string
  readonly id?: string | number
  readonly access: 'read' | 'write'
  /** Claimed in `_meta`. */
  readonly traceparent?: string
}

const reading = new Set([
  'initialize',
  'ping',
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'prompts/list',
  'prompts/get',
  'completion/complete',
  'logging/setLevel',
])

/** Undefined: this is no JSON-RPC. `ambiguous`: it could be, and who reads it decides what it says. */
export function readRpc(json: unknown): readonly RpcCall[] | undefined | 'ambiguous' {
  const messages = Array.isArray(json) ? (json as readonly unknown[]) : [json]
  const objects = messages.filter((message) => typeof message === 'object' && message !== null && !Array.isArray(message))
  const seeming = objects.filter((message) => Object.keys(message as object).some((key) => key.toLowerCase() === 'jsonrpc'))
  // A lenient server may take a call that does not say what it is.
  if (seeming.length === 0) return objects.some(looksLikeCall) ? 'ambiguous' : undefined
  if (seeming.length < messages.length) return 'ambiguous'
  const calls = seeming.map((message) => readCall(message as Readonly<Record<string, unknown>>))
  return calls.includes('ambiguous') ? 'ambiguous' : calls.filter((call) => call !== 'ambiguous')
}

function readCall(message: Readonly<Record<string, unknown>>): RpcCall | 'ambiguous' {
  if (!spelt(message, ['jsonrpc', 'method', 'params', 'id', 'result', 'error'])) return 'ambiguous'
  const { method, params } = message
  const id = typeof message['id'] === 'string' || typeof message['id'] === 'number' ? { id: message['id'] } : {}
  if (method === undefined) return 'result' in message || 'error' in message ? { access: 'read', ...id } : 'ambiguous'
  if (typeof method !== 'string') return 'ambiguous'
  const named =
    typeof params === 'object' && params !== null && !Array.isArray(params) ? (params as Readonly<Record<string, unknown>>) : {}
  const meta = named['_meta']
  const claimed = typeof meta === 'object' && meta !== null && 'traceparent' in meta ? meta.traceparent : undefined
  const traceparent = typeof claimed === 'string' ? { traceparent: claimed } : {}
  const access = reading.has(method) || method.startsWith('notifications/') ? 'read' : 'write'
  if (method !== 'tools/call') return { method, access, ...id, ...traceparent }
  if (!spelt(named, ['name', 'arguments', '_meta']) || typeof named['name'] !== 'string') return 'ambiguous'
  return { method, tool: named['name'], access, ...id, ...traceparent }
}

function looksLikeCall(message: unknown): boolean {
  const keys = Object.keys(message as object).map((key) => key.toLowerCase())
  return keys.includes('method') && keys.includes('params')
}

/** No key that some parsers would take for another, such as `Method`. */
function spelt(message: Readonly<Record<string, unknown>>, keys: readonly string[]): boolean {
  return Object.keys(message).every((key) => keys.includes(key) || !keys.includes(key.toLowerCase()))
}
