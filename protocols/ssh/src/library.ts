// What ssh2 1.17.0 lacks and we need of it, in one place: its inner parts are touched here and nowhere else. The end-to-end
// tests fail where a later version arranges them differently, and what is not found as expected ends the connection.

import { Duplex } from 'node:stream'
import type { Client, ClientChannel, Connection, ServerChannel } from 'ssh2'

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

interface AgentInside {
  _agent?: { readonly getStream: (done: (error: Error | undefined, stream?: Duplex) => void) => void }
  readonly _agentFwdEnabled?: boolean
}

interface OpeningInside {
  readonly _chanMgr: { add(opened: OpenedAgent & { readonly type: string }): number }
  readonly _protocol: { openssh_authAgent(channel: number, windowBytes: number, packetBytes: number): void }
}

type OpenedAgent = (error: Error | undefined, near: ServerChannel) => void

/** What the library gives every channel. */
const windowBytes = 2 * 1024 * 1024
const packetBytes = 32 * 1024

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

/**
 * From here on `agentForward` of a command lends an agent to the target, and each who asks for it there is opened a way. The library would join the
 * two by pipes that nobody hears the errors of: it is handed a stream that tells what it was to be joined to, and joins nothing.
 * Answers false where the library is not as expected.
 */
export function lendAgent(
  client: Client,
  ask: (opened: (error: Error | undefined, joined?: (far: ClientChannel) => void) => void) => void,
): boolean {
  const inside = client as unknown as AgentInside
  if (typeof inside._agentFwdEnabled !== 'boolean') return false
  inside._agent = {
    getStream: (done) =>
      ask((error, joined) => (joined === undefined ? done(error ?? new Error('no way')) : done(undefined, teller(joined)))),
  }
  return true
}

function teller(joined: (far: ClientChannel) => void): Duplex {
  const stream = new Duplex({ read: () => {}, write: (_chunk, _encoding, done) => done() })
  stream.pipe = (far) => {
    const channel = far as unknown as ClientChannel
    channel.unpipe(stream)
    joined(channel)
    return far
  }
  return stream
}

/** OpenSSH's PROTOCOL.agent, section 4: a channel to the agent of the client, which the library opens on its other end only. */
export function openAgent(connection: Connection, opened: OpenedAgent): void {
  const { _chanMgr: channels, _protocol: protocol } = connection as unknown as OpeningInside
  const channel = channels.add(Object.assign(opened.bind(undefined), { type: 'auth-agent@openssh.com' }))
  if (channel === -1) opened(new Error('no free channel'), undefined as never)
  else protocol.openssh_authAgent(channel, windowBytes, packetBytes)
}
