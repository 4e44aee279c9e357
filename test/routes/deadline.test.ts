import { describe, expect, it } from 'vitest'
import { requestTimeoutMs } from '../../src/routes/deadline.ts'

describe('requestTimeoutMs', () => {
  it('is the server’s own limit when nothing is asked for', () => {
    expect(requestTimeoutMs({}, 30_000)).toBe(30_000)
  })

  it.each([
    ['x-request-timeout-ms', '250', 250],
    ['x-envoy-expected-rq-timeout-ms', '15', 15],
    ['grpc-timeout', '100m', 100],
    ['grpc-timeout', '2S', 2000],
    ['grpc-timeout', '5000u', 5],
    ['grpc-timeout', '1000000n', 1],
    ['x-request-timeout-ms', '0', 0],
  ])('%s: %s is %d ms', (name, value, expected) => {
    expect(requestTimeoutMs({ [name]: value }, 30_000)).toBeCloseTo(expected)
  })

  it('takes the shortest of several', () => {
    expect(requestTimeoutMs({ 'x-request-timeout-ms': '300', 'grpc-timeout': '200m' }, 30_000)).toBe(200)
  })

  it('never extends the server’s limit', () => {
    expect(requestTimeoutMs({ 'x-request-timeout-ms': '99999999' }, 30_000)).toBe(30_000)
    expect(requestTimeoutMs({ 'grpc-timeout': '99999999H' }, 30_000)).toBe(30_000)
  })

  it.each(['-1', '1.5', 'soon', '', '1e3', '1234567890123'])('refuses x-request-timeout-ms: "%s"', (value) => {
    expect(() => requestTimeoutMs({ 'x-request-timeout-ms': value }, 30_000)).toThrow(/whole number/)
  })

  it.each(['100', 'm', '100x', '123456789m'])('refuses grpc-timeout: "%s"', (value) => {
    expect(() => requestTimeoutMs({ 'grpc-timeout': value }, 30_000)).toThrow(/grpc-timeout/)
  })
})
