// Against DNS rebinding: a page of another site can make a browser call this address under its own name, never under ours.

import { isIP } from 'node:net'

/** A bare address cannot be rebound; a name must be one of ours. */
export function isOurHost(header: string | undefined, hosts: readonly string[]): boolean {
  const name = hostName(header)
  if (name === undefined) return false
  return name === 'localhost' || isIP(name) !== 0 || hosts.some((host) => host.toLowerCase() === name)
}

/** A browser says where the page came from; only pages of our own host may call. Absent: not a browser. */
export function isOurOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true
  try {
    return new URL(origin).host === host?.toLowerCase()
  } catch {
    return false
  }
}

function hostName(header: string | undefined): string | undefined {
  const bracketed = /^\[([0-9a-fA-F:.]+)\](?::\d{1,5})?$/.exec(header ?? '')?.[1]
  return (bracketed ?? /^([A-Za-z0-9._-]{1,253})(?::\d{1,5})?$/.exec(header ?? '')?.[1])?.toLowerCase()
}
