import { describe, expect, it } from 'vitest'
import { readableValues } from './parameters.js'

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

describe('bound values', () => {
  it('reads text as it is and NULL as null', () => {
    expect(readableValues([Buffer.from('héllo'), null], [], [])).toEqual(['héllo', null])
  })

  it.each([
    [16, '01', 't'],
    [20, 'fffffffffffffffe', '-2'],
    [21, '0102', '258'],
    [23, '0000002a', '42'],
    [701, '3ff8000000000000', '1.5'],
    [1082, '00000000', '2000-01-01'],
    [1082, 'fffffff6', '1999-12-22'],
    [1114, '00000000000f4241', '2000-01-01 00:00:01.000001'],
    [2950, '00112233445566778899aabbccddeeff', '00112233-4455-6677-8899-aabbccddeeff'],
    [3802, '017b7d', '{}'],
    [999, 'cafe', '\\xcafe'],
    [23, 'cafe', '\\xcafe'],
  ])('reads binary of type %i', (type, hex, expected) => {
    expect(readableValues([bytes(hex)], [1], [type])).toEqual([expected])
  })

  it('applies one format code to all, and several to each', () => {
    expect(readableValues([bytes('0000002a'), bytes('0000002b')], [1], [23, 23])).toEqual(['42', '43'])
    expect(readableValues([Buffer.from('a'), bytes('0000002b')], [0, 1], [25, 23])).toEqual(['a', '43'])
  })
})
