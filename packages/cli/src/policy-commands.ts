// The commands about rules: why they rule so, whether they rule as they must, what they would have done.

import type { Command } from 'commander'
import { command, count, since } from './command-parts.js'
import type { Done } from './command-parts.js'
import type { BacktestOptions } from './commands/policy-backtest.js'
import type { Terminal } from './output/terminal.js'

export function addPolicyCommands(program: Command, terminal: Terminal, done: Done): void {
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
    .option('--schema <file...>', 'with --config: read names by these, printed by `targets schema`')
    .action(async (file: string, options: { config?: string; schema?: string[]; json?: true }) =>
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
