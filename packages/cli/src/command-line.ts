// Every command, its arguments and flags. What a command does is loaded when it is called, so that none waits for another's rooms.

import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { isKnownError } from '@sallyport/core'
import { spanMs, timeBefore } from './duration.js'
import type { VerifyOptions } from './commands/verify.js'
import type { ExportOptions } from './commands/export.js'
import type { BacktestOptions } from './commands/policy-backtest.js'
import type { Terminal } from './output/terminal.js'
import { VERSION } from './version.js'

/** Answers the exit code: 0 done, 1 it did not work, 2 the command was misused; `verify` and programs that are run have their own. */
export async function run(args: readonly string[], terminal: Terminal): Promise<number> {
  let code = 0
  const program = buildProgram(terminal, (result) => (code = result))
  try {
    await program.parseAsync([...args], { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
    terminal.err(`sallyport: ${messageOf(error, terminal)}`)
    return isKnownError(error) && error.code === 'misused' ? 2 : 1
  }
}

/** One clear line for what we know; for a bug of ours, what it was, and its stack for who asks. */
function messageOf(error: unknown, terminal: Terminal): string {
  if (isKnownError(error)) return error.message
  const text = error instanceof Error ? error.message : String(error)
  if (terminal.env['SALLYPORT_DEBUG'] === '1' && error instanceof Error) return error.stack ?? text
  const code = error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return code !== undefined && /^E[A-Z]+$/.test(code) ? text : `unexpected: ${text} (SALLYPORT_DEBUG=1 shows where)`
}

type Done = (code: number) => void

function buildProgram(terminal: Terminal, done: Done): Command {
  const program = new Command('sallyport')
    .description('The open gateway between agents, people and production: identified, understood, judged, masked, recorded.')
    .version(VERSION, '-V, --version')
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => terminal.err(text) })
    .showHelpAfterError('(--help shows how)')
    .enablePositionalOptions()
    .exitOverride()
  addGatewayCommands(program, terminal, done)
  addDefinitionCommands(program, terminal, done)
  addLoginCommands(program, terminal)
  addAccessCommands(program, terminal, done)
  addReviewCommands(program, terminal)
  addRecordCommands(program, terminal, done)
  addExport(program, terminal)
  addPolicyCommands(program, terminal, done)
  return program
}

function command(parent: Command, name: string, description: string): Command {
  // `sallyport sessions` is `sallyport sessions list`.
  const isDefault = name === 'list' && parent.name() !== 'token'
  return parent.command(name, { isDefault }).description(description).option('--json', 'print JSON')
}

const configOption = (): Option => new Option('-c, --config <file>', 'the configuration file').default('sallyport.yaml')

function addGatewayCommands(program: Command, terminal: Terminal, done: Done): void {
  command(program, 'start', 'run a gateway node; prints one line per listener once it accepts')
    .addOption(configOption())
    .action(async (options: { config: string; json?: true }) =>
      done(await (await import('./commands/start.js')).startCommand(options, terminal)),
    )
  command(program, 'demo', 'everything in one process, and a tour of a minute; nothing else needed')
    .option('--once', 'end after the tour')
    .action(async (options: { once?: true; json?: true }) =>
      done(await (await import('./commands/demo.js')).demoCommand(options, terminal)),
    )
  command(program, 'status', 'how the running gateway does').action(async (options: { json?: true }) =>
    (await import('./commands/status.js')).statusCommand(options, terminal),
  )
  command(program, 'ca', 'the certificate that clients of this gateway trust, as PEM')
    .option('--ssh', 'a line for known_hosts: the authority of the host keys that SSH clients meet here')
    .option('--host-key', 'the SSH host key itself, without the host: for clients that know no certificates')
    .action(async (options: { json?: true; ssh?: true; hostKey?: true }) =>
      (await import('./commands/ca.js')).caCommand(options, terminal),
    )
  command(program, 'seal', 'a secret from stdin, sealed for this installation: paste it into the configuration').action(
    async (options: { json?: true }) => (await import('./commands/seal.js')).sealCommand(options, terminal),
  )
}

function addDefinitionCommands(program: Command, terminal: Terminal, done: Done): void {
  command(program, 'check', 'validate the configuration; names file, line and column of each fault')
    .addOption(configOption())
    .action(async (options: { config: string; json?: true }) =>
      done(await (await import('./commands/check.js')).checkCommand(options, terminal)),
    )
  command(program, 'apply', 'give a running gateway the targets, identities, grants and rules of a file; shows the difference')
    .requiredOption('-f, --file <file>', 'the configuration file')
    .option('--dry-run', 'show the difference and change nothing')
    .action(async (options: { file: string; dryRun?: true; json?: true }) =>
      done(await (await import('./commands/apply.js')).applyCommand(options, terminal)),
    )
  command(program, 'export-config', 'the targets, identities, grants and rules of the running gateway, as YAML').action(
    async (options: { json?: true }) => (await import('./commands/apply.js')).exportCommand(options, terminal),
  )
}

function addLoginCommands(program: Command, terminal: Terminal): void {
  command(program, 'login', 'log in at the gateway’s identity provider; keeps a short-lived token for the other commands')
    .option('--provider <name>', 'at which, where the gateway knows several')
    .option('--device', 'show an address and a code for a browser elsewhere, and open none here')
    .action(async (options: { provider?: string; device?: true; json?: true }) =>
      (await import('./commands/login.js')).loginCommand(options, terminal),
    )
  command(program, 'ssh-cert [public-key]', 'certify my SSH key (~/.ssh/id_ed25519.pub, or the next there is) for some hours')
    .option('--ttl <span>', 'how long at most: 15m, 8h', span('a minute', 60_000, 'a day', 86_400_000), 8 * 3_600_000)
    .action(async (file: string | undefined, options: { ttl: number; json?: true }) =>
      (await import('./commands/ssh-cert.js')).sshCertCommand(file, options, terminal),
    )
  command(program, 'logout', 'forget the token of `login`, and revoke it').action(async (options: { json?: true }) =>
    (await import('./commands/login.js')).logoutCommand(options, terminal),
  )
}

function addAccessCommands(program: Command, terminal: Terminal, done: Done): void {
  command(program, 'whoami', 'who the gateway takes me for').action(async (options: { json?: true }) =>
    (await import('./commands/access.js')).whoamiCommand(options, terminal),
  )
  command(program, 'targets', 'what I may reach, with a connection string each').action(async (options: { json?: true }) =>
    (await import('./commands/access.js')).targetsCommand(options, terminal),
  )
  const token = program.command('token').description('access tokens')
  command(token, 'create <identity>', 'print a new token, once')
    .option(
      '--ttl <span>',
      'how long it lives: 15m, 8h, 30d',
      span('a minute', 60_000, 'thirty days', 30 * 86_400_000),
      8 * 3_600_000,
    )
    .option('--on-behalf-of <user>', 'the person an agent acts for')
    .action(async (identity: string, options: { ttl: number; onBehalfOf?: string; json?: true }) =>
      (await import('./commands/token.js')).createCommand(identity, options, terminal),
    )
  command(token, 'list', 'who has which tokens').action(async (options: { json?: true }) =>
    (await import('./commands/token.js')).listCommand(options, terminal),
  )
  command(token, 'revoke <id>', 'end a token, and every session it opened, at once').action(
    async (id: string, options: { json?: true }) => (await import('./commands/token.js')).revokeCommand(id, options, terminal),
  )
  command(program, 'connect <target> [args...]', 'run psql on a target, credentials in the environment only')
    .option('--as <identity>', 'as whom (takes the admin token); absent: as SALLYPORT_TOKEN says')
    .action(async (target: string, args: string[], options: { as?: string }) =>
      done(await (await import('./commands/run.js')).connectCommand(target, args, options, terminal)),
    )
  command(program, 'run <command> [args...]', 'run a program with the environment for all its targets')
    .option('--as <identity>', 'as whom (takes the admin token); absent: as SALLYPORT_TOKEN says')
    .passThroughOptions()
    .action(async (program_: string, args: string[], options: { as?: string }) =>
      done(await (await import('./commands/run.js')).runCommand(program_, args, options, terminal)),
    )
}

function addReviewCommands(program: Command, terminal: Terminal): void {
  const reviews = program.command('reviews').description('statements that wait for a person')
  command(reviews, 'list', 'those I may decide or asked for')
    .addOption(new Option('--state <state>').choices(['open', 'approved', 'denied', 'expired', 'withdrawn']))
    .action(async (options: { state?: string; json?: true }) =>
      (await import('./commands/reviews.js')).listCommand(options, terminal),
    )
  command(reviews, 'show <id>', 'one of them, whole').action(async (id: string, options: { json?: true }) =>
    (await import('./commands/reviews.js')).showCommand(id, options, terminal),
  )
  for (const kind of ['approve', 'deny'] as const) {
    command(reviews, `${kind} <id>`, kind === 'approve' ? 'let it run' : 'refuse it')
      .option('--reason <text>', 'why', '')
      .action(async (id: string, options: { reason: string; json?: true }) =>
        (await import('./commands/reviews.js')).decideCommand(kind, id, options, terminal),
      )
  }
  command(reviews, 'watch', 'print each as it comes and as it is settled').action(async (options: { json?: true }) =>
    (await import('./commands/reviews.js')).watchCommand(options, terminal),
  )
}

function addRecordCommands(program: Command, terminal: Terminal, done: Done): void {
  const narrowed = (parent: Command, name: string, description: string): Command =>
    command(parent, name, description)
      .option('--identity <name>', 'of this identity')
      .option('--target <name>', 'on this target')
      .option('--since <when>', 'since so long ago (8h, 30d) or a date', since)
      .option('--limit <count>', 'so many at most', count(1, 1000), 100)
  const sessions = program.command('sessions').description('who was where, and what they did')
  narrowed(sessions, 'list', 'sessions, newest first')
    .option('--live', 'only those that are open now')
    .action(async (options: Narrowed) => (await import('./commands/sessions.js')).listCommand(options, terminal))
  command(sessions, 'show <id>', 'one session and its statements').action(async (id: string, options: { json?: true }) =>
    (await import('./commands/sessions.js')).showCommand(id, options, terminal),
  )
  command(sessions, 'end <id>', 'cut a live session at once')
    .option('--reason <text>', 'what its client is told', 'ended by an operator')
    .action(async (id: string, options: { reason: string; json?: true }) =>
      (await import('./commands/sessions.js')).endCommand(id, options, terminal),
    )
  narrowed(program, 'search <text>', 'statements across sessions').action(async (text: string, options: Narrowed) =>
    (await import('./commands/sessions.js')).searchCommand(text, options, terminal),
  )
  command(program, 'replay <session>', 'what was asked, ruled and answered, in its time')
    .option('--speed <factor>', 'so many times as fast; absent: as it was on a terminal, else at once', factor)
    .option('--instant', 'without waiting')
    .addOption(new Option('--format <format>').choices(['text', 'json', 'asciicast', 'har']).default('text'))
    .action(
      async (
        session: string,
        options: { speed?: number; instant?: true; format: 'text' | 'json' | 'asciicast' | 'har'; json?: true },
      ) => (await import('./commands/replay.js')).replayCommand(session, options, terminal),
    )
  command(program, 'verify [session]', 'prove the record whole and unaltered: exit 0 whole, 1 altered')
    .option('--all', 'every session (as without SESSION)')
    .option('--file <file>', 'a file of `export --format evidence`, without any gateway')
    .option('--key <file...>', 'with --file: count only signatures by this node (its keys/node.pub)')
    .action(async (session: string | undefined, options: VerifyOptions) =>
      done(await (await import('./commands/verify.js')).verifyCommand(session, options, terminal)),
    )
}

function addExport(program: Command, terminal: Terminal): void {
  program
    .command('export')
    .description('what was recorded, as lines on stdout, oldest first')
    .addOption(new Option('--format <format>', 'of the lines').choices(['jsonl', 'ocsf', 'evidence']).default('jsonl'))
    .option('--session <id...>', 'with --format evidence: these sessions; absent: all that have ended')
    .option('--json', 'print JSON: the lines always are')
    .option('--since <when>', 'since so long ago (8h, 30d) or a date', since)
    .option('--until <when>', 'until so long ago or a date', since)
    .option('--identity <name>', 'of this identity')
    .option('--target <name>', 'on this target')
    .addOption(new Option('--after <cursor>', 'go on after a cursor that an earlier export gave').conflicts('cursor'))
    .option('--cursor <file>', 'go on after the cursor in this file, where it is there, and keep the new one in it')
    .action(async (options: ExportOptions) => (await import('./commands/export.js')).exportRecordCommand(options, terminal))
}

export interface Narrowed {
  readonly identity?: string
  readonly target?: string
  readonly since?: Date
  readonly live?: true
  readonly limit: number
  readonly json?: true
}

function addPolicyCommands(program: Command, terminal: Terminal, done: Done): void {
  const policy = program.command('policy').description('why rules rule as they do')
  command(policy, 'explain', 'which rules match a statement, and why')
    .requiredOption('--identity <name>', 'who would ask')
    .requiredOption('--target <name>', 'where')
    .requiredOption('--statement <text>', 'what')
    .action(async (options: { identity: string; target: string; statement: string; json?: true }) =>
      (await import('./commands/policy-explain.js')).explainCommand(options, terminal),
    )
  command(policy, 'test <file>', 'statements with the ruling each must get; exit 1 where one gets another')
    .option('-c, --config <file>', 'judge by this file alone, without a gateway')
    .option('--schema <file>', 'with --config: the catalogue to read names by, as JSON')
    .action(async (file: string, options: { config?: string; schema?: string; json?: true }) =>
      done(await (await import('./commands/policy-test.js')).testCommand(file, options, terminal)),
    )
  addBacktest(policy, terminal, done)
}

function addBacktest(policy: Command, terminal: Terminal, done: Done): void {
  command(policy, 'backtest <file>', 'what the rules of a file would have done to what was recorded')
    .option('--since <when>', 'since so long ago (8h, 30d) or a date', since, since('30d'))
    .option('--until <when>', 'until so long ago or a date; absent: now', since)
    .option('--identity <name>', 'only statements of this identity')
    .option('--target <name>', 'only statements on this target')
    .option('--limit <count>', 'list so many of those that would be ruled otherwise', count(1, 10_000), 100)
    .action(async (file: string, options: BacktestOptions) =>
      done(await (await import('./commands/policy-backtest.js')).backtestCommand(file, options, terminal)),
    )
}

function span(leastName: string, least: number, mostName: string, most: number) {
  return (text: string): number => {
    const value = spanMs(text)
    if (value === undefined) throw new InvalidArgumentError('Write a span of time: 90s, 15m, 8h, 30d.')
    if (value < least || value > most) throw new InvalidArgumentError(`At least ${leastName}, at most ${mostName}.`)
    return value
  }
}

function since(text: string): Date {
  const time = timeBefore(text, Date.now())
  if (time === undefined) throw new InvalidArgumentError('Write how long ago (8h, 30d) or a date (2026-01-31).')
  return time
}

function count(least: number, most: number) {
  return (text: string): number => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= least && value <= most)) throw new InvalidArgumentError(`Write a number from ${least} to ${most}.`)
    return value
  }
}

function factor(text: string): number {
  const value = /^\d{1,6}(?:\.\d{1,3})?$/.test(text) ? Number(text) : Number.NaN
  if (!(value > 0)) throw new InvalidArgumentError('Write a number above 0: 4, or 0.5.')
  return value
}
