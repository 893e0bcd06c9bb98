// Every command, its arguments and flags. What a command does is loaded when it is called, so that none waits for another's rooms.

import { Command, CommanderError, Option } from 'commander'
import { isKnownError } from '@sallyport/core'
import { command, span } from './command-parts.js'
import type { Done } from './command-parts.js'
import { addPolicyCommands } from './policy-commands.js'
import { addExport, addRecordCommands } from './record-commands.js'
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
  const targets = program.command('targets').description('what I may reach, and what there is')
  command(targets, 'list', 'each with a connection string').action(async (options: { json?: true }) =>
    (await import('./commands/access.js')).targetsCommand(options, terminal),
  )
  command(targets, 'schema <target>', 'its tables, columns, views and functions, as JSON for `policy test --schema`').action(
    async (target: string) => (await import('./commands/access.js')).schemaCommand(target, terminal),
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
