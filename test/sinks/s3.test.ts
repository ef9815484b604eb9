import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, GetObjectTaggingCommand, PutObjectCommand } from '@aws-sdk/client-s3';
import { beforeAll, describe, expect, test } from 'vitest';
import { plan, type WritePlan } from '../../domain/plan.ts';
import { s3, type S3Fields } from '../../sinks/s3.ts';
import type { Place, Sink } from '../../sinks/sink.ts';
import { describeWith } from '../servers/describe-with.ts';
import type { SeaweedServer } from '../servers/seaweedfs.ts';
import { describeSinkContract } from './contract.ts';
import { contextFor, entriesOf, failure, fingerprint, owner, type Values } from './contract/scenario.ts';
import { rawAccess, s3Leg, shareSeaweed, stagedElsewhere } from './s3-bench.ts';
import { policyOf } from '../domain/policy-of.ts';

const bucket = 'config';

// The other formats and buckets that keep versions have files of their own, so that they run beside this one.
describeWith('seaweedfs', 'the s3 sink', () => {
  const shared = shareSeaweed();
  describeSinkContract('json', s3Leg(shared, { destination: { format: 'json' }, faults: true }));
  // Each key is a request of some milliseconds: 10,000 of them, written four times and read ten times, are minutes on a small machine.
  const large = { keys: 250 };
  describeSinkContract('keys', s3Leg(shared, { destination: { layout: 'keys' }, large, faults: true, cannot: { outage: stagedElsewhere.outage } }));

  describe('what belongs to an object beside its content', () => {
    let server: SeaweedServer;
    beforeAll(async () => {
      server = await shared();
      await server.client.send(new CreateBucketCommand({ Bucket: bucket }));
    });

    test('stays as people set it, where the destination says nothing, and comes back with an undo', async () => {
      const sink = await connectTo(server);
      const at = placeOf({}, 'kept.json');
      const people = { ContentType: 'application/vnd.acme+json', CacheControl: 'max-age=60', Metadata: { team: 'blue' }, Tagging: 'cost%20center=a%26b' };
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: 'kept.json', Body: Buffer.from('{"host":"theirs"}'), ...people }));
      const before = await everythingOf(server, 'kept.json');
      await sink.apply(at, await planWrite(sink, at, { host: 'ours' }), contextFor([]));
      expect(await everythingOf(server, 'kept.json')).toEqual({ ...before, text: '{\n  "host": "ours"\n}\n' });
      await sink.restore(at, 1, contextFor([]));
      expect(await everythingOf(server, 'kept.json')).toEqual(before);
      await sink.close();
    });

    test('is what the destination says, and what was there before comes back with an undo', async () => {
      const sink = await connectTo(server);
      const at = placeOf({ cacheControl: 'no-store', tags: { 'cost center': 'ours' } }, 'ours.json');
      await server.client.send(new PutObjectCommand({ Bucket: bucket, Key: 'ours.json', Body: Buffer.from('{}'), CacheControl: 'max-age=60', Tagging: 'a=b' }));
      const before = await everythingOf(server, 'ours.json');
      await sink.apply(at, await planWrite(sink, at, { host: 'ours' }), contextFor([]));
      expect(await everythingOf(server, 'ours.json')).toMatchObject({
        ContentType: 'application/json',
        CacheControl: 'no-store',
        tags: [{ Key: 'cost center', Value: 'ours' }],
      });
      await sink.restore(at, 1, contextFor([]));
      expect(await everythingOf(server, 'ours.json')).toEqual(before);
      await sink.close();
    });

    test('a bucket that is not there is neither an absent place nor a place to write', async () => {
      const sink = await connectTo(server);
      const at = { ...placeOf({}, ''), name: 'nowhere/app.json' };
      const error = await failure(sink.read(at, contextFor([])), 'rejected');
      expect(error.message).toContain('there is no such bucket');
      await sink.close();
    });
  });
});

function connectTo(server: SeaweedServer): Promise<Sink> {
  const credentials = { accessKeyId: { env: 'I' }, secretAccessKey: { env: 'S' } };
  const options = s3.options.parse({ endpoint: server.endpoint, forcePathStyle: true, credentials });
  return s3.connect(options, async (reference) => ('env' in reference && reference.env === 'I' ? 'admin' : 'admin-secret'));
}

function placeOf(destination: Readonly<Record<string, unknown>>, key: string): Place<S3Fields> {
  const fields = s3.destination.parse(destination);
  return { name: `${bucket}/${key}`, layout: fields.layout, fields };
}

async function planWrite(sink: Sink, at: Place<S3Fields>, values: Values): Promise<WritePlan> {
  const entries = entriesOf(values).map((entry) => s3.render(entry, at.fields));
  const live = await sink.read(at, contextFor(entries));
  const desired = { entries, owner, stream: 'config/main', commit: 'a'.repeat(40), inputsMoved: true, write: randomUUID(), at: '2026-11-24T00:00:00Z' };
  const made = plan(desired, live, policyOf({ ownership: 'place', onExisting: 'overwrite' }), fingerprint);
  if (made.kind !== 'write') throw new Error(`expected a write, got ${made.kind}`);
  return made;
}

async function everythingOf(server: SeaweedServer, Key: string) {
  const found = await rawAccess(server, bucket).get(Key);
  const { TagSet: tags } = await server.client.send(new GetObjectTaggingCommand({ Bucket: bucket, Key }));
  return { ...found, tags };
}
