// A command or a shell: understood, judged and held before it starts, then joined to the target's.

import { holdsStandIn, unknownText, writesStandIn } from '@sallyport/core'
import type { Asking, Effect, Mask } from '@sallyport/core'
import type { ClientChannel as FarChannel, ExecOptions, PseudoTtyOptions, ServerChannel, ShellOptions } from 'ssh2'
import { agentQuestion, serveAgent } from './agent.js'
import type { Asked, Terminal } from './asked.js'
import { ClientChannel } from './client-channel.js'
import type { Exit } from './client-channel.js'
import { Content } from './content.js'
import { EchoedInput } from './echo.js'
import { HeldInput } from './input.js'
import { Output, pump } from './output.js'
import { OutputMasks, traceOutput, traceTransfer } from './output-masks.js'
import type { Answered, Question, Served } from './served.js'
import { failedExit, wordError, wordNotice, wordStatementDenial } from './wording.js'

/** A shell can start any program and touch any file. */
const anything: readonly Effect[] = [
  { access: 'unknown', verb: 'shell', object: '', program: unknownText, args: [unknownText], opaque: true },
]

/** A command with a terminal: what it does is judged as the command, and that it gets one besides. */
const aTerminal: readonly Effect[] = [{ access: 'read', verb: 'terminal', object: '' }]

/** Nothing of a command's input is shown to the caller; the record keeps this much of it. */
const inputCapBytes = 1024 * 1024
const noAgent =
  'the target opened no channel for this: it takes no agent (AllowAgentForwarding of sshd), serves no more at once, or hung up'
/** How long a target may take to end what must be stopped. */
const stopMs = 1_000
/** MAX_ARG_STRLEN of Linux: sshd hands the command to a shell as one argument. */
const maxCommandCharacters = 131_072

/** `command` undefined: an interactive shell. */
export async function runCommand(served: Served, stream: ServerChannel, asked: Asked, command: string | undefined): Promise<void> {
  const input = new HeldInput(stream)
  const understood =
    command === undefined
      ? { effects: anything, transfer: undefined }
      : await served.commands.understand(command, served.session.target.trust.programs)
  const channel = new ClientChannel(stream, served, understood.transfer === undefined ? undefined : new Content())
  const run = new Run(served, channel, input, asked, understood.transfer !== undefined)
  try {
    if (command !== undefined && !(await run.mayHaveTerminal(command))) return
    const answered = await run.ask(command, understood.effects)
    if (answered === undefined) return
    await run.askForAgent()
    await run.start(command, answered)
  } catch (error) {
    input.drop()
    if (!channel.closed) await channel.fail(wordError(error, served.session.id))
    if (!(error instanceof Error && 'fault' in error)) served.bug(error)
  }
}

class Run {
  readonly #served: Served
  readonly #channel: ClientChannel
  readonly #input: HeldInput
  readonly #asked: Asked
  readonly #bulk: boolean
  readonly #masks: Mask[] = []
  #lends = false

  constructor(served: Served, channel: ClientChannel, input: HeldInput, asked: Asked, bulk: boolean) {
    this.#served = served
    this.#channel = channel
    this.#input = input
    this.#asked = asked
    this.#bulk = bulk
  }

  /** Rules that forbid shells forbid terminals: `ssh -t host sh` is one. Asked only where a rule has a say. */
  async mayHaveTerminal(command: string): Promise<boolean> {
    if (this.#asked.terminal === undefined) return true
    const question: Question = { kind: 'shell', text: `terminal for ${command}`, effects: aTerminal }
    if (!this.#served.isRuled(question)) return true
    return (await this.#judge(question, faultOf(command, aTerminal))) !== undefined
  }

  /** Undefined: it must not start, and the client was told why. */
  ask(command: string | undefined, effects: readonly Effect[]): Promise<Answered | undefined> {
    const provenance = this.#asked.env.get('TRACEPARENT')
    if (command === undefined) return this.#judge({ kind: 'shell', text: 'interactive shell', effects, provenance }, undefined)
    return this.#judge({ kind: 'command', text: command, effects, provenance }, faultOf(command, effects))
  }

  /** A command without the agent is still the command: it is told, and goes on. */
  async askForAgent(): Promise<void> {
    if (!this.#asked.agent || this.#channel.closed) return
    const { ruling, statement } = await this.#served.judge(agentQuestion, {
      ...this.#waiting(),
      needsRule: 'the agent is not lent unless a rule allows it',
    })
    this.#lends = ruling.kind === 'allow'
    if (ruling.kind === 'deny') await this.#channel.say(wordStatementDenial(ruling, this.#served.session.id, statement))
  }

  #waiting(): Pick<Asking, 'signal' | 'onWait'> {
    const gone = new AbortController()
    void this.#channel.gone.then(() => gone.abort())
    return { signal: gone.signal, onWait: (notice) => void this.#channel.say(wordNotice(notice)) }
  }

  async #judge(question: Question, refusal: string | undefined): Promise<Answered | undefined> {
    const answered = await this.#served.judge(question, {
      ...this.#waiting(),
      trace: this.#bulk ? traceTransfer : traceOutput,
      ...(refusal === undefined ? {} : { refusal }),
    })
    const { ruling, statement } = answered
    if (ruling.kind === 'mask') this.#masks.push(...ruling.masks)
    if (ruling.kind !== 'deny') return answered
    this.#input.drop()
    await this.#channel.refuse(wordStatementDenial(ruling, this.#served.session.id, statement))
    return undefined
  }

  async start(command: string | undefined, { statement }: Answered): Promise<void> {
    const client = await this.#served.upstream
    if (this.#channel.closed) return this.#input.drop()
    if (this.#lends && !serveAgent(this.#served, client)) throw new Error('the SSH library is not as expected')
    const began = performance.now()
    const opened = await open(this.#served, command, this.#asked, this.#lends)
    const error = await this.#join(opened, statement)
    const { session } = this.#served
    if (session.signal.aborted) return
    const outcome = { statement, rows: 0, bytes: this.#channel.sentBytes, durationMs: performance.now() - began }
    session.outcome(error === undefined ? outcome : { ...outcome, error })
  }

  /** Joins both ends until the command is over; answers with how it failed. */
  async #join(opened: Opened, statement: number): Promise<string | undefined> {
    const { far } = opened
    const { session } = this.#served
    const channel = this.#channel
    const echoed = this.#asked.terminal === undefined ? undefined : new EchoedInput()
    const masks = this.#outputMasks()
    this.#watchTerminal(far)
    const sent = this.#sendInput(far, echoed, masks)
    const out = new Output(channel, 'out', masks?.out)
    const err = new Output(channel, 'err', masks?.err)
    pump(far, out, (bytes) => {
      for (const line of echoed?.printed(bytes) ?? []) session.record('client', line, channel.number * 2)
    })
    pump(far.stderr, err)
    const exit = await Promise.race([this.#over(opened), stopped(far, [out, err])])
    for (const each of [out, err]) each.end()
    if ((this.#bulk || sent.isCut) && !session.signal.aborted) session.mark('input', sent.summary(), channel.number * 2)
    const unmaskable = out.unmaskable ?? err.unmaskable
    if (masks !== undefined && unmaskable !== undefined && !channel.closed) {
      await channel.refuse(wordStatementDenial(masks.denial(unmaskable), session.id, statement))
      return `stopped: ${masks.denial(unmaskable).reason}`
    }
    await channel.end(exit ?? { code: failedExit })
    if (exit === undefined)
      return channel.closed ? 'the client stopped reading or went away' : 'the target ended it without an exit status'
    if ('signal' in exit) return `killed by signal ${exit.signal}`
    return exit.code === 0 ? undefined : `exit ${exit.code}`
  }

  #outputMasks(): OutputMasks | undefined {
    if (this.#masks.length === 0) return undefined
    const { salt, session } = this.#served
    return new OutputMasks(this.#masks, { hash: salt, token: `${salt} ${session.id}` }, this.#asked.terminal !== undefined)
  }

  #sendInput(far: FarChannel, echoed: EchoedInput | undefined, masks: OutputMasks | undefined): Content {
    const { session } = this.#served
    const content = new Content(inputCapBytes)
    this.#input.release({
      write: (bytes) => {
        if (this.#channel.closed) return true
        if (echoed === undefined) {
          const kept = content.take(bytes)
          if (kept.length > 0) session.record('client', kept, this.#channel.number * 2)
        } else {
          echoed.typed(bytes)
          masks?.out.typed(bytes)
        }
        return far.write(bytes)
      },
      end: () => far.end(),
    })
    far.on('drain', () => this.#input.resume())
    return content
  }

  #watchTerminal(far: FarChannel): void {
    const { session } = this.#served
    const number = this.#channel.number * 2
    const { terminal } = this.#asked
    if (terminal !== undefined) session.mark('terminal', `${terminal.columns}x${terminal.rows} ${terminal.term}`, number)
    this.#asked.onResize = ({ rows, columns, height, width }: Terminal) => {
      if (this.#channel.closed) return
      session.mark('resize', `${columns}x${rows}`, number)
      far.setWindow(rows, columns, height, width)
    }
    this.#asked.onSignal = (name) => {
      if (!this.#channel.closed) far.signal(name)
    }
  }

  /** Resolves when the target has closed the channel and all of it was read; ends the target's end when the client goes. */
  #over({ far, exit }: Opened): Promise<Exit | undefined> {
    return new Promise((resolve) => {
      far.once('close', () => resolve(exit()))
      void this.#channel.gone.then(() => {
        far.close()
        far.resume()
        far.stderr.resume()
        resolve(exit())
      })
    })
  }
}

/** Resolves a while after something came that cannot be shown: the target is told to end it, and need not agree. */
function stopped(far: FarChannel, outputs: readonly Output[]): Promise<undefined> {
  return new Promise((resolve) => {
    for (const each of outputs)
      each.onUnmaskable = () => {
        far.close()
        setTimeout(() => resolve(undefined), stopMs).unref()
      }
  })
}

/** What is wrong with a command whatever the rules say. */
export function faultOf(command: string, effects: readonly Effect[]): string | undefined {
  if (command.length > maxCommandCharacters) return `a command may have ${maxCommandCharacters} characters at most`
  // What is judged must be what runs, byte for byte.
  if (command.includes(unknownText) || command.includes('\0')) return 'the command is not valid UTF-8'
  if (holdsStandIn(command) && effects.some(({ access }) => access !== 'read')) return writesStandIn
  return undefined
}

interface Opened {
  readonly far: FarChannel
  /** How it ended; undefined as long as it has not, or where the target did not say. */
  readonly exit: () => Exit | undefined
}

function open(served: Served, command: string | undefined, asked: Asked, agentForward: boolean): Promise<Opened> {
  const env = Object.fromEntries(asked.env)
  const pty = asked.terminal === undefined ? undefined : ptyOf(asked.terminal)
  const options: ExecOptions & { readonly agentForward: boolean } =
    pty === undefined ? { env, agentForward } : { env, pty, agentForward }
  return served.open(
    (client, done) => {
      if (command === undefined) client.shell(pty ?? false, { env, agentForward } as ShellOptions, done)
      else client.exec(command, options, done)
    },
    (far) => ({ far, exit: exitOf(far) }),
    agentForward ? noAgent : undefined,
  )
}

function exitOf(far: FarChannel): () => Exit | undefined {
  let exit: Exit | undefined
  far.on('exit', (code: number | null, signal?: string, dumped?: boolean, description?: string) => {
    exit =
      code === null
        ? { signal: (signal ?? 'TERM').replace(/^SIG/, ''), dumped: dumped ?? false, description: description ?? '' }
        : { code }
  })
  return () => exit
}

function ptyOf({ term, columns, rows, width, height, modes }: Terminal): PseudoTtyOptions {
  return { term, cols: columns, rows, width, height, ...(modes === undefined ? {} : { modes }) }
}
