// Keyboard-interactive (RFC 4256): a person logs in at an identity provider. The prompt shows the provider's address and a code; who has agreed
// there presses Enter here. An access token may be typed or pasted instead.

import { Denied, secret } from '@sallyport/core'
import type { CodeLogins, Proof } from '@sallyport/core'
import type { KeyboardAuthContext } from 'ssh2'

export interface AskOptions {
  readonly logins: CodeLogins
  /** `address:port` of the client's end. */
  readonly from: string
  /** Aborted when the client is gone or asks for something else. */
  readonly signal: AbortSignal
  /** Told until when a person may take: longer than a login may. */
  readonly onWait: (until: Date) => void
}

const title = 'Sallyport login'
/** PG_MAX_AUTH_TOKEN_LENGTH is as good a limit here: JWTs fit well. */
export const maxTokenCharacters = 65_535
/** Nobody opens a page, logs in and agrees in less; a program without a person answers every prompt at once. */
const fastestPersonMs = 1_000

/** The providers that can be logged in at from here. */
export function byCode({ providers }: CodeLogins): readonly string[] {
  return providers.filter(({ flows }) => flows.includes('device')).map(({ name }) => name)
}

/** What the person showed; undefined where there was none, or they were told why it did not work. */
export async function askPerson(context: KeyboardAuthContext, options: AskOptions): Promise<Proof | undefined> {
  const over = new AbortController()
  const signal = AbortSignal.any([options.signal, over.signal])
  try {
    const provider = await chosen(context, byCode(options.logins))
    return provider === undefined ? undefined : await agreed(context, provider, { ...options, signal })
  } catch (error) {
    if (options.signal.aborted) return undefined
    if (!(error instanceof Denied)) throw error
    await tell(context, error.message)
    return undefined
  } finally {
    // Nobody waits for the provider any more.
    over.abort()
  }
}

async function chosen(context: KeyboardAuthContext, names: readonly string[]): Promise<string | undefined> {
  const [first, second] = names
  if (second === undefined) return first
  const answer = await prompted(context, `Log in at which identity provider? There is: ${names.join(', ')}`, 'Provider: ', true)
  if (answer === undefined || answer === '') return undefined
  if (!names.includes(answer))
    throw new Denied('no-such-provider', `there is no such identity provider; there is: ${names.join(', ')}`)
  return answer
}

async function agreed(context: KeyboardAuthContext, provider: string, options: AskOptions): Promise<Proof | undefined> {
  const { logins, from, signal, onWait } = options
  const device = await logins.device(provider, { from, signal })
  onWait(device.expiresAt)
  const settled = device.settle()
  settled.catch(() => {})
  const { address, userCode, addressWithCode } = device
  const also = addressWithCode === undefined ? '' : `\nor open ${addressWithCode} and check that it shows this code`
  const text = `Open ${address} in any browser and enter the code ${userCode}${also}`
  const askedAt = performance.now()
  const answer = await prompted(context, text, 'Press Enter once you have agreed there (or type an access token): ', false)
  if (answer === undefined) return undefined
  if (answer !== '') return answer.length > maxTokenCharacters ? undefined : { kind: 'token', token: secret(answer) }
  if (performance.now() - askedAt < fastestPersonMs)
    throw new Denied('nobody-there', 'this login needs a person; show a key, a certificate or an access token')
  return { kind: 'token', token: (await settled).token }
}

/** Undefined where the client asks for something else instead, or does not answer one prompt with one text. */
function prompted(context: KeyboardAuthContext, text: string, prompt: string, echo: boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    // The library hands over an Error where the client gave up this method.
    const answered = (answers: unknown): void => {
      const [answer, another]: readonly unknown[] = Array.isArray(answers) ? answers : []
      resolve(typeof answer === 'string' && another === undefined ? answer.trim() : undefined)
    }
    context.prompt([{ prompt, echo }], title, text, answered)
  })
}

/** A message without a question (RFC 4256, section 3.2); clients show it and answer at once. */
function tell(context: KeyboardAuthContext, text: string): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, fastestPersonMs)
    context.prompt([], title, text, () => {
      clearTimeout(late)
      resolve()
    })
  })
}
