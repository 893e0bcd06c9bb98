// What a client asks for before a command or a shell starts: a terminal, variables, window sizes.

import type { PseudoTtyInfo, Session as LibrarySession, WindowChangeInfo } from 'ssh2'

export interface Terminal {
  readonly term: string
  readonly columns: number
  readonly rows: number
  readonly width: number
  readonly height: number
  readonly modes: PseudoTtyInfo['modes'] | undefined
}

/** Variables that tell a program about the caller's end and change nothing else (OpenSSH's SendEnv names most of them). */
const passed = /^(LANG|LANGUAGE|LC_[A-Z]+|TZ|COLORTERM|NO_COLOR|TRACEPARENT|TRACESTATE|GIT_PROTOCOL)$/
const maxVariables = 32
const maxValueCharacters = 1_024
/** A screen of a thousand columns is a mistake, and a cast nobody can look at. */
const maxCells = 1_000

export class Asked {
  terminal: Terminal | undefined
  /** The caller would lend its agent, and some rule says whether it may. */
  agent = false
  readonly env = new Map<string, string>()
  /** Told of each new size once the terminal is running. */
  onResize: ((terminal: Terminal) => void) | undefined
  onSignal: ((name: string) => void) | undefined

  /** `mayLend`: a rule has a say in lending the agent; where none has, it is not lent. */
  constructor(session: LibrarySession, mayLend: () => boolean) {
    session.on('pty', (accept, _reject, info) => {
      this.terminal = terminalOf(info)
      accept?.()
    })
    session.on('window-change', (accept, _reject, info) => {
      if (this.terminal !== undefined) {
        this.terminal = { ...this.terminal, ...sizeOf(info) }
        this.onResize?.(this.terminal)
      }
      accept?.()
    })
    session.on('env', (accept, reject, { key, val }) => {
      const fits = passed.test(key) && val.length <= maxValueCharacters && !/[\0\n]/.test(val) && this.env.size < maxVariables
      if (!fits) return reject?.()
      this.env.set(key, val)
      accept?.()
    })
    session.on('signal', (accept, _reject, { name }) => {
      this.onSignal?.(name)
      accept?.()
    })
    session.on('auth-agent', (accept, reject) => {
      this.agent = mayLend()
      if (this.agent) accept?.()
      else reject?.()
    })
    // X11 is not forwarded: it would lend the caller's screen and keyboard to the target.
    session.on('x11', (_accept, reject) => reject?.())
  }
}

function terminalOf(info: PseudoTtyInfo & { readonly term?: string }): Terminal {
  return { ...sizeOf(info), term: /^[\w.+-]{1,64}$/.test(info.term ?? '') ? (info.term ?? 'dumb') : 'dumb', modes: info.modes }
}

function sizeOf({ cols, rows, width, height }: WindowChangeInfo): Omit<Terminal, 'term' | 'modes'> {
  const cells = (count: number): number => Math.min(Math.max(count, 0), maxCells)
  return { columns: cells(cols), rows: cells(rows), width, height }
}
