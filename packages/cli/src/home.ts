// What lies in SALLYPORT_HOME and where; the files by which commands find the gateway of this machine.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

export interface Home {
  readonly directory: string
  readonly adminToken: string
  readonly gateway: string
  readonly tls: string
  readonly database: string
  readonly spool: string
}

export function homeOf(env: Readonly<Record<string, string | undefined>>): Home {
  return homeAt(env['SALLYPORT_HOME'] ?? '.sallyport')
}

export function homeAt(path: string): Home {
  const directory = resolve(path)
  return {
    directory,
    adminToken: join(directory, 'admin.token'),
    gateway: join(directory, 'gateway.json'),
    tls: join(directory, 'tls'),
    database: join(directory, 'database'),
    spool: join(directory, 'spool'),
  }
}

/** What a running gateway tells the commands of its machine. */
export interface Announcement {
  readonly url: string
  readonly pid: number
}

export function announce(home: Home, announcement: Announcement): void {
  const draft = `${home.gateway}.new`
  writeFileSync(draft, `${JSON.stringify(announcement)}\n`, { mode: 0o600 })
  renameSync(draft, home.gateway)
}

export function withdraw(home: Home): void {
  rmSync(home.gateway, { force: true })
}

/** Undefined where no gateway announced itself here. */
export function announced(home: Home): Announcement | undefined {
  let text: string
  try {
    text = readFileSync(home.gateway, 'utf8')
  } catch {
    return undefined
  }
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null || !('url' in value) || typeof value.url !== 'string') return undefined
    return { url: value.url, pid: 'pid' in value && typeof value.pid === 'number' ? value.pid : 0 }
  } catch {
    return undefined
  }
}
