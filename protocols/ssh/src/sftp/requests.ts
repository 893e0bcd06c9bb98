// What an SFTP request asks for, in words and as effects.

import { resolvePath } from '@sallyport/shell'
import type { Access, Effect } from '@sallyport/core'
import { Fields, kinds } from './packets.js'

/** draft-ietf-secsh-filexfer-02, section 6.3. */
const openFlags = { read: 1, write: 2, append: 4 } as const

/** Of OpenSSH's PROTOCOL, section 4: what a server may announce, since the requests are understood here. */
export const knownExtensions = new Set([
  'posix-rename@openssh.com',
  'statvfs@openssh.com',
  'fstatvfs@openssh.com',
  'hardlink@openssh.com',
  'fsync@openssh.com',
  'lsetstat@openssh.com',
  'limits@openssh.com',
  'expand-path@openssh.com',
  'users-groups-by-id@openssh.com',
])

export type Request =
  /** Touches a file by its name: to be judged. `opens`: answered with a handle to its content. */
  | {
      readonly kind: 'judged'
      readonly id: number
      readonly text: string
      readonly effects: readonly Effect[]
      readonly opens?: Opened
    }
  /** About a handle that was judged when it was opened. */
  | { readonly kind: 'read'; readonly id: number; readonly handle: string; readonly offset: number }
  | { readonly kind: 'write'; readonly id: number; readonly handle: string; readonly offset: number; readonly data: Buffer }
  | { readonly kind: 'change'; readonly id: number; readonly handle: string }
  | { readonly kind: 'look'; readonly id: number; readonly handle: string }
  | { readonly kind: 'list'; readonly id: number; readonly handle: string }
  | { readonly kind: 'close'; readonly id: number; readonly handle: string }
  /** Tells nothing of a file's content and changes nothing. */
  | { readonly kind: 'plain'; readonly id: number }
  | { readonly kind: 'init' }
  | { readonly kind: 'unknown'; readonly id: number }

interface Opened {
  readonly path: string
  readonly directory: boolean
}

/** Throws Malformed. */
export function readRequest(bytes: Buffer): Request {
  const fields = new Fields(bytes, 'client')
  const type: number = bytes[4] ?? 0
  const id = fields.uint32()
  switch (type) {
    case kinds.init:
      return { kind: 'init' }
    case kinds.open:
      return readOpen(id, fields)
    case kinds.opendir:
      return opening(id, fields.text(), 'list', 'read', true)
    case kinds.close:
      return { kind: 'close', id, handle: handleIn(fields) }
    case kinds.read:
      return { kind: 'read', id, handle: handleIn(fields), offset: fields.uint64() }
    case kinds.write:
      return { kind: 'write', id, handle: handleIn(fields), offset: fields.uint64(), data: fields.string() }
    case kinds.fstat:
      return { kind: 'look', id, handle: handleIn(fields) }
    case kinds.fsetstat:
      return { kind: 'change', id, handle: handleIn(fields) }
    case kinds.readdir:
      return { kind: 'list', id, handle: handleIn(fields) }
    case kinds.realpath:
      return { kind: 'plain', id }
    case kinds.lstat:
    case kinds.stat:
    case kinds.readlink:
      return one(id, 'stat', 'read', fields.text())
    case kinds.setstat:
      return one(id, 'chmod', 'write', fields.text())
    case kinds.remove:
      return one(id, 'delete', 'write', fields.text())
    case kinds.mkdir:
      return one(id, 'mkdir', 'write', fields.text())
    case kinds.rmdir:
      return one(id, 'delete', 'write', fields.text())
    case kinds.rename:
      return two(id, 'rename', fields.text(), fields.text())
    case kinds.symlink:
      return two(id, 'link', fields.text(), fields.text())
    case kinds.extended:
      return readExtended(id, fields)
    default:
      return { kind: 'unknown', id }
  }
}

function readOpen(id: number, fields: Fields): Request {
  const path = fields.text()
  const flags = fields.uint32()
  const writes = (flags & openFlags.write) !== 0 || (flags & openFlags.append) !== 0
  if (!writes) return opening(id, path, 'read', 'read', false)
  const verb = (flags & openFlags.append) !== 0 ? 'append' : 'write'
  const opened = opening(id, path, verb, 'write', false)
  if ((flags & openFlags.read) === 0 || opened.kind !== 'judged') return opened
  return { ...opened, text: `read and ${opened.text}`, effects: [...touch('read', 'read', path), ...opened.effects] }
}

function readExtended(id: number, fields: Fields): Request {
  const name = fields.text()
  switch (name) {
    case 'posix-rename@openssh.com':
      return two(id, 'rename', fields.text(), fields.text())
    case 'hardlink@openssh.com':
      return two(id, 'link', fields.text(), fields.text())
    case 'lsetstat@openssh.com':
      return one(id, 'chmod', 'write', fields.text())
    case 'statvfs@openssh.com':
    case 'expand-path@openssh.com':
      return one(id, 'stat', 'read', fields.text())
    case 'fstatvfs@openssh.com':
    case 'fsync@openssh.com':
      return { kind: 'look', id, handle: handleIn(fields) }
    case 'limits@openssh.com':
    case 'users-groups-by-id@openssh.com':
      return { kind: 'plain', id }
    default:
      return { kind: 'unknown', id }
  }
}

/** Handles are bytes of the server's own; section 6.2 allows 256 of them. */
function handleIn(fields: Fields): string {
  return fields.string().subarray(0, 257).toString('latin1')
}

function opening(id: number, path: string, verb: string, access: Access, directory: boolean): Request {
  return {
    kind: 'judged',
    id,
    text: `${verb} ${shown(path)}`,
    effects: touch(access, verb, path),
    opens: { path: shown(path), directory },
  }
}

function one(id: number, verb: string, access: Access, path: string): Request {
  return { kind: 'judged', id, text: `${verb} ${shown(path)}`, effects: touch(access, verb, path) }
}

function two(id: number, verb: string, from: string, to: string): Request {
  const effects = [...touch(verb === 'link' ? 'read' : 'write', verb, from), ...touch('write', verb, to)]
  return { kind: 'judged', id, text: `${verb} ${shown(from)} to ${shown(to)}`, effects }
}

function touch(access: Access, verb: string, path: string): readonly Effect[] {
  return resolved(path).map((file) => ({ access, verb, object: file, file }))
}

/** Relative paths begin in the login's home; a tilde means nothing to SFTP. */
function resolved(path: string): readonly string[] {
  return resolvePath(path.startsWith('~') ? `./${path}` : path, ['~'])
}

const shown = (path: string): string => resolved(path)[0] ?? ''
