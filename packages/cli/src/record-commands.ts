// The commands about what was recorded: lists, search, replay, verify, export.

import { Option } from 'commander'
import type { Command } from 'commander'
import { command, count, factor, since } from './command-parts.js'
import type { Done } from './command-parts.js'
import type { ExportOptions } from './commands/export.js'
import type { VerifyOptions } from './commands/verify.js'
import type { Terminal } from './output/terminal.js'

export function addRecordCommands(program: Command, terminal: Terminal, done: Done): void {
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
    .option('--session <id...>', 'with --file: these sessions must be in it')
    .action(async (session: string | undefined, options: VerifyOptions) =>
      done(await (await import('./commands/verify.js')).verifyCommand(session, options, terminal)),
    )
}

export function addExport(program: Command, terminal: Terminal): void {
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
