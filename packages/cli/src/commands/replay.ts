// A session again: what was asked, what was ruled, what the client saw; in its own time, faster, or at once.

import type { Line } from '@sallyport/core'
import { setTimeout as sleep } from 'node:timers/promises'
import { openClient } from '../client/gateway-client.js'
import { printable } from '../output/printable.js'
import type { Terminal } from '../output/terminal.js'

interface ReplayOptions {
  readonly speed?: number
  readonly instant?: true
  readonly format: 'text' | 'json' | 'asciicast' | 'har'
  readonly json?: true
}

/** A session may sit idle for hours; nobody wants to watch that. */
const LONGEST_PAUSE_MS = 3000

export async function replayCommand(session: string, options: ReplayOptions, terminal: Terminal): Promise<void> {
  const path = `/sessions/${encodeURIComponent(session)}/replay`
  if (options.format === 'har') {
    terminal.out(
      JSON.stringify(await openClient(terminal.env).call('GET', `/sessions/${encodeURIComponent(session)}/har`), null, 2),
    )
    return
  }
  if (options.format === 'asciicast') {
    for await (const line of openClient(terminal.env).lines<object>(`${path}?format=asciicast`)) {
      terminal.out(JSON.stringify(line))
      await terminal.drained()
    }
    return
  }
  const asJson = options.json === true || options.format === 'json'
  const waits = options.instant !== true && (options.speed !== undefined || (terminal.isTty && !asJson))
  let before: number | undefined
  for await (const line of openClient(terminal.env).lines<Line>(path)) {
    if (waits && before !== undefined)
      await sleep(Math.min(LONGEST_PAUSE_MS, Math.max(0, (line.at - before) / 1000 / (options.speed ?? 1))))
    before = line.at
    terminal.out(asJson ? JSON.stringify(line) : asText(line))
    await terminal.drained()
  }
}

const MARKS: Readonly<Record<Line['from'], string>> = { client: '>', upstream: '<', gateway: '#' }

/** `12:30:01.250 > select 1`: `>` the client, `<` what came back, `#` what Sallyport did. */
export function asText(line: Line): string {
  const time = new Date(line.at / 1000).toISOString().slice(11, 23)
  return printable(line.text)
    .split('\n')
    .map((part, index) => `${index === 0 ? time : ' '.repeat(time.length)} ${MARKS[line.from]} ${part}`)
    .join('\n')
}
