// Word between nodes: definitions were replaced, a token was revoked, a session must end. A notice may be lost with its connection, so
// what it would have said is also looked up now and then.

import type { Gateway } from '@sallyport/gateway'
import type { TokenTable } from '@sallyport/identity'
import type { Store } from '@sallyport/store'
import type { KeptDefinitions } from './kept-definitions.js'
import type { Log } from './logging.js'

export interface Heard {
  readonly gateway: Gateway
  readonly definitions: KeptDefinitions
  readonly tokens: Pick<TokenTable, 'list'>
}

const DEFINITIONS = 'definitions'
const TOKENS = 'tokens'
const SESSIONS = 'sessions'

/** A lost notice is made up for after so long. */
const LOOK_AGAIN_MS = 30_000

export class Notices {
  readonly #channel: Store['notices']
  readonly #node: string
  readonly #log: Log
  readonly #stops: (() => Promise<void>)[] = []
  #again: NodeJS.Timeout | undefined

  constructor(channel: Store['notices'], node: string, log: Log) {
    this.#channel = channel
    this.#node = node
    this.#log = log
  }

  definitionsChanged(revision: number): Promise<void> {
    return this.#channel.send(DEFINITIONS, JSON.stringify({ node: this.#node, revision }))
  }

  tokenRevoked(id: string): Promise<void> {
    return this.#channel.send(TOKENS, JSON.stringify({ node: this.#node, id }))
  }

  sessionEnds(id: string, reason: string): Promise<void> {
    return this.#channel.send(SESSIONS, JSON.stringify({ node: this.#node, id, reason }))
  }

  async listen(heard: Heard): Promise<void> {
    const { gateway, definitions } = heard
    const lookAgain = (): void => void this.#lookAgain(heard)
    const on = async (channel: string, act: (notice: Readonly<Record<string, unknown>>) => void): Promise<void> => {
      this.#stops.push(await this.#channel.listen(channel, (payload) => this.#act(payload, act), lookAgain))
    }
    await on(DEFINITIONS, () => void definitions.reload().catch((error: unknown) => this.#failed(error)))
    await on(TOKENS, ({ id }) => void gateway.endWhere((session) => session.tokenId === id, 'the access token was revoked'))
    await on(
      SESSIONS,
      ({ id, reason }) => void (typeof id === 'string' && gateway.end(id, typeof reason === 'string' ? reason : 'ended')),
    )
    this.#again = setInterval(lookAgain, LOOK_AGAIN_MS)
    this.#again.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#again)
    for (const stop of this.#stops) await stop()
  }

  #act(payload: string, act: (notice: Readonly<Record<string, unknown>>) => void): void {
    try {
      const notice: unknown = JSON.parse(payload)
      if (typeof notice === 'object' && notice !== null) act({ ...notice })
    } catch (error) {
      this.#failed(error)
    }
  }

  async #lookAgain({ gateway, definitions, tokens }: Heard): Promise<void> {
    try {
      await definitions.reload()
      const inUse = new Set(gateway.live().flatMap(({ tokenId }) => (tokenId === undefined ? [] : [tokenId])))
      if (inUse.size === 0) return
      const revoked = new Set((await tokens.list()).flatMap(({ id, revokedAt }) => (revokedAt === null ? [] : [id])))
      gateway.endWhere(({ tokenId }) => tokenId !== undefined && revoked.has(tokenId), 'the access token was revoked')
    } catch (error) {
      this.#failed(error)
    }
  }

  #failed(error: unknown): void {
    this.#log('warn', 'news of other nodes could not be had', { error })
  }
}
