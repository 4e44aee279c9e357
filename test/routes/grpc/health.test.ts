import { Metadata, status } from '@grpc/grpc-js'
import { describe, expect, it } from 'vitest'
import type { Readiness } from '../../../src/routes/services.ts'
import { buildGrpc, decode, encode } from '../../helpers/grpc.ts'

const request = (service: string): Buffer => encode('grpc.health.v1.HealthCheckRequest', { service })
const statusOf = (bytes: Buffer): unknown => decode('grpc.health.v1.HealthCheckResponse', bytes).status

describe('grpc.health.v1', () => {
  it.each(['', 'inference.GRPCInferenceService'])('checks the service "%s", without a key', async (service) => {
    let readiness: Readiness = 'starting'
    const { client } = await buildGrpc({ apiKeys: ['right'], services: { readiness: () => readiness } })
    const check = async () => statusOf((await client.send('/grpc.health.v1.Health/Check', request(service))).bytes)
    expect(await check()).toBe('NOT_SERVING')
    readiness = 'ready'
    expect(await check()).toBe('SERVING')
  })

  it('does not know other services', async () => {
    const { client } = await buildGrpc()
    const { error } = await client.send('/grpc.health.v1.Health/Check', request('cats'))
    expect(error?.code).toBe(status.NOT_FOUND)
  })

  it('says of bytes that are no request that they cannot be read', async () => {
    const { client } = await buildGrpc()
    const { error } = await client.send('/grpc.health.v1.Health/Check', Buffer.from('hello'))
    expect(error?.code).toBe(status.INVALID_ARGUMENT)
    const watch = client.client.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes,
      Buffer.from('hello'),
    )
    await expect(watch.toArray()).rejects.toMatchObject({ code: status.INVALID_ARGUMENT })
  })

  it('tells who watches of each change, and ends that when the server closes', async () => {
    let readiness: Readiness = 'starting'
    const { client, grpc } = await buildGrpc({ services: { readiness: () => readiness } })
    const watch = (service: string) =>
      client.client.makeServerStreamRequest(
        '/grpc.health.v1.Health/Watch',
        (bytes: Buffer) => bytes,
        (bytes: Buffer) => bytes,
        request(service),
        new Metadata(),
      )
    const unknown: unknown[] = []
    const other = watch('cats').on('data', (bytes) => unknown.push(statusOf(bytes)))
    other.on('error', () => {})
    const told: unknown[] = []
    const stream = watch('')
    const ended = (async () => {
      for await (const bytes of stream) {
        told.push(statusOf(bytes as Buffer))
        if (readiness === 'ready') return grpc.close()
        readiness = 'ready'
      }
    })()
    await Promise.allSettled([ended])
    expect(told).toEqual(['NOT_SERVING', 'SERVING'])
    expect(unknown).toEqual(['SERVICE_UNKNOWN'])
  })
})
