// Lists of MCP tools: what may not be called is not shown, and a tool whose description or parameters changed since it was last listed is
// marked, for a description is an instruction that a model follows.

import { createHash } from 'node:crypto'
import { Remembered } from '@sallyport/core'
import type { Session } from '@sallyport/core'
import { callEffects, statementOf } from './understand.js'

/** Places whose tools are at hand; each may list some thousands. */
const maxPlaces = 1_000
const maxTools = 2_000

/** Kept over restarts and for all nodes: digests of tools by their names. */
export interface ToolMemory {
  digests(place: string): Promise<ReadonlyMap<string, string>>
  keep(place: string, digests: ReadonlyMap<string, string>): Promise<void>
}

type Trouble = (reason: string) => void

export class ToolLists {
  readonly #memory: ToolMemory
  readonly #known = new Remembered<string, Map<string, string>>({ entries: maxPlaces, weight: 20 * maxTools })

  constructor(memory: ToolMemory) {
    this.#memory = memory
  }

  /** Before a list is asked for: what its tools said when they were last listed. Without it a change of theirs is not noticed. */
  async recall(session: Session, path: string, trouble: Trouble): Promise<void> {
    const place = placeOf(session, path)
    if (this.#known.get(place) !== undefined) return
    try {
      const digests = new Map(await this.#memory.digests(place))
      if (this.#known.get(place) === undefined) this.#known.set(place, digests, 1 + digests.size)
    } catch (error) {
      trouble(error instanceof Error ? error.message : String(error))
    }
  }

  /** For the answers to requests of this session at this path. */
  filter(
    session: Session,
    method: string,
    path: string,
    mark: (name: string, detail: string) => void,
    trouble: Trouble,
  ): (json: unknown) => unknown {
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
      this.#watch(placeOf(session, path), tools, mark, trouble)
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

  #watch(place: string, tools: Tools, mark: (name: string, detail: string) => void, trouble: Trouble): void {
    const known = this.#known.get(place) ?? new Map<string, string>()
    const news = new Map<string, string>()
    for (const tool of tools.list) {
      const name = nameOf(tool)
      const digest = createHash('sha256').update(JSON.stringify(tool)).digest('hex')
      const before = known.get(name)
      if (before === digest) continue
      if (before !== undefined) mark('tool-changed', `${name}: what it says of itself changed from sha256 ${before} to ${digest}`)
      if (before === undefined && known.size >= maxTools) continue
      known.set(name, digest)
      news.set(name, digest)
    }
    this.#known.set(place, known, 1 + known.size)
    if (news.size > 0) this.#memory.keep(place, news).catch((error: unknown) => trouble(String(error)))
  }
}

function placeOf({ target }: Session, path: string): string {
  return `${target.name} ${target.address} ${path.split('?', 1)[0] ?? ''}`
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
