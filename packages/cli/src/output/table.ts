// Rows for people: a table on a terminal, tab-separated lines for programs that read on.

import { printable } from './printable.js'
import type { Terminal } from './terminal.js'

export type Cell = string | number | boolean | null | undefined

export async function printTable(terminal: Terminal, heads: readonly string[], rows: readonly (readonly Cell[])[]): Promise<void> {
  const cells = rows.map((row) => row.map(shown))
  if (!terminal.isTty) {
    for (const row of cells) terminal.out(row.map((cell) => cell.replaceAll(/[\t\n]+/g, ' ')).join('\t'))
    return
  }
  if (rows.length === 0) return terminal.err('nothing to show')
  const { default: Table } = await import('cli-table3')
  const table = new Table({ head: [...heads], style: { head: ['bold'], border: ['grey'], compact: true } })
  table.push(...cells)
  terminal.out(table.toString())
}

function shown(cell: Cell): string {
  return cell === null || cell === undefined ? '' : printable(String(cell))
}

/** An ISO time as a person reads it, to the second, in UTC as the record has it. */
export function shortTime(iso: string | Date | null): string {
  if (iso === null) return ''
  return new Date(iso).toISOString().replace('T', ' ').slice(0, 19)
}
