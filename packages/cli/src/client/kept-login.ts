// What `sallyport login` keeps in the person's own directory, for each gateway: the token, and by whose certificate the gateway is known.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { z } from 'zod'

const keptSchema = z.object({
  token: z.string().min(1),
  id: z.string(),
  identity: z.string(),
  expiresAt: z.iso.datetime(),
  /** PEM. */
  authority: z.string().optional(),
})
const fileSchema = z.record(z.string(), keptSchema)

export type KeptLogin = z.output<typeof keptSchema>
type Environment = Readonly<Record<string, string | undefined>>

/** `$XDG_CONFIG_HOME/sallyport`, by default `~/.config/sallyport` (XDG Base Directory Specification). */
export function loginsFile(env: Environment): string {
  const base = env['XDG_CONFIG_HOME']
  // The specification: a relative path there is to be ignored.
  const directory = base?.startsWith('/') === true ? base : join(env['HOME'] ?? homedir(), '.config')
  return join(directory, 'sallyport', 'logins.json')
}

export function keptLogin(env: Environment, gateway: string): KeptLogin | undefined {
  return read(loginsFile(env))[gateway]
}

export function keepLogin(env: Environment, gateway: string, login: KeptLogin): void {
  const file = loginsFile(env)
  write(file, { ...read(file), [gateway]: login })
}

export function forgetLogin(env: Environment, gateway: string): void {
  const file = loginsFile(env)
  const { [gateway]: _forgotten, ...others } = read(file)
  if (Object.keys(others).length === 0) rmSync(file, { force: true })
  else write(file, others)
}

/** What cannot be read is as good as no login: one logs in again. */
function read(file: string): Readonly<Record<string, KeptLogin>> {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(file, 'utf8')))
  } catch {
    return {}
  }
}

/** Whole or not at all, and readable by its owner alone from the first moment on. */
function write(file: string, logins: Readonly<Record<string, KeptLogin>>): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const draft = `${file}.${process.pid}`
  rmSync(draft, { force: true })
  writeFileSync(draft, `${JSON.stringify(logins, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  renameSync(draft, file)
}
