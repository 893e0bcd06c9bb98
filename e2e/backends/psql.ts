// psql as a person or a script runs it.

import { spawn } from 'node:child_process'
import { setTimeout as wait } from 'node:timers/promises'
import { program, run, type RunOptions, type RunResult } from './programs.js'

const quiet = { PSQLRC: '/dev/null', PGCONNECT_TIMEOUT: '20', PAGER: '', PSQL_HISTORY: '/dev/null', LC_ALL: 'C.UTF-8' }

/** Runs SQL through psql: unaligned, tuples only, errors told in full. psql goes on after an error, as at its prompt. */
export function psql(
  url: string,
  sql: string,
  options: RunOptions & { readonly args?: readonly string[] } = {},
): Promise<RunResult> {
  const args = ['-X', '-A', '-t', '-v', 'VERBOSITY=verbose', ...(options.args ?? []), url]
  return run(program('psql'), args, { ...options, input: sql, env: { ...quiet, ...options.env } })
}

/** A psql that stays open, for what happens while it waits. */
export interface OpenPsql {
  readonly pid: number
  /** All it has printed so far, both streams in the order they came. */
  readonly printed: () => string
  say(sql: string): void
  /** Waits until what was printed matches. */
  until(pattern: RegExp, withinMs?: number): Promise<string>
  /** Ctrl-C. */
  interrupt(): void
  kill(): void
  /** Closes its input and waits for it to end. */
  end(): Promise<number | null>
}

export function openPsql(url: string, env: Readonly<Record<string, string>> = {}): OpenPsql {
  const args = ['-X', '-A', '-t', '-v', 'VERBOSITY=verbose', url]
  const child = spawn(program('psql'), args, { env: { ...process.env, ...quiet, ...env }, stdio: 'pipe' })
  let printed = ''
  const keep = (chunk: Buffer): void => {
    printed = (printed + chunk.toString('utf8')).slice(-4_000_000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  child.stdin.on('error', () => undefined)
  const ended = new Promise<number | null>((done) => child.once('close', done))
  return {
    pid: child.pid ?? 0,
    printed: () => printed,
    say: (sql) => void child.stdin.write(`${sql}\n`),
    until: (pattern, withinMs = 15_000) =>
      waitFor(
        () => (pattern.test(printed) ? printed : undefined),
        withinMs,
        () => `psql to print ${pattern}; it printed:\n${printed}`,
      ),
    interrupt: () => void child.kill('SIGINT'),
    kill: () => void child.kill('SIGKILL'),
    end: () => {
      child.stdin.end()
      return ended
    },
  }
}

/** Asks again and again until there is an answer. */
export async function waitFor<T>(
  ask: () => T | undefined | Promise<T | undefined>,
  withinMs: number,
  what: () => string,
): Promise<T> {
  const deadline = Date.now() + withinMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`waited ${withinMs} ms for ${what()}`)
    await wait(30)
  }
}
