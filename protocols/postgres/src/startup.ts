// The first packet of a connection, and which of its parameters may go on to the target (PostgreSQL documentation, "Start-up").

import { Malformed } from '@sallyport/core'
import { Body, int32, message, fromUpstream } from './messages.js'

export const codes = { cancel: 80_877_102, tls: 80_877_103, gss: 80_877_104 } as const
/** MAX_STARTUP_PACKET_LENGTH of the server (src/include/libpq/pqcomm.h). */
export const maxStartupBytes = 10_000
/** The newest minor version of protocol 3 that is spoken to clients. */
const newestMinor = 2

export interface Startup {
  readonly major: number
  /** What both ends speak from here on. */
  readonly minor: number
  readonly parameters: ReadonlyMap<string, string>
  /** To send before authentication where the client asked for more than there is; once. */
  readonly negotiation: Buffer | undefined
}

/** `packet` is the whole packet with its length. */
export function readStartup(packet: Buffer): Startup {
  const body = new Body(packet, 'client', 4)
  const version = body.uint32()
  const major = version >>> 16
  const asked = version & 0xffff
  if (major !== 3)
    throw new Malformed('client', 'unsupported-protocol', `protocol ${major}.${asked} is not spoken here; 3.0 and 3.2 are`)
  const parameters = new Map<string, string>()
  const unknown: string[] = []
  for (let name = body.text(); name !== ''; name = body.text()) {
    const value = body.text()
    if (name.startsWith('_pq_.')) unknown.push(name)
    else if (parameters.has(name)) throw new Malformed('client', 'duplicate-parameter', `start-up parameter ${name} is given twice`)
    else parameters.set(name, value)
  }
  body.end()
  const minor = Math.min(asked, newestMinor)
  const negotiate = asked > newestMinor || unknown.length > 0
  return { major, minor, parameters, negotiation: negotiate ? negotiation(minor, unknown) : undefined }
}

/** NegotiateProtocolVersion carries the whole version number, as the server's own code does (SendNegotiateProtocolVersion). */
function negotiation(minor: number, unknown: readonly string[]): Buffer {
  return message(fromUpstream.negotiateVersion, int32((3 << 16) | minor), int32(unknown.length), ...unknown)
}

/** Settings that change how values look or how long they may take, never whose rights count or what a text means. */
const harmless = new Set([
  'application_name',
  'bytea_output',
  'datestyle',
  'default_transaction_deferrable',
  'default_transaction_isolation',
  'default_transaction_read_only',
  'extra_float_digits',
  'idle_in_transaction_session_timeout',
  'intervalstyle',
  'jit',
  'lock_timeout',
  'statement_timeout',
  'timezone',
])

/** Keeps what is allowed, for the target besides its user and database, and refuses the rest with words; nothing is dropped in silence. */
export function allowedSettings(startup: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const asked = [...startup].filter(([name]) => name !== 'user' && name !== 'database' && name !== 'options')
  const settings = new Map<string, string>()
  for (const [name, value] of [...asked, ...readOptions(startup.get('options') ?? '')]) {
    const lower = name.toLowerCase()
    if (lower === 'client_encoding') checkEncoding(value)
    else if (lower === 'replication') checkReplication(value)
    else if (lower === 'standard_conforming_strings') checkStrings(value)
    else if (harmless.has(lower)) settings.set(lower, value)
    else
      throw refused(
        `start-up parameter ${name} is not allowed through the gateway; allowed are ${[...harmless].join(', ')} and client_encoding=UTF8`,
      )
  }
  settings.set('client_encoding', 'UTF8')
  settings.set('standard_conforming_strings', 'on')
  return settings
}

function refused(what: string): Malformed {
  return new Malformed('client', 'parameter-not-allowed', what)
}

/** SQL_ASCII is what libpq says for the C locale: it means no wish at all, and gets UTF8. */
function checkEncoding(value: string): void {
  const name = value.toLowerCase().replaceAll(/[^a-z0-9]/g, '')
  if (!['utf8', 'unicode', 'sqlascii', 'auto'].includes(name)) {
    throw refused(`client_encoding ${value} is not allowed: only UTF8 text can be understood; set PGCLIENTENCODING=UTF8`)
  }
}

function checkReplication(value: string): void {
  if (!['0', 'off', 'false', 'no', 'f', 'n'].includes(value.toLowerCase()))
    throw refused('replication connections are not allowed through the gateway')
}

function checkStrings(value: string): void {
  if (!['on', 'true', 'yes', '1'].includes(value.toLowerCase())) throw refused('standard_conforming_strings must stay on')
}

/** `options` as the server splits it (pg_split_opts): blanks part, a backslash takes the next character as it is. */
export function readOptions(options: string): [string, string][] {
  const words = (options.match(/(?:\\.|[^\s\\])+/gs) ?? []).map((word) => word.replaceAll(/\\(.)/gs, '$1'))
  const settings: [string, string][] = []
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as string
    const setting =
      word === '-c'
        ? (words[(at += 1)] ?? '')
        : word.startsWith('--')
          ? word.slice(2)
          : word.startsWith('-c')
            ? word.slice(2)
            : undefined
    const equals = setting?.indexOf('=') ?? -1
    if (setting === undefined || equals < 1) throw refused(`options ${JSON.stringify(word)} is not allowed; write -c name=value`)
    settings.push([setting.slice(0, equals).replaceAll('-', '_'), setting.slice(equals + 1)])
  }
  return settings
}
