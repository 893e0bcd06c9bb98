// The record as events of the Open Cybersecurity Schema Framework (schema.ocsf.io): beginnings and ends of sessions as Authentication (3002),
// statements as Datastore Activity (6005), SSH Activity (4007) or HTTP Activity (4002). What the schema has no place for is `unmapped`.

import type { RecordedEvent, RecordedStatement, SessionSummary } from '@sallyport/core'
import { VERSION } from '../version.js'
import { datastoreActivity, httpActivity, sshActivity } from './ocsf-activities.js'

const SCHEMA = '1.9.0'

const AUTHENTICATION = {
  category_uid: 3,
  category_name: 'Identity & Access Management',
  class_uid: 3002,
  class_name: 'Authentication',
}

export function ocsfEvent(event: RecordedEvent): object {
  return event.kind === 'statement' ? statementEvent(event.session, event.statement, event.cursor) : sessionEvent(event)
}

function sessionEvent({ kind, cursor, session }: Exclude<RecordedEvent, { kind: 'statement' }>): object {
  const began = kind === 'began'
  const { startedAt, endedAt, outcome, statements, denied, bytes } = session
  const unmapped = began ? {} : { outcome, statements, denied, bytes }
  const from = milliseconds(startedAt)
  const to = milliseconds(endedAt ?? startedAt)
  return {
    ...AUTHENTICATION,
    ...activity(AUTHENTICATION.class_uid, began ? 1 : 2, began ? 'Logon' : 'Logoff'),
    ...common(`${session.id}/${began ? 'began' : 'ended'}`, began ? from : to),
    severity_id: 1,
    severity: 'Informational',
    status_id: 1,
    status: 'Success',
    ...(began ? {} : { status_detail: outcome ?? '', start_time: from, end_time: to, duration: to - from }),
    message: `${who(session)} ${began ? 'began' : 'ended'} a session on ${session.target}`,
    user: userOf(session),
    is_remote: true,
    session: sessionOf(session),
    ...endpoints(session),
    service: { name: 'sallyport' },
    unmapped: { cursor, ...facts(session), ...unmapped },
  }
}

function statementEvent(session: SessionSummary, statement: RecordedStatement, cursor: string): object {
  const { id, at, kind, text, effects, ruling, rows, bytes, durationMs, error } = statement
  const time = milliseconds(at)
  const what =
    session.protocol === 'ssh'
      ? sshActivity(statement)
      : session.protocol === 'http'
        ? httpActivity(session, statement)
        : datastoreActivity(session, statement)
  const denied = ruling?.kind === 'deny'
  const took =
    durationMs === null ? {} : { duration: Math.round(durationMs), start_time: time, end_time: time + Math.round(durationMs) }
  return {
    ...what.classification,
    ...activity(what.classification.class_uid, what.activity.id, what.activity.name),
    ...common(`${session.id}/${id}`, time),
    severity_id: denied ? 3 : 1,
    severity: denied ? 'Medium' : 'Informational',
    ...took,
    ...controlled(ruling),
    ...statusOf(statement),
    message: text,
    actor: { user: userOf(session), session: sessionOf(session) },
    ...endpoints(session),
    ...what.details,
    unmapped: { cursor, statement: id, kind, ...facts(session), effects, rows, bytes, ruling: rulingFacts(ruling), error },
  }
}

function activity(classUid: number, id: number, name: string): object {
  return { activity_id: id, activity_name: name, type_uid: classUid * 100 + id }
}

function common(uid: string, time: number): object {
  const product = { name: 'Sallyport', vendor_name: 'Sallyport', version: VERSION }
  return { time, metadata: { version: SCHEMA, uid, product, profiles: ['security_control'] } }
}

/** Profile security_control. */
function controlled(ruling: RecordedStatement['ruling']): object {
  if (ruling === null) return { action_id: 0, action: 'Unknown', disposition_id: 0, disposition: 'Unknown' }
  const policy =
    ruling.rule === null ? {} : { policy: { name: ruling.rule, ...(ruling.reason === null ? {} : { desc: ruling.reason }) } }
  if (ruling.kind === 'deny') return { action_id: 2, action: 'Denied', disposition_id: 2, disposition: 'Blocked', ...policy }
  if (ruling.kind === 'mask') return { action_id: 4, action: 'Modified', disposition_id: 1, disposition: 'Allowed', ...policy }
  return { action_id: 1, action: 'Allowed', disposition_id: 1, disposition: 'Allowed', ...policy }
}

function statusOf({ ruling, durationMs, error }: RecordedStatement): object {
  if (ruling?.kind === 'deny') return { status_id: 2, status: 'Failure', status_detail: ruling.reason ?? ruling.cause ?? '' }
  if (error !== null) return { status_id: 2, status: 'Failure', status_detail: error }
  if (durationMs === null) return { status_id: 0, status: 'Unknown' }
  return { status_id: 1, status: 'Success' }
}

function userOf(session: SessionSummary): object {
  const { identity, kind, groups } = session
  const type = kind === 'person' ? { type_id: 1, type: 'User' } : { type_id: 4, type: 'Service' }
  return { name: identity, uid: identity, ...type, groups: groups.map((name) => ({ name })) }
}

function sessionOf({ id, startedAt }: SessionSummary): object {
  return { uid: id, created_time: milliseconds(startedAt), is_remote: true, issuer: 'sallyport' }
}

/** The client's end, and the target. */
function endpoints({ client, target, protocol }: SessionSummary): object {
  const [, host = '', port = ''] = /^(.*):(\d{1,5})$/.exec(client) ?? []
  const ip = host.replace(/^\[|\]$/g, '')
  const source = ip === '' ? { name: client === '' ? 'unknown' : client } : { ip, port: Number(port) }
  return { src_endpoint: source, dst_endpoint: { name: target, svc_name: protocol } }
}

function facts({ kind, onBehalfOf, application, node, target, protocol }: SessionSummary): object {
  return { identity_kind: kind, on_behalf_of: onBehalfOf, application, node, target, protocol }
}

function rulingFacts(ruling: RecordedStatement['ruling']): object | null {
  if (ruling === null) return null
  const { kind, rule, cause, reviewers, masks } = ruling
  return { kind, rule, cause, reviewers, masks }
}

function who({ identity, onBehalfOf }: SessionSummary): string {
  return onBehalfOf === null ? identity : `${identity} for ${onBehalfOf}`
}

const milliseconds = (iso: string): number => Date.parse(iso)
