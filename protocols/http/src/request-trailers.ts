// HTTP/1.1 to a target for the rare request that has trailers, which undici cannot send: a connection of its own, closed after it.

import { request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage } from 'node:http'
import type { Session } from '@sallyport/core'
import type { Dispatcher } from 'undici'
import type { Answering } from './answer.js'
import type { StoredCredential } from './credential.js'
import { drained } from './drained.js'
import { without } from './headers.js'
import { answerWithinMs, maxHeaderBytes } from './limits.js'
import { AnswerTooLate } from './too-late.js'
import { connectTo } from './connecting.js'
import type { Sending } from './sending.js'

/** Told to `answering`, also where it fails. */
export async function sendWithTrailers(
  session: Session,
  stored: StoredCredential,
  sending: Sending,
  answering: Answering,
): Promise<void> {
  try {
    const socket = await connectTo(session, stored)
    const { method, path, headers, body, trailers } = sending
    // With a length there is no place for trailers (RFC 9112, section 7.1.2).
    const own = [...without(headers, new Set(['content-length'])), 'transfer-encoding', 'chunked', 'connection', 'close']
    const sent = httpRequest({
      method,
      path,
      headers: own,
      setHost: false,
      createConnection: () => socket,
      maxHeaderSize: maxHeaderBytes,
    })
    listen(sent, answering)
    for await (const chunk of body instanceof Buffer ? [body] : (body ?? [])) {
      if (sent.destroyed) return
      if (!sent.write(chunk)) await drained(sent)
    }
    sent.addTrailers(trailers().map(([name, value]) => [name, value] as [string, string]))
    sent.end()
  } catch (error) {
    answering.failed(error)
  }
}

function listen(sent: ClientRequest, answering: Answering): void {
  const controller = controllerOf(sent)
  const late = setTimeout(() => sent.destroy(new AnswerTooLate()), answerWithinMs)
  answering.onRequestStart(controller)
  let ended = false
  sent.on('error', (error) => {
    clearTimeout(late)
    if (!ended) answering.onResponseError(controller, error)
  })
  sent.on('response', (response: IncomingMessage) => {
    clearTimeout(late)
    controller.rawHeaders = response.rawHeaders.map((text) => Buffer.from(text, 'latin1'))
    controller.answer = response
    answering.onResponseStart(controller, response.statusCode ?? 502)
    response.on('data', (chunk: Buffer) => answering.onResponseData(controller, chunk))
    response.on('end', () => {
      ended = true
      answering.onResponseEnd(controller, response.trailers)
    })
    response.on('error', (error) => answering.onResponseError(controller, error))
  })
}

function controllerOf(sent: ClientRequest): Dispatcher.DispatchController & { answer?: IncomingMessage } {
  const controller: Dispatcher.DispatchController & { answer?: IncomingMessage } = {
    get aborted() {
      return sent.destroyed
    },
    get paused() {
      return controller.answer?.isPaused() ?? false
    },
    get reason() {
      return null
    },
    rawHeaders: [],
    abort: (error) => sent.destroy(error),
    pause: () => controller.answer?.pause(),
    resume: () => controller.answer?.resume(),
  }
  return controller
}
