// Lists of MCP tools: what may not be called is not shown, and a tool whose description or parameters changed since it was last listed is
// marked, for a description is an instruction that a model follows.

import { createHash } from 'node:crypto'
import { Remembered } from '@sallyport/core'
import type { Session } from '@sallyport/core'
import { callEffects, statementOf } from './understand.js'

const maxTools = 20_000

/** Digests of the tools of all targets, as long as this process runs. */
export class ToolLists {
  readonly #known = new Remembered<string, string>({ entries: maxTools, weight: maxTools })

  /** For the answers to requests of this session at this path. */
  filter(session: Session, method: string, path: string, mark: (name: string, detail: string) => void): (json: unknown) => unknown {
    const allowed = (tool: string): boolean => {
      const understood = {
        effects: callEffects(session.target, method, path, tool),
        facts: { asked: [], calls: [] },
        text: `tools/call ${tool}`,
        parameters: [],
      }
      const verdict = session.foresee(statementOf(0, understood))
      // What depends on the arguments can be told only when they are there.
      return verdict.kind !== 'deny' || verdict.cause === 'not-understood'
    }
    const one = (message: unknown): unknown => {
      const tools = toolsIn(message)
      if (tools === undefined) return message
      this.#watch(session, path, tools, mark)
      const kept = tools.list.filter((tool) => allowed(nameOf(tool)))
      if (kept.length === tools.list.length) return message
      mark(
        'tools-hidden',
        tools.list
          .filter((tool) => !allowed(nameOf(tool)))
          .map(nameOf)
          .join(', '),
      )
      return { ...tools.message, result: { ...tools.result, tools: kept } }
    }
    return (json) => {
      if (!Array.isArray(json)) return one(json)
      const messages = json as readonly unknown[]
      const after = messages.map(one)
      return after.every((message, index) => message === messages[index]) ? json : after
    }
  }

  #watch(session: Session, path: string, tools: Tools, mark: (name: string, detail: string) => void): void {
    for (const tool of tools.list) {
      const name = nameOf(tool)
      const key = `${session.target.name}\n${session.target.address}\n${path.split('?', 1)[0] ?? ''}\n${name}`
      const digest = createHash('sha256').update(JSON.stringify(tool)).digest('hex')
      const before = this.#known.get(key)
      this.#known.set(key, digest, 1)
      if (before !== undefined && before !== digest)
        mark('tool-changed', `${name}: what it says of itself changed from sha256 ${before} to ${digest}`)
    }
  }
}

interface Tools {
  readonly message: object
  readonly result: object
  readonly list: readonly unknown[]
}

function toolsIn(message: unknown): Tools | undefined {
  if (typeof message !== 'object' || message === null || !('result' in message)) return undefined
  const { result } = message
  if (typeof result !== 'object' || result === null || !('tools' in result) || !Array.isArray(result.tools)) return undefined
  return { message, result, list: result.tools as readonly unknown[] }
}

function nameOf(tool: unknown): string {
  return typeof tool === 'object' && tool !== null && 'name' in tool && typeof tool.name === 'string' ? tool.name : ''
}
