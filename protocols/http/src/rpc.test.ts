import { describe, expect, it } from 'vitest'
import { readRpc } from './rpc.js'

const call = (more: object): object => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name: 'find', arguments: {} },
  ...more,
})

describe('JSON-RPC', () => {
  it.each([
    [call({}), [{ method: 'tools/call', tool: 'find', access: 'write', id: 1 }]],
    [{ jsonrpc: '2.0', method: 'notifications/initialized' }, [{ method: 'notifications/initialized', access: 'read' }]],
    [{ jsonrpc: '2.0', id: 'a', method: 'tools/list' }, [{ method: 'tools/list', access: 'read', id: 'a' }]],
    [{ jsonrpc: '2.0', id: 2, method: 'own/thing' }, [{ method: 'own/thing', access: 'write', id: 2 }]],
    [{ jsonrpc: '2.0', id: 3, result: {} }, [{ access: 'read', id: 3 }]],
    [
      [call({}), { jsonrpc: '2.0', id: 2, method: 'ping' }],
      [
        { method: 'tools/call', tool: 'find', access: 'write', id: 1 },
        { method: 'ping', access: 'read', id: 2 },
      ],
    ],
    [
      call({ params: { name: 'find', _meta: { traceparent: 'tp' } } }),
      [{ method: 'tools/call', tool: 'find', access: 'write', id: 1, traceparent: 'tp' }],
    ],
  ])('%j', (json, calls) => expect(readRpc(json)).toEqual(calls))

  it.each([[{}], [[]], [null], ['jsonrpc'], [5], [{ method: 'x' }], [[1, 2]]])('%j is none', (json) => {
    expect(readRpc(json)).toBeUndefined()
  })

  it.each([
    [call({ Method: 'ping' })],
    [{ JSONRPC: '2.0', id: 1, method: 'tools/call', params: { name: 'find' } }],
    [{ jsonrpc: '2.0', id: 1 }],
    [{ jsonrpc: '2.0', id: 1, method: 5 }],
    [call({ params: { Name: 'delete', name: 'find' } })],
    [call({ params: { name: 7 } })],
    [call({ params: ['find'] })],
    [[call({}), { method: 'ping' }]],
    [[call({}), 'text']],
    [{ method: 'tools/call', params: { name: 'find' } }],
  ])('%j could be read in two ways', (json) => expect(readRpc(json)).toBe('ambiguous'))
})
