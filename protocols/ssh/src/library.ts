// What ssh2 1.17.0 lacks and we need of it, in one place: two of its inner parts are touched here and nowhere else. The end-to-end
// tests fail where a later version arranges them differently, and what is not found as expected ends the connection.

import type { Connection, ServerChannel } from 'ssh2'

interface ChannelInside {
  /** What of stdout waited for the window last; never forgotten, so that it would be sent again when stderr waits. */
  _chunk?: Buffer | undefined
  _chunkcb?: (() => void) | undefined
}

type OnRequest = (protocol: unknown, recipient: number, type: string, ...rest: readonly unknown[]) => void

interface ConnectionInside {
  readonly _protocol?: { readonly _handlers?: { CHANNEL_REQUEST?: OnRequest } }
  readonly _chanMgr?: { get(channel: number): { readonly _channel?: ServerChannel } | undefined }
}

/** What a client says that shows none of the output any more (OpenSSH's PROTOCOL, section 2.1). */
const endOfWrite = 'eow@openssh.com'

/** OpenSSH's client says so to servers that call themselves OpenSSH, and waits for ever for others. */
export const identification = 'OpenSSH_9.2-compatible_Sallyport'

/** Emits `unread` on a channel when its client reads no more. Answers false where the library is not as expected. */
export function tellUnread(connection: Connection): boolean {
  const inside = connection as unknown as ConnectionInside
  const handlers = inside._protocol?._handlers
  const original = handlers?.CHANNEL_REQUEST
  if (handlers === undefined || original === undefined || inside._chanMgr === undefined) return false
  const channels = inside._chanMgr
  handlers.CHANNEL_REQUEST = (protocol, recipient, type, ...rest) => {
    if (type === endOfWrite) channels.get(recipient)?._channel?.emit('unread')
    original(protocol, recipient, type, ...rest)
  }
  return true
}

/** Call before stderr is written, when nothing of stdout waits. */
export function forgetSent(stream: ServerChannel): void {
  if (stream.writableLength > 0) return
  const inside = stream as unknown as ChannelInside
  inside._chunk = undefined
  inside._chunkcb = undefined
}
