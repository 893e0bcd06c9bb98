import { describe, expect, it } from 'vitest'
import { readingsOf } from './paths.js'

describe('a path in every way a server could read it', () => {
  it.each([
    ['/orders/5', ['/orders/5']],
    ['/%61dmin', ['/admin']],
    ['/orders//5', ['/orders//5', '/orders/5']],
    ['/orders%2f5', ['/orders/5']],
    ['/orders%5c5', ['/orders\\5', '/orders/5']],
    ['/orders;v=1/5', ['/orders;v=1/5', '/orders/5']],
    ['/%2561dmin', ['/%61dmin', '/admin']],
    ['/x/%252e%252e/admin', ['/x/%2e%2e/admin', '/admin']],
    ['/x/..;/admin', ['/x/..;/admin', '/admin']],
    ['/%C3%A9', ['/é']],
  ])('%s', (path, readings) => expect(readingsOf(path)).toEqual(readings))

  it.each(['/%ff', '/%00', '/a%0d%0ab', '/%c0%ae'])('%s is refused', (path) => {
    expect(() => readingsOf(path)).toThrow(/path/)
  })

  it('whatever it is given, it answers or refuses', () => {
    let state = 7
    const letters = ['/', '.', '%', '2', 'f', 'e', ';', '\\', 'a', '%2e', '%2f', '%25', '..', '//']
    for (let round = 0; round < 5_000; round += 1) {
      let path = '/'
      for (let length = 0; length < 12; length += 1) {
        state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
        path += letters[state % letters.length] ?? ''
      }
      let readings: readonly string[] = []
      try {
        readings = readingsOf(path)
      } catch (error) {
        expect(String(error)).toMatch(/path/)
        continue
      }
      expect(readings.length).toBeGreaterThan(0)
      // No reading but the raw one may keep dot segments that a server would resolve.
      for (const reading of readings.slice(1)) expect(reading.split('/')).not.toContain('..')
    }
  })
})
