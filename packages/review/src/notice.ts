// What a waiting caller is told: what waits, who may approve, where, and how.

import type { ReviewAsk, ReviewNotice, ReviewRecord } from '@sallyport/core'

export function noticeOf(record: ReviewRecord, consoleAddress: string): ReviewNotice {
  const address = `${consoleAddress.replace(/\/$/, '')}/reviews/${record.id}`
  const why = record.asks.map(({ rule, reason }) => `${rule}: ${reason}`).join('; ')
  const within = inWords(record.expiresAt.getTime() - record.createdAt.getTime())
  const text =
    `statement ${record.statement} waits for review ${record.id} (${why}) ` +
    `Needed within ${within}: ${record.asks.map(whoMay).join(', and ')}. ` +
    `Look at it on ${address} or approve it with: sallyport reviews approve ${record.id}`
  return { review: record.id, address, text }
}

function whoMay({ reviewers }: ReviewAsk): string {
  const { groups, names, count } = reviewers
  const people = count === 1 ? '1 person' : `${count} people`
  const from = [groups.length === 0 ? '' : `of ${groups.join(' or ')}`, names.length === 0 ? '' : `named ${names.join(' or ')}`]
  return `${people} ${from.filter((part) => part !== '').join(' or ')}`
}

function inWords(spanMs: number): string {
  const seconds = Math.round(spanMs / 1000)
  if (seconds < 120) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}
